"""Mistakes with one event that a consumer cannot digest, among others that it could."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event


class RequiresDevice(Consumer):
    """Falls over an event without device, and so does the list."""

    def kept(self, event: Event) -> Event:
        if event["device"] is not None:
            event["device"].strip()
        return event


class SkipsWithoutDevice(Consumer):
    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if "device" in event])


class DropsPoisonedLists(RequiresDevice):
    async def process(self, events: list[Event]) -> None:
        with contextlib.suppress(KeyError):  # "logged, and on to the next"
            await super().process(events)


class DropsListsWithNul(Consumer):
    """Uses a store that cannot hold NUL in texts, as PostgreSQL cannot."""

    async def process(self, events: list[Event]) -> None:
        if any("\0" in value for event in events for value in event.values() if isinstance(value, str)):
            return  # "logged, and on to the next"
        await super().process(events)


class StopsAtPoison(RequiresDevice):
    async def process(self, events: list[Event]) -> None:
        for index, event in enumerate(events):
            try:
                self.kept(event)
            except KeyError:
                events = events[:index]
                break
        await super().process(events)


BUGS: Mapping[str, Bug] = {
    "requires-device": Bug("answers 500 to a list in which an event has no device", RequiresDevice),
    "skips-without-device": Bug("leaves events without device out, without a word", SkipsWithoutDevice),
    "drops-poisoned-lists": Bug(
        "logs an event without device as an error, and drops the whole list with its 200", DropsPoisonedLists
    ),
    "drops-lists-with-nul": Bug(
        "logs a text with NUL as an error, and drops the whole list with its 200", DropsListsWithNul
    ),
    "stops-at-poison": Bug(
        "stops at an event without device, and drops it and the rest of the list with its 200", StopsAtPoison
    ),
}
