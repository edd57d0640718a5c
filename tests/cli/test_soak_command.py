"""`mockcampaign soak` stops at the first failing history, or at the end of its time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from commands import mockcampaign
from holding import held_up, nth
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread

RULE = "survives-random-histories"


def soaked(bug: str | None, tmp_path: Path, *options: str) -> tuple[int, str]:
    with serve_in_thread(consumer_app(bug)) as url:
        done = mockcampaign(
            *("soak", f"{url}/hook", "--probe", f"{url}/processed", "--seed", "3", *options), folder=tmp_path
        )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_soak_stops_at_the_first_failing_history(tmp_path: Path) -> None:
    status, said = soaked("never-deduplicates", tmp_path, "--for", "1h", "--scenarios", "found")
    assert status == 1
    assert "After the history (lost-ack, 1 event), 1 duplicate is in the store" in said
    assert "--seed 3 --history " in said
    assert "Histories: " in said
    assert [file.suffix for file in (tmp_path / "found").iterdir()] == [".yaml"]


@pytest.mark.slow
def test_a_soak_of_a_correct_consumer_ends_with_its_time(tmp_path: Path) -> None:
    status, said = soaked(None, tmp_path, "--for", "3s", "--every", "1s")
    assert status == 0
    assert said.count("Histories: ") >= 2
    assert "--history" not in said


def cells(table: list[str]) -> list[int]:
    return [int(cell.replace(",", "")) for line in table for cell in line[11:].split() if cell != "-"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(("request_number", "option"), [(120, "--no-color"), (120, "-q"), (2, "--no-color")])
def test_ctrl_c_ends_a_soak_with_what_it_covered(request_number: int, option: str, tmp_path: Path) -> None:
    event = threading.Event()
    with (
        serve_in_thread(held_up(consumer_app(), nth("/hook", request_number), event)) as url,
        subprocess.Popen(
            [
                *(sys.executable, "-W", "error", "-m", "mockcampaign", "soak", f"{url}/hook"),
                *("--probe", f"{url}/processed", "--seed", "3", "--timeout", "60s", option),
            ],
            cwd=tmp_path,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert event.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n")
    lines = out.splitlines()
    [first] = [index for index, line in enumerate(lines) if line.startswith("Histories: ")]
    summary = re.fullmatch(r"Histories: (\d+)( .*)?; situations: (\d+); attempts in them: (\d+)", lines[first])
    assert summary is not None
    histories, _, situations, attempts = summary.groups()
    assert "Interrupted while it was examined" in out
    if request_number == 2:
        assert summary.groups() == ("0", None, "0", "0")
        return
    assert int(histories) > 20
    table = lines[first + 4 : lines.index("", first)]
    assert {"lost-ack", "no fault", "refused"} <= {line.split("  ")[0] for line in table}
    assert (len(cells(table)), sum(cells(table))) == (int(situations), int(attempts))
