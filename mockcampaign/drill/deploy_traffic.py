"""The traffic of a deploy drill: steady batches on the virtual clock, which waits for a consumer that restarts.

Outside of deployments, virtual time jumps from moment to moment, as everywhere. While something is deployed, it is
bound to wall time: a second of it stands for `pace` virtual seconds, so that a consumer that needs two seconds to start
misses two minutes of deliveries and not three days of them.
"""

from __future__ import annotations

from collections.abc import Callable

from mockcampaign.check.bench.bench import Bench
from mockcampaign.wallclock import pause

PLAIN, LOSING = 0, 1
"""Numbers of the two webhooks. Responses to the second one are lost while a restart command runs, as those of a process
that is killed between storing a batch and responding; so redelivered batches meet the new process."""

WEBHOOKS = (PLAIN, LOSING)


class Traffic:
    """Lets a batch of events of each webhook occur at regular intervals, and delivers them."""

    def __init__(self, bench: Bench, *, every: int, batch: int, pace: int) -> None:
        """`every` is in virtual milliseconds, `pace` in virtual seconds for a second of wall time."""
        self.bench = bench
        self.began = bench.campaign.now
        self.created = 0
        """Number of events so far."""
        self._every = every
        self._batch = batch
        self._pace = pace
        self._emits_at = self.began

    @property
    def now(self) -> int:
        """The present virtual moment."""
        return self.bench.campaign.now

    @property
    def pending(self) -> int:
        """Number of events that still have to be delivered."""
        return self.bench.ledger.deliveries.pending

    def emit(self) -> None:
        """Let a batch of each webhook occur now. It is delivered as soon as time may pass."""
        for number in WEBHOOKS:
            events = self.bench.events(self._batch)
            self.bench.emit(events, number)
            self.created += len(events)

    async def deliver(self) -> None:
        """Make the attempts that are due now."""
        # Each attempt is really sent: a consumer that restarts may respond otherwise each time.
        self.bench.campaign.forget_simulated_failures()
        await self.bench.advance()

    async def pass_time(self, until: int) -> None:
        """Let virtual time pass as fast as the consumer responds."""
        while self.now < until:
            await self._move(min(self._emits_at, until))
        await self.deliver()

    async def pass_time_with_wall(self, is_over: Callable[[], bool]) -> None:
        """Let virtual time pass at the pace of wall time. `is_over` is asked after each moment at which anything is
        due, before further events occur."""
        await self.deliver()
        while not is_over():
            if self.now >= self._emits_at:
                self._occur()
            due = self.bench.campaign.next_due()
            moment = self._emits_at if due is None else min(due, self._emits_at)
            # Only the time between two moments is bound to wall time: after a request that took long, nothing has to
            # be made up for.
            await pause(max(0, moment - self.now) // self._pace)
            await self._reach(moment)

    async def _move(self, moment: int) -> None:
        if self.now >= self._emits_at:
            self._occur()
        else:
            await self._reach(moment)

    async def _reach(self, moment: int) -> None:
        self.bench.campaign.forget_simulated_failures()
        await self.bench.advance(max(0, moment - self.now))

    def _occur(self) -> None:
        self.emit()
        while self._emits_at <= self.now:
            self._emits_at += self._every
