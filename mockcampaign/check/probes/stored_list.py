"""Stored events that a probe reports again and again, more of them each time.

A check reads a store hundreds of times, and nearly all of it was there the last time. That part is neither decoded nor
searched again.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

import msgspec

from mockcampaign import json_text
from mockcampaign.judging.equivalents import comparable_key, is_comparable
from mockcampaign.shape.field import Event
from mockcampaign.shape.shape import Shape


def events_of(elements: list[Any], mails: Collection[Hashable], shapes: Sequence[Shape]) -> list[Event]:
    """Return the events that one of the shapes recognises as of one of these mails, in their order."""
    if isinstance(elements, StoredList):
        return elements.events_of(mails, shapes)
    if len(shapes) == 1 and (name := shapes[0].only_key) is not None:
        return _events_by_field(elements, name, mails, shapes[0])
    return [element for element in elements if any(mail_of(element, shape) in mails for shape in shapes)]


def _events_by_field(elements: list[Any], name: str, mails: Collection[Hashable], shape: Shape) -> list[Event]:
    """Return the events of these mails, which one field identifies: a function's list is searched hundreds of times."""
    values = {mail[0] for mail in mails if isinstance(mail, tuple) and len(mail) == 1}
    return [
        element
        for element in elements
        if isinstance(element, dict)
        and (value in values if is_comparable(value := element.get(name)) else mail_of(element, shape) in mails)
    ]


def mail_of(event: object, shape: Shape) -> Hashable | None:
    """Return what identifies the mail of an event, sent or stored, or None.

    A stored one may lack characters that no store has to hold (`equivalents`), also there.
    """
    key = shape.key(event)
    return None if key is None else comparable_key(key)


class StoredList(list[Any]):
    """Elements that begin with those of an earlier response of the probe. Nobody changes them.

    Where the events of each mail are is noted once for all lists that begin with the same elements.
    """

    def __init__(self, elements: Iterable[Any], beginning: StoredList | None = None) -> None:
        """`beginning` is an earlier list, whose elements come before these."""
        super().__init__(elements if beginning is None else beginning)
        if beginning is not None:
            self.extend(elements)
        self._indexes: dict[tuple[tuple[str, ...], ...], _Index] = {} if beginning is None else beginning._indexes
        """Indexes by the paths of the fields that identify a mail."""

    def events_of(self, mails: Collection[Hashable], shapes: Iterable[Shape]) -> list[Event]:
        """Return what the function `events_of` returns."""
        found: set[int] = set()
        for shape in shapes:
            index = self._indexes.setdefault(tuple(field.path for field in shape.key_fields), _Index())
            index.read(self, shape)
            for mail in mails:
                found.update(index.positions_of(mail))
        # A list that begins with this one may have added others.
        return [self[position] for position in sorted(found) if position < len(self)]


class _Index:
    """Where the events of each mail are, in a list and in all that begin with it."""

    def __init__(self) -> None:
        self._length = 0
        self._positions: dict[Hashable, int | list[int]] = {}
        """Most mails have one event. A list for each would keep the garbage collector busy."""

    def positions_of(self, mail: Hashable) -> Sequence[int]:
        found = self._positions.get(mail, ())
        return (found,) if isinstance(found, int) else found

    def read(self, elements: StoredList, shape: Shape) -> None:
        for position in range(self._length, len(elements)):
            mail = mail_of(elements[position], shape)
            if mail is None:
                continue
            before = self._positions.setdefault(mail, position)
            if isinstance(before, list):
                before.append(position)
            elif before != position:
                self._positions[mail] = [before, position]
        self._length = max(self._length, len(elements))


class ListReader:
    """Decodes the responses of one probe."""

    def __init__(self) -> None:
        self._known = StoredList(())
        self._beginning = memoryview(b"")
        """The text of the known elements: that of their list without its end, not copied."""

    def decode(self, text: bytes) -> Any:
        """Return what JSON text says, as `json_text.decode` does.

        A list that begins with all elements of the one before is a `StoredList`.
        """
        more = self._elements_after_known(text)
        if more is None:
            decoded = json_text.decode(text)
            if not isinstance(decoded, list):
                return decoded
            self._note(text, StoredList(decoded))
            return self._known
        if more:
            self._note(text, StoredList(more, self._known))
        return self._known

    def _note(self, text: bytes, elements: StoredList) -> None:
        self._known = elements
        self._beginning = memoryview(text)[: _end_of_elements(text) if elements else 0]

    def _elements_after_known(self, text: bytes) -> list[Any] | None:
        """Return the elements after the known ones, or None if the text does not begin with those."""
        length = len(self._beginning)
        # No token continues over such a character, so both parts can be decoded by themselves.
        if not length or not text.startswith(self._beginning) or text[length : length + 1] not in b",] \t\r\n":
            return None
        try:
            # With an element before them, so that a comma is required exactly where the whole text requires one.
            decoded = json_text.decode(b"[0" + text[length:])
        except msgspec.DecodeError:
            return None  # and the whole text says what is wrong with it
        return list(decoded[1:])


def _end_of_elements(text: bytes) -> int:
    """Return where the elements of a list end in its text, before its bracket and any space."""
    end = text.rindex(b"]")
    while text[end - 1] in b" \t\r\n":
        end -= 1
    return end
