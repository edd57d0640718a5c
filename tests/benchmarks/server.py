"""The fake server beside a bare Starlette route on the same uvicorn: `python tests/benchmarks/server.py`.

Both answer the same requests of `wrk` (Debian's package of that name) on eight connections: webhooks created and
activated in turn, and lists with a thousand webhooks there. Then the time from the command to the first answer.
"""

from __future__ import annotations

import contextlib
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

WEBHOOKS, ROUNDS, WRK_SECONDS, STARTS = 1_000, 9, 1, 9
RATIO_MIN, START_RATIO_MAX, START_SECONDS_MAX = 0.5, 3.0, 0.6
CLIENT = 123456789001
PATH = f"/rest/{CLIENT}/webhooks"

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
    if shutil.which("wrk") is None:
        print("requests/s: skipped, no wrk here (Debian package wrk)")
        return
    with tempfile.TemporaryDirectory() as name:
        requests(Path(name))


def requests(folder: Path) -> None:
    for title, create in (("create + activate", "true"), (f"list, {WEBHOOKS} webhooks", "false")):
        script = folder / "script.lua"
        script.write_text(LUA.format(create=create, path=PATH))
        ours, bare, ratios = [], [], []
        with serving() as url:
            for name, answer in zip(("one", "many"), filled(url), strict=True):
                (folder / name).write_bytes(answer)
            with bare_server(folder) as bare_url:
                # Turn by turn, so that whatever else the machine does hits both alike.
                for _ in range(ROUNDS):
                    ours.append(wrk(url, script))
                    bare.append(wrk(bare_url, script))
                    ratios.append(ours[-1] / bare[-1])
        ratio = statistics.median(ratios)
        verdict = "ok" if ratio >= RATIO_MIN else "UNDER"
        print(
            f"{title:<22} {max(ours):>8,.0f} requests/s   bare route {max(bare):>8,.0f}/s   median ratio {ratio:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}), bound {RATIO_MIN}: {verdict}"
        )


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


@contextlib.contextmanager
def serving() -> Iterator[str]:
    command = ["-m", "mockcampaign", "serve", "--port", "0", "--virtual", "--webhooks-per-client-max", "1000000"]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"(http://\S+)/docs", line)
            if found is not None:
                break
        url = found[1] if found else ""
        urllib.request.urlopen(f"{url}/__mockcampaign/health").close()
        yield url
        process.kill()


@contextlib.contextmanager
def bare_server(folder: Path) -> Iterator[str]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", BARE, str(port), folder / "one", folder / "many"]) as process:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
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


def wrk(url: str, script: Path) -> float:
    """Requests answered each second."""
    command = ["wrk", "-t1", "-c8", f"-d{WRK_SECONDS}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert found is not None, said
    return float(found[1])


if __name__ == "__main__":
    main()
