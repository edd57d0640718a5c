"""Histories from numbers: equal on every Python, found by the thousand, reduced, replayed, and counted."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import NOW
from mockcampaign.check.check import CheckRun
from mockcampaign.check.histories.coverage import NO_FAULT, Coverage, Covered, size_of
from mockcampaign.check.histories.draws import Draws
from mockcampaign.check.histories.history_steps import History, Inject, Occur
from mockcampaign.check.histories.numbered import STEPS_MAX, history_of
from mockcampaign.check.histories.reduce import candidates, reduced
from mockcampaign.check.probes.store_probe import CallableProbe
from mockcampaign.check.settings import Settings
from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.finding import Finding
from mockcampaign.model import Responded
from mockcampaign.samples.consumer import BUGS, application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.transport.inprocess import AsgiTransport

HISTORY_BUGS = (
    "never-deduplicates",
    "dedup-key-batch-hash",
    "dedup-key-size-and-first-event",
    "compares-with-previous-batch-only",
    "dedup-key-position",
    "forgets-dedup-key-once-used",
    "stores-while-reading",
    "checks-then-inserts",
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


def test_a_replayed_history_has_an_equal_journal_on_every_python_and_day() -> None:
    fingerprints = {examined(None, now=now, history=17)[1].fingerprint for now in (NOW, NOW + 86_400_000)}
    assert fingerprints == {JOURNAL_HASH}
    assert examined(None, history=18)[1].fingerprint != JOURNAL_HASH


@pytest.mark.parametrize("bug", ["never-deduplicates", "forgets-dedup-key-once-used", "stores-while-reading"])
def test_a_failing_history_is_found_and_replayed_by_its_number(bug: str) -> None:
    finding, coverage = examined(bug, histories=200)
    assert finding.outcome == "fail"
    assert coverage.failed is not None
    again, replayed = examined(bug, history=coverage.failed)
    assert (again.outcome, replayed.failed, replayed.histories) == ("fail", coverage.failed, 1)
    assert replayed.fingerprint == coverage.fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("bug", HISTORY_BUGS)
def test_5000_histories_find_each_history_bug(bug: str) -> None:
    finding, coverage = examined(bug, histories=5_000)
    assert finding.outcome == "fail", finding.actual
    assert coverage.failed is not None


def test_no_history_fails_a_correct_consumer() -> None:
    finding, coverage = examined(None, histories=100)
    assert (finding.outcome, coverage.histories, coverage.failed) == ("pass", 100, None)


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
        [
            attempted(1),
            attempted(2, times=3, faults=("lost-ack", "cut-body")),
            attempted(100, first_number=2, times=2, faults=("timeout",)),
            attempted(1, redelivered=((5, 5),)),
            attempted(7, times=1_000, simulated=True),
        ]
    )
    assert coverage.histories == 1
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


HISTORIES_HASH = "80c1887433cbaff23091d0198437a4e63f932e6ce50857d4650cc20f1c264824"
JOURNAL_HASH = "0ed8fcf1feee81825ba58310b74635a797eff3c1b7506b690e617c5f345ad83d"
