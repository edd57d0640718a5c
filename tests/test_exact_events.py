"""Exact events of the user's own: when they expire follows from the time that they contain."""

from __future__ import annotations

from typing import Any

import pytest

from builders import Consumer
from mockcampaign.campaign import Campaign
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_START, HOUR
from mockcampaign.shape.field import EventField, Role
from mockcampaign.shape.shape import Shape

OWN = Shape(
    event_type=EventType.CLICK,
    fields=(
        EventField(
            path=("when", "utc"), role=Role.MOMENT, source="captured", reason="", example="2024-12-31T23:00:00Z"
        ),
    ),
    examples=({"when": {"utc": "2024-12-31T23:00:00Z"}},),
)


@pytest.mark.parametrize(
    ("event", "shape", "age"),
    [
        ({"created": DEFAULT_START - HOUR}, None, HOUR),
        ({"created": "2024-12-31T23:00:00Z"}, None, HOUR),
        ({"created": DEFAULT_START - 3 * DAY}, None, 0),
        ({"created": DEFAULT_START + 1}, None, 0),
        ({"created": True}, None, 0),
        ({}, None, 0),
        ({"when": {"utc": "2024-12-31T23:00:00Z"}}, OWN, HOUR),
        ({"when": {"utc": "2024-12-31T23:00:00Z"}}, None, 0),
        ({"when": "yesterday"}, OWN, 0),
    ],
)
def test_an_event_is_as_old_as_its_shape_says(event: dict[str, Any], shape: Shape | None, age: int) -> None:
    campaign = Campaign(Consumer())  # type: ignore[arg-type]
    webhook = campaign.activate(campaign.create(EventType.CLICK, "http://consumer.test/"))
    campaign.emit_events(EventType.CLICK, [event], shape=shape)
    [pending] = campaign.pending(webhook)
    assert pending.created == DEFAULT_START - age
