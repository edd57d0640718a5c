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

from harness import BRIEF, ROUNDS, Row, in_turns, ratios

from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import Driver
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.policy import DAY, DEFAULT_START, Policy


class OneByOne(Driver):
    """Makes every attempt by itself, as while a scenario waits for a condition."""

    @property
    def is_watched(self) -> bool:
        return True


ROWS: tuple[tuple[str, type[Driver], int, float], ...] = (
    ("three days, 1 x 100 events", Driver, 1, 1.0),
    ("three days, 100 x 100 events", Driver, 100, 1.0),
    ("the same, one by one, 1 x 100 events", OneByOne, 1, 40.0),
)
"""Name, driver, webhooks and aim."""
EVENTS = 100
MEGABYTES_MAX = 300


async def nobody(request: Request) -> Outcome:
    raise AssertionError("an outage touches no socket")


def outage(make_driver: type[Driver], webhooks: int) -> tuple[float, int]:
    """Seconds, and attempts made."""
    exporter = Exporter(policy=Policy(), seed=0, start=DEFAULT_START, versions={})
    payload = b'{"type":"open","mailId":"3IHQ2XT8-38PY7WFQ-XKNQSY","created":1735689600000}' + b" " * 200
    for client_id in range(1, webhooks + 1):
        webhook = exporter.create(client_id, EventType.OPEN, "http://consumer.test/")
        exporter.activate(client_id, webhook.id)
        payloads = tuple((DEFAULT_START, payload) for _ in range(EVENTS))
        exporter.accept_events(EventsDue(client_id=client_id, type=EventType.OPEN, payloads=payloads))
    exporter.declare_outage("refused", DEFAULT_START + 4 * DAY)
    began = time.process_time()
    asyncio.run(make_driver(exporter, nobody).drive(None))
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
    for what, make_driver, webhooks, aim in ROWS:
        attempts = [0]

        def ours(
            make_driver: type[Driver] = make_driver, webhooks: int = webhooks, made: list[int] = attempts
        ) -> float:
            seconds, made[0] = outage(make_driver, webhooks)
            return seconds

        def theirs(made: list[int] = attempts) -> float:
            return heap(made[0])

        taken, yardsticks = in_turns(ours, theirs, ROUNDS, BRIEF)
        yield Row(
            what=what,
            measured=f"{attempts[0]:,} attempts in {min(taken):.4f} s",
            yardstick=f"as many pushes and pops on a heap: {min(yardsticks):.4f} s",
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
