"""The plot of one webhook over virtual time: pending events, outages and faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import (
    Attempted,
    Discarded,
    Entry,
    FaultDeclared,
    FaultEnded,
    Happened,
    OutageDeclared,
    OutageEnded,
    serials_in,
)

POINTS_MAX = 8_000
"""How many points a line has at most, as no screen shows more; of neighbours, the highest stays."""


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time with an outage or a fault."""

    start: int
    end: int
    what: str
    kind: str
    """`outage` or `fault`."""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook's plot without its attempts. All moments are milliseconds since the run started."""

    pending: list[tuple[int, int]]
    """Moments, and how many events were pending from each until the next."""
    discards: list[tuple[int, int, str]]
    """Moments, numbers of discarded events, and reasons."""
    bands: list[Band]


def chart(entries: Sequence[Entry], webhook_id: int, start: int, end: int) -> Chart:
    """Return the plot of a webhook in a run that lasted from `start` to `end`."""
    return Chart(
        pending=_thinned(list(_levels(_changes(entries, webhook_id), start))),
        discards=[
            (entry.at - start, sum(1 for _ in serials_in(entry.serials)), entry.reason)
            for entry in entries
            if isinstance(entry, Discarded) and entry.webhook_id == webhook_id
        ],
        bands=[*_outages(entries, webhook_id, start, end), *_faults(entries, webhook_id, start, end)],
    )


def pending_max(shown: Chart) -> int:
    """Return the highest number of pending events."""
    return max((count for _, count in shown.pending), default=0)


def _changes(entries: Sequence[Entry], webhook_id: int) -> Iterator[tuple[int, int]]:
    for entry in entries:
        match entry:
            case Happened(webhook_ids=webhook_ids) if webhook_id in webhook_ids:
                yield entry.at, len(entry.events)
            case Attempted(webhook_id=owner) if owner == webhook_id and entry.outcome.accepted:
                yield entry.last_at + entry.took, -sum(1 for _ in serials_in(entry.serials))
            case Discarded(webhook_id=owner) if owner == webhook_id:
                yield entry.at, -sum(1 for _ in serials_in(entry.serials))


def _levels(changes: Iterator[tuple[int, int]], start: int) -> Iterator[tuple[int, int]]:
    """Yield every level of a moment, so that a batch that is delivered at once is still visible."""
    ordered = sorted(changes, key=lambda change: change[0])
    yield 0, 0
    for (at, _), level in zip(ordered, accumulate(by for _, by in ordered), strict=True):
        yield at - start, level


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    step = -(-len(points) // POINTS_MAX)
    if step <= 1:
        return points
    groups = (points[index : index + step] for index in range(0, len(points) - 1, step))
    return [*(max(group, key=lambda point: point[1]) for group in groups), points[-1]]


def _outages(entries: Sequence[Entry], webhook_id: int, start: int, end: int) -> Iterator[Band]:
    for position, entry in enumerate(entries):
        if isinstance(entry, OutageDeclared) and _concerns(entry.webhook_ids, webhook_id):
            restored = [
                later.at
                for later in entries[position:]
                if isinstance(later, OutageEnded) and _concerns(later.webhook_ids, webhook_id)
            ]
            until = min([entry.until, end, *restored[:1]])
            what = f"outage for {format_duration(entry.until - entry.at)}: {entry.kind}"
            yield Band(start=entry.at - start, end=until - start, what=what, kind="outage")


def _faults(entries: Sequence[Entry], webhook_id: int, start: int, end: int) -> Iterator[Band]:
    for position, entry in enumerate(entries):
        if isinstance(entry, FaultDeclared) and _concerns(entry.webhook_ids, webhook_id):
            ends = [end]
            if entry.when.duration is not None:
                ends.append(entry.at + entry.when.duration)
            hits = 0
            for later in entries[position:]:
                if isinstance(later, FaultEnded) and later.number == entry.number:
                    ends.append(later.at)
                elif isinstance(later, Attempted) and entry.fault.kind in later.faults:
                    hits += later.count
                    if hits == entry.when.times:
                        ends.append(later.last_at)
            yield Band(start=entry.at - start, end=min(ends) - start, what=f"fault {entry.fault.kind}", kind="fault")


def _concerns(webhook_ids: tuple[int, ...], webhook_id: int) -> bool:
    return not webhook_ids or webhook_id in webhook_ids
