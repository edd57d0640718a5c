"""Expectations in words, as reports show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from mockcampaign.durations import format_duration
from mockcampaign.scenario.language.expect import (
    AnyAttempt,
    ApiExpectation,
    AttemptCount,
    AttemptExpectation,
    BatchEvents,
    Claim,
    ConsumerExpectation,
    DeliveredCount,
    DeliveredInOrder,
    DeliveredWithin,
    DiscardedCount,
    EveryAttempt,
    LatestAttempt,
    OutcomeRun,
    Outcomes,
    PendingCount,
    RecoveredWithin,
    VerifiedAs,
)
from mockcampaign.scenario.language.plain_values import Bounds, DurationBounds

_ONE = (1, Bounds(at_least=1), Bounds(at_most=1))


def describe_claim(claim: Claim) -> str:
    """Return what is expected, without its key."""
    match claim:
        case DeliveredCount() | DiscardedCount() | PendingCount() | AttemptCount():
            return _number(claim.wanted)
        case BatchEvents(wanted=sizes):
            return listed(sizes) if isinstance(sizes, tuple) else _number(sizes)
        case DeliveredInOrder(wanted=in_order):
            return "yes" if in_order else "no"
        case Outcomes(wanted=outcomes):
            return listed(map(_outcome, outcomes))
        case LatestAttempt() | AnyAttempt() | EveryAttempt():
            return ", ".join(_attempt(claim.wanted))
        case DeliveredWithin() | RecoveredWithin():
            return format_duration(claim.limit)
        case VerifiedAs(wanted=outcome):
            return str(outcome)
        case ConsumerExpectation(processed=processed, fields=fields):
            wanted = processed if isinstance(processed, str) else _number(processed)
            return wanted if fields is None else f"{wanted}, fields {', '.join(fields)}"
        case ApiExpectation():
            return ", ".join(_api(claim))
        case _:
            assert_never(claim)


def listed(items: Iterable[object]) -> str:
    """Return the first items, and how many there are if that is too many to show."""
    found: Sequence[str] = [str(item) for item in items]
    shown = ", ".join(found[:12])
    return f"{shown}, … ({len(found)} in all)" if len(found) > 12 else shown or "none"


def _api(claim: ApiExpectation) -> Iterable[str]:
    yield f"{_number(claim.count)} {'call' if claim.count in _ONE else 'calls'}"
    if claim.status is not None:
        yield "no response" if isinstance(claim.status, str) else f"status {claim.status}"
    if claim.client is not None:
        yield f"client {claim.client}"


def _number(wanted: int | Bounds) -> str:
    return str(wanted) if isinstance(wanted, int) else _bounds(wanted.at_least, wanted.at_most)


def _duration(wanted: int | DurationBounds) -> str:
    if isinstance(wanted, int):
        return format_duration(wanted)
    low, high = wanted.at_least, wanted.at_most
    return _bounds(None if low is None else format_duration(low), None if high is None else format_duration(high))


def _bounds(low: int | str | None, high: int | str | None) -> str:
    parts = (("at least", low), ("at most", high))
    return ", ".join(f"{word} {limit}" for word, limit in parts if limit is not None)


def _outcome(wanted: int | str | OutcomeRun) -> str:
    return f"{wanted.outcome} ({_number(wanted.times)} times)" if isinstance(wanted, OutcomeRun) else str(wanted)


def _attempt(wanted: AttemptExpectation) -> Iterable[str]:
    if wanted.outcome is not None:
        yield f"outcome {listed(wanted.outcome) if isinstance(wanted.outcome, tuple) else wanted.outcome}"
    if wanted.events is not None:
        yield f"events {_number(wanted.events)}"
    if wanted.number is not None:
        yield f"number {_number(wanted.number)}"
    if wanted.gap is not None:
        yield f"gap {_duration(wanted.gap)}"
    if wanted.duration is not None:
        yield f"duration {_duration(wanted.duration)}"
    if wanted.headers is not None:
        yield f"headers {', '.join(f'{name}: {_header(value)}' for name, value in wanted.headers.items())}"


def _header(wanted: str | bool) -> str:
    if isinstance(wanted, bool):
        return "yes" if wanted else "no"
    return wanted
