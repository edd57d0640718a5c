"""The loop that drives an exporter: the only part of the engine that waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.outbox import Attempt
from mockcampaign.model import Outcome, Request

MOMENTS_BETWEEN_YIELDS = 500
"""Due moments without I/O after which other tasks get their turn."""

Send = Callable[[Request], Awaitable[Outcome]]


async def drive(exporter: Exporter, send: Send, until: int | None) -> None:
    """Do everything that is due up to and including `until`; None: until the exporter is idle."""
    await Driver(exporter, send).drive(until)


class Driver:
    """Moves an exporter through virtual time, which stands still while requests are out.

    All attempts due at one moment start at once. Outcomes take effect in the order of the starts, whatever the order of
    the responses: a run is the same everywhere.
    """

    def __init__(self, exporter: Exporter, send: Send) -> None:
        self.exporter = exporter
        self._send = send
        self._under_way: deque[tuple[Attempt, asyncio.Future[Outcome]]] = deque()

    async def drive(self, until: int | None) -> None:
        """Do everything that is due up to and including `until`; None: until the exporter is idle."""
        moments = 0
        exporter = self.exporter
        while not self.halted() and (until is not None or not exporter.idle) and exporter.move(until):
            failed = self._start_due()
            if self._under_way:
                await self._complete()
            else:
                if failed and not self.is_watched:
                    exporter.repeat_failures(until)
                moments += 1
                if moments % MOMENTS_BETWEEN_YIELDS == 0:
                    await asyncio.sleep(0)

    def halted(self) -> bool:
        """Whether to stop between two moments, before `until`."""
        return False

    @property
    def is_watched(self) -> bool:
        """Whether `halted` depends on attempts that do not reach the consumer, so that these are made one by one."""
        return False

    def start_due_now(self) -> None:
        """Start attempts that a command made due at this moment, while others are under way."""
        if self._under_way and self.exporter.move(self.exporter.clock.now):
            self._start_due()

    def begin(self, attempt: Attempt) -> asyncio.Future[Outcome]:
        """Send an attempt's request and return the future of its outcome."""
        sent = self._send(self.exporter.request_of(attempt))
        return sent if isinstance(sent, asyncio.Future) else asyncio.ensure_future(sent)

    def _start_due(self) -> bool:
        """Start what is due. Returns whether an attempt failed without being sent."""
        failed = False
        for attempt in self.exporter.start_due():
            outcome = self.exporter.predetermined_outcome(attempt)
            if outcome is None:
                self._under_way.append((attempt, self.begin(attempt)))
            else:
                self.exporter.complete_attempt(attempt, outcome)
                failed = True
        return failed

    async def _complete(self) -> None:
        """Complete the attempts, first in, first out, and start at once what their outcomes make due at this moment."""
        under_way, exporter = self._under_way, self.exporter
        try:
            while under_way:
                attempt, outcome = under_way[0]
                await outcome
                under_way.popleft()
                exporter.complete_attempt(attempt, outcome.result())
                if exporter.move(exporter.clock.now):
                    self._start_due()
        finally:
            while under_way:
                self._give_up(*under_way.popleft())

    def _give_up(self, attempt: Attempt, outcome: asyncio.Future[Outcome]) -> None:
        """Leave no attempt under way, so that the journal says what was sent and another drive can continue."""
        if not outcome.done() or outcome.cancelled():
            outcome.cancel()
            self.exporter.interrupt(attempt)
        elif outcome.exception() is not None:
            self.exporter.abandon(attempt)
        else:
            self.exporter.complete_attempt(attempt, outcome.result())
