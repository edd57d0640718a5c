"""Moments in events: numbers since 1970 or dates, read into milliseconds and written in the format of an example."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mockcampaign.policy import DAY, MINUTE, SECOND

Moment = str | int | float
"""A moment as events contain it."""

_MOMENT_NAME = re.compile(
    r"(?:created|modified|time|date|moment|timestamp|occurred|when)(?!.*[iI]d$)|[a-z]At$|_at$|^(?:at|ts|epoch)$"
    r"|(?:_|(?<=[a-z]))(?:ts|Ts|TS)$",
    re.IGNORECASE,
)
_CREATED = "created"
_SECONDS = range(978_307_200, 4_102_444_800)  # 2001 to 2100
_ANY_MILLISECONDS = range(10**14)  # up to the year 5138
_MILLISECONDS_FROM = 10**11
"""Seconds since 1970 stay below this for three thousand years, milliseconds have been above it since 1973."""
_FLOATS_BELOW = 10.0**15
"""Above this, floats are no times, and their milliseconds may be infinite."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(?:(:\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = (1, 10, 100, SECOND, MINUTE, DAY)


def is_date(value: object) -> bool:
    """Return whether the value is a date or a date and time (ISO 8601)."""
    return isinstance(value, str) and _ISO.fullmatch(value) is not None


def moment_of(name: str, value: object) -> int | None:
    """Return milliseconds since 1970 if a field with this name contains a time, or else None.

    A date and time (ISO 8601) is one under any name; a number of seconds or milliseconds needs the name of a time.
    """
    if isinstance(value, str) and _ISO.fullmatch(value):
        moment = read_moment(value)
        # A time far away, such as the year 1 or 9999, means never.
        return moment if moment is not None and moment // SECOND in _SECONDS else None
    if not _MOMENT_NAME.search(name):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if is_recent(value) or (name == _CREATED and int(value) in _ANY_MILLISECONDS):
        return read_moment(value)
    return None


def is_recent(value: float) -> bool:
    """Return whether a number is a time from 2001 to 2100, in seconds or milliseconds since 1970."""
    return int(value) in _SECONDS or int(value) // SECOND in _SECONDS


def read_moment(value: object) -> int | None:
    """Return milliseconds since 1970 if the value is a number of seconds or milliseconds, or ISO 8601; else None."""
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            found = datetime.fromisoformat(value.replace(",", "."))
        except ValueError:
            return None
        return (found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not abs(value) < _FLOATS_BELOW:
        return None
    return round(value * SECOND) if value < _MILLISECONDS_FROM else int(value)


def write_moment(example: Moment, moment: int) -> Moment:
    """Return the time (in milliseconds) in the unit and format of the example."""
    if isinstance(example, str) and (iso := _ISO.fullmatch(example)):
        separator, seconds, fraction, zone = iso.groups()
        offset = datetime.fromisoformat(example.replace(",", ".")).utcoffset() or timedelta(0)
        local = _EPOCH + timedelta(milliseconds=moment) + offset
        text = f"{local:%Y-%m-%d}"
        if separator:
            text += f"{separator}{local:%H:%M}" + (f":{local:%S}" if seconds else "")
        if fraction:
            text += example[iso.start(3) - 1] + f"{local.microsecond // 1_000:03}000000"[: len(fraction)]
        return text + (zone or "")
    if isinstance(example, str):
        return str(write_moment(int(example), moment)).zfill(len(example))
    if example >= _MILLISECONDS_FROM:
        return type(example)(moment)
    return moment // SECOND if isinstance(example, int) else moment / SECOND


def resolution(example: Moment) -> int:
    """Return the milliseconds between two times that the format of the example just distinguishes."""
    aligned = 20_000 * DAY
    before = write_moment(example, aligned)
    return next((step for step in _STEPS if write_moment(example, aligned + step) != before), DAY)


def describe_format(example: Moment) -> str:
    """Return what a format is called, such as "milliseconds since 1970"."""
    if is_date(example):
        return "date and time (ISO 8601)"
    unit = "milliseconds" if float(example) >= _MILLISECONDS_FROM else "seconds"
    return f"{unit} since 1970{' as text' if isinstance(example, str) else ''}"
