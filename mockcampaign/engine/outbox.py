"""One webhook's delivery machine: what is pending, what is due when, and what an outcome leads to.

It is told the time and the outcomes, and returns what should be sent and what has to be discarded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from mockcampaign.model import Event
from mockcampaign.policy import Policy

Events = tuple[Event, ...]


class Idle(msgspec.Struct, frozen=True):
    """Nothing is waiting to be sent."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """A list is to be sent at a moment, as soon as the webhook is activated."""

    at: int
    number: int
    """Number of the attempt to come. A first attempt's list is formed only when it starts."""
    events: Events
    """The list of a retry, in order; empty for a first attempt."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A list is on its way; there is at most one for each webhook (assumed)."""

    webhook_id: int
    number: int
    started_at: int
    events: Events


IDLE = Idle()


class Outbox:
    """The pending events of one webhook.

    Events leave oldest first. They are kept ordered by creation, so that what expires next is always at the front.
    """

    __slots__ = ("_activated", "_backlog", "_deleted", "_policy", "_state", "wake_at", "webhook_id")

    def __init__(self, webhook_id: int, policy: Policy) -> None:
        self.webhook_id = webhook_id
        self.wake_at: int | None = None
        """Bookkeeping of whoever wakes this outbox: the moment for which that is arranged."""
        self._policy = policy
        self._backlog: deque[Event] = deque()
        self._state: Idle | Due | Attempt = IDLE
        self._activated = False
        self._deleted = False

    @property
    def state(self) -> Idle | Due | Attempt:
        """Exactly one at any time."""
        return self._state

    @property
    def pending(self) -> list[Event]:
        """Accepted, and neither delivered nor discarded; what is on its way counts."""
        held = () if isinstance(self._state, Idle) else self._state.events
        return [*held, *self._backlog]

    @property
    def idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        return self._state is IDLE or not (self._activated or isinstance(self._state, Attempt))

    def next_at(self) -> int | None:
        """When to look again: the due moment or the next expiry, whichever is earlier; None if neither will come."""
        state = self._state
        at = None
        age_max = self._policy.event_age_max
        if isinstance(state, Due):
            if self._activated:
                at = state.at
            if state.events:
                expiry = state.events[0].created + age_max
                if at is None or expiry < at:
                    at = expiry
        if self._backlog:
            expiry = self._backlog[0].created + age_max
            if at is None or expiry < at:
                at = expiry
        return at

    def accept(self, events: Iterable[Event], now: int) -> None:
        """Take over events that happened while the webhook was activated; they are due at once."""
        newest = self._backlog[-1] if self._backlog else None
        in_order = True
        for event in events:
            if newest is not None and _age_order(event) < _age_order(newest):
                in_order = False
            newest = event
            self._backlog.append(event)
        if not in_order:
            self._backlog = deque(sorted(self._backlog, key=_age_order))
        if self._state is IDLE and self._backlog:
            self._state = Due(now, 1, ())

    def activate(self, now: int) -> None:
        """Resume: a retry keeps its moment if that is still to come, everything else is due at once (assumed)."""
        self._activated = True
        if isinstance(self._state, Due) and self._state.at < now:
            self._state = msgspec.structs.replace(self._state, at=now)

    def deactivate(self) -> None:
        """Start nothing more. What is pending stays, and its three days run on (assumed)."""
        self._activated = False

    def delete(self) -> Events:
        """Give up all that is pending, and return it; a list on its way is decided by its outcome."""
        self._activated = False
        self._deleted = True
        discarded = tuple(self._backlog)
        self._backlog.clear()
        if isinstance(self._state, Due):
            discarded = self._state.events + discarded
            self._state = IDLE
        return discarded

    def expire(self, now: int) -> Events:
        """Drop, and return, what has reached the greatest age; a list on its way is left until its outcome is known.

        "Discarded three days after its creation" is documented for each event by itself.
        """
        newest_created = now - self._policy.event_age_max
        discarded: Events = ()
        state = self._state
        if isinstance(state, Due) and state.events and state.events[0].created <= newest_created:
            survivors = tuple(event for event in state.events if event.created > newest_created)
            discarded = state.events[: len(state.events) - len(survivors)]
            self._state = Due(state.at, state.number if survivors else 1, survivors)
        backlog = self._backlog
        while backlog and backlog[0].created <= newest_created:
            discarded += (backlog.popleft(),)
        if discarded and not backlog and isinstance(self._state, Due) and not self._state.events:
            self._state = IDLE
        return discarded

    def start(self, now: int) -> Attempt | None:
        """The attempt to make now, or None where none is due. Call `expire` for the same moment first."""
        state = self._state
        if not isinstance(state, Due) or not self._activated or state.at > now:
            return None
        events = state.events
        if (state.number == 1 or self._policy.refill) and self._backlog and len(events) < self._policy.batch_events_max:
            events = self._topped_up(events)
        attempt = Attempt(self.webhook_id, state.number, now, events)
        self._state = attempt
        return attempt

    def finish(self, accepted: bool, now: int) -> Events:
        """Conclude the attempt on its way; returns the events that are thereby discarded (the webhook was deleted)."""
        attempt = self._state
        assert isinstance(attempt, Attempt), "finish without an attempt on its way"
        if accepted:
            self._state = Due(now, 1, ()) if self._backlog else IDLE
            return ()
        if self._deleted:
            self._state = IDLE
            return attempt.events
        self._state = Due(now + self._policy.retry_interval, attempt.number + 1, attempt.events)
        return ()

    def _topped_up(self, events: Events) -> Events:
        room = self._policy.batch_events_max - len(events)
        newer = [self._backlog.popleft() for _ in range(min(room, len(self._backlog)))]
        return tuple(sorted([*events, *newer], key=_age_order)) if events else tuple(newer)


def _age_order(event: Event) -> tuple[int, int]:
    return event.created, event.serial
