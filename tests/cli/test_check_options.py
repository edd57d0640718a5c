"""The options of `mockcampaign check`, each of which changes what is said or how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import databases
from endpoints import server_context
from late_databases import FIELDS, MISSPELT, QUERY, LateDatabase, Misspelt
from mockcampaign.check import examiner
from mockcampaign.cli import cli
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread


def command(*arguments: str) -> int:
    status: int = cli.main(["check", *arguments, "--no-color"], standalone_mode=False)
    return status


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread(consumer_app()) as base:
        yield base


def test_at_its_end_it_says_how_long_it_took_and_which_seed_it_had(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(f"{url}/hook", "--rules", "responds-200", "--seed", "7") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"  1 attempt, 1 event delivered in \d+\.\d s, seed 7; open events", last)


def test_every_report_says_of_which_events_it_is_and_that_few_fields_were_compared(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = "click events, 5 of 14 fields compared"
    pages = {option: tmp_path / option for option in ("--html", "--markdown", "--report-json")}
    given = ("--type", "click", "--probe", f"{url}/processed", "--rules", "responds-200", "--seed", "7")
    fields = ("--probe-fields", "recipientId,mailId,created,link,device")
    assert command(f"{url}/hook", *given, *fields, *(str(one) for pair in pages.items() for one in pair)) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f", seed 7; {said}")
    assert said in pages["--html"].read_text()
    assert said in pages["--markdown"].read_text()
    assert json.loads(pages["--report-json"].read_text())["scope"] == {
        "event_type": "click",
        "fields": 14,
        "fields_compared": 5,
    }


@pytest.mark.slow
def test_examples_are_as_many_as_it_was_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--rules", "accepts-generated-batches", "--examples", "3", "-v")
    assert command(f"{url}/hook", *arguments) == 0
    assert "ccepted 3 generated batches" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("probe", "outcome"),
    [
        ((), "not-exercised"),
        (("--probe", "{url}/processed"), "pass"),
        (("--probe", "{url}/processed", "--probe-count", "length(@)"), "pass"),
        (("--probe", "{url}/processed", "--probe-events", "[?type]"), "pass"),
        (("--probe-command", "{python} -c {code}"), "pass"),
        (("--probe-command", "{python} -c {code}", "--probe-count", "length(@)"), "pass"),
    ],
)
def test_the_account_is_asked_for_as_it_was_told(
    probe: tuple[str, ...], outcome: str, url: str, tmp_path: Path
) -> None:
    code = shlex.quote(f"import urllib.request as r; print(r.urlopen({url + '/processed'!r}).read().decode())")
    given = [one.format(url=url, python=sys.executable, code=code) for one in probe]
    report = tmp_path / "r.json"
    rules = ("--rules", "responds-200,stores-before-acknowledging")
    assert command(f"{url}/hook", *given, *rules, "--report-json", str(report)) == 0
    assert [rule["outcome"] for rule in json.loads(report.read_bytes())["rules"]] == ["pass", outcome]


def test_strict_makes_what_was_not_exercised_status_3_and_a_hazard_status_1(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = ("--rules", "responds-200,stores-before-acknowledging,rejects-get-and-head")
    assert command(f"{url}/hook", *rules) == 0
    assert command(f"{url}/hook", *rules, "--strict") == 3
    assert "inconclusive  no violation in 2 of 3 rules; 1 needs a probe" in capsys.readouterr().out
    with serve_in_thread(consumer_app("responds-200-to-get")) as page:
        assert command(f"{page}/hook", *rules) == 0
        assert command(f"{page}/hook", *rules, "--strict") == 1
    # What a violation and an open rule come to is said as it is returned.
    assert "NOT COMPLIANT  no violation in 2 of 3 rules, but 1 hazard; 1 needs a probe" in capsys.readouterr().out


def test_a_consumer_may_take_no_longer_than_it_was_told() -> None:
    correct, hooked = consumer_app(), 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal hooked
        hooked += scope["type"] == "http"
        if hooked > 1:
            await asyncio.sleep(0.2)
        await correct(scope, receive, send)

    with serve_in_thread(app) as slow:
        for timeout, status in (("100ms", 1), ("5s", 0)):
            hooked = 0
            rules = ("--rules", "responds-in-time", "--strict", "--timeout", timeout)
            assert command(f"{slow}/hook", *rules) == status


def test_an_account_may_lag_behind_if_it_was_told() -> None:
    with serve_in_thread(consumer_app("acknowledges-before-storing")) as late:
        rules = ("--probe", f"{late}/processed", "--rules", "stores-before-acknowledging")
        assert [command(f"{late}/hook", *rules, *more) for more in ((), ("--settle", "1s"))] == [1, 0]


def test_memory_is_waited_for_beyond_the_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[int] = []

    async def note(milliseconds: int) -> None:
        waited.append(milliseconds)

    monkeypatch.setattr(examiner, "pause", note)
    with serve_in_thread(consumer_app()) as url:
        rules = ("--probe", f"{url}/processed", "--rules", "once-at-end-of-check")
        assert command(f"{url}/hook", *rules, "--memory", "10m", "--budget", "1m") == 0
    assert len(waited) == 1
    assert "at most 11m and" in capsys.readouterr().out


def test_the_long_form_has_the_timeline_commands_and_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(consumer_app("stores-first-event-only")) as broken:
        arguments = (f"{broken}/hook", "--probe", f"{broken}/processed", "--rules", "stores-every-event")
        assert command(*arguments) == 1
        brief = capsys.readouterr().out
        assert command(*arguments, "--explain") == 1
    explained = capsys.readouterr().out
    for label in ("required", "expected", "actual", "fix"):
        assert f" {label}  " in brief
    for part in (
        "assumes",
        "documented: a batch is a JSON list of 1 to 100 events",
        "reproduce with curl:\ncurl ",
        "scenario  --scenarios FOLDER",
    ):
        assert part in explained
        assert part not in brief
    assert re.search(r"hook1  batch of 2 +200", explained)


def test_each_event_that_differs_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serve_in_thread(consumer_app("never-deduplicates")) as broken:
        more = ("--rules", "once-after-lost-response", "--explain", "--report-json", str(tmp_path / "r.json"))
        assert command(f"{broken}/hook", "--probe", f"{broken}/processed", *more) == 1
    assert capsys.readouterr().out.count("duplicate: type=open mailId=") == 5
    [finding] = json.loads((tmp_path / "r.json").read_bytes())["rules"]
    assert [one["kind"] for one in finding["differences"]] == ["duplicate"] * 5


def test_credentials_may_be_a_header_of_its_own() -> None:
    given: list[str] = []
    correct = consumer_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given.extend(value.decode() for name, value in scope["headers"] if name == b"x-key")
        await correct(scope, receive, send)

    with serve_in_thread(app) as base:
        assert command(f"{base}/hook", "--key-auth", "X-Key:Bearer t", "--rules", "responds-200") == 0
    assert given == ["Bearer t"]


class _Taking(BaseHTTPRequestHandler):
    """Takes whatever comes."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port_over_tls() -> Iterator[int]:
    """Of a consumer whose certificate is of an authority that this machine does not know."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    server.socket = server_context("localhost").wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever does not trust it hangs up
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_nobody_knows_is_accepted_only_if_it_was_told(port_over_tls: int) -> None:
    arguments = (f"https://localhost:{port_over_tls}/hook", "--rules", "responds-200")
    with pytest.raises(CouldNotTellError, match="certificate"):
        command(*arguments)
    assert command(*arguments, "--insecure") == 0


@pytest.mark.parametrize("option", ["--probe-command", "--restart-cmd", "--break-cmd", "--restore-cmd"])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "an empty command"),
        ("sh -c 'geheim", "command 'sh …': No closing quotation, "),
        ("PASSWORD=geheim 'x", "command 'PASSWORD=… …': No closing quotation, "),
        ("nope-cmd --x", "no program 'nope-cmd', allowed: one in PATH, or the path of one$"),
        ("./nope-cmd", "no program './nope-cmd', "),
        ("PASSWORD=geheim true", "no program 'PASSWORD=…', "),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_before_anything_is_sent(option: str, given: str, why: str) -> None:
    others = {"--break-cmd": ("--restore-cmd", "true"), "--restore-cmd": ("--break-cmd", "true")}.get(option, ())
    with pytest.raises(InvalidInputError, match=f"{option}: .*{why}"):
        command("http://127.0.0.1:1/hook", option, given, *others)


@pytest.mark.parametrize(
    ("option", "value", "others"),
    [
        ("--probe-events", "@", "--probe or --probe-command"),
        ("--probe-count", "@", "--probe or --probe-command"),
        ("--probe-fields", "mailId", "--probe or --probe-command or --probe-sql"),
        ("--probe-counter", "http://127.0.0.1:9/", "--probe or --probe-command or --probe-sql"),
        ("--probe-sql", "sqlite:///x.db", "--probe-query"),
        ("--probe-states", "@", "--probe-state"),
        ("--keep", "city", "--like"),
    ],
)
def test_an_option_that_would_have_no_effect_is_an_error(option: str, value: str, others: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{option} has no effect alone, allowed: {option} with {others}$"):
        command("http://127.0.0.1:9/hook", option, value)


def test_a_database_in_the_environment_matters_only_without_another_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_SQL", "sqlite:///x.db")
    with pytest.raises(InvalidInputError, match=r"^--probe-sql has no effect alone"):
        command("http://127.0.0.1:9/hook")
    with pytest.raises(InvalidInputError, match=r"^--probe-fields: 'x' is unknown"):
        command("http://127.0.0.1:9/hook", "--probe", "http://127.0.0.1:9/", "--probe-fields", "x")


def test_the_connections_to_a_database_are_closed(tmp_path: Path, url: str) -> None:
    path = tmp_path / "x.db"
    path.touch()
    given = ("--probe-sql", f"sqlite:///{path}", "--probe-query", "SELECT 1 AS mailId", "--examples", "1")
    with databases.all_closed():
        assert command(f"{url}/hook", *given, "--rules", "stores-every-event") == 1


@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_database_that_the_consumer_creates_need_not_exist(tmp_path: Path, misspelt: Misspelt) -> None:
    given = ("--probe-fields", ",".join(FIELDS), "--rules", "stores-every-event")
    with serve_in_thread(LateDatabase(tmp_path / "shop.sqlite")) as late:
        with pytest.raises(CouldNotTellError, match=misspelt.message(tmp_path)):
            command(late, "--probe-sql", misspelt.url(tmp_path), "--probe-query", misspelt.query, *given)
        (tmp_path / "shop.sqlite").unlink()
        url = f"sqlite:///{tmp_path / 'shop.sqlite'}"
        assert command(late, "--probe-sql", url, "--probe-query", QUERY, *given) == 0
    assert not (tmp_path / "shpo.sqlite").exists()


def test_whoever_stores_some_fields_gets_the_option_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shop.sqlite"
    given = ("--probe-sql", f"sqlite:///{path}", "--probe-query", QUERY, "--rules", "stores-fields-unchanged")
    with serve_in_thread(LateDatabase(path)) as late:
        assert command(late, *given) == 1
        text = capsys.readouterr().out
        [option] = set(re.findall(r"--probe-fields \w[\w,]+", text))
        assert set(option.split()[1].split(",")) == set(FIELDS)
        [line] = [one for one in text.splitlines() if one.startswith("    mockcampaign") and option in one]
        assert line.endswith(f"{option}  # compares only the fields that the consumer stores")
        assert command(late, *given, *option.split()) == 0


@pytest.mark.parametrize("field", ["city", "who.city", "who", "hookName"])
def test_a_captured_field_may_be_kept_if_there_is_one(field: str, tmp_path: Path, url: str) -> None:
    path = tmp_path / "captured.json"
    event = {"type": "open", "mailId": "a-1", "created": 1_750_000_000_000, "who": {"city": "Ulm"}}
    path.write_text(json.dumps({"hookName": "x", "events": [event]}))
    given = (f"{url}/hook", "--like", str(path), "--rules", "responds-200")
    assert command(*given, "--keep", field) in (0, 1)
    with pytest.raises(InvalidInputError, match=f"^keep: unknown field '{field}s', did you mean '{field}'"):
        command(*given, "--keep", f"{field}s")
