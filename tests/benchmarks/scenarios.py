"""What scenarios cost besides the consumer's own time.

Five rows: 200 small scenarios played against an application in the process (`run --app … --jobs 2`), beside a run of
one of them, which is mostly imports; loading a scenario of 2,000 lines, beside parsing its YAML alone; and
`mockcampaign --help`, beside a Python that imports what every asyncio program with arguments imports; a `wait` for
4,000 events of ten hours, beside `advance` and `expect`; and the same wait for ten times the events, beside the first.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from harness import Row, in_turns, ratios, timed

from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import AlwaysOkTransport

SCENARIOS, SCENARIOS_RATIO_MAX = 200, 5.0
LINES, LOAD_RATIO_MAX = 2_000, 4.0
HELP_RATIO_MAX = 2.5
WAIT_EVENTS, WAIT_RATIO_MAX, WAIT_GROWTH_MAX = 4_000, 2.0, 12.0

SMALL = """\
name: Number {number}
consumer:
  url: http://127.0.0.1:8000/{number}/hook
  probe: {{url: "http://127.0.0.1:8000/{number}/processed", events: "@"}}
webhooks:
  opens: {{type: open}}
steps:
  - activate: opens
  - emit: {{type: open, count: 30}}
  - outage: {{for: 1m}}
  - run: until-idle
  - expect:
      opens: {{delivered: 30, attempts: 7}}
      consumer: {{processed: exactly-once}}
"""
CONSUMER = """\
import json

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

processed = {}


async def hook(request):
    processed.setdefault(request.path_params["tenant"], []).extend(await request.json())
    return Response("ok")


async def account(request):
    return Response(json.dumps(processed.get(request.path_params["tenant"], [])), media_type="application/json")


app = Starlette(routes=[Route("/{tenant}/hook", hook, methods=["POST"]), Route("/{tenant}/processed", account)])
"""
"""Each scenario has an account of its own: what a growing one costs is the consumer's affair."""

LARGE_HEAD = """\
name: Large
consumer:
  url: http://127.0.0.1:8000/hook
webhooks:
  opens: {type: open}
steps:
  - activate: opens
"""
LARGE_BLOCK = """\
  - emit: {type: open, count: 3, over: 10m}
  - outage: {for: 2h, kind: refused}
  - advance: 1h
  - expect:
      opens: {delivered: {at_least: 0}, attempts: {at_least: 0}, all: {gap: 10s}}
"""

WAIT_HEAD = """\
name: Many
consumer:
  url: http://127.0.0.1:8000/hook
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - emit: {type: open, count: COUNT, over: 10h}
"""
WAIT = "  - wait: {until: {opens: {delivered: COUNT, pending: 0}}, for: 11h}\n"
ADVANCE = "  - advance: 11h\n  - expect: {opens: {delivered: COUNT, pending: 0}}\n"


def command(*arguments: str, folder: Path) -> Callable[[], object]:
    """Runs a command, which must succeed."""
    return lambda: subprocess.run(arguments, cwd=folder, stdout=subprocess.DEVNULL, check=True)


def wall(action: Callable[[], object]) -> float:
    """Return the seconds that a command takes, whose processor time is another process's."""
    return timed(action, time.perf_counter)


def small_scenarios(folder: Path) -> Row:
    """Whole runs of the command: interpreter, imports, loading, playing, judging, reporting."""
    (folder / "consumer.py").write_text(CONSUMER)
    for number in range(SCENARIOS):
        (folder / f"{number:03}.scenario.yaml").write_text(SMALL.format(number=number))
    run = [sys.executable, "-m", "mockcampaign", "run", ".", "--app", "consumer:app", "--jobs", "2", "-q"]
    all_of_them, one = command(*run, folder=folder), command(*run, "-k", "000.scenario.yaml", folder=folder)
    ours, theirs = in_turns(lambda: wall(all_of_them), lambda: wall(one))
    return Row(
        what=f"{SCENARIOS} small scenarios, --jobs 2",
        measured=f"{min(ours):.2f} s",
        yardstick=f"one of them: {min(theirs):.2f} s",
        ratios=ratios(ours, theirs),
        at_most=SCENARIOS_RATIO_MAX,
    )


def large_scenario(folder: Path) -> Row:
    """Reading, converting and checking one file."""
    path = folder / "large.scenario.yaml"
    blocks = (LINES - LARGE_HEAD.count("\n")) // LARGE_BLOCK.count("\n") + 1
    text = LARGE_HEAD + LARGE_BLOCK * blocks
    path.write_text(text)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    ours, theirs = in_turns(lambda: timed(lambda: load(path)), lambda: timed(lambda: yaml.load(text, loader)))
    lines = text.count("\n")
    return Row(
        what=f"loading {lines:,} lines",
        measured=f"{min(ours):.3f} s",
        yardstick=f"PyYAML alone: {min(theirs):.3f} s",
        ratios=ratios(ours, theirs),
        at_most=LOAD_RATIO_MAX,
    )


def help_text(folder: Path) -> Row:
    """What everybody waits for who mistypes something."""
    helping = command(sys.executable, "-m", "mockcampaign", "--help", folder=folder)
    importing = command(sys.executable, "-c", "import argparse, asyncio", folder=folder)
    ours, theirs = in_turns(lambda: wall(helping), lambda: wall(importing))
    return Row(
        what="mockcampaign --help",
        measured=f"{min(ours):.3f} s",
        yardstick=f"python -c 'import argparse, asyncio': {min(theirs):.3f} s",
        ratios=ratios(ours, theirs),
        at_most=HELP_RATIO_MAX,
    )


def player_of(folder: Path, count: int, steps: str) -> Callable[[], float]:
    """Return what plays and judges a scenario of `count` events for a consumer that accepts all, without sending."""
    path = folder / f"{count}-{len(steps)}.scenario.yaml"
    path.write_text((WAIT_HEAD + steps).replace("COUNT", str(count)))
    plan = load(path)

    def play() -> None:
        player = Player.with_campaign(plan, AlwaysOkTransport(), seed=1)
        asyncio.run(player.play())
        _, findings = judge(plan, player.campaign.journal.entries)
        assert [finding.outcome for finding in findings] == ["pass", "pass"]

    return lambda: timed(play)


def wait(folder: Path) -> Row:
    """What it costs to ask between any two due moments whether expectations hold."""
    waits, advances = in_turns(player_of(folder, WAIT_EVENTS, WAIT), player_of(folder, WAIT_EVENTS, ADVANCE))
    return Row(
        what=f"wait until {WAIT_EVENTS:,} events are delivered",
        measured=f"{min(waits):.2f} s",
        yardstick=f"advance and expect: {min(advances):.2f} s",
        ratios=ratios(waits, advances),
        at_most=WAIT_RATIO_MAX,
    )


def long_wait(folder: Path) -> Row:
    """What ten times the events cost."""
    many, few = in_turns(player_of(folder, 10 * WAIT_EVENTS, WAIT), player_of(folder, WAIT_EVENTS, WAIT), brief=1)
    return Row(
        what=f"wait until {10 * WAIT_EVENTS:,} events are delivered",
        measured=f"{min(many):.2f} s",
        yardstick=f"{WAIT_EVENTS:,} events: {min(few):.2f} s",
        ratios=ratios(many, few),
        at_most=WAIT_GROWTH_MAX,
    )


def measure() -> Iterator[Row]:
    for part in (small_scenarios, large_scenario, help_text, wait, long_wait):
        with tempfile.TemporaryDirectory() as folder:
            yield part(Path(folder))
