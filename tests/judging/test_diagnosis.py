"""What missing and duplicate events have in common, as scenarios, tests and the server say it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import mockcampaign
from plugin_apps import App

Event = dict[str, Any]
Keep = Callable[[list[Event]], list[Event]]


def processed_by(keep: Keep, *, opens: int = 30, twice: int = 0, lost_ack: bool = False) -> str:
    """Return what a verdict says if the consumer keeps this of each batch; some mails are opened a second time."""
    stored: list[Event] = []

    class Keeping(App):
        async def before_response(self) -> None:
            stored.extend(keep(self.events))
            self.events.clear()

    with mockcampaign.campaign(Keeping(), policy=mockcampaign.Policy(batch_events_max=10)) as campaign:
        campaign.emit("open", count=opens)
        if lost_ack:
            with campaign.fault("lost-ack", times=1):
                campaign.run()
        campaign.run()
        again = [{**event, "created": event["created"] + 3_600_000} for event in campaign.delivered[:twice]]
        if again:
            campaign.advance("2h")
            campaign.emit("open", events=again)
            campaign.run()
        with pytest.raises(AssertionError) as raised:
            campaign.assert_compliant(processed=stored)
    return str(raised.value).partition("\n")[0]


def by_fields(*names: str) -> Keep:
    """Deduplicate on these fields alone."""
    known: set[str] = set()

    def keep(events: list[Event]) -> list[Event]:
        kept = []
        for event in events:
            key = json.dumps([event[name] for name in names])
            if key not in known:
                known.add(key)
                kept.append(event)
        return kept

    return keep


@pytest.mark.parametrize(
    ("keep", "twice", "missing", "common"),
    [
        (by_fields("mailId"), 4, "9 of 34", "each shares its mailId with a stored one"),
        (by_fields("recipientId"), 4, "", "each shares its mailId with a stored one"),
        (lambda events: events[:-1], 0, "3 of 30", "each was the last of its batch"),
        (lambda events: events[1:], 0, "3 of 30", "each was the first of its batch"),
        (lambda events: events[:1], 0, "27 of 30", "each was behind the first of its batch"),
        (
            lambda events: [event for event in events if event["device"] != "mobile"],
            0,
            "",
            'each has device "mobile", unlike every stored one',
        ),
    ],
)
def test_missing_events_have_something_in_common(keep: Keep, twice: int, missing: str, common: str) -> None:
    said = processed_by(keep, twice=twice)
    assert said.startswith(f"processed: {missing}")
    assert " delivered events are missing from the store" in said
    assert said.endswith(f"; {common}")


def test_a_whole_batch_is_missing() -> None:
    batches = iter(range(99))
    said = processed_by(lambda events: [] if next(batches) == 1 else events)
    assert said.endswith("; each was in a batch that is missing as a whole (1 of 3 batches)")


def test_duplicates_of_a_redelivered_batch() -> None:
    said = processed_by(lambda events: events, lost_ack=True)
    assert "10 duplicates are in the store" in said
    assert said.endswith("; each was sent more than once")


def in_store(*names: str, dropping: int = 0) -> Keep:
    """Look in the store for these fields, but not within a batch; the first events of a batch may be dropped, too."""
    known: set[str] = set()

    def keep(events: list[Event]) -> list[Event]:
        nonlocal dropping
        keys = [json.dumps([event[name] for name in names]) for event in events]
        kept = [event for event, key in zip(events, keys, strict=True) if key not in known][dropping:]
        known.update(keys)
        dropping = 0
        return kept

    return keep


@pytest.mark.parametrize(
    ("keep", "common"),
    [
        (in_store("mailId"), "; each shares its mailId with a stored one"),
        (in_store("mailId", dropping=2), r"; 1\d of 1\d share their mailId with a stored one"),
    ],
)
def test_most_missing_events_have_something_in_common(keep: Keep, common: str) -> None:
    said = processed_by(keep, twice=10)
    assert re.search(f"{common}$", said), said


def test_nothing_is_made_up() -> None:
    several = iter([True, False, True, True, False] * 99)
    said = processed_by(lambda events: [event for event in events if next(several)])
    assert "; each" not in said
