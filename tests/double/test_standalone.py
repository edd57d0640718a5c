"""A campaign without pytest: in a `with` statement, in a script or another test runner."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mockcampaign
from mockcampaign.clients.definitions import ClientDefinition, ListDefinition
from mockcampaign.errors import MisuseError, MockcampaignError
from mockcampaign.model import EventType
from places import ROOT, TESTS
from plugin_apps import App, WsgiApp


def moment_of(event: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(event["created"] / 1_000, UTC)


@pytest.mark.parametrize("make", [App, WsgiApp])
def test_a_webhook_is_there_at_once(make: Any) -> None:
    app, before = make(), threading.enumerate()
    with mockcampaign.campaign(app, "/hook") as campaign:
        campaign.emit("open", 3)
        campaign.run()
        assert len(app.events) == 3
    assert threading.enumerate() == before


@pytest.mark.parametrize("kind", EventType)
@pytest.mark.parametrize("over", [None, "100ms", "10m"])
def test_events_of_one_emit_differ_in_mail_and_moment(kind: EventType, over: str | None) -> None:
    for seed in range(3):
        app = App()
        with mockcampaign.campaign(app, type=kind, seed=seed) as campaign:
            campaign.advance("1h")
            campaign.emit(kind, count=250, over=over)
            now = campaign.clock.now
            assert all(moment_of(event) <= now for event in campaign.pending)
            campaign.run()
        assert len({(event["mailId"], event["created"]) for event in app.events}) == 250
        assert len({event["created"] for event in app.events}) == 250
        assert [event["created"] for event in app.events] == sorted(event["created"] for event in app.events)
        assert min(map(moment_of, app.events)) > now - timedelta(seconds=1)


def test_a_consumer_that_deduplicates_by_mail_and_moment_stores_every_event() -> None:
    app = App()
    with mockcampaign.campaign(app) as campaign:
        campaign.emit("open", count=250)
        with campaign.fault("lost-ack", times=1):
            campaign.run()
        stored = {(event["mailId"], event["created"]): event for event in app.events}
        assert (len(app.events), len(stored)) == (350, 250)
        campaign.assert_compliant(processed=stored.values())


def test_events_that_occur_together_expire_together() -> None:
    with mockcampaign.campaign(App(500), policy=mockcampaign.Policy(event_age_max=20_000)) as campaign:
        campaign.emit("open", count=250)
        campaign.advance("19s")
        assert len(campaign.pending) == 250
        campaign.advance("1s")
        assert len(campaign.discarded) == 250
        campaign.assert_compliant()


def test_a_loop_awaits() -> None:
    async def main() -> None:
        app = App()
        async with mockcampaign.campaign(app, type="click", seed=4) as campaign:
            campaign.emit("click", 3)
            await campaign.run()
            assert app.events == campaign.delivered
        assert app.life == ["lifespan.startup", "lifespan.shutdown"]

    asyncio.run(main())


def test_webhooks_may_be_created_later() -> None:
    app = App()
    with mockcampaign.campaign(
        policy=mockcampaign.Policy(batch_events_max=2), start="2030-01-01T00:00:00Z"
    ) as campaign:
        campaign.emit(campaign.webhook("bounce", target=app), 3)
        campaign.run()
        assert [len(delivery.events) for delivery in campaign.deliveries] == [2, 1]
        assert campaign.clock.now.year == 2030


@pytest.mark.parametrize("allow", [(), ("responds-200", "nothing-delivered")])
def test_a_violation_fails_the_block_unless_it_is_allowed(allow: tuple[str, ...]) -> None:
    def use() -> None:
        policy = mockcampaign.Policy(event_age_max=20_000)
        with mockcampaign.campaign(App(204), policy=policy, allow=allow) as campaign:
            campaign.emit("open")
            campaign.run()

    if allow:
        use()
    else:
        with pytest.raises(AssertionError, match="responds-200: "):
            use()


def test_a_block_that_shows_nothing_fails() -> None:
    with (
        pytest.raises(AssertionError, match=r"or pass allow=\['nothing-delivered'\] to mockcampaign.campaign\)"),
        mockcampaign.campaign(App()) as campaign,
    ):
        campaign.emit("open")


def test_the_error_of_the_block_comes_first_with_a_note_on_a_forgotten_await() -> None:
    async def main() -> None:
        async with mockcampaign.campaign(App()) as campaign:
            campaign.emit("open")
            campaign.run()
            raise KeyError("first")

    with pytest.raises(KeyError, match="first") as raised:
        asyncio.run(main())
    assert raised.value.__notes__ == [
        "campaign.run() was not awaited: this test has an event loop, so write `await campaign.run()`"
    ]


def test_a_forgotten_await_is_an_error() -> None:
    async def main() -> None:
        async with mockcampaign.campaign(App()) as campaign:
            campaign.emit("open")
            campaign.run()

    with pytest.raises(MisuseError, match="was not awaited"):
        asyncio.run(main())


def test_after_the_block_it_is_closed() -> None:
    app = App()
    with mockcampaign.campaign(app) as campaign:
        pass
    with pytest.raises(MisuseError, match="this campaign is closed: use it within its `with` block"):
        campaign.webhook("click", target=app)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"seed": -1}, "campaign: seed is -1, allowed: a whole"), ({"start": "now"}, "'now' is not a moment")],
)
def test_wrong_arguments_are_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(MockcampaignError, match=message):
        mockcampaign.campaign(App(), **given)


def test_neither_order_of_imports_changes_the_name() -> None:
    from mockcampaign.campaign import Campaign

    assert Campaign is mockcampaign.Campaign
    with mockcampaign.campaign() as campaign:
        assert campaign.webhooks == []


def test_unittest_needs_no_pytest(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("raise ImportError('no pytest here')")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "-v"],
        cwd=TESTS / "examples" / "unittest_app",
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr


def test_a_campaign_begins_with_clients() -> None:
    shop = ClientDefinition(lists=(ListDefinition(name="Shop", id=70_001),))
    with mockcampaign.campaign(clients=shop, allow=["nothing-delivered"]) as campaign:
        assert 70_001 in campaign.engine.client().state.lists
    with pytest.raises(MisuseError, match=r"clients: 7, allowed: a file of clients, a ClientDefinition, or several"):
        mockcampaign.campaign(clients=7)  # type: ignore[arg-type]
