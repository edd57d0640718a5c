"""Move a served campaign's clock: with wall time, at a speed, or only when a call advances it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from mockcampaign.durations import MOMENT_MAX
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.loop import MOMENTS_BETWEEN_YIELDS, Driver, Send
from mockcampaign.engine.outbox import Attempt
from mockcampaign.errors import ClockNotLedError, MockcampaignError
from mockcampaign.model import Measured, NoResponse, Outcome, Request

MEASURED_MAX = 10_000
"""Number of attempts whose measurements are kept."""


class TimeStoppedError(MockcampaignError):
    """The pacer has ended, so that nothing moves its time any more: the text says why."""


class AttemptKey(NamedTuple):
    """Identity of a measured attempt."""

    webhook_id: int
    at: int
    number: int
    serial: int
    """Serial of the first event that it delivers or redelivers: several batches may start at one moment."""
    duplicate: bool


class Pacer(Driver):
    """Moves an exporter with wall time: `speed` virtual seconds per second.

    Requests take as long as they take. At speed 0 and during an `advance`, virtual time stands still while requests are
    in flight, as everywhere else; attempts that are due now are sent at once all the same.
    """

    def __init__(
        self, exporter: Exporter, send: Send, *, speed: float, is_saved: Callable[[], bool] = lambda: True
    ) -> None:
        """`is_saved` is asked before a batch is sent and before a pause: False ends everything but the process."""
        super().__init__(exporter, send)
        self._is_saved = is_saved
        self.measured: OrderedDict[AttemptKey, Measured] = OrderedDict()
        """Measurements of the latest attempts."""
        self._speed = speed
        self._anchor = (time.monotonic(), exporter.clock.now)
        self._advances: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._moments: list[tuple[int, asyncio.Future[None]]] = []
        self._idle: list[asyncio.Future[None]] = []
        self._or_when: Callable[[], bool] = bool
        """Says, besides the idle state, when the tasks of `_idle` go on."""
        self._impatient: list[asyncio.Future[None]] = []
        """Tasks of `_moments` that a call of the REST API releases, too."""
        self._at_large: set[asyncio.Future[Outcome]] = set()
        self._wake = asyncio.Event()
        self._clock_lost: ClockNotLedError | None = None
        """Why an attempt outside of an advance was not made."""
        self._ended = ""
        """Why the pacer has ended; empty while it has not."""
        self._slept_for: int | None = None
        """The moment until which the pacer sleeps. Events that fall due later need not wake it. None: until woken."""

    @property
    def speed(self) -> float:
        """Virtual seconds per second; at 0, only `advance` moves time."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.catch_up()
        self._speed = speed
        self._anchor = (time.monotonic(), self.exporter.clock.now)
        self._wake.set()

    @property
    def advancing(self) -> bool:
        """Whether an `advance` is under way."""
        return bool(self._advances)

    def catch_up(self) -> None:
        """Carry out everything that is due by now in wall time, and set the exporter's clock to now."""
        if not self._speed or self._advances or self._ended:
            return
        until = self._before_next_halt(self._now())
        for _ in range(MOMENTS_BETWEEN_YIELDS):
            if self.halted() or not self.exporter.move(until):
                if self._release():
                    self._wake.set()
                return
            self._start_at_large()
        self._wake.set()  # the rest, after other tasks had their turn

    def wake(self) -> None:
        """Look again, because something may be due at once."""
        self.start_due_now()
        due, slept_for = self.exporter.clock.next_due(), self._slept_for
        if self._idle or (due is not None and (slept_for is None or due < slept_for)):
            self._wake.set()

    async def advance(self, duration: int) -> None:
        """Let virtual time pass as fast as the consumers respond, once the requests in flight have ended.

        Raises `TimeStoppedError` if the pacer ends before, or has ended.
        """
        if self._ended:
            raise TimeStoppedError(self._ended)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._advances.append((duration, done))
        self._wake.set()
        await asyncio.shield(done)

    async def reached(self, moment: int) -> None:
        """Wait until virtual time reaches a moment. Time stands still there until the waiting task has gone on."""
        if moment > self.exporter.clock.now:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._moments.append((moment, waiting))
            self._wake.set()
            await waiting

    async def reached_or_called(self, moment: int) -> None:
        """Wait as `reached` does, or until the next call of the REST API, which may arrive while time stands still."""
        if moment > self.exporter.clock.now:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._moments.append((moment, waiting))
            self._impatient.append(waiting)
            self._wake.set()
            await waiting

    def called(self) -> None:
        """Release the tasks that wait for a call, since one has arrived."""
        if self._impatient:
            for waiting in self._impatient:
                if not waiting.done():
                    waiting.set_result(None)
            self._impatient = []
            self._moments = [(at, waiting) for at, waiting in self._moments if not waiting.done()]

    async def idle(self, or_when: Callable[[], bool] = bool) -> None:
        """Wait until activated webhooks have nothing left to send, or until `or_when` says so.

        Time stands still until that task goes on.
        """
        self._or_when = or_when
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(waiting)
        self._wake.set()
        await waiting

    def halted(self) -> bool:
        """Whether a task waits for the idle state that has come."""
        return bool(self._idle) and (self.exporter.idle or self._or_when())

    async def run(self) -> None:
        """Move time until the task is cancelled. Raise `ClockNotLedError` if the consumer's clock cannot follow."""
        ended = "the server failed, and time stands still: reset it"
        try:
            while True:
                self._wake.clear()
                self._check_clock()
                if self._advances:
                    await self._carry_out_advance()
                elif self._speed:
                    self.catch_up()
                else:
                    await self.drive(self.exporter.clock.now)
                if self._release():
                    self._wake.set()
                await asyncio.sleep(0)
                if not self._advances:
                    await self._sleep()
        except asyncio.CancelledError:
            ended = "the campaign has ended before the time had passed"
            raise
        except ClockNotLedError as error:
            ended = f"{error}; time stands still until a reset"
            raise
        finally:
            self._ended = ended
            for future in self._at_large:
                future.cancel()
            for _, done in self._advances:
                if not done.done():
                    done.set_exception(TimeStoppedError(ended))
                    done.exception()  # whoever waits may be gone

    def begin(self, attempt: Attempt) -> asyncio.Future[Outcome]:
        """Send a batch, and keep its measurements."""
        return asyncio.ensure_future(self._measured(attempt))

    async def _measured(self, attempt: Attempt) -> Outcome:
        if not self._is_saved():
            await asyncio.get_running_loop().create_future()
        outcome = await outcome_of(self._send, self.exporter.request_of(attempt))
        if outcome.measured is not msgspec.UNSET:
            first = (attempt.events or attempt.redelivered)[0]
            key = AttemptKey(attempt.webhook_id, attempt.started_at, attempt.number, first.serial, attempt.is_duplicate)
            self.measured[key] = outcome.measured
            if len(self.measured) > MEASURED_MAX:
                self.measured.popitem(last=False)
        return outcome

    def _now(self) -> int:
        wall, virtual = self._anchor
        present = min(virtual + int((time.monotonic() - wall) * 1_000 * self._speed), MOMENT_MAX)
        return max(self.exporter.clock.now, present)

    def _before_next_halt(self, moment: int | None) -> int:
        return min([at for at, _ in self._moments] + ([] if moment is None else [moment]))

    def _release(self) -> bool:
        """Release the tasks whose moment has come; returns whether there were any."""
        now, idle = self.exporter.clock.now, self.halted()
        due = [waiting for at, waiting in self._moments if at <= now] + (self._idle if idle else [])
        self._moments = [(at, waiting) for at, waiting in self._moments if at > now]
        if idle:
            self._idle = []
        for waiting in due:
            if not waiting.done():
                waiting.set_result(None)
        self._impatient = [waiting for waiting in self._impatient if not waiting.done()]
        return bool(due)

    def _start_at_large(self) -> None:
        for attempt in self.exporter.start_due():
            outcome = self.exporter.predetermined_outcome(attempt)
            if outcome is not None:
                self.exporter.complete_attempt(attempt, outcome)
                continue
            future = self.begin(attempt)
            self._at_large.add(future)
            future.add_done_callback(functools.partial(self._conclude_at_large, attempt))

    def _conclude_at_large(self, attempt: Attempt, future: asyncio.Future[Outcome]) -> None:
        self._at_large.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, ClockNotLedError):
            self._clock_lost = error
            self.exporter.abandon(attempt)
            self._wake.set()
        else:
            self.catch_up()
            self.exporter.complete_attempt_now(attempt, future.result())
            self.wake()

    async def _carry_out_advance(self) -> None:
        duration, done = self._advances[0]
        while self._at_large:
            await asyncio.wait(self._at_large)
        self._check_clock()
        # Several advances may wait that are allowed one by one.
        end = min(self.exporter.clock.now + duration, MOMENT_MAX)
        await self.drive(self._before_next_halt(end))
        while self._release() or self.exporter.clock.now < end:
            await asyncio.sleep(0)  # so that the released tasks act at their moment
            await self.drive(self._before_next_halt(end))
        self._advances.popleft()
        self._anchor = (time.monotonic(), self.exporter.clock.now)
        if not done.done():
            done.set_result(None)

    def _check_clock(self) -> None:
        if self._clock_lost is not None:
            raise self._clock_lost

    async def _sleep(self) -> None:
        self._is_saved()
        seconds = None
        due = self.exporter.clock.next_due()
        if not self._speed:
            self._slept_for = self.exporter.clock.now + 1
        elif due is None and not self._moments:
            self._slept_for = None
        else:
            self._slept_for = self._before_next_halt(due)
            if self._slept_for <= MOMENT_MAX:  # where time ends
                seconds = max(0.0, (self._slept_for - self._now()) / 1_000 / self._speed)
        # Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that coincides with a wake.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()


async def outcome_of(send: Send, request: Request) -> Outcome:
    """Send a request and return its outcome, also if sending fails on this side: others go on.

    Raise `ClockNotLedError` if the consumer's clock does not follow, since nothing is its failure then.
    """
    try:
        return await send(request)
    except ClockNotLedError:
        raise
    except MockcampaignError as error:
        return NoResponse("connect", str(error))  # such as no descriptor left; retried like any failure
    except Exception as error:
        return NoResponse("connect", f"mockcampaign could not send the request ({type(error).__name__})")
