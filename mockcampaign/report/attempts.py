"""The attempts of a run with their requests and outcomes, cut down to fit a page of bounded size.

Requests are made from the journal, which contains no credentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from mockcampaign.engine.journal import Attempted, Entry, Happened, WebhookChanged, serials_in
from mockcampaign.faults import OUTAGES
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut, describe_measured
from mockcampaign.text import short

HEADERS_MAX = 40
"""How many headers of a response are shown; no framework sends as many."""

Lane = Literal["accepted", "rejected", "silent"]


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """How much is shown of each request and response."""

    events: int
    """How many events of each batch."""
    text: int
    """How many characters of a response's body, and of each of its headers."""


DETAILS = (
    Detail(events=100, text=4_096),
    Detail(events=10, text=400),
    Detail(events=2, text=100),
    Detail(events=0, text=0),
)
"""From everything to outcomes alone."""


class SharedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome as the page shows it; many attempts may share one."""

    what: str
    lane: Lane
    status: int | None = None
    headers: list[tuple[str, str]] = []
    body: str = ""
    body_bytes: int = 0


class Row(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An attempt, or a run of equal ones."""

    position: int
    """Position in the journal."""
    webhook_id: int
    at: int
    """Milliseconds since the run started."""
    first_number: int
    count: int
    interval: int
    took: int
    outcome: int
    """Index of the outcome in `Attempts.outcomes`."""
    serials: list[tuple[int, int]]
    redelivered: list[tuple[int, int]]
    remarks: list[str]
    """Kinds of the faults that hit it, and `simulated` if it was not sent."""
    target: int
    """Index of the URL."""
    measured: str
    """Measurements of all attempts together, in words; empty if there are none."""


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a scenario's attempts that a page shows."""

    rows: list[Row]
    left_out: int
    """How many rows did not fit."""
    outcomes: list[SharedOutcome]
    targets: list[tuple[str, str]]
    """URL and kind of credentials."""
    events: dict[int, str]
    """Payloads of the events that are shown, by serial."""
    detail: Detail


def attempts(entries: Sequence[Entry], evidence: frozenset[int], start: int, rows_max: int, detail: Detail) -> Attempts:
    """Return the attempts. If there are too many, evidence and failures take precedence."""
    positions = [position for position, entry in enumerate(entries) if isinstance(entry, Attempted)]
    kept = frozenset(_most_telling(entries, positions, evidence)[:rows_max])
    outcomes: dict[Outcome, int] = {}
    targets: dict[tuple[str, str], int] = {}
    current: dict[int, int] = {}
    rows: list[Row] = []
    for position, entry in enumerate(entries):
        match entry:
            case WebhookChanged():
                target = (entry.target_url, entry.authentication)
                current[entry.webhook_id] = targets.setdefault(target, len(targets))
            case Attempted() if position in kept:
                rows.append(
                    Row(
                        position=position,
                        webhook_id=entry.webhook_id,
                        at=entry.at - start,
                        first_number=entry.first_number,
                        count=entry.count,
                        interval=entry.interval,
                        took=entry.took,
                        outcome=outcomes.setdefault(entry.outcome, len(outcomes)),
                        serials=list(entry.serials),
                        redelivered=list(entry.redelivered),
                        remarks=[kind for kind in entry.faults if kind not in OUTAGES]
                        + ["simulated"] * entry.simulated,
                        target=current.get(entry.webhook_id, 0),
                        measured=describe_measured(entry.outcome),
                    )
                )
    return Attempts(
        rows=rows,
        left_out=len(positions) - len(rows),
        outcomes=[_view(outcome, detail) for outcome in outcomes],
        targets=list(targets),
        events=_events(entries, rows, detail.events),
        detail=detail,
    )


def _most_telling(entries: Sequence[Entry], positions: list[int], evidence: frozenset[int]) -> list[int]:
    def rank(position: int) -> int:
        entry = entries[position]
        failed = isinstance(entry, Attempted) and not entry.outcome.accepted
        return 0 if failed and position in evidence else 1 if failed else 2 if position in evidence else 3

    return sorted(positions, key=rank)


def _view(outcome: Outcome, detail: Detail) -> SharedOutcome:
    match outcome:
        case Responded():
            return SharedOutcome(
                what=str(outcome.status),
                lane="accepted" if outcome.accepted else "rejected",
                status=outcome.status,
                headers=[
                    (short(name, detail.text), short(value, detail.text))
                    for name, value in outcome.headers[:HEADERS_MAX]
                ]
                if detail.text
                else [],
                body=short(outcome.body.decode("utf-8", "backslashreplace"), detail.text),
                body_bytes=outcome.body_bytes,
            )
        case TimedOut() | NoResponse():
            return SharedOutcome(what=outcome.describe(), lane="silent")


def _events(entries: Sequence[Entry], rows: list[Row], events_max: int) -> dict[int, str]:
    wanted: set[int] = set()
    for row in rows:
        serials = list(serials_in((*row.serials, *row.redelivered)))
        wanted.update(serials[:events_max])
    return {
        serial: bytes(event).decode("utf-8", "backslashreplace")
        for entry in entries
        if isinstance(entry, Happened)
        for serial, event in enumerate(entry.events, entry.first_serial)
        if serial in wanted
    }
