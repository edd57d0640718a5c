"""Options of `run`: selection, jobs, dry runs, applications in-process and watching."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from commands import mockcampaign
from mockcampaign.cli import cli
from mockcampaign.cli.jobs import OrderedResults
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.verdict import RunResult
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load_all
from mockcampaign.scenario.plan import Plan
from mockcampaign.scenario.selection import compile_expression, select
from mockcampaign.serving import serve_in_thread

TEXT = """\
name: NAME
tags: [TAG]
consumer:
  url: ${CONSUMER_URL:-http://127.0.0.1:1}/hook
  probe: {url: "${CONSUMER_URL:-http://127.0.0.1:1}/processed", events: "@"}
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - emit: {type: open, count: 3}
  - run: until-idle
  - expect:
      opens: {delivered: DELIVERED}
      consumer: {processed: exactly-once}
"""


def written(folder: Path, name: str, *, tag: str = "quick", delivered: object = 3) -> Path:
    path = folder / f"{name.replace(' ', '-')}.scenario.yaml"
    path.write_text(TEXT.replace("NAME", name).replace("TAG", tag).replace("DELIVERED", str(delivered)))
    return path


def run(*arguments: object) -> tuple[int, str]:
    """Return exit status and standard output of a run in this process."""
    result = CliRunner().invoke(cli, ["run", *map(str, arguments)], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


@pytest.fixture
def consumer_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serve_in_thread(consumer_app()) as url:
        monkeypatch.setenv("CONSUMER_URL", url)
        yield url


# Choosing


@pytest.mark.parametrize(
    ("expression", "text", "matches"),
    [
        ("outage", "A two-hour OUTAGE", True),
        ("two-hour and not three", "A two-hour outage", True),
        ("two-hour and not outage", "A two-hour outage", False),
        ("three or (two and hour)", "A two-hour outage", True),
        ("not (three or two)", "A two-hour outage", False),
        ("t.scenario.yaml", "x t.scenario.yaml", True),
        ("a=b", "x [a=b, c=d]", True),
        ("None", "none", True),
    ],
)
def test_expressions_match_like_pytests(expression: str, text: str, matches: bool) -> None:
    assert compile_expression(expression)(text) is matches


@pytest.mark.parametrize("expression", ["and", "a b", "(a", "a or", "not", "()", "a)"])
def test_an_invalid_expression_is_rejected(expression: str) -> None:
    with pytest.raises(
        InvalidInputError, match="is not an expression, allowed: words with and, or, not and parentheses"
    ):
        compile_expression(expression)


@pytest.fixture
def plans(tmp_path: Path) -> list[Plan]:
    paths = [written(tmp_path, "one", tag="slow"), written(tmp_path, "two"), written(tmp_path, "three")]
    return [plan for path in paths for plan in load_all(path)]


@pytest.mark.parametrize(
    ("tags", "expression", "names"),
    [
        ((), "", ["one", "two", "three"]),
        (("slow",), "", ["one"]),
        (("quick",), "not two", ["three"]),
        (("slow", "quick"), "", ["one", "two", "three"]),
        ((), "slow", ["one"]),
    ],
)
def test_selection(plans: list[Plan], tags: tuple[str, ...], expression: str, names: list[str]) -> None:
    assert [plan.name for plan in select(plans, tags=tags, expression=expression)] == names


def test_a_selection_of_no_scenario_is_rejected(plans: list[Plan]) -> None:
    with pytest.raises(InvalidInputError, match=r"no scenario matches \(found: one, two, three\)"):
        select(plans, expression="four")
    with pytest.raises(InvalidInputError, match="--tag: unknown tag 'quik', did you mean 'quick'"):
        select(plans, tags=("quik",))


def test_only_the_selected_scenario_runs(tmp_path: Path, consumer_url: str) -> None:
    written(tmp_path, "one", tag="slow")
    written(tmp_path, "two")
    assert run(tmp_path, "--tag", "slow", "-q")[1].splitlines()[0] == "compliant  one"
    assert run(tmp_path, "-k", "not one", "-q")[1].splitlines()[0] == "compliant  two"


# Several at once


class Result:
    def __init__(self, name: str, compliant: bool = True) -> None:
        self.name, self.compliant = name, compliant


def told(order: list[int], *, failing: Collection[int] = (), fail_fast: bool = False, flush: bool = True) -> list[str]:
    names: list[str] = []
    results = OrderedResults(lambda result: names.append(result.name), fail_fast=fail_fast)
    for index in order:
        results.add(index, Result(str(index), index not in failing))  # type: ignore[arg-type]
    if flush:
        results.flush()
    return names


def test_results_are_reported_in_the_order_of_plans() -> None:
    assert told([2, 0, 1, 3]) == ["0", "1", "2", "3"]
    assert told([2, 3], flush=False) == []
    assert told([2, 0]) == ["0", "2"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
def test_fail_fast_reports_nothing_after_the_first_failure(order: list[int]) -> None:
    assert told(order, failing={1, 2}, fail_fast=True) == ["0", "1"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_fail_fast_stops_after_the_first(tmp_path: Path, consumer_url: str, jobs: int) -> None:
    for index, delivered in enumerate([3, 4, 3, 3]):
        written(tmp_path, f"number {index}", delivered=delivered)
    status, out = run(tmp_path, "--fail-fast", "--jobs", jobs, "-q")
    lines = out.splitlines()
    assert status == 1
    assert [line for line in lines if "number" in line and not line.startswith(" ")] == [
        "compliant  number 0",
        "NOT COMPLIANT  number 1",
    ]
    assert lines[-1] == "2 more not run because of --fail-fast"


def test_jobs_do_not_change_results(tmp_path: Path, consumer_url: str) -> None:
    for index in range(6):
        written(tmp_path, f"number {index}")
    reports = []
    for jobs in (1, 3):
        with serve_in_thread(consumer_app()) as url:
            os.environ["CONSUMER_URL"] = url
            status, out = run(tmp_path, "--seed", 4, "--jobs", jobs, "--report-json", tmp_path / "r.json")
        report = msgspec.json.decode((tmp_path / "r.json").read_text().replace(url, "URL"), type=RunResult)
        reports.append((status, out.replace(url, "URL"), report))
    assert reports[0] == reports[1]
    assert reports[0][0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_reports_running_scenarios(tmp_path: Path) -> None:
    for index in range(3):
        path = written(tmp_path, f"number {index}")
        path.write_text(re.sub(r"  probe: .*\n|      consumer: .*\n", "", path.read_text()))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "mockcampaign", "run", ".", "--jobs", "2", "-q", "--report-json", "r.json"],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connections = [silent.accept()[0] for _ in range(2)]
        for connection in connections:
            connection.recv(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        for connection in connections:
            connection.close()
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n")
    assert [line for line in out.splitlines() if line.startswith("inconclusive ")] == [
        "inconclusive  number 0",
        "inconclusive  number 1",
    ]
    report = json.loads((tmp_path / "r.json").read_text())
    assert [scenario["trouble"] for scenario in report["scenarios"]] == ["interrupted"] * 2


def test_jobs_reject_a_probe_that_counts_all_events(tmp_path: Path) -> None:
    path = written(tmp_path, "one")
    path.write_text(path.read_text().replace('events: "@"', "count: n").replace("exactly-once", "3"))
    with pytest.raises(InvalidInputError, match=r"one\.scenario\.yaml:14:29: with --jobs 2, the probe also counts"):
        run(path, "--jobs", 2)


def test_every_run_of_a_matrix_is_reported(tmp_path: Path, consumer_url: str) -> None:
    path = written(tmp_path, "one")
    path.write_text("matrix: {n: [1, 3]}\n" + path.read_text().replace("count: 3", 'count: "${matrix.n}"'))
    status, out = run(tmp_path, "-q", "--journal", tmp_path / "j.jsonl")
    assert status == 1
    assert "NOT COMPLIANT  one [n=1]" in out
    assert "compliant  one [n=3]" in out
    judged = CliRunner().invoke(cli, ["judge", str(tmp_path / "j.jsonl"), "-q"], standalone_mode=False)
    assert judged.return_value == 1
    assert "NOT COMPLIANT  one [n=1]" in judged.stdout
    assert "compliant  one [n=3]" in judged.stdout


# Dry runs


def test_what_passes_is_folded_to_few_lines_and_a_failure_to_some_more(tmp_path: Path, consumer_url: str) -> None:
    outages = "".join(f"  - {step}\n" for step in ("outage: {for: 1m}", "emit: {type: open}", "advance: 2m") * 15)
    text = TEXT.replace("NAME", "outages").replace("TAG", "quick").replace("  - run: until-idle\n", outages)
    path = tmp_path / "outages.scenario.yaml"
    for seed, (delivered, status, most) in enumerate(((18, 0, 10), (17, 1, 30))):
        path.write_text(
            text.replace("DELIVERED", str(delivered)).replace("${CONSUMER_URL:-http://127.0.0.1:1}", consumer_url)
        )
        code, shown = run(path, "--seed", seed)
        assert code == status, shown
        assert sum(line.startswith("    +") for line in shown.splitlines()) <= most
        assert "more lines (-v shows all)" in shown


def test_a_dry_run_shows_the_plan_and_sends_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "one", delivered=4)
    text = path.read_text().replace(
        "  - run:", "  - outage: {for: 1h}\n  - fault: {kind: lost-ack, times: 1}\n  - run:"
    )
    path.write_text(text)
    status, out = run(path, "--dry-run")
    assert status == 0
    assert out.splitlines() == [
        "would run  one",
        f"  {path}, tags quick",
        "  http://127.0.0.1:1/hook, 1h10s of virtual time from 2025-01-01T00:00:00.000Z",
        "  if the consumer responds 200 to everything:",
        "    +0s            opens  create → created",
        "    +0s            opens  activate → activated",
        "    +0s                   3 open events",
        "    +0s                   outage for 1h: refused",
        "    +0s                   fault lost-ack, 1 time",
        "    +0s … +59m50s  opens  batch of 3, attempts 1-360 every 10s  connection refused",
        "    +1h            opens  batch of 3 (lost-ack), attempt 361  connection dropped after the response headers",
        "    +1h10s         opens  batch of 3, attempt 362  200",
        "  expected  opens.delivered: 4  (would be 3)",
        "  expected  consumer.processed: exactly-once  (depends on the probe)",
    ]


@pytest.mark.parametrize("option", ["--report-json", "--junit", "--html", "--journal"])
def test_a_dry_run_writes_nothing(tmp_path: Path, option: str) -> None:
    path = written(tmp_path, "one")
    with pytest.raises(
        InvalidInputError, match=f"--dry-run: writes no reports or journals, allowed: --dry-run without {option}"
    ):
        run(path, "--dry-run", option, tmp_path / "r")


def test_a_dry_run_rejects_what_a_run_rejects(tmp_path: Path) -> None:
    path = written(tmp_path, "one")
    path.write_text(path.read_text().replace("count: 3", "count: 0"))
    with pytest.raises(InvalidInputError, match="0 is out of range"):
        run(path, "--dry-run")


# Applications in-process


def test_an_application_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "asgi_consumer.py").write_text(
        "from mockcampaign.samples.consumer import consumer_app\napp = consumer_app()\n"
        "def wsgi(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'application/json')])\n"
        "    return [b'[]']\n"
    )
    written(tmp_path, "one")
    done = mockcampaign("run", ".", "--app", "asgi_consumer:app", "-q", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = mockcampaign("run", ".", "--app", "asgi_consumer:wsgi", "-q", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "consumer.processed: exactly-once" in done.stdout


@pytest.mark.parametrize("app", ["nowhere:app", "asgi", "json:nothing", "json:__name__", "broken:app"])
def test_an_invalid_application_is_status_2(tmp_path: Path, app: str) -> None:
    written(tmp_path, "one")
    (tmp_path / "broken.py").write_text("app = 1 / 0\n")
    done = mockcampaign("run", ".", "--app", app, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mockcampaign: application '{app}': ")
    assert done.stderr.endswith(", allowed: MODULE:NAME\n")
    assert ".," not in done.stderr


# Running again


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_watching_runs_again_after_each_change(tmp_path: Path, consumer_url: str) -> None:
    path = written(tmp_path, "one")
    process = subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", "run", ".", "--watch", "-q"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def until_waiting() -> list[str]:
        lines: list[str] = []
        assert process.stdout is not None
        while not lines or not lines[-1].startswith("waiting"):
            line = process.stdout.readline()
            assert line, "it ended"
            lines.append(line)
        return lines

    try:
        assert until_waiting()[0] == "compliant  one\n"
        path.write_text(path.read_text().replace("delivered: 3", "delivered: many"))
        assert until_waiting()[0].startswith("mockcampaign: one.scenario.yaml:13:26: expected a whole number")
        path.write_text(path.read_text().replace("delivered: many", "delivered: 4"))
        assert until_waiting()[0] == "NOT COMPLIANT  one\n"
        written(tmp_path, "two")
        assert "compliant  two\n" in until_waiting()
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (1, "")
