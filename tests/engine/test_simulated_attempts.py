"""Long spans of equal failures are not sent attempt by attempt, where the policy says so."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from builders import START, Consumer, activated, attempts_at, entries_of, exporter, happen, run
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.journal import Attempted
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import Chunked
from mockcampaign.model import Measured, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.policy import Policy

BAD = Responded(500)


def played(answer: Outcome | object, simulate_after: int) -> tuple[Consumer, list[Attempted]]:
    box = exporter(policy=Policy(simulate_after=simulate_after))
    activated(box)
    happen(box, 3)
    consumer = run(box, Consumer(answer))  # type: ignore[arg-type]
    return consumer, entries_of(box, Attempted)


def test_three_days_of_equal_responses_take_a_handful_of_requests() -> None:
    consumer, attempted = played(BAD, 3)
    # The first three, and then those whose number is a power of two.
    assert len(consumer.requests) == 3 + len([4 << shift for shift in range(13)])
    assert sum(entry.count for entry in attempted) == 25_920
    assert sum(entry.count for entry in attempted if entry.simulated) == 25_920 - len(consumer.requests)
    assert all(entry.outcome == BAD for entry in attempted)


def test_a_simulated_attempt_has_no_measurements() -> None:
    _, attempted = played(Responded(500, measured=Measured(10, 20, 30)), 3)
    for entry in attempted:
        measured = entry.outcome.measured
        assert measured is UNSET if entry.simulated else measured.bytes_sent == 10 * entry.count
    assert {entry.simulated for entry in attempted} == {False, True}


def test_attempts_are_at_the_same_moments_as_without() -> None:
    moments = []
    for simulate_after in (0, 5):
        box = exporter(policy=Policy(simulate_after=simulate_after))
        activated(box)
        happen(box)
        run(box, Consumer(BAD))
        moments.append(attempts_at(box))
    assert moments[0] == moments[1]


@pytest.mark.parametrize(("number", "sent"), [(3, 3), (4, 4), (5, 8), (8, 8), (9, 16)])
def test_a_consumer_that_recovers_is_noticed_at_the_next_real_attempt(number: int, sent: int) -> None:
    _, attempted = played(lambda count: Responded(200) if _number(count) >= number else BAD, 3)
    assert attempted[-1].outcome.accepted
    assert attempted[-1].first_number == sent
    assert not attempted[-1].simulated


def _number(count: int) -> int:
    """The attempt's number, by how many requests there were."""
    return count if count <= 3 else 4 << (count - 4)


def test_an_attempt_with_a_fault_says_nothing_about_later_ones() -> None:
    box = exporter(policy=Policy(simulate_after=2))
    activated(box)
    happen(box)
    box.declare_fault(Chunked(), When(every=2))
    consumer = run(box, Consumer(BAD), until=START + 90_000)
    assert len(consumer.requests) == 10


def test_responses_with_one_status_are_alike_whatever_else_they_say() -> None:
    """Most frameworks name the request, or the moment, in each response."""
    consumer, attempted = played(lambda count: Responded(500, (("x-request-id", str(count)),), b"%d" % count, 9), 3)
    assert len(consumer.requests) == 3 + 13
    assert sum(entry.count for entry in attempted) == 25_920


def test_failures_that_differ_are_all_sent() -> None:
    answers = [Responded(500), Responded(502)]
    consumer, _ = played(lambda count: Responded(200) if count == 40 else answers[count % 2], 2)
    assert len(consumer.requests) == 40


def test_a_time_out_is_waited_for_only_once() -> None:
    consumer, attempted = played(TimedOut("wait"), 2)
    assert len(consumer.requests) == 2
    assert sum(entry.count for entry in attempted) > 10_000


def test_no_response_counts_as_failure_too() -> None:
    consumer, _ = played(NoResponse("wait", "closed"), 2)
    assert len(consumer.requests) == 2


def test_without_the_policy_all_are_sent() -> None:
    consumer, attempted = played(lambda count: Responded(200) if count == 200 else BAD, 0)
    assert len(consumer.requests) == 200
    assert not any(entry.simulated for entry in attempted)


def test_the_next_batch_is_really_sent() -> None:
    box = exporter(policy=Policy(simulate_after=2, batch_events_max=1))
    activated(box)
    happen(box, 2)
    consumer = run(box, Consumer(lambda count: Responded(200) if count > 3 else BAD))
    assert [len(request.body) for request in consumer.requests] == [len(b'[{"n":0}]')] * len(consumer.requests)
    assert entries_of(box, Attempted)[-1].first_number == 1


def test_a_negative_number_is_rejected() -> None:
    with pytest.raises(InvalidInputError, match=r"policy\.simulate_after: negative"):
        Policy(simulate_after=-1)
