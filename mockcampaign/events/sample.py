"""Captured events, and more of the same shape: for users whose real payloads differ from ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from math import prod
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events.dice import Dice, Words
from mockcampaign.events.people import Numbering, person_address
from mockcampaign.model import EventType

SAMPLE_BYTES_MAX = 16_777_216
"""Largest file of captured events. Ours."""

IDENTITIES = ("recipientId", "mailId", "subscriptionId")
"""Fields that tell one mail from another: they always vary."""

SHARED = ("clientId", "mailingId", "userListId", "linkId")
"""Fields that many mails have in common: they stay as they were captured."""

IDENTIFIER_DIGITS_MIN = 4
"""A number or text with fewer digits is a code or a count, and stays, unless it is one of `IDENTITIES`."""

_MOMENT_NAME = re.compile(r"(?i:created|modified|time|date|moment)(?!.*[iI]d$)|[a-z]At$|_at$|^(?:at|ts)$")
_SECONDS = range(978_307_200, 4_102_444_800)  # 2001 to 2100
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d(:\d\d)?(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_UUID = re.compile(r"([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})")
_HEXADECIMAL = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{16,}")
_TOKEN_GROUP = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{5,}")
_VERSION = re.compile(r"[0-9]+([.][0-9]+)+")
_DIGITS, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sample(msgspec.Struct, frozen=True):
    """One or more captured events of one type."""

    event_type: EventType
    events: tuple[dict[str, Any], ...]

    def more(self, seed: str, created: Iterable[int]) -> Iterator[dict[str, Any]]:
        """An event for each moment (milliseconds since 1970).

        Each has all fields of one captured event, so that what belongs together stays together. Of its values those
        that tell one mail, person or moment from another vary in their captured format; names, codes and all that is
        not understood are carried.
        """
        return _Shape(self.events, seed).more(created)


def load_sample(path: Path) -> Sample:
    """Read a captured event, or a list of them. Raises `InvalidInputError` where the file holds neither."""
    try:
        if path.stat().st_size > SAMPLE_BYTES_MAX:
            raise InvalidInputError(f"{path}: larger than {SAMPLE_BYTES_MAX} bytes, which is the limit")
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        content = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"{path}: not JSON: {error}, allowed: one event, or a list of events") from None
    events = content if isinstance(content, list) else [content]
    if not events or not all(isinstance(event, dict) for event in events):
        raise InvalidInputError(f"{path}: allowed: one event as a JSON object, or a non-empty list of them")
    types = {str(event.get("type")) for event in events}
    if len(types) > 1:
        raise InvalidInputError(f"{path}: holds types {', '.join(sorted(types))}, allowed: one type")
    [name] = types
    if name not in list(EventType):
        raise InvalidInputError(f"{path}: type {name!r} is unknown, allowed: {', '.join(EventType)}")
    return Sample(EventType(name), tuple(events))


class _Shape:
    """What was understood of the captured events."""

    def __init__(self, events: tuple[dict[str, Any], ...], seed: str) -> None:
        self._events = events
        self._dice = Dice(seed, "events")
        self._places = Dice(seed, "places")
        self._forms: dict[tuple[str, tuple[str, ...]], _Form] = {}
        self._codes = _codes(events)

    def more(self, created: Iterable[int]) -> Iterator[dict[str, Any]]:
        for number, moment in enumerate(created):
            event = self._events[self._dice.throw(number)[0] * len(self._events) >> 32]
            yield _Variation(self, event, number, moment).event()

    def is_code(self, name: str, value: str | int) -> bool:
        return name in SHARED or (name, value) in self._codes

    def form(self, name: str, alphabets: tuple[str, ...]) -> _Form:
        if (name, alphabets) not in self._forms:
            self._forms[name, alphabets] = _Form(alphabets, self._dice.throw(1 << 63 | len(self._forms)))
        return self._forms[name, alphabets]

    def address(self, version: int, number: int) -> str:
        """One of this version."""
        attempt = number << 8
        while True:
            address = person_address(self._places.throw(attempt))
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
        captured = _moment(name, value)
        if captured is not None:
            return _moment_like(value, captured + self._shift)
        if isinstance(value, bool) or not isinstance(value, int | str) or self._shape.is_code(name, value):
            return value
        # What is equal in one event, such as an id that is there twice, stays equal.
        key = type(value), value
        if key not in self._varied:
            self._varied[key] = self._other(name, value)
        return self._varied[key]

    def _other(self, name: str, value: str | int) -> str | int:
        if isinstance(value, str) and (version := _address_version(value)):
            return self._shape.address(version, self._number)
        alphabets = _alphabets(name, value)
        if alphabets is None:
            return value
        text = self._shape.form(name, alphabets).nth(self._number)
        return int(text) if isinstance(value, int) else text


class _Form:
    """All texts with a symbol of each alphabet in turn, shuffled, none twice while there are others."""

    def __init__(self, alphabets: tuple[str, ...], words: Words) -> None:
        self._alphabets = alphabets
        self._numbering = Numbering(prod(len(alphabet) for alphabet in alphabets), words)

    def nth(self, number: int) -> str:
        place = self._numbering.place(number)
        symbols = []
        for alphabet in reversed(self._alphabets):
            place, index = divmod(place, len(alphabet))
            symbols.append(alphabet[index])
        return "".join(reversed(symbols))


def _codes(events: tuple[dict[str, Any], ...]) -> set[tuple[str, str | int]]:
    """Values that several different captured events share under one name: names of things, not of one mail."""
    distinct = {msgspec.json.encode(event): event for event in events}
    seen = Counter(pair for event in distinct.values() for pair in set(_pairs(event)))
    return {(name, value) for (name, value), count in seen.items() if count > 1 and name not in IDENTITIES}


def _pairs(value: Any, name: str = "") -> Iterator[tuple[str, str | int]]:
    if isinstance(value, dict):
        for inner, one in value.items():
            yield from _pairs(one, inner)
    elif isinstance(value, list):
        for one in value:
            yield from _pairs(one, name)
    elif isinstance(value, str | int):
        yield name, value


def _alphabets(name: str, value: str | int) -> tuple[str, ...] | None:
    """What may stand at each place of a value like this one; None where it is a name, a code or not understood."""
    text = str(value)
    if not text.isascii() or "/" in text or " " in text:
        return None
    local, at, domain = text.partition("@")
    if at and "." in domain:
        return (*_similar(local), *at, *domain)
    digits = sum(symbol.isdigit() for symbol in text)
    if name not in IDENTITIES and (digits < IDENTIFIER_DIGITS_MIN or _VERSION.fullmatch(text)):
        return None
    if _UUID.fullmatch(text):
        # The digits of version and variant stay.
        return tuple(one if index in (14, 19) else _hexadecimal(one) for index, one in enumerate(text))
    if _HEXADECIMAL.fullmatch(text):
        return tuple(_hexadecimal(one) for one in text)
    if any(_TOKEN_GROUP.fullmatch(group) for group in text.split("-")):
        return tuple(_UPPER + _DIGITS if one in _UPPER + _DIGITS else one for one in text)
    found = [_DIGITS if one.isdigit() else one for one in text]
    if isinstance(value, int) and digits:
        found[-digits] = _DIGITS[1:]
    elif text.isdigit():
        found[0] = "0" if text[0] == "0" else _DIGITS[1:]
    if digits == 0:
        return _similar(text)
    return tuple(found)


def _similar(text: str) -> tuple[str, ...]:
    """Digits for digits, letters for letters of their case, the rest as it is."""
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
    """The captured moments, `created` first."""
    names = sorted(event, key=lambda name: name != "created")
    return (found for name in names if (found := _moment(name, event[name])) is not None)


def _moment(name: str, value: Any) -> int | None:
    """Milliseconds since 1970, where the value is a moment: in seconds, milliseconds or ISO 8601."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            found = datetime.fromisoformat(value.replace(",", "."))
        except ValueError:
            return None
        return (found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _MOMENT_NAME.search(name):
        return None
    if name == "created" or int(value) in _SECONDS or int(value) // 1_000 in _SECONDS:
        # Seconds since 1970 stay below 10^11 for three thousand years, milliseconds have been above since 1973.
        return int(value * 1_000) if value < 10**11 else int(value)
    return None


def _moment_like(captured: Any, moment: int) -> Any:
    """The moment (milliseconds) in the captured value's unit and spelling."""
    if isinstance(captured, str) and (iso := _ISO.fullmatch(captured)):
        separator, seconds, fraction, zone = iso.groups()
        offset = datetime.fromisoformat(captured.replace(",", ".")).utcoffset() or timedelta(0)
        local = _EPOCH + timedelta(milliseconds=moment) + offset
        text = f"{local:%Y-%m-%d}{separator}{local:%H:%M}" + (f":{local:%S}" if seconds else "")
        if fraction:
            text += captured[iso.start(3) - 1] + f"{local.microsecond // 1_000:03}000000"[: len(fraction)]
        return text + (zone or "")
    if isinstance(captured, str):
        return str(_moment_like(int(captured), moment)).zfill(len(captured))
    if captured >= 10**11:
        return type(captured)(moment)
    return moment // 1_000 if isinstance(captured, int) else moment / 1_000
