"""Random histories: events, faults, outages and time in any order, reduced to the shortest that still fails."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_distinguish, must_store
from mockcampaign.check.bench.event_budget import BudgetReachedError
from mockcampaign.check.bench.rule_store import RuleStore
from mockcampaign.check.examined import Examined, Unrepeatable, failed, passed
from mockcampaign.check.histories.coverage import journal_fingerprint
from mockcampaign.check.histories.history_steps import History
from mockcampaign.check.histories.numbered import STEPS_MAX, history_of
from mockcampaign.check.histories.reduce import reduced
from mockcampaign.check.probes.question import Found, Question, Selection
from mockcampaign.check.probes.store_probe import StoreProbe
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.engine.journal import Probed
from mockcampaign.judging.difference import Difference
from mockcampaign.judging.fact import Confirmation, Confirmed, Stimulus
from mockcampaign.judging.situation import Situation
from mockcampaign.policy import DAY
from mockcampaign.shape.field import Event
from mockcampaign.wallclock import Stopwatch, pause

HISTORIES_FOR_EXAMPLE = 5
"""Number of histories for each example that was asked for: they are cheap, and many differ."""

HISTORIES_LEAST = 20
"""Number of histories that are enough if the consumer or its probe is slow."""

SEARCHING = 0.7
"""Part of the rule's time after which that few are enough: a failing history is played many times more at the end."""

REDUCING_MAX = 60_000
"""Greatest part of the rule's time that is left for that, in milliseconds."""

GROUP_LEAST, GROUP_PART, GROUP_MOST = 20, 5, 1_000
"""One reading of the store judges so many histories, or this part of all so far: a store grows, and so do readings.
A history takes 75 KB of memory until it is judged, so that there is a limit."""

REDUCING_FROM = 1_000_000_000
"""Number from which on the benches that reduce a history are numbered: none repeats the events of another."""

POLL = 50
"""Wall milliseconds between two readings of a store that may still change."""


class _OneReading:
    """A probe that is read when the rule says so, and reports the same until then.

    One that selects events is asked for those of each history instead.
    """

    reports_events = True

    def __init__(self, probe: StoreProbe, store: RuleStore) -> None:
        """`store` is that of the rule, which notes when the probe was read."""
        self._probe = probe
        self._store = store
        self._found: Found = 0

    @property
    def selection(self) -> Selection:
        return self._probe.selection

    async def renew(self) -> None:
        if not self.selection.placeholders:
            self._found = await self._store.read()

    async def ask(self, question: Question | None = None) -> Found:
        return await self._probe.ask(question) if self.selection.placeholders else self._found


def group_size(count: int) -> int:
    """Return how many histories one reading judges after this number of all."""
    return min(max(GROUP_LEAST, count // GROUP_PART), GROUP_MOST)


async def _play(bench: Bench, history: History) -> bool:
    """Play a history to its end, and return whether any event occurred in it."""
    events: list[Event] = []
    for step in history:
        await step.play(bench, events)
    if events:
        await bench.finish()
    return bool(events)


class _Search:
    """Plays one history after another, and judges them in groups."""

    def __init__(self, bench: Bench, probe: StoreProbe) -> None:
        self._bench = bench
        self._reading = _OneReading(probe, bench.store)
        self._context = msgspec.structs.replace(bench.context, probe=self._reading)
        self._seen = bench.context.coverage
        self._group: list[tuple[int, History, Bench]] = []
        self._stopwatch = Stopwatch()
        limit = bench.seconds * 1_000
        self._until = max(SEARCHING * limit, limit - REDUCING_MAX)
        self.count = 0

    @property
    def is_time_up(self) -> bool:
        """Whether the rest of the rule's time is for reducing a history."""
        return self.count >= HISTORIES_LEAST and self._stopwatch.milliseconds > self._until

    async def play(self, number: int) -> tuple[int, History, Difference] | None:
        """Play the history with this number. Return the first that is seen to fail, if it is time to judge."""
        bench = self._bench
        other = Bench(self._context, bench.slot.another(number, start=bench.slot.start))
        history = history_of(bench.settings.seed, number)
        self.count += 1
        try:
            occurred = await _play(other, history)
        finally:
            bench.count_in(other)
            self._seen.note([step.seen() for step in history], other.ledger.attempts)
            self._seen.not_compared += 1
        if occurred:
            self._group.append((number, history, other))
        return await self.judge() if len(self._group) >= group_size(self.count) else None

    async def judge(self) -> tuple[int, History, Difference] | None:
        """Return the first history since the last time after which the store differs, once it has settled."""
        group, self._group = self._group, []
        found = await self._differing(group)
        waited = 0
        while found and waited < self._bench.settings.settle:
            await pause(POLL)
            before, found = found, await self._differing(group)
            waited = waited + POLL if found == before else 0
        self._seen.not_compared = 0
        for number, history, other in group:
            if number in found:
                self._seen.failed = number
                self._seen.fingerprint = journal_fingerprint(other.campaign.journal.entries, other.shape)
                return number, history, found[number]
        return None

    async def _differing(self, group: list[tuple[int, History, Bench]]) -> dict[int, Difference]:
        if group:
            await self._reading.renew()
        differences = [(number, (await other.store.difference_now())[0]) for number, _, other in group]
        return {number: difference for number, difference in differences if difference}


async def _survives(bench: Bench) -> Examined:
    await must_store(bench, 3)
    await must_distinguish(bench)
    probe = bench.store.probe
    assert probe is not None  # the rule needs one
    if bench.settings.history is not None:
        return await _one(bench, bench.settings.history)
    search = _Search(bench, probe)
    wanted = bench.settings.histories or HISTORIES_FOR_EXAMPLE * bench.settings.examples
    found: tuple[int, History, Difference] | None = None
    while found is None and search.count < wanted and not search.is_time_up:
        try:
            found = await search.play(search.count + 1)
        except BudgetReachedError:
            found = await search.judge()  # what was played shows something, too
            if found is None:
                raise
    found = found or await search.judge()
    if found is None and search.count < wanted and not bench.settings.soaks:
        return passed(Confirmed(what=Confirmation.HISTORIES_ENDED_WELL_IN_TIME, count=search.count))
    if found is None:
        return passed(Confirmed(what=Confirmation.HISTORIES_ENDED_WELL, count=search.count, times=STEPS_MAX))
    return await _reduce(bench, *found[1:])


async def _reduce(bench: Bench, history: History, difference: Difference) -> Examined:
    """Return the shortest failing history that can be reached from this one."""
    asked = REDUCING_FROM

    async def ask(candidate: History) -> Difference | None:
        nonlocal asked
        asked += 1
        other = bench.another(asked)
        try:
            return (await other.store.difference() or None) if await _play(other, candidate) else None
        finally:
            bench.count_in(other)

    unrepeatable = None
    try:
        alone = await ask(history)
        if alone is None:
            sent = _stimulus(history)
            return failed(difference.seen(sent), unrepeatable=Unrepeatable.WHOLE_CHECK)
        history, difference = await reduced(history, alone, ask)
        # Once more on this bench, so that its journal and its scenario show the shortest history and no other.
        await _play(bench, history)
        difference = await bench.store.difference() or difference
    except BudgetReachedError:
        unrepeatable = Unrepeatable.NOT_REDUCED
    return failed(difference.seen(_stimulus(history)), unrepeatable=unrepeatable)


async def _one(bench: Bench, number: int) -> Examined:
    """Play the history with this number alone."""
    other, seen = bench.another(number), bench.context.coverage
    history = history_of(bench.settings.seed, number)
    try:
        difference = (await other.store.difference() or None) if await _play(other, history) else None
    finally:
        bench.count_in(other)
        seen.note([step.seen() for step in history], other.ledger.attempts)
    entries = [entry for entry in other.campaign.journal.entries if not isinstance(entry, Probed)]
    seen.fingerprint = journal_fingerprint(entries, other.shape)
    if difference is None:
        return passed(Confirmed(what=Confirmation.HISTORIES_ENDED_WELL, count=1, times=len(history)))
    seen.failed = number
    return await _reduce(bench, history, difference)


def _stimulus(history: History) -> Stimulus:
    return Stimulus(situation=Situation.RANDOM_HISTORY, steps=tuple(step.seen() for step in history))


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
        "once-for-edge-cases",
        "once-when-delivered-concurrently",
        "once-after-many-others",
        "once-after-an-hour",
        "once-after-three-days",
        "stores-created-exactly",
        "stores-late-events",
        "stores-out-of-order-events",
        "accepts-old-events",
        "accepts-absent-fields",
        "accepts-null-fields",
        "accepts-generated-batches",
        "accepts-every-batch-size",
    ),
    assumes=("batch", "retry", "discard", "time-out", "refill", "order"),
    examine=_survives,
    fix="Look at the scenario: it is the shortest failing history that was found.",
    example="mockcampaign check URL --rules survives-random-histories --scenarios .",
    not_covered="Histories that were not generated (--histories generates more), and whether a history fails only "
    "because of what earlier ones left in the consumer.",
    # No history takes longer, and no event is older than three days, whatever the consumer's own clock says.
    span=DAY,
    stage=Stage.REACHING_BACK,
)


RANDOM_HISTORIES = (SURVIVES_RANDOM_HISTORIES,)
