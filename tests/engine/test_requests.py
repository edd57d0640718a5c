from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.engine.requests import BODIES_MAX, Bodies
from mockcampaign.model import Event

EVENTS = [Event(serial, 0, b'{"n":%d}' % serial) for serial in range(1, 5)]
"""Of serial 4 there is another one, as sample events are all of serial 0."""
LISTS = st.lists(st.sampled_from([*EVENTS, Event(4, 0, b'{"n":44}')]), max_size=4).map(tuple)


@given(st.lists(LISTS, max_size=8))
def test_a_body_is_that_of_the_batch_whatever_was_encoded_before(lists: list[tuple[Event, ...]]) -> None:
    bodies = Bodies()
    for events in lists:
        assert json.loads(bodies.of(events)) == [event.payload() for event in events]


def test_a_redelivered_batch_is_not_encoded_again() -> None:
    bodies = Bodies()
    first = bodies.of(tuple(EVENTS))
    assert bodies.of(tuple(EVENTS)) is first


def test_no_more_bodies_are_remembered_than_allowed() -> None:
    bodies = Bodies()
    lists = [(Event(serial, 0, b"{}"),) for serial in range(BODIES_MAX + 1)]
    first, second = bodies.of(lists[0]), bodies.of(lists[1])
    for events in lists[2:]:
        bodies.of(events)
    assert bodies.of(lists[1]) is second
    assert bodies.of(lists[0]) == first
    assert bodies.of(lists[0]) is not first
