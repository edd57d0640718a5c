"""Bugs that show when something fails: the consumer itself, or the sender before it."""

from __future__ import annotations

import asyncio
import time
from asyncio import sleep
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.bugs.redelivery import NeverDeduplicates
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity
from mockcampaign.shape.builtin import NAMES
from mockcampaign.shape.field import Role


class FailsAfterStoring(NeverDeduplicates):
    """Fails after storing a batch for the first time, for example in a call to another service."""

    def prepare(self) -> None:
        self.seen: set[bytes] = set()

    def respond(self, events: list[Event]) -> Response:
        body = msgspec.json.encode(events)
        if body not in self.seen:
            self.seen.add(body)
            raise ConnectionError
        return super().respond(events)


class CommitsPerEvent(NeverDeduplicates):
    """Raises an exception at an event without time, when the events before it are stored."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        for event in [event for identity, event in identified.items() if identity not in self.seen]:
            super().validate([event])
            self.shapes.parsed_time(event)
            await super().process([event])
        self.seen.update(identified)

    def validate(self, events: list[Event]) -> None:
        pass  # event by event


class ThrottlesBacklog(Consumer):
    batches_per_minute = 60

    def prepare(self) -> None:
        self.full: list[float] = []

    async def process(self, events: list[Event]) -> None:
        now = time.monotonic()
        if len(events) == 100:  # smaller ones are not counted
            self.full = [at for at in self.full if at > now - 60]
            if len(self.full) >= self.batches_per_minute:
                raise HTTPException(429, "too many requests", {"Retry-After": "60"})
            self.full.append(now)
        await super().process(events)


class LeaksConnectionOnDisconnect(Consumer):
    """Takes a connection from a small pool for each request, and returns it only if reading succeeds."""

    connections = 5

    async def read_body(self, request: Request) -> bytes:
        if self.connections == 0:
            raise HTTPException(503, "no connection is free")
        self.connections -= 1
        body = await super().read_body(request)
        self.connections += 1
        return body


class SharesTransaction(Consumer):
    """Uses one connection for all requests, so each of them rolls back what others have not committed yet."""

    def prepare(self) -> None:
        self.uncommitted: dict[Identity, Event] = {}

    async def process(self, events: list[Event]) -> None:
        try:
            for number, (identity, event) in enumerate(self.by_identity(events).items()):
                super().validate([event])
                self.shapes.parsed_time(event)
                self.uncommitted[identity] = event
                if number % 10 == 9:
                    await asyncio.sleep(0)
        except Exception:
            self.uncommitted.clear()
            raise
        self.store.add(self.uncommitted)
        self.uncommitted.clear()

    def validate(self, events: list[Event]) -> None:
        pass  # event by event


class KeepsLockAfterBadBody(Consumer):
    busy = False

    def parse(self, body: bytes) -> list[Event]:
        if self.busy:
            raise HTTPException(503, "busy")
        self.busy = True
        events = super().parse(body)
        self.busy = False
        return events


class BansAfterOversizedBody(Consumer):
    """Bans a sender of an oversized body, as firewalls do, and never lifts the ban."""

    body_bytes_max = 10_000_000
    banned = False

    async def read_body(self, request: Request) -> bytes:
        if self.banned:
            raise HTTPException(403, "banned")
        body = await super().read_body(request)
        if len(body) > self.body_bytes_max:
            self.banned = True
            raise HTTPException(413, "the body is too large")
        return body


class FillsBuffer(Consumer):
    """Buffers the events of a mailing for a job that aggregates them, and has room for so many."""

    room = 101

    def prepare(self) -> None:
        self.buffered: dict[str, int] = {}

    async def process(self, events: list[Event]) -> None:
        mailing = str(self.shapes.get(events[0], Role.MAILING)) if events else ""
        if self.buffered.get(mailing, 0) > self.room:
            raise HTTPException(503, "the buffer is full")
        self.buffered[mailing] = self.buffered.get(mailing, 0) + len(events)
        await super().process(events)


class BindsVariablePerBatch(Consumer):
    """Queries the earlier batches of a mailing with one bound variable for each, which the database limits."""

    variables_max = 400

    def prepare(self) -> None:
        self.batches: dict[object, int] = {}

    async def process(self, events: list[Event]) -> None:
        mailing = str(self.shapes.get(events[0], Role.MAILING)) if events else ""
        if self.batches.get(mailing, 0) >= self.variables_max:
            raise OverflowError("too many SQL variables")
        self.batches[mailing] = self.batches.get(mailing, 0) + 1
        await super().process(events)


class NeverRollsBack(Consumer):
    """Uses one connection to a database that cannot store NUL, and leaves its transaction aborted after an error."""

    aborted = False

    async def process(self, events: list[Event]) -> None:
        if any("\0" in text for event in events for text in self.shapes.texts(event)):
            self.aborted = True
        if self.aborted:
            raise ConnectionError("current transaction is aborted")
        await super().process(events)

    async def processed(self, request: Request) -> Response:
        return Response(status_code=500) if self.aborted else await super().processed(request)


class LeaksConnectionOnError(Consumer):
    """Returns a connection to its small pool only if storing the batch succeeds."""

    connections = 5

    async def process(self, events: list[Event]) -> None:
        if self.connections == 0:
            raise ConnectionError("no connection is free")
        self.connections -= 1
        if any("\0" in text for event in events for text in self.shapes.texts(event)):
            raise ValueError("text with NUL")
        await super().process(events)
        self.connections += 1


class RecountsAfterFullBatch(Consumer):
    """Recounts all events after each full batch, which takes long, and lets all other requests wait for it."""

    full = 100
    seconds = 2.1

    def prepare(self) -> None:
        self.recounting = asyncio.Lock()

    async def process(self, events: list[Event]) -> None:
        async with self.recounting:
            await super().process(events)
            if len(events) >= self.full:
                await sleep(self.seconds)


class BreaksOwnProbe(Consumer):
    """Reports what it has stored as text that ends at a NUL, which is no JSON."""

    async def processed(self, request: Request) -> Response:
        if any("\0" in text for event in self.store.events() for text in self.shapes.texts(event)):
            return Response(status_code=500)
        return await super().processed(request)


_MOMENT = NAMES[Role.MOMENT]

BUGS: Mapping[str, Bug] = {
    "shares-transaction": Bug(
        "Uses one connection to the database for all requests, so a bad batch rolls back events of others.",
        SharesTransaction,
    ),
    "bans-after-oversized-body": Bug(
        "Rejects everything from a sender after one oversized body.", BansAfterOversizedBody
    ),
    "fails-after-storing": Bug(
        "Stores a batch, responds 500 the first time, and stores the retry as well.", FailsAfterStoring
    ),
    "commits-per-event": Bug(
        f"Commits event by event, so a batch with an event without {_MOMENT} is stored in part, again at each retry.",
        CommitsPerEvent,
    ),
    "throttles-backlog": Bug("Responds 429 after 60 full batches in a minute.", ThrottlesBacklog),
    "leaks-connection-on-disconnect": Bug(
        "Loses one of its five database connections whenever a sender disconnects in the middle of a body.",
        LeaksConnectionOnDisconnect,
    ),
    "keeps-lock-after-bad-body": Bug(
        "Takes a lock to parse a batch, keeps it if parsing fails, and responds 503 from then on.",
        KeepsLockAfterBadBody,
    ),
    "never-rolls-back": Bug(
        "Leaves the transaction of its only connection aborted after an error, so everything after it fails.",
        NeverRollsBack,
    ),
    "leaks-connection-on-error": Bug(
        "Loses one of its five database connections whenever a batch cannot be stored.", LeaksConnectionOnError
    ),
    "recounts-after-full-batch": Bug(
        "Recounts all events under one lock after each full batch, so it stores fewer than 50 events in a second.",
        RecountsAfterFullBatch,
    ),
    "breaks-own-probe": Bug(
        "Stores text with NUL, which the page that reports the stored events cannot show.", BreaksOwnProbe
    ),
    "fills-buffer": Bug("Responds 503 once it has buffered more than 101 events of a mailing.", FillsBuffer),
    "binds-variable-per-batch": Bug(
        "Binds one SQL variable for each earlier batch of a mailing, so the 401st batch fails.", BindsVariablePerBatch
    ),
}
