"""What the README and the pages in `docs` say is what happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Inner
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.server.app import server_app
from mockcampaign.server.consumer_probe import ProbeOptions
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings
from mockcampaign.server.users import Users, users_of
from mockcampaign.server.vendor_api.clients_file import load_clients
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport
from places import ROOT, documentation
from renaming import renaming_app
from servers import running_server

README = documentation()


@pytest.mark.parametrize("bug", [None, "dedup-key-mail-id"])
def test_the_scenario_of_the_readme_tells_right_from_broken(tmp_path: Path, bug: str | None) -> None:
    """The scenario finds the bug, and accepts a correct consumer by the probe that renames its fields."""
    [text] = re.findall(r"```yaml\n(name: A two-hour.*?)```", README, re.DOTALL)
    if bug is None:
        [consumer] = re.findall(r"```yaml\n(consumer:\n[^`]*/stored.*?)```", README, re.DOTALL)
        [expected] = re.findall(r"`(consumer: {processed: exactly-once, fields: \[mailId, type.*?})`", README)
        text = re.sub(r"consumer:\n.*?(?=webhooks:)", lambda _: consumer, text, flags=re.DOTALL)
        text = text.replace("consumer: {processed: exactly-once}", expected)
    (tmp_path / "outage.scenario.yaml").write_text(text)
    with serve_in_thread(renaming_app(bug, BasicAuthentication("acme", "secret"))) as url:
        done = subprocess.run(
            [sys.executable, "-m", "mockcampaign", "run", "outage.scenario.yaml", "--seed", "1"],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0 if bug is None else 1, ""), done.stdout


def test_the_mistake_of_the_readme_is_refused_like_this(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(name: A two-hour.*?)```", README, re.DOTALL)
    path = tmp_path / "outage.scenario.yaml"
    path.write_text(text.replace("count: 250", "cuont: 250"))
    with pytest.raises(InvalidInputError) as refused:
        load(path)
    assert f"\n{str(refused.value).removeprefix(f'{tmp_path}/')}\n" in README


def test_paths_that_the_readme_names_exist() -> None:
    named = re.findall(r"(?<![\w/])(?:mockcampaign|tests|scenarios|fixtures)/[\w/.-]*", README)
    assert len(named) > 3
    assert [path for path in named if not (ROOT / path).exists()] == []


FIRST_PAGE = (ROOT / "README.md").read_text()

CONSUMER = """
import json

import pytest


class Shop:
    def __init__(self):
        self.processed = []

    def __call__(self, environ, start_response):
        assert environ["PATH_INFO"] == "/hook" and environ["HTTP_AUTHORIZATION"].startswith("Basic ")
        self.processed += [one for one in json.loads(environ["wsgi.input"].read()) if one not in self.processed]
        start_response("200 OK", [])
        return []


@pytest.fixture
def app():
    return Shop()
"""


def test_the_readme_is_short() -> None:
    assert len(FIRST_PAGE.splitlines()) <= 80


def test_the_first_test_of_the_readme_passes(inner: Inner) -> None:
    [text] = re.findall(r"```python\n(.*?)```", FIRST_PAGE, re.DOTALL)
    assert len(text.splitlines()) <= 8
    inner(f"{CONSUMER}\n\n{text}").assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_check_of_the_readme_prints_these_lines() -> None:
    [arguments] = re.findall(r"^mockcampaign (check .*)$", FIRST_PAGE, re.MULTILINE)
    [shown] = re.findall(r"```text\n(.*?)```", FIRST_PAGE, re.DOTALL)
    with serve_in_thread(consumer_app("dedup-key-mail-id")) as url:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mockcampaign",
                *arguments.replace("http://127.0.0.1:8000", url).split(),
                "--seed=2",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    lines = iter(done.stdout.splitlines())
    assert [line for line in shown.splitlines() if line not in lines] == []  # all of them, in this order


def test_pages_count_the_rules() -> None:
    counts = re.findall(r"\ball (\d+) rules", README + (ROOT / "CHANGELOG.md").read_text())
    assert {int(count) for count in counts} == {len(CATALOGUE)}


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_calls_of_the_readme_do_what_they_say(tmp_path: Path) -> None:
    [calls] = re.findall(r"```sh\n(api=.*?)```", README, re.DOTALL)
    users = Users({DEFAULT_CLIENT_ID: users_of(DEFAULT_CLIENT_ID, [("mockcampaign", "mockcampaign")])})
    campaign = ServedCampaign(WireTransport(), users, ServerSettings())
    with serve_in_thread(consumer_app(None)) as consumer, serve_in_thread(server_app(campaign)) as server:
        calls = calls.replace("http://127.0.0.1:8000", consumer).replace("http://127.0.0.1:8080", server)
        done = subprocess.run(["sh", "-ec", calls], capture_output=True, text=True, timeout=60, check=True)
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    activated, fault, emitted, advanced, outage, mailing, state = answers
    assert activated["status"] == "activated"
    assert emitted == {"events": 250, "webhookIds": [activated["id"]]}
    assert not advanced["advancing"]
    assert mailing["byType"]["sent"] >= 4_900
    assert (fault["number"], fault["fault"]["kind"]) == (1, "lost-ack")
    assert (outage["kind"], outage["webhookId"]) == ("refused", None)
    assert state["webhooks"][0]["outage"] == {"kind": "refused", "until": outage["until"]}


@pytest.mark.slow
def test_the_property_test_of_the_readme_fails_as_it_says(tmp_path: Path) -> None:
    [text] = re.findall(r"```python\n(from hypothesis import given\n.*?)```", README, re.DOTALL)
    text = text.replace("import given", "import given, seed").replace("@given", "@seed(1)\n@given")
    (tmp_path / "test_property.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "true"},  # no deadline
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    example = json.loads((ROOT / "fixtures" / "events" / "click.json").read_text())
    del example["device"]
    printed = re.sub(r"\s+", "", re.sub(r"^[E ]+", "", done.stdout, flags=re.MULTILINE))
    assert re.sub(r"\s+", "", f"batch=[{example}]") in printed


REGISTRATION = """
import requests


def register_webhooks(rest_url, auth):
    for _ in range(3):
        known = requests.get(f"{rest_url}/webhooks", auth=auth, timeout=20).json()
        if not known:
            form = {"targetUrl": "http://127.0.0.1:9/hook", "type": "open", "format": "json"}
            try:
                known = [requests.post(f"{rest_url}/webhooks", form, auth=auth, timeout=20).json()]
            except requests.ConnectionError:
                continue
        requests.post(f"{rest_url}/webhooks/{known[0]['id']}/activate", auth=auth, timeout=20).raise_for_status()
        return
"""


@pytest.mark.slow
def test_the_test_of_calls_in_the_readme_passes(tmp_path: Path) -> None:
    [text] = re.findall(r"```python\n(def test_a_lost_response_registers.*?)```", README, re.DOTALL)
    (tmp_path / "test_registration.py").write_text(f"{REGISTRATION}\n\n{text}")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            "mockcampaign.pytest_plugin",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_whole_way_of_the_readme_leads_to_a_click() -> None:
    [calls] = re.findall(r"```sh\n(rest=.*?)```", README, re.DOTALL)
    users = Users({DEFAULT_CLIENT_ID: users_of(DEFAULT_CLIENT_ID, [("mockcampaign", "mockcampaign")])})
    campaign = ServedCampaign(WireTransport(), users, ServerSettings(speed=0))
    with serve_in_thread(consumer_app(None)) as consumer, serve_in_thread(server_app(campaign)) as server:
        calls = calls.replace("http://127.0.0.1:8000", consumer).replace("http://127.0.0.1:8080", server)
        done = subprocess.run(["sh", "-ec", calls], capture_output=True, text=True, timeout=60, check=True)
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    *activated, recipient, _, acted, status, mail, report = answers
    assert [webhook["status"] for webhook in activated] == ["activated"] * 3
    assert recipient["id"] == mail["recipientId"] == "silent+anna@example.com"
    assert (acted["type"], status["sendStatus"]) == ("click", "sent")
    assert (report["recipients"]["total"], report["clicks"]) == (1, {"total": 1, "unique": 1})


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_test_in_a_shell_tells_right_from_broken(tmp_path: Path) -> None:
    [test] = re.findall(r"```sh\n(control=[^\n]*\ncall\(\).*?)```", README, re.DOTALL)
    [served] = re.findall(r"```sh\nmockcampaign serve --virtual (--probe .*?)```", README, re.DOTALL)
    words = shlex.split(served.replace("\\\n", ""))
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert set(options) == {"--probe", "--probe-events", "--probe-fields"}
    assert called(test, None, options, tmp_path)[0] == 0
    assert called(test, "never-deduplicates", {"--probe": "http://127.0.0.1:8000/processed"}, tmp_path) == (1, "")


def called(calls: str, bug: str | None, options: dict[str, str], folder: Path) -> tuple[int, str]:
    """Return the exit status and the output of the calls, with a consumer and a server of their own."""
    fields = options.get("--probe-fields", "")
    with serve_in_thread(renaming_app(bug)) as consumer:
        probe = ProbeOptions(
            url=options["--probe"].replace("http://127.0.0.1:8000", consumer),
            events=options.get("--probe-events"),
            fields=tuple(fields.split(",")) if fields else (),
        )
        return _called(calls, consumer, probe, folder)


def _called(calls: str, consumer: str, probe: ProbeOptions, folder: Path) -> tuple[int, str]:
    with running_server(probe=probe) as server:
        calls = calls.replace("http://127.0.0.1:8000", consumer).replace("http://127.0.0.1:8080", server.url)
        done = subprocess.run(
            ["sh", "-ec", calls], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
    return done.returncode, done.stdout


def test_the_mail_of_the_readme_has_its_events(inner: Inner) -> None:
    [text] = re.findall(r"```python\n(def test_a_click_in_a_mail.*?)```", README, re.DOTALL)
    inner(text).assert_outcomes(passed=1)


def test_the_clients_of_the_readme_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [text] = re.findall(r"```yaml\n(clients:.*?)```", README, re.DOTALL)
    monkeypatch.setenv("JOE_PASSWORD", "secret")
    (tmp_path / "clients.yaml").write_text(text)
    loaded = load_clients(tmp_path / "clients.yaml")
    assert [mail.mailing_id for mail in loaded.definitions[123456789002].mails] == [70003]
