from __future__ import annotations

import pytest

from builders import START, events
from mockcampaign.engine.failure_runs import FailureRuns
from mockcampaign.engine.outbox import Attempt
from mockcampaign.faults import Chunked, LostAck
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut

BATCH = tuple(events(2))
BUSY = Responded(503)


def attempt(number: int, **changes: object) -> Attempt:
    return Attempt(**{"webhook_id": 1, "number": number, "started_at": START, "events": BATCH, **changes})  # type: ignore[arg-type]


def after(*outcomes: Outcome) -> FailureRuns:
    runs = FailureRuns(3)
    for index, outcome in enumerate(outcomes):
        runs.record(attempt(index + 1), outcome)
    return runs


@pytest.mark.parametrize(
    ("outcomes", "simulated"),
    [
        ([BUSY, BUSY], None),
        ([BUSY, BUSY, BUSY], BUSY),
        ([BUSY, BUSY, Responded(500)], None),
        ([BUSY, BUSY, BUSY, Responded(200)], None),
        ([TimedOut("wait")] * 3, TimedOut("wait")),
        ([NoResponse("wait", "gone"), *[TimedOut("wait")] * 2], None),
    ],
)
def test_attempts_are_simulated_after_equal_failures(outcomes: list[Outcome], simulated: Outcome | None) -> None:
    runs = after(*outcomes)
    assert runs.simulate(attempt(5)) == simulated
    assert (1 in runs.simulated) is (simulated is not None)


@pytest.mark.parametrize(("number", "sent"), [(15, False), (16, True), (17, False)])
def test_attempts_whose_number_is_a_power_of_two_are_sent(number: int, sent: bool) -> None:
    assert (after(BUSY, BUSY, BUSY).simulate(attempt(number)) is None) is sent


def test_a_run_belongs_to_one_batch_of_one_webhook() -> None:
    runs = after(BUSY, BUSY, BUSY)
    assert runs.simulate(attempt(5, events=tuple(events(2)))) is None
    assert runs.simulate(attempt(5, webhook_id=2)) is None


def test_an_attempt_with_a_fault_ends_the_run() -> None:
    runs = after(BUSY, BUSY, BUSY)
    runs.record(attempt(4, faults=(Chunked(),)), BUSY, (Chunked(),))
    assert runs.simulate(attempt(5)) is None


def test_an_attempt_on_which_its_fault_had_no_effect_is_one_of_the_run() -> None:
    runs = after(BUSY, BUSY)
    runs.record(attempt(3, faults=(LostAck(),)), BUSY)
    assert runs.simulate(attempt(5)) == BUSY


def test_after_forgetting_the_batch_has_to_fail_anew() -> None:
    runs = after(BUSY, BUSY, BUSY)
    runs.forget()
    assert runs.simulate(attempt(5)) is None
