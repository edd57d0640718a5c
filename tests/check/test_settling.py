"""Stores that lag behind, change by themselves or never settle: no false alarm, no missed bug, and an end."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import CallableProbe, StoreProbe
from mockcampaign.check.settings import Settings
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.verdict import RunResult
from mockcampaign.samples.bugs.redelivery import NeverDeduplicates
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.transport.inprocess import AsgiTransport


class Later(Consumer):
    """Responds at once, and lets one worker store the batches, each of which takes a tenth of a second."""

    def __init__(self) -> None:
        super().__init__(Store(), None)
        self.waiting: list[list[Event]] = []
        self.worker: asyncio.Task[None] | None = None

    async def process(self, events: list[Event]) -> None:
        self.waiting.append(events)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.work())

    async def work(self) -> None:
        while self.waiting:
            await asyncio.sleep(0.1)
            await super().process(self.waiting.pop(0))


class LaterAndTwice(Later, NeverDeduplicates):
    """Stores later, as `Later` does, and stores redelivered events again."""


def checked(consumer: Consumer, source: Callable[[Consumer], StoreProbe], **settings: Any) -> RunResult:
    async def run() -> RunResult:
        transport = AsgiTransport(application(consumer))
        try:
            chosen = Settings(**({"now": 1_750_000_000_000, "seed": 1} | settings))
            async with asyncio.timeout(60):  # and no check without an end
                return await check("http://app/hook", transport=transport, settings=chosen, probe=source(consumer))
        finally:
            await transport.aclose()

    return asyncio.run(run())


def events(consumer: Consumer) -> StoreProbe:
    return CallableProbe(consumer.store.events)


def count(consumer: Consumer) -> StoreProbe:
    return CallableProbe(lambda: len(consumer.store.events()), reports_events=False)


@pytest.mark.slow
@pytest.mark.parametrize("probe", [events, count])
def test_events_stored_after_the_end_of_their_rule_are_no_surplus_of_the_next(
    probe: Callable[[Consumer], StoreProbe],
) -> None:
    rules = ("accepts-every-batch-size", "stores-repeat-engagement")
    result = checked(Later(), probe, rules=rules, settle=1_500)
    assert {finding.id: finding.actual for finding in result.rules if finding.outcome != "pass"} == {}


@pytest.mark.slow
@pytest.mark.parametrize("probe", [events, count])
def test_events_that_are_stored_again_later_are_found(probe: Callable[[Consumer], StoreProbe]) -> None:
    [finding] = checked(LaterAndTwice(), probe, rules=("once-after-lost-response",), settle=5_000).rules
    assert finding.outcome == "fail"
    assert finding.actual.startswith(
        "After the redelivery of a batch of 5 events whose response was lost, 5 duplicates are in the store"
    )


def test_rows_that_change_by_themselves_count_as_settled() -> None:
    ages = itertools.count()

    def source(consumer: Consumer) -> StoreProbe:
        return CallableProbe(lambda: [{**event, "ageMilliseconds": next(ages)} for event in consumer.store.events()])

    consumer = Consumer(Store(), None)
    [finding] = checked(consumer, source, rules=("stores-every-event",), settle=100, budget=20_000).rules
    assert finding.outcome == "pass", finding.actual


def test_a_probe_without_a_response_ends_within_the_budget() -> None:
    """The budget also ends the time before the first rule, when nothing is known yet."""

    async def never() -> list[Any]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(CouldNotTellError, match=r"^no rule was examined within the budget of 200ms \(--budget\)"):
        checked(Consumer(Store(), None), lambda _: CallableProbe(never), budget=200)
