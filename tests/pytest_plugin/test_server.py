"""The `campaign_server` fixture, for code that creates its webhooks itself, over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from conftest import Inner
from mockcampaign import Policy
from mockcampaign.errors import InvalidInputError, MisuseError, MockcampaignError
from mockcampaign.pytest_plugin import CampaignFixture, CampaignServer
from mockcampaign.serving import serve_in_thread
from plugin_apps import App
from plugin_apps import app as app


@pytest.fixture
def url(app: App) -> Iterator[str]:
    with serve_in_thread(app) as url:
        yield url


def registered(server: CampaignServer, target: str, event_type: str = "open") -> int:
    """Create a webhook, as the code under test would."""
    form = {"targetUrl": target, "type": event_type, "format": "json"}
    response = requests.post(f"{server.rest_url}/webhooks", data=form, auth=server.auth, timeout=30)
    number: int = response.json()["id"]
    requests.post(f"{server.rest_url}/webhooks/{number}/activate", auth=server.auth, timeout=30).raise_for_status()
    return number


def test_code_that_creates_its_webhook_gets_its_events(campaign_server: CampaignServer, app: App, url: str) -> None:
    registered(campaign_server, url)
    campaign_server.emit("open", count=250)
    campaign_server.outage("1h")
    campaign_server.run()
    assert app.processed() == campaign_server.delivered
    assert len(app.events) == 250
    began = campaign_server.deliveries[0].at
    assert campaign_server.clock.now - began == timedelta(hours=1)
    assert [webhook.target_url for webhook in campaign_server.webhooks] == [url]
    campaign_server.assert_compliant(processed=app.processed())


@pytest.mark.parametrize("turn", [1, 2])
def test_the_server_is_empty_at_the_start_of_each_test(campaign_server: CampaignServer, url: str, turn: int) -> None:
    assert campaign_server.webhooks == []
    assert campaign_server.delivered == []
    number = registered(campaign_server, url)
    assert [webhook.id for webhook in campaign_server.webhooks] == [number]
    campaign_server.emit("open", turn)
    campaign_server.advance("1m")
    assert len(campaign_server.delivered) == turn


@pytest.mark.mockcampaign(seed=4, start="2030-01-01T00:00:00Z", policy=Policy(retry_interval=1_000))
def test_markers_apply_to_the_server(campaign_server: CampaignServer, app: App, url: str) -> None:
    app.status = 500
    registered(campaign_server, url)
    campaign_server.emit("open")
    campaign_server.advance("5s")
    assert campaign_server.seed == 4
    assert len(campaign_server.deliveries) == 6
    assert campaign_server.deliveries[0].at.year == 2030


def test_a_test_with_a_loop_awaits_run(campaign_server: CampaignServer) -> None:
    """The consumer runs in the test's own loop, which must keep running while the server delivers."""
    bodies = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return

    async def main() -> None:
        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            campaign_server.webhook("open", target=f"http://127.0.0.1:{port}/")
            campaign_server.emit("open", 150)
            campaign_server.run()
            with pytest.raises(MisuseError, match=r"campaign_server.run\(\) was not awaited"):
                campaign_server.delivered  # noqa: B018
            await campaign_server.run()

    asyncio.run(main())
    assert len(bodies) == 2
    assert len(campaign_server.delivered) == 150


def test_clocks_follow_the_server(campaign_server: CampaignServer, app: App, url: str) -> None:
    shown: list[Any] = []

    class Clock:
        def move_to(self, target: Any) -> None:
            shown.append(target)

    campaign_server.clock.lead(Clock())
    campaign_server.webhook("open", target=url)
    campaign_server.emit("open", 2, over="2h")
    campaign_server.run()
    moments = [delivery.at for delivery in campaign_server.deliveries]
    assert [moment for moment in moments if moment not in shown] == []


def test_a_clock_that_cannot_be_set_is_no_failure_of_the_consumer(
    campaign_server: CampaignServer, app: App, url: str
) -> None:
    class Clock:
        is_broken = False

        def move_to(self, target: Any) -> None:
            if self.is_broken:
                raise OSError("no space left")

    campaign_server.clock.lead(Clock())
    campaign_server.webhook("open", target=url)
    campaign_server.emit("open", 2, over="2h")
    Clock.is_broken = True
    with pytest.raises(MockcampaignError, match=r"^clock\.lead: a clock cannot be set: OSError: no space left; time "):
        campaign_server.run()
    assert campaign_server.deliveries == []
    assert app.events == []


class TestMisuse:
    """Each misuse raises one sentence."""

    def test_an_application(self, campaign_server: CampaignServer, app: App) -> None:
        with pytest.raises(MisuseError, match="campaign_server sends over sockets: give it a URL or a running server"):
            campaign_server.webhook("open", target=app)

    def test_work_that_nobody_waits_for(self, campaign_server: CampaignServer) -> None:
        with pytest.raises(MisuseError, match=r"^campaign_server\.webhook: settled has no effect, because the server "):
            campaign_server.webhook("open", target="http://127.0.0.1:9/hook", settled=lambda: None)

    def test_no_webhook(self, campaign_server: CampaignServer) -> None:
        with pytest.raises(MisuseError, match=r"no webhook yet, create one first: let your code register one at camp"):
            campaign_server.emit("open")

    def test_closed(self, campaign_server: CampaignServer) -> None:
        campaign_server.close()
        with pytest.raises(MisuseError, match="this server is another test's now"):
            campaign_server.emit("open")


def test_one_server_for_each_session_or_module(inner: Inner, pytester: pytest.Pytester) -> None:
    (pytester.path / "test_another.py").write_text("def test_it(campaign_server): print('URL', campaign_server.url)")
    source = "def test_it(campaign_server): print('URL', campaign_server.url)\ndef test_two(campaign_server): pass"
    for scope, servers in {"session": 1, "module": 2}.items():
        result = inner(source, "-s", "-o", f"mockcampaign_server_scope={scope}")
        result.assert_outcomes(passed=3)
        urls = {line.partition("URL ")[2] for line in result.outlines if "URL " in line}
        assert len(urls) == servers
    inner(source, "-o", "mockcampaign_server_scope=class").stdout.fnmatch_lines(
        ["*mockcampaign_server_scope = class, allowed: session or module*"]
    )


def test_a_failing_test_shows_the_servers_timeline(inner: Inner) -> None:
    inner(
        """
        def test_it(campaign_server, app):
            from mockcampaign.serving import serve_in_thread
            with serve_in_thread(app) as url:
                campaign_server.webhook("open", target=url)
                campaign_server.emit("open", 3)
                campaign_server.run()
            assert False
        """
    ).stdout.fnmatch_lines(["*- mockcampaign -*", "*batch of 3  200*"], consecutive=False)


SHARED = """
    import mockcampaign
    import pytest
    import requests

    @pytest.fixture(scope="{scope}")
    def shared(campaign_server_factory):
        with campaign_server_factory(seed=3, policy=mockcampaign.Policy(event_age_max=20_000)) as server:
            yield server

    def test_one(shared, campaign_server, consumer_url):
        shared.webhook("open", target=consumer_url)
        shared.emit("open", 2)
        shared.run()
        assert shared.url != campaign_server.url
        assert shared.seed == 3

    def test_two(shared, campaign_server):
        assert len(shared.delivered) == {delivered}
        assert campaign_server.webhooks == []
        assert requests.get(shared.url, timeout=5).ok
"""


@pytest.mark.parametrize(("scope", "delivered"), [("session", 2), ("module", 2), ("class", 0), ("function", 0)])
def test_a_fixture_of_any_scope_may_serve(inner: Inner, scope: str, delivered: int) -> None:
    with serve_in_thread(App()) as url:
        consumer = f"@pytest.fixture\n    def consumer_url(): return {url!r}"
        source = f"{SHARED.format(scope=scope, delivered=delivered)}\n    {consumer}\n"
        inner(source).assert_outcomes(passed=2)


def test_a_shared_server_ends_with_a_verdict(inner: Inner) -> None:
    with serve_in_thread(App(204)) as url:
        consumer = f"@pytest.fixture\n    def consumer_url(): return {url!r}"
        result = inner(f"{SHARED.format(scope='session', delivered=0)}\n    {consumer}\n")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E *AssertionError: responds-200: *"])


def test_calls_of_the_code_under_test_are_seen(campaign_server: CampaignServer, url: str) -> None:
    number = registered(campaign_server, url)
    requests.get(f"{campaign_server.rest_url}/webhooks", auth=("nobody", "x"), timeout=30)
    assert [(request.operation, request.status) for request in campaign_server.requests] == [
        ("createWebhook", 201),
        ("activateWebhook", 200),
        ("selectWebhooks", 401),
    ]
    [activated] = campaign_server.requests("activateWebhook")
    assert activated.path == f"/webhooks/{number}/activate"
    assert activated.ids == {"webhookId": number}
    assert activated.client_id == campaign_server.client_id
    assert activated.at == campaign_server.clock.now
    assert activated.method == "POST"
    assert campaign_server.requests("deleteWebhook") == []
    with pytest.raises(AttributeError):
        activated.status = 500  # type: ignore[misc]


def test_a_call_after_the_verdict_does_not_ask_for_another(campaign_server: CampaignServer, app: App, url: str) -> None:
    app.status = 201
    registered(campaign_server, url)
    campaign_server.emit("open")
    campaign_server.advance("1m")
    with pytest.raises(AssertionError, match="responds-200"):
        campaign_server.assert_compliant()
    requests.get(f"{campaign_server.rest_url}/webhooks", auth=campaign_server.auth, timeout=30)
    assert campaign_server.violations() == []


def test_calls_of_the_code_under_test_fail_as_declared(campaign_server: CampaignServer, url: str) -> None:
    with campaign_server.fault("api-error", operation="activateWebhook", timing="after-effect") as fault:
        with pytest.raises(requests.HTTPError):
            registered(campaign_server, url)
        assert fault.hits == 1
    [webhook] = campaign_server.webhooks
    assert webhook.status == "activated"
    assert [request.status for request in campaign_server.requests] == [201, 500]
    assert campaign_server.requests[1].faults == ("api-error",)


def test_a_password_is_rotated(campaign_server: CampaignServer, url: str) -> None:
    def status(password: str) -> int:
        test = f"{campaign_server.rest_url}/users/authenticated"
        return requests.get(test, auth=(campaign_server.auth[0], password), timeout=30).status_code

    campaign_server.webhook("open", target=url)  # without one, no time passes
    campaign_server.rotate_password("n3w", after="2m")
    assert (status(campaign_server.auth[1]), status("n3w")) == (200, 401)
    campaign_server.advance("2m")
    assert (status(campaign_server.auth[1]), status("n3w")) == (401, 200)


def test_a_campaign_without_a_server_has_no_faults_of_calls(campaign: CampaignFixture, app: App) -> None:
    campaign.webhook("open", target=app)
    with pytest.raises(InvalidInputError, match="api-error needs calls of the REST API, which only a server receives"):
        campaign.fault("api-error")
    campaign.emit("open")
    campaign.run()
    campaign.assert_compliant()
