"""The same seed finds the same: in another process, at another time, and over sockets as in this process.

What a check makes is made from its seed, and its moments from its own moment. So two reports are equal once moments are
told as distances from that one. It remains that a consumer may go by its clock, or by days and minutes.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from places import TESTS

NOW = 1_750_000_000_000
LATER = NOW + 5_432_000
DAY = 86_400_000

CHECK = """
import sys
import msgspec
from checks import checked
from judged import checked_by_url
from mockcampaign.model import NoAuthentication
from mockcampaign.samples.consumer import consumer_app, serve_consumer
where, now, *bugs = sys.argv[1:]
skip = (
    *("drains-backlog", "survives-many-requests", "compares-credentials-in-constant-time"),
    "accepts-events-ahead-of-clock",  # the one rule whose events have the time of the wall clock
)
for bug in bugs:
    name = None if bug == "none" else bug
    if where == "in-process":
        report = checked(consumer_app(name), now=int(now), examples=5, skip=skip)
    else:
        with serve_consumer(name) as url:
            report = checked_by_url(url, now=int(now), examples=5, skip=skip, authentication=NoAuthentication())
    print(msgspec.json.encode(report).decode())
"""

QUICK = ("dedup-key-mail-id",)
BUGS = ("requires-device", "takes-columns-of-first-event", "forgets-dedup-key-once-used")
"""Rules about responses, generated batches and random histories."""


@functools.cache
def reports(where: str, bugs: tuple[str, ...], *, now: int, hash_seed: int) -> list[dict[str, Any]]:
    """Return reports from a new process."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, where, str(now), *bugs],
        cwd=TESTS / "helpers",
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return [masked(json.loads(line), now) for line in done.stdout.splitlines()]


def masked(value: Any, now: int) -> Any:
    """Replace times by their distance from the check's own time, and the consumer's address by one for all."""
    match value:
        case bool():
            return value
        case int() if abs(value - now) < 5 * DAY:
            return f"T{value - now:+}"
        case str():
            text = re.sub(r"\b\d{13}\b", lambda found: str(masked(int(found[0]), now)), value)
            text = re.sub(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", lambda found: _distance(found[0], now), text)
            return re.sub(r"http://(app|127\.0\.0\.1:\d+)/", "http://consumer/", text)
        case list():
            return [masked(one, now) for one in value]
        case dict():
            return {name: masked(one, now) for name, one in value.items()}
        case _:
            return value


def _distance(moment: str, now: int) -> str:
    return str(masked(round(datetime.fromisoformat(moment).timestamp() * 1_000), now))


@pytest.mark.slow
@pytest.mark.parametrize("bugs", [QUICK, BUGS])
def test_another_process_finds_the_same_at_another_time(bugs: tuple[str, ...]) -> None:
    """Compare whole reports, with all journals."""
    first = reports("in-process", bugs, now=NOW, hash_seed=1)
    later = reports("in-process", bugs, now=LATER, hash_seed=2)
    assert len(first) == len(later) == len(bugs)
    for one, other in zip(first, later, strict=True):
        assert any(rule["outcome"] == "fail" for rule in one["rules"])
        for rule, again in zip(one["rules"], other["rules"], strict=True):
            assert rule == again
        assert one == other


def test_times_are_masked_and_nothing_else() -> None:
    value = {"at": NOW - 5, "count": 7, "text": f"created={NOW + 1} 1234567890123", "on": True}
    assert masked(value, NOW) == {"at": "T-5", "count": 7, "text": "created=T+1 1234567890123", "on": True}
    assert masked("start: 2025-06-15T15:06:39.500Z", NOW) == "start: T-500"


@pytest.mark.slow
def test_the_same_is_found_over_sockets_as_in_process() -> None:
    """Compare all rules that both can examine, without journal positions, which also count other requests."""
    inside = reports("in-process", BUGS, now=NOW, hash_seed=1)
    outside = reports("over-sockets", BUGS, now=NOW, hash_seed=2)
    for one, other in zip(inside, outside, strict=True):
        compared = 0
        for rule, again in zip(one["rules"], other["rules"], strict=True):
            if rule["outcome"] == "not-exercised" and "behind a socket" in rule["actual"]:
                continue
            assert {**rule, "evidence": None} == {**again, "evidence": None}
            compared += 1
        assert compared > 50
