"""What scenarios cost besides the consumer's own time: `python tests/benchmarks/scenarios.py`.

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
from collections.abc import Callable
from pathlib import Path

import yaml

from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import AlwaysOkTransport

SCENARIOS, SCENARIOS_SECONDS_MAX = 200, 4.0
LINES, LOAD_SECONDS_MAX = 2_000, 0.150
HELP_RATIO_MAX = 2.5
WAIT_EVENTS, WAIT_RATIO_MAX, WAIT_GROWTH_MAX = 4_000, 2.0, 12.0
ROUNDS = 5

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


def seconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The fewest of several rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = clock()
        action()
        taken.append(clock() - began)
    return min(taken)


def command(*arguments: str, folder: Path) -> Callable[[], object]:
    """Runs a command, which must succeed."""
    return lambda: subprocess.run(arguments, cwd=folder, stdout=subprocess.DEVNULL, check=True)


def row(what: str, taken: float, bound: str, yardstick: str, beside: float, holds: bool) -> None:
    """Print one line."""
    print(
        f"{what:<44} {taken:>8.3f} s   bound {bound:<8} {yardstick:<34} {beside:>8.3f} s   "
        f"ratio {taken / beside:>6.2f}  "
        f"{'ok' if holds else 'OVER'}"
    )


def small_scenarios(folder: Path) -> None:
    """Whole runs of the command: interpreter, imports, loading, playing, judging, reporting."""
    (folder / "consumer.py").write_text(CONSUMER)
    for number in range(SCENARIOS):
        (folder / f"{number:03}.scenario.yaml").write_text(SMALL.format(number=number))
    run = [sys.executable, "-m", "mockcampaign", "run", ".", "--app", "consumer:app", "--jobs", "2", "-q"]
    taken = seconds(command(*run, folder=folder))
    one = seconds(command(*run, "-k", "000.scenario.yaml", folder=folder))
    what = f"{SCENARIOS} small scenarios, --jobs 2"
    row(what, taken, f"{SCENARIOS_SECONDS_MAX} s", "one of them", one, taken < SCENARIOS_SECONDS_MAX)


def large_scenario(folder: Path) -> None:
    """Reading, converting and checking one file."""
    path = folder / "large.scenario.yaml"
    blocks = (LINES - LARGE_HEAD.count("\n")) // LARGE_BLOCK.count("\n") + 1
    text = LARGE_HEAD + LARGE_BLOCK * blocks
    path.write_text(text)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # Of the processor, since nothing here waits, and others may have it meanwhile.
    taken = seconds(lambda: load(path), time.process_time)
    parsing = seconds(lambda: yaml.load(text, loader), time.process_time)
    lines = text.count("\n")
    row(f"loading {lines:,} lines", taken, f"{LOAD_SECONDS_MAX} s", "PyYAML alone", parsing, taken < LOAD_SECONDS_MAX)


def help_text(folder: Path) -> None:
    """What everybody waits for who mistypes something."""
    taken = seconds(command(sys.executable, "-m", "mockcampaign", "--help", folder=folder))
    beside = seconds(command(sys.executable, "-c", "import argparse, asyncio", folder=folder))
    holds = taken < HELP_RATIO_MAX * beside
    row("mockcampaign --help", taken, f"x {HELP_RATIO_MAX}", "python -c 'import argparse, asyncio'", beside, holds)


def played(folder: Path, count: int, steps: str) -> float:
    """Play and judge a scenario of `count` events against a consumer that accepts everything, without sending."""
    path = folder / "many.scenario.yaml"
    path.write_text((WAIT_HEAD + steps).replace("COUNT", str(count)))
    plan = load(path)

    def play() -> None:
        player = Player.with_campaign(plan, AlwaysOkTransport(), seed=1)
        asyncio.run(player.play())
        _, findings = judge(plan, player.campaign.journal.entries)
        assert [finding.outcome for finding in findings] == ["pass", "pass"]

    return seconds(play, time.process_time)


def waits(folder: Path) -> None:
    """What it costs to ask between any two due moments whether expectations hold."""
    wait, advance = played(folder, WAIT_EVENTS, WAIT), played(folder, WAIT_EVENTS, ADVANCE)
    what = f"wait until {WAIT_EVENTS:,} events are delivered"
    row(what, wait, f"x {WAIT_RATIO_MAX}", "advance and expect", advance, wait < WAIT_RATIO_MAX * advance)
    many = played(folder, 10 * WAIT_EVENTS, WAIT)
    what = f"wait until {10 * WAIT_EVENTS:,} events are delivered"
    row(what, many, f"x {WAIT_GROWTH_MAX:.0f}", f"{WAIT_EVENTS:,} events", wait, many < WAIT_GROWTH_MAX * wait)


def main() -> None:
    for part in (small_scenarios, large_scenario, help_text, waits):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
