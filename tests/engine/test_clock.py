from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.engine.clock import Clock


@given(st.lists(st.integers(0, 50)))
def test_every_due_moment_is_visited_in_order_and_ties_leave_in_order_of_arrival(dues: list[int]) -> None:
    clock: Clock[tuple[int, int]] = Clock(0)
    for index, due in enumerate(dues):
        clock.add(due, (due, index))
    left = []
    while items := clock.pop_due():
        assert {due for due, _ in items} == {clock.now}
        left += items
    assert left == sorted((due, index) for index, due in enumerate(dues))


@pytest.mark.parametrize(("until", "expected"), [(9, []), (10, ["x"]), (11, ["x"])])
def test_an_item_due_at_the_limit_leaves(until: int, expected: list[str]) -> None:
    clock: Clock[str] = Clock(0)
    clock.add(10, "x")
    assert clock.pop_due(until) == expected
    assert clock.now == (10 if expected else 0)


def test_an_item_may_fall_due_at_the_present_moment() -> None:
    clock: Clock[str] = Clock(5)
    clock.add(6, "soon")
    clock.add(5, "now")
    assert clock.next_due() == 5
    assert clock.pop_due(4) == []
    with pytest.raises(ValueError, match="something is due at 5 ms"):
        clock.spend(0)
    assert clock.pop_due(5) == ["now"]
    assert clock.next_due() == 6


def test_the_past_is_rejected() -> None:
    clock: Clock[str] = Clock(5)
    with pytest.raises(ValueError, match="4 ms lies before now, 5 ms"):
        clock.add(4, "late")


def test_spending_never_jumps_over_what_is_due() -> None:
    clock: Clock[str] = Clock(0)
    clock.add(10, "x")
    clock.spend(9)
    assert clock.now == 9
    with pytest.raises(ValueError, match="something is due at 10 ms"):
        clock.spend(1)
