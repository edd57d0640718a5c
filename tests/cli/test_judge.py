"""Journals are judged without a run, including those of killed and interrupted runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import junitparser
import pytest

from commands import mockcampaign, written
from golden import check_golden
from mockcampaign.engine.journal_file import read_journals
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from places import ROOT

JOURNAL = ("--journal", "j.jsonl")


@pytest.fixture
def broken_url() -> Iterator[str]:
    with serve_in_thread(consumer_app("stores-first-event-only")) as url:
        yield url


def test_the_same_verdict_without_a_run(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path)
    run = mockcampaign("run", ".", *JOURNAL, folder=tmp_path, CONSUMER_URL=broken_url)
    judged = mockcampaign("judge", "j.jsonl", folder=tmp_path, CONSUMER_URL=broken_url)
    assert (run.returncode, run.stderr) == (1, "")
    assert (judged.returncode, judged.stderr) == (1, "")
    assert judged.stdout == run.stdout


@pytest.mark.slow
def test_other_expectations_of_the_same_run(tmp_path: Path, broken_url: str) -> None:
    path = written(tmp_path)
    mockcampaign("run", ".", *JOURNAL, folder=tmp_path, CONSUMER_URL=broken_url)
    path.rename(tmp_path / "moved")
    lost = mockcampaign("judge", "j.jsonl", folder=tmp_path, CONSUMER_URL=broken_url)
    assert lost.returncode == 2
    assert lost.stderr == (
        "mockcampaign: j.jsonl: the scenario of 'three opens' is not in the journal's folder, allowed: --scenario FILE "
        "or --rules-only\n"
    )
    assert mockcampaign("judge", "j.jsonl", "--rules-only", folder=tmp_path).returncode == 0
    written(tmp_path, ("      consumer: {processed: exactly-once}\n", "")).rename(tmp_path / "less")
    less = mockcampaign("judge", "j.jsonl", "--scenario", "less", folder=tmp_path, CONSUMER_URL=broken_url)
    assert (less.returncode, less.stderr) == (0, "")


@pytest.mark.parametrize("named", ["../secret", "/etc/passwd", "link", "a\\u0000b", "pipe", ".", "x" * 5_000])
def test_a_journal_names_no_file_outside_of_its_folder(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("password: geheim!\n")
    if sys.platform != "win32":
        (folder / "link").symlink_to(tmp_path / "secret")
        os.mkfifo(folder / "pipe")
    heading, *rest = (ROOT / "fixtures/journals/outage.jsonl").read_text().splitlines(keepends=True)
    changed = heading.replace("fixtures/journals/outage.scenario.yaml", named)
    (folder / "j").write_text("".join([changed, *rest]))
    done = mockcampaign("judge", "j", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mockcampaign: j: the scenario of 'Ten minutes of refused connections' is not in the journal's folder, "
        "allowed: --scenario FILE or --rules-only\n"
    )


def test_a_journal_and_its_scenarios_may_move_together(tmp_path: Path, broken_url: str) -> None:
    (tmp_path / "here").mkdir()
    written(tmp_path / "here")
    mockcampaign("run", "here", "--journal", "here/j", folder=tmp_path, CONSUMER_URL=broken_url)
    (tmp_path / "here").rename(tmp_path / "there")
    judged = mockcampaign("judge", "there/j", folder=tmp_path, CONSUMER_URL=broken_url)
    assert (judged.returncode, judged.stderr) == (1, "")
    assert str(Path("there", "three.scenario.yaml")) in judged.stdout


def test_several_scenarios_share_a_journal_and_every_output_works(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path).rename(tmp_path / "a.scenario.yaml")
    written(tmp_path, ("three opens", "again"))
    mockcampaign("run", ".", *JOURNAL, folder=tmp_path, CONSUMER_URL=broken_url)
    outputs = ("--junit", "r.xml", "--html", "r.html", "--report-json", "r.json")
    done = mockcampaign("judge", "j.jsonl", *outputs, folder=tmp_path, CONSUMER_URL=broken_url)
    assert (done.returncode, done.stderr) == (1, "")
    assert [suite.name for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))] == ["three opens", "again"]
    assert {"r.html", "r.json"} <= {path.name for path in tmp_path.iterdir()}


def test_each_scenario_of_a_matrix_is_judged_by_its_own_expectations(tmp_path: Path, broken_url: str) -> None:
    matrix = "name: list of ${matrix.size}\nmatrix: {size: [1, 3]}\n"
    path = written(
        tmp_path,
        ("name: three opens\n", matrix),
        ("count: 3", 'count: "${matrix.size}"'),
        ("{delivered: 3}", '{delivered: "${matrix.size}"}'),
    )
    run = mockcampaign("run", ".", "--jobs", "2", *JOURNAL, folder=tmp_path, CONSUMER_URL=broken_url)
    judged = mockcampaign("judge", "j.jsonl", folder=tmp_path, CONSUMER_URL=broken_url)
    assert (run.returncode, judged.returncode, judged.stderr) == (1, 1, "")
    assert judged.stdout == run.stdout
    path.write_text(path.read_text().replace("list of", "lists of"))
    renamed = mockcampaign("judge", "j.jsonl", folder=tmp_path, CONSUMER_URL=broken_url)
    assert renamed.returncode == 2
    assert "its matrix makes no run 'list of 1', allowed: lists of 1, lists of 3" in renamed.stderr


def test_a_journal_of_an_earlier_version_is_still_read() -> None:
    """Users keep journals as evidence, so this file must never change."""
    done = mockcampaign("judge", "fixtures/journals/outage.jsonl", "-v", folder=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    check_golden("judged.txt", done.stdout)


def test_an_invalid_journal_is_status_2(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("[]\n")
    done = mockcampaign("judge", "j", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mockcampaign: j:1: not an entry of a journal: Expected `object`, got `array`\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal as they are meant here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_leaves_a_journal_and_reports(tmp_path: Path, number: signal.Signals) -> None:
    """The consumer accepts the connection and never responds, so the run lasts as long as the test needs."""
    probe = '  probe: {url: "${CONSUMER_URL}/processed", events: "@"}\n'
    written(tmp_path, (probe, ""), ("      consumer: {processed: exactly-once}\n", ""))
    written(tmp_path, (probe, ""), ("      consumer: {processed: exactly-once}\n", ""))
    outputs = ("--junit", "r.xml", "--html", "r.html", "--report-json", "r.json")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "mockcampaign", "run", ".", *JOURNAL, *outputs],
            cwd=tmp_path,
            env={**os.environ, "CONSUMER_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        accepted, _ = silent.accept()
        with accepted:
            accepted.recv(1)
            process.send_signal(number)
            process.communicate(timeout=30)
    [recorded] = read_journals((tmp_path / "j.jsonl").read_bytes(), "j")
    assert [type(entry).__name__ for entry in recorded.entries][:7] == [
        "Began",
        "WebhookChanged",
        "StepReached",
        "WebhookChanged",
        "StepReached",
        "Happened",
        "StepReached",
    ]
    judged = mockcampaign("judge", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    assert judged.returncode == 3
    assert "the journal ends before step 4 of 4 (three.scenario.yaml:" in judged.stdout
    if number is signal.SIGINT:
        assert process.returncode == 130
        [suite] = junitparser.JUnitXml.fromfile(str(tmp_path / "r.xml"))
        assert (suite.tests, suite.errors, suite.failures) == (5, 1, 0)
        assert b"Inconclusive" in (tmp_path / "r.html").read_bytes()
    else:
        assert not (tmp_path / "r.xml").exists()
