"""What the whole compliance check costs a correct sample consumer: over loopback and in-process.

    python tests/benchmarks/check.py

The yardstick is as many ordinary lists as the check makes attempts, posted one after another to the same kind of
consumer: what is beyond it is the check's own, and the waiting of rules whose point is a slow answer.

The last row is what a captured event costs (`--like`): processor time of in-process checks of such clicks, in pairs
with checks of our own clicks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from foreign_shapes import INTEGRATOR
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication, EventType, Request
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.captured import captured_in
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport

CREDENTIALS = BasicAuthentication("acme", "se:c r€t")
LIMITS = {"loopback": 20, "in-process": 8}
"""Seconds that it should stay below on an idle machine of two cores."""
PAIRS = 5
LIKE_LIMIT = 1.10
"""Times the processor time of our own events that captured ones may take."""


@contextmanager
def consumer() -> Iterator[str]:
    """One in a process of its own, as a real one would be."""
    arguments = ["consumer", "--port", "0", "--basic-auth", f"{CREDENTIALS.user_name}:{CREDENTIALS.password}"]
    process = subprocess.Popen([sys.executable, "-m", "mockcampaign", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1].removesuffix("/hook")
    finally:
        process.terminate()
        process.wait()


async def checked(base: str, transport: Transport, shape: Shape | None = None) -> tuple[float, RunResult]:
    settings = Settings(seed=1, now=wallclock.now(), authentication=CREDENTIALS)
    if shape is not None:
        settings = msgspec.structs.replace(settings, shape=shape)
    source = UrlProbe(Probe(url=f"{base}/processed", events="@"), transport, timeout=settings.timeout)
    began = time.perf_counter()
    try:
        result = await check(f"{base}/hook", transport=transport, settings=settings, probe=source)
    finally:
        await transport.aclose()
    return time.perf_counter() - began, result


async def posted(base: str, transport: Transport, count: int) -> float:
    """Lists of five ordinary events."""
    [example] = builtin_shape(EventType.OPEN).examples
    events = [{**example, "recipientId": str(number)} for number in range(5)]
    headers = (("Content-Type", "application/json"), *CREDENTIALS.headers())
    began = time.perf_counter()
    try:
        for number in range(count):
            body = msgspec.json.encode([{**event, "mailId": str(number)} for event in events])
            request = Request(
                method="POST", url=f"{base}/hook", headers=headers, body=body, timeout=9_000, response_body_bytes_kept=0
            )
            assert (await transport.send(request)).accepted
    finally:
        await transport.aclose()
    return time.perf_counter() - began


def sent(result: RunResult) -> int:
    """Attempts that reached the consumer; those that an outage met did not."""
    return sum(
        entry.count
        for scenario in result.scenarios
        for entry in scenario.journal
        if type(entry).__name__ == "Attempted" and "refused" not in entry.faults and not entry.simulated  # type: ignore[union-attr]
    )


def report(where: str, took: float, yardstick: float, result: RunResult) -> None:
    count = sent(result)
    print(f"{where:<11} {took:5.1f} s for {len(result.rules)} rules and {count:,} lists, limit {LIMITS[where]} s")
    print(f"{'':<11} {yardstick:5.1f} s for as many ordinary lists: {took / yardstick:.1f} times that")
    print(f"{'':<11} {result.headline}")


def processor_time(shape: Shape) -> float:
    transport = AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))
    began = time.process_time()
    _, result = asyncio.run(checked("http://app", transport, shape))
    assert result.compliant, result.headline
    return time.process_time() - began


def report_like() -> None:
    ours, captured = builtin_shape(EventType.CLICK), captured_in(json.loads(INTEGRATOR)).shape()
    ratios = sorted(processor_time(captured) / processor_time(ours) for _ in range(PAIRS))
    median = ratios[PAIRS // 2]
    said = "ok" if median <= LIKE_LIMIT else "OVER"
    print(
        f"like        {median:.2f} times the processor time of our own clicks ({ratios[0]:.2f} to {ratios[-1]:.2f} in"
    )
    print(f"{'':<11} {PAIRS} pairs), {said} its bound of {LIKE_LIMIT:.2f}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with consumer() as base:
        took, result = asyncio.run(checked(base, WireTransport()))
    with consumer() as base:
        yardstick = asyncio.run(posted(base, WireTransport(), sent(result)))
    report("loopback", took, yardstick, result)

    def app() -> AsgiTransport:
        return AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))

    took, result = asyncio.run(checked("http://app", app()))
    report("in-process", took, asyncio.run(posted("http://app", app(), sent(result))), result)
    report_like()


if __name__ == "__main__":
    main()
