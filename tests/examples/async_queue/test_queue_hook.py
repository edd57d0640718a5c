import pytest
from queue_hook import Consumer


@pytest.fixture
def consumer():
    return Consumer()


async def test_acknowledged_events_are_stored_when_run_returns(campaign, consumer):
    opens = campaign.webhook("open", target=consumer)
    campaign.emit(opens, count=150)
    await campaign.run()
    assert consumer.stored == campaign.delivered


async def test_three_days_of_outage_lose_older_events(campaign, consumer):
    opens = campaign.webhook("open", target=consumer)
    campaign.outage("3d")
    campaign.emit(opens, count=10)
    await campaign.advance("1h")
    campaign.emit(opens, count=5)
    await campaign.run()
    assert len(campaign.discarded) == 10
    assert consumer.stored == campaign.delivered
    assert len(consumer.stored) == 5
