from __future__ import annotations

from itertools import product

import pytest

from builders import START, event, events, outbox
from mockcampaign.engine.outbox import IDLE, Attempt, Discard, Due, Outbox
from mockcampaign.policy import DAY, HOUR, Policy

TEN_SECONDS = 10_000


def start(box: Outbox, now: int = START) -> Attempt:
    attempt = box.start(now)
    assert attempt is not None
    return attempt


def serials(batch: object) -> list[int]:
    return [one.serial for one in batch]  # type: ignore[attr-defined]


def discarded(discards: tuple[Discard, ...]) -> list[int]:
    return [serial for discard in discards for serial in serials(discard.events)]


@pytest.mark.parametrize("outcomes", [o for n in range(1, 6) for o in product([True, False], repeat=n)])
def test_every_sequence_of_outcomes(outcomes: tuple[bool, ...]) -> None:
    """Once accepted, the next batch is due at once; after a failure the same one in 10 s, with the next number."""
    box = outbox(policy=Policy(batch_events_max=1), holding=events(5))
    now, expected_serial, expected_number = START, 1, 1
    for accepted in outcomes:
        assert box.next_at(0) == now
        attempt = start(box, now)
        assert (serials(attempt.events), attempt.number) == ([expected_serial], expected_number)
        assert box.start(now) is None, "at most one request in flight"
        box.complete(attempt, accepted, now)
        if accepted:
            expected_serial, expected_number = expected_serial + 1, 1
        else:
            assert box.start(now + TEN_SECONDS - 1) is None
            now, expected_number = now + TEN_SECONDS, expected_number + 1
    assert serials(box.pending) == list(range(expected_serial, 6))


@pytest.mark.parametrize(("count", "lists"), [(99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_batches_of_at_most_a_hundred_in_order(count: int, lists: list[int]) -> None:
    box = outbox(holding=events(count))
    sent = []
    while box.state is not IDLE:
        attempt = start(box)
        sent.append(serials(attempt.events))
        box.complete(attempt, True, START)
    assert [len(one) for one in sent] == lists
    assert [serial for one in sent for serial in one] == list(range(1, count + 1))


def test_the_retry_keeps_its_batch_and_newer_events_wait() -> None:
    box = outbox(holding=events(2))
    first = start(box)
    box.accept([tuple(events(3, first=3))], START)
    box.complete(first, False, START)
    assert start(box, START + TEN_SECONDS).events is first.events


def test_refill_tops_the_retry_up_to_the_limit() -> None:
    box = outbox(policy=Policy(refill=True, batch_events_max=4), holding=events(2))
    attempt = start(box)
    box.accept([tuple(events(3, first=3))], START)
    box.complete(attempt, False, START)
    assert serials(start(box, START + TEN_SECONDS).events) == [1, 2, 3, 4]
    assert serials(box.pending) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("age", "left"), [(3 * DAY - 1, [1]), (3 * DAY, []), (3 * DAY + 1, [])])
def test_an_event_expires_at_three_days(age: int, left: list[int]) -> None:
    box = outbox(holding=events(1))
    gone = discarded(box.expire(START + age))
    assert serials(box.pending) == left
    assert len(left) + len(gone) == 1


def test_exactly_the_expired_events_leave_a_retried_batch() -> None:
    old, young = events(40), events(60, first=41, created=START + HOUR)
    box = outbox(holding=[*old, *young])
    box.complete(start(box, START + HOUR), False, START + HOUR)
    assert discarded(box.expire(START + 3 * DAY)) == serials(old)
    attempt = start(box, START + 3 * DAY)
    assert (serials(attempt.events), attempt.number) == (serials(young), 2)


def test_when_a_whole_batch_expires_the_next_one_is_new() -> None:
    box = outbox(policy=Policy(batch_events_max=1), holding=[event(1), event(2, START + HOUR)])
    box.complete(start(box), False, START)
    assert discarded(box.expire(START + 3 * DAY)) == [1]
    attempt = start(box, START + 3 * DAY)
    assert (serials(attempt.events), attempt.number) == ([2], 1)


def test_a_batch_under_way_does_not_expire() -> None:
    box = outbox(holding=events(1))
    attempt = start(box, START + 3 * DAY - 1)
    assert box.expire(START + 3 * DAY) == ()
    box.complete(attempt, True, START + 3 * DAY)
    assert box.pending == []


def test_an_event_reported_late_goes_first() -> None:
    box = outbox(policy=Policy(batch_events_max=2), holding=events(2, created=START))
    box.accept([(event(3, START - HOUR),)], START)
    assert serials(start(box).events) == [3, 1]


def test_nothing_starts_while_deactivated_and_everything_resumes() -> None:
    box = outbox(holding=events(1))
    box.deactivate()
    assert box.start(START) is None
    assert box.is_idle
    assert box.next_at(0) == START + 3 * DAY
    box.activate(START + HOUR)
    assert start(box, START + HOUR).number == 1


@pytest.mark.parametrize(("resumed_after", "due_after"), [(9_999, 10_000), (10_000, 10_000), (10_001, 10_001)])
def test_a_resumed_retry_keeps_its_moment_if_that_is_to_come(resumed_after: int, due_after: int) -> None:
    box = outbox(holding=events(1))
    box.complete(start(box), False, START)
    box.deactivate()
    box.activate(START + resumed_after)
    assert box.next_at(0) == START + due_after


def test_deleting_gives_up_all_that_waits() -> None:
    box = outbox(policy=Policy(batch_events_max=1), holding=events(3))
    box.complete(start(box), False, START)
    box.deactivate()
    assert discarded(box.delete()) == [1, 2, 3]
    assert (box.state, box.pending, box.next_at(0)) == (IDLE, [], None)


@pytest.mark.parametrize(("accepted", "given_up"), [(True, []), (False, [1])])
def test_a_batch_under_way_outlives_the_webhook(accepted: bool, given_up: list[int]) -> None:
    box = outbox(policy=Policy(batch_events_max=1), holding=events(2))
    attempt = start(box)
    box.deactivate()
    assert discarded(box.delete()) == [2]
    assert discarded(box.complete(attempt, accepted, START)) == given_up
    assert box.pending == []


def test_a_first_attempt_has_no_batch_before_it_starts() -> None:
    box = outbox(holding=events(1))
    assert box.state == Due(START, 1, ())


IDLE_BOX, DUE_BOX, RETRY_BOX, BUSY_BOX = "idle", "due", "retry", "busy"
UNCHANGED = "unchanged"


def box_in(state: str) -> Outbox:
    """One event is pending unless idle, and one more behind the batch of an attempt."""
    box = outbox(policy=Policy(batch_events_max=1), holding=() if state == IDLE_BOX else events(2))
    if state in (RETRY_BOX, BUSY_BOX):
        attempt = start(box)
        if state == RETRY_BOX:
            box.complete(attempt, False, START)
    return box


def act(box: Outbox, command: str, now: int) -> None:
    match command:
        case "accept":
            box.accept([tuple(events(1, first=3, created=now))], now)
        case "activate":
            box.activate(now)
        case "deactivate":
            box.deactivate()
        case "retry":
            box.retry(now)
        case "expire":
            box.expire(now)
        case "delete":
            box.delete()
        case "start":
            box.start(now)
        case "abandon" | "accepted" | "rejected":
            attempt = box.state if isinstance(box.state, Attempt) else Attempt(1, 1, now, tuple(events(1)))
            if command == "abandon":
                box.abandon(attempt, now)
            else:
                box.complete(attempt, command == "accepted", now)


@pytest.mark.parametrize(
    ("command", "idle", "due", "retry", "busy"),
    [
        ("accept", Due(START + 1, 1, ()), UNCHANGED, UNCHANGED, UNCHANGED),
        ("activate", UNCHANGED, Due(START + 1, 1, ()), UNCHANGED, UNCHANGED),
        ("deactivate", UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED),
        ("retry", UNCHANGED, Due(START + 1, 1, ()), Due(START + 1, 2, (event(1),)), UNCHANGED),
        ("expire", UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED),
        ("delete", UNCHANGED, IDLE, IDLE, UNCHANGED),
        ("start", UNCHANGED, Attempt(1, 1, START + 1, (event(1),)), UNCHANGED, UNCHANGED),
        ("abandon", AssertionError, AssertionError, AssertionError, Due(START + 1, 1, (event(1),))),
        ("accepted", AssertionError, AssertionError, AssertionError, Due(START + 1, 1, ())),
        ("rejected", AssertionError, AssertionError, AssertionError, Due(START + 10_001, 2, (event(1),))),
    ],
)
def test_the_table_of_the_machine(command: str, idle: object, due: object, retry: object, busy: object) -> None:
    """Where each command leads from each state, a millisecond after the events occurred."""
    for state, after in {IDLE_BOX: idle, DUE_BOX: due, RETRY_BOX: retry, BUSY_BOX: busy}.items():
        box = box_in(state)
        before = box.state
        if after is AssertionError:
            with pytest.raises(AssertionError):
                act(box, command, START + 1)
            after = UNCHANGED
        else:
            act(box, command, START + 1)
        assert box.state == (before if after is UNCHANGED else after), (command, state)


COMMANDS = ("accept", "activate", "deactivate", "retry", "delete", "start", "accepted", "rejected")


@pytest.mark.parametrize("first", COMMANDS)
def test_every_sequence_of_commands(first: str) -> None:
    """No event is lost or doubled, none starts before it is due, and `next_at` misses neither a start nor an expiry."""
    policy = Policy(batch_events_max=1, retry_interval=2, event_age_max=4)
    for rest in product(COMMANDS, repeat=3):
        box, now, made, gone, delivered = outbox(policy=policy), START, 0, [], []
        activated = True
        for command in (first, *rest):
            now += 1
            attempt = box.state if isinstance(box.state, Attempt) else None
            match command:
                case "accept":
                    made += 1
                    gone += discarded(box.accept([(event(made, now),)], now))
                case "activate":
                    gone += discarded(box.activate(now))
                case "deactivate":
                    box.deactivate()
                case "retry":
                    gone += discarded(box.retry(now))
                case "delete":
                    gone += discarded(box.delete())
                case "start":
                    gone += discarded(box.expire(now))
                    due = box.state
                    is_due = isinstance(due, Due) and activated and due.at <= now
                    assert (box.start(now) is not None) is is_due
                case _ if attempt is not None:
                    gone += discarded(box.complete(attempt, command == "accepted", now))
                    delivered += serials(attempt.events) if command == "accepted" else []
            activated = command == "activate" or (activated and command not in ("deactivate", "delete"))
            assert sorted(gone + delivered + serials(box.pending)) == list(range(1, made + 1))
            assert len(box.pending) == box.pending_count
            state = box.state
            assert box.is_idle is (state == IDLE or (isinstance(state, Due) and not activated))
            if isinstance(state, Due):
                oldest = min(one.created for one in box.pending)
                moments = [oldest + 4, *([state.at] if activated else [])]
                assert box.next_at(now) == max(min(moments), now)
