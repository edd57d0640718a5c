"""Full lists delivered each second, beside `wrk` on the same receiver.

Eight webhooks of eight clients send in parallel, journal on, and no two lists are the same; `wrk` posts one list of the
same size on eight connections, from one thread.
Debian's packages `wrk` and `nginx-light` have the yardstick and the second receiver; rows without them are skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from harness import Row, Skipped, in_turns, ratios

from mockcampaign.campaign import Campaign
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.model import EventType, encode_batch
from mockcampaign.transport.wire import WireTransport

WEBHOOKS, LISTS_EACH, ROUNDS, WRK_SECONDS = 8, 500, 9, 1
"""Many short rounds, in turns: a neighbour that takes the processor for a while spoils few of them."""
RATIO_MIN, ROOM = 0.8, 8.0
"""The aim, and how far the floor is below it: `sender` says what makes the difference to the aim."""

Prepared = list[list[tuple[int, EventsDue]]]
"""The events of each client, made beforehand."""

RECEIVER = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_buffer_size 256k; keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}
}}
"""
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


def uvicorn_command(port: int, folder: Path) -> list[str]:
    (folder / "receiver.py").write_text(RECEIVER)
    options = ["--log-level", "warning", "--no-access-log", "--lifespan", "off"]
    return [sys.executable, "-m", "uvicorn", "receiver:app", "--port", str(port), *options]


def nginx_command(port: int, folder: Path) -> list[str]:
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


class Speed(NamedTuple):
    """What was reached."""

    rate: float
    """Lists each second."""
    busy: float
    """Microseconds of the sender's own processor time for each; what the receiver takes is not in it."""


def prepared(lists_each: int = LISTS_EACH) -> Prepared:
    """Make the events of each client."""
    campaign = Campaign(WireTransport())
    clients = range(1, WEBHOOKS + 1)
    return [campaign.prepare(EventType.OPEN, lists_each * 100, client_id=client) for client in clients]


def campaign_of(url: str, events: Prepared) -> Campaign:
    """Return a campaign that has all of these events to deliver."""
    campaign = Campaign(WireTransport())
    for client, _ in enumerate(events, 1):
        campaign.activate(campaign.create(EventType.OPEN, url, client_id=client))
    for of_client in events:
        campaign.put(of_client)
    return campaign


async def deliver(url: str, events: Prepared) -> Speed:
    """Making the events is not counted, all else is."""
    campaign = campaign_of(url, events)
    began, began_busy = time.perf_counter(), time.process_time()
    await campaign.run()
    seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
    await campaign.aclose()
    lists = WEBHOOKS * LISTS_EACH
    return Speed(lists / seconds, busy / lists * 1e6)


def wrk(url: str, folder: Path) -> Speed:
    """The same by `wrk`, whose body never changes."""
    command = ["wrk", "-t1", f"-c{WEBHOOKS}", f"-d{WRK_SECONDS}s", "-s", str(folder / "post.lua"), url]
    began_busy = children_busy()
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    busy = children_busy() - began_busy
    rate, requests = re.search(r"Requests/sec:\s+([0-9.]+)", printed), re.search(r"(\d+) requests in", printed)
    assert rate is not None, printed
    assert requests is not None, printed
    assert "Non-2xx" not in printed, printed
    return Speed(float(rate[1]), busy / int(requests[1]) * 1e6)


def children_busy() -> float:
    """Seconds of processor time that processes which were waited for have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sample_body() -> bytes:
    """A list of a hundred opens, as a campaign makes them."""
    campaign = Campaign(WireTransport())
    webhook = campaign.activate(campaign.create(EventType.OPEN, "http://127.0.0.1:1/"))
    campaign.emit(EventType.OPEN, 100)
    return encode_batch(tuple(campaign.pending(webhook)))


def best(speeds: list[Speed]) -> str:
    """Of many rounds, for people."""
    busy = statistics.median(speed.busy for speed in speeds)
    return f"{max(speed.rate for speed in speeds):,.0f} lists/s ({busy:.0f} us busy with each)"


def event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop


def measure() -> Iterator[Row | Skipped]:
    body, loop, events = sample_body(), event_loop(), prepared()
    for name, command in (("uvicorn", uvicorn_command), ("nginx", nginx_command)):
        what = f"{WEBHOOKS} webhooks to {name}"
        missing = [tool for tool in ("wrk", "nginx" if name == "nginx" else "wrk") if shutil.which(tool) is None]
        if missing:
            yield Skipped(what, f"{' and '.join(dict.fromkeys(missing))} not installed")
            continue
        ours: list[Speed] = []
        theirs: list[Speed] = []
        with tempfile.TemporaryDirectory() as place:
            folder, port = Path(place), free_port()
            (folder / "body").write_bytes(body)
            (folder / "post.lua").write_text(LUA.format(body=folder / "body"))
            url = f"http://127.0.0.1:{port}/"

            def sent(url: str = url, ours: list[Speed] = ours) -> float:
                with asyncio.Runner(loop_factory=loop) as runner:
                    ours.append(runner.run(deliver(url, events)))
                return ours[-1].rate

            def posted(url: str = url, folder: Path = folder, theirs: list[Speed] = theirs) -> float:
                theirs.append(wrk(url, folder))
                return theirs[-1].rate

            with running(command(port, folder), port, folder):
                rates, other = in_turns(sent, posted, ROUNDS)
        yield Row(
            what=what,
            measured=best(ours),
            yardstick=f"wrk {best(theirs)}",
            ratios=ratios(rates, other),
            at_least=RATIO_MIN,
            room=ROOM,
        )
