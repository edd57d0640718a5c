from __future__ import annotations

import pytest

from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import Policy


def test_the_documented_numbers() -> None:
    policy = Policy()
    assert (policy.batch_events_max, policy.retry_interval, policy.event_age_max) == (100, 10_000, 259_200_000)


@pytest.mark.parametrize("name", ["batch_events_max", "retry_interval", "event_age_max", "timeout"])
def test_every_limit_is_at_least_one(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"policy.{name}: 0 is out of range"):
        Policy(**{name: 0})


def test_a_batch_has_at_most_a_hundred_events() -> None:
    assert Policy(batch_events_max=100).batch_events_max == 100
    with pytest.raises(InvalidInputError, match="allowed: 1 to 100"):
        Policy(batch_events_max=101)


def test_limits_must_not_contradict_each_other() -> None:
    assert Policy(retry_interval=9_999, event_age_max=10_000).retry_interval == 9_999
    with pytest.raises(InvalidInputError, match="10000 ms is not below event_age_max"):
        Policy(retry_interval=10_000, event_age_max=10_000)
