import os
from collections import Counter

import score_hook
from hypothesis import given, note, settings

from mockcampaign.strategies import batches

Consumer = getattr(score_hook, os.environ.get("CONSUMER", "Scores"))


@settings(deadline=None)
@given(batches(type="open"))
def test_every_open_scores(campaign, batch):
    consumer = Consumer()
    opens = campaign.webhook("open", target=consumer)
    campaign.emit(opens, events=batch)
    with campaign.fault("lost-ack", times=1):
        campaign.run()
    note(f"{len(batch)} events")
    assert consumer.scores == Counter(event["recipientId"] for event in batch)
