"""Noticing a consumer that accepts nothing."""

from __future__ import annotations

import pytest

from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.responses.rejections import REJECTED_MAX, TIMED_OUT_MAX, Rejections
from mockcampaign.model import Outcome, Responded, TimedOut


def attempts(outcome: Outcome, count: int = 1, *, webhook_id: int = 1, faults: tuple[str, ...] = ()) -> Attempted:
    return Attempted(
        at=0,
        webhook_id=webhook_id,
        serials=((1, 2),),
        first_number=1,
        count=count,
        interval=10_000,
        took=0,
        outcome=outcome,
        faults=faults,
    )


def found_after(*entries: Attempted) -> int | None:
    """Return how many attempts were rejected when the last entry was noted."""
    rejections = Rejections()
    for position, entry in enumerate(entries):
        rejections.note(position, entry)
    return None if rejections.found is None else rejections.found.attempts


@pytest.mark.parametrize(
    ("outcome", "most"),
    [(Responded(404), REJECTED_MAX), (Responded(204), REJECTED_MAX), (TimedOut("wait"), TIMED_OUT_MAX)],
)
def test_a_few_attempts_are_enough(outcome: Outcome, most: int) -> None:
    assert found_after(attempts(outcome, most - 1)) is None
    assert found_after(attempts(outcome, most - 1), attempts(outcome)) == most
    assert found_after(attempts(outcome, most)) == most


def test_an_entry_that_grows_is_counted_once() -> None:
    rejections = Rejections()
    for count in range(1, REJECTED_MAX):
        rejections.note(0, attempts(Responded(503), count))
        assert rejections.found is None
    rejections.begin()
    rejections.note(0, attempts(Responded(503), REJECTED_MAX))
    assert rejections.found is None
    rejections.note(0, attempts(Responded(503), 2 * REJECTED_MAX - 1))
    assert rejections.found is not None


def test_who_has_accepted_once_may_reject_for_three_days() -> None:
    assert found_after(attempts(Responded(200)), attempts(Responded(404), 25_920)) is None


def test_another_webhook_is_none_of_its_business() -> None:
    accepted = attempts(Responded(200), webhook_id=2)
    assert found_after(accepted, attempts(Responded(404), REJECTED_MAX)) == REJECTED_MAX
    half = REJECTED_MAX - 1
    assert found_after(attempts(Responded(404), half), attempts(Responded(404), half, webhook_id=2)) is None


def test_what_a_fault_hits_is_intended() -> None:
    assert found_after(attempts(Responded(200), faults=("lost-ack",))) is None
    assert found_after(attempts(TimedOut("wait"), 100, faults=("timeout",))) is None
