"""How many random histories a second are played, in-process and over loopback, beside plain posts.

The yardstick is ordinary batches of one event to the same consumer, one after another. The ratio says how many posts
one history costs; the histories are those of seed 1. A second is one of processor time, which a busy machine stretches
less: consumer and check share a process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness import Row, ratios, rounds_of

from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import StoreProbe, UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.model import Request
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport

HISTORIES = {"in-process": 1_000, "loopback": 300}
POSTS_MAX = {"in-process": 25.0, "loopback": 25.0}
"""How many posts' time a history should take at most: some 500 a second in-process on a quiet machine."""

POSTS = 1_000


@contextmanager
def in_process() -> Iterator[tuple[str, Transport]]:
    yield "http://app", AsgiTransport(consumer_app())


@contextmanager
def loopback() -> Iterator[tuple[str, Transport]]:
    with serve_in_thread(consumer_app()) as url:
        yield url, WireTransport()


async def histories(url: str, transport: Transport, count: int) -> float:
    """Return how many histories were played in a second of processor time."""
    probe: StoreProbe = UrlProbe(Probe(url=f"{url}/processed", events="@"), transport, timeout=10_000)
    settings = Settings(now=wallclock.now(), seed=1, rules=("survives-random-histories",), histories=count)
    began = time.process_time()
    result = await check(f"{url}/hook", transport=transport, settings=settings, probe=probe)
    took = time.process_time() - began
    assert result.compliant, result.headline
    return count / took


async def posts(url: str, transport: Transport) -> float:
    """Return how many batches were posted in a second of processor time."""
    began = time.process_time()
    for number in range(POSTS):
        outcome = await transport.send(
            Request(
                method="POST",
                url=f"{url}/hook",
                headers=(("content-type", "application/json"),),
                body=b'[{"mailId": "%d"}]' % number,
                timeout=10_000,
                response_body_bytes_kept=100,
            )
        )
        assert outcome.accepted, outcome
    return POSTS / (time.process_time() - began)


def measured(name: str) -> tuple[float, float]:
    """Return histories and posts a second, one after the other, each with a new consumer."""
    place = {"in-process": in_process, "loopback": loopback}[name]

    async def run(url: str, transport: Transport, is_history: bool) -> float:
        try:
            return await (histories(url, transport, HISTORIES[name]) if is_history else posts(url, transport))
        finally:
            await transport.aclose()

    found = []
    for is_history in (True, False):
        with place() as (url, transport):
            found.append(asyncio.run(run(url, transport, is_history)))
    return found[0], found[1]


def measure() -> Iterator[Row]:
    for name, aim in POSTS_MAX.items():
        pairs = [measured(name) for _ in rounds_of()]
        played, posted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        yield Row(
            what=f"random histories, {name}",
            measured=f"{max(played):,.0f} histories/s",
            yardstick=f"{max(posted):,.0f} posts/s",
            ratios=ratios(posted, played),
            at_most=aim,
        )
