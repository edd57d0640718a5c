"""Typed tests of a user, which `test_typing.py` gives to type checkers. `assert_type` states the types they must
find."""

from datetime import datetime, timedelta
from typing import Any, assert_type

from mockcampaign import Policy
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import EventType, KeyAuthentication, Outcome, Webhook
from mockcampaign.pytest_plugin import (
    CampaignCheck,
    CampaignClock,
    CampaignFixture,
    CampaignServer,
    Deliveries,
    Delivery,
    Events,
)


async def asgi_app(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


class LiveServer:
    url = "http://127.0.0.1:8000"


def test_without_a_loop(campaign: CampaignFixture) -> None:
    opens = campaign.webhook("open", target=asgi_app, path="/hook", auth=("acme", "secret"))
    assert_type(opens, Webhook)
    campaign.webhook(EventType.CLICK, wsgi_app, auth=KeyAuthentication("X-Key", "secret"))
    campaign.webhook("bounce", "http://127.0.0.1:8000/hook")
    campaign.webhook("sent", LiveServer(), "/hook", settled=lambda: None)
    campaign.emit(opens, count=250, over="10m")
    campaign.emit("click", over=timedelta(minutes=10), like={"type": "click"})
    campaign.emit(opens, events=[{"type": "open"}])
    campaign.mailing(1_000)
    campaign.outage("2h", "refused", opens)
    with campaign.fault("lost-ack", opens, times=1) as fault:
        campaign.run()
    assert_type(fault.hits, int)
    campaign.advance(timedelta(days=3))
    assert_type(campaign.delivered, Events)
    assert_type(campaign.delivered(opens), Events)
    assert_type(campaign.pending[0], dict[str, Any])
    assert_type(campaign.deliveries, Deliveries)
    assert_type(campaign.deliveries(opens)[0], Delivery)
    assert_type(campaign.deliveries[0].status, int | None)
    assert_type(campaign.deliveries[0].outcome, Outcome)
    assert_type(campaign.clock, CampaignClock)
    assert_type(campaign.clock.now, datetime)
    campaign.assert_compliant(strict=True, allow=["responds-200"], processed=campaign.delivered)


async def test_with_a_loop(campaign: CampaignFixture) -> None:
    await campaign.run()
    assert_type(await campaign.advance("1s"), None)


def test_server(campaign_server: CampaignServer) -> None:
    assert_type(campaign_server.rest_url, str)
    campaign_server.emit("open", 3)
    campaign_server.run()
    assert_type(campaign_server.delivered, Events)


def test_check(campaign_check: CampaignCheck) -> None:
    report = campaign_check(asgi_app, "/hook", probe=lambda: 3, rules=["batch"], timeout="1s")
    assert_type(report, RunResult)
    Policy(timeout=100)
