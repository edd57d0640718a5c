"""The `campaign` fixture in tests without an event loop."""

from __future__ import annotations

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from werkzeug import Request as WerkzeugRequest
from werkzeug import Response as WerkzeugResponse

from conftest import Inner
from mockcampaign import Policy
from mockcampaign.errors import ConsumerRejectsError, ConsumerUnreachableError, InvalidInputError, MisuseError
from mockcampaign.model import EventType, KeyAuthentication
from mockcampaign.pytest_plugin import CampaignFixture
from mockcampaign.serving import serve_in_thread
from mockcampaign.shape.infer import infer_shape
from plugin_apps import App, WsgiApp
from plugin_apps import app as app
from plugin_apps import wsgi_app as wsgi_app


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Any:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_the_test_of_the_design(campaign: CampaignFixture, app: App) -> None:
    opens = campaign.webhook("open", target=app)
    campaign.emit(opens, count=250)
    with campaign.fault("lost-ack", times=1):
        campaign.run()
    assert app.processed()[100:] == campaign.delivered(opens)
    assert [len(delivery.events) for delivery in campaign.deliveries] == [100, 100, 100, 50]
    campaign.assert_compliant()


@pytest.mark.parametrize("fault", ["lost-ack", "timeout", "duplicate"])
@pytest.mark.parametrize("served", [False, True])
def test_a_fault_of_acknowledgements_waits_until_the_consumer_recovers(
    campaign: CampaignFixture, app: App, fault: str, served: bool
) -> None:
    with serve_in_thread(app) if served else contextlib.nullcontext(app) as target:
        opens = campaign.webhook("open", target=f"{target}/hook" if isinstance(target, str) else target)
        app.status = 503
        campaign.outage("3h")
        with campaign.fault(fault, times=2) as injected:
            campaign.emit(opens, count=100)
            campaign.advance("3h5m")
            assert injected.hits == 0
            app.status = 200
            campaign.run()
            campaign.emit(opens, count=100)
            campaign.run()
            assert injected.hits == 2
    assert len(app.events) == 400


def test_an_application_is_started_once_and_stopped_after_the_test(inner: Inner) -> None:
    inner(
        """
        import pytest

        @pytest.fixture
        def watched(app):
            yield app
            assert app.life == ["lifespan.startup", "lifespan.shutdown"]

        def test_it(watched, campaign):
            opens = campaign.webhook("open", target=watched)
            for _ in range(3):
                campaign.emit(opens)
                campaign.run()
            assert watched.life == ["lifespan.startup"]
        """
    ).assert_outcomes(passed=1)


def test_an_application_without_a_lifespan(campaign: CampaignFixture, app: App) -> None:
    campaign.emit(campaign.webhook("open", target=app, lifespan=False))
    campaign.run()
    assert len(app.events) == 1
    assert app.life == []


def test_a_wsgi_application_is_called_in_the_tests_own_thread_without_a_loop(campaign: CampaignFixture) -> None:
    threads = []

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        import asyncio

        threads.append(threading.current_thread())
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        start_response("200 OK", [])
        return []

    clicks = campaign.webhook("click", target=consumer)
    campaign.emit(clicks, count=101)
    campaign.run()
    assert threads == [threading.current_thread()] * 2
    assert len(campaign.delivered) == 101


def test_a_wsgi_application_sees_the_request(campaign: CampaignFixture, wsgi_app: WsgiApp) -> None:
    opens = campaign.webhook("open", target=wsgi_app, path="/hook?a=b", auth=("acme", "secret"))
    campaign.emit(opens, count=2)
    campaign.run()
    assert wsgi_app.processed() == campaign.delivered
    [environ] = wsgi_app.environs
    wanted = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/hook",
        "QUERY_STRING": "a=b",
        "CONTENT_TYPE": "application/json",
        "HTTP_HOST": "testserver",
        "HTTP_AUTHORIZATION": "Basic YWNtZTpzZWNyZXQ=",
        "wsgi.url_scheme": "http",
    }
    assert {name: environ[name] for name in wanted} == wanted


def test_an_application_that_works_in_threads_leaves_none(campaign: CampaignFixture) -> None:
    threads = set()

    def hook(request: Request) -> Response:
        threads.add(threading.current_thread())
        return Response(status_code=200)

    opens = campaign.webhook("open", target=Starlette(routes=[Route("/hook", hook, methods=["POST"])]), path="/hook")
    campaign.emit(opens, count=250)
    campaign.run()
    campaign.emit(opens)
    campaign.run()
    assert len(campaign.delivered) == 251
    assert threads
    assert threading.current_thread() not in threads


def test_an_exception_in_a_wsgi_application_is_status_500(
    campaign: CampaignFixture, caplog: pytest.LogCaptureFixture
) -> None:
    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("of the consumer's own")

    campaign.emit(campaign.webhook("open", target=consumer))
    campaign.advance("9s")
    assert [delivery.status for delivery in campaign.deliveries] == [500]
    assert "of the consumer's own" in caplog.text


def test_an_interrupt_reaches_the_test_at_once(campaign: CampaignFixture) -> None:
    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise KeyboardInterrupt

    campaign.emit(campaign.webhook("open", target=consumer))
    with pytest.raises(KeyboardInterrupt):
        campaign.run()


def test_urls_and_live_servers(campaign: CampaignFixture, httpserver: HTTPServer) -> None:
    bodies: list[Any] = []

    def hook(request: WerkzeugRequest) -> WerkzeugResponse:
        bodies.append(request.get_json())
        return WerkzeugResponse("", 200)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(hook)

    class Live:
        url = httpserver.url_for("")

    class AiohttpTestServer:
        make_url = staticmethod(httpserver.url_for)

    url = httpserver.url_for("/hook")
    targets = [(url, ""), (httpserver, "/hook"), (Live(), "/hook"), (AiohttpTestServer(), "/hook")]
    for event_type, (target, path) in zip(("open", "click", "bounce", "sent"), targets, strict=True):
        campaign.emit(campaign.webhook(event_type, target, path))
    campaign.run()
    # Webhooks deliver in parallel: either batch may arrive first.
    arrived = {event["type"]: event for body in bodies for event in body}
    assert [arrived[event["type"]] for event in campaign.delivered] == campaign.delivered
    assert [event["type"] for event in campaign.delivered] == ["open", "click", "bounce", "sent"]


def test_two_applications(campaign: CampaignFixture) -> None:
    first, second = App(), App()
    opens = campaign.webhook("open", target=first)
    clicks = campaign.webhook("click", target=second)
    more = campaign.webhook("bounce", target=first)
    assert [webhook.target_url for webhook in (opens, clicks, more)] == [
        "http://testserver/",
        "http://testserver:8001/",
        "http://testserver/",
    ]
    for webhook in (opens, clicks, more):
        campaign.emit(webhook, 3)
    campaign.run()
    assert first.events == campaign.delivered(opens, more)
    assert second.events == campaign.delivered(clicks)


def test_credentials_and_keys(campaign: CampaignFixture, app: App) -> None:
    campaign.emit(campaign.webhook("open", app, auth=KeyAuthentication("X-Key", "open sesame")))
    campaign.run()
    assert (b"x-key", b"open sesame") in app.scopes[0]["headers"]


def test_time_and_outages(campaign: CampaignFixture, app: App) -> None:
    opens = campaign.webhook("open", target=app)
    campaign.emit(opens, 30)
    campaign.outage(timedelta(hours=2))
    began = campaign.clock.now
    assert began == datetime(2025, 1, 1, tzinfo=UTC)
    campaign.advance("1h")
    assert campaign.clock.now - began == timedelta(hours=1)
    assert (len(campaign.pending), len(campaign.delivered), len(campaign.discarded)) == (30, 0, 0)
    campaign.run()
    assert campaign.clock.now - began == timedelta(hours=2)
    assert app.processed() == campaign.delivered == campaign.delivered(opens)
    last, first = campaign.deliveries[-1], campaign.deliveries[0]
    assert (first.accepted, first.status, first.faults, last.accepted) == (False, None, ("refused",), True)
    assert last.at == campaign.clock.now


@pytest.mark.slow
def test_three_days_of_refusals(campaign: CampaignFixture, app: App) -> None:
    app.status = 503
    opens = campaign.webhook("open", target=app)
    campaign.emit(opens)
    campaign.run(despite_rejections=True)
    assert len(campaign.deliveries) == len(app.scopes) == 25_920
    assert len(campaign.discarded(opens)) == 1
    campaign.assert_compliant()


def test_a_consumer_that_never_accepts_stops_the_run(campaign: CampaignFixture, app: App) -> None:
    app.status = 404
    opens = campaign.webhook("open", target=app, path="/hoook")
    campaign.emit(opens)
    with pytest.raises(ConsumerRejectsError, match=r"campaign\.run\(\) stopped after 10 attempts"):
        campaign.run()
    assert len(campaign.deliveries) == 10
    app.status = 200  # fixed by the test
    campaign.run()
    assert app.processed() == campaign.delivered
    app.status = 503
    campaign.emit(opens)
    campaign.advance("2m")
    assert len(campaign.deliveries) == 11 + 13


@pytest.mark.mockcampaign(policy=Policy(simulate_after=30))
def test_long_spans_of_equal_failures_can_be_simulated(campaign: CampaignFixture, app: App) -> None:
    app.status = 503
    campaign.emit(campaign.webhook("open", target=app))
    campaign.run()
    assert len(campaign.deliveries) == 25_920
    assert len(app.scopes) == 40  # the first 30, and those whose number is a power of two
    assert [delivery.simulated for delivery in campaign.deliveries].count(False) == 40
    assert len(campaign.discarded) == 1


@pytest.mark.mockcampaign(policy=Policy(simulate_after=30))
def test_a_fixed_consumer_gets_real_attempts_at_once(campaign: CampaignFixture, app: App) -> None:
    app.status = 503
    campaign.emit(campaign.webhook("open", target=app))
    campaign.advance("2h")
    app.status = 200
    campaign.run()
    assert len(app.events) == 1
    assert len(campaign.deliveries) == 721 + 1


@pytest.mark.mockcampaign(policy=Policy(simulate_after=30))
def test_an_application_that_fails_for_days_does_not_flood_the_log(
    campaign: CampaignFixture, caplog: pytest.LogCaptureFixture
) -> None:
    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("of the consumer's own")

    campaign.emit(campaign.webhook("open", target=consumer))
    campaign.run()
    assert len(campaign.discarded) == 1
    assert len(campaign.deliveries) == 25_920
    assert len(caplog.records) == 40


def test_mailings_own_events_and_events_like_a_sample(campaign: CampaignFixture, app: App, tmp_path: Path) -> None:
    opens = campaign.webhook("open", target=app)
    captured = {"type": "open", "mailId": "AAAAAAAA-BBBBBBBB-CCCCCC", "mine": 1}
    campaign.emit(opens, events=[captured, captured])
    campaign.run()
    assert app.events == [captured, captured] == campaign.delivered
    campaign.emit("open", 2, like=captured)
    campaign.run()
    assert [event["mine"] for event in app.events] == [1] * 4
    sent = campaign.mailing(50)
    campaign.run()
    assert len(campaign.delivered) == 4 + sent.by_type[EventType.OPEN]


def test_events_like_captured_ones_in_every_form(campaign: CampaignFixture, app: App, tmp_path: Path) -> None:
    opens = campaign.webhook("open", target=app)
    captured = {"kind": "opened", "ref": "f3a0-00174", "at": 1_772_441_950_662, "mine": 1}
    (tmp_path / "captured.json").write_text(json.dumps([captured, {**captured, "kind": "clicked"}]))
    shape = infer_shape([captured])
    for like in (captured, [captured, captured], tmp_path / "captured.json", str(tmp_path / "captured.json"), shape):
        campaign.emit(opens, 2, like=like)
    campaign.run()
    assert [(event["kind"], event["mine"]) for event in app.events] == [("opened", 1)] * 10
    assert len({event["ref"] for event in app.events}) == 10
    with pytest.raises(InvalidInputError, match=r"^like: the sample is of type click, allowed: open$"):
        campaign.emit(opens, like={**captured, "kind": "clicked"})
    with pytest.raises(InvalidInputError, match=r"^like: no event, allowed: at least one captured event$"):
        campaign.emit(opens, like=[])


def test_a_marked_shape_is_that_of_the_whole_campaign(inner: Inner, pytester: pytest.Pytester) -> None:
    (pytester.path / "captured.json").write_text(
        '{"events": [{"kind": "open", "ref": "f3a0-00174", "at": 1772441950662}]}'
    )
    source = """
        from pathlib import Path
        import pytest
        from mockcampaign.samples.consumer import consumer_app
        from mockcampaign.shape.captured import shape_of_file

        @pytest.mark.mockcampaign(shape="captured.json")
        def test_it(campaign):
            shape = shape_of_file(Path(__file__).parent / "captured.json")
            opens = campaign.webhook("open", target=consumer_app(shape=shape), path="/hook")
            campaign.emit(opens, 3)
            campaign.run()
            assert {tuple(event) for event in campaign.delivered} == {("kind", "ref", "at")}
            campaign.assert_compliant(processed=campaign.delivered)
            with pytest.raises(AssertionError, match="missing"):
                campaign.assert_compliant(processed=list(campaign.delivered)[1:])
        """
    inner(source).assert_outcomes(passed=1)
    inner(source.replace('shape="captured.json"', 'shape="nowhere.json"')).stdout.fnmatch_lines(
        ["*test_it: shape: *nowhere.json: cannot be read: No such file or directory"]
    )
    inner(source.replace('shape="captured.json"', "shape=5")).stdout.fnmatch_lines(
        ["*test_it: shape: 5, allowed: a file of captured events, a Shape, or a list of them"]
    )


def test_the_life_of_a_webhook(campaign: CampaignFixture, app: App) -> None:
    opens = campaign.webhook("open", target=app, activate=False)
    campaign.emit(opens)
    campaign.activate(opens)
    campaign.emit(opens)
    campaign.deactivate(opens)
    campaign.run()
    assert app.events == []
    assert len(campaign.pending) == 1
    campaign.delete(opens)
    assert len(campaign.discarded) == 1
    assert [webhook.status for webhook in campaign.webhooks] == ["deleted"]


def test_the_seed_of_a_test_follows_from_its_name(inner: Inner, pytester: pytest.Pytester) -> None:
    source = """
        import pytest, zlib

        def test_named(campaign):
            assert campaign.seed == zlib.crc32(b"test_it.py::test_named")

        @pytest.mark.mockcampaign(seed=7)
        def test_marked(campaign):
            assert campaign.seed == 7
        """
    inner(source).assert_outcomes(passed=2)
    inner(source, "--mockcampaign-seed=3").assert_outcomes(failed=2)
    pytester.makeini("[pytest]\nmockcampaign_seed = random\n")
    inner(source).assert_outcomes(passed=1, failed=1)
    inner(source, "--mockcampaign-seed=nine").stdout.fnmatch_lines(
        ["*seed 'nine', allowed: 0 to *, 'random' or 'test'"]
    )


@pytest.mark.mockcampaign(start="2030-05-06T00:00:00Z", policy=Policy(retry_interval=1_000))
def test_start_and_policy_are_marked(campaign: CampaignFixture, app: App) -> None:
    app.status = 500
    campaign.emit(campaign.webhook("open", target=app))
    campaign.advance("9s")
    assert len(campaign.deliveries) == 10
    assert campaign.deliveries[0].at == datetime(2030, 5, 6, tzinfo=UTC)


def test_violations_name_requirement_expectation_and_outcome(campaign: CampaignFixture, app: App) -> None:
    opens = campaign.webhook("open", target=app)
    with pytest.raises(AssertionError, match="no attempt has reached the consumer"):
        campaign.assert_compliant()
    campaign.emit(opens, 3)
    campaign.run()
    campaign.assert_compliant(processed=app.processed())
    with pytest.raises(AssertionError, match="1 of 3 delivered events is missing from the store: type=open"):
        campaign.assert_compliant(processed=app.processed()[1:])
    app.status = 204
    campaign.emit(opens)
    campaign.advance("9s")
    with pytest.raises(
        AssertionError, match=r"responds-200: Responded 204 \(1 attempt\)\n  required .*\n  expected  200"
    ):
        campaign.assert_compliant()
    campaign.assert_compliant(allow=["responds-200"])


class TestMisuse:
    """Each misuse raises one sentence that says what to do."""

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (42, "target 42 is not a consumer, allowed: a URL, an ASGI or WSGI application, or an object with a `url`"),
            (App, "is not a consumer, allowed: a URL"),
            (lambda: None, r"takes 0 arguments, but a WSGI application takes \(environ, start_response\)"),
            ("ftp://consumer/", "is not a web address, allowed: http"),
        ],
    )
    def test_wrong_targets(self, campaign: CampaignFixture, target: Any, message: str) -> None:
        with pytest.raises((MisuseError, InvalidInputError), match=message):
            campaign.webhook("open", target=target)
        assert campaign.webhooks == []

    def test_an_async_function_that_is_not_an_application(self, campaign: CampaignFixture) -> None:
        async def hook(request: object) -> None: ...

        with pytest.raises(MisuseError, match=r"takes 1 arguments, but an ASGI application takes \(scope, receive"):
            campaign.webhook("open", target=hook)

    def test_a_path_without_a_slash(self, campaign: CampaignFixture, app: App) -> None:
        with pytest.raises(MisuseError, match=r"path 'hook' does not start with a slash"):
            campaign.webhook("open", app, "hook")

    def test_an_unknown_type(self, campaign: CampaignFixture, app: App) -> None:
        with pytest.raises(MisuseError, match=r"unknown event type 'opne', did you mean 'open'\? \(allowed: open, "):
            campaign.webhook("opne", target=app)

    def test_before_there_is_a_webhook(self, campaign: CampaignFixture, app: App) -> None:
        calls = {
            "emit": lambda: campaign.emit("open"),
            "mailing": lambda: campaign.mailing(3),
            "run": campaign.run,
            "advance": lambda: campaign.advance("1s"),
            "fault": lambda: campaign.fault("lost-ack"),
        }
        for what, call in calls.items():
            with pytest.raises(MisuseError, match=rf"{what}: there is no webhook yet, create one first: campaign\.web"):
                call()
        campaign.webhook("open", target=app)
        with pytest.raises(MisuseError, match=r"no webhook is for 'click' events \(there are webhooks for: open\)"):
            campaign.emit("click")

    def test_durations_without_a_unit(self, campaign: CampaignFixture, app: App) -> None:
        campaign.webhook("open", target=app)
        with pytest.raises(MisuseError, match="duration 10 has no unit, allowed: a text such as '90s'"):
            campaign.advance(10)  # type: ignore[arg-type]
        with pytest.raises(MisuseError, match="is negative"):
            campaign.advance(timedelta(seconds=-1))

    def test_faults_that_need_a_socket(self, campaign: CampaignFixture, app: App) -> None:
        campaign.webhook("open", target="http://127.0.0.1:9/hook")
        campaign.fault("trickle-body")
        with pytest.raises(
            InvalidInputError,
            match="fault trickle-body needs a connection, which an in-process application does not have",
        ):
            campaign.webhook("click", target=app)

    def test_a_closed_campaign(self, campaign: CampaignFixture, app: App) -> None:
        opens = campaign.webhook("open", target=app)
        campaign.close()
        for call in (lambda: campaign.emit(opens), campaign.run, lambda: campaign.webhook("open", target=app)):
            with pytest.raises(MisuseError, match="this campaign is closed, its test is over"):
                call()

    def test_a_consumer_that_is_not_running(self, campaign: CampaignFixture) -> None:
        with serve_in_thread(App()) as url:
            pass
        campaign.emit(campaign.webhook("open", target=url))
        with pytest.raises(
            ConsumerUnreachableError,
            match=r"refused at .* no outage was in force: start it before campaign\.run\(\), or ",
        ):
            campaign.run()

    def test_a_run_that_does_not_end(self, inner: Inner) -> None:
        inner(
            """
            import asyncio
            import pytest
            from mockcampaign import Policy
            from mockcampaign.errors import RunNotEndedError

            @pytest.mark.mockcampaign(policy=Policy(timeout=20))
            def test_it(campaign, app):
                app.before_response = asyncio.Event().wait
                campaign.emit(campaign.webhook("open", target=app))
                with pytest.raises(RunNotEndedError, match="run.. did not end within 200ms: it advanced .*s of "
                        "virtual time, with .* attempts?, the last one: .*, and 1 event pending; raise mockcampaign_"):
                    campaign.run(despite_rejections=True)
            """,
            "--mockcampaign-run-timeout=200ms",
        ).assert_outcomes(passed=1)
