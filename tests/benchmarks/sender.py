"""What one delivered list costs the sender, part by part, in microseconds of its own processor time.

The lists are those of `deliveries`: no two are the same. `nginx` receives them. The first three rows each say what is
added to the row before; the others are measured without sockets. The last row compares the whole with the sum of its
parts: what is left is what they do to each other, such as the cache lines that a body of 31 KB takes from all else.
"""

from __future__ import annotations

import asyncio
import select
import shutil
import socket
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

from deliveries import WEBHOOKS, Prepared, campaign_of, event_loop, free_port, nginx_command, prepared, running
from harness import Row, Skipped, rounds_of

from mockcampaign.engine.loop import drive
from mockcampaign.model import Outcome, Request, Responded, encode_batch
from mockcampaign.transport.address import encode_head
from mockcampaign.transport.wire import WireTransport

LISTS_EACH, ROUNDS = 250, 5
LISTS = WEBHOOKS * LISTS_EACH

Written = deque[tuple[bytes, bytes]]
"""Head and body of each request."""


def requests_of(url: str, events: Prepared) -> list[Request]:
    """All lists as requests, in the order in which a campaign sends them."""
    campaign = campaign_of(url, events)
    webhooks = campaign.webhooks.all()
    pending = [campaign.pending(webhook) for webhook in webhooks]
    return [
        campaign.request(webhooks[0], tuple(events[at : at + 100]))
        for at in range(0, LISTS_EACH * 100, 100)
        for events in pending
    ]


def written(requests: list[Request]) -> Written:
    """The same as bytes."""
    heads = (encode_head(one.method, one.url, one.headers)[1] for one in requests)
    return deque((b"%b%d\r\n\r\n" % (head, len(one.body)), one.body) for head, one in zip(heads, requests, strict=True))


class Stopwatch:
    """Measures microseconds of processor time for each list."""

    def __init__(self) -> None:
        self._began = time.process_time()

    def stop(self) -> float:
        return (time.process_time() - self._began) / LISTS * 1e6


def by_system_calls(port: int, requests: Written) -> float:
    """One write, one read and a share of one poll for each list, and no event loop."""
    poll = select.epoll()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(WEBHOOKS)]
    by_number = {one.fileno(): one for one in sockets}
    for one in sockets:
        poll.register(one.fileno(), select.EPOLLIN)
    watch, under_way = Stopwatch(), 0
    for one in sockets:
        one.sendmsg(requests.popleft())
        under_way += 1
    while under_way:
        for number, _ in poll.poll():
            one = by_number[number]
            one.recv(65_536)
            under_way -= 1
            if requests:
                one.sendmsg(requests.popleft())
                under_way += 1
    took = watch.stop()
    for one in sockets:
        one.close()
    poll.close()
    return took


class Writer(asyncio.Protocol):
    """Writes the next request whenever a response arrives, whatever it says."""

    def __init__(self, requests: Written) -> None:
        self._requests = requests
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        if self._requests:
            self.transport.writelines(self._requests.popleft())
        elif not self.over.done():
            self.over.set_result(None)


async def by_event_loop(port: int, requests: Written) -> float:
    """The same by an event loop."""
    loop = asyncio.get_running_loop()
    writers = [(await loop.create_connection(lambda: Writer(requests), "127.0.0.1", port))[1] for _ in range(WEBHOOKS)]
    watch = Stopwatch()
    for writer in writers:
        writer.data_received(b"")
    await asyncio.gather(*(writer.over for writer in writers))
    took = watch.stop()
    for writer in writers:
        writer.transport.abort()
    return took


async def by_transport(requests: list[Request]) -> float:
    """The same by the transport: with a time-out, a parsed response and an outcome."""
    transport, left = WireTransport(), iter(requests)
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    idle = 0

    def send(_: object = None) -> None:
        nonlocal idle
        request = next(left, None)
        if request is not None:
            asyncio.ensure_future(transport.send(request)).add_done_callback(send)
            return
        idle += 1
        if idle == WEBHOOKS:
            over.set_result(None)

    # Connections are made before time is taken.
    await asyncio.gather(*(transport.send(requests[0]) for _ in range(WEBHOOKS)))
    watch = Stopwatch()
    for _ in range(WEBHOOKS):
        send()
    await over
    took = watch.stop()
    await transport.aclose()
    return took


async def by_campaign(url: str, events: Prepared) -> float:
    """All of it."""
    campaign = campaign_of(url, events)
    watch = Stopwatch()
    await campaign.run()
    took = watch.stop()
    await campaign.aclose()
    return took


def join(url: str, events: Prepared) -> float:
    """The body of each list."""
    campaign = campaign_of(url, events)
    chunks = [one._backlog._chunks for one in campaign._exporter._outboxes.values()]
    batches = [batch for together in zip(*chunks, strict=True) for batch in together]
    watch = Stopwatch()
    for batch in batches:
        encode_batch(batch)
    return watch.stop()


async def machine(url: str, events: Prepared, *, journal: bool) -> float:
    """Everything but bodies and sockets: every request is accepted at once."""
    campaign = campaign_of(url, events)
    exporter = campaign._exporter
    exporter.requests._bodies.of = lambda events: b""  # type: ignore[method-assign]
    if not journal:
        exporter.journal.add_attempt = lambda *attempt: None  # type: ignore[method-assign]
    accepted = Responded(200, (), b"ok", 2)
    loop = asyncio.get_running_loop()

    def send(request: Request) -> asyncio.Future[Outcome]:
        outcome: asyncio.Future[Outcome] = loop.create_future()
        outcome.set_result(accepted)
        return outcome

    watch = Stopwatch()
    await drive(exporter, send, None)
    return watch.stop()


PARTS = (
    ("system calls", "write, read and poll by hand"),
    ("event loop", "what uvloop adds to them"),
    ("connection", "what a time-out, the response's parser and an outcome add"),
    ("join", "100 events to a body of 31 KB"),
    ("machine", "which list is due, its request, where its outcome leads"),
    ("journal", "the entry of the attempt"),
)


def rounds(port: int, events: Prepared) -> Iterator[tuple[tuple[float, ...], float]]:
    """Measure all parts and the whole, in turns."""
    url = f"http://127.0.0.1:{port}/"
    requests = requests_of(url, events)

    def in_loop(work: Callable[[], Coroutine[Any, Any, float]]) -> float:
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            return runner.run(work())

    for _ in rounds_of(ROUNDS):
        calls = by_system_calls(port, written(requests))
        loop = in_loop(lambda: by_event_loop(port, written(requests)))
        transport = in_loop(lambda: by_transport(requests))
        silent = in_loop(lambda: machine(url, events, journal=False))
        noted = in_loop(lambda: machine(url, events, journal=True))
        parts = (calls, loop - calls, transport - loop, join(url, events), silent, noted - silent)
        yield parts, in_loop(lambda: by_campaign(url, events))


def measure() -> Iterator[Row | Skipped]:
    if shutil.which("nginx") is None:
        yield Skipped("parts of a delivery", "nginx not installed")
        return
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        with running(nginx_command(port, folder), port, folder):
            measured = list(rounds(port, prepared(LISTS_EACH)))
    wholes = [whole for _, whole in measured]
    for number, (name, what) in enumerate(PARTS):
        part = [parts[number] for parts, _ in measured]
        yield Row(
            what=name,
            measured=f"{statistics.median(part):.1f} us for each list: {what}",
            yardstick=f"the whole: {statistics.median(wholes):.1f} us",
            ratios=tuple(one / whole for one, whole in zip(part, wholes, strict=True)),
        )
    sums = [sum(parts) for parts, _ in measured]
    yield Row(
        what="the whole",
        measured=f"{statistics.median(wholes):.1f} us for each list",
        yardstick=f"all parts: {statistics.median(sums):.1f} us",
        ratios=tuple(whole / parts for whole, parts in zip(wholes, sums, strict=True)),
        at_most=1.3,
    )
