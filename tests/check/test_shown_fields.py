"""What is compared of events, and that no event is taken for another one that was compared before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.check.probes.shown_fields import ShownFields
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role

OPEN = builtin_shape(EventType.OPEN)
ADDRESS = OPEN.name(Role.NETWORK_ADDRESS)
NAMES = frozenset({"mailId", ADDRESS})

values = st.sampled_from([None, 0, 0.0, False, 1, 1.0, True, "", "1", "a", "a\0", "\ud83d", "::1", "0:0:0:0:0:0:0:1"])
events = st.dictionaries(st.sampled_from(["mailId", ADDRESS, "other"]), values)


@given(st.lists(events))
def test_each_event_is_compared_as_if_it_were_the_first(seen: list[dict[str, Any]]) -> None:
    shown = ShownFields(NAMES, [OPEN])
    for event in [*seen, *seen]:
        assert shown.of(event) == ShownFields(NAMES, [OPEN]).of(event)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"mailId": "A", "other": 1}, {"mailId": "A", "other": 2}),
        ({"mailId": "A", ADDRESS: None}, {"mailId": "A"}),
        ({ADDRESS: "2001:db8::1"}, {ADDRESS: "2001:DB8:0:0:0:0:0:1"}),
        ({"mailId": "A\0"}, {"mailId": "A"}),
        ({"mailId": "A", ADDRESS: "::1"}, {ADDRESS: "::1", "mailId": "A"}),
    ],
    ids=["not shown", "null", "spelling", "no store has to hold it", "order"],
)
def test_events_that_differ_in_nothing_shown_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    shown = ShownFields(NAMES, [OPEN])
    assert shown.of(one) == shown.of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"mailId": 1}, {"mailId": True}),
        ({"mailId": 1}, {"mailId": 1.0}),
        ({"mailId": "1"}, {"mailId": 1}),
        ({ADDRESS: "2001:db8::1"}, {ADDRESS: "2001:db8::2"}),
        ({"mailId": ""}, {}),
    ],
)
def test_events_that_differ_in_a_shown_field_are_not_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    shown = ShownFields(NAMES, [OPEN])
    assert shown.of(one) != shown.of(other)
