"""Bugs with time: the age of an event, its order among others, the unit of its moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from mockcampaign.model import EventType
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event
from mockcampaign.shape.builtin import NAMES
from mockcampaign.shape.field import Role

HOUR = 60 * 60 * 1_000
DAY = 24 * HOUR


class DropsLateEvents(Consumer):
    newest = 0

    async def process(self, events: list[Event]) -> None:
        accepted = []
        for event in events:
            if self.shapes.time(event) >= self.newest:
                accepted.append(event)
                self.newest = self.shapes.time(event)
        await super().process(accepted)


class DropsEventsFromTheFuture(Consumer):
    """Treats an event that its own clock has not reached as a forgery."""

    async def process(self, events: list[Event]) -> None:
        now = time.time() * 1_000
        await super().process([event for event in events if self.shapes.time(event) <= now])


class StoresCreatedAsLocalTime(Consumer):
    """Stores the local time of Berlin, and takes the first of two equal ones when it reads one."""

    def stored_form(self, event: Event) -> Event:
        moment = self.shapes.moment(event)
        is_repeated = moment is not None and _is_second_of_two(datetime.fromtimestamp(moment / 1_000, UTC))
        return self.shapes.of(event).later(event, -HOUR) if is_repeated else event


def _is_second_of_two(moment: datetime) -> bool:
    """Return whether Berlin's clocks show this time for the second time: after 1:00 UTC on October's last Sunday."""
    return moment.month == 10 and moment.day > 24 and moment.isoweekday() == 7 and moment.hour == 1


class DropsLateEventsOfAMail(Consumer):
    """Requires the events of a mail to arrive in order."""

    def prepare(self) -> None:
        self.newest: dict[str, int] = {}

    async def process(self, events: list[Event]) -> None:
        accepted = []
        for event in events:
            mail = f"{self.shapes.mail(event)} {self.shapes.get(event, Role.TYPE)}"
            if self.shapes.time(event) >= self.newest.get(mail, 0):
                accepted.append(event)
                self.newest[mail] = self.shapes.time(event)
        await super().process(accepted)


class LastArrivalWins(Consumer):
    """Stores the last event to arrive for each mail as the newest one."""

    def prepare(self) -> None:
        self.last = super().end_state()

    async def process(self, events: list[Event]) -> None:
        await super().process(events)
        self.last |= {self.shapes.mail(event): event for event in events}

    def end_state(self) -> dict[str, Event]:
        return self.last


class DropsClicksBeforeOpen(Consumer):
    """Joins clicks with the opens of their mails, and drops clicks without one."""

    def prepare(self) -> None:
        self.opened: set[str] = set()

    async def process(self, events: list[Event]) -> None:
        mail, event_type = self.shapes.mail, self.shapes.event_type
        self.opened.update(mail(event) for event in events if event_type(event) is EventType.OPEN)
        await super().process(
            [event for event in events if event_type(event) is not EventType.CLICK or mail(event) in self.opened]
        )


class DropsEventsOlderThanADay(Consumer):
    newest = 0

    async def process(self, events: list[Event]) -> None:
        self.newest = max([self.newest, *map(self.shapes.time, events)])
        await super().process([event for event in events if self.shapes.time(event) > self.newest - DAY])


class DropsEventsByWallClock(Consumer):
    async def process(self, events: list[Event]) -> None:
        yesterday = time.time() * 1_000 - DAY
        await super().process([event for event in events if self.shapes.time(event) > yesterday])


class CursorOnCreated(Consumer):
    """Keeps a cursor at the time of the newest event, and stores the events after it."""

    cursor = 0

    async def process(self, events: list[Event]) -> None:
        accepted = [event for event in events if self.shapes.time(event) > self.cursor]
        await super().process(accepted)
        self.cursor = max([self.cursor, *map(self.shapes.time, accepted)])


class ParsesCreatedAsSeconds(Consumer):
    def stored_form(self, event: Event) -> Event:
        moment = self.shapes.get(event, Role.MOMENT)
        if isinstance(moment, int):
            datetime.fromtimestamp(moment, UTC)  # out of range in milliseconds
        return event


class TruncatesCreatedToSeconds(Consumer):
    def stored_form(self, event: Event) -> Event:
        moment = self.shapes.moment(event)
        return event if moment is None else self.shapes.of(event).at(event, moment // 1_000 * 1_000)


_MOMENT = NAMES[Role.MOMENT]

BUGS: Mapping[str, Bug] = {
    "drops-events-from-the-future": Bug(
        "Responds 200 and drops events that are newer than its own clock.", DropsEventsFromTheFuture
    ),
    "stores-created-as-local-time": Bug(
        "Stores the time of events as local time without its zone, so an hour in autumn is that before it.",
        StoresCreatedAsLocalTime,
    ),
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
        f"Keeps a cursor on {_MOMENT}, so later batches lose events of the same millisecond.",
        CursorOnCreated,
    ),
    "parses-created-as-seconds": Bug(
        f"Parses {_MOMENT} as seconds, and responds 500 because the year is out of range.",
        ParsesCreatedAsSeconds,
    ),
    "truncates-created-to-seconds": Bug(f"Stores {_MOMENT} without its milliseconds.", TruncatesCreatedToSeconds),
}
