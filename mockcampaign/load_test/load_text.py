"""Words for the result of a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from mockcampaign.durations import format_duration
from mockcampaign.judging.verdict import Verdict
from mockcampaign.load_test.latencies import Percentiles
from mockcampaign.load_test.live_sender import LATE_MICROSECONDS
from mockcampaign.load_test.load_result import LoadResult, StepResult
from mockcampaign.load_test.recoveries import Recovery
from mockcampaign.tables import complete

Line = list[tuple[str, dict[str, Any]]]
"""Pieces of a line with their styles."""

STYLES: Mapping[Verdict, dict[str, Any]] = complete(
    "the style of each verdict",
    get_args(Verdict),
    {
        "compliant": {"fg": "green", "bold": True},
        "violated": {"fg": "red", "bold": True},
        "could-not-tell": {"fg": "yellow", "bold": True},
    },
)

WORDS: Mapping[Verdict, str] = complete(
    "the words for each verdict",
    get_args(Verdict),
    {
        "compliant": "Keeps up",
        "violated": "Does not keep up",
        "could-not-tell": "Inconclusive",
    },
)


def load_lines(result: LoadResult) -> Iterator[Line]:
    """Yield the lines that end a load."""
    if len(result.steps) > 1:
        yield [(knee_sentence(result), {"bold": True})]
    decided = next((step for step in reversed(result.steps) if step.verdict == result.verdict), result.steps[0])
    style = STYLES[result.verdict]
    if result.verdict == "compliant":
        yield [(decided.reason[0].upper() + decided.reason[1:], style)]  # which begins with the word for the verdict
    else:
        yield [(WORDS[result.verdict], style), (f": {decided.reason}", {})]


def step_lines(step: StepResult) -> Iterator[Line]:
    """Yield the lines about a load at one rate."""
    yield [(heading(step), {"bold": True})]
    for name, text in facts(step):
        yield [(f"  {name:<10}{text}", {})]
    yield [(f"  {'result':<10}", {}), (step.reason, STYLES[step.verdict])]


def heading(step: StepResult) -> str:
    """Return what the load was."""
    each = "webhook" if step.webhooks == 1 else "webhooks"
    return f"{step.events_per_second:,} events/s for {format_duration(step.milliseconds)}, {step.webhooks} {each}"


def facts(step: StepResult) -> Iterator[tuple[str, str]]:
    """Yield what was measured, each with its name."""
    balance = step.balance
    yield (
        "events",
        f"{balance.created:,} created = {balance.accepted:,} accepted + {balance.discarded:,} discarded "
        f"+ {balance.pending:,} pending",
    )
    yield (
        "batches",
        f"{step.batches:,} sent, {step.late:,} ({step.late_percent:.2g} %) more than {LATE_MICROSECONDS // 1_000} ms "
        f"late; {percentiles(step.lateness)}",
    )
    yield "response", f"{percentiles(step.responses)}, from the start of a request"
    yield "delivery", f"{percentiles(step.deliveries)}, from the moment of an event to its acceptance"
    yield "outcomes", ", ".join(f"{count:,} {outcome}" for outcome, count in step.outcomes.items()) or "none"
    yield "backlog", backlog(step)
    for one in step.recoveries:
        yield "outage", recovered(one, step.milliseconds)


def backlog(step: StepResult) -> str:
    """Return how many events were pending."""
    most = max((sample.pending for sample in step.samples), default=step.balance.pending)
    drained = "not drained" if step.drained_after is None else f"drained {format_duration(step.drained_after)} later"
    return f"{most:,} events at most, {step.pending_at_end:,} at the end of the load, {drained}"


def recovered(one: Recovery, load_end: int) -> str:
    """Return what became of the backlog of an outage, in a load of so many milliseconds."""
    span = f"{format_duration(one.outage.start)} to {format_duration(one.outage.end)}"
    if one.backlog is None:
        return f"{span}: the load was over before its end"
    drained = "not drained"
    if one.drained_after is not None:
        drained = f"drained {format_duration(one.drained_after)} later"
        if not one.drained_by(load_end):
            drained += ", when the load had ended"
    return f"{span}: {one.backlog:,} events pending at its end, {drained}"


def percentiles(found: Percentiles) -> str:
    """Return percentiles in milliseconds."""
    if not found.count:
        return "none"
    named = (("p50", found.p50), ("p90", found.p90), ("p99", found.p99), ("p99.9", found.p99_9), ("max", found.max))
    return ", ".join(f"{name} {milliseconds(value)}" for name, value in named)


def milliseconds(microseconds: int) -> str:
    """Return microseconds in milliseconds, with three digits."""
    digits = 0 if microseconds >= 100_000 else 1 if microseconds >= 10_000 else 2
    return f"{microseconds / 1_000:,.{digits}f} ms"


def knee_sentence(result: LoadResult) -> str:
    """Return where the knee is."""
    last = result.steps[-1]
    if last.verdict == "could-not-tell":
        doubt = f"keeps up with {last.events_per_second:,} events/s is inconclusive"
        if result.knee is None:
            return f"Whether the consumer {doubt}"
        return f"The consumer kept up with {result.knee:,} events/s; whether it {doubt}"
    if result.knee is None:
        return f"The consumer kept up with no rate; the lowest was {last.events_per_second:,} events/s"
    if last.verdict == "compliant":
        return f"The knee is above {result.knee:,} events/s, the highest rate"
    return f"The knee is at {result.knee:,} events/s, the highest rate that the consumer kept up with"
