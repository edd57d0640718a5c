"""Mistakes with time: how old an event may be, what came first, and in what unit it is told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer, moment
from mockcampaign.samples.store import Event, Store

DAY = 24 * 60 * 60 * 1_000


class DropsLateEvents(Consumer):
    newest = 0

    async def process(self, events: list[Event]) -> None:
        taken = []
        for event in events:
            if moment(event) >= self.newest:
                taken.append(event)
                self.newest = moment(event)
        await super().process(taken)


class DropsLateEventsOfAMail(Consumer):
    """Keeps a mail's events in order, as long as they come in order."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.newest: dict[str, int] = {}

    async def process(self, events: list[Event]) -> None:
        taken = []
        for event in events:
            mail = f"{event.get('mailId')} {event.get('type')}"
            if moment(event) >= self.newest.get(mail, 0):
                taken.append(event)
                self.newest[mail] = moment(event)
        await super().process(taken)


class LastArrivalWins(Consumer):
    """Keeps beside its events what it takes for the newest of each mail: the one that came last."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.last = super().end_state()

    async def process(self, events: list[Event]) -> None:
        await super().process(events)
        self.last |= {str(event.get("mailId")): event for event in events}

    def end_state(self) -> dict[str, Event]:
        return self.last


class DropsClicksBeforeOpen(Consumer):
    """Joins clicks with the opens of their mails, and loses those that have none yet."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.opened: set[str] = set()

    async def process(self, events: list[Event]) -> None:
        self.opened.update(str(event.get("mailId")) for event in events if event.get("type") == "open")
        await super().process(
            [event for event in events if event.get("type") != "click" or str(event.get("mailId")) in self.opened]
        )


class DropsEventsOlderThanADay(Consumer):
    newest = 0

    async def process(self, events: list[Event]) -> None:
        self.newest = max([self.newest, *map(moment, events)])
        await super().process([event for event in events if moment(event) > self.newest - DAY])


class DropsEventsByWallClock(Consumer):
    async def process(self, events: list[Event]) -> None:
        today = time.time() * 1_000 - DAY
        await super().process([event for event in events if moment(event) > today])


class CursorOnCreated(Consumer):
    """Keeps a cursor at the newest moment, and takes what is beyond it."""

    cursor = 0

    async def process(self, events: list[Event]) -> None:
        taken = [event for event in events if moment(event) > self.cursor]
        await super().process(taken)
        self.cursor = max([self.cursor, *map(moment, taken)])


class ParsesCreatedAsSeconds(Consumer):
    def kept(self, event: Event) -> Event:
        created: Any = event.get("created")
        if isinstance(created, int):
            datetime.fromtimestamp(created, UTC)  # out of range in milliseconds
        return event


class TruncatesCreatedToSeconds(Consumer):
    def kept(self, event: Event) -> Event:
        return event | {"created": moment(event) // 1_000 * 1_000} if "created" in event else event


BUGS: Mapping[str, Bug] = {
    "drops-late-events": Bug("Drops events that are older than the newest event it has stored.", DropsLateEvents),
    "drops-late-events-of-a-mail": Bug(
        "Drops events that are older than the newest event of their mail.", DropsLateEventsOfAMail
    ),
    "last-arrival-wins": Bug(
        "Takes the last event to arrive for a mail's newest one, even if it is late or redelivered.", LastArrivalWins
    ),
    "drops-clicks-before-open": Bug(
        "Joins clicks with the opens of their mails, so a click that arrives before its open is lost.",
        DropsClicksBeforeOpen,
    ),
    "drops-events-older-than-a-day": Bug(
        "Drops events that are more than a day older than the newest event it has stored.", DropsEventsOlderThanADay
    ),
    "drops-events-by-wall-clock": Bug(
        "Drops events that are more than a day old by its own clock.", DropsEventsByWallClock
    ),
    "cursor-on-created": Bug(
        "Keeps a cursor on created, so later batches lose events of the same millisecond.",
        CursorOnCreated,
    ),
    "parses-created-as-seconds": Bug(
        "Parses created as seconds, and responds 500 because the year is out of range.", ParsesCreatedAsSeconds
    ),
    "truncates-created-to-seconds": Bug("Stores created without its milliseconds.", TruncatesCreatedToSeconds),
}
