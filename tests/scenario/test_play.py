"""Scenarios played against correct and broken consumers, over sockets and in-process."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import msgspec
import pytest
from pytest_httpserver import HTTPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from werkzeug.serving import make_server

from endpoints import Endpoint, read_request
from mockcampaign.engine.journal import Attempted, Probed, StepReached, comparable
from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError, InvalidInputError
from mockcampaign.model import BasicAuthentication, NoAuthentication, Responded
from mockcampaign.policy import DAY
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.judge import scenario_shows_nothing
from mockcampaign.scenario.load import find_scenarios, load
from mockcampaign.scenario.play import Player
from mockcampaign.scenario.replay import Replay
from mockcampaign.serving import serve_in_thread
from mockcampaign.shipped import scenarios_folder
from mockcampaign.transport.inprocess import AsgiTransport, WsgiTransport
from mockcampaign.transport.wire import WireTransport
from plays import failed, own_plan, play, played, starlette_consumer

SHIPPED = {path.name.removesuffix(".scenario.yaml"): path for path in find_scenarios((scenarios_folder(),))}
CREDENTIALS = BasicAuthentication("acme", "secret")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_correct_consumer_passes_every_shipped_scenario(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_in_thread(consumer_app(basic_authentication=CREDENTIALS)) as url:
        monkeypatch.setenv("CONSUMER_URL", url)
        plan = load(SHIPPED[name])
        player, findings = played(plan, WireTransport())
    assert {finding.outcome for finding in findings} <= {"pass", "not-exercised"}
    assert scenario_shows_nothing(plan, player.campaign.journal.entries, player.campaign.is_idle) is None


CULPRITS = {
    "full-batches": ["rejects-full-batch", "stores-first-event-only", "stores-last-event-only", "responds-202"],
    "odd-remainder": ["loses-odd-event"],
    "two-hour-outage": ["dedup-key-mail-id", "fails-after-storing"],
    "three-day-outage": ["always-responds-503"],
    "partial-expiry": ["dedup-key-mail-id"],
    "deactivate-and-resume": ["dedup-key-mail-id", "responds-204"],
    "two-types": ["dedup-key-mail-id", "redirects-to-trailing-slash"],
    "lost-responses": ["never-deduplicates", "dedup-key-mail-id"],
    "rejected-credentials": ["accepts-any-credentials", "responds-200-to-wrong-credentials"],
}


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        pytest.param(name, bug, marks=[pytest.mark.slow] * (bug == "responds-204"))  # which takes seconds
        for name, bugs in CULPRITS.items()
        for bug in bugs
    ],
)
def test_every_shipped_scenario_finds_its_culprits(name: str, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = load(SHIPPED[name])
    transport = AsgiTransport(consumer_app(bug, basic_authentication=CREDENTIALS))
    _, findings = played(plan, transport)
    assert failed(findings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accepted_at", "attempts", "delivered"), [(25_919, 25_919, 1), (25_920, 25_920, 1), (25_921, 25_920, 0)]
)
def test_three_days_of_responses_over_sockets(tmp_path: Path, accepted_at: int, attempts: int, delivered: int) -> None:
    asked = 0

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while True:
            await read_request(reader)
            asked += 1
            writer.write(b"HTTP/1.1 %d \r\nContent-Length: 0\r\n\r\n" % (200 if asked == accepted_at else 503))

    async def main() -> Player:
        # In the same thread: two would wait for each other's turn 25,920 times.
        async with Endpoint(hook).serving() as endpoint:
            steps = ("emit: {type: open}", "run: until-idle-despite-rejections")
            plan = own_plan(tmp_path, endpoint.url.removesuffix("/hook"), *steps, probe=False)
            return await play(plan, WireTransport())

    player = asyncio.run(main())
    assert asked == attempts
    made = [entry for entry in player.campaign.journal.entries if isinstance(entry, Attempted)]
    age = made[-1].last_at - made[0].at
    assert age == (attempts - 1) * 10_000
    assert sum(entry.events for entry in made if entry.outcome.accepted) == delivered


def test_the_culprits_cover_all_shipped_scenarios() -> None:
    assert set(CULPRITS) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_journal_is_the_same_byte_for_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs over loopback and two in-process have equal journals."""
    journals = []
    with serve_in_thread(consumer_app(basic_authentication=CREDENTIALS)) as reserved:
        port = int(reserved.rpartition(":")[2])
    monkeypatch.setenv("CONSUMER_URL", f"http://127.0.0.1:{port}")
    plan = load(SHIPPED[name])
    for _ in range(2):
        with serve_in_thread(consumer_app(basic_authentication=CREDENTIALS), port=port):
            journals.append(comparable(played(plan, WireTransport())[0].campaign.journal.entries))
        in_process = AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))
        journals.append(comparable(played(plan, in_process)[0].campaign.journal.entries))
    assert len(set(journals)) == 1
    other, _ = played(plan, AsgiTransport(consumer_app(basic_authentication=CREDENTIALS)), seed=2)
    assert comparable(other.campaign.journal.entries) not in journals


OVER = "emit: {type: open, count: 250, over: 1h}"


class Busy:
    """Passes requests on to a consumer, but responds 503 to all batches between the first and the 32nd."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._batches = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_batch = scope["type"] == "http" and scope["path"] == "/hook"
        self._batches += is_batch
        if is_batch and 1 < self._batches < 32:
            await Response(status_code=503)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@pytest.mark.parametrize("fault", ["lost-ack", "timeout", "duplicate"])
@pytest.mark.parametrize(("bug", "verdict"), [("never-deduplicates", ["consumer.processed"]), (None, [])])
def test_a_fault_of_acknowledgements_outlasts_an_outage_and_rejections(
    tmp_path: Path, fault: str, bug: str | None, verdict: list[str]
) -> None:
    """Over loopback, in-process and in a replay: what is lost is an acknowledgement, so deduplication is tested."""
    steps = (
        "emit: {type: open, count: 1}",
        "run: until-idle",
        "emit: {type: open, count: 100}",
        "outage: {for: 10m}",
        f"fault: {{kind: {fault}, times: 2}}",
        "run: until-idle",
        "emit: {type: open, count: 100}",
        "run: until-idle",
        "expect: {consumer: {processed: exactly-once}}",
    )
    journals = []
    with serve_in_thread(Busy(consumer_app(bug))) as url:
        plan = own_plan(tmp_path, url, *steps)
        player, findings = played(plan, WireTransport())
        assert failed(findings) == verdict
        journals.append(player.campaign.journal.entries)
    player, findings = played(plan, AsgiTransport(Busy(consumer_app(bug))))
    assert failed(findings) == verdict
    journals.append(player.campaign.journal.entries)
    replay = Replay(
        [entry for entry in journals[0] if not isinstance(entry, StepReached | Probed)],
        AsgiTransport(Busy(consumer_app(bug))),
        target=None,
        authentication=NoAuthentication(),
    )
    asyncio.run(replay.play())
    journals.append(replay.campaign.journal.entries)
    attempts = [[entry for entry in entries if isinstance(entry, Attempted)] for entries in journals]
    assert attempts[0] == attempts[1] == attempts[2]
    hit = [entry for entry in attempts[0] if fault in entry.faults and entry.serials]
    assert sum(entry.count for entry in hit) == 2
    rejected = [entry for entry in attempts[0] if isinstance(entry.outcome, Responded) and not entry.outcome.accepted]
    assert [(entry.count, entry.outcome, entry.faults) for entry in rejected] == [(30, Responded(503), ())]


@pytest.mark.parametrize(
    ("steps", "hit"),
    [
        (("emit: {type: open, count: 250}", "fault: {kind: lost-ack, times: 2}"), [100, 100]),
        ((OVER, "fault: {kind: lost-ack, times: 2}"), [1, 1]),
        ((OVER, "outage: {for: 2h, kind: refused}", "fault: {kind: lost-ack, times: 2}"), [1, 1]),
        ((OVER, "outage: {for: 2h, kind: refused}", "fault: {kind: lost-ack, every: 2, times: 2}"), [100, 100]),
    ],
)
def test_how_many_events_a_lost_response_concerns(tmp_path: Path, steps: tuple[str, ...], hit: list[int]) -> None:
    """As the page about a first scenario says."""
    plan = own_plan(tmp_path, "http://x.test", *steps, "run: until-idle", probe=False)
    player, _ = played(plan, AsgiTransport(consumer_app()))
    attempts = [entry for entry in player.campaign.journal.entries if isinstance(entry, Attempted)]
    assert [entry.events for entry in attempts if "lost-ack" in entry.faults for _ in range(entry.count)] == hit


EVERYTHING = (
    "create: {clicks: {type: click, url: 'URL/hook'}}",
    "verify: {webhook: clicks, events: 3}",
    "activate: clicks",
    "fault: {kind: latency, time: 3s, every: 2}",
    "fault: {kind: lost-ack, probability: 0.3}",
    "fault: {kind: chunked, webhook: clicks}",
    "emit: {type: open, count: 150, over: 1h}",
    "mailing: {recipients: 30}",
    "wait: {until: {opens: {delivered: {at_least: 5}}}, for: 1d}",
    "outage: {for: 30m, kind: connect-timeout}",
    "emit: {type: click, count: 101}",
    "advance: 2h",
    "deactivate: clicks",
    "delete: clicks",
    "run: until-idle",
    "expect: {clicks: {verified: 200}, opens: {delivered: {at_least: 150}}, consumer: {processed: exactly-once}}",
)


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_at_once_gives_the_same_journal_byte_for_byte(tmp_path: Path, seed: int) -> None:
    """Latencies, randomly lost responses, a mailing, time-outs, verified and deleted webhooks."""
    journals = []
    with serve_in_thread(consumer_app()) as url:
        plan = own_plan(tmp_path, url, *(step.replace("URL", url) for step in EVERYTHING))
        player, findings = played(plan, WireTransport(), seed=seed)
        assert failed(findings) == []
        assert b'"measured"' in player.campaign.journal.to_json_lines()
        journals.append(comparable(player.campaign.journal.entries))
    for _ in range(2):
        player, _ = played(plan, AsgiTransport(consumer_app()), seed=seed)
        # No bytes went over a wire.
        assert b'"measured"' not in player.campaign.journal.to_json_lines()
        journals.append(comparable(player.campaign.journal.entries))
    assert len(set(journals)) == 1


def flask_consumer(processed: list[dict[str, Any]]) -> flask.Flask:
    app = flask.Flask("consumer")
    seen: set[str] = set()

    @app.post("/hook")
    def hook() -> str:
        for event in flask.request.get_json():
            if repr(event) not in seen:
                seen.add(repr(event))
                processed.append(event)
        return "ok"

    @app.get("/processed")
    def account() -> flask.Response:
        return flask.jsonify(processed)

    return app


def test_a_flask_consumer_in_process(tmp_path: Path) -> None:
    processed: list[dict[str, Any]] = []
    plan = own_plan(
        tmp_path,
        "http://flask.test",
        "emit: {type: open, count: 250}",
        "run: until-idle",
        "expect: {opens: {delivered: 250, batch_events: [100, 100, 50]}, consumer: {processed: exactly-once}}",
    )
    _, findings = played(plan, WsgiTransport(flask_consumer(processed)))
    assert failed(findings) == []
    assert len(processed) == 250


@contextlib.contextmanager
def served_by_werkzeug(app: flask.Flask) -> Iterator[str]:
    """Flask's own server shares no code with ours."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_flask_consumer_behind_its_own_server(tmp_path: Path) -> None:
    with served_by_werkzeug(flask_consumer([])) as url:
        plan = own_plan(
            tmp_path,
            url,
            "emit: {type: open, count: 101}",
            "outage: {for: 1m}",
            "run: until-idle",
            "expect: {opens: {delivered: 101, attempts: 8}, consumer: {processed: exactly-once}}",
        )
        _, findings = played(plan, WireTransport())
    assert failed(findings) == []


@pytest.mark.parametrize("status", [201, 202, 204, 301, 307, 400, 401, 404, 410, 429, 500, 503])
def test_every_other_status_is_retried_on_a_real_endpoint(tmp_path: Path, httpserver: HTTPServer, status: int) -> None:
    for answer in (status, status, 200):
        httpserver.expect_ordered_request("/hook", method="POST").respond_with_data("", answer)
    plan = own_plan(
        tmp_path,
        httpserver.url_for("").rstrip("/"),
        "emit: {type: open, count: 2}",
        "advance: 20s",
        "expect: {opens: {delivered: 2, attempts: 3}}",
        probe=False,
    )
    player, findings = played(plan, WireTransport())
    httpserver.check_assertions()
    assert [finding.id for finding in findings if finding.outcome == "fail"] == (
        ["responds-200"] if status < 400 else []
    )
    attempts = [entry for entry in player.campaign.journal.entries if isinstance(entry, Attempted)]
    assert [(entry.count, entry.interval) for entry in attempts] == [(2, 10_000), (1, 0)]


async def _accept(request: Request) -> Response:
    await request.body()
    return Response("ok")


RUN = ("emit: {type: open, count: 2}", "run: until-idle")


def test_an_altered_field_is_shown(tmp_path: Path) -> None:
    account: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        account.extend({**event, "created": event["created"] // 1000} for event in await request.json())
        return Response("ok")

    plan = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: exactly-once}}")
    _, findings = played(plan, AsgiTransport(starlette_consumer(hook, account)))
    [finding] = [finding for finding in findings if finding.outcome == "fail"]
    [at, seconds] = re.findall(r"\d{10,}", finding.actual)
    assert finding.actual == f"2 events are altered, first: created {at} as {seconds}"
    assert int(at) // 1000 == int(seconds)


def test_a_duplicate_event_is_shown(tmp_path: Path) -> None:
    account: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        account.extend(2 * await request.json())
        return Response("ok")

    for wanted, outcome in (("exactly-once", "fail"), ("at-least-once", "pass"), ("4", "pass"), ("2", "fail")):
        account.clear()
        plan = own_plan(tmp_path, "http://x.test", *RUN, f"expect: {{consumer: {{processed: {wanted}}}}}")
        _, findings = played(plan, AsgiTransport(starlette_consumer(hook, account)))
        [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
        assert finding.outcome == outcome
        if wanted == "exactly-once":
            assert finding.actual.startswith("2 duplicates are in the store, first type=open mailId=")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Response("<html>log in</html>", media_type="text/html"),
            "expected JSON, got text/html; charset=utf-8 that begins",
        ),
        (Response("nope", status_code=503), "responded 503, expected 200"),
        (JSONResponse({"events": []}), 'the response is {"events":[]}, expected a list of events; lists in it: events'),
        (JSONResponse([1]), "the response is a list whose element 0 is 1, expected a list of events"),
    ],
)
def test_an_unusable_probe_response_is_inconclusive(tmp_path: Path, answer: Response, why: str) -> None:
    plan = own_plan(tmp_path, "http://x.test", *RUN)
    with pytest.raises(CouldNotTellError) as refused:
        played(plan, AsgiTransport(starlette_consumer(_accept, answer)))
    assert str(refused.value).startswith(f"probe http://x.test/processed: {why}")


def test_events_of_an_earlier_run_are_inconclusive(tmp_path: Path) -> None:
    app = consumer_app()
    plan = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: exactly-once}}")
    played(plan, AsgiTransport(app))
    with pytest.raises(CouldNotTellError, match="2 of this run's events were there before it began"):
        played(plan, AsgiTransport(app))
    assert failed(played(plan, AsgiTransport(app), seed=2)[1]) == []


def test_an_unreachable_consumer_at_the_first_attempt_is_inconclusive(tmp_path: Path) -> None:
    with serve_in_thread(consumer_app()) as url:
        pass
    plan = own_plan(tmp_path, url, *RUN, probe=False)
    with pytest.raises(ConsumerUnreachableError, match=r"at the first attempt \(\S+Z in virtual time\)"):
        played(plan, WireTransport())


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (("emit: {type: click}", "run: until-idle"), "no event was exported"),
        (("emit: {type: open, count: 3}",), "nothing was sent, because no step lets time pass"),
    ],
)
def test_a_run_that_shows_nothing_is_inconclusive(tmp_path: Path, steps: tuple[str, ...], why: str) -> None:
    plan = own_plan(tmp_path, "http://x.test", *steps, probe=False)
    player, _ = played(plan, AsgiTransport(consumer_app()))
    said = scenario_shows_nothing(plan, player.campaign.journal.entries, player.campaign.is_idle)
    assert said is not None
    assert said.startswith(why)


REFUSING = ("emit: {type: open, count: 3}", "outage: {for: 4d, kind: refused}", "run: until-idle")
DEAF = ("deactivate: opens", "emit: {type: open, count: 3}", "run: until-idle")
WAITING = ("emit: {type: open, count: 3}",)


@pytest.mark.parametrize(
    ("steps", "expected", "why"),
    [
        # What could not be met if everything were delivered says that nothing should be.
        (REFUSING, "opens: {delivered: 0}", None),
        (REFUSING, "opens: {delivered: {at_most: 0}}", None),
        (REFUSING, "opens: {discarded: 3}", None),
        (REFUSING, "opens: {discarded: {at_least: 1}}", None),
        (REFUSING, "consumer: {processed: 0}", None),
        (DEAF, "opens: {attempts: 0}", None),
        (DEAF, "opens: {delivered: 0, pending: 0}", None),
        (WAITING, "opens: {pending: 3}", None),
        # What could be met then as well wants nothing lost, and says no such thing.
        (REFUSING, "opens: {pending: 0}", "nothing was delivered"),
        (REFUSING, "opens: {delivered: {at_most: 1}}", "nothing was delivered"),
        (REFUSING, "opens: {attempts: 25920}", "nothing was delivered"),
        (REFUSING, "opens: {discarded: {at_most: 3}}", "nothing was delivered"),
        (REFUSING, "consumer: {processed: exactly-once}", "nothing was delivered"),
        (REFUSING, "consumer: {processed: {at_most: 3}}", "nothing was delivered"),
        (DEAF, "opens: {pending: 0, discarded: 0}", "no event was exported: no webhook of its type was activated"),
        (DEAF, "opens: {batch_events: {at_most: 100}}", "no event was exported: no webhook of its type was activated"),
        (("verify: {webhook: opens}",), "opens: {discarded: 0}", "no event was exported: none occurred"),
        (("verify: {webhook: opens}",), "opens: {verified: 200}", None),
    ],
)
def test_a_run_without_deliveries_needs_an_expectation_of_none(
    tmp_path: Path, steps: tuple[str, ...], expected: str, why: str | None
) -> None:
    plan = own_plan(tmp_path, "http://x.test", *steps, f"expect: {{{expected}}}", probe="consumer" in expected)
    player, _ = played(plan, AsgiTransport(consumer_app()))
    said = scenario_shows_nothing(plan, player.campaign.journal.entries, player.campaign.is_idle)
    if why is None:
        assert said is None
    else:
        assert said is not None
        assert said.startswith(why)
        assert said.endswith("; expect `delivered: 0` if that is meant")


@pytest.mark.parametrize("wanted", ["exactly-once", "at-least-once"])
@pytest.mark.parametrize("beside", ["", "opens: {delivered: 0}, "])
@pytest.mark.parametrize("steps", [REFUSING, DEAF, WAITING])
def test_stored_events_are_not_judged_if_none_was_delivered(
    tmp_path: Path, steps: tuple[str, ...], beside: str, wanted: str
) -> None:
    plan = own_plan(tmp_path, "http://x.test", *steps, f"expect: {{{beside}consumer: {{processed: {wanted}}}}}")
    _, findings = played(plan, AsgiTransport(consumer_app()))
    [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
    assert (finding.outcome, finding.actual) == ("not-exercised", "no event was delivered")


@pytest.mark.parametrize("wanted", ["exactly-once", "at-least-once"])
def test_events_that_are_stored_although_none_was_delivered_are_judged(tmp_path: Path, wanted: str) -> None:
    """Discarded events may be stored, once."""
    stored: list[Any] = []

    async def hook(request: Request) -> Response:
        stored.extend(await request.json())
        return Response(status_code=503)

    steps = ("emit: {type: open, count: 3}", "advance: 20s", f"expect: {{consumer: {{processed: {wanted}}}}}")
    plan = own_plan(tmp_path, "http://x.test", *steps)
    _, findings = played(plan, AsgiTransport(starlette_consumer(hook, stored)))
    [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
    assert finding.outcome == ("fail" if wanted == "exactly-once" else "not-exercised")


def test_an_earlier_expectation_of_pending_does_not_count_for_later_events(tmp_path: Path) -> None:
    steps = ("emit: {type: open, count: 3}", "expect: {opens: {pending: 3}}", "emit: {type: open}")
    plan = own_plan(tmp_path, "http://x.test", *steps, probe=False)
    player, _ = played(plan, AsgiTransport(consumer_app()))
    said = scenario_shows_nothing(plan, player.campaign.journal.entries, player.campaign.is_idle)
    assert said is not None
    assert said.startswith("4 events were still due at the end")


def test_scenarios_of_one_seed_share_a_consumer(tmp_path: Path) -> None:
    """Their events differ, so each finds its own among the stored ones."""
    app = consumer_app()
    for name in ("one", "two"):
        plan = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: exactly-once}}")
        renamed = msgspec.structs.replace(plan, scenario=msgspec.structs.replace(plan.scenario, name=name))
        assert failed(played(renamed, AsgiTransport(app))[1]) == []


def test_an_expectation_sees_only_earlier_entries(tmp_path: Path) -> None:
    plan = own_plan(
        tmp_path,
        "http://x.test",
        "emit: {type: open, count: 2}",
        "expect: {opens: {attempts: 0, pending: 2}}",
        "run: until-idle",
        "expect: {opens: {attempts: 1, pending: 0}}",
    )
    _, findings = played(plan, AsgiTransport(consumer_app()))
    assert failed(findings) == []


def test_create_update_and_delete_as_steps(tmp_path: Path) -> None:
    plan = own_plan(
        tmp_path,
        "http://x.test",
        "create: {clicks: {type: click, url: 'http://x.test/wrong'}}",
        "activate: clicks",
        "emit: {type: click, count: 2}",
        "advance: 5s",
        "expect: {clicks: {delivered: 0, attempts: 1}}",
        "update: {clicks: {url: 'http://x.test/hook'}}",
        "run: until-idle",
        "probe: now",
        "deactivate: clicks",
        "delete: clicks",
        "expect: {clicks: {delivered: 2}, consumer: {processed: 2}}",
    )
    _, findings = played(plan, AsgiTransport(consumer_app()))
    assert failed(findings) == []


def test_like_makes_events_of_the_same_shape(tmp_path: Path) -> None:
    (tmp_path / "captured.json").write_text('[{"type": "click", "recipientId": "007", "extra": [1], "created": 1}]')
    processed: list[dict[str, Any]] = []
    plan = own_plan(
        tmp_path,
        "http://flask.test",
        "create: {clicks: {type: click}}",
        "activate: clicks",
        "emit: {like: captured.json, count: 20}",
        "run: until-idle",
        "expect: {clicks: {delivered: 20}, consumer: {processed: exactly-once}}",
    )
    _, findings = played(plan, WsgiTransport(flask_consumer(processed)))
    assert failed(findings) == []
    assert {len(event["recipientId"]) for event in processed} == {3}
    assert all(event["extra"] == [1] for event in processed)


def test_a_mailing_falls_due_as_time_passes(tmp_path: Path) -> None:
    plan = own_plan(
        tmp_path,
        "http://flask.test",
        "create: {bounces: {type: bounce}}",
        "activate: bounces",
        "mailing: {recipients: 400, rates: {opening: 1, hard_bouncing: 0.25}}",
        "advance: 1h",
        "expect: {opens: {delivered: {at_least: 50, at_most: 250}}}",
        "run: until-idle",
        "expect: {opens: {delivered: {at_least: 290}}, bounces: {delivered: {at_least: 70, at_most: 130}}}",
    )
    processed: list[dict[str, Any]] = []
    player, findings = played(plan, WsgiTransport(flask_consumer(processed)))
    assert failed(findings) == []
    moments = [event["created"] for event in processed]
    assert plan.scenario.start <= min(moments)
    assert max(moments) <= player.campaign.now < plan.scenario.start + 31 * DAY
    assert len({event["mailingId"] for event in processed}) == 1


def test_exact_events_are_sent_as_they_are(tmp_path: Path) -> None:
    events = '[{"type": "open", "mailId": "A", "id": 9007199254740993}, {"b": null}, {"mailId": "A"}, {"mailId": "B"}]'
    for new_mail_ids in (False, True):
        plan = own_plan(
            tmp_path,
            "http://flask.test",
            f"emit: {{type: open, events: '{events}', new_mail_ids: {str(new_mail_ids).lower()}}}",
            "run: until-idle",
            "expect: {opens: {delivered: 4, batch_events: [4]}}",
        )
        processed: list[dict[str, Any]] = []
        _, findings = played(plan, WsgiTransport(flask_consumer(processed)))
        assert failed(findings) == []
        first, second, third, fourth = processed
        assert first["id"] == 9007199254740993
        assert second == {"b": None}
        assert first["mailId"] == third["mailId"] != fourth["mailId"]
        assert (first["mailId"] == "A") is not new_mail_ids


@pytest.mark.parametrize(
    ("emit", "message"),
    [
        ("{type: open, events: '[]'}", "not a list of events, allowed: a JSON list of 1 to 10,000 objects, as text"),
        ("{type: open, events: '[1]'}", "not a list of events, allowed: a JSON list of 1 to 10,000 objects, as text"),
        ("{type: open, events: '[{}]', count: 2}", "events: these are all events, and they occur now"),
        ("{type: open, new_mail_ids: true}", "new_mail_ids: needs the key 'events'"),
    ],
)
def test_invalid_exact_events_are_rejected(tmp_path: Path, emit: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        own_plan(tmp_path, "http://flask.test", f"emit: {emit}")
