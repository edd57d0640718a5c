from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockcampaign.campaign import Campaign
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX, Policy, id_beside
from mockcampaign.transport.always_ok import AlwaysOkTransport


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


@given(client_id=st.integers(1, INT64_MAX) | st.integers(INT64_MAX - 200, INT64_MAX), number=st.integers(1, 200))
@example(client_id=123456789001, number=53)
def test_an_id_beside_that_of_a_client_is_one_of_the_vendors(client_id: int, number: int) -> None:
    found = id_beside(client_id, number)
    assert 1 <= found <= INT64_MAX
    assert found == client_id * 100 + number or client_id * 100 + number > INT64_MAX


@pytest.mark.parametrize("client_id", [-1, 0, INT64_MAX + 1])
def test_no_door_of_the_facade_takes_an_id_that_no_client_can_have(client_id: int) -> None:
    campaign = Campaign(AlwaysOkTransport())
    calls: list[Callable[[], object]] = [
        lambda: campaign.create(EventType.OPEN, "http://127.0.0.1:9/", client_id=client_id),
        lambda: campaign.client(client_id),
        lambda: campaign.emit(EventType.OPEN, client_id=client_id),
        lambda: campaign.mailing(3, client_id=client_id),
        lambda: Campaign(AlwaysOkTransport(), clients={client_id: ClientDefinition()}),
    ]
    for call in calls:
        with pytest.raises(InvalidInputError, match=f"^client id {client_id}, allowed: 1 to {INT64_MAX}$"):
            call()
