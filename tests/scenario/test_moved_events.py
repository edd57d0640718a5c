"""Recorded events at another moment, each as old as it was."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mockcampaign.engine.journal import Happened
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_START, HOUR
from mockcampaign.scenario.replay import move_events
from mockcampaign.shape.moment import write_moment

MOMENTS = [1564590054000, 1564590054, "1564590054000", "2019-07-31T16:20:54Z", "2019-07-31T18:20:54+02:00"]


def moved(created: Any, by: int) -> tuple[int, dict[str, Any]]:
    event = {"type": "open", "mailId": "A", "created": created}
    entry = Happened(
        at=DEFAULT_START,
        client_id=1,
        type=EventType.OPEN,
        first_serial=1,
        webhook_ids=(),
        events=(msgspec.Raw(msgspec.json.encode(event)),),
    )
    [(at, payload)] = move_events(entry, DEFAULT_START + by, 1).payloads
    return at, msgspec.json.decode(payload)


@pytest.mark.parametrize("form", MOMENTS, ids=str)
def test_a_moved_event_keeps_its_age_and_the_form_of_its_time(form: Any) -> None:
    at, event = moved(write_moment(form, DEFAULT_START - HOUR), 2 * DAY)
    assert at == DEFAULT_START + 2 * DAY - HOUR
    assert event == {"type": "open", "mailId": "A", "created": write_moment(form, at)}


@pytest.mark.parametrize(
    "created", [None, True, "soon", DEFAULT_START + 1, DEFAULT_START - 3 * DAY, "2019-07-31T16:20:54Z"], ids=str
)
def test_an_event_whose_time_is_no_recent_one_is_new_and_stays_as_it_is(created: Any) -> None:
    at, event = moved(created, 2 * DAY)
    assert (at, event["created"]) == (DEFAULT_START + 2 * DAY, created)


def test_an_event_that_is_not_moved_stays_as_it_is() -> None:
    assert moved(DEFAULT_START - HOUR, 0)[1]["created"] == DEFAULT_START - HOUR
