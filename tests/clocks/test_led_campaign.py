"""A consumer that follows a clock file sees virtual time at each request, whoever sends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mockcampaign import Policy, wallclock
from mockcampaign.campaign import Campaign
from mockcampaign.check.check import check
from mockcampaign.check.settings import Settings
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, HOUR, MINUTE, SECOND
from mockcampaign.pytest_plugin import CampaignFixture
from mockcampaign.scenario.load import load, plans_in
from mockcampaign.scenario.run import run_plan
from mockcampaign.transport.applications import transport_to

REAL = 1_800_000_000_000

SCENARIO = """\
name: an hour
consumer:
  url: http://127.0.0.1:1/hook
  clock: clock
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - emit: {type: open}
  - advance: 1h
  - emit: {type: open}
  - run: until-idle
"""


class Following:
    """A consumer that notes the time of each request by its clock, and the newest event in it."""

    def __init__(self, clock_file: Path, status: str = "200 OK") -> None:
        self._clock_file = clock_file
        self._status = status
        self.seen: list[int] = []
        self.newest: list[int] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        self.seen.append(REAL + round(float(self._clock_file.read_text()) * 1_000))
        events = json.loads(environ["wsgi.input"].read())
        self.newest.append(max(event["created"] for event in events))
        start_response(self._status, [])
        return []


@pytest.fixture
def clock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the path of a clock file on a machine whose clock stands still."""
    monkeypatch.setattr(wallclock, "real_now", lambda: REAL)
    return tmp_path / "clock"


def test_each_attempt_is_sent_and_shows_its_moment(clock_file: Path) -> None:
    consumer = Following(clock_file, "503 Service Unavailable")

    async def main() -> None:
        transport = transport_to(consumer)
        campaign = Campaign(transport, policy=Policy(simulate_after=1), clock=ClockFile(clock_file))
        campaign.activate(campaign.create(EventType.OPEN, "http://consumer/hook"))
        campaign.emit(EventType.OPEN)
        await campaign.advance(MINUTE)
        await transport.aclose()

    asyncio.run(main())
    assert consumer.seen == [DEFAULT_START + number * 10 * SECOND for number in range(7)]


def test_a_scenario_names_the_file_beside_it(clock_file: Path) -> None:
    path = clock_file.parent / "hour.scenario.yaml"
    path.write_text(SCENARIO)
    consumer = Following(clock_file)

    async def main() -> None:
        transport = transport_to(consumer)
        await run_plan(load(path), transport, seed=1, done=lambda result: None)
        await transport.aclose()

    asyncio.run(main())
    assert consumer.seen == [DEFAULT_START, DEFAULT_START + HOUR]
    assert clock_file.read_text() == "+0.000\n", "released"


def test_a_scenario_from_elsewhere_names_no_file() -> None:
    with pytest.raises(InvalidInputError, match=r"^its:4:.*: names a file, which only a scenario file can do$"):
        plans_in(SCENARIO, "its", {})


def test_a_test_leads_a_process_by_its_file(campaign: CampaignFixture, clock_file: Path) -> None:
    consumer = Following(clock_file)
    campaign.clock.lead(clock_file)
    campaign.emit(campaign.webhook("open", target=consumer))
    campaign.run()
    assert consumer.seen == [DEFAULT_START]
    campaign.advance("1h")
    campaign.clock.release()
    assert clock_file.read_text() == "+0.000\n"


def test_a_check_sends_nothing_that_is_ahead_of_the_clock_but_where_it_says_so(clock_file: Path) -> None:
    consumer = Following(clock_file)
    rules = ("accepts-old-events", "accepts-events-ahead-of-clock", "stores-late-events", "accepts-mixed-mailings")

    async def main() -> None:
        transport = transport_to(consumer)
        settings = Settings(now=REAL, rules=rules)
        result = await check(
            "http://consumer/hook", transport=transport, settings=settings, clock=ClockFile(clock_file)
        )
        await transport.aclose()
        assert result.compliant

    asyncio.run(main())
    ahead = [newest - now for newest, now in zip(consumer.newest, consumer.seen, strict=True)]
    assert max(ahead) == 2 * SECOND
    assert sum(one > 0 for one in ahead) == 2
    assert clock_file.read_text() == "+0.000\n"
