"""What three days without an endpoint cost.

The yardstick, run beside each row, is the least that any virtual clock has to do: one push and one pop on a heap for
each attempt.
"""

from __future__ import annotations

import asyncio
import heapq
import resource
import sys
import time
from collections.abc import Iterator

from harness import BRIEF, ROUNDS, Row, in_turns, is_brief, ratios

from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import drive
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.policy import DAY, DEFAULT_START, Policy

ROWS = ((1, 100, 40.0, ROUNDS), (100, 100, 40.0, 1))
"""Webhooks, events of each, aim and rounds: the large one takes long, and its ratio hardly varies."""
"""Webhooks, events pending on each, and the most seconds it may take."""
MEGABYTES_MAX = 300


async def nobody(request: Request) -> Outcome:
    raise AssertionError("an outage touches no socket")


def outage(webhooks: int, events: int) -> tuple[float, int]:
    """Seconds, and attempts made."""
    exporter = Exporter(policy=Policy(), seed=0, start=DEFAULT_START, versions={})
    payload = b'{"type":"open","mailId":"3IHQ2XT8-38PY7WFQ-XKNQSY","created":1735689600000}' + b" " * 200
    for client_id in range(1, webhooks + 1):
        webhook = exporter.create(client_id, EventType.OPEN, "http://consumer.test/")
        exporter.activate(client_id, webhook.id)
        payloads = tuple((DEFAULT_START, payload) for _ in range(events))
        exporter.accept_events(EventsDue(client_id=client_id, type=EventType.OPEN, payloads=payloads))
    exporter.declare_outage("refused", DEFAULT_START + 4 * DAY)
    began = time.process_time()
    asyncio.run(drive(exporter, nobody, None))
    seconds = time.process_time() - began
    return seconds, sum(entry.count for entry in exporter.journal.entries if isinstance(entry, Attempted))


def heap(attempts: int) -> float:
    """Seconds for as many pushes and pops."""
    moments = list(range(100))
    began = time.process_time()
    for moment in range(attempts):
        heapq.heappush(moments, moment)
        heapq.heappop(moments)
    return time.process_time() - began


def measure() -> Iterator[Row]:
    for webhooks, events, aim, rounds in ROWS[: 1 if is_brief() else None]:
        attempts = [0]

        def ours(webhooks: int = webhooks, events: int = events, attempts: list[int] = attempts) -> float:
            seconds, attempts[0] = outage(webhooks, events)
            return seconds

        def theirs(attempts: list[int] = attempts) -> float:
            return heap(attempts[0])

        taken, yardsticks = in_turns(ours, theirs, rounds, min(rounds, BRIEF))
        yield Row(
            what=f"three days, {webhooks} x {events} events",
            measured=f"{attempts[0]:,} attempts in {min(taken):.3f} s",
            yardstick=f"as many pushes and pops on a heap: {min(yardsticks):.3f} s",
            ratios=ratios(taken, yardsticks),
            at_most=aim,
        )
    unit = 1 if sys.platform == "darwin" else 1024
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    yield Row(
        what="memory of the process",
        measured=f"{megabytes:.0f} MB at most",
        yardstick=f"{MEGABYTES_MAX} MB",
        ratios=(megabytes / MEGABYTES_MAX,),
        at_most=1.0,
    )
