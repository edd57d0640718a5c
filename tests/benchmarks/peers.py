"""What other doubles that can call a webhook reach, and what they do about a consumer that responds 500.

WireMock, MockServer and Mockoon respond to the requests of `wrk`, and after each they send the callback that they are
configured with: a batch of a hundred events. TestingHQ sends mails of its own. `nginx` receives and counts. The clients
of their registries install them into the folder `.peers`; a peer that cannot be had is a row that says why. Processor
time includes what a virtual machine takes to compile, after two seconds to warm up. This takes minutes, so it runs only
if it is named.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from deliveries import free_port, sample_body
from harness import Row, Skipped

FOLDER = Path(__file__).parents[2] / ".peers"
NPM = ("wiremock@3.13.2", "mockserver-node@8.0.0", "@mockoon/cli@9.9.0")
PYPI = ("testinghq==1.0.0",)

STARTS, SECONDS, QUIET_SECONDS, SETTLE_SECONDS_MAX, FAILING_SECONDS = 3, 5, 1.0, 10.0, 15
BARRAGE_RATE = 5_000
"""More mails a second than TestingHQ can send."""

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_buffer_size 256k; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location /up {{ return 200 "ok"; }}
    location /down {{ return 500 "no"; }}
    location /status {{ stub_status; }}
  }}
}}
"""


class Consumer(NamedTuple):
    """Counts what it gets."""

    url: str

    def count(self) -> int:
        """Requests so far, without those that ask for the count."""
        text = fetched(f"{self.url}/status")
        known = re.search(r"\n +\d+ +\d+ +(\d+)", text)
        assert known is not None, text
        asked[self.url] = asked.get(self.url, 0) + 1
        return int(known[1]) - asked[self.url]


asked: dict[str, int] = {}
"""How often each consumer was asked for its count."""


class Peer(NamedTuple):
    """A server that responds to a request and sends a callback."""

    name: str
    command: Callable[[Path, int, str], list[str]]
    """Command that serves in a folder, at a port, with the callback to a URL."""
    configure: Callable[[int, str], None]
    """What remains to be done when it serves."""


class Measured(NamedTuple):
    """What a double reached."""

    rate: float
    busy: float
    """Microseconds of its own processor time for each callback, whatever else this machine does."""
    kept: str
    memory: float
    start: float
    attempts: int
    says: str


def fetched(url: str, body: bytes | None = None, method: str = "GET") -> str:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        text: str = response.read().decode()
    return text


def as_installed(command: tuple[str, ...], marker: Path) -> str:
    """Install what is missing. Return why it could not be installed; empty if it is there."""
    if marker.exists():
        return ""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if marker.exists():
        return ""
    return f"its package could not be installed (exit status {done.returncode} of {Path(command[0]).name})"


@functools.cache
def npm_problem() -> str:
    """Why npm's packages are not at hand; empty if they are."""
    FOLDER.mkdir(exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts")
    return as_installed(("npm", "install", "--prefix", str(FOLDER), *quiet, *NPM), FOLDER / "node_modules" / "wiremock")


@functools.cache
def testinghq_problem() -> str:
    """Why TestingHQ is not at hand; empty if it is."""
    python = FOLDER / "python" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "python")], check=True)
    return as_installed((str(python), "-m", "pip", "install", "-q", *PYPI), python.parent / "testinghq")


def jar(package: str) -> str:
    return str(next((FOLDER / "node_modules" / package).rglob("*.jar")))


def wiremock(folder: Path, port: int, url: str) -> list[str]:
    (folder / "mappings").mkdir(exist_ok=True)
    callback = {"method": "POST", "url": url, "headers": {"Content-Type": "application/json"}}
    mapping = {
        "request": {"method": "GET", "url": "/trigger"},
        "response": {"status": 200},
        "serveEventListeners": [{"name": "webhook", "parameters": {**callback, "body": sample_body().decode()}}],
    }
    (folder / "mappings" / "trigger.json").write_text(json.dumps(mapping))
    return ["java", "-jar", jar("wiremock"), "--port", str(port), "--root-dir", str(folder), "--no-request-journal"]


def mockserver(folder: Path, port: int, url: str) -> list[str]:
    return ["java", "-jar", jar("mockserver-node"), "-serverPort", str(port), "-logLevel", "WARN"]


def mockserver_expectation(port: int, url: str) -> None:
    host, path = url.removeprefix("http://").split("/", 1)
    sent = {"method": "POST", "path": f"/{path}", "body": sample_body().decode()}
    expectation = {
        "httpRequest": {"path": "/trigger"},
        "times": {"unlimited": True},
        "httpResponse": {"statusCode": 200},
        "afterActions": [
            {"httpRequest": {**sent, "headers": {"Host": [host], "Content-Type": ["application/json"]}}},
        ],
    }
    fetched(f"http://127.0.0.1:{port}/mockserver/expectation", json.dumps(expectation).encode(), "PUT")


def mockoon(folder: Path, port: int, url: str) -> list[str]:
    callback = {"uuid": "11111111-1111-4111-8111-111111111111", "id": "c1", "name": "events", "documentation": ""}
    called = {"method": "post", "uri": url, "headers": [{"key": "Content-Type", "value": "application/json"}]}
    response = {"uuid": "22222222-2222-4222-8222-222222222222", "body": "ok", "latency": 0, "statusCode": 200}
    rest = {"label": "", "headers": [], "bodyType": "INLINE", "filePath": "", "databucketID": "", "rules": []}
    flags = {"sendFileAsBody": False, "rulesOperator": "OR", "disableTemplating": True, "fallbackTo404": False}
    plain = {"default": True, "crudKey": "id", "callbacks": [{"uuid": callback["uuid"], "latency": 0}]}
    route = {"uuid": "33333333-3333-4333-8333-333333333333", "type": "http", "documentation": "", "method": "get"}
    served = {"endpoint": "trigger", "responses": [response | rest | flags | plain], "responseMode": None}
    streaming = {"streamingMode": None, "streamingInterval": 0}
    environment = {
        "uuid": "44444444-4444-4444-8444-444444444444",
        "lastMigration": 33,
        "name": "peer",
        "port": port,
        "hostname": "127.0.0.1",
        "routes": [route | served | streaming],
        "rootChildren": [{"type": "route", "uuid": route["uuid"]}],
        "callbacks": [
            callback
            | called
            | {"body": sample_body().decode(), "bodyType": "INLINE", "databucketID": ""}
            | {"filePath": "", "sendFileAsBody": False}
        ],
    }
    (folder / "mockoon.json").write_text(json.dumps(environment))
    run = FOLDER / "node_modules" / "@mockoon" / "cli" / "bin" / "run.js"
    return ["node", str(run), "start", "--repair", "--disable-log-to-file", "--data", str(folder / "mockoon.json")]


PEERS = (
    Peer("WireMock 3.13.2", wiremock, lambda port, url: None),
    Peer("MockServer 8.0.0", mockserver, mockserver_expectation),
    Peer("Mockoon 9.9.0", mockoon, lambda port, url: None),
)


def memory_of(process: int) -> float:
    """Most memory that the process has had, in megabytes."""
    known = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert known is not None, process
    return int(known[1]) / 1_000


def processor_of(process: int) -> float:
    """Seconds of processor time that the process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def started(command: list[str], ready: str, log: Path, folder: Path) -> Iterator[tuple[int, float]]:
    """Start a server; the number of its process, and the seconds until it responds with any status."""
    with log.open("wb") as written:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdout=written, stderr=subprocess.STDOUT)
    try:
        while time.monotonic() - began < 60:
            try:
                fetched(ready)
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None, log.read_text()[-2_000:]
                time.sleep(0.01)
            else:
                break
        yield process.pid, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def settled(consumer: Consumer) -> tuple[int, float]:
    """Wait until nothing more comes. Return the count, and when it last changed."""
    until = time.monotonic() + SETTLE_SECONDS_MAX
    count, changed = consumer.count(), time.monotonic()
    while time.monotonic() < until and time.monotonic() - changed < QUIET_SECONDS:
        time.sleep(0.05)
        newest = consumer.count()
        if newest != count:
            count, changed = newest, time.monotonic()
    return count, changed


def told(log: Path, before: int) -> str:
    """What a log says about the failure."""
    text = log.read_text(errors="replace")[before:].replace("|", "/")
    found = re.search(r"[^\n]{0,20}\b500\b[^\n]{0,40}", text)
    return f"its log says …{' '.join(found[0].split())}…" if found else "its log says nothing"


def of_peer(peer: Peer, consumer: Consumer, folder: Path) -> Measured:
    """Measure one of the servers."""
    log, starts = folder / "log", []
    for _ in range(STARTS):
        port = free_port()
        trigger, url = f"http://127.0.0.1:{port}/trigger", f"{consumer.url}/up"
        with started(peer.command(folder, port, url), f"http://127.0.0.1:{port}/none", log, folder) as (process, took):
            starts.append(took)
            if len(starts) < STARTS:
                continue
            peer.configure(port, url)
            run = ["wrk", "-t1", "-c8", f"-d{SECONDS}s", trigger]
            subprocess.run([*run[:3], "-d2s", trigger], capture_output=True, check=True)  # a virtual machine warms up
            before, _ = settled(consumer)
            began, busy = time.monotonic(), processor_of(process)
            printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            count, ended = settled(consumer)
            triggers = re.search(r"(\d+) requests in", printed)
            assert triggers is not None, printed
            rate, memory = (count - before) / (ended - began), memory_of(process)
            each = (processor_of(process) - busy) / (count - before) * 1e6
            kept = f"{count - before:,} callbacks of {int(triggers[1]):,} triggers"
    port = free_port()
    url = f"{consumer.url}/down"
    with started(peer.command(folder, port, url), f"http://127.0.0.1:{port}/none", log, folder):
        peer.configure(port, url)
        before, size = consumer.count(), log.stat().st_size
        fetched(f"http://127.0.0.1:{port}/trigger")
        time.sleep(FAILING_SECONDS)
        attempts = consumer.count() - before
        says = told(log, size)
    return Measured(rate, each, kept, memory, statistics.median(starts), attempts, says)


def of_testinghq(consumer: Consumer, folder: Path) -> Measured:
    """Measure TestingHQ, a command that ends."""
    command = str(FOLDER / "python" / "bin" / "testinghq")
    targets = folder / "targets.toml"
    targets.write_text("".join(f'[targets.{way}]\nurl = "{consumer.url}/{way}"\n' for way in ("up", "down")))
    starts = []
    for _ in range(STARTS):
        began = time.monotonic()
        subprocess.run([command, "--version"], capture_output=True, check=True)
        starts.append(time.monotonic() - began)
    fire = [command, "barrage", "fire", "--config", str(targets), "--send", "--allow-high-rate", "--warmup", "0"]
    load = ["--rate", str(BARRAGE_RATE), "--duration", str(SECONDS), "--concurrency", "8", "--mode", "closed"]
    before = consumer.count()
    began = time.monotonic()
    process = subprocess.Popen([*fire, "--target", "up", *load], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    memory = busy = 0.0
    while process.poll() is None:
        with contextlib.suppress(OSError, AssertionError):
            memory, busy = max(memory, memory_of(process.pid)), max(busy, processor_of(process.pid))
        time.sleep(0.05)
    count = consumer.count() - before
    rate = count / min(SECONDS, time.monotonic() - began)
    before = consumer.count()
    done = subprocess.run([*fire, "--target", "down", "--rate", "1", "--duration", "1"], capture_output=True, text=True)
    time.sleep(FAILING_SECONDS)
    attempts = consumer.count() - before
    lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search("500|5xx|error", line)]
    says = (
        f"exit status {done.returncode}, and it says: {' '.join(lines[0].split())[:100]}"
        if lines
        else (f"exit status {done.returncode}")
    )
    each = busy / count * 1e6
    return Measured(rate, each, f"{count:,} mails", memory, statistics.median(starts), attempts, says.replace("|", "/"))


OURS = """
import asyncio, json, resource, sys, time
sys.path.insert(0, sys.argv[1])
import deliveries
from mockcampaign.campaign import Campaign
from mockcampaign.model import EventType
from mockcampaign.transport.wire import WireTransport
from mockcampaign.policy import Policy

async def down(url):
    campaign = Campaign(WireTransport(), policy=Policy(simulate_after=100))
    webhook = campaign.activate(campaign.create(EventType.OPEN, url))
    campaign.emit(EventType.OPEN, 100)
    began = time.perf_counter()
    await campaign.run()
    took = time.perf_counter() - began
    await campaign.aclose()
    entries = campaign.journal.entries
    attempts = sum(getattr(one, "count", 0) for one in entries if type(one).__name__ == "Attempted")
    discarded = sum(b - a + 1 for one in entries if type(one).__name__ == "Discarded" for a, b in one.serials)
    return attempts, discarded, took

def run(work):
    with asyncio.Runner(loop_factory=deliveries.event_loop()) as runner:
        return runner.run(work)

events = deliveries.prepared(250)
deliveries.LISTS_EACH = 250
rate, busy = sorted(run(deliveries.deliver(sys.argv[2] + "/up", events)) for _ in range(5))[2]
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(json.dumps([rate, busy, memory, *run(down(sys.argv[2] + "/down"))]))
"""


def ours(consumer: Consumer, folder: Path) -> tuple[Measured, str]:
    """Measure mockcampaign, and say what it does with a consumer that fails for three days."""
    starts = []
    for _ in range(STARTS):
        port = free_port()
        command = [sys.executable, "-m", "mockcampaign", "serve", "--port", str(port)]
        with started(command, f"http://127.0.0.1:{port}/", folder / "log", folder) as (_, took):
            starts.append(took)
    command = [sys.executable, "-c", OURS, str(Path(__file__).parent), consumer.url]
    before = consumer.count()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    rate, busy, memory, attempts, discarded, took = json.loads(done.stdout)
    sent = consumer.count() - before - 5 * 8 * 250
    fate = f"{attempts:,} attempts in three virtual days, {sent:,} of them sent; then it discards {discarded} events, "
    fate += f"and its journal says so; {took:.1f} s"
    return Measured(rate, busy, "", memory, statistics.median(starts), attempts, ""), fate


def rows(name: str, peer: Measured, us: Measured, fate: str) -> Iterator[Row]:
    yield Row(
        what=f"{name}: callbacks",
        measured=f"{peer.busy:,.0f} us of processor for each, {peer.rate:,.0f}/s ({peer.kept})",
        yardstick=f"mockcampaign {us.busy:,.0f} us for each batch, {us.rate:,.0f}/s",
        ratios=(peer.busy / us.busy,),
        at_least=1.0,
    )
    yield Row(
        what=f"{name}: memory",
        measured=f"{peer.memory:,.0f} MB",
        yardstick=f"mockcampaign {us.memory:,.0f} MB, with 200,000 pending events",
        ratios=(us.memory / peer.memory,),
    )
    yield Row(
        what=f"{name}: start-up",
        measured=f"{peer.start:.2f} s",
        yardstick=f"mockcampaign {us.start:.2f} s",
        ratios=(us.start / peer.start,),
    )
    yield Row(
        what=f"{name}: a consumer that responds 500",
        measured=f"attempts of one callback in {FAILING_SECONDS} s: {peer.attempts}; {peer.says}",
        yardstick=f"mockcampaign: {fate}",
        ratios=(peer.attempts / us.attempts,),
    )


def measure() -> Iterator[Row | Skipped]:
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        yield Skipped("peers", f"{' and '.join(missing)} not installed")
        return
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        consumer = Consumer(f"http://127.0.0.1:{port}")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        nginx = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        with started(nginx, f"{consumer.url}/up", folder / "nginx.log", folder):
            us, fate = ours(consumer, folder)
            for peer in PEERS:
                java = "" if peer.command is mockoon or shutil.which("java") else "java is not installed"
                problem = npm_problem() or java
                if problem:
                    yield Skipped(peer.name, f"not at hand: {problem}")
                    continue
                yield from rows(peer.name, of_peer(peer, consumer, folder), us, fate)
            problem = testinghq_problem()
            if problem:
                yield Skipped("TestingHQ 1.0.0", f"not at hand: {problem}")
            else:
                yield from rows("TestingHQ 1.0.0", of_testinghq(consumer, folder), us, fate)
