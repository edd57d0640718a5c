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
from mockcampaign.judging.verdict import ScenarioResult
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, HOUR, MINUTE, SECOND
from mockcampaign.pytest_plugin import CampaignFixture
from mockcampaign.pytest_plugin.check_fixture import CampaignCheck
from mockcampaign.report.sentences import note
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load, plans_in
from mockcampaign.scenario.run import run_plan
from mockcampaign.transport.applications import transport_to
from mockcampaign.whole_files import write_whole

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
    """Returns the path of a clock file with which a consumer was started, on a machine whose clock stands still."""
    monkeypatch.setattr(wallclock, "real_now", lambda: REAL)
    ClockFile(tmp_path / "clock").create()
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


def test_a_scenario_whose_clock_cannot_be_released_has_its_result(
    clock_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = clock_file.parent / "hour.scenario.yaml"
    path.write_text(SCENARIO)
    results: list[ScenarioResult] = []

    def on_full_disk(path: Path, content: bytes) -> None:
        if content == b"+0.000\n":
            raise OSError(28, "No space left on device")
        write_whole(path, content)

    async def main() -> None:
        transport = transport_to(Following(clock_file))
        await run_plan(load(path), transport, seed=1, done=results.append)
        await transport.aclose()

    monkeypatch.setattr("mockcampaign.clocks.clock_file.write_whole", on_full_disk)
    asyncio.run(main())
    [result] = results
    assert result.verdict == "compliant"
    assert "No space left on device" in caplog.text


def test_a_typo_is_refused_wherever_a_clock_is_led(
    campaign: CampaignFixture, campaign_check: CampaignCheck, clock_file: Path
) -> None:
    typo = clock_file.parent / "clokc"
    path = clock_file.parent / "hour.scenario.yaml"
    path.write_text(SCENARIO.replace("clock: clock", "clock: clokc"))
    consumer = Following(clock_file)
    plan = load(path)

    def run(clock_file: Path | None) -> None:
        played = run_plan(plan, transport_to(consumer), seed=1, clock_file=clock_file, done=lambda result: None)
        asyncio.run(played)

    doors: list[Callable[[], object]] = [
        lambda: campaign.clock.lead(typo),
        lambda: campaign_check(consumer, "/hook", clock=typo),
        lambda: run(None),
        lambda: run(typo),
    ]
    for enter in doors:
        with pytest.raises(InvalidInputError, match=r"clokc: no such file, and so no consumer that follows, allowed: "):
            enter()
    assert not typo.exists()
    assert consumer.seen == []


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
        assert result.notes == ()

    asyncio.run(main())
    ahead = [newest - now for newest, now in zip(consumer.newest, consumer.seen, strict=True)]
    assert max(ahead) == 2 * SECOND
    assert sum(one > 0 for one in ahead) == 2
    assert clock_file.read_text() == "+0.000\n"


def test_a_check_does_not_take_it_for_granted_that_the_consumer_reads_the_file(
    campaign_check: CampaignCheck, clock_file: Path
) -> None:
    result = campaign_check(consumer_app(), "/hook", rules=["accepts-redelivered-batch"], clock=clock_file)
    assert result.notes == ("clock-assumed",)
    assert note("clock-assumed").startswith("it is assumed that the consumer's clock follows the file of --clock")


def test_a_clock_file_that_breaks_during_a_check_is_no_death_of_the_consumer(
    clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, is_broken = consumer_app(), False

    async def consumer(scope: Any, receive: Any, send: Any) -> None:
        """Accept nothing after a body that is too long, as the clock file breaks at the same time."""
        nonlocal is_broken
        lengths = [int(value) for name, value in scope.get("headers", ()) if name == b"content-length"]
        is_broken = is_broken or max(lengths, default=0) > 1_000_000
        if is_broken and scope["type"] == "http":
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    def on_full_disk(path: Path, content: bytes) -> None:
        if is_broken:
            raise OSError(28, "No space left on device")
        write_whole(path, content)

    monkeypatch.setattr("mockcampaign.clocks.clock_file.write_whole", on_full_disk)

    async def main() -> None:
        transport = transport_to(consumer)
        settings, clock = Settings(now=REAL, rules=("survives-oversized-body",)), ClockFile(clock_file, "--clock")
        result = await check("http://consumer/hook", transport=transport, settings=settings, clock=clock)
        await transport.aclose()
        [found] = result.rules
        assert (found.outcome, found.actual) == (
            "could-not-tell",
            f"--clock {clock_file}: cannot be written: No space left on device",
        )

    asyncio.run(main())
