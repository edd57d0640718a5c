"""Which attempts a fault hits, and how it changes the sender, on the engine alone."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CLIENT, OK, START, Consumer, activated, attempts_at, entries_of, exporter, happen, run
from journals import read_journal
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Discarded, FaultDeclared, FaultEnded
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import (
    FAULTS,
    LOST,
    OUTAGES,
    Chunked,
    ConnectTimeout,
    Duplicate,
    Http10,
    Latency,
    LostAck,
    Overlap,
    Refill,
    Refused,
    Reorder,
    Timeout,
    WireFault,
    last_of,
)
from mockcampaign.model import Fault, NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.policy import DAY, Policy
from old_fold import tally

FAILED = Responded(500)


def box_with(count: int, *, list_max: int = 100, webhooks: int = 1, **settings: Any) -> Exporter:
    """An exporter with events waiting on each of its webhooks."""
    box = exporter(policy=Policy(batch_events_max=list_max, **settings))
    for _ in range(webhooks):
        activated(box)
    if count:
        happen(box, count)
    return box


def lists(consumer: Consumer) -> list[list[int]]:
    """The events of each request, by the number that `happen` gave them."""
    return [[event["n"] for event in json.loads(request.body)] for request in consumer.requests]


def faults_of(box: Exporter) -> list[tuple[str, ...]]:
    return [entry.faults for entry in entries_of(box, Attempted) for _ in range(entry.count)]


# Which attempts it hits


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({"times": 1}, [1]),
        ({"times": 3}, [1, 2, 3]),
        ({"every": 1}, [1, 2, 3, 4, 5, 6, 7]),
        ({"every": 3}, [3, 6]),
        ({"every": 3, "times": 1}, [3]),
        ({"duration": 29_999}, [1, 2, 3]),
        ({"duration": 30_000}, [1, 2, 3]),
        ({"duration": 30_001}, [1, 2, 3, 4]),
        ({"duration": 50_000, "times": 2}, [1, 2]),
        ({"probability": 1.0}, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_when_a_fault_hits(when: dict[str, Any], hit: list[int]) -> None:
    box = box_with(1)
    declared = box.declare_fault(Chunked(), When(**when))
    run(box, Consumer(lambda number: OK if number == 7 else FAILED))
    assert [number for number, faults in enumerate(faults_of(box), 1) if faults] == hit
    assert declared.hits == len(hit)


def test_chance_is_drawn_from_the_seed() -> None:
    def hits(probability: float, seed: int) -> list[bool]:
        box = Exporter(policy=Policy(), seed=seed, start=START, versions={})
        activated(box)
        happen(box)
        box.declare_fault(Chunked(), When(probability=probability))
        run(box, until=START + DAY // 24, consumer=Consumer(FAILED))
        return [bool(faults) for faults in faults_of(box)]

    assert hits(0.5, 1) == hits(0.5, 1) != hits(0.5, 2)
    assert 120 < sum(hits(0.5, 3)) < 240
    assert 5 < sum(hits(0.1, 3)) < 80


def test_two_faults_by_chance_hit_independently_of_each_other() -> None:
    box = box_with(1)
    for fault in (Chunked(), Http10()):
        box.declare_fault(fault, When(probability=0.5))
    run(box, until=START + DAY // 24, consumer=Consumer(FAILED))
    # Each of the four combinations in about one attempt of four.
    assert all(50 < count < 150 for count in Counter(faults_of(box)).values())
    assert len(Counter(faults_of(box))) == 4


def test_of_several_of_a_kind_the_one_declared_last_decides() -> None:
    box = box_with(1)
    for time in (1_000, 2_000):
        box.declare_fault(Latency(time=time), When(times=1))
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    box.declare_fault(Duplicate(timing="later", delay=7_000), When(times=1))
    run(box)
    assert attempts_at(box) == [0, 9_000]
    [first, _] = entries_of(box, Attempted)
    assert (first.took, first.faults) == (2_000, ("latency", "latency", "duplicate", "duplicate"))


def test_it_can_concern_one_webhook() -> None:
    box = box_with(1, webhooks=2)
    box.declare_fault(Chunked(), When(), (2,))
    run(box)
    assert [(entry.webhook_id, entry.faults) for entry in entries_of(box, Attempted)] == [(1, ()), (2, ("chunked",))]


def test_it_ends_by_hand() -> None:
    box = box_with(1)
    declared = box.declare_fault(Chunked(), When())
    run(box, Consumer(FAILED), until=START)
    box.end_fault(declared.number)
    box.end_fault(declared.number)
    run(box)
    assert faults_of(box) == [("chunked",), ()]
    assert [entry.number for entry in entries_of(box, FaultEnded)] == [1]


def test_a_fault_that_is_over_is_not_ended() -> None:
    box = box_with(1)
    declared = box.declare_fault(LostAck(), When(times=1))
    run(box)
    box.end_fault(declared.number)
    assert entries_of(box, FaultEnded) == []


def test_several_faults_hit_one_attempt_and_reach_the_transport_in_order() -> None:
    box = box_with(1)
    for fault in (Latency(), LostAck(), Chunked(chunk_bytes=5), Chunked(chunk_bytes=7)):
        box.declare_fault(fault, When(times=1))
    [request] = run(box).requests
    assert request.faults == (LostAck(), Chunked(chunk_bytes=5), Chunked(chunk_bytes=7))
    assert faults_of(box) == [("latency", "lost-ack", "chunked", "chunked")]


def test_equal_attempts_with_equal_faults_are_one_entry() -> None:
    box = box_with(1)
    box.declare_fault(Chunked(), When(duration=50_000))
    run(box, Consumer(lambda number: OK if number == 8 else FAILED))
    assert [(entry.count, entry.faults) for entry in entries_of(box, Attempted)] == [
        (5, ("chunked",)),
        (2, ()),
        (1, ()),
    ]


def test_a_declared_fault_is_read_back() -> None:
    box = box_with(1)
    for fault in FAULTS.values():
        box.declare_fault(fault(), When(times=1, duration=5))
    box.end_fault(1)
    assert read_journal(box.journal.to_json_lines()) == box.journal.entries
    declared = entries_of(box, FaultDeclared)
    assert [entry.fault.kind for entry in declared] == list(FAULTS)
    assert [entry.number for entry in declared] == list(range(1, len(FAULTS) + 1))


# Before the consumer


@pytest.mark.parametrize("kind", OUTAGES)
def test_a_fault_before_the_consumer_is_an_outage_counted_in_attempts(kind: str) -> None:
    box = box_with(1)
    box.declare_fault(FAULTS[kind](), When(times=3))
    consumer = run(box)
    assert len(consumer.requests) == 1
    spent = 20_000 if kind == "connect-timeout" else 10_000
    assert attempts_at(box) == [0, spent, 2 * spent, 3 * spent]
    assert [entry.outcome for entry in entries_of(box, Attempted)] == [OUTAGES[kind], OK]


@pytest.mark.parametrize("outage", [True, False])
def test_an_attempt_that_does_not_reach_the_consumer_spends_no_fault(outage: bool) -> None:
    box = box_with(1)
    box.declare_fault(LostAck(), When(times=1))
    if outage:
        box.declare_outage("refused", START + 15_000)
    else:
        box.declare_fault(Refused(), When(times=2))
    run(box)
    assert faults_of(box) == [("refused",), ("refused",), ("lost-ack",)]


# Once more


def test_a_duplicate_is_sent_at_once_and_before_anything_else() -> None:
    box = box_with(5, list_max=2)
    box.declare_fault(Duplicate(), When(times=1))
    consumer = run(box)
    assert lists(consumer) == [[0, 1], [0, 1], [2, 3], [4]]
    assert attempts_at(box) == [0, 0, 0, 0]
    original, copy = entries_of(box, Attempted)[:2]
    assert (original.serials, original.redelivered, original.faults) == (((1, 2),), (), ("duplicate",))
    assert (copy.serials, copy.redelivered, copy.faults, copy.events) == ((), ((1, 2),), ("duplicate",), 2)


def test_a_duplicate_is_sent_at_once_even_while_events_arrive() -> None:
    box = box_with(2, list_max=2)
    box.declare_fault(Duplicate(), When(times=1))

    async def send(request: Request) -> Outcome:
        consumer.requests.append(request)
        if len(consumer.requests) == 2:
            happen(box, 1)
        return OK

    consumer = Consumer()
    run(box, consumer, send=send)
    assert lists(consumer) == [[0, 1], [0, 1], [0]]


def test_a_batch_that_fails_is_duplicated_when_it_is_accepted() -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(), When())
    consumer = run(box, Consumer(lambda number: FAILED if number <= 2 else OK))
    assert lists(consumer) == [[0, 1]] * 4 + [[2]] * 2
    assert attempts_at(box) == [0, 10_000, *[20_000] * 4]


@pytest.mark.parametrize("timing", ["at-once", "later", "concurrent"])
@pytest.mark.parametrize("outcome", [FAILED, NoResponse("wait", "cut"), TimedOut("wait")])
def test_the_outcome_of_a_duplicate_decides_nothing(timing: Any, outcome: Outcome) -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(timing=timing), When(times=1))
    order = {"at-once": [0, 0, 2], "later": [0, 2, 0], "concurrent": [0, 0, 2]}[timing]
    failing = {"at-once": 2, "later": 3, "concurrent": 2}[timing]
    consumer = run(box, Consumer(lambda number: outcome if number == failing else OK))
    assert [sent[0] for sent in lists(consumer)] == order
    account = tally(box.journal.entries, [1])
    assert (account.delivered, account.attempts) == ([1, 2, 3], 3)


@pytest.mark.parametrize("delay", [0, 9_999, 10_000, DAY])
def test_a_duplicate_is_sent_later(delay: int) -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(timing="later", delay=delay), When(times=1))
    consumer = run(box)
    assert sorted(map(tuple, lists(consumer))) == [(0, 1), (0, 1), (2,)]
    assert attempts_at(box) == [0, 0, delay] or delay == 0


def test_concurrent_copies_are_under_way_together() -> None:
    box = box_with(2)
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    together = asyncio.Barrier(2)
    bodies = []

    async def send(request: Request) -> Outcome:
        bodies.append(request.body)
        await together.wait()
        return OK

    run(box, send=send)
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("slow", [1, 2])
@pytest.mark.parametrize("outcome", [OK, FAILED, TimedOut("wait")])
def test_nothing_else_goes_out_before_both_concurrent_copies_are_over(slow: int, outcome: Outcome) -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    begun, over = [], []

    async def send(request: Request) -> Outcome:
        number = len(begun) + 1
        begun.append([event["n"] for event in json.loads(request.body)])
        if number == 3:
            assert over == [1, 2] if slow == 2 else [2, 1]
        for _ in range(20 if number == slow else 0):
            await asyncio.sleep(0)
        over.append(number)
        return outcome if number <= 2 else OK

    run(box, send=send)
    assert begun == [[0, 1]] * (2 if outcome is OK else 3) + [[2]]


def test_a_slow_duplicate_delays_the_next_batch_until_it_is_over() -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    box.declare_fault(Latency(time=3_000), When(every=2, times=1))
    run(box)
    assert [(at, faults) for at, faults in zip(attempts_at(box), faults_of(box), strict=True)] == [
        (0, ("duplicate",)),
        (0, ("duplicate", "latency")),
        (3_000, ()),
    ]


def test_a_copy_that_is_accepted_does_not_spare_the_retry() -> None:
    box = box_with(1)
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    consumer = run(box, Consumer(lambda number: FAILED if number == 1 else OK))
    assert lists(consumer) == [[0]] * 3
    assert attempts_at(box) == [0, 0, 10_000]


@pytest.mark.parametrize(("age", "copies"), [(3 * DAY - 5_001, 1), (3 * DAY - 5_000, 0), (3 * DAY - 4_999, 0)])
def test_no_copy_of_an_event_that_is_too_old(age: int, copies: int) -> None:
    box = exporter(start=START + 4 * DAY)
    activated(box)
    happen(box, age=age)
    box.declare_fault(Duplicate(timing="later", delay=5_000), When())
    assert len(run(box).requests) == 1 + copies


def test_no_copy_once_the_webhook_exports_nothing() -> None:
    box = box_with(1)
    box.declare_fault(Duplicate(timing="later"), When())
    run(box, until=START)
    box.deactivate(CLIENT, 1)
    assert run(box, until=START + DAY).requests == []
    assert box.idle


def test_a_copy_that_does_not_go_out_holds_nothing_up() -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(), When(times=1))

    async def send(request: Request) -> Outcome:
        box.deactivate(CLIENT, 1)
        return OK

    run(box, send=send)
    box.activate(CLIENT, 1)
    assert lists(run(box)) == [[2]]


@pytest.mark.parametrize("timing", ["at-once", "concurrent"])
def test_a_copy_that_cannot_be_sent_holds_nothing_up(timing: Any) -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Duplicate(timing=timing), When(times=1))
    requests = []

    async def send(request: Request) -> Outcome:
        requests.append(request)
        if len(requests) == 2:
            raise CouldNotTellError("no descriptor is left")
        return OK

    with pytest.raises(CouldNotTellError):
        run(box, send=send)
    assert lists(run(box)) == [[2]]


def test_no_fault_is_spent_on_a_batch_that_a_duplicate_delays() -> None:
    box = box_with(2, list_max=2, event_age_max=120_000)
    box.declare_fault(Duplicate(timing="concurrent"), When(times=1))
    box.declare_fault(Latency(time=9_000), When(every=2, times=1))
    run(box, until=START + 1_000)
    declared = box.declare_fault(Chunked(), When(times=1))
    # The older one expires while the copy is on its way, which wakes the outbox.
    happen(box, age=117_000)
    happen(box)
    run(box, until=START + 8_999)
    assert (declared.hits, box.pending_count(1)) == (0, 1)
    run(box)
    assert attempts_at(box)[-1] == 9_000
    assert faults_of(box)[-1] == ("chunked",)


def test_giving_up_outlasts_any_latency() -> None:
    box = box_with(1)
    box.declare_fault(Latency(time=2_000), When(times=1))
    box.declare_fault(Timeout(), When(times=1))
    run(box)
    first, second = entries_of(box, Attempted)
    assert (first.took, first.outcome) == (10_000, TimedOut("wait"))
    assert (second.at - START, second.took, second.outcome) == (20_000, 0, OK)


def test_copies_meet_outages_and_faults_of_the_wire() -> None:
    box = box_with(1)
    box.declare_fault(Duplicate(timing="later", delay=1_000), When(times=2))
    box.declare_fault(LostAck(), When(every=2))
    consumer = run(box)
    assert [request.faults for request in consumer.requests] == [(), (LostAck(),)]
    assert faults_of(box) == [("duplicate",), ("duplicate", "lost-ack")]


# Lists in another form


def test_a_later_batch_before_an_earlier_one() -> None:
    box = box_with(7, list_max=2)
    box.declare_fault(Reorder(), When(times=1))
    assert lists(run(box)) == [[2, 3], [0, 1], [4, 5], [6]]


def test_every_batch_but_the_last_is_overtaken() -> None:
    box = box_with(7, list_max=2)
    box.declare_fault(Reorder(), When())
    assert lists(run(box)) == [[2, 3], [4, 5], [6], [0, 1]]


@pytest.mark.parametrize(("count", "hits"), [(2, 0), (3, 1)])
def test_a_reorder_waits_for_two_batches(count: int, hits: int) -> None:
    box = box_with(count, list_max=2)
    declared = box.declare_fault(Reorder(), When(times=1))
    run(box)
    assert declared.hits == hits


def test_an_overtaken_batch_expires_in_its_time() -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Reorder(), When(times=1))
    run(box, Consumer(FAILED))
    assert [entry.serials for entry in entries_of(box, Discarded)] == [((1, 3),)]


def test_a_retried_batch_is_topped_up() -> None:
    box = box_with(2, list_max=3)
    box.declare_fault(Refill(), When(times=1))
    run(box, Consumer(FAILED), until=START)
    happen(box, 3)
    assert lists(run(box)) == [[0, 1, 0], [1, 2]]


@pytest.mark.parametrize(("first", "newer", "hits"), [(3, 1, 0), (2, 0, 0), (2, 1, 1)])
def test_a_refill_needs_room_and_newer_events(first: int, newer: int, hits: int) -> None:
    box = box_with(first, list_max=3)
    declared = box.declare_fault(Refill(), When())
    run(box, Consumer(FAILED), until=START)
    if newer:
        happen(box, newer)
    run(box)
    assert declared.hits == hits


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (1, [[0, 1, 2], [2, 3, 4], [4, 5, 6]]),
        (2, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]),
        (99, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]),
    ],
)
def test_an_event_in_two_batches(events: int, expected: list[list[int]]) -> None:
    box = box_with(7, list_max=3)
    box.declare_fault(Overlap(events=events), When())
    assert lists(run(box)) == expected
    assert tally(box.journal.entries, [1]).delivered == [1, 2, 3, 4, 5, 6, 7]


def test_a_batch_that_overlaps_is_retried_as_it_is() -> None:
    box = box_with(3, list_max=2)
    box.declare_fault(Overlap(), When(times=1))
    consumer = run(box, Consumer(lambda number: FAILED if number == 2 else OK))
    assert lists(consumer) == [[0, 1], [1, 2], [1, 2]]
    assert [(entry.serials, entry.redelivered) for entry in entries_of(box, Attempted)] == [
        (((1, 2),), ()),
        (((3, 3),), ((2, 2),)),
        (((3, 3),), ((2, 2),)),
    ]


def test_expired_events_do_not_overlap() -> None:
    box = exporter()
    activated(box)
    happen(box)
    run(box)
    run(box, until=START + 3 * DAY)
    happen(box)
    box.declare_fault(Overlap(), When())
    assert lists(run(box)) == [[0]]


# Time


@pytest.mark.parametrize(
    ("time", "taken", "outcome"), [(0, 0, OK), (9_999, 9_999, OK), (10_000, 10_000, TimedOut("wait"))]
)
def test_an_attempt_takes_its_latency(time: int, taken: int, outcome: Outcome) -> None:
    box = box_with(1)
    box.declare_fault(Latency(time=time), When(times=1))
    run(box)
    first = entries_of(box, Attempted)[0]
    assert (first.took, first.outcome) == (taken, outcome)
    assert attempts_at(box) == ([0] if outcome == OK else [0, 20_000])


def test_the_ten_seconds_run_from_the_end_of_a_slow_attempt() -> None:
    box = box_with(1)
    box.declare_fault(Latency(time=300), When())
    run(box, Consumer(lambda number: OK if number == 3 else FAILED))
    assert attempts_at(box) == [0, 10_300, 20_600]


@pytest.mark.parametrize(
    ("distribution", "fits"),
    [
        ("uniform", lambda times: min(times) < 50 < 350 < max(times) <= 400),
        ("exponential", lambda times: min(times) < 50 < 400 < max(times)),
    ],
)
def test_latency_is_distributed_about_its_mean(distribution: Any, fits: Callable[[list[int]], bool]) -> None:
    def times() -> list[int]:
        box = box_with(1_000, list_max=1)
        box.declare_fault(Latency(time=200, distribution=distribution), When())
        run(box)
        return [entry.took for entry in entries_of(box, Attempted)]

    drawn = times()
    assert fits(drawn)
    assert 180 < sum(drawn) / len(drawn) < 220
    assert drawn == times()


def test_a_time_out_at_exactly_the_limit_although_the_consumer_responded() -> None:
    box = box_with(1)
    box.declare_fault(Timeout(), When(times=1))
    consumer = run(box)
    assert lists(consumer) == [[0], [0]]
    assert attempts_at(box) == [0, 20_000]
    assert [(entry.took, entry.outcome) for entry in entries_of(box, Attempted)] == [
        (10_000, TimedOut("wait")),
        (0, OK),
    ]


def test_an_attempt_that_failed_otherwise_does_not_time_out() -> None:
    box = box_with(1)
    box.declare_fault(Timeout(), When(times=1))
    cut = NoResponse("wait", "cut")
    run(box, Consumer(lambda number: cut if number == 1 else OK))
    assert [entry.outcome for entry in entries_of(box, Attempted)] == [cut, TimedOut("wait"), OK]
    assert faults_of(box) == [(), ("timeout",), ()]


# Faults of an acknowledgement

AWAITING = [LostAck(), LostAck(dropped="after-status"), LostAck(dropped="before-response"), Timeout(), Duplicate()]
AWAITING += [Duplicate(timing="later", delay=3_000)]
UNACKNOWLEDGED = [FAILED, Responded(204), TimedOut("wait"), NoResponse("connect", "connection refused")]


class Losing(Consumer):
    """Loses its 200 as a transport does."""

    async def send(self, request: Request) -> Outcome:
        outcome, lost = await super().send(request), last_of(request.faults, LostAck)
        return LOST[lost.dropped] if lost is not None and outcome.accepted else outcome


def losing(*outcomes: Outcome) -> Losing:
    """A consumer with these outcomes, which then accepts all."""
    return Losing(lambda number: outcomes[number - 1] if number <= len(outcomes) else OK)


@pytest.mark.parametrize("fault", AWAITING, ids=repr)
@pytest.mark.parametrize("outcome", UNACKNOWLEDGED, ids=repr)
def test_a_fault_of_an_acknowledgement_waits_for_one(fault: Fault, outcome: Outcome) -> None:
    box = box_with(1)
    declared = box.declare_fault(fault, When(times=2))
    run(box, Consumer(outcome), until=START + 300_000)
    assert declared.hits == 0
    assert {(entry.outcome, entry.faults) for entry in entries_of(box, Attempted)} == {(outcome, ())}
    run(box, losing())
    happen(box, 1)
    run(box, losing())
    assert declared.hits == 2
    assert not box.fault_table.declared


def test_a_fault_that_one_webhook_did_not_spend_waits_for_the_next_attempt_of_any() -> None:
    box = box_with(1, webhooks=2)
    declared = box.declare_fault(LostAck(), When(times=1))
    run(box, losing(FAILED))
    assert [(entry.webhook_id, entry.faults) for entry in entries_of(box, Attempted)] == [
        (1, ()),
        (2, ()),
        (1, ("lost-ack",)),
        (1, ()),
    ]
    assert declared.hits == 1


def test_a_fault_that_was_ended_during_its_attempt_does_not_come_back() -> None:
    box = box_with(1)
    declared = box.declare_fault(LostAck(), When(times=1))
    consumer = losing(FAILED)

    async def send(request: Request) -> Outcome:
        box.end_fault(declared.number)
        return await consumer.send(request)

    run(box, send=send)
    assert faults_of(box) == [(), ()]
    assert not box.fault_table.declared


def test_a_fault_whose_time_ended_during_its_attempt_does_not_come_back() -> None:
    box = box_with(1)
    box.declare_fault(LostAck(), When(duration=5_000))
    run(box, losing(FAILED))
    assert faults_of(box) == [(), ()]
    assert not box.fault_table.declared


def test_a_waiting_fault_does_not_let_simulated_attempts_be_sent() -> None:
    box = box_with(1, simulate_after=4)
    declared = box.declare_fault(LostAck(), When(times=1))
    consumer = run(box, losing(*[FAILED] * 10), until=START + 10_000 * 63)
    assert len(consumer.requests) == 8  # the first four, and numbers 8, 16, 32 and 64
    assert declared.hits == 0


@given(
    st.sampled_from(AWAITING[:4]),
    st.one_of(
        st.builds(When, times=st.integers(1, 4)),
        st.builds(When, every=st.integers(2, 4), times=st.integers(1, 3)),
        st.builds(When, probability=st.sampled_from([0.3, 0.7]), times=st.integers(1, 3)),
    ),
    st.lists(st.sampled_from([OK, *UNACKNOWLEDGED]), max_size=12),
)
def test_each_counted_hit_has_lost_an_acknowledgement(fault: Fault, when: When, outcomes: list[Outcome]) -> None:
    box = box_with(7, list_max=2)
    declared = box.declare_fault(fault, when)
    consumer = losing(*outcomes)
    answered: list[bool] = []

    async def send(request: Request) -> Outcome:
        outcome = await consumer.send(request)
        answered.append(outcome.accepted or outcome in LOST.values())
        return outcome

    run(box, send=send)
    hit = [bool(faults) for faults in faults_of(box)]
    assert len(hit) == len(answered)
    assert all(acknowledged for acknowledged, faults in zip(answered, hit, strict=True) if faults)
    assert sum(hit) == declared.hits
    # As if the consumer had only ever acknowledged.
    other = box_with(7, list_max=2)
    other.declare_fault(fault, when)
    run(other, losing())
    plain = [bool(faults) for faults in faults_of(other)]
    assert [faults for acknowledged, faults in zip(answered, hit, strict=True) if acknowledged] == plain


# The law, for batches of one webhook

ANY_FAULT = st.sampled_from(
    [
        *(fault() for fault in FAULTS.values() if issubclass(fault, WireFault)),
        Refused(),
        ConnectTimeout(),
        Duplicate(),
        Duplicate(timing="later", delay=3_000),
        Duplicate(timing="concurrent"),
        Reorder(),
        Refill(),
        Overlap(),
        Overlap(events=2),
        Latency(time=500),
        Latency(time=9_000, distribution="uniform"),
        Timeout(),
    ]
)
WHEN = st.one_of(
    st.builds(When, times=st.integers(1, 4)),
    st.builds(When, every=st.integers(1, 4), duration=st.sampled_from([5_000, 60_000])),
    st.builds(When, probability=st.sampled_from([0.3, 0.7]), duration=st.just(100_000)),
)


@given(
    st.lists(st.tuples(ANY_FAULT, WHEN), max_size=3),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.lists(st.sampled_from([OK, FAILED, TimedOut("wait"), NoResponse("wait", "cut")]), max_size=8),
)
def test_each_event_is_delivered_once_and_nothing_else_is_sent(
    faults: list[tuple[Fault, When]], counts: list[int], outcomes: list[Outcome]
) -> None:
    box = exporter(policy=Policy(batch_events_max=3))
    activated(box)
    consumer = Consumer(lambda number: outcomes[number - 1] if number <= len(outcomes) else OK)
    for fault, when in faults:
        box.declare_fault(fault, when)
    for count in counts:
        happen(box, count)
        run(box, consumer, until=box.clock.now + 4_000)
    run(box, consumer)
    account = tally(box.journal.entries, [1])
    assert sorted(account.delivered) == list(range(1, sum(counts) + 1))
    assert account.discarded == set()
    assert all(1 <= entry.events <= 3 for entry in entries_of(box, Attempted))
    assert box.pending_count(1) == 0
