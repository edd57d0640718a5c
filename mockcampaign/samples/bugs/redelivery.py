"""Bugs with redelivery: later, in another batch, on another connection, or at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity
from mockcampaign.shape.field import Role

HOUR = 60 * 60 * 1_000


class NeverDeduplicates(Consumer):
    """Stores every event it receives; a base for consumers that recognise redelivery in a wrong way."""

    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        stored = len(self.store)
        return {(self.key(event), stored + index): event for index, event in enumerate(events)}


class RejectsRedeliveredBatch(Consumer):
    async def process(self, events: list[Event]) -> None:
        if all(identity in self.store for identity in self.by_identity(events)):
            raise HTTPException(409, "all events are stored already")
        await super().process(events)


def deduplicating_batches_on(by: Callable[[list[Event]], bytes]) -> type[Consumer]:
    """Return a consumer that recognises batches instead of events, by that key."""

    class DeduplicatingBatches(NeverDeduplicates):
        def prepare(self) -> None:
            self.seen: set[bytes] = set()

        async def process(self, events: list[Event]) -> None:
            if by(events) in self.seen:
                return
            await super().process(events)
            self.seen.add(by(events))

    return DeduplicatingBatches


class StoresWhileReading(NeverDeduplicates):
    """Stores events as they arrive, and their keys at the end of the batch."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def read_body(self, request: Request) -> bytes:
        body, stored = b"", 0
        try:
            async for piece in request.stream():
                body += piece
                so_far = self.shapes.whole_events(body)
                await super().process([event for event in so_far[stored:] if (self.key(event), 1) not in self.seen])
                stored = max(stored, len(so_far))
        except ClientDisconnect:
            raise HTTPException(400) from None
        return body

    async def process(self, events: list[Event]) -> None:
        self.seen.update((self.key(event), 1) for event in events)


class ComparesWithPreviousBatchOnly(NeverDeduplicates):
    last: list[Event] | None = None

    async def process(self, events: list[Event]) -> None:
        if events == self.last:
            return
        await super().process(events)
        self.last = events


class DeduplicatesOnPosition(Consumer):
    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        return {(self.key(event), index): event for index, event in enumerate(events)}


class ForgetsDedupKeys(NeverDeduplicates):
    """Deduplicates by a limited number of keys."""

    def prepare(self) -> None:
        self.seen: dict[Identity, int] = {}
        """The time of each event, in order of arrival."""

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.seen])
        for identity, event in identified.items():
            self.seen.pop(identity, None)
            self.seen[identity] = self.shapes.time(event)
        self.forget()

    def forget(self) -> None:
        raise NotImplementedError


def keeping_dedup_keys_for(duration: int) -> type[Consumer]:
    """Return a consumer that forgets keys so many milliseconds older than the newest event."""

    class KeepsDedupKeysFor(ForgetsDedupKeys):
        def forget(self) -> None:
            newest = max(self.seen.values(), default=0)
            self.seen = {identity: at for identity, at in self.seen.items() if at > newest - duration}

    return KeepsDedupKeysFor


class Keeps1000DedupKeys(ForgetsDedupKeys):
    most = 1_000

    def forget(self) -> None:
        while len(self.seen) > self.most:
            del self.seen[next(iter(self.seen))]


class Keeps2000DedupKeys(Keeps1000DedupKeys):
    most = 2_000


class ForgetsDedupKeyOnceUsed(NeverDeduplicates):
    """Keeps the key of an event until the event is redelivered: "then it is confirmed"."""

    def prepare(self) -> None:
        self.waiting: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.waiting])
        self.waiting ^= identified.keys()


class KeepsDedupKeysPerConnection(NeverDeduplicates):
    def prepare(self) -> None:
        self.seen: dict[object, set[Identity]] = {}

    async def handle(self, request: Request) -> Response:
        self.here = self.seen.setdefault(request.client, set())
        return await super().handle(request)

    async def process(self, events: list[Event]) -> None:
        here, identified = self.here, Consumer.by_identity(self, events)
        await super().process([event for identity, event in identified.items() if identity not in here])
        here.update(identified)


class ChecksThenInserts(NeverDeduplicates):
    seconds_per_query = 0.02

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        new = {identity: event for identity, event in identified.items() if identity not in self.seen}
        await asyncio.sleep(self.seconds_per_query)
        await super().process(list(new.values()))
        self.seen.update(new)


class ForgetsWorkInProgress(NeverDeduplicates):
    """Marks the events it works on, and clears the marks when the sender disconnects, although the work goes on."""

    seconds_per_batch = 0.03
    seconds_between_checks = 0.005

    def prepare(self) -> None:
        self.seen: set[Identity] = set()
        self.working: set[Identity] = set()

    async def handle(self, request: Request) -> Response:
        if not self.is_authenticated(request):
            return await super().handle(request)  # which rejects it
        events = self.parse(await self.read_body(request))
        work = asyncio.create_task(self.process(events))
        while not work.done():
            if await request.is_disconnected():
                self.working.clear()
            await asyncio.sleep(self.seconds_between_checks)
        await work
        return self.respond(events)

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        while self.working & identified.keys():
            await asyncio.sleep(self.seconds_between_checks)
        new = {identity: event for identity, event in identified.items() if identity not in self.seen}
        self.working |= new.keys()
        await asyncio.sleep(self.seconds_per_batch)
        await super().process(list(new.values()))
        self.seen.update(new)
        self.working -= new.keys()


class NullInUniqueIndex(Consumer):
    """Has a unique index over nullable columns, in which no null equals another, as in SQL."""

    def prepare(self) -> None:
        self.nulls = 0

    def key(self, event: Event) -> bytes:
        if not self.shapes.lacks_expected(event):
            return super().key(event)
        self.nulls += 1
        return super().key(event) + b" %d" % self.nulls


class WorkersDoNotShareKeys(NeverDeduplicates):
    """Recognises events by the keys in memory, which each of two workers has for itself."""

    turns = (0, 1, 1, 0, 1, 0, 0)
    """The worker that gets each request, over and over."""

    def prepare(self) -> None:
        self.requests = 0
        self.seen: tuple[set[Identity], ...] = (set(), set())

    async def process(self, events: list[Event]) -> None:
        seen = self.seen[self.turns[self.requests % len(self.turns)]]
        self.requests += 1
        identified = Consumer.by_identity(self, events)
        await super().process([event for identity, event in identified.items() if identity not in seen])
        seen.update(identified)


class CountsRedeliveredEvents(Consumer):
    """Stores events once, and counts them whenever they arrive."""

    def prepare(self) -> None:
        self.opens = 0

    async def process(self, events: list[Event]) -> None:
        await super().process(events)
        self.opens += len(events)

    def total(self) -> int:
        return self.opens


class DropsBatchOnDeadlock(Consumer):
    """Locks the row of each mailing in the order of the batch, and logs a deadlock as an error, with the batch gone."""

    def prepare(self) -> None:
        self.owners: dict[str, object] = {}
        self.waits: dict[object, str] = {}

    async def process(self, events: list[Event]) -> None:
        me = object()
        try:
            for event in events:
                row = str(self.shapes.get(event, Role.MAILING))
                while self.owners.get(row, me) is not me:
                    if self.owners.get(self.waits.get(self.owners[row], "")) is me:
                        return  # a deadlock
                    self.waits[me] = row
                    await asyncio.sleep(0)
                self.waits.pop(me, None)
                self.owners[row] = me
                await asyncio.sleep(0)
            await super().process(events)
        finally:
            self.owners = {row: owner for row, owner in self.owners.items() if owner is not me}


BUGS: Mapping[str, Bug] = {
    "rejects-redelivered-batch": Bug(
        "Responds 409 Conflict to a batch whose events are all stored already.", RejectsRedeliveredBatch
    ),
    "null-in-unique-index": Bug(
        "Deduplicates with a unique index over nullable columns, in which no null equals another.", NullInUniqueIndex
    ),
    "never-deduplicates": Bug("Stores every event it receives, so each redelivery adds duplicates.", NeverDeduplicates),
    "dedup-key-batch-hash": Bug(
        "Deduplicates on a hash of the whole batch, so events redelivered in another batch are stored twice.",
        deduplicating_batches_on(lambda events: msgspec.json.encode(events)),
    ),
    "dedup-key-size-and-first-event": Bug(
        "Deduplicates on a batch's size and first event, so a redelivered batch with further events is stored twice.",
        deduplicating_batches_on(lambda events: msgspec.json.encode((len(events), events[:1]))),
    ),
    "compares-with-previous-batch-only": Bug(
        "Compares a batch with the previous one only, so a batch redelivered after another one is stored twice.",
        ComparesWithPreviousBatchOnly,
    ),
    "dedup-key-position": Bug(
        "Deduplicates on an event's content and position, so an event redelivered at another position is stored twice.",
        DeduplicatesOnPosition,
    ),
    "keeps-dedup-keys-for-an-hour": Bug(
        "Forgets a deduplication key once it is an hour older than the newest event.", keeping_dedup_keys_for(HOUR)
    ),
    "keeps-dedup-keys-for-a-day": Bug(
        "Forgets a deduplication key once it is a day older than the newest event.", keeping_dedup_keys_for(24 * HOUR)
    ),
    "keeps-2000-dedup-keys": Bug(
        "Keeps the last 2,000 deduplication keys, so a batch redelivered after a busy hour is stored twice.",
        Keeps2000DedupKeys,
    ),
    "keeps-1000-dedup-keys": Bug(
        "Keeps the last 1,000 deduplication keys, so a batch redelivered after more events is stored twice.",
        Keeps1000DedupKeys,
    ),
    "forgets-dedup-key-once-used": Bug(
        "Forgets a deduplication key after the first redelivery, so the second redelivery is stored again.",
        ForgetsDedupKeyOnceUsed,
    ),
    "keeps-dedup-keys-per-connection": Bug(
        "Keeps deduplication keys per connection, so a batch redelivered over another one is stored twice.",
        KeepsDedupKeysPerConnection,
    ),
    "stores-while-reading": Bug(
        "Stores events while the body arrives, so the events of a truncated body are stored twice.", StoresWhileReading
    ),
    "forgets-work-in-progress": Bug(
        "Forgets which batch it works on when the sender disconnects, so the retry is stored as well.",
        ForgetsWorkInProgress,
        over_sockets=True,
    ),
    "workers-do-not-share-dedup-keys": Bug(
        "Keeps deduplication keys in the memory of each of two workers, so a batch that reaches the other one is "
        "stored twice.",
        WorkersDoNotShareKeys,
    ),
    "counts-redelivered-events": Bug(
        "Raises the total on its dashboard for each event that arrives, also for those it has already stored.",
        CountsRedeliveredEvents,
    ),
    "drops-batch-on-deadlock": Bug(
        "Locks rows in the order of the batch, logs a deadlock of two batches, drops one of them and responds 200.",
        DropsBatchOnDeadlock,
    ),
    "checks-then-inserts": Bug(
        "Looks an event up before it inserts it, so a batch delivered twice at the same moment is stored twice.",
        ChecksThenInserts,
    ),
}
