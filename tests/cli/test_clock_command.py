"""`mockcampaign clock`, and the option `--clock` of the commands that lead a consumer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from commands import mockcampaign, written
from mockcampaign import wallclock
from mockcampaign.cli import cli
from mockcampaign.policy import DAY, DEFAULT_START, HOUR
from serve_process import control, serving

SLEEPING = """
import time
time.sleep(0.01)
print(time.time(), time.sleep.__module__)
"""


def shown(clock_file: Path) -> int:
    """Return the time that a consumer reads by the file, in milliseconds since 1970."""
    return wallclock.real_now() + round(float(clock_file.read_text()) * 1_000)


def failure(arguments: list[str], **environment: str) -> str:
    result = CliRunner().invoke(cli, arguments, env=environment)
    return str(result.exception)


def test_a_program_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    library = tmp_path / "libfaketime.so.1"
    library.touch()
    problem = failure(["clock", "run", "--", "no-such-hook"], MOCKCAMPAIGN_LIBFAKETIME=str(library))
    assert problem == "clock run: no program 'no-such-hook', allowed: one in PATH, or the path of one"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no overlay at all")
def test_an_overlay_needs_go() -> None:
    assert failure(["clock", "go-overlay"], PATH="") == "clock go-overlay: no program 'go', allowed: Go in PATH"


def test_scenarios_that_run_at_once_cannot_lead_one_clock(tmp_path: Path) -> None:
    path = written(tmp_path)
    problem = failure(["run", str(path), "--jobs", "2", "--clock", str(tmp_path / "clock")], CONSUMER_URL="http://x")
    assert problem == f"{path}: with --jobs 2, scenarios would lead one clock to several times, allowed: --jobs 1"


@pytest.mark.parametrize(
    "command", [["check", "http://127.0.0.1:1"], ["run", "three.scenario.yaml"], ["serve", "--port", "0"]]
)
def test_a_clock_that_no_consumer_follows_is_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [*command, "--clock", "clock"], env={"CONSUMER_URL": "http://127.0.0.1:1"})
    said = str(result.exception) if result.exception is not None else result.output
    assert (
        "--clock clock: no such file, and so no consumer that follows, allowed: that of `mockcampaign clock run "
        "--clock-file clock -- COMMAND`"
    ) in said


def test_a_consumer_that_starts_with_another_time_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: started.append(environment))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "libfaketime.so.1").touch()
    for content, said in (("", ""), ("-86400.250\n", "the consumer's clock is -86400.250 s off until it is led\n")):
        (tmp_path / ".mockcampaign-clock").write_text(content)
        result = CliRunner().invoke(
            cli,
            ["clock", "run", "--", sys.executable],
            env={"MOCKCAMPAIGN_LIBFAKETIME": str(tmp_path / "libfaketime.so.1")},
        )
        assert result.stderr.removeprefix("mockcampaign: --clock-file .mockcampaign-clock: ") == said
    assert [one["MOCKCAMPAIGN_CLOCK_FILE"] for one in started] == [str(tmp_path / ".mockcampaign-clock")] * 2


@pytest.mark.slow
def test_a_python_program_follows_sleeps_and_keeps_its_own_sitecustomize(tmp_path: Path) -> None:
    if shutil.which("faketime") is None and "CI" not in os.environ:
        pytest.skip("no faketime")
    (tmp_path / "sitecustomize.py").write_text("print('its own')\n")
    (tmp_path / "clock").write_text("-86400.000\n")
    paths = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    command = ("clock", "run", "--clock-file", "clock", "--", sys.executable, "-c", SLEEPING)
    # The command itself imports the other module, too, before it becomes the program.
    lines = mockcampaign(*command, folder=tmp_path, PYTHONPATH=paths).stdout.splitlines()
    *own, last = lines
    assert own == ["its own", "its own"]
    now, module = last.split()
    assert abs(float(now) * 1_000 - (wallclock.real_now() - DAY)) < HOUR
    assert module == "sitecustomize"


@pytest.mark.slow
def test_a_server_shows_each_moment_to_which_the_control_api_advances(tmp_path: Path) -> None:
    clock_file = tmp_path / "clock"
    clock_file.write_text("+0.000\n")  # as `clock run` does
    with serving("--virtual", "--clock", str(clock_file), folder=tmp_path) as server:
        control(server, "/clock/advance", {"by": "1d"}).raise_for_status()
        assert abs(shown(clock_file) - (DEFAULT_START + DAY)) < HOUR
        server.end()
    assert clock_file.read_text() == "+0.000\n"
