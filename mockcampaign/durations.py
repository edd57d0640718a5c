"""Converts durations and moments as people write them (`90s`, `1d12h`) to and from whole milliseconds."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime

from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

DURATION_MAX = 366 * DAY
"""Longer durations are typing errors: nothing that the sender does takes longer than three days."""

MOMENT_MAX = 32_503_680_000_000
"""The year 3000 in UTC: so far before the end of the calendar that no run reaches it."""

_UNITS = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1))

DURATION_PATTERN = "^" + "".join(f"([0-9]{{1,9}}{unit})?" for unit, _ in _UNITS) + "$"
"""Regular expression of a duration, for Python and for JSON Schema. The empty text matches, but is not a duration."""

DURATION_SCHEMA = {"type": "string", "pattern": DURATION_PATTERN, "minLength": 2}
"""JSON Schema of a duration as text."""

_DURATION = re.compile(DURATION_PATTERN)


def parse_duration(text: str) -> int:
    """Return the milliseconds of a duration such as `500ms`, `90s`, `10m`, `2h`, `3d` or `1d12h`.

    Raises `InvalidInputError` if it is not a duration, or is longer than `DURATION_MAX`.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise InvalidInputError(f"{text!r} is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h")
    parts = zip(match.groups(), _UNITS, strict=True)
    total = sum(int(part.removesuffix(unit)) * size for part, (unit, size) in parts if part)
    if total > DURATION_MAX:
        raise InvalidInputError(f"{text!r} is too long, allowed: up to {format_duration(DURATION_MAX)}")
    return total


def format_duration(milliseconds: int) -> str:
    """Return a duration as `parse_duration` reads it, largest units first; `0s` for zero."""
    parts = []
    for unit, size in _UNITS:
        number, milliseconds = divmod(milliseconds, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_moment(text: str) -> int:
    """Return the milliseconds since 1970 of an ISO 8601 date-time with a zone, such as `2025-01-01T00:00:00Z`.

    Raises `InvalidInputError` if it is not one, or is before 1970 or after 2999.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInputError(f"{text!r} is not a moment, allowed: a date-time with a zone like 2025-01-01T00:00:00Z")
    milliseconds = round(moment.timestamp() * 1_000)
    if not 0 <= milliseconds < MOMENT_MAX:
        raise InvalidInputError(f"{text!r} is out of range, allowed: 1970-01-01T00:00:00Z to before 3000")
    return milliseconds


@functools.lru_cache(maxsize=1_024)
def format_moment(milliseconds: int) -> str:
    """Return a moment in ISO 8601, in UTC, to the millisecond."""
    seconds, rest = divmod(milliseconds, SECOND)
    return f"{_format_second(seconds)}.{rest:03}Z"


@functools.lru_cache(maxsize=1_024)  # many moments are of the same second
def _format_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
