"""Checks over HTTP: progress, findings, reports, limits, and what is rejected."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judged import checked_by_url
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.judging.finding import Finding
from mockcampaign.model import BasicAuthentication, NoAuthentication
from mockcampaign.policy import DEFAULT_START, HOUR
from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.server.background.verdict_jobs import JOBS_KEPT
from mockcampaign.transport.targets import AllowedTargets
from servers import Server, running_server

SECRET = "unmistakable-5ecret"
BUG, RULES = "dedup-key-mail-id", ("stores-repeat-engagement", "stores-open-and-click", "responds-200")
DEAD = "http://127.0.0.1:9/hook"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(targets=AllowedTargets(local=True)) as server:
        yield server


@contextlib.contextmanager
def silent_consumer() -> Iterator[str]:
    """Accept connections, and respond to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def check_of(url: str, **more: Any) -> dict[str, Any]:
    probe = {"url": f"{url}/processed"}
    return {"target": f"{url}/hook", "probe": probe, "rules": list(RULES), "seed": 1, "examples": 3, **more}


def started(server: Server, body: dict[str, Any]) -> int:
    answer = server.control("POST", "/check", body)
    assert (answer.status_code, answer.json().get("status")) == (202, "running"), answer.text
    number: int = answer.json()["id"]
    return number


def ended(server: Server, body: dict[str, Any]) -> dict[str, Any]:
    view: dict[str, Any] = server.control("GET", f"/checks/{started(server, body)}?wait=60s").json()
    assert view["status"] == "ended", view
    return view


def test_the_clock_file_of_the_server_leads_the_consumer(tmp_path: Path) -> None:
    with serve_consumer() as url:
        body = check_of(url, rules=["accepts-redelivered-batch"], serverClock=True)
        with running_server() as server:
            answer = server.control("POST", "/check", body)
            assert (answer.status_code, answer.json()["error"]) == (
                400,
                "serverClock: the server has no clock file, allowed: one given with --clock, or by the scenario of "
                "--scenario",
            )
        (tmp_path / "clocks").mkdir()
        clock = Noting(tmp_path / "clocks" / "clock", "--clock")
        with running_server(clock=clock) as server:
            server.advance("1h")
            before = list(clock.shown)
            view = ended(server, body)
            report = server.control("GET", f"/checks/{view['id']}/report.json").json()
            # The command line and fixtures add the same note, and release the clock as well.
            assert (report["notes"], view["verdict"]) == (["clock-assumed"], "compliant")
            assert len(set(clock.shown)) > len(set(before))
            assert clock.path.read_text() == "+0.000\n"
            server.advance("1h")
            assert clock.shown[-1] == DEFAULT_START + 2 * HOUR
            assert abs(clock.now - clock.shown[-1]) < HOUR
            clock.path.parent.rename(tmp_path / "elsewhere")
            answer = server.control("POST", "/check", body)
            assert (answer.status_code, answer.json()["error"]) == (
                503,
                f"--clock {clock.path}: cannot be written: No such file or directory",
            )


class Noting(ClockFile):
    """Notes each moment that it shows."""

    def __init__(self, path: Path, place: str) -> None:
        super().__init__(path, place)
        self.shown: list[int] = []

    def show(self, moment: int) -> None:
        super().show(moment)
        self.shown.append(moment)


def shown(findings: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(one.id, one.outcome, one.identity) for one in findings]


def test_a_check_finds_what_the_library_finds_and_reports_it_in_each_format(server: Server) -> None:
    with serve_consumer(BUG) as url:
        view = ended(server, check_of(url))
    with serve_consumer(BUG) as url:
        expected = checked_by_url(url, rules=RULES, examples=3, authentication=NoAuthentication())
    assert [(one["id"], one["outcome"], one["identity"]) for one in view["findings"]] == shown(expected.rules)
    assert (view["verdict"], view["done"], view["total"], view["headline"]) == ("violated", 3, 3, expected.headline)
    reports = {name: server.control("GET", f"/checks/{view['id']}/{name}") for name in REPORTS}
    assert {name: report.headers["Content-Type"].partition(";")[0] for name, report in reports.items()} == REPORTS
    assert {report.headers["Content-Security-Policy"] for report in reports.values()} == {"sandbox allow-scripts"}
    found = reports["report.json"].json()["rules"]
    assert [(one["id"], one["outcome"], one["identity"]) for one in found] == shown(expected.rules)
    assert "stores-repeat-engagement" in reports["junit.xml"].text
    assert "stores-repeat-engagement" in reports["report.html"].text


REPORTS = {"report.json": "application/json", "report.html": "text/html", "junit.xml": "application/xml"}


def test_a_stream_has_each_finding_and_ends_with_the_verdict(server: Server) -> None:
    with serve_consumer() as url:
        number = started(server, check_of(url))
        stream = server.control("GET", f"/checks/{number}/stream").text
        again = server.control("GET", f"/checks/{number}/stream", headers={"Last-Event-ID": "1"}).text
    messages = [dict(line.split(": ", 1) for line in one.splitlines()) for one in stream.split("\r\n\r\n") if one]
    messages = [one for one in messages if "event" in one]
    assert [json.loads(one["data"])["id"] for one in messages if one["event"] == "finding"][:3] == [
        *("responds-200", "stores-repeat-engagement", "stores-open-and-click")
    ]
    assert messages[-1]["event"] == "end"
    assert json.loads(messages[-1]["data"])["verdict"] == "compliant"
    assert again.count("event: finding") == 1


def test_credentials_appear_nowhere(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    given = {"type": "basicAuth", "userName": "acme", "password": SECRET}
    with serve_consumer(basic_authentication=BasicAuthentication("acme", "another")) as url:
        body = check_of(url, authentication=given) | {"target": f"{url}/hook?token={SECRET}"}
        number = started(server, body)
        texts = [server.control("GET", f"/checks/{number}/stream").text]
    texts += [server.control("GET", f"/checks/{number}{path}").text for path in ("", *(f"/{name}" for name in REPORTS))]
    texts += [server.control("GET", path).text for path in ("/checks", "/state", "/journal")]
    texts += [server.control("POST", "/check", body | wrong).text for wrong in WRONG_SECRETS]
    assert all("401" in text for text in texts[:2])
    assert not [text for text in (*texts, *capfd.readouterr()) if SECRET in text]


WRONG_SECRETS: tuple[dict[str, Any], ...] = (
    {"target": f"http://user:{SECRET}@127.0.0.1/"},
    {"authentication": {"type": "basicAuth", "userName": "a:b", "password": SECRET}},
    {"authentication": {"type": "keyAuth", "key": "Host", "passphrase": SECRET}},
    {"authentication": SECRET},
)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"target": None}, "target: null is not text, allowed: http(s)://host[:port]/path"),
        (
            {"rules": ["responds-20"]},
            "rules: unknown rule or family 'responds-20', did you mean 'responds-200'",
        ),
        ({"skip": list(RULES)}, "rules and skip: leave no rule to examine, allowed: at least one"),
        ({"allow": ["xyz"]}, "allow: unknown rule 'xyz' (allowed: those that 'mockcampaign rules' lists)"),
        ({"budget": "2h"}, "budget: longer than 1h, which is the limit"),
        ({"budget": "0s"}, "budget: 0s is too short, allowed: 1ms or longer"),
        ({"seed": -1}, "seed: -1 is not valid, allowed: a whole number from 0 to 9223372036854775807"),
        ({"strict": 1}, "strict: 1 is not valid, allowed: true or false"),
        ({"probe": {"url": DEAD, "events": "@", "count": "@"}}, "probe: both events and count, allowed: one of them"),
        ({"probe": {"url": DEAD, "events": "["}}, "probe.events: '[' is not JMESPath"),
        ({"probe": {"url": DEAD, "fields": ["mail"]}}, "probe.fields: unknown field 'mail', did you mean 'mailId'?"),
        ({"probe": {"url": f"{DEAD}/{{mail}}"}}, "probe.url: unknown placeholder '{mail}'"),
        (
            {"probe": {"command": "cat x"}},
            "probe.url: missing, allowed: http(s)://host[:port]/path; probe.command: unkn",
        ),
        ({"probe": None, "counters": [{"url": DEAD}]}, "counters: have no effect alone, allowed: with probe"),
        ({"keep": ["mailId"]}, "keep: has no effect alone, allowed: with like"),
        ({"like": [{"a": 1}]}, "like: "),
        ({"shape": "fields: {a: nothing}"}, "shape:1:13: unknown value 'nothing' (allowed: type,"),
        ({"restartCommand": "true"}, "restartCommand: unknown field, allowed: target,"),
        ({"target": "http://93.184.216.34/"}, "target: host 93.184.216.34 is not an allowed target, allowed: loopback"),
        ({"probe": {"url": "http://169.254.169.254/"}}, "probe.url: host 169.254.169.254 is not an allowed target"),
        ({"state": {"url": "http://169.254.169.254/"}}, "state.url: host 169.254.169.254 is not an allowed target"),
    ],
)
def test_bad_input_is_rejected_whole_with_its_field(server: Server, wrong: dict[str, Any], error: str) -> None:
    before = server.control("GET", "/checks").json()
    answer = server.control("POST", "/check", check_of("http://127.0.0.1:9") | wrong)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error), answer.text
    assert "\n" not in answer.json()["error"]
    assert server.control("GET", "/checks").json() == before


def test_a_consumer_that_nobody_serves_is_inconclusive(server: Server) -> None:
    view = ended(server, check_of("http://127.0.0.1:9"))
    assert (view["verdict"], view["findings"]) == ("could-not-tell", [])
    assert view["trouble"] == "probe http://127.0.0.1:9/processed: connection refused"
    report = server.control("GET", f"/checks/{view['id']}/report.html")
    assert (report.status_code, "has no result" in report.text) == (409, True)


def test_one_check_runs_at_a_time_and_a_call_cancels_it(server: Server) -> None:
    with silent_consumer() as url:
        number = started(server, check_of(url))
        second = server.control("POST", "/check", check_of(url))
        assert (second.status_code, f"DELETE /__mockcampaign/checks/{number}" in second.text) == (409, True)
        assert server.control("GET", f"/checks/{number}/report.json").status_code == 409
        assert server.control("GET", f"/checks/{number}?wait=1ms").json()["status"] == "running"
        assert server.control("POST", "/reset").status_code == 204
        assert server.control("DELETE", f"/checks/{number}").status_code == 204
    assert server.control("GET", f"/checks/{number}").status_code == 404
    assert server.control("DELETE", f"/checks/{number}").status_code == 404


def test_the_end_of_the_server_ends_the_check() -> None:
    with silent_consumer() as url, running_server() as server:
        started(server, check_of(url))
        [job] = server.campaign.jobs
    assert job.status == "cancelled"


def test_only_the_newest_checks_are_kept(server: Server) -> None:
    numbers = [ended(server, check_of("http://127.0.0.1:9"))["id"] for _ in range(JOBS_KEPT + 1)]
    assert [job["id"] for job in server.control("GET", "/checks").json()] == numbers[1:]


def test_without_its_packages_the_check_names_its_extra(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of the modules that import it only one, so that no other one exists twice afterwards.
    monkeypatch.delitem(sys.modules, "mockcampaign.check.shrink", raising=False)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    answer = server.control("POST", "/check", check_of("http://127.0.0.1:9"))
    assert (answer.status_code, "pip install 'mockcampaign[check]'" in answer.json()["error"]) == (501, True)


def test_the_shape_of_captured_events_is_that_of_the_check(server: Server) -> None:
    captured = [
        {"kind": "open", "mailId": f"m-{n}", "recipient": f"r{n}@example.com", "at": 1_700_000_000_000 + n}
        for n in range(3)
    ]
    with serve_consumer() as url:
        view = ended(server, check_of(url, like=captured, rules=["responds-200"], probe=None, type="open"))
    assert view["verdict"] == "compliant", view


def test_a_failure_of_ours_is_inconclusive_and_frees_the_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_consumer() as url:
        monkeypatch.setattr("mockcampaign.check.check.CheckRun.result", lambda run: [SECRET][1])
        view = ended(server, check_of(url, rules=["responds-200"]))
        assert (view["verdict"], view["hasResult"]) == ("could-not-tell", False)
        assert view["trouble"] == "mockcampaign itself failed: IndexError"
        monkeypatch.undo()
        assert ended(server, check_of(url, rules=["responds-200"], seed=2))["verdict"] == "compliant"
