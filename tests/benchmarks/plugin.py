"""What the pytest plugin costs.

1. A test that creates a webhook, delivers 250 opens in three batches to an in-process ASGI application and asserts,
   beside the same test written by hand with pytest-httpserver and httpx, which makes its events itself. Both run in one
   pytest, in turns; a test's time is that of its setup, call and teardown.
2. Property tests: how many batches a second Hypothesis draws and delivers in-process.
3. Start-up: pytest on an empty file with no plugin but this one, and with `-p no:mockcampaign`, in pairs, by processor
   time. Other plugins would only hide what ours costs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from harness import Row, in_turns, ratios, rounds_of

TESTS, PAIRS = 30, 11
RATIO_MAX, START_RATIO_MAX = 0.5, 1.03
DRAWN_RATIO_MAX = 4.0

CONFTEST = """
import collections, statistics, time
import pytest

seconds = collections.defaultdict(list)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    began = time.perf_counter()
    try:
        return (yield)
    finally:
        seconds[item.originalname].append(time.perf_counter() - began)

def pytest_sessionfinish():
    for name, all_of_them in seconds.items():
        print(f"\\nRESULT {name} {statistics.median(all_of_them[1:]) * 1_000:.3f}")
"""

TEST = """
import json
import httpx
import pytest
from werkzeug import Response

ROUNDS = range({tests})

def app(received):
    async def consumer(scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        received.extend(json.loads(body))
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b"ok"}})
    return consumer

@pytest.mark.parametrize("number", ROUNDS)
def test_with_the_fixture(campaign, number):
    received = []
    opens = campaign.webhook("open", target=app(received), path="/hook")
    campaign.emit(opens, count=250)
    campaign.run()
    assert received == campaign.delivered
    campaign.assert_compliant()

def event(number):
    return {{
        "type": "open", "recipientId": str(123456789005 + number), "userListId": 123456789003,
        "remoteAddress": "0.0.0.0", "clientId": 123456789001, "mailingId": 123456789004,
        "created": 1564590054000 + number, "subscriptionId": 1234567 + number,
        "mailId": f"3IHQ2XT8-38PY7WFQ-{{number:06}}", "device": "desktop", "operatingSystem": "Windows 10",
        "browser": "Firefox 64.1",
    }}

@pytest.mark.parametrize("number", ROUNDS)
def test_by_hand(httpserver, number):
    received = []
    def hook(request):
        received.extend(request.get_json())
        return Response("ok")
    httpserver.expect_request("/hook", method="POST").respond_with_handler(hook)
    events = [event(number) for number in range(250)]
    with httpx.Client() as client:
        for start in range(0, 250, 100):
            response = client.post(httpserver.url_for("/hook"), json=events[start:start + 100])
            assert response.status_code == 200
    assert received == events
"""

PROPERTY = """
import json, time
from hypothesis import HealthCheck, given, settings
from mockcampaign.strategies import batches

count = 0

@settings(max_examples=400, database=None, deadline=None)
@given(batches(max_size=20))
def test_property(campaign, batch):
    global count
    count += 1
    received = []
    def consumer(environ, start_response):
        received.extend(json.loads(environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return []
    campaign.emit(campaign.webhook("open", target=consumer), events=batch)
    campaign.run()
    assert received == batch

@settings(max_examples=400, database=None, deadline=None)
@given(batches(max_size=20))
def only_draw(batch):
    pass

def test_report():
    print(f"\\nCOUNT {count}")
    began = time.perf_counter()
    only_draw()
    print(f"DRAWING {time.perf_counter() - began}")
"""


def pytest_in(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:randomly", "-p", "no:asyncio", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def processor_seconds(folder: Path, *arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    others = {plugin.name for plugin in entry_points(group="pytest11")} - {"mockcampaign"}
    command = [sys.executable, "-m", "pytest", "-q", "test_nothing.py", *(f"-pno:{name}" for name in others)]
    subprocess.run([*command, *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def one_test(folder: Path) -> Row:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_one.py").write_text(TEST.format(tests=TESTS))
    ours, by_hand = [], []
    for _ in rounds_of():
        printed = pytest_in(folder, "test_one.py")
        results = dict(line.split()[1:] for line in printed.splitlines() if line.startswith("RESULT"))
        ours.append(float(results["test_with_the_fixture"]))
        by_hand.append(float(results["test_by_hand"]))
    return Row(
        what="250 opens in three batches",
        measured=f"with the fixture {min(ours):.1f} ms",
        yardstick=f"by hand {min(by_hand):.1f} ms",
        ratios=ratios(ours, by_hand),
        at_most=RATIO_MAX,
    )


def property_test(folder: Path) -> Row:
    (folder / "test_property.py").write_text(PROPERTY)
    printed = pytest_in(folder, "test_property.py", "--durations=0", "--durations-min=0")
    [count] = [int(line.split()[1]) for line in printed.splitlines() if line.startswith("COUNT")]
    [drawing] = [float(line.split()[1]) for line in printed.splitlines() if line.startswith("DRAWING")]
    [seconds] = [
        float(line.split()[0][:-1]) for line in printed.splitlines() if "s call " in line and "::test_property" in line
    ]
    return Row(
        what="property test",
        measured=f"{count / seconds:,.0f} batches/s drawn and delivered",
        yardstick=f"{count / drawing:,.0f} batches/s drawn",
        ratios=(seconds / drawing,),
        at_most=DRAWN_RATIO_MAX,
    )


def start_up(folder: Path) -> Row:
    (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
    processor_seconds(folder)
    ours, without = in_turns(
        lambda: processor_seconds(folder),
        lambda: processor_seconds(folder, "-p", "no:mockcampaign"),
        rounds=PAIRS,
        brief=7,
    )
    return Row(
        what="start-up of pytest",
        measured=f"{min(ours) * 1_000:.0f} ms with the plugin",
        yardstick=f"{min(without) * 1_000:.0f} ms without",
        ratios=ratios(ours, without),
        at_most=START_RATIO_MAX,
        room=1.1,
    )


def measure() -> Iterator[Row]:
    for part in (one_test, property_test, start_up):
        with tempfile.TemporaryDirectory() as folder:
            yield part(Path(folder))
