"""One clock for both sides: the consumer's clock follows the campaign's virtual time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mockcampaign import Policy
from mockcampaign.errors import MisuseError
from mockcampaign.model import TimedOut
from mockcampaign.pytest_plugin import CampaignFixture
from mockcampaign.serving import serve_in_thread
from plugin_apps import App


class TokenChecking:
    """A consumer whose access token expires after an hour, when it responds 503 once and renews the token."""

    def __init__(self) -> None:
        self.expires = 0.0
        self.renewed: list[datetime] = []
        self.events: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        now = time.time()
        if now >= self.expires:
            self.expires = now + 3_600
            self.renewed.append(datetime.now(UTC))
            start_response("503 Service Unavailable", [])
            return []
        self.events += json.loads(environ["wsgi.input"].read())
        start_response("200 OK", [])
        return []


@pytest.fixture(params=["time_machine", "freezegun"])
def led(request: pytest.FixtureRequest, campaign: CampaignFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets this process' clock follow the campaign's, by either library."""
    pytest.importorskip(request.param)
    others = {"time_machine", "freezegun"} - {request.param}
    for other in others:
        monkeypatch.setitem(sys.modules, other, None)  # as if it were not installed
    campaign.clock.lead()
    yield
    campaign.clock.release()
    assert abs(datetime.now(UTC) - campaign.clock.now) > timedelta(days=90)


@pytest.mark.usefixtures("led")
def test_a_consumers_token_expires_within_the_campaigns_hours(campaign: CampaignFixture) -> None:
    consumer = TokenChecking()
    campaign.emit(campaign.webhook("open", target=consumer), 30, over="3h")
    began = campaign.clock.now
    assert datetime.now(UTC) == began
    campaign.run()
    assert len(consumer.events) == 30
    assert 2 <= len(consumer.renewed) <= 3
    assert all(began <= moment <= began + timedelta(hours=3, minutes=1) for moment in consumer.renewed)
    assert [delivery.at for delivery in campaign.deliveries if delivery.status == 503] == consumer.renewed
    assert datetime.now(UTC) == campaign.clock.now


@pytest.mark.usefixtures("led")
def test_three_days_pass_for_the_consumer_too(campaign: CampaignFixture) -> None:
    consumer = TokenChecking()
    campaign.emit(campaign.webhook("open", target=consumer))
    campaign.outage("3d")
    campaign.run()
    assert len(campaign.discarded) == 1
    campaign.emit("open")
    campaign.run()
    assert consumer.renewed == [campaign.deliveries[-2].at]


def test_a_custom_clock_follows(campaign: CampaignFixture) -> None:
    class Clock:
        def __init__(self) -> None:
            self.shown: list[datetime] = []

        def move_to(self, target: datetime) -> None:
            self.shown.append(target)

    clock = Clock()
    campaign.clock.lead(clock)
    campaign.emit(campaign.webhook("open", target=TokenChecking()))
    campaign.run()
    campaign.advance("1h")
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert clock.shown == [start, start + timedelta(seconds=10), start + timedelta(hours=1, seconds=10)]


def test_without_a_library_the_error_says_what_to_install(
    campaign: CampaignFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("time_machine", "freezegun"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MisuseError, match="needs time-machine or freezegun: install one, or pass a clock that has"):
        campaign.clock.lead()


@pytest.mark.mockcampaign(policy=Policy(simulate_after=3))
def test_a_consumer_whose_clock_follows_gets_every_attempt(campaign: CampaignFixture) -> None:
    class Clock:
        def move_to(self, moment: datetime) -> None:
            """Accepts every time; the test only needs a clock that follows."""

    app = App(503)
    campaign.clock.lead(Clock())
    campaign.emit(campaign.webhook("open", target=app))
    campaign.advance("1h")
    assert len(app.scopes) == 361 == len(campaign.deliveries)


async def _silent(scope: Any, receive: Any, send: Any) -> None:
    """Respond to nothing, until the sender gives up."""
    while scope["type"] == "http" and (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("real_asyncio", [True, False])
@pytest.mark.parametrize("kind", ["stall-body", "trickle-body", None])
@pytest.mark.mockcampaign(policy=Policy(timeout=100, event_age_max=20_000), allow=["responds-in-time"])
@pytest.mark.timeout(30)
def test_time_outs_are_real_under_a_frozen_clock(
    campaign: CampaignFixture, kind: str | None, real_asyncio: bool
) -> None:
    freezegun = pytest.importorskip("freezegun")
    with serve_in_thread(_silent) as url, freezegun.freeze_time("2025-01-01", real_asyncio=real_asyncio) as frozen:
        campaign.clock.lead(frozen)
        opens = campaign.webhook("open", target=url)
        if kind is not None:
            campaign.fault(kind, opens)
        campaign.emit(opens)
        campaign.run()
        assert campaign.deliveries
        assert all(isinstance(delivery.outcome, TimedOut) for delivery in campaign.deliveries)
