"""Captured events, and more events of the same shape, for users whose real payloads differ from ours."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events.people import Permutation, person_address
from mockcampaign.events.random_words import RandomWords, Words
from mockcampaign.model import EventType
from mockcampaign.pseudonyms import without_persons
from mockcampaign.shape.builtin import NAMES, builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.shape.likeness import Alphabets, address_version, alphabets_of
from mockcampaign.shape.moment import moment_of, write_moment

SAMPLE_BYTES_MAX = 16_777_216
"""Maximum size of a file of captured events. Our choice."""

DEPTH_MAX = 50
"""Maximum nesting of a captured event. Our choice."""

LINES_SUFFIXES = (".jsonl", ".ndjson")
"""Suffixes of files that contain one event in each line."""

IDENTITIES = tuple(NAMES[role] for role in (Role.RECIPIENT, Role.MAIL, Role.SUBSCRIPTION))
"""Fields that identify a mail. They always vary, unless they contain no ASCII letter or digit."""

SHARED = tuple(NAMES[role] for role in (Role.CLIENT, Role.MAILING, Role.RECIPIENT_LIST, Role.LINK_ID))
"""Fields that many mails share. They keep their captured values."""

_IDENTIFIER_NAME = re.compile(r"(?:^|[^A-Za-z]|[a-z0-9](?=[A-Z]))(?:[Ii]d|ID|(?i:uuid|guid|key|token))s?$")
"""Names of ids. A text of letters and digits under such a name varies, however short it is."""


_TYPED = builtin_shape(EventType.OPEN)
"""A shape that has the type of events where all built-in shapes have it."""

_INTEGERS = -(1 << 63), 1 << 64
_decoder = msgspec.json.Decoder()


class Sample(msgspec.Struct, frozen=True):
    """One or more captured events of one type."""

    event_type: EventType | None
    """Type of the events, or None if it is missing or unknown."""
    events: tuple[dict[str, Any], ...]

    def more(self, seed: str, created: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield one event for each time (milliseconds since 1970).

        Each event has all fields of one captured event, so related values stay together. Values that identify a mail, a
        person or a time vary in their captured format. Names, codes and values of unknown meaning are copied.
        """
        return _Shape(self.events, seed).more(created)


def load_sample(path: Path) -> Sample:
    """Read a captured event, a list of events, or the events of a journal, and replace the people in them.

    Raises `InvalidInputError` if the file contains none of these.
    """
    try:
        if path.stat().st_size > SAMPLE_BYTES_MAX:
            raise InvalidInputError(f"{path}: larger than {SAMPLE_BYTES_MAX} bytes, which is the limit")
        raw = path.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    lines = path.suffix.lower() in LINES_SUFFIXES
    try:
        content = _decoder.decode_lines(raw) if lines else _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "JSON Lines" if lines else "JSON"
        raise InvalidInputError(f"{path}: not {what}: {error}, allowed: one event, or a list of events") from None
    events = _journal_events(content) if lines and _is_journal(content) else content
    events = events if isinstance(events, list) else [events]
    if not events or not all(isinstance(event, dict) for event in events):
        raise InvalidInputError(f"{path}: allowed: one event as a JSON object, or a non-empty list of them")
    sample = read_sample(events, str(path))
    return Sample(sample.event_type, tuple(without_persons(sample.events)))


def _is_journal(lines: list[Any]) -> bool:
    """Return whether these are the lines of a journal that `run --journal` or `record` wrote."""
    return bool(lines) and all(isinstance(line, dict) and "journal" in line and "entry" in line for line in lines)


def _journal_events(lines: list[dict[str, Any]]) -> list[Any]:
    """Return the events in the lines of a journal."""
    return [event for line in lines if line["entry"] == "happened" for event in line.get("events", ())]


def read_sample(events: Sequence[dict[str, Any]], where: str) -> Sample:
    """Return a sample of captured events. Raises `InvalidInputError`, whose text starts with `where`."""
    if any(_depth(event) > DEPTH_MAX for event in events):
        raise InvalidInputError(f"{where}: nested deeper than {DEPTH_MAX} levels, which is the limit")
    if any(isinstance(value, int) and not _INTEGERS[0] <= value < _INTEGERS[1] for _, value in _leaves(list(events))):
        raise InvalidInputError(f"{where}: contains an integer of more than 64 bits, which is the limit")
    types = {name if isinstance(name := _TYPED.get(event, Role.TYPE), str) else None for event in events}
    if len(types) > 1:
        named = ", ".join(sorted(str(name) for name in types))
        raise InvalidInputError(f"{where}: contains types {named}, allowed: one type")
    [name] = types
    return Sample(EventType(name) if name in list(EventType) else None, tuple(events))


def _depth(value: Any) -> int:
    """Return the levels of objects and lists, up to one above the limit."""
    depth, level = 0, [value]
    while depth <= DEPTH_MAX and (level := [one for one in level if isinstance(one, dict | list)]):
        depth += 1
        level = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer)]
    return depth


class _Shape:
    """The shape of the captured events: which values vary, and in which form."""

    def __init__(self, events: tuple[dict[str, Any], ...], seed: str) -> None:
        self._events = events
        self._random = RandomWords(seed, "events")
        self._places = RandomWords(seed, "places")
        self._forms: dict[tuple[str, Alphabets], _Form] = {}
        self._codes = _codes(events)

    def more(self, created: Iterable[int]) -> Iterator[dict[str, Any]]:
        for number, moment in enumerate(created):
            event = self._events[self._random.words(number)[0] * len(self._events) >> 32]
            yield _Variation(self, event, number, moment).event()

    def is_code(self, name: str, value: str | int) -> bool:
        return name in SHARED or (name, value) in self._codes

    def form(self, name: str, alphabets: Alphabets) -> _Form:
        if (name, alphabets) not in self._forms:
            self._forms[name, alphabets] = _Form(alphabets, self._random.words(1 << 63 | len(self._forms)))
        return self._forms[name, alphabets]

    def address(self, version: int, number: int) -> str:
        """Return an IP address of this version."""
        attempt = number << 8
        while True:
            address = person_address(self._places.words(attempt))
            if (":" in address) == (version == 6):
                return address
            attempt += 1


class _Variation:
    """One event made from a captured one."""

    def __init__(self, shape: _Shape, captured: dict[str, Any], number: int, moment: int) -> None:
        self._shape = shape
        self._captured = captured
        self._number = number
        reference = next(_moments(captured), moment)
        self._shift = moment - reference
        self._varied: dict[tuple[type, str | int], str | int] = {}

    def event(self) -> dict[str, Any]:
        return {name: self._vary(name, value) for name, value in self._captured.items()}

    def _vary(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: self._vary(inner, one) for inner, one in value.items()}
        if isinstance(value, list):
            return [self._vary(name, one) for one in value]
        captured = moment_of(name, value)
        if captured is not None:
            return write_moment(value, captured + self._shift)
        if isinstance(value, bool) or not isinstance(value, int | str) or self._shape.is_code(name, value):
            return value
        # Equal values in one event stay equal, such as an id that occurs twice.
        key = type(value), value
        if key not in self._varied:
            self._varied[key] = self._replacement(name, value)
        return self._varied[key]

    def _replacement(self, name: str, value: str | int) -> str | int:
        if isinstance(value, str) and (version := address_version(value)):
            return self._shape.address(version, self._number)
        alphabets = alphabets_of(value, identity=name in IDENTITIES, named=_IDENTIFIER_NAME.search(name) is not None)
        if alphabets is None:
            return value
        text = self._shape.form(name, alphabets).nth(self._number)
        return int(text) if isinstance(value, int) else text


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


def _codes(events: tuple[dict[str, Any], ...]) -> set[tuple[str, str | int]]:
    """Return the values that several different captured events share under one name, so they do not identify a mail."""
    distinct = {msgspec.json.encode(event): event for event in events}
    seen = Counter(
        pair for event in distinct.values() for pair in {one for one in _leaves(event) if isinstance(one[1], str | int)}
    )
    return {(name, value) for (name, value), count in seen.items() if count > 1 and name not in IDENTITIES}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all values that contain no others, each with the nearest name around it."""
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _leaves(one, inner)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, name)
    else:
        yield name, value


def _moments(event: dict[str, Any]) -> Iterator[int]:
    """Yield the times in a captured event, the time of the event first."""
    named = sorted(_leaves(event), key=lambda pair: pair[0] != NAMES[Role.MOMENT])
    return (found for name, value in named if (found := moment_of(name, value)) is not None)
