"""Mistakes with what comes again: later, in another list, on another connection, or at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity, Store

HOUR = 60 * 60 * 1_000


class CountsRepeats(Consumer):
    """Stores whatever comes; a base for those that notice repetitions in a wrong way."""

    def identified(self, events: list[Event]) -> dict[Identity, Event]:
        stored = len(self.store)
        return {(self.key(event), stored + index): event for index, event in enumerate(events)}


class RefusesRepeats(Consumer):
    async def process(self, events: list[Event]) -> None:
        if all(identity in self.store for identity in self.identified(events)):
            raise HTTPException(409, "all of these are known")
        await super().process(events)


def recognising_lists(by: Callable[[list[Event]], bytes]) -> type[Consumer]:
    """One that looks at lists where it should look at events."""

    class RecognisingLists(CountsRepeats):
        def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
            super().__init__(store, basic_authentication)
            self.seen: set[bytes] = set()

        async def process(self, events: list[Event]) -> None:
            if by(events) in self.seen:
                return
            await super().process(events)
            self.seen.add(by(events))

    return RecognisingLists


class StoresWhileItReads(CountsRepeats):
    """Stores events as they come in, and notes at the end that it has had the list."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[Identity] = set()

    async def read(self, request: Request) -> bytes:
        body, stored = b"", 0
        try:
            async for piece in request.stream():
                body += piece
                so_far = whole_events(body)
                await super().process([event for event in so_far[stored:] if (self.key(event), 1) not in self.seen])
                stored = len(so_far)
        except ClientDisconnect:
            raise HTTPException(400) from None
        return body

    async def process(self, events: list[Event]) -> None:
        self.seen.update((self.key(event), 1) for event in events)


def whole_events(body: bytes) -> list[Event]:
    """Those of a list's beginning that are there to their last brace."""
    whole, brace, _ = body.rpartition(b"}")
    try:
        return msgspec.json.decode(whole + brace + b"]", type=list[Event])
    except msgspec.MsgspecError:
        return []


class KnowsTheLastListOnly(CountsRepeats):
    last: list[Event] | None = None

    async def process(self, events: list[Event]) -> None:
        if events == self.last:
            return
        await super().process(events)
        self.last = events


class KnowsPlacesInLists(Consumer):
    def identified(self, events: list[Event]) -> dict[Identity, Event]:
        return {(self.key(event), index): event for index, event in enumerate(events)}


class ForgetsKeys(CountsRepeats):
    """Remembers which events it has had, and not all of them for ever."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: dict[Identity, int] = {}
        """When each happened, in the order in which they were seen."""

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.seen])
        for identity, event in identified.items():
            created = event.get("created")
            self.seen.pop(identity, None)
            self.seen[identity] = created if isinstance(created, int) else 0
        self.forget()

    def forget(self) -> None:
        raise NotImplementedError


def keeping_keys_for(duration: int) -> type[Consumer]:
    """One that forgets what is so many milliseconds older than the newest event."""

    class KeepsKeysFor(ForgetsKeys):
        def forget(self) -> None:
            newest = max(self.seen.values(), default=0)
            self.seen = {identity: at for identity, at in self.seen.items() if at > newest - duration}

    return KeepsKeysFor


class Keeps1000Keys(ForgetsKeys):
    most = 1_000

    def forget(self) -> None:
        while len(self.seen) > self.most:
            del self.seen[next(iter(self.seen))]


class Keeps2000Keys(Keeps1000Keys):
    most = 2_000


class ForgetsWhatCameBack(CountsRepeats):
    """Holds an event's key until its repetition was seen: "then it is confirmed"."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.waiting: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.waiting])
        self.waiting ^= identified.keys()


class KeepsKeysByConnection(CountsRepeats):
    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: dict[object, set[Identity]] = {}

    async def take(self, request: Request) -> Response:
        self.here = self.seen.setdefault(request.client, set())
        return await super().take(request)

    async def process(self, events: list[Event]) -> None:
        here, identified = self.here, Consumer.identified(self, events)
        await super().process([event for identity, event in identified.items() if identity not in here])
        here.update(identified)


class LooksBeforeItInserts(CountsRepeats):
    seconds_for_a_query = 0.02

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        new = {identity: event for identity, event in identified.items() if identity not in self.seen}
        await asyncio.sleep(self.seconds_for_a_query)
        await super().process(list(new.values()))
        self.seen.update(new)


class ForgetsWhatItIsDoing(CountsRepeats):
    """Marks what it works on, and takes the marks away when the sender hangs up: but the work goes on."""

    seconds_for_a_list = 0.03
    seconds_between_looks = 0.005

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.seen: set[Identity] = set()
        self.working: set[Identity] = set()

    async def take(self, request: Request) -> Response:
        if not self.lets_in(request):
            return await super().take(request)  # which refuses it
        events = self.parse(await self.read(request))
        work = asyncio.create_task(self.process(events))
        while not work.done():
            if await request.is_disconnected():
                self.working.clear()
            await asyncio.sleep(self.seconds_between_looks)
        await work
        return self.answer(events)

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.identified(self, events)
        while self.working & identified.keys():
            await asyncio.sleep(self.seconds_between_looks)
        new = {identity: event for identity, event in identified.items() if identity not in self.seen}
        self.working |= new.keys()
        await asyncio.sleep(self.seconds_for_a_list)
        await super().process(list(new.values()))
        self.seen.update(new)
        self.working -= new.keys()


class HasNullInItsKey(Consumer):
    """Has a unique index of columns, in which no null equals another, as SQL has it."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.nulls = 0

    def key(self, event: Event) -> bytes:
        if event.get("device") is not None:
            return super().key(event)
        self.nulls += 1
        return super().key(event) + b" %d" % self.nulls


BUGS: Mapping[str, Bug] = {
    "refuses-repeats": Bug("answers 409 Conflict to a list in which it knows every event", RefusesRepeats),
    "has-null-in-its-key": Bug(
        "has a unique index of columns that may be null, and no null equals another", HasNullInItsKey
    ),
    "counts-repeats": Bug("stores whatever comes, so that every repetition counts", CountsRepeats),
    "recognises-bodies": Bug(
        "knows a repetition by the list's hash, and not where events come again in another list",
        recognising_lists(lambda events: msgspec.json.encode(events)),
    ),
    "recognises-first-events": Bug(
        "knows a repetition by the list's length and first event, and not a list that was topped up",
        recognising_lists(lambda events: msgspec.json.encode((len(events), events[:1]))),
    ),
    "knows-the-last-list-only": Bug("compares a list with the one before it, and with no other", KnowsTheLastListOnly),
    "knows-places-in-lists": Bug(
        "knows events by content and place in the list, and not where they come again at another place",
        KnowsPlacesInLists,
    ),
    "keeps-keys-for-an-hour": Bug(
        "forgets what it has had once it is an hour older than the newest event", keeping_keys_for(HOUR)
    ),
    "keeps-keys-for-a-day": Bug(
        "forgets what it has had once it is a day older than the newest event", keeping_keys_for(24 * HOUR)
    ),
    "keeps-2000-keys": Bug(
        "has a cache for the last 2,000 events, and takes what comes again after a busy hour", Keeps2000Keys
    ),
    "keeps-1000-keys": Bug("remembers the last 1,000 events, and takes what comes again after more", Keeps1000Keys),
    "forgets-what-came-back": Bug(
        "holds an event's key until it came again, and takes it for new when it comes a third time", ForgetsWhatCameBack
    ),
    "keeps-keys-by-connection": Bug(
        "remembers for each connection what came over it", KeepsKeysByConnection, over_sockets=True
    ),
    "stores-while-it-reads": Bug(
        "stores events while a list comes in, and again those of a list that was cut", StoresWhileItReads
    ),
    "forgets-what-it-is-doing": Bug(
        "takes a list again that it is still at work on, once the sender has hung up",
        ForgetsWhatItIsDoing,
        over_sockets=True,
    ),
    "looks-before-it-inserts": Bug(
        "looks first whether it has an event, and stores it then: twice where a list comes twice at a time",
        LooksBeforeItInserts,
    ),
}
