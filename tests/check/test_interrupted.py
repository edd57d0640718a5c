"""A check that is interrupted ends at once in every phase, and reports and writes what it knows."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holding import Reached, held_up, nth
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread

PHASES: dict[str, tuple[Reached, tuple[str, ...]]] = {
    "before the first rule": (nth("/processed", 1), ("--rules", "batch")),
    "within a rule": (nth("/hook", 4), ("--rules", "acknowledgement,batch")),
    "while the probe is read": (nth("/processed", 5), ("--rules", "stores-every-event")),
    "while Hypothesis generates": (nth("/hook", 25), ("--rules", "responds-200,accepts-generated-batches")),
    "while histories are played": (nth("/hook", 60), ("--rules", "responds-200,survives-random-histories")),
    "in three days of rejections": (
        nth("/hook", 2_000),
        ("--rules", "responds-200,accepts-whatever-campaign-sends", "--full-fidelity"),
    ),
    "while the consumer restarts": (nth("/restarting", 1), ("--rules", "responds-200,durable-over-crash")),
    "while it sweeps": (nth("/hook", 8), ("--rules", "responds-in-time", "--sweep")),
}


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_check_ends_at_once_with_what_it_knows(phase: str, tmp_path: Path) -> None:
    reached, arguments = PHASES[phase]
    event = threading.Event()
    bug = "rejects-many-identical-events" if phase == "in three days of rejections" else None
    with serve_in_thread(held_up(consumer_app(bug), reached, event)) as url:
        restart = f"import urllib.request as r; r.urlopen({url + '/restarting'!r})"
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "mockcampaign", "check", f"{url}/hook", "--probe", f"{url}/processed"),
                *("--restart-cmd", shlex.join([sys.executable, "-c", restart])),
                *("--report-json", "r.json", "--no-color", "--timeout", "60s", *arguments),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert event.wait(60)
                process.send_signal(signal.SIGINT)
                # The consumer no longer responds, and has a minute to do so.
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n"), out
    if phase == "before the first rule":
        return
    report = json.loads((tmp_path / "r.json").read_text())
    outcomes = {rule["id"]: rule["outcome"] for rule in report["rules"]}
    if phase == "while it sweeps":
        assert outcomes == {"responds-in-time": "pass"}
        assert (report["sweep"]["variations"], report["sweep"]["missed"]) == (0, 2)
        return
    assert report["rules"][-1]["outcome"] == "could-not-tell", outcomes
    interrupted = [rule["id"] for rule in report["rules"] if rule["actual"] == "Interrupted while it was examined"]
    assert len(interrupted) == 1
    assert interrupted[0] in {scenario["name"] for scenario in report["scenarios"]}
    assert "-200" not in arguments[1] or outcomes["responds-200"] == "pass"
