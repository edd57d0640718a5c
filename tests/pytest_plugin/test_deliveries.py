"""Views of a journal, and of a server's journal, which is bounded."""

from __future__ import annotations

import asyncio

import pytest

from builders import Consumer
from mockcampaign.campaign import Campaign
from mockcampaign.double.control.deliveries import JournalView
from mockcampaign.engine.journal import Journal
from mockcampaign.errors import CouldNotTellError
from mockcampaign.model import EventType
from mockcampaign.policy import HOUR, SECOND


class _Transport(Consumer):
    faults = frozenset()

    async def aclose(self) -> None: ...


def test_a_view_of_a_truncated_journal_raises_an_error() -> None:
    journal = Journal(entries_max=20)
    campaign = Campaign(_Transport(), journal=journal)
    campaign.activate(campaign.create(EventType.OPEN, "http://consumer/"))
    view = JournalView(journal)
    campaign.emit(EventType.OPEN, 3)
    asyncio.run(campaign.run())
    assert len(view.delivered) == 3
    for _ in range(20):
        campaign.emit(EventType.OPEN)
    assert journal.dropped > 0
    with pytest.raises(CouldNotTellError, match="the server has dropped the oldest"):
        view.delivered  # noqa: B018


def test_a_view_that_has_looked_before_sees_what_a_new_one_sees() -> None:
    campaign = Campaign(_Transport())
    opens, clicks = (
        campaign.activate(campaign.create(kind, f"http://{kind}/")) for kind in (EventType.OPEN, EventType.CLICK)
    )
    early = JournalView(campaign.journal)
    assert (early.webhook_ids, early.delivered, early.pending) == ([opens.id, clicks.id], [], [])

    def seen(view: JournalView) -> list[object]:
        return [
            view.webhook_ids,
            *([name(opens), name(clicks), name] for name in (view.delivered, view.discarded, view.pending)),
            [(one.webhook.id, one.number, one.at, list(one.events)) for one in view.deliveries(campaign.webhook)],
        ]

    campaign.emit(EventType.OPEN, 250)
    campaign.emit(EventType.CLICK, 3)
    assert seen(early) == seen(JournalView(campaign.journal))
    campaign.outage(HOUR, "refused", clicks)
    asyncio.run(campaign.advance(20 * SECOND))
    assert (len(early.delivered(opens)), len(early.pending(clicks))) == (250, 3)
    assert seen(early) == seen(JournalView(campaign.journal))
    campaign.delete(campaign.deactivate(clicks))
    assert (len(early.discarded(clicks)), early.pending) == (3, [])
    assert seen(early) == seen(JournalView(campaign.journal))
