"""The files and lines that a run leaves behind, as a user and GitHub meet them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import junitparser
import pytest

from commands import mockcampaign, written
from mockcampaign.judging.recorded import load_journals
from mockcampaign.model import BasicAuthentication
from mockcampaign.report.formats import FORMATS
from mockcampaign.report.json_report import json_schema
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread


@pytest.fixture
def broken_url() -> Iterator[str]:
    with serve_in_thread(
        consumer_app("stores-first-event-only", basic_authentication=BasicAuthentication("acme", "geheim!"))
    ) as url:
        yield url


def test_files_say_the_same_as_the_exit_status(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path)
    files = ("--junit", "r.xml", "--report-json", "r.json")
    done = mockcampaign("run", ".", *files, folder=tmp_path, CONSUMER_URL=broken_url)
    assert (done.returncode, done.stderr) == (1, "")
    [suite] = junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))
    assert (suite.name, suite.failures, suite.errors) == ("three opens", 1, 0)
    assert json.loads((tmp_path / "r.json").read_text())["compliant"] is False


def test_every_format_of_the_table_is_an_option_that_writes_its_file(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path)
    files = {report: tmp_path / report.option for report in FORMATS}
    options = [word for report, path in files.items() for word in (f"--{report.option}", str(path))]
    assert mockcampaign("run", ".", *options, folder=tmp_path, CONSUMER_URL=broken_url).returncode == 1
    assert all("three opens" in path.read_text() for path in files.values())


@pytest.mark.parametrize("option", ["--report-json", "--junit"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(tmp_path: Path, option: str) -> None:
    written(tmp_path)
    done = mockcampaign("run", ".", option, "no/r", folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mockcampaign: {option} no/r: there is no folder no, allowed: one that exists\n"


def test_two_outputs_do_not_share_a_file(tmp_path: Path) -> None:
    written(tmp_path)
    files = ("--junit", "r", "--html", "./r")
    done = mockcampaign("run", ".", *files, folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mockcampaign: --junit and --html both name r, allowed: a file for each\n"


def test_github_gets_annotations_at_the_scenarios_line_and_a_summary(tmp_path: Path, broken_url: str) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    written(folder)
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
    done = mockcampaign("run", ".", folder=folder, CONSUMER_URL=broken_url, **github)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    [annotation] = [line for line in lines if line.startswith("::error")]
    assert annotation.startswith(
        "::error file=checks/three.scenario.yaml,line=14,col=29,title=three opens%3A consumer."
    )
    # What a consumer may have had a hand in stands where GitHub obeys nothing.
    assert lines[0].startswith("::stop-commands::")
    resume = lines.index(f"::{lines[0].removeprefix('::stop-commands::')}::")
    assert "  FAIL consumer.processed: exactly-once" in lines[:resume]
    assert (tmp_path / "s").read_text().startswith("## mockcampaign: ❌ not compliant\n")


def test_elsewhere_nothing_is_said_to_github(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path)
    done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=broken_url, GITHUB_ACTIONS="")
    assert "::" not in done.stdout


def test_the_schema_of_the_report_is_printed(tmp_path: Path) -> None:
    done = mockcampaign("schema", "report", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.encode() == json_schema()


@pytest.mark.slow
def test_the_demo_tells_its_two_consumers_apart_in_every_file(tmp_path: Path) -> None:
    done = mockcampaign("demo", "--html", "r.html", "--junit", "r.xml", folder=tmp_path, GITHUB_ACTIONS="true")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Every request of this demo: r.html"
    assert "::" not in done.stdout.replace("http://", "")
    failures = {suite.name: suite.failures for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))}
    assert failures["correct: A two-hour outage loses nothing"] == 0
    assert {name for name, number in failures.items() if number} == {
        "never-deduplicates: A batch is stored once when its response is lost"
    }
    page = " ".join((tmp_path / "r.html").read_text().split())
    assert "<title>Demo: correct and never-deduplicates (mockcampaign)</title>" in page
    assert "<dt>never-deduplicates</dt><dd>Stores every event it receives" in page
    assert "127.0.0.1" not in page.partition("<main>")[0]
    assert '<th scope="row">A two-hour outage loses nothing</th>' in page
    assert "<code>dedup-key-mail-id</code>" in page


@pytest.mark.parametrize("option", ["--report-json", "--junit", "--html", "--markdown", "--journal"])
def test_no_output_overwrites_a_scenario(tmp_path: Path, option: str) -> None:
    text = written(tmp_path).read_text()
    file = "./three.scenario.yaml"
    done = mockcampaign("run", ".", option, file, folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"mockcampaign: {option} three.scenario.yaml: this run reads that file, allowed: another one\n"
    )
    assert (tmp_path / "three.scenario.yaml").read_text() == text


@pytest.mark.parametrize(
    "arguments",
    [
        ("judge", "input", "--junit", "input"),
        ("judge", "other", "--scenario", "input", "--junit", "link"),
        ("replay", "input", "--html", "input"),
        ("check", "http://127.0.0.1:1/", "--baseline", "input", "--report-json", "input"),
        ("check", "http://127.0.0.1:1/", "--baseline", "input", "--journal", "link"),
        ("generate", "--like", "input", "--output", "input"),
    ],
    ids=" ".join,
)
def test_no_output_overwrites_an_input(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "input").write_text("input")
    (tmp_path / "other").write_text("other")
    (tmp_path / "link").hardlink_to(tmp_path / "input")
    done = mockcampaign(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(": this run reads that file, allowed: another one\n")
    assert (tmp_path / "input").read_text() == "input"


def test_the_scenario_that_a_journal_names_is_an_input(tmp_path: Path, broken_url: str) -> None:
    text = written(tmp_path).read_text()
    mockcampaign("run", ".", "--journal", "j", folder=tmp_path, CONSUMER_URL=broken_url)
    done = mockcampaign("judge", "j", "--junit", "three.scenario.yaml", folder=tmp_path, CONSUMER_URL=broken_url)
    assert (done.returncode, done.stdout) == (2, "")
    assert (tmp_path / "three.scenario.yaml").read_text() == text


class _InterruptsTheCheck:
    """A consumer that sends Ctrl-C to the check in the middle of a request, and does not respond to it."""

    def __init__(self, requests: int) -> None:
        self.app, self.left, self.process = consumer_app(), requests, Future[subprocess.Popen[str]]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.left -= 1
            if self.left < 0:
                if self.left == -1:
                    self.process.result().send_signal(signal.SIGINT)
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
        await self.app(scope, receive, send)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("requests", [30, 31, 100])
def test_an_interrupted_check_leaves_its_journal_and_reports(tmp_path: Path, requests: int) -> None:
    consumer = _InterruptsTheCheck(requests)
    outputs = ("--journal", "j", "--report-json", "r.json", "--junit", "r.xml", "--html", "r.html")
    with serve_in_thread(consumer) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "mockcampaign", "check", f"{url}/hook", "--probe", f"{url}/processed", *outputs],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        consumer.process.set_result(process)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n")
    rules = json.loads((tmp_path / "r.json").read_text())["rules"]
    assert "pass" in {rule["outcome"] for rule in rules}
    examined = {recorded.heading.name for recorded in load_journals(tmp_path / "j")}
    assert examined <= {rule["id"] for rule in rules}
    assert examined
    assert (tmp_path / "r.xml").exists()
    assert (tmp_path / "r.html").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_check_with_a_full_disk_still_reports(tmp_path: Path) -> None:
    few = ("--rules", "responds-200,stores-every-event", "-q", "--journal", "/dev/full", "--junit", "r.xml")
    with serve_in_thread(consumer_app()) as url:
        done = mockcampaign("check", f"{url}/hook", "--probe", f"{url}/processed", *few, folder=tmp_path)
    assert done.stderr == "mockcampaign: --journal /dev/full: cannot be written: No space left on device\n"
    assert done.returncode == 0
    assert (tmp_path / "r.xml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders mean something else there")
@pytest.mark.parametrize("option", ["--report-json", "--journal"])
def test_a_path_that_cannot_be_written_is_found_before_the_run(tmp_path: Path, option: str) -> None:
    written(tmp_path)
    path = Path("/proc/self/report") if Path("/proc/self").exists() else Path("/dev/null/report")
    done = mockcampaign("run", ".", option, str(path), folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mockcampaign: {option} {path}: ")
    assert done.stderr.count("\n") == 1
