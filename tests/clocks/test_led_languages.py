"""Consumers in other languages, in processes of their own, whose clocks follow virtual time."""

from __future__ import annotations

import asyncio
import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import requests

from commands import mockcampaign
from consumers.clocked.led import LANGUAGES, build_go, led, require
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.policy import DAY, HOUR
from mockcampaign.pytest_plugin import CampaignFixture
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


@pytest.mark.slow
def test_the_commands_of_the_page_find_a_key_that_expires(tmp_path: Path) -> None:
    require("Node")
    [block] = re.findall(
        r"^```sh\n(mockcampaign clock run .* &\nmockcampaign check .*)\n```$", PAGE.read_text(), re.MULTILINE
    )
    run, examine = (shlex.split(line)[1:] for line in block.splitlines())
    assert run[:4] == ["clock", "run", "--clock-file", "clock"]
    with led(LANGUAGES["Node"][1], tmp_path / run[3]) as url:
        examine = [word.replace("http://127.0.0.1:8000", url).replace("/processed", "/stored") for word in examine]
        assert f"{url}/hook" in examine
        command = (*examine, "--rules", "once-after-three-days")
        right = mockcampaign(*command, folder=tmp_path)
        assert right.returncode == 0, right.stdout + right.stderr
        requests.get(f"{url}/bug/keys-a-day", timeout=60)
        broken = mockcampaign(*command, folder=tmp_path)
        assert broken.returncode == 1, broken.stdout + broken.stderr
        assert "FAIL once-after-three-days" in broken.stdout


@pytest.mark.slow
def test_a_test_leads_a_process(campaign: CampaignFixture, tmp_path: Path) -> None:
    require("Python")
    clock_file = tmp_path / "clock"
    with led(LANGUAGES["Python"][1], clock_file) as url:
        assert asyncio.run(wait_until_reachable(url, 120_000))
        campaign.clock.lead(clock_file)
        webhook = campaign.webhook("open", target=f"{url}/hook")
        for _ in range(2):
            campaign.emit(webhook)
            campaign.advance("1d")
            assert abs(get(f"{url}/clock")["wall"] - campaign.clock.now.timestamp()) < 3_600
        assert len(get(f"{url}/stored")) == 2
        campaign.clock.release()
        assert abs(get(f"{url}/clock")["wall"] * 1_000 - wallclock.real_now()) < HOUR
