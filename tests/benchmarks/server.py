"""The fake server beside a bare Starlette route on the same uvicorn.

Both respond to the same requests of `wrk` (Debian's package of that name) on eight connections: create and activate
webhooks in turn, and list them with a thousand webhooks. On Linux, it also compares the processor time of each request,
which other load disturbs less. Then it measures the time from the command to the first response, and what a state file
costs: deliveries of a backlog with one and without, in pairs, and the start with that backlog in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deliveries import free_port, running, uvicorn_command
from harness import Row, Skipped, in_turns, ratios, rounds_of

WEBHOOKS, ROUNDS, WRK_SECONDS, STARTS = 1_000, 7, 1, 5
RATIO_MIN, START_RATIO_MAX = 0.5, 2.0
CLIENT = 123456789001
PATH = f"/rest/{CLIENT}/webhooks"
BACKLOG, STATE_ROUNDS, STATE_RATIO_MIN, STATE_START_SECONDS_MAX = 100_000, 5, 0.5, 3.0
AUTHORIZATION = {"Authorization": "Basic bW9ja2NhbXBhaWduOm1vY2tjYW1wYWlnbg=="}
FORM = "targetUrl={}&type=open&format=json"
PROCESSOR_TIME = Path("/proc/self/schedstat")

BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
one, many = (open(name, "rb").read() for name in sys.argv[2:4])
async def create(request): return Response(one, 201, media_type="application/json")
async def activate(request): return Response(one, media_type="application/json")
async def select(request): return Response(many, media_type="application/json")
app = Starlette(routes=[
    Route("/rest/{client}/webhooks", create, methods=["POST"]),
    Route("/rest/{client}/webhooks", select, methods=["GET"]),
    Route("/rest/{client}/webhooks/{id}/activate", activate, methods=["POST"]),
])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""
LUA = """
local waiting = {{}}
local headers = {{
  ["Authorization"] = "Basic bW9ja2NhbXBhaWduOm1vY2tjYW1wYWlnbg==",
  ["Content-Type"] = "application/x-www-form-urlencoded",
}}
function request()
  if not {create} then return wrk.format("GET", "{path}", headers) end
  local id = table.remove(waiting)
  if id then return wrk.format("POST", "{path}/" .. id .. "/activate", headers) end
  return wrk.format("POST", "{path}", headers, "targetUrl=http%3A%2F%2F127.0.0.1%3A9%2Fhook&type=open&format=json")
end
function response(status, headers, body)
  if status == 201 then table.insert(waiting, body:match('"id":(%d+)')) end
end
"""


def measure() -> Iterator[Row | Skipped]:
    with tempfile.TemporaryDirectory() as name:
        yield start_up(Path(name))
        yield from state_file(Path(name))
    if shutil.which("wrk") is None:
        yield Skipped("requests", "wrk not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        yield from requests(Path(name))


def requests(folder: Path) -> Iterator[Row]:
    for title, create in (("create + activate", "true"), (f"list, {WEBHOOKS} webhooks", "false")):
        script = folder / "script.lua"
        script.write_text(LUA.format(create=create, path=PATH))
        with serving() as (url, process):
            for name, answer in zip(("one", "many"), filled(url), strict=True):
                (folder / name).write_bytes(answer)
            with bare_server(folder) as (bare_url, bare_process):
                ours: list[tuple[float, float]] = []
                bare: list[tuple[float, float]] = []
                for _ in rounds_of(ROUNDS):
                    ours.append(wrk(url, script, process))
                    bare.append(wrk(bare_url, script, bare_process))
        own, other = (statistics.median(cost for _, cost in one) for one in (ours, bare))
        yield Row(
            what=title,
            measured=f"{max(rate for rate, _ in ours):,.0f} requests/s, {own:.1f} us of processor",
            yardstick=f"bare route: {max(rate for rate, _ in bare):,.0f}/s, {other:.1f} us",
            ratios=ratios([rate for rate, _ in ours], [rate for rate, _ in bare]),
            at_least=RATIO_MIN,
        )


def start_up(folder: Path) -> Row:
    def ours() -> float:
        began = time.perf_counter()
        with serving():
            return time.perf_counter() - began

    def theirs() -> float:
        for name in ("one", "many"):
            (folder / name).write_bytes(b"[]")
        began = time.perf_counter()
        with bare_server(folder):
            return time.perf_counter() - began

    taken, bare = in_turns(ours, theirs, STARTS)
    return Row(
        what="start to first response",
        measured=f"{statistics.median(taken):.2f} s",
        yardstick=f"bare route: {statistics.median(bare):.2f} s",
        ratios=ratios(taken, bare),
        at_most=START_RATIO_MAX,
        room=3.0,
    )


def state_file(folder: Path) -> Iterator[Row]:
    port = free_port()
    with running(uvicorn_command(port, folder), port, folder):
        target, number = f"http://127.0.0.1:{port}/hook", 0

        kept, without = [], []
        for number in rounds_of(STATE_ROUNDS):
            kept.append(delivered(target, "--state", str(folder / f"delivered-{number}")))
            without.append(delivered(target))
    (seconds, busy), (seconds_without, busy_without) = (zip(*one, strict=True) for one in (kept, without))
    yield Row(
        what="deliveries with --state",
        measured=f"{BACKLOG / min(seconds):,.0f} events/s",
        yardstick=f"without: {BACKLOG / min(seconds_without):,.0f}/s",
        ratios=ratios(list(seconds_without), list(seconds)),
        at_least=STATE_RATIO_MIN,
    )
    if all(busy) and all(busy_without):
        batches = BACKLOG // 100
        yield Row(
            what="the same in processor time",
            measured=f"{statistics.median(busy) / batches * 1e6:.0f} us for each batch",
            yardstick=f"without: {statistics.median(busy_without) / batches * 1e6:.0f} us",
            ratios=ratios(list(busy_without), list(busy)),
            at_least=STATE_RATIO_MIN,
            room=1.5,
        )
    with serving("--state", str(folder / "backlog")) as (url, process):
        backlog(url, "http://127.0.0.1:9/hook")
        process.kill()
    starts = []
    for _ in rounds_of(STATE_ROUNDS):
        began = time.perf_counter()
        with serving("--state", str(folder / "backlog")) as (_, process):
            # On a busy machine, the processor time says more.
            starts.append(processor_seconds(process) or time.perf_counter() - began)
    yield Row(
        what=f"ready with {BACKLOG:,} pending events",
        measured=f"{statistics.median(starts):.2f} s",
        yardstick=f"{STATE_START_SECONDS_MAX:g} s",
        ratios=tuple(seconds / STATE_START_SECONDS_MAX for seconds in starts),
        at_most=1.0,
    )


def delivered(target: str, *arguments: str) -> tuple[float, float]:
    """Seconds for the deliveries of a backlog, and those of the processor."""
    with serving(*arguments) as (url, process):
        backlog(url, target)
        call(url, "DELETE", "/__mockcampaign/outages")
        began, began_busy = time.perf_counter(), processor_seconds(process)
        call(url, "POST", "/__mockcampaign/clock/advance", {"by": "20s"})
        return time.perf_counter() - began, processor_seconds(process) - began_busy


def backlog(url: str, target: str) -> None:
    """Let events be pending: an outage keeps them from the consumer."""
    request = urllib.request.Request(url + PATH, FORM.format(target).encode(), AUTHORIZATION)
    with urllib.request.urlopen(request) as answer:
        number = json.load(answer)["id"]
    call(url, "POST", f"{PATH}/{number}/activate", {})
    call(url, "POST", "/__mockcampaign/outages", {"for": "1h"})
    for _ in range(BACKLOG // 10_000):
        call(url, "POST", "/__mockcampaign/emit", {"type": "open", "count": 10_000})


def call(url: str, method: str, path: str, body: object = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **AUTHORIZATION}
    urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method)).close()


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = ["-m", "mockcampaign", "serve", "--port", "0", "--virtual", "--webhooks-per-client-max", "1000000"]
    command += arguments
    silent = subprocess.DEVNULL  # a line for each call
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=silent, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"(http://\S+)/docs", line)
            if found is not None:
                break
        url = found[1] if found else ""
        urllib.request.urlopen(f"{url}/__mockcampaign/health").close()
        try:
            yield url, process
        finally:
            process.kill()


@contextlib.contextmanager
def bare_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", BARE, str(port), folder / "one", folder / "many"]) as process:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()


def filled(url: str) -> tuple[bytes, bytes]:
    """Create the webhooks; what one of them, and the list of them, looks like."""
    headers = {"Authorization": "Basic bW9ja2NhbXBhaWduOm1vY2tjYW1wYWlnbg=="}
    form = b"targetUrl=http%3A%2F%2F127.0.0.1%3A9%2Fhook&type=open&format=json"
    for _ in range(WEBHOOKS):
        with urllib.request.urlopen(urllib.request.Request(url + PATH, form, headers)) as answer:
            one = answer.read()
    with urllib.request.urlopen(urllib.request.Request(url + PATH, headers=headers)) as answer:
        return one, answer.read()


def wrk(url: str, script: Path, process: subprocess.Popen[Any]) -> tuple[float, float]:
    """Requests answered each second, and microseconds of processor time that the server took for each."""
    command = ["wrk", "-t1", "-c8", f"-d{WRK_SECONDS}s", "-s", str(script), url]
    before = processor_seconds(process)
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    took = processor_seconds(process) - before
    assert "Non-2xx" not in said, said
    rate, count = re.search(r"Requests/sec:\s+([0-9.]+)", said), re.search(r"([0-9]+) requests in", said)
    assert rate is not None, said
    assert count is not None, said
    return float(rate[1]), took / int(count[1]) * 1_000_000


def processor_seconds(process: subprocess.Popen[Any]) -> float:
    """What a process has taken so far; 0 where the system does not tell."""
    path = PROCESSOR_TIME.parent.parent / str(process.pid) / PROCESSOR_TIME.name
    return int(path.read_text().split()[0]) / 1e9 if path.exists() else 0.0
