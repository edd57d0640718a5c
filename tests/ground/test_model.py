"""An event run is the tuple of its events, which it makes only when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.model import Event, EventRun, encode_batch

indexes = st.none() | st.integers(-7, 7)


def pair(count: int) -> tuple[EventRun, tuple[Event, ...]]:
    payloads = tuple(b"%d" % number for number in range(count))
    return EventRun(11, 5, payloads), tuple(Event(11 + at, 5, one) for at, one in enumerate(payloads))


@settings(max_examples=50)
@given(st.integers(1, 5), indexes, indexes, st.sampled_from((None, 1, 2, -1)))
def test_a_run_and_its_parts_are_those_of_a_tuple(
    count: int, start: int | None, stop: int | None, step: int | None
) -> None:
    run, events = pair(count)
    for part, expected in ((run, events), (run[start:stop:step], events[start:stop:step])):
        assert part == expected
        assert expected == part
        assert (len(part), list(part), [part[at] for at in range(-len(part), len(part))]) == (
            len(expected),
            list(expected),
            [*expected, *expected],
        )
        assert encode_batch(part) == encode_batch(tuple(expected))
    assert hash(run) == hash(events)
    assert repr(run) == repr(events)
    assert run.last_serial == events[-1].serial


@pytest.mark.parametrize("index", [3, -4])
def test_there_is_nothing_beyond_its_ends(index: int) -> None:
    run, _ = pair(3)
    with pytest.raises(IndexError):
        run[index]


def test_the_whole_of_a_run_is_the_run_itself() -> None:
    """Otherwise the outboxes that share it would no longer share its body."""
    run, _ = pair(3)
    assert run[0:100] is run


@pytest.mark.parametrize("other", [EventRun(11, 6, (b"0",)), EventRun(12, 5, (b"0",)), EventRun(11, 5, (b"1",)), [], 3])
def test_a_run_differs_from_other_events(other: Sequence[Event] | int) -> None:
    assert pair(1)[0] != other
