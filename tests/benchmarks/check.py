"""What the whole compliance check costs a correct sample consumer: over loopback and in-process.

    python tests/benchmarks/check.py

The yardstick is as many ordinary lists as the check makes attempts, posted one after another to the same kind of
consumer: what is beyond it is the check's own, and the waiting of rules whose point is a slow answer.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication, EventType, Request
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport

CREDENTIALS = BasicAuthentication("acme", "se:c r€t")
LIMITS = {"loopback": 20, "in-process": 8}
"""Seconds that it should stay below on an idle machine of two cores."""


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


async def checked(base: str, transport: Transport) -> tuple[float, RunResult]:
    settings = Settings(seed=1, now=wallclock.now(), authentication=CREDENTIALS)
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


if __name__ == "__main__":
    main()
