"""Captured events, and more of the same shape: for users whose real payloads differ from ours."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType

IDENTITIES = ("recipientId", "mailId", "subscriptionId")
"""Fields that tell one mail from another; their values vary from event to event, in the captured value's format."""

ADDRESS = "remoteAddress"


class Sample(msgspec.Struct, frozen=True):
    """One or more captured events of one type."""

    event_type: EventType
    events: tuple[dict[str, Any], ...]

    def more(self, source: random.Random, created: Sequence[int]) -> Iterator[dict[str, Any]]:
        """An event for each moment. Every one takes all of its other values from one captured event, so that what
        belongs together stays together; unknown fields are carried."""
        seen: set[str] = set()
        for moment in created:
            original = source.choice(self.events)
            event = dict(original)
            if "created" in event:
                event["created"] = _moment_like(event["created"], moment)
            fresh = _fresh(source, event, seen)
            event.update(fresh)
            yield event


def load_sample(path: Path) -> Sample:
    """Read a captured event, or a list of them. Raises `InvalidInputError` where the file holds neither."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        content = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
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


def _fresh(source: random.Random, event: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """New identities that no event before had; without any in the sample, equal events cannot be avoided."""
    names = [name for name in IDENTITIES if name in event]
    for _ in range(100):
        fresh = {name: _vary(source, event[name]) for name in names}
        key = repr(fresh)
        if key not in seen:
            seen.add(key)
            break
    if isinstance(event.get(ADDRESS), str) and re.fullmatch(r"[0-9.]+", event[ADDRESS]):
        fresh[ADDRESS] = f"198.{source.randint(18, 19)}.{source.randint(0, 255)}.{source.randint(1, 254)}"
    return fresh


def _vary(source: random.Random, value: Any) -> Any:
    """Another value of the same format: digits stay digits, letters stay letters of their case, the rest stays."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    if isinstance(value, int):
        digits = len(str(abs(value)))
        return source.randint(10 ** (digits - 1), 10**digits - 1)
    mail_id = re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)+", value) is not None
    local, at, domain = value.partition("@")
    return "".join(_vary_symbol(source, symbol, mail_id) for symbol in local) + at + domain


def _vary_symbol(source: random.Random, symbol: str, mixed: bool) -> str:
    if mixed and symbol.isalnum():
        return source.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    for fits, symbols in _ALPHABETS:
        if fits(symbol):
            return source.choice(symbols)
    return symbol


_ALPHABETS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda symbol: symbol in "0123456789", "0123456789"),
    (lambda symbol: "a" <= symbol <= "z", "abcdefghijklmnopqrstuvwxyz"),
    (lambda symbol: "A" <= symbol <= "Z", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
)


def _moment_like(captured: Any, moment: int) -> Any:
    """The moment (milliseconds) in the captured value's unit."""
    if isinstance(captured, str):
        if captured.isdigit():
            return str(_moment_like(int(captured), moment))
        return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{moment % 1000:03}Z"
    # Seconds since 1970 stay below 10^11 for three thousand years, milliseconds have been above since 1973.
    return moment // 1000 if isinstance(captured, int | float) and captured < 10**11 else moment
