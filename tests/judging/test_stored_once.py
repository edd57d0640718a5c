"""What a consumer must and may have stored of the events that several webhooks have delivered."""

from __future__ import annotations

import pytest

from builders import activated, exporter, happen, run
from mockcampaign.judging.difference import compare, sent_events
from mockcampaign.judging.ledger import Ledger


@pytest.mark.parametrize("webhooks", [1, 2, 3])
def test_an_event_is_stored_once_however_many_webhooks_deliver_it(webhooks: int) -> None:
    box = exporter()
    for _ in range(webhooks):
        activated(box)
    happen(box, 3)
    run(box)
    ledger = Ledger.of(box.journal.entries)
    assert ledger.deliveries.delivered == 3 * webhooks
    events = list(sent_events(ledger.happened).values())
    assert not compare(ledger, events)
    assert len(compare(ledger, events[1:]).missing) == 1
    assert len(compare(ledger, [*events, events[0]]).surplus) == 1
