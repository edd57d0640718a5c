"""How punctual `mockcampaign load` is, and how much memory it takes while the consumer hangs.

It runs as a user runs it, at 20,000 events a second to eight webhooks: for half a minute with `nginx` as the consumer,
and then with a consumer that accepts connections and responds to nothing, until the backlog has reached its limit. This
takes its time, so it runs only if it is named.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from deliveries import free_port, nginx_command, running, uvicorn_command
from harness import Row

RATE, SECONDS, WEBHOOKS = 20_000, 30, 8
PENDING_MAX = 200_000
BYTES_OF_EVENT = 1_000
"""More than a pending event may take; what is more is no backlog."""


class Run(NamedTuple):
    """A load that has ended."""

    step: dict[str, Any]
    """Its result."""
    seconds: float
    memory: int
    """Most memory that it has had, in bytes."""


def run(url: str, folder: Path, *options: str) -> Run:
    """Run the command."""
    report = folder / "load.json"
    command = [sys.executable, "-m", "mockcampaign", "load", url, "--events-per-second", str(RATE), "-q"]
    command += ["--for", f"{SECONDS}s", "--webhooks", str(WEBHOOKS), "--report-json", str(report), *options]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    [step] = msgspec.json.decode(report.read_bytes())["steps"]
    return Run(step, time.monotonic() - began, used.ru_maxrss * 1_024)


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        name = "nginx" if shutil.which("nginx") else "uvicorn"
        command = (nginx_command if name == "nginx" else uvicorn_command)(port, folder)
        with running(command, port, folder):
            punctual = run(f"http://127.0.0.1:{port}/", folder)
        step = punctual.step
        batches, lateness = step["batches"], step["lateness"]
        yield Row(
            what=f"{RATE:,} events/s for {SECONDS} s to {name}",
            measured=f"{batches - step['late']:,} of {batches:,} batches started within 5 ms",
            yardstick=f"99 % within {lateness['p99'] / 1_000:.1f} ms, the last {lateness['max'] / 1_000:.1f} ms late",
            ratios=((batches - step["late"]) / batches,),
            at_least=0.999,
        )
        with socket.create_server(("127.0.0.1", 0), backlog=WEBHOOKS) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            hanging = run(url, folder, "--pending-max", str(PENDING_MAX))
        pending = hanging.step["balance"]["pending"]
        yield Row(
            what="a consumer that hangs: backlog",
            measured=f"{pending:,} events pending when the load ended itself, after {hanging.step['full_at']} ms",
            yardstick=f"--pending-max {PENDING_MAX:,}",
            ratios=(pending / PENDING_MAX,),
            at_most=1.01,
            room=1.01,
        )
        yield Row(
            what="a consumer that hangs: memory",
            measured=f"{hanging.memory / 1e6:,.0f} MB",
            yardstick=f"without a backlog {punctual.memory / 1e6:,.0f} MB, and {BYTES_OF_EVENT:,} bytes for each event",
            ratios=(hanging.memory / (punctual.memory + PENDING_MAX * BYTES_OF_EVENT),),
            at_most=1.0,
            room=1.2,
        )
