"""Views of a journal that is bounded, as a server's is."""

from __future__ import annotations

import asyncio

import pytest

from builders import Consumer
from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Journal
from mockcampaign.errors import CouldNotTellError
from mockcampaign.model import EventType
from mockcampaign.pytest_plugin.control.deliveries import JournalView


class _Transport(Consumer):
    faults = frozenset()

    async def aclose(self) -> None: ...


def test_a_journal_that_was_cut_tells_nothing_rather_than_half_the_truth() -> None:
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
