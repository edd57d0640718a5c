import pytest
from flask_hook import PASSWORD, USER, create_app


@pytest.fixture
def app():
    return create_app()


def test_a_lost_response_does_not_count_twice(campaign, app):
    opens = campaign.webhook("open", target=app, path="/hook", auth=(USER, PASSWORD))
    campaign.emit(opens, count=250)
    with campaign.fault("lost-ack", times=1):
        campaign.run()
    assert len(app.processed) == 250
    campaign.assert_compliant(processed=app.processed)


def test_two_hours_of_outage_lose_nothing(campaign, app):
    clicks = campaign.webhook("click", target=app, path="/hook", auth=(USER, PASSWORD))
    campaign.emit(clicks, count=250, over="10m")
    campaign.outage("2h")
    campaign.run()
    assert app.processed == campaign.delivered
    assert campaign.discarded == []


def test_wrong_credentials_are_rejected(campaign, app):
    opens = campaign.webhook("open", target=app, path="/hook", auth=("mallory", "guess"))
    campaign.emit(opens)
    campaign.advance("1m")
    assert {delivery.status for delivery in campaign.deliveries} == {401}
    assert app.processed == []
