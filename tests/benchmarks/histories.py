"""How many random histories a second are played, in-process and over loopback, beside plain posts.

    python tests/benchmarks/histories.py

The yardstick is ordinary batches of one event to the same consumer, one after another. The ratio says how many posts
one history costs; the histories are those of seed 1.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
FLOORS = {"in-process": 500, "loopback": 60}
"""Histories a second that a quiet machine should reach."""

POSTS = 1_000
ROUNDS = 5


@contextmanager
def in_process() -> Iterator[tuple[str, Transport]]:
    yield "http://app", AsgiTransport(consumer_app())


@contextmanager
def loopback() -> Iterator[tuple[str, Transport]]:
    with serve_in_thread(consumer_app()) as url:
        yield url, WireTransport()


async def histories(url: str, transport: Transport, count: int) -> float:
    """Return how many histories were played in a second."""
    probe: StoreProbe = UrlProbe(Probe(url=f"{url}/processed", events="@"), transport, timeout=10_000)
    settings = Settings(now=wallclock.now(), seed=1, rules=("survives-random-histories",), histories=count)
    began = time.perf_counter()
    result = await check(f"{url}/hook", transport=transport, settings=settings, probe=probe)
    took = time.perf_counter() - began
    assert result.compliant, result.headline
    return count / took


async def posts(url: str, transport: Transport) -> float:
    """Return how many batches were posted in a second."""
    began = time.perf_counter()
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
    return POSTS / (time.perf_counter() - began)


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


def main() -> int:
    for name, floor in FLOORS.items():
        pairs = [measured(name) for _ in range(ROUNDS)]
        rate = statistics.median(pair[0] for pair in pairs)
        ratio = statistics.median(posted / played for played, posted in pairs)
        print(f"{name:<12}{rate:>8,.0f} histories/s (at least {floor}), each as long as {ratio:.1f} posts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
