"""Consumers in other languages, in processes of their own, whose clocks follow virtual time."""

from __future__ import annotations

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from consumers.clocked.led import LANGUAGES, build_go, led, require
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.policy import DAY, HOUR
from mockcampaign.transport.wire import WireTransport, wait_until_reachable

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "lead-a-consumers-clock.md"

CULPRITS = {
    "keys-an-hour": "once-after-an-hour",
    "keys-a-day": "once-after-three-days",
    "drops-by-clock": "accepts-old-events",
}
"""The rule that finds each bug of the consumers."""

RULES = ("once-after-an-hour", "once-after-three-days", "accepts-old-events")


def violated(url: str, rules: tuple[str, ...], clock: ClockFile | None) -> list[str]:
    """Return the rules that the consumer violates, all of which must have been examined."""

    async def examine() -> list[str]:
        transport = WireTransport()
        try:
            result = await check(
                f"{url}/hook",
                transport=transport,
                settings=Settings(now=wallclock.now() // 1_000 * 1_000, rules=rules, timeout=60_000),
                probe=UrlProbe(Probe(url=f"{url}/stored", events="@"), transport, timeout=60_000),
                clock=clock,
            )
        finally:
            await transport.aclose()
        assert {finding.outcome for finding in result.rules if finding.id in rules} <= {"pass", "fail"}
        return [finding.id for finding in result.rules if finding.outcome == "fail"]

    return asyncio.run(examine())


def get(url: str) -> Any:
    response = requests.get(url, timeout=60)
    response.raise_for_status()
    return response.json()


def measured(url: str, clock: ClockFile) -> list[str]:
    """Return what a consumer's clocks do while its wall clock is led on by three days, and back again."""
    start = wallclock.real_now() - 30 * DAY
    moments = (start, start + 3 * DAY, start)
    readings = []
    for moment in moments:
        clock.show(moment)
        readings.append(get(f"{url}/clock"))
    off = [abs(one["wall"] * 1_000 - moment) for one, moment in zip(readings, moments, strict=True)]
    steps = [later["monotonic"] - one["monotonic"] for one, later in itertools.pairwise(readings)]
    waits = [one["timer"] for one in readings]
    return [
        "follows" if max(off) < HOUR else "real time",
        "real time" if all(0 < step < 3_600 for step in steps) else "jumps",
        "real time" if all(0.09 < wait < 3_600 for wait in waits) else "fail",
    ]


def documented(language: str) -> list[str]:
    """Return the cells of a row of the page's table, after the language."""
    [row] = re.findall(rf"^\| {language} \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    return [cell.strip() for cell in row.split("|")][:4]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", LANGUAGES)
def test_bugs_with_time_are_found_in_a_process_of_its_own(language: str, tmp_path: Path) -> None:
    require(language)
    if language == "Go":
        build_go(tmp_path)
    clock = ClockFile(tmp_path / "clock")
    with led(LANGUAGES[language][1], clock.path) as url:
        assert asyncio.run(wait_until_reachable(url, 120_000))
        clocks = measured(url, clock)
        assert violated(url, RULES, clock) == []
        found = 0
        for bug, rule in CULPRITS.items():
            requests.get(f"{url}/bug/{bug}", timeout=60)
            found += violated(url, (rule,), clock) == [rule]
    assert [*clocks, f"{found} of {len(CULPRITS)}"] == documented(language)
