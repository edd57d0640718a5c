"""What three days without an endpoint cost: `python tests/benchmarks/outage.py`.

The yardstick, run beside each row, is the least that any virtual clock has to do: one push and one pop on a heap for
each attempt.
"""

from __future__ import annotations

import asyncio
import heapq
import resource
import sys
import time

from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import drive
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.policy import DAY, DEFAULT_START, Policy

ROWS = ((1, 100, 0.25), (100, 100, 20.0))
"""Webhooks, events pending on each, and the most seconds it may take."""
MEGABYTES_MAX = 300


async def nobody(request: Request) -> Outcome:
    raise AssertionError("an outage touches no socket")


def outage(webhooks: int, events: int) -> tuple[float, int]:
    """Seconds, and attempts made."""
    exporter = Exporter(policy=Policy(), seed=0, start=DEFAULT_START, versions={})
    payload = b'{"type":"open","mailId":"3IHQ2XT8-38PY7WFQ-XKNQSY","created":1735689600000}' + b" " * 200
    for client_id in range(webhooks):
        webhook = exporter.create(client_id, EventType.OPEN, "http://consumer.test/")
        exporter.activate(client_id, webhook.id)
        payloads = tuple((DEFAULT_START, payload) for _ in range(events))
        exporter.accept_events(EventsDue(client_id=client_id, type=EventType.OPEN, payloads=payloads))
    exporter.declare_outage("refused", DEFAULT_START + 4 * DAY)
    began = time.perf_counter()
    asyncio.run(drive(exporter, nobody, None))
    seconds = time.perf_counter() - began
    return seconds, sum(entry.count for entry in exporter.journal.entries if isinstance(entry, Attempted))


def heap(attempts: int) -> float:
    """Seconds for as many pushes and pops."""
    moments = list(range(100))
    began = time.perf_counter()
    for moment in range(attempts):
        heapq.heappush(moments, moment)
        heapq.heappop(moments)
    return time.perf_counter() - began


def main() -> None:
    print("three days of outage     attempts   seconds   bound   yardstick   ratio")
    for webhooks, events, bound in ROWS:
        seconds, attempts = outage(webhooks, events)
        yardstick = heap(attempts)
        verdict = "ok" if seconds <= bound else "OVER"
        print(
            f"{webhooks:>4} x {events} events {attempts:>16,} {seconds:>9.3f} {bound:>7} {yardstick:>11.3f} "
            f"{seconds / yardstick:>7.1f}  {verdict}"
        )
    unit = 1 if sys.platform == "darwin" else 1024
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    print(f"peak memory {megabytes:.0f} MB, bound {MEGABYTES_MAX}: {'ok' if megabytes <= MEGABYTES_MAX else 'OVER'}")


if __name__ == "__main__":
    main()
