"""Mistakes that show when something fails: the consumer itself, its process, or the sender before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.bugs.redelivery import CountsRepeats
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity, Store


class FailsAfterStoring(CountsRepeats):
    """Loses its connection to whatever it reports to, the first time a list comes."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[bytes] = set()

    def answer(self, events: list[Event]) -> Response:
        body = msgspec.json.encode(events)
        if body not in self.seen:
            self.seen.add(body)
            raise ConnectionError
        return super().answer(events)


class CommitsEventByEvent(CountsRepeats):
    """Falls over an event without a moment when those before it are stored; a list that was stored whole is known."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        for event in [event for identity, event in identified.items() if identity not in self.seen]:
            datetime.fromtimestamp(event["created"] / 1_000, UTC)
            await super().process([event])
        self.seen.update(identified)


class ThrottlesBacklogs(Consumer):
    lists_per_minute = 60

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.full: list[float] = []

    async def process(self, events: list[Event]) -> None:
        now = time.monotonic()
        if len(events) == 100:  # others cost too little to be counted
            self.full = [at for at in self.full if at > now - 60]
            if len(self.full) >= self.lists_per_minute:
                raise HTTPException(429, "too many requests", {"Retry-After": "60"})
            self.full.append(now)
        await super().process(events)


class LeaksOnHangUp(Consumer):
    """Takes a place of a small pool for each request, and gives it back where all went well."""

    places = 5

    async def read(self, request: Request) -> bytes:
        if self.places == 0:
            raise HTTPException(503, "no connection is free")
        self.places -= 1
        body = await super().read(request)
        self.places += 1
        return body


class SharesItsTransaction(Consumer):
    """Has one connection for all requests, so that each of them rolls back what others have not committed yet."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.uncommitted: dict[Identity, Event] = {}

    async def process(self, events: list[Event]) -> None:
        try:
            for number, (identity, event) in enumerate(self.identified(events).items()):
                datetime.fromtimestamp(event["created"] / 1_000, UTC)
                self.uncommitted[identity] = event
                if number % 10 == 9:
                    await asyncio.sleep(0)
        except Exception:
            self.uncommitted.clear()
            raise
        self.store.add(self.uncommitted)
        self.uncommitted.clear()


class StaysBusyAfterGarbage(Consumer):
    busy = False

    def parse(self, body: bytes) -> list[Event]:
        if self.busy:
            raise HTTPException(503, "busy")
        self.busy = True
        events = super().parse(body)
        self.busy = False
        return events


class BansAfterALongBody(Consumer):
    """Bans who sends far too much, as firewalls do, for longer than the reason lasts."""

    body_bytes_max = 10_000_000
    banned = False

    async def read(self, request: Request) -> bytes:
        if self.banned:
            raise HTTPException(403, "banned")
        body = await super().read(request)
        if len(body) > self.body_bytes_max:
            self.banned = True
            raise HTTPException(413, "too long")
        return body


class FillsABuffer(Consumer):
    """Collects a mailing's events until a job has summed them up, and has room for so many."""

    room = 101

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.buffered: dict[str, int] = {}

    async def process(self, events: list[Event]) -> None:
        mailing = str(events[0].get("mailingId")) if events else ""
        if self.buffered.get(mailing, 0) > self.room:
            raise HTTPException(503, "the buffer is full")
        self.buffered[mailing] = self.buffered.get(mailing, 0) + len(events)
        await super().process(events)


class BindsAVariableForEachList(Consumer):
    """Asks for the mailing's earlier lists with one bound variable for each, of which the database allows so many."""

    variables_max = 400

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.lists: dict[object, int] = {}

    async def process(self, events: list[Event]) -> None:
        mailing = str(events[0].get("mailingId")) if events else ""
        if self.lists.get(mailing, 0) >= self.variables_max:
            raise OverflowError("too many SQL variables")
        self.lists[mailing] = self.lists.get(mailing, 0) + 1
        await super().process(events)


class CommitsEveryTenLists(Consumer):
    """Shows what it holds, and writes it down when it is worth a commit."""

    lists = 10

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.durable = store
        self.store = _InMemory(store)
        self.uncommitted: dict[Identity, Event] = {}
        self.count = 0

    async def process(self, events: list[Event]) -> None:
        identified = self.identified([self.kept(event) for event in events])
        self.store.add(identified)
        self.uncommitted |= identified
        self.count += 1
        if self.count % self.lists == 0:
            self.durable.add(self.uncommitted)
            self.uncommitted = {}


class WritesBehind(CommitsEveryTenLists):
    """Answers at once, and writes it down a little later."""

    seconds = 0.2

    async def process(self, events: list[Event]) -> None:
        identified = self.identified([self.kept(event) for event in events])
        self.store.add(identified)
        asyncio.get_running_loop().call_later(self.seconds, self.durable.add, identified)


class KeepsKeysInMemory(CountsRepeats):
    """What it has processed is written down, what it must not process again is not."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.seen])
        self.seen.update(identified)


class ForgetsEverything(Consumer):
    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(Store(), basic_authentication)


class _InMemory(Store):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self._events = dict(store._events)


BUGS: Mapping[str, Bug] = {
    "shares-its-transaction": Bug(
        "has one connection for all requests, and rolls back with a bad list what is stored of others",
        SharesItsTransaction,
    ),
    "bans-after-a-long-body": Bug(
        "refuses all that comes from an address once a body from there was far too long", BansAfterALongBody
    ),
    "fails-after-storing": Bug(
        "stores a list, then answers 500 the first time, and stores it again when it comes again", FailsAfterStoring
    ),
    "commits-event-by-event": Bug(
        "answers 500 at an event without a moment, has stored those before it, and stores them at each retry",
        CommitsEventByEvent,
    ),
    "throttles-backlogs": Bug("answers 429 after 60 full lists within a minute", ThrottlesBacklogs),
    "leaks-on-hang-up": Bug(
        "loses one of five connections to its database whenever a sender hangs up within a body", LeaksOnHangUp
    ),
    "stays-busy-after-garbage": Bug(
        "takes a lock to read a list, keeps it where that fails, and answers 503 ever after", StaysBusyAfterGarbage
    ),
    "fills-a-buffer": Bug(
        "answers 503 when it has more than 101 events of a mailing, until a job has summed them up", FillsABuffer
    ),
    "binds-a-variable-for-each-list": Bug(
        "fails at a mailing's 401st list, with too many SQL variables", BindsAVariableForEachList
    ),
    "commits-every-ten-lists": Bug(
        "writes to disk with every tenth list, and has acknowledged the others", CommitsEveryTenLists
    ),
    "writes-behind": Bug("answers at once, and writes down what it got 200 ms later", WritesBehind),
    "keeps-keys-in-memory": Bug(
        "keeps events on disk and the keys it knows them by in memory: after a restart, repetitions count",
        KeepsKeysInMemory,
    ),
    "forgets-everything": Bug("keeps everything in memory only", ForgetsEverything),
}
