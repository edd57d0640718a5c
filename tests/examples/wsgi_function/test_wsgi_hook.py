from collections import Counter

import pytest
import wsgi_hook


@pytest.fixture(autouse=True)
def _nothing_counted():
    wsgi_hook.opens_by_device.clear()


def test_every_open_of_a_whole_mailing_is_counted(campaign):
    opens = campaign.webhook("open", target=wsgi_hook.application)
    campaign.mailing(recipients=1_000)
    campaign.run()
    assert wsgi_hook.opens_by_device == Counter(event["device"] for event in campaign.delivered(opens))


def test_events_like_a_captured_one_are_counted(campaign):
    captured = {"type": "open", "mailId": "3IHQ2XT8-38PY7WFQ-XKNQSY", "device": "smart-tv", "created": 1564590054000}
    campaign.webhook("open", target=wsgi_hook.application)
    campaign.emit("open", count=7, like=captured)
    campaign.run()
    assert wsgi_hook.opens_by_device == {"smart-tv": 7}
