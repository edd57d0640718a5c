"""What is expected, as reports say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.scenario.language.expect import AttemptExpectation, OutcomeRun
from mockcampaign.scenario.language.values import Bounds, DurationBounds


def described(wanted: Any, *, duration: bool = False) -> str:
    """The wanted value in words; `duration` tells that a number is milliseconds."""
    match wanted:
        case Bounds() | DurationBounds():
            show = format_duration if isinstance(wanted, DurationBounds) else str
            parts = [
                f"{word} {show(limit)}"
                for word, limit in (("at least", wanted.at_least), ("at most", wanted.at_most))
                if limit is not None
            ]
            return ", ".join(parts)
        case OutcomeRun(outcome=outcome, times=times):
            return f"{outcome} ({described(times)} times)"
        case AttemptExpectation():
            values = msgspec.structs.asdict(wanted)
            return ", ".join(
                f"{name} {described(value, duration=name in ('gap', 'took'))}"
                for name, value in values.items()
                if value is not None
            )
        case dict():
            return ", ".join(f"{name}: {described(value)}" for name, value in wanted.items())
        case tuple():
            return listed(wanted)
        case bool():
            return "yes" if wanted else "no"
        case int() if duration:
            return format_duration(wanted)
        case _:
            return str(wanted)


def listed(items: Sequence[Any]) -> str:
    """The first of them, and how many there are where that is too many to show."""
    shown = ", ".join(described(item) for item in items[:12])
    return f"{shown}, … ({len(items)} in all)" if len(items) > 12 else shown or "none"
