"""When events occur: at a constant rate, exactly as many as the load has, whatever a consumer does."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.errors import InvalidInputError
from mockcampaign.load_test.arrivals import Arrival, Load, PlannedOutage

LOADS = st.builds(
    Load,
    events_per_second=st.integers(1, 50_000),
    milliseconds=st.integers(1, 5_000),
    webhooks=st.integers(1, 20),
)


@given(LOADS)
def test_each_event_occurs_at_the_moment_that_the_rate_gives_it(load: Load) -> None:
    arrivals = list(load.arrivals())
    assert sum(arrival.count for arrival in arrivals) == load.events
    assert all(one.at <= other.at for one, other in pairwise(arrivals))
    assert all(0 <= arrival.at < load.milliseconds for arrival in arrivals)
    before = 0
    for arrival in arrivals:
        assert arrival.at == before * 1_000 // load.events_per_second
        before += arrival.count


@given(LOADS)
def test_webhooks_get_events_in_turn_and_never_more_than_a_batch_at_once(load: Load) -> None:
    arrivals = list(load.arrivals())
    assert [arrival.webhook for arrival in arrivals] == [index % load.webhooks for index in range(len(arrivals))]
    assert all(1 <= arrival.count <= 100 for arrival in arrivals)


@pytest.mark.parametrize(("rate", "together"), [(5, 1), (20, 1), (40, 2), (2_000, 100), (20_000, 100)])
def test_events_of_a_tenth_of_a_second_occur_together_but_at_most_a_batch(rate: int, together: int) -> None:
    assert (
        Load(events_per_second=rate, milliseconds=1_000, webhooks=2).together
        == min(100, max(1, rate // 20))
        == together
    )


def test_the_last_arrival_has_what_is_left() -> None:
    load = Load(events_per_second=1_500, milliseconds=200)
    assert [*load.arrivals()] == [Arrival(0, 0, 100), Arrival(66, 0, 100), Arrival(133, 0, 100)]
    assert [*Load(events_per_second=1_010, milliseconds=200).arrivals()][-1] == Arrival(198, 0, 2)


@pytest.mark.parametrize(("start", "end"), [(900, 1_000), (900, 1_001)])
def test_an_outage_ends_within_the_load(start: int, end: int) -> None:
    with pytest.raises(InvalidInputError, match="does not end before the load does, allowed: an end before 1s"):
        Load(events_per_second=1, milliseconds=1_000, outages=(PlannedOutage(start, end),))


@pytest.mark.parametrize(("end", "allowed"), [(1_500, True), (1_501, False)])
def test_an_outage_makes_no_more_events_pending_than_are_allowed(end: int, allowed: bool) -> None:
    given = {"events_per_second": 1_000, "milliseconds": 9_000, "pending_max": 500}
    with contextlib.nullcontext() if allowed else pytest.raises(InvalidInputError, match=r"up to 500 \(--pending-max"):
        Load(**given, outages=(PlannedOutage(1_000, end),))


def test_outages_do_not_overlap() -> None:
    with pytest.raises(InvalidInputError, match=r"outage 9ms\.\.20ms begins before the outage 0s\.\.10ms is over"):
        Load(events_per_second=1, milliseconds=1_000, outages=(PlannedOutage(0, 10), PlannedOutage(9, 20)))
