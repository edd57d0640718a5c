"""Histories from numbers: equal on every Python, found by the thousand, reduced, replayed, and counted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import NOW
from mockcampaign.check.check import CheckRun
from mockcampaign.check.edge_cases import EdgeCase, EdgeCases
from mockcampaign.check.histories.coverage import NO_FAULT, Coverage, Covered, size_of
from mockcampaign.check.histories.draws import Draws
from mockcampaign.check.histories.history_steps import (
    COUNTS,
    MANY,
    Advance,
    Elsewhere,
    History,
    Inject,
    Lack,
    Occur,
    Repeat,
    Step,
)
from mockcampaign.check.histories.numbered import LONG_EVERY, STEPS_MAX, history_of
from mockcampaign.check.histories.reduce import candidates, reduced
from mockcampaign.check.probes.store_probe import CallableProbe
from mockcampaign.check.settings import Settings
from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.fact import Stimulus
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.situation import Situation
from mockcampaign.model import EventType, Responded
from mockcampaign.policy import MINUTE
from mockcampaign.report import sentences
from mockcampaign.samples.consumer import BUGS, application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Event
from mockcampaign.shape.shape import Shape, whole
from mockcampaign.transport.inprocess import AsgiTransport
from numbered_histories import HISTORIES_HASH, JOURNAL_HASHES

HISTORY_BUGS = (
    "never-deduplicates",
    "dedup-key-batch-hash",
    "dedup-key-size-and-first-event",
    "compares-with-previous-batch-only",
    "dedup-key-position",
    "forgets-dedup-key-once-used",
    "stores-while-reading",
    "checks-then-inserts",
    "null-in-unique-index",
    "keeps-dedup-keys-per-connection",
    "keeps-1000-dedup-keys",
    "keeps-2000-dedup-keys",
)
"""Bugs that show only when deliveries, faults and time come together in some way."""


def examined(bug: str | None, *, now: int = NOW, **settings: int) -> tuple[Finding, Coverage]:
    """Examine a sample by its histories. Its store is read without a request."""
    made = Consumer if bug is None else BUGS[bug].consumer
    consumer = made(Store(), None)

    async def run() -> tuple[Finding, Coverage]:
        transport = AsgiTransport(application(consumer))
        check = CheckRun(
            "http://app/hook",
            transport=transport,
            settings=Settings(now=now, rules=("survives-random-histories",), **{"seed": 1, **settings}),
            probe=CallableProbe(consumer.store.events),
        )
        try:
            await check.finish()
        finally:
            await transport.aclose()
        [finding] = check.result().rules
        return finding, check.coverage

    return asyncio.run(run())


@given(st.integers(0, 2**64), st.integers(1, 10**9))
def test_a_number_is_one_history(seed: int, number: int) -> None:
    history = history_of(seed, number)
    assert history == history_of(seed, number)
    assert 1 <= len(history) <= STEPS_MAX


@given(st.text(), st.integers(1, 1_000))
def test_draws_stay_below_their_limit(name: str, limit: int) -> None:
    draws, equal = Draws(name), Draws(name)
    for _ in range(20):
        drawn = draws.below(limit)
        assert 0 <= drawn < limit
        assert drawn == equal.below(limit)


def test_numbers_mean_the_same_histories_on_every_python() -> None:
    histories = [[step.seen() for step in history_of(1, number)] for number in range(1, 1_001)]
    assert hashlib.sha256(msgspec.json.encode(histories)).hexdigest() == HISTORIES_HASH


@pytest.mark.parametrize(("seed", "number"), [(1, 18), (2, 7), (2, 17), (3, 290), (7, 500)])
def test_a_replayed_history_has_an_equal_journal_on_every_python_and_day(seed: int, number: int) -> None:
    for now in (NOW, NOW + 86_400_000):
        coverage = examined(None, now=now, seed=seed, history=number)[1]
        assert coverage.fingerprint == JOURNAL_HASHES[seed, number]
    assert len(set(JOURNAL_HASHES.values())) == len(JOURNAL_HASHES)


@pytest.mark.parametrize(
    "bug",
    [
        *("never-deduplicates", "forgets-dedup-key-once-used", "stores-while-reading"),
        *("null-in-unique-index", "keeps-dedup-keys-per-connection"),
    ],
)
def test_a_failing_history_is_found_and_replayed_by_its_number(bug: str) -> None:
    finding, coverage = examined(bug, histories=200)
    assert finding.outcome == "fail"
    assert coverage.failed is not None
    again, replayed = examined(bug, history=coverage.failed)
    assert (again.outcome, replayed.failed, replayed.histories) == ("fail", coverage.failed, 1)
    assert replayed.fingerprint == coverage.fingerprint


def test_histories_that_wait_for_a_reading_are_judged_though_no_event_is_left() -> None:
    finding, coverage = examined("never-deduplicates", histories=200, events=80)
    assert (finding.outcome, coverage.failed) == ("fail", 3), finding.actual
    finding, coverage = examined(None, histories=200, events=80)
    assert (finding.outcome, coverage.not_compared) == ("not-exercised", 0), finding.actual


@pytest.mark.slow
@pytest.mark.parametrize("bug", HISTORY_BUGS)
def test_5000_histories_find_each_history_bug(bug: str) -> None:
    finding, coverage = examined(bug, histories=5_000)
    assert finding.outcome == "fail", finding.actual
    assert coverage.failed is not None


def test_no_history_fails_a_correct_consumer() -> None:
    finding, coverage = examined(None, histories=100)
    assert (finding.outcome, coverage.histories, coverage.failed) == ("pass", 100, None)


def test_only_rare_histories_are_long_and_those_redeliver_after_many_other_events() -> None:
    for number in (*range(1, 200), *range(LONG_EVERY, 5_001, LONG_EVERY)):
        history = history_of(3, number)
        many = [index for index, step in enumerate(history) if step == Elsewhere(MANY[-1])]
        assert len(many) == (number % LONG_EVERY == 0)
        if many:
            redelivering, events = history[many[0] - 2 : many[0]]
            assert isinstance(redelivering, Inject)
            assert redelivering.kind in ("lost-ack", "duplicate")
            assert isinstance(events, Occur)


class Played:
    """A sender that only remembers which events occurred, and for which webhook."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.made = 0
        self.emitted: list[tuple[int, list[Event]]] = []

    def event(self) -> Event:
        return self.events(1)[0]

    def events(self, count: int) -> list[Event]:
        self.made += count
        return [{**whole(self.shape, self.shape.examples[0]), "made": self.made - index} for index in range(count)]

    def edge_cases(self, make: EdgeCases) -> list[EdgeCase]:
        return make(self.shape)

    def emit(self, events: Sequence[Event], number: int = 0) -> None:
        self.emitted.append((number, list(events)))

    def fault(self, kind: str, **options: Any) -> object:
        raise AssertionError

    def outage(self, duration: int) -> None:
        raise AssertionError

    async def advance(self, duration: int = 0) -> None:
        assert duration == 0


def played(kind: EventType, *history: Step) -> list[tuple[int, list[Event]]]:
    sender = Played(builtin_shape(kind))
    events: list[Event] = []

    async def play() -> None:
        for step in history:
            await step.play(sender, events)

    asyncio.run(play())
    return sender.emitted


@pytest.mark.parametrize("is_null", [False, True])
def test_events_lack_an_optional_field_whatever_number_it_has(is_null: bool) -> None:
    optional = [field.name for field in builtin_shape(EventType.OPEN).fields if field.optional]
    for index in range(2 * len(optional)):
        [(number, events)] = played(EventType.OPEN, Lack(index, is_null=is_null, count=2))
        name = optional[index % len(optional)]
        assert (number, [event.get(name, "absent") for event in events]) == (0, [None if is_null else "absent"] * 2)


def test_events_without_an_optional_field_are_ordinary() -> None:
    [(_, events)] = played(EventType.BOUNCE, Lack(1, is_null=True, count=1))
    assert None not in events[0].values()


def test_a_repeat_repeats_the_newest_event_of_the_first_webhook() -> None:
    emitted = played(EventType.OPEN, Occur(1), Elsewhere(3), Repeat(0))
    assert [(number, len(events)) for number, events in emitted] == [(0, 1), (1, 3), (0, 1)]
    assert emitted[2][1][0]["made"] == emitted[0][1][0]["made"]


def test_two_faults_of_one_attempt_become_two_lost_responses() -> None:
    history = (Inject("duplicate", {"timing": "concurrent"}), Advance(MINUTE), Inject("lost-ack", {}), Occur(1))
    assert (Inject("lost-ack", {"times": 2}), Advance(MINUTE), Occur(1)) in list(candidates(history))


def test_unusual_steps_become_ordinary_ones_and_many_events_few() -> None:
    assert list(Lack(1, is_null=True, count=2).simpler()) == [
        Occur(2),
        Lack(1, is_null=True, count=1),
        Lack(0, is_null=True, count=2),
    ]
    assert list(Inject("duplicate", {"timing": "concurrent"}).simpler()) == [
        Inject("lost-ack", {}),
        Inject("duplicate", {}),
    ]
    assert list(Inject("timeout", {"times": 3}).simpler()) == [Inject("lost-ack", {}), Inject("timeout", {})]
    assert list(Elsewhere(MANY[-1]).simpler()) == [
        Occur(MANY[-1]),
        *(Elsewhere(count) for count in (*COUNTS, MANY[0])),
    ]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Occur(3), "3 events"),
        (Lack(0, is_null=True, count=1), "1 event with null in an optional field"),
        (Lack(0, is_null=False, count=2), "2 events without an optional field"),
        (Elsewhere(2_400), "2,400 events of another webhook"),
    ],
)
def test_steps_in_words(step: Step, said: str) -> None:
    stimulus = Stimulus(situation=Situation.RANDOM_HISTORY, steps=(step.seen(),))
    assert sentences.stimulus(stimulus).endswith(f"({said})")


def attempted(events: int, times: int = 1, **values: object) -> Attempted:
    one = Attempted(
        at=0,
        webhook_id=1,
        serials=((1, events),),
        first_number=1,
        count=times,
        interval=0,
        took=0,
        outcome=Responded(200),
    )
    return msgspec.structs.replace(one, **values)


def test_coverage_counts_each_attempt_once_for_each_of_its_faults() -> None:
    coverage = Coverage()
    coverage.note(
        [step.seen() for step in (Occur(1), Occur(5), Elsewhere(5), Elsewhere(2_400), Lack(0, is_null=True, count=1))],
        [
            attempted(1),
            attempted(2, times=3, faults=("lost-ack", "cut-body")),
            attempted(100, first_number=2, times=2, faults=("timeout",)),
            attempted(1, redelivered=((5, 5),)),
            attempted(7, times=1_000, simulated=True),
        ],
    )
    assert coverage.histories == 1
    assert dict(coverage.steps) == {"events": 2, "elsewhere": 1, "many elsewhere": 1, "null": 1}
    assert dict(coverage.attempts) == {
        Covered(NO_FAULT, "1 event", "first attempt"): 1,
        Covered("lost-ack", "2 to 99", "first attempt"): 1,
        Covered("lost-ack", "2 to 99", "retry"): 2,
        Covered("cut-body", "2 to 99", "first attempt"): 1,
        Covered("cut-body", "2 to 99", "retry"): 2,
        Covered("timeout", "full batch", "retry"): 2,
        Covered(NO_FAULT, "2 to 99", "redelivered"): 1,
    }


@pytest.mark.parametrize(
    ("events", "size"), [(1, "1 event"), (2, "2 to 99"), (99, "2 to 99"), (100, "full batch"), (101, "full batch")]
)
def test_sizes_of_batches(events: int, size: str) -> None:
    assert size_of(events) == size


@given(st.integers(1, 5_000))
def test_a_reduced_history_still_fails_and_no_smaller_one_does(number: int) -> None:
    def fails(history: History) -> bool:
        lost = sum(isinstance(step, Inject) and step.kind == "lost-ack" for step in history)
        return lost >= 1 and any(isinstance(step, Occur) and step.count >= 3 for step in history)

    async def ask(history: History) -> bool | None:
        return fails(history) or None

    history = (*history_of(1, number), Inject("lost-ack", {"times": 2}), Occur(120))
    smallest, found = asyncio.run(reduced(history, True, ask))
    assert found
    assert fails(smallest)
    assert not any(fails(candidate) for candidate in candidates(smallest))
    assert len(smallest) == 2
    assert Inject("lost-ack", {}) in smallest
