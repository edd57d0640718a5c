"""Events that occur at a virtual moment: made beforehand, or only when they are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Protocol

import msgspec

from mockcampaign.model import EventType


class EventsDue(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one type that recipients of a client's mailings cause at one moment."""

    client_id: int
    type: EventType
    payloads: tuple[tuple[int, bytes], ...]
    """The creation of each event in milliseconds, and its encoded payload."""


class FutureEvent(Protocol):
    """An event that is made only when it occurs."""

    @property
    def at(self) -> int:
        """Milliseconds since 1970."""

    @property
    def type(self) -> EventType:
        """The type, which decides which webhooks export it."""

    def payload(self) -> bytes:
        """Return the encoded payload."""


class EventStream(msgspec.Struct):
    """Events of one client in the order in which they occur. Only the next one is on the clock."""

    client_id: int
    following: FutureEvent
    rest: Iterator[FutureEvent]

    def take(self, now: int, is_wanted: Callable[[EventType], bool]) -> tuple[list[EventsDue], EventStream | None]:
        """Return the events that are due now, made if they are wanted, and the stream of those that come later."""
        due: dict[EventType, list[tuple[int, bytes]]] = {}
        later = None
        for event in chain((self.following,), self.rest):
            if event.at > now:
                later = EventStream(self.client_id, event, self.rest)
                break
            if is_wanted(event.type):
                due.setdefault(event.type, []).append((event.at, event.payload()))
        return (
            [
                EventsDue(client_id=self.client_id, type=event_type, payloads=tuple(payloads))
                for event_type, payloads in due.items()
            ],
            later,
        )


def event_stream(client_id: int, events: Iterator[FutureEvent]) -> EventStream | None:
    """Return the stream of a client's events, which are in order of time, or None if there are none."""
    following = next(events, None)
    return None if following is None else EventStream(client_id, following, events)
