"""The situations that histories have brought a consumer into: how large, which fault, which attempt."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from mockcampaign import json_text
from mockcampaign.engine.journal import Attempted, Began, Entry, Happened
from mockcampaign.judging.fact import HistoryStep
from mockcampaign.model import NoResponse, Responded, TimedOut
from mockcampaign.policy import DEFAULT_START
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, Shape

Size = Literal["1 event", "2 to 99", "full batch"]
State = Literal["first attempt", "retry", "redelivered"]

SIZES: tuple[Size, ...] = ("1 event", "2 to 99", "full batch")
STATES: tuple[State, ...] = ("first attempt", "retry", "redelivered")

StepKind = Literal["events", "absent", "null", "elsewhere", "many elsewhere", "repeat", "fault", "outage", "time"]
"""Kind of a step: that of its fact, or what is special about its events."""

STEP_KINDS: tuple[StepKind, ...] = get_args(StepKind)

NO_FAULT = "no fault"

MANY_EVENTS = 1_000
"""Number of events from which on a step has many of them."""


class Covered(msgspec.Struct, frozen=True, order=True):
    """One kind of attempt."""

    fault: str
    """Kind of the fault or the outage that hit it, or `NO_FAULT`."""
    size: Size
    state: State


class Coverage:
    """Counts the attempts of histories by situation. Simulated attempts, which reach nobody, are not counted."""

    def __init__(self) -> None:
        self.histories = 0
        self.attempts: Counter[Covered] = Counter()
        """Attempts by situation; one that met two faults counts for each of them."""
        self.steps: Counter[StepKind] = Counter()
        """Steps by kind, also those that had no effect, such as a fault for which no attempt followed."""
        self.not_compared = 0
        """Number of the last histories that were not yet compared with the store."""
        self.failed: int | None = None
        """Number of the history that failed, if one did."""
        self.fingerprint = ""
        """Fingerprint of the journal of that history, or of the one that was asked for."""

    def note(self, steps: Iterable[HistoryStep], attempts: Iterable[Attempted]) -> None:
        """Count the steps and attempts of one more history."""
        self.histories += 1
        self.steps.update(map(kind_of, steps))
        for entry in attempts:
            if not entry.simulated:
                first = entry.first_number == 1 and not entry.redelivered
                for fault in entry.faults or (NO_FAULT,):
                    size = size_of(entry.events)
                    state: State = "redelivered" if entry.redelivered else "first attempt" if first else "retry"
                    self.attempts[Covered(fault, size, state)] += 1 if first else entry.count
                    if first and entry.count > 1:
                        self.attempts[Covered(fault, size, "retry")] += entry.count - 1


def kind_of(step: HistoryStep) -> StepKind:
    """Return the kind of a step."""
    if step.lacks:
        return step.lacks
    return "many elsewhere" if step.kind == "elsewhere" and step.events >= MANY_EVENTS else step.kind


def size_of(events: int) -> Size:
    """Return the class of a batch of this many events."""
    return "1 event" if events == 1 else "2 to 99" if events < BATCH_EVENTS_MAX else "full batch"


def journal_fingerprint(entries: Iterable[Entry], shape: Shape) -> str:
    """Return a fingerprint of a journal that is equal whenever, and on whatever versions, the same happens.

    Times count from the journal's beginning. Versions and measurements do not count, nor do the words of responses.
    """
    fingerprint = hashlib.sha256()
    start = 0
    for entry in entries:
        if isinstance(entry, Began):
            start = entry.at
            continue
        payloads = entry.events if isinstance(entry, Happened) else ()
        if isinstance(entry, Happened):
            entry = msgspec.structs.replace(entry, events=())
        shown = msgspec.to_builtins(entry)
        shown["at"] -= start
        if "until" in shown:
            shown["until"] -= start
        shown["events"] = [_from_start(json_text.decode(event), start, shape) for event in payloads]
        if isinstance(entry, Attempted):
            shown["outcome"] = _outcome(entry.outcome)
        fingerprint.update(json_text.encode(sorted(shown.items())) + b"\n")
    return fingerprint.hexdigest()


def _from_start(event: dict[str, object], start: int, shape: Shape) -> object:
    moment = shape.moment(event)
    moved = event if moment is None else shape.at(event, moment - start + DEFAULT_START)
    return sorted(moved.items())


def _outcome(outcome: Responded | TimedOut | NoResponse) -> str:
    return (
        f"responded {outcome.status}" if isinstance(outcome, Responded) else f"{type(outcome).__name__} {outcome.phase}"
    )
