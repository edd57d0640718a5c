"""Durability: everything the consumer acknowledged is still stored after it was killed and restarted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator

import msgspec

from mockcampaign import json_text
from mockcampaign.check.bench.batch_outcome import BatchOutcome
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.bench.restart import RESTART_TIMEOUT, broken, restart
from mockcampaign.check.examined import ConsumerDiedError, Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import (
    Confirmation,
    Confirmed,
    LostInCrash,
    LostWhileBroken,
    Precondition,
    Rejected,
    Stimulus,
    StoreAgrees,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Responded
from mockcampaign.shape.field import Event
from mockcampaign.wallclock import Stopwatch, pause

QUIET = 500
"""Milliseconds from the last 200 to the kill, after which everything should long be stored."""

STREAMS = 3
"""Number of times the consumer is killed while batches arrive."""

STREAM = 600
"""Milliseconds for which batches arrive before it is killed."""

PAUSE, PAUSE_MAX = 3, 30
"""Milliseconds between two batches: at first about the precision of the losing window, and more in the long run."""

PAUSE_PART = 200
"""Part of the time since the stream's last stage began for which it pauses, so that no slow command uses up the events
of the check."""


class _SentBatch(msgspec.Struct, frozen=True):
    """One batch of a stream."""

    events: list[Event]
    stage: str
    """The stage of the stream in which it was sent."""
    at: int
    """Milliseconds from the beginning of the stream to the response."""
    accepted: bool
    responded: bool


class _Stream:
    """Batches that arrive one after another while something happens to the consumer, for as long as that takes."""

    def __init__(self, bench: Bench, sizes: tuple[int, ...], *, until_gone: bool = False) -> None:
        """`sizes` are the numbers of events, in turn. `until_gone`: end with the first batch without a response."""
        self.sent: list[_SentBatch] = []
        self._bench = bench
        self._sizes = sizes
        self._until_gone = until_gone
        self._watch = Stopwatch()
        self._is_over = False
        self._has_ended = False
        self._enter("before")

    def _enter(self, stage: str) -> None:
        self._stage = stage
        self._in_stage = Stopwatch()
        self._sends_in_stage = asyncio.Event()
        if self._has_ended:
            self._sends_in_stage.set()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name what happens meanwhile, and afterwards."""
        self._enter(name)
        try:
            yield
        finally:
            self._enter(f"after {name}")

    @contextlib.asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """Send batches while the context is open. Raise as `Bench.events` does."""
        sending = asyncio.ensure_future(self._send())
        sending.add_done_callback(self._end)
        try:
            yield
            self._is_over = True
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _end(self, _: object) -> None:
        self._has_ended = True
        self._sends_in_stage.set()

    async def met(self, milliseconds: int, patience: int) -> None:
        """Let so much time pass, or more until a batch is sent in this stage, or the stream has ended.

        Raise `CouldNotTellError` if neither happens.
        """
        sends = self._sends_in_stage
        await pause(milliseconds)
        try:
            async with asyncio.timeout(patience / 1_000):
                await sends.wait()
        except TimeoutError:
            raise CouldNotTellError(f"no batch was sent within {milliseconds + patience} ms of the fault") from None

    async def _send(self) -> None:
        for size in itertools.cycle(self._sizes):
            if self._is_over:
                return
            events, stage = self._bench.events(size), self._stage
            self._sends_in_stage.set()
            try:
                # The fault is ours: what is rejected says nothing about other batches.
                delivery = await self._bench.deliver(events, controlled=False)
            except (ConsumerDiedError, CouldNotTellError):
                self._bench.discard_pending()
                accepted = responded = False
            else:
                accepted, responded = delivery.accepted, isinstance(delivery.last, Responded)
            self.sent.append(_SentBatch(events, stage, self._watch.milliseconds, accepted, responded))
            if self._until_gone and not responded:
                return
            await pause(min(PAUSE_MAX, PAUSE + self._in_stage.milliseconds // PAUSE_PART))


async def _killed_while_batches_arrive(bench: Bench) -> list[tuple[Event, int]]:
    """Return each acknowledged event with how many milliseconds before the consumer's end it was acknowledged.

    Raises `SkipRule` where that end is not seen, since the consumer never fails to respond.
    """
    stream = _Stream(bench, (1,), until_gone=True)
    async with stream.arriving():
        await pause(STREAM)
        await restart(bench, after=0)
    if not stream.sent or stream.sent[-1].responded:
        raise SkipRule(Unmet(why=Precondition.NOT_KILLED))
    gone = stream.sent[-1].at
    acknowledged = [(event, gone - one.at) for one in stream.sent if one.accepted for event in one.events]
    if not acknowledged:
        raise SkipRule(Unmet(why=Precondition.NOTHING_ACKNOWLEDGED_BEFORE_CRASH))
    return acknowledged


async def _lost_mails(bench: Bench, events: list[Event]) -> set[Hashable]:
    """Return what identifies the mails of the events that are not stored as they were sent."""
    difference = await bench.store.difference_of(events)
    lost = [*difference.missing, *(sent for sent, _ in difference.altered)]
    return bench.store.mails_of(map(json_text.decode, lost))


async def _acknowledged(bench: Bench, size: int) -> list[Event]:
    events = bench.events(size)
    await must_deliver(bench, events)
    return events


def losing_window(lost: Iterable[int], stored: Iterable[int]) -> tuple[int, int | None]:
    """Return the greatest age of a lost event, and the smallest age beyond that of a stored one, if there is any.

    What happens between the two is not known. That everything older was stored was observed, not assumed.
    """
    losing = max(lost)
    return losing, min((age for age in stored if age > losing), default=None)


async def _durable(bench: Bench) -> Examined:
    await must_store(bench, 3)
    # Twice, with different numbers of batches: a consumer that writes every few batches may just have written.
    for sizes in ((1, 3, 2), (4, 2)):
        events = [event for size in sizes for event in await _acknowledged(bench, size)]
        await restart(bench, after=QUIET)
        difference = await bench.store.difference_of(events)
        if difference:
            count = len(difference.missing) + len(difference.altered)
            lost = LostInCrash(lost=count, events=len(events), crashes=1, quiet=QUIET)
            restarted = Stimulus(situation=Situation.RESTARTED)
            return failed(lost if count else difference.seen(restarted), unrepeatable=Unrepeatable.KILLED)
    stored_ages: list[int] = []
    lost_ages: list[int] = []
    for _ in range(STREAMS):
        ages = await _killed_while_batches_arrive(bench)
        lost_mails = await _lost_mails(bench, [event for event, _ in ages])
        for event, age in ages:
            (lost_ages if bench.shape.key(event) in lost_mails else stored_ages).append(age)
    if not lost_ages:
        return passed(Confirmed(what=Confirmation.DURABLE, milliseconds=min(stored_ages), times=QUIET))
    window, stored_from = losing_window(lost_ages, stored_ages)
    return failed(
        LostInCrash(
            lost=len(lost_ages),
            events=len(lost_ages) + len(stored_ages),
            crashes=STREAMS,
            window=window,
            stored_from=stored_from,
            quiet=QUIET,
        ),
        unrepeatable=Unrepeatable.KILLED,
    )


DURABLE_OVER_CRASH = Rule(
    id="durable-over-crash",
    family="durability",
    level="must",
    title="Has what it acknowledged after it was killed",
    requirement="Campaign never resends a batch after 200 (vendor's webhook guide), so events that a crash destroys "
    "after that are lost for good.",
    expected="every acknowledged event stored after a restart",
    needs=("probe events", "restart command"),
    examine=_durable,
    fix="Commit to disk before you respond: an event that only memory holds is not stored.",
    example="database.commit()  # fsync is on\nreturn Response(status_code=200)",
    not_covered="A crash of the machine, which destroys data the operating system had not written yet; and windows "
    "that these crashes happened not to hit, such as those of a job that runs every minute.",
    stage=Stage.END,
)


async def _deduplicates(bench: Bench) -> Examined:
    await must_store(bench, 4)
    await _killed_while_batches_arrive(bench)  # shows that the command does kill it, or the rest would show nothing
    events = bench.events(4)
    sent = Stimulus(situation=Situation.REDELIVERED_AFTER_RESTART, events=4)
    with bench.fault("lost-ack", times=1):
        bench.emit(events)
        await bench.advance()
    before = await bench.store.stored()
    await restart(bench, after=QUIET)
    delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        raise SkipRule(Rejected(response=delivery.response(sent)))
    difference = await bench.store.difference_of(events)
    if difference.surplus:
        return failed(difference.seen(sent), unrepeatable=Unrepeatable.KILLED)
    if not before:
        return passed(Confirmed(what=Confirmation.STORED_ONLY_AFTER_RESTART))
    return passed(StoreAgrees(after=sent))


DEDUPLICATES_OVER_CRASH = Rule(
    id="deduplicates-over-crash",
    family="durability",
    level="must",
    title="Recognises redelivered batches after it was killed",
    requirement="Campaign retries a batch that is not acknowledged every 10 seconds (vendor's webhook guide), also "
    "after the consumer was restarted.",
    expected="each event stored once",
    needs=("probe events", "restart command"),
    depends_on=("once-after-lost-response", "durable-over-crash"),
    examine=_deduplicates,
    fix="Keep the deduplication keys where the events are, and write both in one transaction.",
    example="INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING",
    stage=Stage.END,
)


BROKEN = 1_500
"""Milliseconds for which batches arrive while something is broken."""

BEFORE_BROKEN = 200
"""Milliseconds for which batches arrive before that."""

SIZES_WHILE_BROKEN = (1, 3, 10)
"""Numbers of events of the batches, in turn."""

RETRIED_AFTER = 10
"""Number of rejected batches that are delivered again after the fault."""

RETRY_PAUSE = 500
"""Milliseconds between two attempts at a rejected batch after the fault: a consumer may wait before it uses again what
was broken."""


async def _stores_while_broken(bench: Bench) -> Examined:
    await must_store(bench, 3)
    stream = _Stream(bench, SIZES_WHILE_BROKEN)
    async with stream.arriving():
        await pause(BEFORE_BROKEN)
        with stream.stage("breaking"):
            async with broken(bench):
                with stream.stage("broken"):
                    await stream.met(BROKEN, RESTART_TIMEOUT)
    acknowledged = [event for one in stream.sent if one.accepted for event in one.events]
    rejected = [one.events for one in stream.sent if not one.accepted]
    lost = len(await _lost_mails(bench, acknowledged))
    if lost:
        fact = LostWhileBroken(lost=lost, events=len(acknowledged), rejected=len(rejected))
        return failed(fact, unrepeatable=Unrepeatable.BROKEN)
    again = rejected[:RETRIED_AFTER]
    watch = Stopwatch()
    for events in again:
        delivery = await _delivered_again(bench, events, watch)
        if not delivery.accepted:
            after = Stimulus(situation=Situation.RESTORED)
            return failed(delivery.response(after), unrepeatable=Unrepeatable.BROKEN)
    difference = await bench.store.difference_of([event for events in again for event in events])
    if difference:
        return failed(difference.seen(Stimulus(situation=Situation.RESTORED)), unrepeatable=Unrepeatable.BROKEN)
    if not rejected:
        return passed(Confirmed(what=Confirmation.FAULT_NOT_NOTICED, count=len(acknowledged)))
    return passed(Confirmed(what=Confirmation.STORED_WHILE_BROKEN, count=len(acknowledged), times=len(rejected)))


async def _delivered_again(bench: Bench, events: list[Event], watch: Stopwatch) -> BatchOutcome:
    """Deliver a rejected batch until it is accepted, or `RESTART_TIMEOUT` is over: Campaign retries for three days."""
    while True:
        is_last = watch.milliseconds >= RESTART_TIMEOUT
        try:
            # One attempt each: hardly any time would pass for the consumer between several.
            delivery = await bench.deliver(events, controlled=False)
            if delivery.accepted or is_last:
                return delivery
        except CouldNotTellError:
            bench.discard_pending()
            if is_last:
                raise
        await pause(RETRY_PAUSE)


STORES_WHILE_BROKEN = Rule(
    id="stores-acknowledged-while-broken",
    family="durability",
    level="must",
    title="Stores what it acknowledges while something that it needs is broken",
    requirement="Campaign never resends a batch after 200, and resends all of it after anything else (vendor's webhook "
    "guide), so a consumer that cannot store a batch must not acknowledge it.",
    expected="an error status to what it cannot store, everything it acknowledged stored afterwards, and the rejected "
    "batches accepted when they arrive again, at the latest after half a minute",
    needs=("probe events", "break command"),
    depends_on=("stores-every-event", "once-after-lost-response"),
    examine=_stores_while_broken,
    fix="Let an error of the database reach the response: respond 503, and roll back the whole batch. Do not catch it "
    "for each event, nor put events into memory until the database is back.",
    example="except DatabaseError: connection.rollback(); return Response(status_code=503)",
    not_covered="Faults other than the one that the command makes.",
    stage=Stage.END,
)


DURABILITY = (STORES_WHILE_BROKEN, DURABLE_OVER_CRASH, DEDUPLICATES_OVER_CRASH)
