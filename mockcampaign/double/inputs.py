"""Arguments of a test as the engine's values: durations, event types, captured events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from mockcampaign.durations import parse_duration
from mockcampaign.errors import MisuseError
from mockcampaign.events import Sample, load_sample
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.text import unknown

Duration = str | timedelta
"""Text such as `500ms`, `90s`, `10m`, `2h`, `3d` or `1d12h`, or a timedelta."""


def duration_of(value: Duration | object, name: str) -> int:
    """Return the duration in milliseconds.

    Raises `MisuseError` for a number, whose unit would be a guess, and `InvalidInputError` for text that is not a
    duration.
    """
    if isinstance(value, timedelta):
        milliseconds = value // timedelta(milliseconds=1)
        if milliseconds < 0:
            raise MisuseError(f"{name} {value!r} is negative, allowed: a duration from 0 such as '10m'")
        return milliseconds
    if isinstance(value, str):
        return parse_duration(value)
    raise MisuseError(
        f"{name} {value!r} has no unit, allowed: a text such as '90s', '10m', '2h' or '3d', or a timedelta"
    )


def event_type_of(value: EventType | str) -> EventType:
    """Return the event type. Raises `MisuseError` for an unknown one."""
    if isinstance(value, str) and value in list(EventType):
        return EventType(value)
    raise MisuseError(unknown("event type", str(value), [kind.value for kind in EventType]))


def sample_of(value: Mapping[str, Any] | Path | str | Sample) -> Sample:
    """Return the sample from which events of the same shape are made: a captured event, or a file that contains it."""
    if isinstance(value, Sample):
        return value
    if isinstance(value, Mapping):
        event = dict(value)
        name = builtin_shape(EventType.OPEN).get(event, Role.TYPE)  # where all built-in shapes have it
        return Sample(event_type_of("" if name is None else name), (event,))
    return load_sample(Path(value))
