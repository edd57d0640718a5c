"""Consumers that acknowledge batches beyond some size, and do not store them."""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import Any

import msgspec
import pytest

from judged import settings
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.context import RuleSlot, check_context
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.rules.batch import _longest_events, _of_size
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import EventType, NoAuthentication
from mockcampaign.policy import SECOND
from mockcampaign.samples.bugs.batch import IndexesTexts, SkipsEventsOfLongRecipientIds, TruncatesBodyAt64KiB
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.transport.inprocess import AsgiTransport

EVENTS = Probe(url="http://consumer.test/processed", events="@")
COUNT = Probe(url="http://consumer.test/processed", count="length(@)")


def found(consumer: type[Consumer], rule: str, probe: Probe = EVENTS, **changes: Any) -> Finding:
    chosen = settings(1, rules=(rule,), authentication=NoAuthentication(), **changes)

    async def run() -> RunResult:
        transport = AsgiTransport(application(consumer(Store(), None)))
        source = UrlProbe(probe, transport, timeout=SECOND)
        return await check("http://consumer.test/hook", transport=transport, settings=chosen, probe=source)

    [finding] = asyncio.run(run()).rules
    return finding


@pytest.mark.parametrize("probe", [EVENTS, COUNT])
def test_an_acknowledged_batch_that_is_not_stored_is_reduced_to_the_size_from_which_on_it_is_lost(
    probe: Probe,
) -> None:
    finding = found(TruncatesBodyAt64KiB, "accepts-largest-batch", probe)
    assert finding.outcome == "fail"
    said = re.search(
        r"100 events are missing from the store.*; "
        r"the smallest batch it does not store has (\d+) events and ([\d,]+) bytes$",
        finding.actual,
    )
    assert said, finding.actual
    count, size = int(said[1]), int(said[2].replace(",", ""))
    assert TruncatesBodyAt64KiB.bytes_max < size <= TruncatesBodyAt64KiB.bytes_max + 4 * count


class LosesLongBatches(Consumer):
    """Loses batches of more than 40,000 bytes, long before the longest ones."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        return events if len(body) <= 40_000 else []


@pytest.mark.parametrize("probe", [EVENTS, COUNT])
def test_a_batch_of_long_but_ordinary_events_is_looked_for_in_the_store(probe: Probe) -> None:
    finding = found(LosesLongBatches, "accepts-large-batch", probe)
    assert finding.outcome == "fail"
    assert "100 events are missing from the store" in finding.actual


def test_texts_that_compression_hardly_shortens_are_too_long_for_an_index() -> None:
    finding = found(IndexesTexts, "accepts-largest-batch")
    assert finding.outcome == "fail"
    assert re.search(r"; the smallest batch it rejects has 1 event and [\d,]+ bytes$", finding.actual), finding.actual


def test_the_field_whose_length_alone_is_the_reason_is_named() -> None:
    finding = found(SkipsEventsOfLongRecipientIds, "accepts-largest-batch")
    assert finding.outcome == "fail"
    assert finding.actual.endswith(", because of its recipientId of 201 characters")


class RejectsExactly(Consumer):
    size = 0

    def parse(self, body: bytes) -> list[Event]:
        if len(body) == self.size:
            raise ValueError("a full buffer")
        return super().parse(body)


@pytest.mark.parametrize("size", [2**16 - 1, 2**16])
def test_bodies_of_exactly_64_kib_are_sent(size: int) -> None:
    finding = found(type("Rejects", (RejectsExactly,), {"size": size}), "accepts-largest-batch")
    assert finding.outcome == "fail"
    assert finding.actual.endswith(f"events and {size:,} bytes")


class LosesUnknownDevices(Consumer):
    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if self.shapes.get(event, Role.DEVICE) != "wearable"])


@pytest.mark.parametrize("probe", [EVENTS, COUNT])
def test_an_edge_case_is_looked_for_in_the_store_by_either_kind_of_probe(probe: Probe) -> None:
    finding = found(LosesUnknownDevices, "accepts-unknown-values", probe)
    assert finding.outcome == "fail"
    assert "1 event is missing from the store" in finding.actual
    assert 'device "wearable"' in finding.actual


def bench(event_type: EventType) -> Bench:
    transport = AsgiTransport(application(Consumer(Store(), None)))
    chosen = settings(1, shape=builtin_shape(event_type))
    context = check_context("http://consumer.test/hook", transport=transport, settings=chosen)
    return Bench(context, RuleSlot(rule_id="accepts-largest-batch", start=chosen.now, number=1))


@pytest.mark.parametrize("event_type", EventType)
@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**17, 2**20])
def test_a_body_of_a_size_has_exactly_that_size_or_no_batch_is_as_large(event_type: EventType, size: int) -> None:
    of_clicks = bench(event_type)
    events = _of_size(of_clicks, size)
    if events is None:
        assert len(of_clicks.body_of(_longest_events(of_clicks, 100))) < size
    else:
        assert len(of_clicks.body_of(events)) == size
        assert len(events) <= 100


def test_the_longest_texts_cannot_be_compressed_below_the_limits_of_indexes() -> None:
    [event] = _longest_events(bench(EventType.CLICK), 1)
    assert len(zlib.compress(msgspec.json.encode(event))) > 2_000
