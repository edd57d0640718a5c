from __future__ import annotations

import pytest

from builders import START, events
from mockcampaign.engine.duplicates import applies_to_duplicates, duplicate_of, is_repeated_later
from mockcampaign.engine.outbox import Attempt
from mockcampaign.faults import FAULTS, Duplicate, Latency, SenderFault, Timeout, WireFault

BATCH = tuple(events(2))


@pytest.mark.parametrize(
    ("fault", "later", "delay"),
    [
        (Duplicate(timing="at-once"), True, 0),
        (Duplicate(timing="later", delay=7), True, 7),
        (Duplicate(timing="concurrent"), False, 0),
    ],
)
def test_when_a_batch_is_sent_a_second_time(fault: Duplicate, later: bool, delay: int) -> None:
    attempt = Attempt(1, 3, START, BATCH, (), (fault,))
    assert is_repeated_later(attempt) is later
    duplicate = duplicate_of(attempt, START)
    assert (duplicate.at, duplicate.number, duplicate.events) == (START + delay, 3, BATCH)


def test_a_duplicate_is_not_repeated() -> None:
    assert not is_repeated_later(Attempt(1, 3, START, (), BATCH, (Duplicate(),)))
    assert not is_repeated_later(Attempt(1, 3, START, BATCH))


def test_which_faults_hit_duplicates() -> None:
    hit = {fault for fault in FAULTS.values() if applies_to_duplicates(fault())}
    assert hit == {fault for fault in FAULTS.values() if issubclass(fault, WireFault)} | {Latency, Timeout}
    assert {fault for fault in FAULTS.values() if issubclass(fault, SenderFault)} - hit
