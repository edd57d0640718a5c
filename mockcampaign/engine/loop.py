"""The exporter's loop: the only part of the engine that waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mockcampaign.engine.exporter import Exporter
from mockcampaign.model import Outcome, Request

if TYPE_CHECKING:
    from mockcampaign.engine.outbox import Attempt

MOMENTS_BETWEEN_YIELDS = 500
"""How many due moments without input or output may pass before other tasks get their turn."""


async def drive(exporter: Exporter, send: Callable[[Request], Awaitable[Outcome]], until: int | None) -> None:
    """Do everything due up to and including the moment `until`; None: until the exporter is idle.

    Virtual time stands still while requests are out. All that is due at one moment is sent at once, and the outcomes
    take effect in the order in which the attempts began, however the answers came in: a run is the same everywhere.
    """
    moments = 0
    while (until is not None or not exporter.idle) and exporter.move(until):
        under_way: deque[tuple[Attempt, asyncio.Future[Outcome]]] = deque()
        _start(exporter, send, under_way)
        if under_way:
            await _conclude(exporter, send, under_way)
        else:
            moments += 1
            if moments % MOMENTS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)


def _start(
    exporter: Exporter,
    send: Callable[[Request], Awaitable[Outcome]],
    under_way: deque[tuple[Attempt, asyncio.Future[Outcome]]],
) -> None:
    for attempt in exporter.start_due():
        foreseen = exporter.foreseen(attempt)
        if foreseen is None:
            under_way.append((attempt, asyncio.ensure_future(send(exporter.request(attempt)))))
        else:
            exporter.finish(attempt, foreseen)


async def _conclude(
    exporter: Exporter,
    send: Callable[[Request], Awaitable[Outcome]],
    under_way: deque[tuple[Attempt, asyncio.Future[Outcome]]],
) -> None:
    """First in, first out. What an outcome makes due at this same moment begins at once, while others are under way."""
    try:
        while under_way:
            attempt, outcome = under_way.popleft()
            exporter.finish(attempt, await outcome)
            if exporter.move(exporter.clock.now):
                _start(exporter, send, under_way)
    finally:
        for _, outcome in under_way:
            outcome.cancel()
