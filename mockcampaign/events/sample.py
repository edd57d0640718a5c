"""More events of a captured shape, for users whose real payloads differ from ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events.people import Permutation, person_address
from mockcampaign.events.random_words import RandomWords, Words
from mockcampaign.model import EventType
from mockcampaign.pseudonyms import without_persons
from mockcampaign.shape.captured import CapturedEvents, ReplacePersons, read_captured
from mockcampaign.shape.clues import is_writable
from mockcampaign.shape.field import Event, EventField, Role, Value, value_at
from mockcampaign.shape.infer import check_limits
from mockcampaign.shape.likeness import Alphabets, address_version, alphabets_of
from mockcampaign.shape.moment import read_moment, write_moment
from mockcampaign.shape.shape import Shape

VARYING = frozenset({Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.MAIL, Role.SUBSCRIPTION, Role.ID})
"""Roles whose values belong to one recipient, mail or event."""

_MOMENTS = (Role.MOMENT, Role.OTHER_MOMENT)
_ANY_TYPE = EventType.OPEN
"""Type by which fields are understood if the events say none."""


class Sample(msgspec.Struct, frozen=True):
    """Captured events of one type, whose shape others get."""

    event_type: EventType | None
    """Type of the events, or None if they do not say it."""
    shape: Shape

    @classmethod
    def of(cls, shape: Shape) -> Sample:
        """Return the sample for events of a shape."""
        return cls(shape.event_type, shape)

    def more(self, seed: str, created: Iterable[int]) -> Iterator[Event]:
        """Yield one event for each time (milliseconds since 1970).

        Each event has all fields of one captured event, so related values stay together. Ids of recipients, mails and
        subscriptions, other ids, addresses and times vary in their captured format. All else is as in the sample.
        """
        return _Variations(self.shape, seed).more(created)


def load_sample(
    path: Path,
    event_type: EventType | None = None,
    *,
    replace_persons: ReplacePersons | None = without_persons,
    keep: Collection[str] = (),
) -> Sample:
    """Read captured events as `read_captured` does, and replace the people in them.

    `event_type` selects one type of several.

    Raises `InvalidInputError` if the file contains no events, or events of several types.
    """
    captured = read_captured(path, event_type=event_type, replace_persons=replace_persons, keep=keep)
    return _sample(captured, str(path), event_type)


def read_sample(events: Sequence[Event], where: str, event_type: EventType | None = None) -> Sample:
    """Return a sample of captured events. Raises `InvalidInputError`, whose text starts with `where`."""
    return _sample(CapturedEvents(tuple(events)), where, event_type)


def _sample(captured: CapturedEvents, where: str, event_type: EventType | None) -> Sample:
    try:
        for event in captured.events:
            check_limits(event)
        types = captured.event_types
        chosen = event_type if event_type in types else types[0] if len(types) == 1 else None
        shape = captured.shape(event_type=chosen if types else event_type or _ANY_TYPE, must_identify=False)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from None
    return Sample(chosen, shape)


class _Variations:
    """Which values of a shape's events vary, and in which form."""

    def __init__(self, shape: Shape, seed: str) -> None:
        self._shape = shape
        self._examples = [msgspec.json.encode(example) for example in shape.examples]
        self._random = RandomWords(seed, "events")
        self._places = RandomWords(seed, "places")
        self._forms: dict[tuple[str, Alphabets], _Form] = {}
        self._codes = _codes(shape)
        varying = VARYING | {Role.NETWORK_ADDRESS, *_MOMENTS}
        self._fields = [field for field in shape.fields if field.role in varying]
        self._times = [field.path for role in _MOMENTS for field in shape.of(role)]

    def more(self, created: Iterable[int]) -> Iterator[Event]:
        for number, moment in enumerate(created):
            encoded = self._examples[self._random.words(number)[0] * len(self._examples) >> 32]
            yield self._varied(msgspec.json.decode(encoded), number, moment)

    def _varied(self, event: Event, number: int, moment: int) -> Event:
        shift = moment - self._reference(event, moment)
        varied: dict[tuple[type, Value], Value] = {}
        for field in self._fields:
            holder = value_at(event, field.path[:-1])
            name = field.path[-1]
            if not isinstance(holder, dict) or name not in holder:
                continue  # not in this one of the captured events
            value = holder[name]
            if field.role in _MOMENTS:
                if is_writable(value) and (captured := read_moment(value)) is not None:
                    holder[name] = write_moment(value, captured + shift)
            elif isinstance(value, str | int) and not isinstance(value, bool):
                # Equal values in one event stay equal, such as an id that occurs twice.
                key = type(value), value
                if key not in varied:
                    varied[key] = self._replacement(field, value, number)
                holder[name] = varied[key]
        return event

    def _reference(self, event: Event, moment: int) -> int:
        """Return the captured time of the event, or else another time in it, or else the new one."""
        values = (value_at(event, path) for path in self._times)
        return next((found for one in values if is_writable(one) and (found := read_moment(one)) is not None), moment)

    def _replacement(self, field: EventField, value: str | int, number: int) -> str | int:
        if field.role is Role.NETWORK_ADDRESS:
            version = address_version(str(value))
            return value if version is None else self._address(version, number)
        identity = field.role is not Role.ID or field in self._shape.key_fields
        if not identity and (field.path, value) in self._codes:
            return value
        alphabets = alphabets_of(value, identity=identity, named=True)
        if alphabets is None:
            return value
        text = self._form(field, alphabets).nth(number)
        return int(text) if isinstance(value, int) else text

    def _form(self, field: EventField, alphabets: Alphabets) -> _Form:
        key = field.name, alphabets
        if key not in self._forms:
            self._forms[key] = _Form(alphabets, self._random.words(1 << 63 | len(self._forms)))
        return self._forms[key]

    def _address(self, version: int, number: int) -> str:
        """Return an IP address of this version."""
        attempt = number << 8
        while True:
            address = person_address(self._places.words(attempt))
            if (":" in address) == (version == 6):
                return address
            attempt += 1


class _Form:
    """All texts with one symbol of each alphabet in turn, permuted, without repetition until all are used."""

    def __init__(self, alphabets: Alphabets, words: Words) -> None:
        self._alphabets = alphabets
        self._numbering = Permutation(prod(len(alphabet) for alphabet in alphabets), words)

    def nth(self, number: int) -> str:
        place = self._numbering.apply(number)
        symbols = []
        for alphabet in reversed(self._alphabets):
            place, index = divmod(place, len(alphabet))
            symbols.append(alphabet[index])
        return "".join(reversed(symbols))


def _codes(shape: Shape) -> set[tuple[tuple[str, ...], str | int]]:
    """Return the ids that several different captured events share, so they do not identify a mail."""
    distinct = {msgspec.json.encode(event): event for event in shape.examples}
    seen = Counter(
        (field.path, value)
        for event in distinct.values()
        for field in shape.of(Role.ID)
        if isinstance(value := value_at(event, field.path), str | int)
    )
    return {pair for pair, count in seen.items() if count > 1}
