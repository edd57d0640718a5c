"""One webhook's delivery machine: what is pending, what is due when, and what an outcome leads to.

It is told the time and the outcomes, and returns what should be sent and what has to be discarded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import chain

import msgspec

from mockcampaign.faults import Overlap, Refill, Reorder, last_of
from mockcampaign.model import Event, Fault
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
    redelivered: Events = ()
    """What the list of a retry repeats from lists accepted before."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A list is on its way; there is at most one for each webhook (assumed), duplicates apart."""

    webhook_id: int
    number: int
    started_at: int
    events: Events
    """What the attempt is to deliver; empty for a duplicate, which delivers nothing new."""
    redelivered: Events = ()
    """What the list holds besides: delivered before, or, in a duplicate, another attempt's to deliver."""
    faults: tuple[Fault, ...] = ()
    """Those that hit it."""
    holding: bool = False
    """Whether nothing else of the webhook goes out before this duplicate is over."""

    @property
    def batch(self) -> Events:
        """All that goes out, in order."""
        return _merged(self.redelivered, self.events)

    @property
    def duplicate(self) -> bool:
        """Whether its outcome decides nothing."""
        return not self.events


IDLE = Idle()


class Backlog:
    """Events that are in no list yet, ordered by creation.

    They are held as they came, in tuples that a thousand webhooks can share, and cut from the front by slices: taking
    them one by one was the greater part of the cost of forming a list. A tuple that is just as long as a list is the
    list, of all those webhooks.
    """

    __slots__ = ("_chunks", "_taken", "first", "length")

    def __init__(self) -> None:
        self._chunks: deque[Events] = deque()
        self._taken = 0
        """How many of the first chunk's events are gone already."""
        self.length = 0
        self.first: Event | None = None
        """The oldest."""

    @property
    def all(self) -> Events:
        """Oldest first."""
        return tuple(event for chunk in self._chunks for event in chunk)[self._taken :]

    def extend(self, lists: Sequence[Events]) -> None:
        """Put in events that are ordered by creation. No list is empty."""
        if not lists:
            return
        self.length += sum(map(len, lists))
        if self._chunks and age_order(lists[0][0]) < age_order(self._chunks[-1][-1]):
            merged = tuple(sorted(chain(self.all, *lists), key=age_order))
            self._chunks = deque([merged])
            self._taken = 0
        else:
            self._chunks.extend(lists)
        self.first = self._chunks[0][self._taken]

    def count_created_by(self, moment: int) -> int:
        """How many were created then or before."""
        count, taken = 0, self._taken
        for chunk in self._chunks:
            expired = bisect_right(chunk, moment, lo=taken, key=lambda event: event.created)
            count += expired - taken
            if expired < len(chunk):
                break
            taken = 0
        return count

    def put_back(self, events: Events) -> None:
        """Put back what was taken off last."""
        if self._taken:
            # The rest of the first chunk, so that nothing in it counts as taken any more.
            self._chunks[0] = self._chunks[0][self._taken :]
            self._taken = 0
        self._chunks.appendleft(events)
        self.length += len(events)
        self.first = events[0]

    def take(self, count: int) -> Events:
        """Take off the oldest, as many of `count` as there are."""
        taken: Events = ()
        while self._chunks and len(taken) < count:
            part = self._chunks[0][self._taken : self._taken + count - len(taken)]
            taken = taken + part if taken else part
            self._taken += len(part)
            if self._taken == len(self._chunks[0]):
                self._chunks.popleft()
                self._taken = 0
        self.length -= len(taken)
        self.first = self._chunks[0][self._taken] if self._chunks else None
        return taken


class Outbox:
    """The pending events of one webhook.

    Events leave oldest first. They are kept ordered by creation, so that what expires next is always at the front.
    """

    __slots__ = (
        "_activated",
        "_backlog",
        "_deleted",
        "_delivered",
        "_policy",
        "_state",
        "held",
        "wake_at",
        "webhook_id",
    )

    def __init__(self, webhook_id: int, policy: Policy) -> None:
        self.webhook_id = webhook_id
        self.wake_at: int | None = None
        """Bookkeeping of whoever wakes this outbox: the moment for which that is arranged."""
        self._policy = policy
        self._backlog = Backlog()
        self._state: Idle | Due | Attempt = IDLE
        self._activated = False
        self._deleted = False
        self._delivered: Events = ()
        """The list that was accepted last, as a fault may repeat the end of it."""
        self.held = False
        """Whether a duplicate goes out before anything else."""

    @property
    def state(self) -> Idle | Due | Attempt:
        """Exactly one at any time."""
        return self._state

    @property
    def pending(self) -> list[Event]:
        """Accepted, and neither delivered nor discarded; what is on its way counts."""
        held = () if isinstance(self._state, Idle) else self._state.events
        return [*held, *self._backlog.all]

    @property
    def pending_count(self) -> int:
        """The length of `pending`."""
        return (0 if isinstance(self._state, Idle) else len(self._state.events)) + self._backlog.length

    @property
    def idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        return self._state is IDLE or not (self._activated or isinstance(self._state, Attempt))

    def next_at(self, now: int) -> int | None:
        """When to look again: the due moment or the next expiry, whichever is earlier, but not before now; None if
        neither will come."""
        state = self._state
        at = None
        age_max = self._policy.event_age_max
        if isinstance(state, Due):
            if self._activated and not self.held:
                at = state.at
                if at <= now:
                    return now
            if state.events:
                expiry = state.events[0].created + age_max
                if at is None or expiry < at:
                    at = expiry
        first = self._backlog.first
        if first is not None:
            expiry = first.created + age_max
            if at is None or expiry < at:
                at = expiry
        return now if at is not None and at < now else at

    def accept(self, lists: Sequence[Events], now: int) -> None:
        """Take over events, ordered by creation, that happened while the webhook was activated: due at once.

        They are sent in these lists where the policy allows lists of that length, and nothing else is pending.
        """
        self._backlog.extend(lists)
        if self._state is IDLE and self._backlog.length:
            self._state = Due(now, 1, ())

    def activate(self, now: int) -> None:
        """Resume: a retry keeps its moment if that is still to come, everything else is due at once (assumed)."""
        self._activated = True
        if isinstance(self._state, Due) and self._state.at < now:
            self._state = msgspec.structs.replace(self._state, at=now)

    def deactivate(self) -> None:
        """Start nothing more. What is pending stays, and its three days run on (assumed)."""
        self._activated = False

    def retry(self, now: int) -> None:
        """Make the list that waits due now."""
        if isinstance(self._state, Due):
            self._state = msgspec.structs.replace(self._state, at=now)

    def delete(self) -> Events:
        """Give up all that is pending, and return it; a list on its way is decided by its outcome."""
        self._activated = False
        self._deleted = True
        self._delivered = ()
        discarded = self._backlog.take(self._backlog.length)
        if isinstance(self._state, Due):
            discarded = _merged(self._state.events, discarded)
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
            self._state = (
                Due(state.at, state.number, survivors, state.redelivered) if survivors else Due(state.at, 1, ())
            )
        first = self._backlog.first
        if first is not None and first.created <= newest_created:
            discarded = _merged(discarded, self._backlog.take(self._backlog.count_created_by(newest_created)))
        if discarded and not self._backlog.length and isinstance(self._state, Due) and not self._state.events:
            self._state = IDLE
        return discarded

    def starts(self, now: int) -> bool:
        """Whether an attempt is to be made now. Call `expire` for the same moment first."""
        state = self._state
        return isinstance(state, Due) and self._activated and state.at <= now and not self.held

    def applies(self, fault: Fault) -> bool:
        """Whether a fault would change the attempt to be made now."""
        state = self._state
        assert isinstance(state, Due), "asked without an attempt to be made"
        waiting, events_max = self._backlog.length, self._policy.batch_events_max
        match fault:
            case Reorder():
                return state.number == 1 and waiting > events_max
            case Refill():
                return state.number > 1 and waiting > 0 and len(state.events) + len(state.redelivered) < events_max
            case Overlap():
                return state.number == 1 and events_max > 1 and bool(self._delivered)
            case _:
                return True

    def start(self, now: int, faults: tuple[Fault, ...] = ()) -> Attempt | None:
        """The attempt to make now, hit by these faults, or None where none is due. Call `expire` before."""
        state = self._state
        if not isinstance(state, Due) or not self._activated or state.at > now or self.held:
            return None
        events, redelivered = state.events, state.redelivered
        room = self._policy.batch_events_max
        if faults and state.number == 1:
            overlap = last_of(faults, Overlap)
            if overlap is not None:
                redelivered = self._delivered[-min(overlap.events, room - 1) :]
        if redelivered:
            redelivered = self._young(redelivered, now)
            room -= len(redelivered)
        if self._backlog.length and len(events) < room:
            if state.number == 1:
                events = self._backlog.take(room)
                if faults and last_of(faults, Reorder) is not None:
                    events = self._later_than(events)
            elif self._policy.refill or last_of(faults, Refill) is not None:
                events = _merged(events, self._backlog.take(room - len(events)))
        attempt = Attempt(self.webhook_id, state.number, now, events, redelivered, faults)
        self._state = attempt
        return attempt

    def repeat(
        self, events: Events, number: int, now: int, faults: tuple[Fault, ...], *, holding: bool
    ) -> Attempt | None:
        """A duplicate of a list, or None where the webhook exports nothing or the list has become too old."""
        redelivered = self._young(events, now)
        if not self._activated or not redelivered:
            return None
        return Attempt(self.webhook_id, number, now, (), redelivered, faults, holding)

    def finish(self, accepted: bool, now: int) -> Events:
        """Conclude the attempt on its way; returns the events that are thereby discarded (the webhook was deleted)."""
        attempt = self._state
        assert isinstance(attempt, Attempt), "finish without an attempt on its way"
        if accepted:
            self._state = Due(now, 1, ()) if self._backlog.length else IDLE
            if not self._deleted:
                self._delivered = attempt.batch if attempt.redelivered else attempt.events
            return ()
        if self._deleted:
            self._state = IDLE
            return attempt.events
        self._state = Due(now + self._policy.retry_interval, attempt.number + 1, attempt.events, attempt.redelivered)
        return ()

    def abandon(self, now: int) -> None:
        """Forget the attempt on its way, which was never sent: its list is due again."""
        attempt = self._state
        assert isinstance(attempt, Attempt), "abandon without an attempt on its way"
        self._state = Due(now, attempt.number, attempt.events, attempt.redelivered)

    def _later_than(self, earlier: Events) -> Events:
        """The list that would be next, which changes places with this one, if there is any."""
        if not self._backlog.length:
            return earlier
        later = self._backlog.take(len(earlier))
        self._backlog.put_back(earlier)
        return later

    def _young(self, events: Events, now: int) -> Events:
        """Less what has reached the greatest age, which is not sent any more."""
        newest_created = now - self._policy.event_age_max
        if min(event.created for event in events) > newest_created:
            return events
        return tuple(event for event in events if event.created > newest_created)


def age_order(event: Event) -> tuple[int, int]:
    """Oldest first; of equal age, in the order in which they happened."""
    return event.created, event.serial


def _merged(one: Events, other: Events) -> Events:
    """Both in one order."""
    return tuple(sorted(one + other, key=age_order)) if one and other else one or other
