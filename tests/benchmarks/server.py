"""The fake server beside a bare Starlette route on the same uvicorn: `python tests/benchmarks/server.py`.

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

WEBHOOKS, ROUNDS, WRK_SECONDS, STARTS = 1_000, 9, 1, 9
RATIO_MIN, START_RATIO_MAX, START_SECONDS_MAX = 0.5, 3.0, 0.6
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


def main() -> None:
    start_up()
    with tempfile.TemporaryDirectory() as name:
        state_file(Path(name))
    if shutil.which("wrk") is None:
        print("requests/s: skipped, no wrk here (Debian package wrk)")
        return
    with tempfile.TemporaryDirectory() as name:
        requests(Path(name))


def requests(folder: Path) -> None:
    for title, create in (("create + activate", "true"), (f"list, {WEBHOOKS} webhooks", "false")):
        script = folder / "script.lua"
        script.write_text(LUA.format(create=create, path=PATH))
        ours, bare, ratios, costs = [], [], [], []
        with serving() as (url, process):
            for name, answer in zip(("one", "many"), filled(url), strict=True):
                (folder / name).write_bytes(answer)
            with bare_server(folder) as (bare_url, bare_process):
                # Turn by turn, so that whatever else the machine does hits both alike.
                for _ in range(ROUNDS):
                    rate, cost = wrk(url, script, process)
                    bare_rate, bare_cost = wrk(bare_url, script, bare_process)
                    ours.append(rate)
                    bare.append(bare_rate)
                    ratios.append(rate / bare_rate)
                    costs.append((cost, bare_cost))
        ratio = statistics.median(ratios)
        verdict = "ok" if ratio >= RATIO_MIN else "UNDER"
        print(
            f"{title:<22} {max(ours):>8,.0f} requests/s   bare route {max(bare):>8,.0f}/s   median ratio {ratio:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), bound {RATIO_MIN}: {verdict}"
        )
        if PROCESSOR_TIME.exists():
            own, other = (statistics.median(cost[place] for cost in costs) for place in (0, 1))
            print(f"{'':<22} {own:>8.1f} us of processor   bare route {other:>8.1f} us  ratio {other / own:.2f}")


def start_up() -> None:
    ours, yardstick = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        with serving():
            ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import uvicorn, starlette"], check=True)
        yardstick.append(time.perf_counter() - began)
    seconds, other = statistics.median(ours), statistics.median(yardstick)
    verdict = "ok" if seconds <= START_RATIO_MAX * other else "OVER"
    print(
        f"ready after            {seconds:.2f} s (bound {START_SECONDS_MAX})   "
        f"their imports {other:.2f} s   ratio {seconds / other:.2f}, bound {START_RATIO_MAX}: {verdict}"
    )


def state_file(folder: Path) -> None:
    ratios, starts, port = [], [], free_port()
    with running(uvicorn_command(port, folder), port, folder):
        target = f"http://127.0.0.1:{port}/hook"
        for number in range(STATE_ROUNDS):
            without = delivered(target)
            ratios.append(without / delivered(target, "--state", str(folder / f"delivered-{number}")))
    with serving("--state", str(folder / "backlog")) as (url, process):
        backlog(url, "http://127.0.0.1:9/hook")
        process.kill()
    for _ in range(STATE_ROUNDS):
        began = time.perf_counter()
        with serving("--state", str(folder / "backlog")) as (_, process):
            # On a busy machine, the processor time says more.
            starts.append(processor_seconds(process) or time.perf_counter() - began)
    ratio, seconds = statistics.median(ratios), statistics.median(starts)
    print(
        f"deliveries with --state {ratio:.2f} of those without ({min(ratios):.2f} to {max(ratios):.2f}), "
        f"bound {STATE_RATIO_MIN}: {'ok' if ratio >= STATE_RATIO_MIN else 'UNDER'}"
    )
    print(
        f"ready with {BACKLOG:,} pending events after {seconds:.2f} s, bound {STATE_START_SECONDS_MAX}: "
        f"{'ok' if seconds <= STATE_START_SECONDS_MAX else 'OVER'}"
    )


def delivered(target: str, *arguments: str) -> float:
    """Seconds for the deliveries of a backlog."""
    with serving(*arguments) as (url, _):
        backlog(url, target)
        call(url, "DELETE", "/__mockcampaign/outages")
        began = time.perf_counter()
        call(url, "POST", "/__mockcampaign/clock/advance", {"by": "20s"})
        return time.perf_counter() - began


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
            time.sleep(0.02)
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


if __name__ == "__main__":
    main()
