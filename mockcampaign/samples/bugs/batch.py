"""Mistakes with lists: that they have several events, of several mailings, of which two may be equal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity


def selecting(select: Callable[[list[Event]], list[Event]]) -> type[Consumer]:
    """One that processes some events of a list, and acknowledges all."""

    class Selecting(Consumer):
        async def process(self, events: list[Event]) -> None:
            await super().process(select(events))

    return Selecting


class RefusesFullLists(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if len(events) >= 100:
            raise HTTPException(413, "at most 99 events")
        return events


class RefusesMixedLists(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if len({str(event.get("mailingId")) for event in events}) > 1:
            raise HTTPException(400, "one mailing for each request")
        return events


class RefusesManyEquals(Consumer):
    equals_max = 10

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if max(Counter(map(self.key, events)).values(), default=0) > self.equals_max:
            raise HTTPException(400, "the same event too often")
        return events


class RefusesTwins(Consumer):
    def identified(self, events: list[Event]) -> dict[Identity, Event]:
        rows: dict[Identity, Event] = {}
        for event in events:
            identity = (self.key(event), 1)
            if identity in self.store:
                continue
            if identity in rows:
                raise ValueError("UNIQUE constraint failed: event.hash")
            rows[identity] = event
        return rows


def _without_twins(events: list[Event]) -> list[Event]:
    return [event for event in events if events.count(event) == 1]


def _by_recipient(events: list[Event]) -> list[Event]:
    return list({event.get("recipientId"): event for event in events}.values())


def _of_one_mailing(events: list[Event]) -> list[Event]:
    return [event for event in events if event.get("mailingId") == events[0].get("mailingId")]


def _with_the_first_list(events: list[Event]) -> list[Event]:
    return [event | {"userListId": events[0].get("userListId")} for event in events]


class SharesItsList(Consumer):
    """Keeps the list at hand where the next request finds it, and meanwhile asks somebody something."""

    events: list[Event]

    async def take(self, request: Request) -> Response:
        if not self.lets_in(request):
            return await super().take(request)
        self.events = self.parse(await self.read(request))
        await asyncio.sleep(0.002)
        await self.process(self.events)
        return self.answer(self.events)


BUGS: Mapping[str, Bug] = {
    "first-event-only": Bug("reads only the first event of a list", selecting(lambda events: events[:1])),
    "last-event-only": Bug("keeps only the last event of a list", selecting(lambda events: events[-1:])),
    "forgets-odd-remainder": Bug(
        "works in pairs, and loses the last event of an odd list",
        selecting(lambda events: events[: len(events) // 2 * 2]),
    ),
    "forgets-the-hundredth": Bug(
        "counts to 99, and loses the last event of a full list", selecting(lambda events: events[:99])
    ),
    "refuses-full-lists": Bug("answers 413 to lists of 100 events", RefusesFullLists),
    "refuses-twins": Bug("answers 500 to a list with two equal events, which break its unique index", RefusesTwins),
    "refuses-many-equals": Bug(
        "answers 400 to a list that holds an event more than ten times, which it takes for abuse", RefusesManyEquals
    ),
    "drops-twins": Bug(
        "removes events that are not unique in a list, as pandas' drop_duplicates(keep=False) does",
        selecting(_without_twins),
    ),
    "one-event-per-recipient": Bug(
        "puts a list into a dictionary by recipient, and loses all but a recipient's last event in it",
        selecting(_by_recipient),
    ),
    "one-mailing-per-list": Bug(
        "takes all events of a list to be of one mailing, and loses those of others", selecting(_of_one_mailing)
    ),
    "refuses-mixed-lists": Bug("answers 400 to a list with events of several mailings", RefusesMixedLists),
    "shares-its-list": Bug(
        "keeps the list at hand in a variable of all requests, and loses one of two that come at once", SharesItsList
    ),
    "one-recipient-list-per-list": Bug(
        "books all events of a list under the recipient list of the first", selecting(_with_the_first_list)
    ),
}
