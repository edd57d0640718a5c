"""Each line with a comment is a mistake that type checkers must find."""

from mockcampaign.pytest_plugin import CampaignCheck, CampaignFixture


def test_mistakes(campaign: CampaignFixture, campaign_check: CampaignCheck) -> None:
    campaign.webhook("open")  # no target
    campaign.webhook("open", target=42)  # no consumer
    campaign.emit(3)  # no webhook
    campaign.advance(10)  # no unit
    campaign.fault("lost-ack", times="1")  # no number
    campaign_check("http://127.0.0.1:8000", prob=None)  # no option
    campaign.delivered.count_all()  # no such thing
