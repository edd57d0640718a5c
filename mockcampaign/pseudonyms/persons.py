"""Pseudonyms for the people in the events of one recording."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from mockcampaign.pseudonyms.harmless import HEADERS, is_description, name_stays, number_stays, text_stays, word_stays
from mockcampaign.pseudonyms.substitutes import Substitutes
from mockcampaign.pseudonyms.texts import Json, Texts, UnreadableError

DEPTH_MAX = 200
"""Deepest nesting of objects and lists that is read."""

INTEGER_BITS_MAX = 10_000
"""Largest integer that is read. Python reads no larger ones from JSON."""


_WORD = re.compile(r"[^\W_]+")


class Pseudonyms:
    """Replaces people by pseudonyms, and remembers them for one recording.

    What stays is listed (`harmless`); everything else is replaced in its own format: letters by letters of the same
    case, digits by digits, addresses by reserved ones. One person has the same pseudonym everywhere, in any encoding.
    The ids of mails and subscriptions are replaced too, because the sender knows whose they are: two events of one mail
    still share its id, in the same format. Results depend on what was seen before, and on nothing else.
    """

    def __init__(self, keep: Collection[str] = ()) -> None:
        """`keep` names fields that stay as they are, with all that is in them: by name, or by dotted path."""
        self._keep = frozenset(keep)
        self._paths = any("." in name for name in keep)
        self._keep_headers = frozenset(name.lower() for name in keep)
        self._substitutes = Substitutes()
        self._texts = Texts(self._substitutes, self._structure)

    def event(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the event without persons. Raises `UnreadableError`."""
        replaced = self.value(event)
        assert isinstance(replaced, dict)
        return replaced

    def value(self, value: Json) -> Json:
        """Return any value from JSON without persons. Raises `UnreadableError`."""
        return self._value("", "", value, 0, 0)

    def text(self, text: str) -> str:
        """Return a sentence, such as one of a consumer, without persons.

        Everything that was replaced elsewhere is replaced, and so is whatever looks personal or secret: e-mail
        addresses, phone numbers, long numbers and tokens. Other words stay.
        """
        return self._texts.sentence(text)

    def whole_text(self, text: str) -> str:
        """Return a text with every word replaced, as the text of an unknown field."""
        return self._texts.whole(text)

    def path(self, path: str) -> str:
        """Return the path of a URL, perhaps with a query. Words that name no person and names of parameters stay."""
        return self._texts.path(path)

    def headers(self, headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return headers whose values are replaced, unless their names are known to be harmless."""
        return tuple((name, self._header(name.lower(), value)) for name, value in headers)

    def _header(self, name: str, value: str) -> str:
        if name in self._keep_headers:
            return value
        return self._texts.sentence(value) if name in HEADERS else self._texts.whole(value)

    def _structure(self, value: Json, level: int) -> Json:
        """Return a value from JSON that was a text, at this level of encodings."""
        return self._value("", "", value, DEPTH_MAX // 2, level)

    def _value(self, name: str, path: str, value: Json, depth: int, level: int) -> Json:
        match value:
            case None | bool():
                return value
            case str():
                return self._text(name, value, level)
            case int():
                if value.bit_length() > INTEGER_BITS_MAX:
                    raise UnreadableError(f"an integer of more than {INTEGER_BITS_MAX} bits, which is the limit")
                return value if number_stays(name, value) else self._substitutes.number(value)
            case float():
                return value if _is_finite(value) and number_stays(name, value) else self._substitutes.decimal(value)
        if depth >= DEPTH_MAX:
            raise UnreadableError(f"nested deeper than {DEPTH_MAX} levels, which is the limit")
        if isinstance(value, list):
            return [self._value(name, path, one, depth + 1, level) for one in value]
        return {
            self._name(key): inner
            if self._is_kept(key, inside := f"{path}.{key}" if self._paths and path else key)
            else self._value(key, inside, inner, depth + 1, level)
            for key, inner in value.items()
        }

    def _text(self, name: str, text: str, level: int) -> str:
        if text_stays(name, text):
            return text
        if not is_description(name, text):
            return self._texts.whole(text, level)
        # Word by word, so that a person's phone is still a phone.
        return _WORD.sub(
            lambda found: found[0] if word_stays(name, found[0]) else self._texts.whole(found[0], level), text
        )

    def _name(self, name: str) -> str:
        return name if name_stays(name) else self._texts.whole(name)

    def _is_kept(self, name: str, path: str) -> bool:
        return name in self._keep or path in self._keep


def without_persons(events: Sequence[dict[str, Any]], keep: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return events without the people in them, each person with one pseudonym. Raises `UnreadableError`.

    `keep` names fields that stay as they are.
    """
    pseudonyms = Pseudonyms(keep)
    return [pseudonyms.event(event) for event in events]


def _is_finite(value: float) -> bool:
    return value - value == 0
