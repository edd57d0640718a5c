import pytest
from fastapi_hook import create_app


@pytest.fixture
def app():
    return create_app()


def test_every_open_is_stored_once(campaign, app):
    opens = campaign.webhook("open", target=app, path="/hook")
    campaign.emit(opens, count=250)
    with campaign.fault("duplicate", every=2):
        campaign.run()
    assert app.state.processed == campaign.delivered


def test_it_is_compliant(campaign_check, app):
    report = campaign_check(app, path="/hook", probe="/processed", rules=["acknowledgement", "batch", "redelivery"])
    assert report.compliant
