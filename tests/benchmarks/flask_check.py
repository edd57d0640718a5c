"""What `campaign_check` costs on a Flask application that stores events in SQLite.

Each check is that of all rules, in a pytest of its own: once with a probe that selects the events of a mailing, and
once with one that reads the whole table and decodes each row by `json`, as a first test would. The yardstick is a test
by hand, which posts 500 ordinary batches to the same application by Flask's own client. All are processor time of the
whole process, start of pytest included, which other load disturbs least.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import Row, in_turns, is_brief, ratios

SECONDS_MAX = 15.0
"""Most seconds of processor, on two cores of an Intel Xeon as in RESULTS.md."""
POSTS_RATIO_MAX = 8.0
"""Most times the processor time of the test by hand."""

CONSUMERS = Path(__file__).parents[1] / "consumers"

PROBES = {"test_selecting": "a probe that selects", "test_everything": "a probe that reads everything"}

POSTS = 500
TESTS = """
import json
import sqlite3
from contextlib import closing

import pytest
from flask_sqlite import make_app

AUTH = ("acme", "secret")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.sqlite"


@pytest.fixture
def app(path):
    return make_app(user=AUTH[0], password=AUTH[1], store=str(path))


def stored(path, where="", *values):
    with closing(sqlite3.connect(path)) as database:
        return [json.loads(payload) for (payload,) in database.execute(f"SELECT payload FROM event {where}", values)]


def test_selecting(campaign_check, app, path):
    def probe(mailing_id):
        return stored(path, "WHERE payload ->> 'mailingId' = ?", mailing_id)

    assert campaign_check(app, "/hook", probe=probe, auth=AUTH, budget="1h").compliant


def test_everything(campaign_check, app, path):
    assert campaign_check(app, "/hook", probe=lambda: stored(path), auth=AUTH, budget="1h").compliant


def test_by_hand(app):
    client = app.test_client()
    for number in range(POSTS):
        events = [
            {
                "type": "open", "recipientId": str(123456789005 + place), "userListId": 123456789003,
                "remoteAddress": "0.0.0.0", "clientId": 123456789001, "mailingId": 123456789004,
                "created": 1564590054000 + number, "subscriptionId": 1234567 + place,
                "mailId": f"3IHQ2XT8-38PY7WFQ-{number:06}", "device": "desktop", "operatingSystem": "Windows 10",
                "browser": "Firefox 64.1",
            }
            for place in range(5)
        ]
        assert client.post("/hook", json=events, auth=AUTH).status_code == 200
"""


def processor_seconds(folder: Path, test: str) -> float:
    """Return what one of the tests takes, with the start of its pytest."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    plugins = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
    command = [sys.executable, "-m", "pytest", "-q", *plugins, f"test_flask.py::{test}"]
    path = os.pathsep.join([str(CONSUMERS), str(CONSUMERS.parents[1])])
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "test_flask.py").write_text(TESTS.replace("POSTS", str(POSTS)), encoding="utf-8")
        # In CI, tests/pytest_plugin/test_check.py alone counts what the second reads.
        for test in list(PROBES)[: 1 if is_brief() else 2]:
            taken, by_hand = in_turns(
                lambda test=test: processor_seconds(folder, test),  # type: ignore[misc]
                lambda: processor_seconds(folder, "test_by_hand"),
                brief=1,
            )
            yield Row(
                what=f"campaign_check, {PROBES[test]}",
                measured=f"{min(taken):.1f} s of processor",
                yardstick=f"{POSTS} batches by hand: {min(by_hand):.1f} s",
                ratios=ratios(taken, by_hand),
                at_most=POSTS_RATIO_MAX,
            )
            yield Row(
                what="the same in seconds",
                measured=f"{min(taken):.1f} to {max(taken):.1f} s",
                yardstick=f"{SECONDS_MAX:g} s",
                ratios=tuple(seconds / SECONDS_MAX for seconds in taken),
                at_most=1.0,
            )
