"""Runs loads over asyncio: starts attempts in wall time and takes samples until the load is over and drained."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from mockcampaign import wallclock
from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Journal
from mockcampaign.engine.outbox import Attempt
from mockcampaign.load_test.arrivals import Load
from mockcampaign.load_test.live_sender import LiveSender, streams
from mockcampaign.load_test.load_result import (
    LATE_PERCENT_MAX,
    LoadSample,
    StepResult,
    drained_backlog,
    judged,
)
from mockcampaign.model import Authentication, EventType, NoAuthentication, Outcome
from mockcampaign.policy import DEFAULT_CLIENT_ID, SECOND, Policy
from mockcampaign.transport import Transport

SAMPLES = 600
SAMPLE_MILLISECONDS_MIN = 100
"""A load has about so many samples, but not at shorter intervals than that."""

LEAD_MILLISECONDS = 100
"""Time before the first events occur, in which the first ones are made."""

ENTRIES_MAX, EVENTS_MAX = 200, 10_000
"""Bounds of the journal. Everything is counted before it is dropped, and what is kept delays garbage collections."""

OnSample = Callable[[Load, LoadSample], None]


class LoadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a load: what it sends, and how it is judged."""

    url: str
    types: tuple[EventType, ...] = (EventType.OPEN,)
    authentication: Authentication = NoAuthentication()
    client_id: int = DEFAULT_CLIENT_ID
    seed: int = 0
    policy: Policy = Policy()
    drain: int = 30 * SECOND
    """Milliseconds that the consumer has for its backlog when the load has ended."""
    late_percent_max: float = LATE_PERCENT_MAX


def rates_of_steps(events_per_second: int, steps: int) -> list[int]:
    """Return `steps` rates that rise evenly to the highest."""
    return sorted({max(1, events_per_second * number // steps) for number in range(1, steps + 1)})


async def run_load(
    loads: Sequence[Load],
    transport: Transport,
    settings: LoadSettings,
    done: Callable[[StepResult], None],
    on_sample: OnSample = lambda load, sample: None,
) -> None:
    """Run loads of rising rates until the consumer does not keep up, and call `done` with each result.

    An interrupted load has a result, too. Raises `ConsumerUnreachableError` if the first attempt cannot connect.
    """
    for number, load in enumerate(loads, 1):
        # Another seed for each, since no event occurs twice.
        campaign = Campaign(
            transport,
            seed=settings.seed,
            name="" if len(loads) == 1 else f"step {number}",
            policy=settings.policy,
            start=wallclock.now(),
            journal=Journal(entries_max=ENTRIES_MAX, events_max=EVENTS_MAX),
        )
        run = _Running(campaign, load, settings, on_sample, is_reached=number > 1)
        try:
            await run.run()
        except asyncio.CancelledError:
            _report(run, done)
            raise
        result = _report(run, done)
        if result is None or result.verdict != "compliant":
            return


def _report(run: _Running, done: Callable[[StepResult], None]) -> StepResult | None:
    result = run.result()
    if result is not None:
        done(result)
    return result


class _Running:
    """One load that is running."""

    def __init__(
        self, campaign: Campaign, load: Load, settings: LoadSettings, on_sample: OnSample, *, is_reached: bool
    ) -> None:
        of_webhooks = streams(
            campaign,
            settings.url,
            load.webhooks,
            types=settings.types,
            authentication=settings.authentication,
            client_id=settings.client_id,
        )
        start = wallclock.now() + LEAD_MILLISECONDS
        self._origin = wallclock.seconds() - wallclock.now() / 1_000
        """Subtracted from `wallclock.seconds`, it gives the time since 1970, whatever sets the system's clock."""
        self._sender = campaign.driven_by(partial(LiveSender, load=load, of_webhooks=of_webhooks, start=start))
        self._campaign, self._load, self._settings = campaign, load, settings
        self._on_sample = on_sample
        self._samples: list[LoadSample] = []
        self._sample_every = max(SAMPLE_MILLISECONDS_MIN, load.milliseconds // SAMPLES)
        self._sample_at = start
        self._end = start + load.milliseconds
        self._pending_at_end: int | None = None
        self._drained_at: int | None = None
        self._interrupted = False
        self._reached = is_reached
        self._timer: asyncio.TimerHandle | None = None
        self._under_way: set[asyncio.Future[Outcome]] = set()
        self._over: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Run the load, wait until the backlog is drained or time is up, and then for what is under way."""
        self._over = asyncio.get_running_loop().create_future()
        self._sender.make_ahead()
        with _collected():
            self._turn()
            try:
                await self._over
            except asyncio.CancelledError:
                self._interrupted = True
                raise
            finally:
                self._sender.stop()
                if self._timer is not None:
                    self._timer.cancel()
                if self._under_way:
                    # Whether the consumer accepts them decides what is pending.
                    await asyncio.wait(self._under_way)

    def result(self) -> StepResult | None:
        """Return the result, or None if nothing has occurred."""
        sender, load, settings = self._sender, self._load, self._settings
        balance = sender.balance
        if not balance.created:
            return None
        drained = drained_backlog(load.webhooks, settings.policy.batch_events_max)
        recoveries = sender.backlogs.recoveries()
        verdict = judged(
            rate=load.events_per_second,
            milliseconds=load.milliseconds,
            balance=balance,
            batches=sender.batches,
            late=sender.late,
            samples=self._samples,
            recoveries=recoveries,
            drained=drained,
            retry_interval=settings.policy.retry_interval,
            interrupted=self._interrupted,
            full_at=sender.full_at,
            late_percent_max=settings.late_percent_max,
        )
        return StepResult(
            events_per_second=load.events_per_second,
            milliseconds=load.milliseconds,
            webhooks=load.webhooks,
            balance=balance,
            batches=sender.batches,
            late=sender.late,
            lateness=sender.lateness.percentiles(),
            responses=sender.responses.percentiles(),
            deliveries=sender.deliveries.percentiles(),
            outcomes=dict(sender.outcomes.most_common()),
            samples=self._samples,
            recoveries=recoveries,
            pending_at_end=balance.pending if self._pending_at_end is None else self._pending_at_end,
            drained_after=None if self._drained_at is None else max(0, self._drained_at - self._end),
            interrupted=self._interrupted,
            full_at=sender.full_at,
            verdict=verdict.verdict,
            reason=verdict.reason,
        )

    def _now(self) -> int:
        return int((wallclock.seconds() - self._origin) * 1_000_000)

    def _turn(self) -> None:
        """Send what is due, and set the timer for what comes next. The loop calls this, so no error may escape."""
        try:
            self._send(self._sender.due(self._now()))
            self._look()
        except BaseException as error:
            self._fail(error)

    def _send(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            future = self._sender.begin(attempt)
            self._under_way.add(future)
            future.add_done_callback(partial(self._conclude, attempt))

    def _conclude(self, attempt: Attempt, future: asyncio.Future[Outcome]) -> None:
        self._under_way.discard(future)
        try:
            if not self._reached:
                self._campaign.require_reached(self._settings.url, future.result(), in_virtual_time=False)
                self._reached = True
            self._send(self._sender.conclude(attempt, future.result(), self._now()))
            self._look()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._sender.stop()
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _look(self) -> None:
        """Take a sample when it is time, end when all is over, and otherwise set the timer."""
        if self._over is None or self._over.done():
            return
        now = self._now() // 1_000
        if now >= self._end and self._pending_at_end is None:
            self._pending_at_end = self._sender.pending
            self._sample(self._end)
        elif now >= self._sample_at:
            self._sample(now)
        drained = self._pending_at_end is not None and self._sender.is_idle
        patience_is_over = self._pending_at_end is not None and now >= self._end + self._settings.drain
        if drained or patience_is_over or self._sender.full_at is not None:
            if drained:
                self._drained_at = now
            self._sample(now)
            self._over.set_result(None)
            return
        # Before the pause, which then ends in time: an event takes some microseconds to make.
        self._sender.make_ahead()
        self._set_timer()

    def _sample(self, now: int) -> None:
        balance = self._sender.balance
        sample = LoadSample(now - self._sender.start, balance.created, balance.accepted, balance.pending)
        self._samples.append(sample)
        self._on_sample(self._load, sample)
        self._sample_at += self._sample_every * (1 + max(0, now - self._sample_at) // self._sample_every)

    def _set_timer(self) -> None:
        moments = [self._sample_at, self._end if self._pending_at_end is None else self._end + self._settings.drain]
        due = self._sender.next_at()
        at = min(moments) if due is None else min(due, *moments)
        if self._timer is not None:
            self._timer.cancel()
        pause = at / 1_000 - (wallclock.seconds() - self._origin)
        self._timer = asyncio.get_running_loop().call_later(max(0.0, pause), self._turn)


@contextlib.contextmanager
def _collected() -> Iterator[None]:
    """Leave what exists now out of the garbage collections of the load, each of which would delay batches."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
