"""Whole histories: events, faults, outages and time in any order, shrunk to the shortest that still fails."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.event_budget import BoundReachedError, TimeIsUpError
from mockcampaign.check.rule import Event, Examined, Rule, Stage, holds, violated
from mockcampaign.check.shrink import smallest
from mockcampaign.durations import format_duration
from mockcampaign.judging.difference import Difference
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND
from mockcampaign.wallclock import Stopwatch

STEPS_MAX = 12
HISTORIES_FOR_EXAMPLE = 5
"""Histories are cheap, and there are many more of them than of other things."""

HISTORIES_LEAST, SEARCHING = 20, 0.7
"""Where the consumer or its account is slow, so many are enough once that part of the rule's time is over: what was
found until then has still to be told, and once more to be shown."""


class Happen(msgspec.Struct, frozen=True):
    """Recipients who did nothing before act."""

    count: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        made = bench.events(self.count)
        events += made
        bench.emit(made)
        await bench.advance()

    def describe(self) -> str:
        return f"{self.count} event{'s' * (self.count > 1)}"


class ActAgain(msgspec.Struct, frozen=True):
    """Somebody who acted before does so again."""

    index: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        if events:
            before = events[-1 - self.index % len(events)]
            events.append({**before, "created": bench.event()["created"]})
            bench.emit(events[-1:])
            await bench.advance()

    def describe(self) -> str:
        return "a second act"


class GoWrong(msgspec.Struct, frozen=True):
    """A fault hits the next attempt that it concerns."""

    kind: str
    settings: dict[str, Any]

    async def play(self, bench: Bench, events: list[Event]) -> None:
        bench.fault(self.kind, **{"times": 1, **self.settings})

    def describe(self) -> str:
        return self.kind


class Vanish(msgspec.Struct, frozen=True):
    """The consumer cannot be reached for a while."""

    duration: Annotated[int, msgspec.Meta(ge=1)]

    async def play(self, bench: Bench, events: list[Event]) -> None:
        bench.outage(self.duration)

    def describe(self) -> str:
        return f"an outage of {format_duration(self.duration)}"


class Pass(msgspec.Struct, frozen=True):
    """Time passes."""

    duration: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        await bench.advance(self.duration)

    def describe(self) -> str:
        return f"{format_duration(self.duration)} later"


Step = Happen | ActAgain | GoWrong | Vanish | Pass

_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lost-ack", {}),
    ("lost-ack", {"times": 2}),
    ("timeout", {}),
    ("timeout", {"times": 3}),
    ("duplicate", {}),
    ("duplicate", {"timing": "later", "delay": MINUTE}),
    ("duplicate", {"timing": "concurrent"}),
    ("refill", {}),
    ("overlap", {"events": 2}),
    ("reorder", {}),
    ("cut-body", {}),
)

# What goes wrong is what matters most, and lost answers most of all.
_STEPS: SearchStrategy[Step] = st.one_of(
    st.sampled_from((1, 2, 3, 5, 120)).map(Happen),
    st.just(GoWrong("lost-ack", {})),
    st.sampled_from(_KINDS).map(lambda kind: GoWrong(*kind)),
    st.sampled_from((10 * SECOND, MINUTE, HOUR)).map(Pass),
    st.integers(0, 3).map(ActAgain),
    st.sampled_from((MINUTE, HOUR)).map(Vanish),
)
_HISTORIES = st.lists(_STEPS, min_size=1, max_size=STEPS_MAX)


async def _play(bench: Bench, history: list[Step]) -> Difference | None:
    """How the account differs at the end of a history, or None."""
    events: list[Event] = []
    for step in history:
        await step.play(bench, events)
    if not events:
        return None
    await bench.finish()
    difference = await bench.store.difference()
    return difference or None


async def _histories(bench: Bench) -> Examined:
    await bench.must_process(3)
    await bench.must_tell_apart()
    count = 0
    stopwatch = Stopwatch()

    async def ask(history: list[Step]) -> Difference | None:
        nonlocal count
        if count >= HISTORIES_LEAST and stopwatch.milliseconds > SEARCHING * 1_000 * bench.seconds:
            raise TimeIsUpError("there is no time for more")
        count += 1
        other = bench.another(count)
        try:
            return await _play(other, history)
        finally:
            bench.count_in(other)

    examples = HISTORIES_FOR_EXAMPLE * bench.settings.examples
    try:
        found = await smallest(_HISTORIES, ask, examples=examples, seed=f"histories:{bench.settings.seed}")
    except TimeIsUpError:
        return holds(f"{count} histories, for which there was time, ended with each event once (--budget)")
    if found is None:
        return holds(f"{count} histories of up to {STEPS_MAX} steps ended with each event once")
    history, difference = found
    told = ", ".join(step.describe() for step in history)
    try:
        # Once more on this bench, so that its journal and its scenario tell the shortest history and no other.
        difference = await _play(bench, history) or difference
    except BoundReachedError as error:
        return violated(f"{told}: {difference.describe()}", unrepeatable=f"It was not reduced, as {error}.")
    return violated(f"{told}: {difference.describe()}")


HISTORIES = (
    Rule(
        id="survives-random-histories",
        family="history",
        level="must",
        title="Ends with each event once, whatever happened on the way",
        requirement="What is answered with 200 never comes again, and what is not comes again every 10 seconds, until "
        "its events are three days old (vendor's webhook guide): in any order of events, failures and outages.",
        expected="each delivered event processed once",
        needs=("probe events",),
        depends_on=(
            "stores-every-event",
            "stores-repeat-engagement",
            "stores-same-millisecond",
            "stores-one-mail-same-millisecond",
            "stores-one-recipient-many-mails",
            "once-after-lost-response",
            "once-after-truncated-body",
            "once-in-regrouped-batch",
            "once-when-delivered-concurrently",
            "once-after-many-others",
            "once-after-an-hour",
            "once-after-three-days",
            "stores-created-exactly",
            "stores-late-events",
            "stores-out-of-order-events",
            "accepts-old-events",
            "accepts-every-batch-size",
        ),
        assumes=("list", "retry", "discard", "time-out", "refill", "order"),
        examine=_histories,
        fix="Look at the scenario: it is the shortest that was found.",
        example="mockcampaign check URL --rules survives-random-histories --scenarios .",
        not_covered="Histories that were not generated (--examples makes more), and whether one only fails because of "
        "what others left in the consumer.",
        # No history takes longer; and no event is older than three days, whatever the consumer's own clock says.
        span=DAY,
        stage=Stage.REACHING_BACK,
    ),
)
