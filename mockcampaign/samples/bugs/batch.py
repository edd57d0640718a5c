"""Bugs with batches: with their size, with events of several mailings, with identical events."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.samples.store import Event, Identity
from mockcampaign.shape.builtin import NAMES
from mockcampaign.shape.field import Role


def selecting(select: Callable[[list[Event]], list[Event]]) -> type[Consumer]:
    """Return a consumer that stores some events of a batch, and acknowledges all."""

    class Selecting(Consumer):
        async def process(self, events: list[Event]) -> None:
            await super().process(select(events))

    return Selecting


def selecting_by_shape(select: Callable[[KnownShapes, list[Event]], list[Event]]) -> type[Consumer]:
    """Return a consumer that stores some events of a batch by what they say, and acknowledges all."""

    class SelectingByShape(Consumer):
        async def process(self, events: list[Event]) -> None:
            await super().process(select(self.shapes, events))

    return SelectingByShape


class RejectsFullBatch(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if len(events) >= 100:
            raise HTTPException(413, "at most 99 events")
        return events


class RejectsMixedMailings(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if len({str(self.shapes.get(event, Role.MAILING)) for event in events}) > 1:
            raise HTTPException(400, "one mailing for each request")
        return events


class RejectsManyIdenticalEvents(Consumer):
    identical_max = 10

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if max(Counter(map(self.key, events)).values(), default=0) > self.identical_max:
            raise HTTPException(400, "the same event too often")
        return events


class RejectsIdenticalEvents(Consumer):
    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        rows: dict[Identity, Event] = {}
        for event in events:
            identity = (self.key(event), 1)
            if identity in self.store:
                continue
            if identity in rows:
                raise ValueError("UNIQUE constraint failed: event.hash")
            rows[identity] = event
        return rows


def _unique_in_batch(events: list[Event]) -> list[Event]:
    return [event for event in events if events.count(event) == 1]


def _by_recipient(shapes: KnownShapes, events: list[Event]) -> list[Event]:
    return list({shapes.recipient(event): event for event in events}.values())


def _of_first_mailing(shapes: KnownShapes, events: list[Event]) -> list[Event]:
    mailings = [shapes.get(event, Role.MAILING) for event in events]
    return [event for event, mailing in zip(events, mailings, strict=True) if mailing == mailings[0]]


def _with_first_recipient_list(shapes: KnownShapes, events: list[Event]) -> list[Event]:
    first = shapes.get(events[0], Role.RECIPIENT_LIST) if events else None
    return [shapes.of(event).put(event, Role.RECIPIENT_LIST, first) for event in events]


class SharesBatchVariable(Consumer):
    """Stores the batch in an attribute, which the next request overwrites while this one waits."""

    events: list[Event]

    async def handle(self, request: Request) -> Response:
        if not self.is_authenticated(request):
            return await super().handle(request)
        self.events = self.parse(await self.read_body(request))
        await asyncio.sleep(0.002)
        await self.process(self.events)
        return self.respond(self.events)


class TruncatesBodyAt64KiB(Consumer):
    """Puts the body into a column of 65,535 bytes, which truncates a longer one silently, and parses it afterwards."""

    bytes_max = 65_535

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        return events if len(body) <= self.bytes_max else []  # unreadable: logged, and continued with the next one


class SkipsEventsOfLongRecipientIds(Consumer):
    """Inserts each event by a statement of its own into a column of 200 characters, and logs what fails."""

    characters_max = 200

    async def process(self, events: list[Event]) -> None:
        await super().process([e for e in events if len(str(self.shapes.recipient(e))) <= self.characters_max])


class IndexesTexts(Consumer):
    """Has a unique index on all texts of an event, whose rows the database compresses, and which it limits."""

    bytes_max = 767

    async def process(self, events: list[Event]) -> None:
        rows = (zlib.compress("".join(self.shapes.texts(event)).encode()) for event in events)
        if max(map(len, rows), default=0) > self.bytes_max:
            raise ValueError("the index row is too long")
        await super().process(events)


_RECIPIENT = NAMES[Role.RECIPIENT]
_RECIPIENT_LIST = NAMES[Role.RECIPIENT_LIST]

BUGS: Mapping[str, Bug] = {
    "stores-first-event-only": Bug("Stores only the first event of a batch.", selecting(lambda events: events[:1])),
    "stores-last-event-only": Bug("Stores only the last event of a batch.", selecting(lambda events: events[-1:])),
    "loses-odd-event": Bug(
        "Processes events in pairs, and loses the last event of a batch with an odd number of them.",
        selecting(lambda events: events[: len(events) // 2 * 2]),
    ),
    "loses-100th-event": Bug(
        "Stores at most 99 events of a batch, so the last event of a full one is lost.",
        selecting(lambda events: events[:99]),
    ),
    "rejects-full-batch": Bug("Responds 413 to a batch of 100 events.", RejectsFullBatch),
    "rejects-identical-events": Bug(
        "Responds 500 to a batch with two identical events, which violate its unique index.", RejectsIdenticalEvents
    ),
    "rejects-many-identical-events": Bug(
        "Responds 400 to a batch that contains an event more than ten times, because it suspects abuse.",
        RejectsManyIdenticalEvents,
    ),
    "drops-identical-events": Bug(
        "Removes every event that is not unique in its batch, as pandas' drop_duplicates(keep=False) does.",
        selecting(_unique_in_batch),
    ),
    "stores-one-event-per-recipient": Bug(
        f"Puts a batch into a dictionary by {_RECIPIENT}, so only the last event of each recipient is stored.",
        selecting_by_shape(_by_recipient),
    ),
    "stores-first-mailing-only": Bug(
        "Assumes that a batch belongs to one mailing, and loses the events of all others.",
        selecting_by_shape(_of_first_mailing),
    ),
    "rejects-mixed-mailings": Bug("Responds 400 to a batch with events of several mailings.", RejectsMixedMailings),
    "shares-batch-variable": Bug(
        "Holds the current batch in a variable that all requests share, so one of two concurrent batches is lost.",
        SharesBatchVariable,
    ),
    "truncates-body-at-64-kib": Bug(
        "Stores bodies in a column of 64 KiB, which truncates longer ones silently, so none of their events is read.",
        TruncatesBodyAt64KiB,
    ),
    "skips-events-of-long-recipient-ids": Bug(
        "Inserts events singly, and only logs those whose recipient id is longer than its column of 200 characters.",
        SkipsEventsOfLongRecipientIds,
    ),
    "indexes-texts": Bug(
        "Has a unique index on the texts themselves, and responds 500 to events for which its rows are too long.",
        IndexesTexts,
    ),
    "copies-first-recipient-list": Bug(
        f"Stores every event of a batch with the {_RECIPIENT_LIST} of the first one.",
        selecting_by_shape(_with_first_recipient_list),
    ),
}
