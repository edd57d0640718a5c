"""The delivery machine of one webhook: which events are pending, what is due when, and where an outcome leads.

It is given the time and the outcomes. Every command returns the events that it discards; `next_wake` says when the
machine wants to be woken. Nothing outside this module changes its state:

| command  | `Idle`    | `Due`                                 | `Attempt`                               |
|----------|-----------|---------------------------------------|-----------------------------------------|
| accept   | `Due` now | unchanged                             | unchanged                               |
| activate | unchanged | `Due`, now if its moment has passed   | unchanged                               |
| retry    | unchanged | `Due` now                             | unchanged                               |
| expire   | unchanged | `Due` with what is left, else `Idle`  | unchanged: its outcome decides          |
| delete   | unchanged | `Idle`                                | unchanged: its outcome decides          |
| start    | unchanged | `Attempt` if its moment has come      | unchanged: one request at a time        |
| abandon  | an error  | an error                              | `Due` now                               |
| fail     | an error  | `Due` later                           | an error                                |
| complete | an error  | an error                              | accepted: `Due` now if events are left, |
|          |           |                                       | else `Idle`; rejected: `Due` later, or  |
|          |           |                                       | `Idle` if the webhook was deleted       |
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Literal, assert_never

import msgspec

from mockcampaign.faults import BeforeConsumer, Duplicate, Overlap, Refill, Reorder, SenderFault, last_of
from mockcampaign.model import Event, Fault
from mockcampaign.policy import Policy

Events = Sequence[Event]


class Discard(msgspec.Struct, frozen=True):
    """Events that will never be delivered, and why."""

    events: Events
    reason: Literal["expired", "webhook deleted"]


class Idle(msgspec.Struct, frozen=True):
    """No event is waiting."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """The next attempt starts at a moment, or as soon as the webhook is activated."""

    at: int
    number: int
    """Number of the next attempt. The batch of a first attempt is formed only when it starts."""
    events: Events
    """The events that a retry delivers, in order; empty before a first attempt."""
    redelivered: Events = ()
    """Events in the batch of a retry that were accepted in an earlier batch."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A batch is on its way. A webhook has at most one attempt under way (assumed), duplicates apart."""

    webhook_id: int
    number: int
    started_at: int
    events: Events
    """The events that the attempt delivers; empty for a duplicate, which delivers nothing new."""
    redelivered: Events = ()
    """The other events of the batch: delivered before or, in a duplicate, delivered by another attempt."""
    faults: tuple[Fault, ...] = ()
    """The faults that hit the attempt."""

    @property
    def batch(self) -> Events:
        """All events that go out, in order."""
        return _merged(self.redelivered, self.events)

    @property
    def is_duplicate(self) -> bool:
        """Whether the outcome changes nothing."""
        return not self.events

    @property
    def delays_others(self) -> bool:
        """Whether this is a duplicate that must be over before anything else of the webhook goes out."""
        duplicate = last_of(self.faults, Duplicate) if self.is_duplicate else None
        return duplicate is not None and duplicate.delays_others


IDLE = Idle()
_NO_DISCARDS: tuple[Discard, ...] = ()


class Backlog:
    """Events that are in no batch yet, ordered by creation.

    They stay in the tuples in which they came, which a thousand webhooks can share, and leave from the front as slices:
    removing them one by one was most of the cost of forming a batch. A tuple of exactly the length of a batch becomes
    the batch of all these webhooks.
    """

    __slots__ = ("_chunks", "_taken", "first", "length")

    def __init__(self) -> None:
        self._chunks: deque[Events] = deque()
        self._taken = 0
        """How many events of the first chunk have left."""
        self.length = 0
        self.first: Event | None = None
        """The oldest event."""

    @property
    def all(self) -> Events:
        """All events, oldest first."""
        return tuple(event for chunk in self._chunks for event in chunk)[self._taken :]

    def extend(self, batches: Sequence[Events]) -> None:
        """Add events that are ordered by creation. No batch is empty."""
        if not batches:
            return
        self.length += sum(map(len, batches))
        if self._chunks and age_order(batches[0][0]) < age_order(self._chunks[-1][-1]):
            merged = tuple(sorted(chain(self.all, *batches), key=age_order))
            self._chunks = deque([merged])
            self._taken = 0
        else:
            self._chunks.extend(batches)
        self.first = self._chunks[0][self._taken]

    def count_created_by(self, moment: int) -> int:
        """Return how many events were created at the moment or before."""
        count, taken = 0, self._taken
        for chunk in self._chunks:
            expired = bisect_right(chunk, moment, lo=taken, key=lambda event: event.created)
            count += expired - taken
            if expired < len(chunk):
                break
            taken = 0
        return count

    def put_back(self, events: Events) -> None:
        """Put back the events that were taken last."""
        if self._taken:
            # Cut the first chunk, so that nothing in it counts as taken any more.
            self._chunks[0] = self._chunks[0][self._taken :]
            self._taken = 0
        self._chunks.appendleft(events)
        self.length += len(events)
        self.first = events[0]

    def take(self, count: int) -> Events:
        """Remove and return the `count` oldest events, or all if there are fewer."""
        taken: Events = ()
        while self._chunks and len(taken) < count:
            part = self._chunks[0][self._taken : self._taken + count - len(taken)]
            taken = (*taken, *part) if taken else part
            self._taken += len(part)
            if self._taken == len(self._chunks[0]):
                self._chunks.popleft()
                self._taken = 0
        self.length -= len(taken)
        self.first = self._chunks[0][self._taken] if self._chunks else None
        return taken


class Outbox:
    """The pending events of one webhook, and the machine that delivers them.

    Events leave oldest first. They are ordered by creation, so that the next one to expire is always at the front.
    """

    __slots__ = (
        "_activated",
        "_backlog",
        "_delayed",
        "_deleted",
        "_delivered",
        "_policy",
        "_state",
        "_wake_at",
        "webhook_id",
    )

    def __init__(self, webhook_id: int, policy: Policy) -> None:
        self.webhook_id = webhook_id
        self._policy = policy
        self._backlog = Backlog()
        self._state: Idle | Due | Attempt = IDLE
        self._activated = False
        self._deleted = False
        self._delayed = False
        """Whether a duplicate has to be over before anything else goes out."""
        self._delivered: Events = ()
        """The batch that was accepted last; a fault may repeat its end."""
        self._wake_at: int | None = None
        """The moment that `next_wake` returned last and that has not come."""

    @property
    def state(self) -> Idle | Due | Attempt:
        """The one state that the machine is in."""
        return self._state

    @property
    def pending(self) -> list[Event]:
        """The events that are neither delivered nor discarded, those on their way included."""
        return [*self._in_batch, *self._backlog.all]

    @property
    def pending_count(self) -> int:
        """The length of `pending`."""
        return len(self._in_batch) + self._backlog.length

    @property
    def is_idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        match self._state:
            case Idle():
                return True
            case Due():
                return not self._activated
            case Attempt():
                return False
            case never:
                assert_never(never)

    @property
    def _in_batch(self) -> Events:
        match self._state:
            case Idle():
                return ()
            case Due(events=events) | Attempt(events=events):
                return events
            case never:
                assert_never(never)

    # Time

    def next_at(self, now: int) -> int | None:
        """Return the next due moment or expiry, whichever is earlier, but not before now; None if neither will come."""
        state = self._state
        at = None
        age_max = self._policy.event_age_max
        if isinstance(state, Due):
            if self._activated and not self._delayed:
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

    def next_wake(self, now: int) -> int | None:
        """Return the moment to call `wake` at, or None if there is none or it was returned before."""
        at = self.next_at(now)
        if at is None or at == self._wake_at:
            return None
        self._wake_at = at
        return at

    def wake(self, now: int) -> bool:
        """Say that a moment of `next_wake` has come. Return whether it is the latest one: others are out of date."""
        if self._wake_at != now:
            return False
        self._wake_at = None
        return True

    @property
    def retries_until(self) -> int | None:
        """The moment until which retries of one batch are all that is due, if they fail; None if something else is."""
        state = self._state
        if not isinstance(state, Due) or state.at != self._wake_at or not state.events or state.redelivered:
            return None
        first = self._backlog.first
        if first is not None and self._policy.refill:
            return None
        oldest = state.events[0].created if first is None else min(state.events[0].created, first.created)
        return oldest + self._policy.event_age_max

    # Commands

    def resume(self, pending: Events, retry: Due | None, now: int, *, delayed: bool = False) -> tuple[Discard, ...]:
        """Take over what another outbox had to deliver. `retry` is a batch of it, or what is left of one.

        If `delayed`, a duplicate has to be over before anything else goes out.
        """
        self._delayed = delayed
        due = retry or Due(now, 1, ())
        in_batch = {event.serial for event in due.events}
        rest = tuple(event for event in pending if event.serial not in in_batch)
        self._backlog.extend([rest] if rest else [])
        if pending:
            self._state = Due(max(due.at, now), due.number if due.events else 1, due.events)
        return self.expire(now)

    def accept(self, batches: Sequence[Events], now: int) -> tuple[Discard, ...]:
        """Add events, ordered by creation, that occurred while the webhook was activated: they are due at once.

        They go out in these batches if nothing else is pending.
        """
        self._backlog.extend(batches)
        match self._state:
            case Idle():
                if self._backlog.length:
                    self._state = Due(now, 1, ())
            case Due() | Attempt():
                pass
            case never:
                assert_never(never)
        return self.expire(now)

    def activate(self, now: int) -> tuple[Discard, ...]:
        """Resume deliveries: a retry keeps its moment if that is to come, everything else is due at once (assumed)."""
        expired = self.expire(now)
        self._activated = True
        if isinstance(self._state, Due) and self._state.at < now:
            self._state = msgspec.structs.replace(self._state, at=now)
        return expired

    def deactivate(self) -> None:
        """Start no more attempts. Events stay pending, and still expire after three days (assumed)."""
        self._activated = False

    def retry(self, now: int) -> tuple[Discard, ...]:
        """Make the next attempt due now."""
        expired = self.expire(now)
        if isinstance(self._state, Due):
            self._state = msgspec.structs.replace(self._state, at=now)
        return expired

    def delete(self) -> tuple[Discard, ...]:
        """Discard all that is pending, apart from a batch on its way: its outcome decides."""
        self._activated = False
        self._deleted = True
        self._delivered = ()
        discarded = self._backlog.take(self._backlog.length)
        match self._state:
            case Due(events=events):
                discarded = _merged(events, discarded)
                self._state = IDLE
            case Idle() | Attempt():
                pass
            case never:
                assert_never(never)
        return (Discard(discarded, "webhook deleted"),) if discarded else _NO_DISCARDS

    def expire(self, now: int) -> tuple[Discard, ...]:
        """Discard what has reached the maximum age, apart from a batch on its way: its outcome decides.

        "Discarded three days after its creation" is documented for each event by itself.
        """
        newest_created = now - self._policy.event_age_max
        discarded: Events = ()
        state = self._state
        if isinstance(state, Due) and state.events and state.events[0].created <= newest_created:
            left = tuple(event for event in state.events if event.created > newest_created)
            discarded = state.events[: len(state.events) - len(left)]
            self._state = Due(state.at, state.number, left, state.redelivered) if left else Due(state.at, 1, ())
        first = self._backlog.first
        if first is not None and first.created <= newest_created:
            discarded = _merged(discarded, self._backlog.take(self._backlog.count_created_by(newest_created)))
        if not discarded:
            return _NO_DISCARDS
        if not self._backlog.length and isinstance(self._state, Due) and not self._state.events:
            self._state = IDLE
        return (Discard(discarded, "expired"),)

    # Attempts

    @property
    def is_delayed(self) -> bool:
        """Whether a duplicate has to be over before anything else goes out."""
        return self._delayed

    def is_due(self, now: int) -> bool:
        """Whether `start` would start an attempt now. Call `expire` for the same moment before."""
        state = self._state
        return isinstance(state, Due) and self._activated and state.at <= now and not self._delayed

    def applies(self, fault: Fault) -> bool:
        """Whether a fault would change the attempt that is due now."""
        if not isinstance(fault, SenderFault):
            return True
        state = self._state
        assert isinstance(state, Due), "applies: no attempt is due"
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
        """Start the attempt that is due now, hit by these faults, or return None if none is. Call `expire` before."""
        state = self._state
        if not isinstance(state, Due) or not self._activated or state.at > now or self._delayed:
            return None
        events, redelivered = state.events, state.redelivered
        room = self._policy.batch_events_max
        # What does not reach the consumer has no other faults, and is the case that must cost little.
        if faults and not isinstance(faults[0], BeforeConsumer):
            duplicate = last_of(faults, Duplicate)
            self._delayed = duplicate is not None and duplicate.timing == "concurrent"
            overlap = last_of(faults, Overlap)
            if overlap is not None and state.number == 1:
                redelivered = self._delivered[-min(overlap.events, room - 1) :]
        if redelivered:
            redelivered = self._without_expired(redelivered, now)
            room -= len(redelivered)
        if self._backlog.length and len(events) < room:
            if state.number == 1:
                events = self._backlog.take(room)
                if faults and last_of(faults, Reorder) is not None:
                    events = self._swap_with_next(events)
            elif self._policy.refill or last_of(faults, Refill) is not None:
                events = _merged(events, self._backlog.take(room - len(events)))
        attempt = Attempt(self.webhook_id, state.number, now, events, redelivered, faults)
        self._state = attempt
        return attempt

    def start_duplicate(self, events: Events, number: int, now: int, faults: tuple[Fault, ...]) -> Attempt | None:
        """Deliver a batch a second time. `faults` has the `Duplicate` that asks for it.

        Returns None if the webhook is not activated or the whole batch has expired.
        """
        duplicate = Attempt(self.webhook_id, number, now, (), self._without_expired(events, now), faults)
        if self._activated and duplicate.redelivered:
            return duplicate
        self._end_delay(duplicate)
        return None

    def complete(self, attempt: Attempt, accepted: bool, now: int) -> tuple[Discard, ...]:
        """Apply the outcome of an attempt under way; that of a duplicate decides nothing."""
        if attempt.is_duplicate:
            self._end_delay(attempt)
            return self.expire(now)
        assert self._state is attempt, "complete: the attempt is not under way"
        if accepted:
            self._state = Due(now, 1, ()) if self._backlog.length else IDLE
            if attempt.faults:
                duplicate = last_of(attempt.faults, Duplicate)
                self._delayed = self._delayed or (duplicate is not None and duplicate.timing == "at-once")
            if not self._deleted:
                self._delivered = attempt.batch if attempt.redelivered else attempt.events
        elif self._deleted:
            self._state = IDLE
            return (Discard(attempt.events, "webhook deleted"), *self.expire(now))
        else:
            self._state = Due(
                now + self._policy.retry_interval, attempt.number + 1, attempt.events, attempt.redelivered
            )
        return self.expire(now)

    def fail(self, count: int) -> None:
        """Make so many attempts, all before `retries_until`, and let them fail."""
        state = self._state
        assert isinstance(state, Due), "fail: no attempt is due"
        at = state.at + count * self._policy.retry_interval
        self._state = Due(at, state.number + count, state.events)
        self._wake_at = None

    def abandon(self, attempt: Attempt, now: int) -> None:
        """Take back an attempt that was never sent: its batch is due now."""
        if attempt.is_duplicate:
            self._end_delay(attempt)
        else:
            assert self._state is attempt, "abandon: the attempt is not under way"
            self._state = Due(now, attempt.number, attempt.events, attempt.redelivered)

    def _end_delay(self, duplicate: Attempt) -> None:
        if duplicate.delays_others:
            self._delayed = False

    def _swap_with_next(self, events: Events) -> Events:
        """Put a batch back and return the one behind it, or the same batch if no event is behind it."""
        if not self._backlog.length:
            return events
        following = self._backlog.take(len(events))
        self._backlog.put_back(events)
        return following

    def _without_expired(self, events: Events, now: int) -> Events:
        newest_created = now - self._policy.event_age_max
        if min(event.created for event in events) > newest_created:
            return events
        return tuple(event for event in events if event.created > newest_created)


def age_order(event: Event) -> tuple[int, int]:
    """Sort key: oldest first, events of equal age in the order in which they occurred."""
    return event.created, event.serial


def _merged(one: Events, other: Events) -> Events:
    """Return the events of both in one order."""
    return tuple(sorted((*one, *other), key=age_order)) if one and other else one or other
