"""A long run with all faults at random, over sockets: nothing is lost, nothing comes twice that no fault explains, and
memory stays flat.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path
from typing import Any

import httptools
import msgspec
import pytest
from explained import received_lists

from endpoints import OK, Run, leaving_nothing
from mockcampaign.campaign import Campaign
from mockcampaign.engine.exporter import Happening
from mockcampaign.engine.journal import Attempted, Journal
from mockcampaign.model import EventType, Fault
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.transport.faults import (
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
from mockcampaign.transport.wire import WireTransport

DELIVERIES = 200_000
WEBHOOKS, LIST_MAX = 8, 3
BURSTS = (2, 298, 300)
"""How many events come at once, five seconds apart. A list of two that fails has room when the next burst comes."""
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
    LostAck(dropped="before-answer"): 0.005,
    Duplicate(): 0.01,
    Duplicate(again="later", delay=2_000): 0.01,
    Duplicate(again="concurrent"): 0.01,
    Reorder(): 0.02,
    Refill(): 0.5,
    Overlap(events=2): 0.02,
    Latency(time=300, distribution="exponential"): 0.02,
    Timeout(): 0.005,
}
"""And how likely each hits an attempt."""


class Consumer(asyncio.Protocol):
    """Reads requests as a server does, counts the events of each that came as a whole, and refuses one in fifty."""

    received: Counter[int]
    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        Consumer.received.update(msgspec.json.decode(body))
        Consumer.requests += 1
        refused = Consumer.requests % 50 == 0
        self._transport.write(OK.replace(b"200 OK", b"503 No") if refused else OK)
        if not self._parser.should_keep_alive():
            self._transport.close()


class Account:
    """Listens to a journal that forgets, and holds what the consumer must have received since it was last settled."""

    def __init__(self) -> None:
        self.must: Counter[int] = Counter()
        self.delivered: list[tuple[int, int]] = []
        self.attempts = 0
        self.hit: Counter[str] = Counter()

    def __call__(self, _: int, entry: Any) -> None:
        if isinstance(entry, Attempted):
            once = msgspec.structs.replace(entry, count=1)
            must, may = received_lists([once])
            assert not may, entry
            self.must.update(must)
            self.attempts += 1
            self.hit.update(entry.faults)
            if entry.outcome.accepted:
                for first, last in entry.serials:
                    self.delivered += [(entry.webhook_id, serial) for serial in range(first, last + 1)]


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


async def soak(deliveries: int) -> Account:
    Consumer.received, Consumer.requests = Counter(), 0
    account, journal = Account(), Journal(entries_max=1_000, events_max=10_000)
    journal.listener = account
    server = await asyncio.get_running_loop().create_server(Consumer, "127.0.0.1", 0)
    transport = WireTransport()
    policy = Policy(batch_events_max=LIST_MAX, webhooks_per_client_max=WEBHOOKS)
    campaign = Campaign(transport, seed=7, policy=policy, journal=journal)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    webhooks = [campaign.activate(campaign.create(EventType.OPEN, url)) for _ in range(WEBHOOKS)]
    for fault, probability in FAULTS.items():
        campaign.fault(fault, probability=probability)
    serial, early = 0, None
    while account.attempts < deliveries:
        first = serial + 1
        for count in BURSTS:
            numbers = range(serial + 1, serial + 1 + count)
            serial = numbers[-1]
            payloads = tuple((campaign.now, b"%d" % number) for number in numbers)
            campaign.exporter.happen(Happening(client_id=DEFAULT_CLIENT_ID, type=EventType.OPEN, payloads=payloads))
            await campaign.advance(5_000)
        await campaign.run()
        await settled(account)
        expected = sorted((webhook.id, number) for webhook in webhooks for number in range(first, serial + 1))
        assert sorted(account.delivered) == expected
        account.must.clear()
        account.delivered.clear()
        Consumer.received.clear()
        if early is None and account.attempts > deliveries / 4:
            early = resident_bytes()
    assert early is not None
    assert resident_bytes() - early < BYTES_GROWN_MAX
    await campaign.aclose()
    server.close()
    await server.wait_closed()
    return account


async def settled(account: Account) -> None:
    """The consumer has read all that was on its way, and that is exactly what the journal says."""
    for _ in range(1_000):
        if Consumer.received.total() >= account.must.total():
            break
        await asyncio.sleep(0.001)
    assert Consumer.received == account.must


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_two_hundred_thousand_deliveries_with_faults_at_random(run: Run, request: pytest.FixtureRequest) -> None:
    deliveries = DELIVERIES if "uvloop" in request.node.name else DELIVERIES // 10

    async def main() -> None:
        async with leaving_nothing():
            account = await soak(deliveries)
        assert account.attempts >= deliveries
        assert set(account.hit) == {fault.kind for fault in FAULTS}

    run(main())
