"""Ranges of serials behave as sets of numbers do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.judging.serials import Serials

RANGE = st.tuples(st.integers(1, 40), st.integers(0, 9)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1]))


@given(st.lists(st.tuples(st.booleans(), RANGE), max_size=30))
def test_serials_are_a_set(changes: list[tuple[bool, tuple[int, int]]]) -> None:
    serials, model = Serials(), set[int]()
    for is_added, (first, last) in changes:
        if is_added:
            serials.update(((first, last),))
            model |= set(range(first, last + 1))
        else:
            serials.difference_update(((first, last),))
            model -= set(range(first, last + 1))
        assert list(serials) == sorted(model)
        assert len(serials) == len(model)
        assert [serial in serials for serial in range(52)] == [serial in model for serial in range(52)]
        ranges = serials.ranges
        assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges))


@given(st.frozensets(st.integers(1, 30)), st.frozensets(st.integers(1, 30)))
def test_serials_are_combined_as_sets_are(left: frozenset[int], right: frozenset[int]) -> None:
    one, other = Serials(left), Serials(right)
    assert one == left
    assert set(one & other) == left & right
    assert set(one | other) == left | right
    assert set(one - other) == left - right
    assert one.isdisjoint(other) == left.isdisjoint(right)


def test_serials_say_what_they_contain() -> None:
    assert repr(Serials([3, 1, 2, 7])) == "Serials(((1, 3), (7, 7)))"
    assert "1" not in Serials([1])
