"""The question that a probe is asked: which events, and the values by which the consumer can select them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from mockcampaign.check.probes.stored_list import events_of, mail_of
from mockcampaign.errors import StoreMissingError
from mockcampaign.shape.field import Event, Role, Value
from mockcampaign.shape.moment import write_moment
from mockcampaign.shape.placeholders import CLIENT_ID, MAIL_IDS, MAILING_ID, SINCE, Placeholder
from mockcampaign.shape.shape import Shape

MAIL_IDS_MAX = 100
"""Greatest number of mail ids in one request: servers limit the length of URLs."""

LOOKED_AT = 20
"""Number of events of a response by which a consumer that ignores a placeholder is recognised."""

Selected = str | int | Sequence[str | int]
"""The value of a placeholder, as events contain it."""

Values = Mapping[str, Selected]
"""Values by the names of the placeholders. A placeholder without a value stands for no value at all."""

Found = list[Any] | int
"""The stored events, with whatever else is stored among them, or only their number."""

Reply = TypeVar("Reply")


async def found_or_nothing(asking: Awaitable[Found], *, acknowledged: bool) -> Found:
    """Return what a probe reports. Raise as the probe does.

    Many consumers create their database at their first request. So one that is missing has nothing stored, until the
    consumer has `acknowledged` events.
    """
    try:
        return await asking
    except StoreMissingError:
        if acknowledged:
            raise
        return []


class Part(msgspec.Struct, frozen=True):
    """One request of a question: the events that have these values in common."""

    values: Values
    mails: frozenset[Hashable]
    """Keys of the mails of these events."""


class _Row(NamedTuple):
    client: Selected | None
    mailing: Selected | None
    mail_id: Selected | None
    mail: Hashable


class Question:
    """The events about which a probe is asked. It grows with the events that are sent."""

    def __init__(self, shape: Shape, since: int) -> None:
        """`shape` is that of most events. Nothing was stored for this question before `since` (milliseconds)."""
        self.shapes: list[Shape] = [shape]
        """The shapes of the events, by which stored ones are recognised."""
        self.keyed: list[Shape] = [shape]
        """Shapes among them that have different keys."""
        self.mails: set[Hashable] = set()
        """Keys of the mails of the events."""
        self._since = since
        self._unread: list[tuple[Event, Shape]] = []
        self._rows: dict[_Row, None] = {}

    def add(self, events: Iterable[Event], shape: Shape | None = None) -> bool:
        """Ask about these events as well; `shape` is theirs. Return whether the shape is new."""
        is_new = shape is not None and all(shape is not known for known in self.shapes)
        if shape is not None and is_new:
            self.shapes.append(shape)
            # Shapes with the same key recognise the same events.
            self.keyed = list({one.key_fields: one for one in reversed(self.shapes)}.values())
        events = list(events)
        self.mails.update(self.mails_of(events))
        # Most probes have no placeholders, and no use for the values of events.
        self._unread += [(event, shape or self.shapes[0]) for event in events]
        return is_new

    def mails_of(self, events: Iterable[object]) -> set[Hashable]:
        """Return what identifies the mails of these events."""
        return {mail for event in events for shape in self.keyed if (mail := mail_of(event, shape)) is not None}

    def parts(self, placeholders: Collection[Placeholder], ignored: Collection[Placeholder] = ()) -> list[Part]:
        """Return the requests that select all events: at least one of each client and mailing that is asked for.

        The placeholders that the consumer has `ignored` get any value, since each response has the events of all.
        """
        asked = [one for one in placeholders if one not in ignored]
        groups: dict[tuple[Selected | None, Selected | None], list[_Row]] = {}
        for row in self._read():
            key = row.client if CLIENT_ID in asked else None, row.mailing if MAILING_ID in asked else None
            groups.setdefault(key, []).append(row)
        return [
            Part(self._values(placeholders, rows), frozenset(row.mail for row in rows))
            for group in groups.values()
            for rows in (_chunks(group) if MAIL_IDS in asked else (group,))
        ]

    def _values(self, placeholders: Collection[Placeholder], rows: Sequence[_Row]) -> Values:
        mail_ids = [row.mail_id for row in rows[:MAIL_IDS_MAX] if isinstance(row.mail_id, str | int)]
        known: dict[Placeholder, Selected | None] = {
            CLIENT_ID: rows[0].client,
            MAILING_ID: rows[0].mailing,
            MAIL_IDS: tuple(dict.fromkeys(mail_ids)),
            SINCE: self._written_since(),
        }
        return {one.name: value for one in placeholders if (value := known[one]) is not None}

    def _written_since(self) -> Selected | None:
        field = self.shapes[0].field(Role.MOMENT)
        written = None if field is None else write_moment(field.example, self._since)
        return int(written) if isinstance(written, float) else written

    def _read(self) -> Iterable[_Row]:
        for event, shape in self._unread:
            moment = shape.moment(event)
            self._since = self._since if moment is None else min(self._since, moment)
            client, mailing, mail_id = (
                _selected(shape.get(event, one.role)) for one in (CLIENT_ID, MAILING_ID, MAIL_IDS)
            )
            self._rows[_Row(client, mailing, mail_id, mail_of(event, shape))] = None
        self._unread.clear()
        return self._rows


def _selected(value: Value) -> str | int | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    # Events of one mail belong together.
    ordered = sorted(rows, key=lambda row: str(row.mail))
    return (ordered[start : start + MAIL_IDS_MAX] for start in range(0, len(ordered), MAIL_IDS_MAX))


class Selection:
    """Asks a source that may select events by placeholders, in as many requests as it takes."""

    def __init__(self, placeholders: Collection[Placeholder], fetch: Callable[[Values], Awaitable[Any]]) -> None:
        """`fetch` makes one request, in which the placeholders have these values."""
        self.placeholders = frozenset(placeholders)
        self._fetch = fetch
        self._ignored: set[Placeholder] = set()
        """Placeholders that the consumer is known to ignore."""

    @property
    def is_partial(self) -> bool:
        """Whether a response may lack what was not asked for, as far as is known."""
        return self.placeholders > self._ignored

    async def replies(self, question: Question | None) -> list[tuple[Part | None, Any]]:
        """Return all responses to a question, with what they were asked for. Without a question, ask for anything."""
        if not self.placeholders or question is None:
            return [(None, await self._fetch({}))]
        return [(part, await self._fetch(part.values)) for part in question.parts(self.placeholders, self._ignored)]

    async def stored(self, question: Question | None) -> Found:
        """Return the stored events of a question, perhaps with others, or their number."""
        if not self.placeholders or question is None:
            found: Found = await self._fetch({})
            return found
        while True:
            replies: list[tuple[Part, list[Any]]] = []
            count: int | None = None
            for part in question.parts(self.placeholders, self._ignored):
                reply: Found = await self._fetch(part.values)
                if isinstance(reply, int):
                    count = (count or 0) + reply
                    continue
                if self._has_learned(reply, part, question.keyed):
                    break  # with fewer requests, since this consumer selects less than it was asked to
                replies.append((part, reply))
            else:
                return count if count is not None else _combined(replies, question.keyed)

    def ignore_all(self) -> None:
        """Note that the consumer ignores the placeholders, so that one response contains the events of all."""
        self._ignored |= self.placeholders - {SINCE}

    def _has_learned(self, found: list[Any], part: Part, shapes: Sequence[Shape]) -> bool:
        """Return whether the response shows, for the first time, that the consumer ignores a placeholder."""
        before = len(self._ignored)
        unsure = self.placeholders - self._ignored - {SINCE}
        for element in found[:LOOKED_AT] if unsure else ():
            mails = {mail for shape in shapes if (mail := mail_of(element, shape)) is not None}
            if mails and mails.isdisjoint(part.mails):
                self._ignored |= {one for one in unsure if one is MAIL_IDS or _differs(element, one, part, shapes)}
        return len(self._ignored) > before


def _differs(element: Event, placeholder: Placeholder, part: Part, shapes: Sequence[Shape]) -> bool:
    """Return whether a stored event has another value than it was asked for."""
    asked = part.values.get(placeholder.name)
    values = [value for shape in shapes if (value := shape.get(element, placeholder.role)) is not None]
    return asked is not None and bool(values) and all(str(value) != str(asked) for value in values)


def _combined(replies: Sequence[tuple[Part, list[Any]]], shapes: Sequence[Shape]) -> list[Any]:
    """Return the events of several responses, each once, though a response may contain events of another one."""
    if len(replies) == 1:
        return replies[0][1]
    combined: list[Any] = []
    for index, (part, found) in enumerate(replies):
        if index == 0:
            combined += [element for element in found if not isinstance(element, dict)]
        for event in events_of(found, part.mails, shapes):
            mails = {mail_of(event, shape) for shape in shapes}
            others = [other for other, _ in replies if not mails.isdisjoint(other.mails)]
            fitting = [other for other in others if _fits(event, other, shapes)]
            if _fits(event, part, shapes) or (not fitting and part is others[0]):
                combined.append(event)
    return combined


def _fits(event: Event, part: Part, shapes: Sequence[Shape]) -> bool:
    return not any(_differs(event, one, part, shapes) for one in (CLIENT_ID, MAILING_ID))
