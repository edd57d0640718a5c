"""Plays scenarios that a test writes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockcampaign.judging.finding import Finding
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import load
from mockcampaign.scenario.plan import Plan
from mockcampaign.scenario.play import Player
from mockcampaign.transport import Transport

SCENARIO = """\
name: a test's own
consumer:
  url: URL/hook
  probe: {url: "URL/processed", events: "@"}
webhooks:
  opens: {type: open}
steps:
  - activate: opens
STEPS
"""


async def play(plan: Plan, transport: Transport, seed: int = 1) -> Player:
    """Return the player after the run."""
    player = Player.with_campaign(plan, transport, seed=seed)
    try:
        await player.play()
    finally:
        await transport.aclose()
    return player


def played(plan: Plan, transport: Transport, seed: int = 1) -> tuple[Player, list[Finding]]:
    """Return the player after the run, and all findings."""
    player = asyncio.run(play(plan, transport, seed))
    rules, expectations = judge(plan, player.campaign.journal.entries)
    return player, [*rules, *expectations]


def own_plan(folder: Path, url: str, *steps: str, probe: bool = True) -> Plan:
    text = SCENARIO.replace("STEPS", "\n".join(f"  - {step}" for step in steps)).replace("URL", url)
    if not probe:
        text = "\n".join(line for line in text.splitlines() if "probe" not in line)
    path = folder / "own.scenario.yaml"
    path.write_text(text)
    return load(path)


def failed(findings: list[Finding]) -> list[str]:
    return sorted({finding.id for finding in findings if finding.outcome in ("fail", "warn")})


def starlette_consumer(hook: Callable[[Request], Any], account: Any = ()) -> Starlette:
    async def processed(request: Request) -> Response:
        return account if isinstance(account, Response) else JSONResponse(list(account))

    return Starlette(routes=[Route("/hook", hook, methods=["POST"]), Route("/processed", processed)])
