"""Captured events, and more events of the same shape, for users whose real payloads differ from ours."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events.people import Permutation, person_address
from mockcampaign.events.random_words import RandomWords, Words
from mockcampaign.model import EventType
from mockcampaign.pseudonyms import without_persons

SAMPLE_BYTES_MAX = 16_777_216
"""Maximum size of a file of captured events. Our choice."""

DEPTH_MAX = 50
"""Maximum nesting of a captured event. Our choice."""

LINES_SUFFIXES = (".jsonl", ".ndjson")
"""Suffixes of files that contain one event in each line."""

IDENTITIES = ("recipientId", "mailId", "subscriptionId")
"""Fields that identify a mail. They always vary, unless they contain no ASCII letter or digit."""

SHARED = ("clientId", "mailingId", "userListId", "linkId")
"""Fields that many mails share. They keep their captured values."""

IDENTIFIER_DIGITS_MIN = 4
"""A number or text with fewer digits counts as a code or a count and stays, unless its name is that of an id."""

_IDENTIFIER_NAME = re.compile(r"(?:^|[^A-Za-z]|[a-z0-9](?=[A-Z]))(?:[Ii]d|ID|(?i:uuid|guid|key|token))s?$")
"""Names of ids. A text of letters and digits under such a name varies, however short it is."""


_MOMENT_NAME = re.compile(r"(?i:created|modified|time|date|moment)(?!.*[iI]d$)|[a-z]At$|_at$|^(?:at|ts)$")
_SECONDS = range(978_307_200, 4_102_444_800)  # 2001 to 2100
_CREATED = range(10**14)  # milliseconds up to the year 5138
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(?:(:\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?")
_TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d([.,]\d+)?)?")
_UUID = re.compile(r"([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})")
_HEXADECIMAL = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{16,}")
_TOKEN_GROUP = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{5,}")
_VERSION = re.compile(r"[0-9]+([.][0-9]+)+")
_DIGITS, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    types = {event.get("type") if isinstance(event.get("type"), str) else None for event in events}
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
        self._forms: dict[tuple[str, tuple[str, ...]], _Form] = {}
        self._codes = _codes(events)

    def more(self, created: Iterable[int]) -> Iterator[dict[str, Any]]:
        for number, moment in enumerate(created):
            event = self._events[self._random.words(number)[0] * len(self._events) >> 32]
            yield _Variation(self, event, number, moment).event()

    def is_code(self, name: str, value: str | int) -> bool:
        return name in SHARED or (name, value) in self._codes

    def form(self, name: str, alphabets: tuple[str, ...]) -> _Form:
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
            return _format_like(value, captured + self._shift)
        if isinstance(value, bool) or not isinstance(value, int | str) or self._shape.is_code(name, value):
            return value
        # Equal values in one event stay equal, such as an id that occurs twice.
        key = type(value), value
        if key not in self._varied:
            self._varied[key] = self._replacement(name, value)
        return self._varied[key]

    def _replacement(self, name: str, value: str | int) -> str | int:
        if isinstance(value, str) and (version := _address_version(value)):
            return self._shape.address(version, self._number)
        alphabets = _alphabets(name, value)
        if alphabets is None:
            return value
        text = self._shape.form(name, alphabets).nth(self._number)
        return int(text) if isinstance(value, int) else text


class _Form:
    """All texts with one symbol of each alphabet in turn, permuted, without repetition until all are used."""

    def __init__(self, alphabets: tuple[str, ...], words: Words) -> None:
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


def _alphabets(name: str, value: str | int) -> tuple[str, ...] | None:
    """Return the symbols that each position of a similar value can have, or None if the value should stay."""
    text, identity = str(value), name in IDENTITIES
    local, at, domain = text.partition("@")
    if at and "." in domain and (identity or _is_plain(text)):
        return (*_similar_symbols(local), *at, *domain)
    digits = sum(symbol in _DIGITS for symbol in text)
    if not identity:
        if not _is_plain(text) or (digits < IDENTIFIER_DIGITS_MIN and not _is_named_identifier(name, text)):
            return None
        if _VERSION.fullmatch(text) or _TIME_OF_DAY.fullmatch(text):
            return None
    if _UUID.fullmatch(text):
        # The digits of version and variant stay.
        return tuple(one if index in (14, 19) else _hexadecimal(one) for index, one in enumerate(text))
    if _HEXADECIMAL.fullmatch(text):
        return tuple(_hexadecimal(one) for one in text)
    many = identity or digits >= IDENTIFIER_DIGITS_MIN
    if many and any(_TOKEN_GROUP.fullmatch(group) for group in text.split("-")):
        return tuple(_UPPER + _DIGITS if one in _UPPER + _DIGITS else one for one in text)
    if isinstance(value, int):
        return _whole_number(text)
    if digits < IDENTIFIER_DIGITS_MIN and not text.isdigit():
        return _similar_symbols(text)
    found = [_DIGITS if one in _DIGITS else one for one in text]
    if digits == len(text):
        found[0] = "0" if text[0] == "0" else _DIGITS[1:]
    return tuple(found)


def _is_plain(text: str) -> bool:
    """Return whether the text may be an id, and not a name, a sentence, a path or a URL."""
    return text.isascii() and "/" not in text and " " not in text


def _is_named_identifier(name: str, text: str) -> bool:
    """Return whether the text has letters and digits, and the name of an id. Letters alone may be any word."""
    mixed = any(symbol in _DIGITS for symbol in text) and any(symbol in _LOWER + _UPPER for symbol in text)
    return mixed and bool(_IDENTIFIER_NAME.search(name))


def _whole_number(text: str) -> tuple[str, ...]:
    """Return symbols for as many digits, so that the number fits into 64 bits if the captured one does."""
    sign, digits = text[: text.startswith("-")], text.removeprefix("-")
    leading = {19: ("12345678",), 20: ("1", "01234567")}.get(len(digits), (_DIGITS[1:],))
    return (*sign, *leading, *[_DIGITS] * (len(digits) - len(leading)))


def _similar_symbols(text: str) -> tuple[str, ...]:
    """Return digits for digits, letters for letters of the same case, and everything else unchanged."""
    return tuple(
        next((alphabet for alphabet in (_DIGITS, _LOWER, _UPPER) if symbol in alphabet), symbol) for symbol in text
    )


def _hexadecimal(symbol: str) -> str:
    if symbol == "-":
        return symbol
    return "0123456789ABCDEF" if symbol in "ABCDEF" else "0123456789abcdef"


def _address_version(text: str) -> int | None:
    try:
        return ip_address(text).version
    except ValueError:
        return None


def _moments(event: dict[str, Any]) -> Iterator[int]:
    """Yield the times in a captured event, `created` first."""
    named = sorted(_leaves(event), key=lambda pair: pair[0] != "created")
    return (found for name, value in named if (found := moment_of(name, value)) is not None)


def moment_of(name: str, value: Any) -> int | None:
    """Return milliseconds since 1970 if the value is a time in seconds, milliseconds or ISO 8601, or else None."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            found = datetime.fromisoformat(value.replace(",", "."))
        except ValueError:
            return None
        moment = (found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
        # A time far away, such as the year 1 or 9999, means never.
        return moment if moment // 1_000 in _SECONDS else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _MOMENT_NAME.search(name):
        return None
    if int(value) in _SECONDS or int(value) // 1_000 in _SECONDS or (name == "created" and int(value) in _CREATED):
        # Seconds since 1970 stay below 10^11 for three thousand years, milliseconds have been above since 1973.
        return round(value * 1_000) if value < 10**11 else int(value)
    return None


def _format_like(captured: Any, moment: int) -> Any:
    """Return the time (in milliseconds) in the unit and format of the captured value."""
    if isinstance(captured, str) and (iso := _ISO.fullmatch(captured)):
        separator, seconds, fraction, zone = iso.groups()
        offset = datetime.fromisoformat(captured.replace(",", ".")).utcoffset() or timedelta(0)
        local = _EPOCH + timedelta(milliseconds=moment) + offset
        text = f"{local:%Y-%m-%d}"
        if separator:
            text += f"{separator}{local:%H:%M}" + (f":{local:%S}" if seconds else "")
        if fraction:
            text += captured[iso.start(3) - 1] + f"{local.microsecond // 1_000:03}000000"[: len(fraction)]
        return text + (zone or "")
    if isinstance(captured, str):
        return str(_format_like(int(captured), moment)).zfill(len(captured))
    if captured >= 10**11:
        return type(captured)(moment)
    return moment // 1_000 if isinstance(captured, int) else moment / 1_000
