"""The probe of a server: it asks for the events of this server, if it selects any."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import databases
from late_databases import FIELDS, MISSPELT, QUERY, LateDatabase, Misspelt
from mockcampaign.errors import InvalidInputError
from mockcampaign.samples.consumer import consumer_app, serve_consumer
from mockcampaign.server.consumer_probe import ProbeOptions
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport
from servers import running_server


@pytest.fixture(scope="module")
def consumer() -> Iterator[str]:
    with serve_in_thread(consumer_app()) as url:
        yield url


def test_placeholders_select_the_events_of_this_server(consumer: str) -> None:
    probe = ProbeOptions(url=f"{consumer}/processed?mailing={{mailingId}}")
    with running_server(seed=8) as other:
        other.activated(f"{consumer}/hook")
        other.control("POST", "/emit", {"type": "open", "count": 7})
        other.advance("1m")
    with running_server(seed=9, probe=probe) as server:
        server.activated(f"{consumer}/hook")
        assert server.control("GET", "/stored").json()["reported"] == 0
        for _ in range(2):
            server.control("POST", "/emit", {"type": "open", "count": 2})
        server.advance("1m")
        found = server.control("GET", "/stored").json()
        assert [found[name] for name in ("reported", "acknowledged", "found", "missing", "duplicate")] == [
            4,
            4,
            4,
            0,
            0,
        ]


def test_the_whole_store_is_not_taken_for_the_events_of_this_session() -> None:
    with serve_consumer("stores-first-event-only") as url:
        probe = ProbeOptions(url=f"{url}/processed")
        for seed in (8, 9):
            with running_server(seed=seed, probe=probe) as server:
                server.activated(f"{url}/hook", "click")
                server.control("POST", "/emit", {"type": "click", "count": 50})
                server.advance("1m")
                found = server.control("GET", "/stored").json()
                verdict = server.control("GET", "/verdict").json()["findings"][-1]
    assert [found[name] for name in ("reported", "acknowledged", "found", "missing", "altered")] == [2, 50, 1, 49, 0]
    assert found["summary"] in verdict["actual"]


def test_an_unknown_placeholder_is_refused_before_anything_is_served() -> None:
    for options in (ProbeOptions(url="http://x/?m={mailing}"), ProbeOptions(command="cat {mailing}")):
        with pytest.raises(InvalidInputError, match=r"^--probe\S*: unknown placeholder '{mailing}', did you mean"):
            options.check()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[tuple[str, ProbeOptions]]:
    """Serve a consumer that stores its events in SQLite, without a URL that returns them."""
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE events (mailing INTEGER, mail_id TEXT, created INTEGER, payload TEXT UNIQUE)")

    async def hook(request: Request) -> Response:
        events = await request.json()
        rows = [(one["mailingId"], one["mailId"], one["created"], json.dumps(one, sort_keys=True)) for one in events]
        with contextlib.closing(sqlite3.connect(path)) as made, made:
            made.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", rows)
        return Response()

    query = "SELECT mail_id, created FROM events WHERE mailing = :mailingId"
    probe = ProbeOptions(sql=f"sqlite:///{path}", query=query, fields=("mailId", "created"))
    with serve_in_thread(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as url:
        yield url, probe


def test_a_query_of_the_consumers_database_serves_verdicts_and_checks(database: tuple[str, ProbeOptions]) -> None:
    url, probe = database
    with databases.all_closed(), running_server(probe=probe) as server:
        server.activated(f"{url}/hook")
        server.control("POST", "/emit", {"type": "open", "count": 120})
        server.advance("1m")
        found = server.control("GET", "/stored").json()
        assert [found[name] for name in ("reported", "acknowledged", "missing", "duplicate")] == [120, 120, 0, 0]
        assert server.control("GET", "/state").json()["probe"] == "query of sqlite"
        assert server.control("GET", "/verdict").json()["verdict"] == "compliant"
        expected = server.control("POST", "/expect", {"consumer": {"processed": "exactly-once"}}).json()
        assert expected["verdict"] == "compliant"
        body = {"target": f"{url}/hook", "serverProbe": True, "rules": ["stores-every-event"], "seed": 1, "examples": 2}
        with databases.all_closed():
            started = server.control("POST", "/check", body).json()
            checked = server.control("GET", f"/checks/{started['id']}?wait=60s").json()
        assert [(one["id"], one["outcome"]) for one in checked["findings"]] == [("stores-every-event", "pass")]


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"consumer": {"processed": "exactly-once"}}, "could-not-tell"),
        ({"consumer": {"processed": "at-least-once"}, "open": {"pending": 0}}, "could-not-tell"),
        ({"consumer": {"processed": "exactly-once"}, "open": {"delivered": 0}}, "compliant"),
        ({"consumer": {"processed": 0}}, "compliant"),
        ({"open": {"pending": 0}}, "compliant"),
    ],
)
def test_expectations_of_stored_events_show_nothing_if_none_was_delivered(
    database: tuple[str, ProbeOptions], body: dict[str, Any], verdict: str
) -> None:
    url, probe = database
    with running_server(probe=probe) as server:
        server.activated(f"{url}/hook")
        found = server.control("POST", "/expect", body).json()
    assert found["verdict"] == verdict
    assert (found["trouble"] is None) == (verdict == "compliant")


def test_a_number_that_is_too_great_shows_nothing_and_one_that_is_too_small_a_loss(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    found = {}
    with running_server(probe=ProbeOptions(url=httpserver.url_for("/stored"), count="opens")) as server:
        server.activated(httpserver.url_for("/hook"))
        server.control("POST", "/emit", {"type": "open", "count": 120})
        server.advance("1m")
        for number in (119, 120, 121):
            httpserver.expect_oneshot_request("/stored").respond_with_json({"opens": number})
            answer = server.control("GET", "/verdict").json()
            found[number] = answer["verdict"], (answer["trouble"] or "").partition(":")[0]
    assert found == {
        119: ("violated", ""),
        120: ("compliant", ""),
        121: ("could-not-tell", "the probe reports more events than were sent"),
    }


def test_a_database_that_is_not_there_is_the_trouble_of_the_check(
    database: tuple[str, ProbeOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, probe = database
    closed: list[WireTransport] = []

    async def close(transport: WireTransport) -> None:
        closed.append(transport)
        await actual(transport)

    actual = WireTransport.aclose
    path = tmp_path / "gone.db"
    with running_server(probe=msgspec.structs.replace(probe, sql=f"sqlite:///{path}")) as server:
        monkeypatch.setattr(WireTransport, "aclose", close)
        started = server.control("POST", "/check", {"target": f"{url}/hook", "serverProbe": True}).json()
        checked = server.control("GET", f"/checks/{started['id']}?wait=60s").json()
        assert (checked["status"], checked["verdict"], checked["findings"]) == ("ended", "could-not-tell", [])
        assert checked["trouble"].startswith(f"probe query: no file {path}, although the consumer has acknowledged")
        assert len(set(closed)) == 2


def test_a_caller_names_no_database_and_no_probe_that_is_not_there(consumer: str) -> None:
    target = f"{consumer}/hook"
    with running_server() as server:
        for given, message in (
            ({"serverProbe": True}, "serverProbe: the server has no probe, allowed: one given with --probe, "),
            ({"serverProbe": True, "probe": {"url": target}}, "serverProbe: true and probe, allowed: one of them"),
            ({"probe": {"url": target, "sql": "sqlite:///x"}}, "probe.sql: "),
        ):
            answer = server.control("POST", "/check", {"target": target, **given})
            assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ProbeOptions(sql="sqlite://"), "allowed: both --probe-sql and --probe-query or neither, found one"),
        (ProbeOptions(query="SELECT 1"), "allowed: both --probe-sql and --probe-query or neither, found one"),
        (ProbeOptions(url="http://x/", sql="sqlite://", query="SELECT 1"), "allowed: one of --probe, --probe-command"),
        (ProbeOptions(sql="sqlite://", query="DROP TABLE x"), "--probe-query: 'DROP TABLE x' is no query that reads"),
        (
            ProbeOptions(sql="sqlite://", query="SELECT 1", events="@"),
            "--probe-events and --probe-count have no effect",
        ),
        (ProbeOptions(fields=("mailId",)), "--probe-fields has no effect alone, allowed: with --probe, --probe-com"),
    ],
)
def test_wrong_options_are_one_line(options: ProbeOptions, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{re.escape(message)}"):
        options.check()


@pytest.mark.slow
@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_database_that_the_consumer_creates_need_not_exist(tmp_path: Path, misspelt: Misspelt) -> None:
    path = tmp_path / "shop.sqlite"
    right = ProbeOptions(sql=f"sqlite:///{path}", query=QUERY, fields=FIELDS)
    wrong = ProbeOptions(sql=misspelt.url(tmp_path), query=misspelt.query, fields=FIELDS)
    with serve_in_thread(LateDatabase(path)) as url:
        for probe, verdict in ((wrong, "could-not-tell"), (right, "compliant")):
            with running_server(probe=probe) as server:
                server.activated(f"{url}/hook")
                stored = server.control("GET", "/stored")
                assert (stored.status_code, stored.json()["reported"]) == (200, 0)
                server.control("POST", "/emit", {"type": "open", "count": 3})
                server.advance("1m")
                body = {"target": f"{url}/hook", "serverProbe": True, "rules": ["stores-every-event"]}
                started = server.control("POST", "/check", body).json()
                views = (
                    server.control("GET", "/verdict").json(),
                    server.control("POST", "/expect", {"consumer": {"processed": "exactly-once"}}).json(),
                    server.control("GET", f"/checks/{started['id']}?wait=60s").json(),
                )
                for view in views:
                    assert view["verdict"] == verdict
                    assert verdict == "compliant" or re.search(misspelt.message(tmp_path), view["trouble"])
                    assert all(one["outcome"] != "fail" for one in view["findings"])
            path.unlink()
    assert not (tmp_path / "shpo.sqlite").exists()


def test_rows_that_name_no_mail_are_inconclusive(consumer: str) -> None:
    probe = ProbeOptions(url=f"{consumer}/processed?mailing={{mailingId}}", events="[].{mail_id: mailId, kind: type}")
    with running_server(seed=12, probe=probe) as server:
        server.activated(f"{consumer}/hook")
        server.control("POST", "/emit", {"type": "open", "count": 5})
        server.advance("1m")
        expected = {"open": {"pending": 0}, "consumer": {"processed": "exactly-once"}}
        for judged in (server.control("GET", "/verdict"), server.control("POST", "/expect", expected)):
            found = judged.json()
            assert found["verdict"] == "could-not-tell"
            assert found["trouble"].startswith("probe: none of 5 elements has mailId, by which events are recognised")
            assert "--probe-events, such as '[].event' or '[].{mailId: mail_id, …}'" in found["trouble"]
            assert all(one["outcome"] != "fail" for one in found["findings"])
        counted = server.control("POST", "/expect", {"consumer": {"processed": 5}}).json()
        assert counted["verdict"] == "compliant"
