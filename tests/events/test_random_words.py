"""Random words that depend on seed and number alone."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import field_values
from mockcampaign.events.people import Permutation, base36
from mockcampaign.events.random_words import WORD, DurationCurve, RandomWords, WeightedChoice, threshold

WORDS = st.integers(0, WORD - 1)


def test_words_depend_on_seed_name_and_number_alone() -> None:
    source = RandomWords("1", "a")
    first = source.words(5)
    source.words(6)
    assert source.words(5) == first == RandomWords("1", "a").words(5)
    assert len({first, source.words(6), RandomWords("2", "a").words(5), RandomWords("1", "b").words(5)}) == 4
    assert len(first) == 16
    assert all(0 <= word < WORD for word in first)


def test_streams_differ_and_do_not_repeat() -> None:
    """The words cross the border of a block."""
    source = RandomWords("1", "a")
    throws = list(islice(source.stream(1), 200))
    assert throws == list(islice(RandomWords("1", "a").stream(1), 200))
    assert len({*throws, *islice(source.stream(2), 200), *(source.words(number) for number in range(200))}) == 600


def test_words_are_spread_evenly() -> None:
    """Each sixteenth gets a sixteenth of 32,000 words, within a tenth: four standard deviations."""
    counts = Counter(word * 16 // WORD for throw in islice(RandomWords("1", "a").stream(1), 2_000) for word in throw)
    assert set(counts) == set(range(16))
    assert all(abs(count - 2_000) < 200 for count in counts.values())


@pytest.mark.parametrize(("rate", "below"), [(0, 0), (0.5, WORD // 2), (1, WORD)])
def test_a_rate_becomes_the_threshold_of_a_word(rate: float, below: int) -> None:
    assert threshold(rate) == below


@pytest.mark.parametrize("rate", [-0.001, 1.001, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_rejected(rate: float) -> None:
    with pytest.raises(InvalidInputError, match="is out of range, allowed: 0 to 1"):
        threshold(rate)


def test_items_are_chosen_by_weight() -> None:
    mix = WeightedChoice([(1, "a"), (3, "b"), (0, "c")])
    assert [mix.choose(word) for word in (0, WORD // 4 - 1, WORD // 4, WORD - 1)] == ["a", "a", "b", "b"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(WORDS, WORDS)
def test_a_curve_rises_through_its_knots(one: int, other: int) -> None:
    curve = DurationCurve(field_values.OPEN_DELAYS)
    low, high = sorted((one, other))
    assert (
        field_values.OPEN_DELAYS[0][1] <= curve.duration(low) <= curve.duration(high) <= field_values.OPEN_DELAYS[-1][1]
    )


def test_a_curve_goes_through_its_knots() -> None:
    curve = DurationCurve(((0, 10), (250, 20), (1_000, 320)))
    assert [curve.duration(word) for word in (0, WORD // 4, WORD // 2)] == [10, 20, 120]
    assert curve.duration(WORD - 1) == 319


@pytest.mark.parametrize("knots", [((1, 0), (1_000, 5)), ((0, 0), (999, 5)), ((0, 0), (500, 9), (400, 9), (1_000, 9))])
def test_a_curve_has_both_ends_and_rises(knots: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="a curve rises from share 0 to 1000"):
        DurationCurve(knots)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(2, 10**30), st.integers(0, 2**62), st.data())
def test_a_permutation_maps_different_numbers_to_different_ones(size: int, seed: int, data: st.DataObject) -> None:
    numbering = Permutation(size, RandomWords("1", "n").words(seed))
    one, other = data.draw(st.tuples(*[st.integers(0, size - 1)] * 2))
    assert (numbering.apply(one) == numbering.apply(other)) is (one == other)
    assert 0 <= numbering.apply(one) < size


@pytest.mark.parametrize(
    ("number", "text"), [(0, "AAAAAA"), (1, "AAAAAB"), (35, "AAAAA9"), (36, "AAAABA"), (36**6 - 1, "999999")]
)
def test_base_36_counts_from_a(number: int, text: str) -> None:
    assert base36(number, 6) == text


def test_shares_add_up() -> None:
    assert sum(weight for weight, _ in field_values.MAILBOXES) == 10_000
    assert sum(field_values.LINK_WEIGHTS) == sum(weight for weight, _ in field_values.ZONES) == 100
    assert (
        sum(weight for weight, _ in field_values.SECOND_DEVICES)
        == sum(weight for weight, _ in field_values.APPLE_MAILBOXES)
        == 100
    )
    assert sum(field_values.ACTIVITY) == 2_400
    assert len(field_values.LINKS) == len(field_values.LINK_WEIGHTS)
