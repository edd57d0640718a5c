"""What the whole compliance check of a correct sample consumer costs: over loopback and in-process.

The yardstick is 5,000 ordinary batches, posted one after another to a new consumer of the same kind, whatever the check
sends. Both are processor time of this process: the check waits where its point is a slow response. The numbers of
requests and bytes are exact, and say where more time comes from.

Two rows are the tenth check of a consumer that is never reset, beside the first, in-process: one with a probe that
selects, one whose responses have everything. What nine checks leave behind is that of one, nine times with other ids.

The last row is what a captured event costs (`--like`): in-process checks of such clicks, in pairs with checks of our
own clicks.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import msgspec
from harness import Row, in_turns, ratios, rounds_of

from foreign_shapes import INTEGRATOR
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication, EventType, Fault, Outcome, Request, Responded
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.captured import captured_in
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport

CREDENTIALS = BasicAuthentication("acme", "se:c r€t")
YARDSTICK = 5_000
"""Number of ordinary batches beside which the check is measured."""

BOUNDS = {"loopback": 8.0, "in-process": 6.5}
"""How many times the processor time of the yardstick the check should take at most."""

TENTH_BOUNDS = {"selecting probe": 1.2, "probe of everything": 2.0}
"""How many times the processor time of the first check of a consumer the tenth should take at most."""
PROBES = {"selecting probe": "/processed?mailing={mailingId}", "probe of everything": "/processed"}

LIKE_BOUND = 1.10
"""How many times the processor time of our own events captured ones should take at most."""

Place = Callable[[], AbstractContextManager[tuple[str, Transport]]]
"""Starts a new consumer, and gives its URL and a transport to it."""


class Counting:
    """A transport that counts what it carries."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.batches = self.batch_bytes = self.readings = self.reading_bytes = 0

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._inner.faults

    async def send(self, request: Request) -> Outcome:
        outcome = await self._inner.send(request)
        if request.method == "GET":
            self.readings += 1
            self.reading_bytes += outcome.body_bytes if isinstance(outcome, Responded) else 0
        else:
            self.batches += 1
            self.batch_bytes += len(request.body)
        return outcome

    async def aclose(self) -> None:
        await self._inner.aclose()


@contextmanager
def loopback() -> Iterator[tuple[str, Transport]]:
    """A consumer in a process of its own, as a real one would be."""
    arguments = ["consumer", "--port", "0", "--basic-auth", f"{CREDENTIALS.user_name}:{CREDENTIALS.password}"]
    process = subprocess.Popen([sys.executable, "-m", "mockcampaign", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1].removesuffix("/hook"), WireTransport()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def in_process() -> Iterator[tuple[str, Transport]]:
    """A consumer in this process, whose share of the processor time counts on both sides."""
    yield "http://app", AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))


async def checked(
    base: str, transport: Transport, seed: int, shape: Shape | None = None, probe: str = "/processed"
) -> tuple[float, RunResult]:
    settings = Settings(seed=seed, now=wallclock.now(), authentication=CREDENTIALS)
    if shape is not None:
        settings = msgspec.structs.replace(settings, shape=shape)
    source = UrlProbe(Probe(url=f"{base}{probe}", events="@"), transport, timeout=settings.timeout)
    began = time.process_time()
    try:
        result = await check(f"{base}/hook", transport=transport, settings=settings, probe=source)
    finally:
        await transport.aclose()
    return time.process_time() - began, result


async def posted(base: str, transport: Transport) -> float:
    """Post ordinary batches of five events, and return the processor time."""
    [example] = builtin_shape(EventType.OPEN).examples
    events = [{**example, "recipientId": str(number)} for number in range(5)]
    headers = (("Content-Type", "application/json"), *CREDENTIALS.headers())
    began = time.process_time()
    try:
        for number in range(YARDSTICK):
            body = msgspec.json.encode([{**event, "mailId": str(number)} for event in events])
            request = Request(
                method="POST", url=f"{base}/hook", headers=headers, body=body, timeout=9_000, response_body_bytes_kept=0
            )
            assert (await transport.send(request)).accepted
    finally:
        await transport.aclose()
    return time.process_time() - began


def whole(place: str, start: Place) -> Row:
    taken, yardsticks = [], []
    for seed in rounds_of(brief=2):
        with start() as (base, transport):
            counting = Counting(transport)
            took, result = asyncio.run(checked(base, counting, 1 + seed))
        assert result.compliant, result.headline
        with start() as (base, transport):
            yardsticks.append(asyncio.run(posted(base, transport)))
        taken.append(took)
    return Row(
        what=f"check, {place}",
        measured=(
            f"{min(taken):.1f} s of processor for {len(result.rules)} rules, {counting.batches:,} requests of "
            f"{counting.batch_bytes / 1e6:.0f} MB, {counting.readings} readings of "
            f"{counting.reading_bytes / 1e6:.0f} MB"
        ),
        yardstick=f"{YARDSTICK:,} batches: {min(yardsticks):.2f} s",
        ratios=ratios(taken, yardsticks),
        at_most=BOUNDS[place],
    )


def tenth(name: str) -> Row:
    """The tenth check of a consumer, beside the first."""
    first: list[float] = []
    tenths: list[float] = []
    for seed in rounds_of(brief=1):
        stores = Store(), Store()
        for store, taken, own in zip(stores, (first, tenths), (1, 101), strict=True):
            transport = AsgiTransport(application(Consumer(store, CREDENTIALS)))
            took, result = asyncio.run(checked("http://app", transport, own + seed, probe=PROBES[name]))
            assert result.compliant, result.headline
            taken.append(took)
            if store is stores[0]:
                left_behind(store.events(), stores[1])
    return Row(
        what=f"tenth check, {name}",
        measured=f"{min(tenths):.1f} s of processor, with {len(stores[1]):,} events in the end",
        yardstick=f"the first: {min(first):.1f} s",
        ratios=ratios(tenths, first),
        at_most=TENTH_BOUNDS[name],
        room=1.5,
    )


def left_behind(events: list[dict[str, Any]], store: Store) -> None:
    """Store what nine checks leave behind."""
    for number in range(1, 10):
        copies = [
            {
                name: value + number if name == "mailingId" and type(value) is int else value
                for name, value in one.items()
            }
            for one in events
        ]
        store.add({(b"%d" % number, index): copy for index, copy in enumerate(copies)})


def processor_time(shape: Shape) -> float:
    with in_process() as (base, transport):
        took, result = asyncio.run(checked(base, transport, 1, shape))
    assert result.compliant, result.headline
    return took


def like() -> Row:
    ours, captured = builtin_shape(EventType.CLICK), captured_in(json.loads(INTEGRATOR)).shape()
    taken, own = in_turns(lambda: processor_time(captured), lambda: processor_time(ours), brief=1)
    return Row(
        what="check of captured clicks",
        measured=f"{min(taken):.1f} s of processor",
        yardstick=f"our own clicks: {min(own):.1f} s",
        ratios=ratios(taken, own),
        at_most=LIKE_BOUND,
        room=1.5,
    )


def measure() -> Iterator[Row]:
    yield whole("loopback", loopback)
    yield whole("in-process", in_process)
    for name in PROBES:
        yield tenth(name)
    yield like()
