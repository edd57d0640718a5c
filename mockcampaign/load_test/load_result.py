"""The result of a load as values, with its verdict. Text and page are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.judging.verdict import EXIT_STATUSES, Verdict
from mockcampaign.load_test.latencies import Percentiles
from mockcampaign.load_test.live_sender import LATE_MICROSECONDS, Balance
from mockcampaign.load_test.recoveries import Recovery
from mockcampaign.policy import SECOND
from mockcampaign.text import counted

LOAD_FORMAT = 1
"""Version of the JSON report of a load."""

LAST_PART = 4
"""The backlog must come down in the last quarter of a load."""

FEW_PARTS = 2
"""Less than one of so many parts of all events so far may be pending."""

LATE_PERCENT_MAX = 0.1
"""Percentage of batches that may start late, by default."""

LATE_BATCHES = 5
"""So many late batches say something about the machine. Fewer can have one cause, such as one short stall."""


class LoadSample(msgspec.Struct, frozen=True, array_like=True):
    """Numbers at one moment of a load."""

    at: int
    """Milliseconds since the load began."""
    created: int
    accepted: int
    pending: int


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a load at one rate."""

    events_per_second: int
    milliseconds: int
    webhooks: int
    balance: Balance
    batches: int
    late: int
    """Number of batches that started more than 5 ms after their moment."""
    lateness: Percentiles
    responses: Percentiles
    deliveries: Percentiles
    outcomes: dict[str, int]
    samples: list[LoadSample]
    recoveries: list[Recovery]
    pending_at_end: int
    """How many events were pending when the last event had occurred."""
    drained_after: int | None
    """Milliseconds from the end of the load until nothing was pending; None if something still is."""
    interrupted: bool
    full_at: int | None = None
    """Milliseconds after which too many events were pending, so that the load ended; None if never."""
    verdict: Verdict
    reason: str

    @property
    def late_percent(self) -> float:
        """Percentage of batches that started late."""
        return 100 * self.late / self.batches if self.batches else 0.0


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a load: of one rate, or of several that rise."""

    format: int
    target: str
    seed: int
    versions: dict[str, str]
    verdict: Verdict
    knee: int | None
    """Highest rate, in events per second, at which the consumer kept up; None if there is none."""
    steps: list[StepResult]


class Judged(msgspec.Struct, frozen=True):
    """A verdict and its reason."""

    verdict: Verdict
    reason: str


def drained_backlog(webhooks: int, batch_events_max: int) -> int:
    """Return how many pending events are no backlog: a batch of each webhook may be on its way."""
    return webhooks * batch_events_max


def judged(
    *,
    rate: int,
    milliseconds: int,
    balance: Balance,
    batches: int,
    late: int,
    samples: Sequence[LoadSample],
    recoveries: Sequence[Recovery],
    drained: int,
    retry_interval: int,
    interrupted: bool = False,
    full_at: int | None = None,
    late_percent_max: float = LATE_PERCENT_MAX,
) -> Judged:
    """Return whether the consumer keeps up with a rate.

    It does if the backlog came down to `drained` events in the last quarter of the load, and that of each outage was
    drained during the load. These events must be few of all so far, unless they were accepted right after the load: few
    events are never more than `drained`, whatever becomes of them. `retry_interval` is in milliseconds.
    """
    if not balance.is_exact:
        return Judged(
            "could-not-tell",
            f"{balance.created:,} events created are not {balance.accepted:,} accepted, "
            f"{balance.discarded:,} discarded and {balance.pending:,} pending: this is a bug of mockcampaign",
        )
    if interrupted:
        return Judged("could-not-tell", "interrupted before the load ended")
    pace = pace_of_machine(batches, late, late_percent_max)
    if pace == "too slow":
        return Judged("could-not-tell", late_sentence(late, batches, rate))
    if pace == "too few batches":
        return Judged(
            "could-not-tell",
            f"{late} of {batches} batches started more than {LATE_MICROSECONDS // SECOND} ms late, and these are too "
            "few to judge this machine: give a longer --for",
        )
    if full_at is not None:
        return Judged(
            "violated",
            f"does not keep up with {rate:,} events/s: {balance.pending:,} events were pending after "
            f"{format_duration(full_at)}, and the load ended, because no more are kept (--pending-max)",
        )
    last = [sample for sample in samples if milliseconds * (LAST_PART - 1) <= sample.at * LAST_PART]
    last = [sample for sample in last if sample.at <= milliseconds]
    undrained = [one for one in recoveries if not one.drained_by(milliseconds)]
    pending = last[-1].pending if last else balance.pending
    behind = f"{counted(pending, 'event')} {'was' if pending == 1 else 'were'} pending when the load ended"
    if undrained and milliseconds < undrained[-1].outage.end + retry_interval:
        needed = undrained[-1].outage.end + retry_interval
        return Judged(
            "could-not-tell",
            f"the load ended {format_duration(milliseconds - undrained[-1].outage.end)} after the outage, before its "
            f"backlog was drained: Campaign retries a batch after {format_duration(retry_interval)}, so give a --for "
            f"well over {format_duration(_whole_seconds(needed))}",
        )
    is_over_soon = not balance.pending and samples[-1].at < milliseconds + retry_interval
    if any(
        sample.pending <= drained and (is_over_soon or sample.pending * FEW_PARTS < sample.created) for sample in last
    ):
        if undrained:
            return Judged(
                "could-not-tell",
                "an event that was pending at the end of an outage was still pending when the load ended, so give a "
                "longer --for",
            )
        return Judged("compliant", f"keeps up with {rate:,} events/s{_recovered(recoveries)}")
    if undrained and pending < (undrained[-1].backlog or 0):
        end = undrained[-1].outage.end
        drop = (undrained[-1].backlog or 0) - pending
        needed = (pending - drained) * (milliseconds - end) // drop
        return Judged(
            "could-not-tell",
            f"the backlog of the outage was still draining: {behind}, {drop:,} fewer than at the end of the outage; "
            f"about {format_duration(_whole_seconds(needed))} more is needed, so give a longer --for",
        )
    return Judged("violated", f"does not keep up with {rate:,} events/s: {behind}")


def pace_of_machine(
    batches: int, late: int, late_percent_max: float
) -> Literal["fast enough", "too slow", "too few batches"]:
    """Return whether this machine can keep the rate, from how many of the batches started late.

    A few late batches among others say nothing about it. If most of a few were late, nothing was measured either.
    """
    if not batches or 100 * late / batches <= late_percent_max:
        return "fast enough"
    if late >= LATE_BATCHES:
        return "too slow"
    return "too few batches" if 2 * late > batches else "fast enough"


def late_sentence(late: int, batches: int, rate: int) -> str:
    """Return what late starts mean for the result."""
    return (
        f"{100 * late / batches:.2g} % of batches started more than {LATE_MICROSECONDS // SECOND} ms late: "
        f"this machine cannot keep {rate:,} events/s; results are those of a smaller load"
    )


def load_result(target: str, seed: int, versions: dict[str, str], steps: Sequence[StepResult]) -> LoadResult:
    """Return the result of at least one step.

    Several steps look for the knee, so that they pass if the first rate is kept up with; the verdict on one rate is its
    own.
    """
    kept = [step.events_per_second for step in steps if step.verdict == "compliant"]
    return LoadResult(
        format=LOAD_FORMAT,
        target=target,
        seed=seed,
        versions=versions,
        verdict=steps[0].verdict,
        knee=max(kept, default=None),
        steps=list(steps),
    )


def load_json(result: LoadResult) -> bytes:
    """Return the JSON report."""
    return msgspec.json.format(msgspec.json.encode(result)) + b"\n"


def load_exit_status(result: LoadResult) -> int:
    """Return the exit status: 0 keeps up, 1 does not, 3 inconclusive."""
    return EXIT_STATUSES[result.verdict]


def _whole_seconds(milliseconds: int) -> int:
    return -(-milliseconds // SECOND) * SECOND


def _recovered(recoveries: Sequence[Recovery]) -> str:
    times = [format_duration(one.drained_after) for one in recoveries if one.drained_after is not None]
    return f", and drains the backlog of an outage within {' and '.join(times)}" if times else ""
