"""Random histories: events, faults, outages and time in any order, shrunk to the shortest that still fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_distinguish, must_store
from mockcampaign.check.bench.event_budget import BudgetReachedError, TimeIsUpError
from mockcampaign.check.examined import Examined, Unrepeatable, failed, passed
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.judging.difference import Difference
from mockcampaign.judging.fact import Confirmation, Confirmed, HistoryStep, Stimulus
from mockcampaign.judging.situation import Situation
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND
from mockcampaign.shape.field import Event
from mockcampaign.wallclock import Stopwatch

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Hypothesis is imported where it is used: the catalogue of rules can be read without it.

STEPS_MAX = 12
"""Greatest number of steps of a history."""

HISTORIES_FOR_EXAMPLE = 5
"""Number of histories for each example that was asked for: they are cheap, and many differ."""

HISTORIES_LEAST = 20
"""Number of histories that are enough if the consumer or its probe is slow."""

SEARCHING = 0.7
"""Part of the rule's time after which that few are enough: a failing history is played once more at the end."""


class OccurMove(msgspec.Struct, frozen=True):
    """Events of new recipients occur."""

    count: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        made = bench.events(self.count)
        events += made
        bench.emit(made)
        await bench.advance()

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="events", events=self.count)


class RepeatMove(msgspec.Struct, frozen=True):
    """Another event of a mail occurs."""

    index: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        if events:
            before = events[-1 - self.index % len(events)]
            newest = bench.shape.moment(bench.event())
            events.append(before if newest is None else bench.shape.at(before, newest))
            bench.emit(events[-1:])
            await bench.advance()

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="repeat")


class InjectMove(msgspec.Struct, frozen=True):
    """A fault hits the next attempt to which it applies."""

    kind: str
    settings: dict[str, Any]

    async def play(self, bench: Bench, events: list[Event]) -> None:
        bench.fault(self.kind, **{"times": 1, **self.settings})

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="fault", fault=self.kind)


class OutageMove(msgspec.Struct, frozen=True):
    """The consumer cannot be reached for a while."""

    duration: Annotated[int, msgspec.Meta(ge=1)]

    async def play(self, bench: Bench, events: list[Event]) -> None:
        bench.outage(self.duration)

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="outage", milliseconds=self.duration)


class AdvanceMove(msgspec.Struct, frozen=True):
    """Virtual time passes."""

    duration: int

    async def play(self, bench: Bench, events: list[Event]) -> None:
        await bench.advance(self.duration)

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="time", milliseconds=self.duration)


Step = OccurMove | RepeatMove | InjectMove | OutageMove | AdvanceMove

_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
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


def _histories() -> SearchStrategy[list[Step]]:
    from hypothesis import strategies as st

    # Faults matter most, and lost responses most of all.
    steps: SearchStrategy[Step] = st.one_of(
        st.sampled_from((1, 2, 3, 5, 120)).map(OccurMove),
        st.just(InjectMove("lost-ack", {})),
        st.sampled_from(_FAULTS).map(lambda fault: InjectMove(*fault)),
        st.sampled_from((10 * SECOND, MINUTE, HOUR)).map(AdvanceMove),
        st.integers(0, 3).map(RepeatMove),
        st.sampled_from((MINUTE, HOUR)).map(OutageMove),
    )
    return st.lists(steps, min_size=1, max_size=STEPS_MAX)


async def _play(bench: Bench, history: list[Step]) -> Difference | None:
    """Return how the store differs at the end of a history, or None."""
    events: list[Event] = []
    for step in history:
        await step.play(bench, events)
    if not events:
        return None
    await bench.finish()
    difference = await bench.store.difference()
    return difference or None


async def _survives(bench: Bench) -> Examined:
    await must_store(bench, 3)
    await must_distinguish(bench)
    count = 0
    stopwatch = Stopwatch()

    async def ask(history: list[Step]) -> Difference | None:
        nonlocal count
        if count >= HISTORIES_LEAST and stopwatch.milliseconds > SEARCHING * 1_000 * bench.seconds:
            raise TimeIsUpError
        count += 1
        other = bench.another(count)
        try:
            return await _play(other, history)
        finally:
            bench.count_in(other)

    from mockcampaign.check.shrink import find_smallest

    examples = HISTORIES_FOR_EXAMPLE * bench.settings.examples
    try:
        found = await find_smallest(_histories(), ask, examples=examples, seed=f"histories:{bench.settings.seed}")
    except TimeIsUpError:
        return passed(Confirmed(what=Confirmation.HISTORIES_ENDED_WELL_IN_TIME, count=count))
    if found is None:
        return passed(Confirmed(what=Confirmation.HISTORIES_ENDED_WELL, count=count, times=STEPS_MAX))
    history, difference = found
    sent = Stimulus(situation=Situation.RANDOM_HISTORY, steps=tuple(step.seen() for step in history))
    unrepeatable = None
    try:
        # Once more on this bench, so that its journal and its scenario show the shortest history and no other.
        difference = await _play(bench, history) or difference
    except BudgetReachedError:
        unrepeatable = Unrepeatable.NOT_REDUCED
    return failed(difference.seen(sent), unrepeatable=unrepeatable)


SURVIVES_RANDOM_HISTORIES = Rule(
    id="survives-random-histories",
    family="random histories",
    level="must",
    title="Ends with each event once after random histories of events, faults, outages and time",
    requirement="Campaign never resends a batch after 200, and retries every other batch every 10 seconds until its "
    "events are three days old (vendor's webhook guide): in any order of events, failures and outages.",
    expected="each delivered event stored once",
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
    assumes=("batch", "retry", "discard", "time-out", "refill", "order"),
    examine=_survives,
    fix="Look at the scenario: it is the shortest failing history that was found.",
    example="mockcampaign check URL --rules survives-random-histories --scenarios .",
    not_covered="Histories that were not generated (--examples generates more), and whether a history fails only "
    "because of what earlier ones left in the consumer.",
    # No history takes longer, and no event is older than three days, whatever the consumer's own clock says.
    span=DAY,
    stage=Stage.REACHING_BACK,
)


RANDOM_HISTORIES = (SURVIVES_RANDOM_HISTORIES,)
