import json
from urllib.request import urlopen


def processed(consumer):
    with urlopen(f"{consumer}/processed") as response:
        return json.load(response)


def test_every_bounce_is_stored_once(campaign, consumer):
    bounces = campaign.webhook("bounce", target=consumer, path="/hook")
    campaign.emit(bounces, count=250)
    with campaign.fault("lost-ack", times=1, dropped="after-status"):
        campaign.run()
    campaign.assert_compliant(processed=processed(consumer))
