"""How often a check reads the store, and how much, also once the store is full: counted and not timed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from checks import NOW
from mockcampaign.check import examiner
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import EventType, Outcome, Request, Responded
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport.inprocess import AsgiTransport

JSON = (("Content-Type", "application/json"),)
SELECTING = Probe(url="http://app/processed?mailing={mailingId}", events="@")
EVERYTHING = Probe(url="http://app/processed", events="@")

SENDING = ("drains-backlog", "survives-many-requests", "accepts-generated-batches", "survives-random-histories")
"""Rules that send much more than they read."""

READS, READS_OF_FULL_STORE = {SELECTING: 320, EVERYTHING: 179}, {SELECTING: 320, EVERYTHING: 13}
"""Most responses of the probe in one check without these rules: more are a cost that somebody has added."""


class Reading(AsgiTransport):
    """Counts the responses of the probe, and their bytes."""

    reads = 0
    read_bytes = 0

    async def send(self, request: Request) -> Outcome:
        outcome = await super().send(request)
        if request.method == "GET" and "/processed" in request.url and isinstance(outcome, Responded):
            self.reads += 1
            self.read_bytes += outcome.body_bytes
        return outcome


async def fill(app: Any, count: int) -> None:
    """Let the consumer store as many events as earlier checks leave behind."""
    transport, [example] = AsgiTransport(app), builtin_shape(EventType.OPEN).examples
    body = msgspec.json.encode([{**example, "mailId": f"e{one}"} for one in range(count)])
    request = Request(
        method="POST", url="http://app/hook", headers=JSON, body=body, timeout=60_000, response_body_bytes_kept=0
    )
    assert (await transport.send(request)).accepted
    await transport.aclose()


def checked(app: Any, probe: Probe, **settings: Any) -> tuple[RunResult, Reading]:
    async def run() -> tuple[RunResult, Reading]:
        transport = Reading(app)
        source = UrlProbe(probe, transport, timeout=60_000)
        chosen = Settings(now=NOW, seed=1, budget=3_600_000, **settings)
        result = await check("http://app/hook", transport=transport, settings=chosen, probe=source)
        await transport.aclose()
        return result, transport

    return asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("probe", [SELECTING, EVERYTHING], ids=["selecting", "everything"])
def test_a_full_store_costs_few_reads(probe: Probe) -> None:
    app = consumer_app()
    asyncio.run(fill(app, examiner.ELEMENTS_MANY))
    (result, first), (again, full) = (checked(one, probe, skip=SENDING) for one in (consumer_app(), app))
    print(f"reads: {first.reads} ({first.read_bytes} bytes), of a full store {full.reads} ({full.read_bytes} bytes)")
    assert result.compliant, result.headline
    assert [one.outcome for one in result.rules] == [one.outcome for one in again.rules]
    assert first.reads <= READS[probe]
    assert full.reads <= READS_OF_FULL_STORE[probe]
    if probe is SELECTING:
        assert full.read_bytes <= 1.2 * first.read_bytes


@pytest.fixture
def assuming(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take every store for a full one."""
    monkeypatch.setattr(examiner, "ELEMENTS_MANY", 0)
    return


@pytest.mark.usefixtures("assuming")
@pytest.mark.parametrize(
    ("bug", "rule_id"),
    [
        ("stores-first-mailing-only", "stores-mixed-mailings"),
        ("stores-first-event-only", "stores-every-event"),
        ("drops-identical-events", "stores-identical-events"),
    ],
)
def test_what_one_reading_does_not_confirm_is_examined_again(bug: str, rule_id: str) -> None:
    rules = ("stores-every-event", "stores-identical-events", "stores-mixed-mailings", "once-in-regrouped-batch")
    result, _ = checked(consumer_app(bug), EVERYTHING, rules=rules)
    assert [one.id for one in result.rules if one.outcome == "fail"] == [rule_id]
    [found] = [one for one in result.rules if one.id == rule_id]
    assert found.differences
    # What depends on it is skipped, though it was examined before anybody knew.
    assert {one.outcome for one in result.rules} <= {"pass", "fail", "not-exercised"}


@pytest.mark.usefixtures("assuming")
def test_rules_that_agree_share_one_reading() -> None:
    rules = ("stores-identical-events", "stores-mixed-mailings", "once-in-regrouped-batch", "stores-same-millisecond")
    result, reading = checked(consumer_app(), EVERYTHING, rules=rules)
    assert [one.outcome for one in result.rules] == ["pass"] * len(rules)
    assert reading.reads == 3, "two of the calibration, and one for all rules"
