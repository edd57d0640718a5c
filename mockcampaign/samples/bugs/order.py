"""Bugs with time: the age of an event, its order among others, the unit of `created`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer, event_time
from mockcampaign.samples.store import Event, Store

DAY = 24 * 60 * 60 * 1_000


class DropsLateEvents(Consumer):
    newest = 0

    async def process(self, events: list[Event]) -> None:
        accepted = []
        for event in events:
            if event_time(event) >= self.newest:
                accepted.append(event)
                self.newest = event_time(event)
        await super().process(accepted)


class DropsLateEventsOfAMail(Consumer):
    """Requires the events of a mail to arrive in order."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.newest: dict[str, int] = {}

    async def process(self, events: list[Event]) -> None:
        accepted = []
        for event in events:
            mail = f"{event.get('mailId')} {event.get('type')}"
            if event_time(event) >= self.newest.get(mail, 0):
                accepted.append(event)
                self.newest[mail] = event_time(event)
        await super().process(accepted)


class LastArrivalWins(Consumer):
    """Stores the last event to arrive for each mail as the newest one."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.last = super().end_state()

    async def process(self, events: list[Event]) -> None:
        await super().process(events)
        self.last |= {str(event.get("mailId")): event for event in events}

    def end_state(self) -> dict[str, Event]:
        return self.last


class DropsClicksBeforeOpen(Consumer):
    """Joins clicks with the opens of their mails, and drops clicks without one."""

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
        self.newest = max([self.newest, *map(event_time, events)])
        await super().process([event for event in events if event_time(event) > self.newest - DAY])


class DropsEventsByWallClock(Consumer):
    async def process(self, events: list[Event]) -> None:
        yesterday = time.time() * 1_000 - DAY
        await super().process([event for event in events if event_time(event) > yesterday])


class CursorOnCreated(Consumer):
    """Keeps a cursor at the newest `created`, and stores the events after it."""

    cursor = 0

    async def process(self, events: list[Event]) -> None:
        accepted = [event for event in events if event_time(event) > self.cursor]
        await super().process(accepted)
        self.cursor = max([self.cursor, *map(event_time, accepted)])


class ParsesCreatedAsSeconds(Consumer):
    def stored_form(self, event: Event) -> Event:
        created: Any = event.get("created")
        if isinstance(created, int):
            datetime.fromtimestamp(created, UTC)  # out of range in milliseconds
        return event


class TruncatesCreatedToSeconds(Consumer):
    def stored_form(self, event: Event) -> Event:
        return event | {"created": event_time(event) // 1_000 * 1_000} if "created" in event else event


BUGS: Mapping[str, Bug] = {
    "drops-late-events": Bug("Drops events that are older than the newest event it has stored.", DropsLateEvents),
    "drops-late-events-of-a-mail": Bug(
        "Drops events that are older than the newest event of their mail.", DropsLateEventsOfAMail
    ),
    "last-arrival-wins": Bug(
        "Treats the last event to arrive as a mail's newest one, even if it is late or redelivered.", LastArrivalWins
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
