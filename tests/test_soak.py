"""A long run with all faults at random, to a consumer in a process of its own: no event is lost, faults
explain all duplicates, and neither memory nor descriptors grow.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import requests

from consumers.started import SOAKED, started_by
from endpoints import Run, leaving_nothing
from explained import arrived
from mockcampaign.campaign import Campaign
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import Attempted, Entry, Journal, SerialRanges, serials_in
from mockcampaign.faults import (
    LOST,
    Chunked,
    ConnectTimeout,
    ContentType,
    CutBody,
    Duplicate,
    ExpectContinue,
    HeaderCase,
    Http10,
    IdleConnection,
    Latency,
    LostAck,
    NewConnection,
    Overlap,
    Refill,
    Refused,
    Reorder,
    SplitHeaders,
    StallBody,
    Timeout,
    TrickleBody,
)
from mockcampaign.model import EventType, Fault
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.transport.wire import WireTransport

DELIVERIES = 200_000
"""Requests that go out, retries and duplicates included."""
WEBHOOKS, LIST_MAX = 8, 3
BURSTS = (2, 298, 300)
"""Numbers of events that occur at once, five seconds apart. A failed batch of two has room for the next burst."""
EVENTS_MAX = 100_000
"""Room for the serials of all events."""
BYTES_GROWN_MAX = 24 * 1024 * 1024
"""Most that the process may grow from the first quarter of the run to its end."""

FAULTS: dict[Fault, float] = {
    Refused(): 0.01,
    ConnectTimeout(): 0.005,
    CutBody(): 0.005,
    CutBody(ending="rst", at_fraction=0.9): 0.005,
    StallBody(pause=0): 0.01,
    TrickleBody(piece_bytes=16, pause=0): 0.01,
    SplitHeaders(piece_bytes=60, pause=0): 0.01,
    Chunked(chunk_bytes=9): 0.02,
    ExpectContinue(): 0.01,
    Http10(): 0.005,
    NewConnection(): 0.005,
    IdleConnection(idle=0): 0.01,
    HeaderCase(case="upper"): 0.02,
    ContentType(): 0.02,
    LostAck(): 0.005,
    LostAck(dropped="after-status"): 0.005,
    LostAck(dropped="before-response"): 0.005,
    Duplicate(): 0.01,
    Duplicate(timing="later", delay=2_000): 0.01,
    Duplicate(timing="concurrent"): 0.01,
    Reorder(): 0.02,
    Refill(): 0.5,
    Overlap(events=2): 0.02,
    Latency(time=300, distribution="exponential"): 0.02,
    Timeout(): 0.005,
}
"""And how likely each hits an attempt."""


class Account:
    """Follows a bounded journal, and counts which events the consumer must and may have received, in little memory.

    It has a byte for each event of each webhook, so that only the sender's memory can grow in this process.
    """

    def __init__(self) -> None:
        self.must, self.may, self.delivered = (bytearray(WEBHOOKS * EVENTS_MAX) for _ in range(3))
        self.requests = 0
        self.hit: Counter[str] = Counter()

    def __call__(self, _: int, entry: Entry) -> None:
        if not isinstance(entry, Attempted):
            return
        # An application that sees the connection end before it has read the batch does not accept it.
        whole = None if entry.outcome == LOST["before-response"] else arrived(entry)
        if whole is not False:
            self._count(
                self.may if whole is None else self.must, entry.webhook_id, (*entry.serials, *entry.redelivered)
            )
        if entry.outcome.accepted:
            self._count(self.delivered, entry.webhook_id, entry.serials)
        self.requests += entry.outcome.measured is not msgspec.UNSET
        self.hit.update(entry.faults)

    def _count(self, counts: bytearray, webhook_id: int, serials: SerialRanges) -> None:
        for serial in serials_in(serials):
            counts[index(webhook_id, serial)] += 1


def index(webhook_id: int, serial: int) -> int:
    return (webhook_id - 1) * EVENTS_MAX + serial


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


async def soak(deliveries: int, url: str) -> tuple[Account, int]:
    """The account of all that was sent, and the last event's serial."""
    account, journal = Account(), Journal(entries_max=1_000, events_max=10_000)
    journal.follow(account)
    policy = Policy(batch_events_max=LIST_MAX, webhooks_per_client_max=WEBHOOKS)
    campaign = Campaign(WireTransport(), seed=7, policy=policy, journal=journal)
    for number in range(1, WEBHOOKS + 1):
        campaign.activate(campaign.create(EventType.OPEN, f"{url}/hook/{number}"))
    for fault, probability in FAULTS.items():
        campaign.fault(fault, probability=probability)
    serial, early, descriptors = 0, None, len(os.listdir("/proc/self/fd"))
    while account.requests < deliveries:
        for count in BURSTS:
            numbers = range(serial + 1, serial + 1 + count)
            serial = numbers[-1]
            payloads = tuple((campaign.now, b'{"n":%d}' % number) for number in numbers)
            campaign.put(
                [(campaign.now, EventsDue(client_id=DEFAULT_CLIENT_ID, type=EventType.OPEN, payloads=payloads))]
            )
            await campaign.advance(5_000)
        await campaign.run()
        # One connection for each webhook, and a second one if its batch is delivered twice at once.
        assert len(os.listdir("/proc/self/fd")) - descriptors <= 2 * WEBHOOKS
        if early is None and account.requests > deliveries / 4:
            early = resident_bytes()
    assert early is not None
    assert resident_bytes() - early < BYTES_GROWN_MAX
    await campaign.aclose()
    return account, serial


def received(url: str) -> bytearray:
    """How often the consumer received each event, by its own count."""
    with requests.get(f"{url}/processed", timeout=60) as answer:
        rows = msgspec.json.decode(answer.content, type=list[tuple[int, int, int]])
    times = bytearray(WEBHOOKS * EVENTS_MAX)
    for webhook_id, serial, count in rows:
        times[index(webhook_id, serial)] = count
    return times


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_two_hundred_thousand_deliveries_with_faults_at_random(
    run: Run, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    deliveries = DELIVERIES if "uvloop" in request.node.name else DELIVERIES // 10

    with started_by(SOAKED, tmp_path / "received") as consumer:

        async def main() -> None:
            async with leaving_nothing():
                account, last = await soak(deliveries, consumer.url)
            assert account.requests >= deliveries
            assert set(account.hit) == {fault.kind for fault in FAULTS}
            happened = b"\0" + b"\1" * last + b"\0" * (EVENTS_MAX - last - 1)
            assert account.delivered == happened * WEBHOOKS
            times = received(consumer.url)
            wrong = [
                divmod(place, EVENTS_MAX)
                for place, (must, may, came) in enumerate(zip(account.must, account.may, times, strict=True))
                if not must <= came <= must + may
            ]
            assert wrong == []

        run(main())
