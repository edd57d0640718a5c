"""The append-only list of what happened: the only evidence that verdicts and reports are made from.

Equal consecutive attempts of one webhook are one folded entry, from which each of them can be read back exactly, but
for what was measured: of that it holds the sums and the extremes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import UNSET

from mockcampaign.engine.declared_faults import When
from mockcampaign.faults import AnyFault
from mockcampaign.model import Event, EventType, Fault, Outcome, WebhookStatus
from mockcampaign.policy import Policy

SerialRanges = tuple[tuple[int, int], ...]
"""Serials as inclusive ranges: `((1, 100), (103, 103))`."""


class Began(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="began"):
    """The first entry: all that is needed to repeat the run."""

    at: int
    seed: int
    name: str = ""
    """What tells the campaign from others of one seed."""
    versions: dict[str, str]
    policy: Policy


class WebhookChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="webhook-changed"):
    """A command changed a webhook. Credentials are not recorded, only their kind."""

    at: int
    webhook_id: int
    command: str
    client_id: int
    type: EventType
    status: WebhookStatus
    target_url: str
    authentication: str


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="happened"):
    """Recipients acted. Without an activated webhook of the type, `webhook_ids` is empty and nothing is exported."""

    at: int
    client_id: int
    type: EventType
    first_serial: int
    events: tuple[msgspec.Raw, ...]
    webhook_ids: tuple[int, ...]


class Attempted(msgspec.Struct, kw_only=True, tag_field="entry", tag="attempted", omit_defaults=True, gc=False):
    """One attempt, or a run of attempts that differ in nothing but their number and their moment.

    It grows while it is the newest of its webhook; after that it is left alone.
    """

    at: int
    """When the first of them started."""
    webhook_id: int
    serials: SerialRanges
    first_number: int
    count: int
    interval: int
    """Milliseconds from one start to the next; 0 where there is only one."""
    took: int
    """Virtual milliseconds that each of them lasted."""
    outcome: Outcome
    """What was measured is of all of them together."""
    redelivered: SerialRanges = ()
    """What the list held besides `serials`: events delivered in another list. A duplicate holds nothing else."""
    faults: tuple[str, ...] = ()
    """Kinds of the declared faults and outages that hit it."""
    simulated: bool = False
    """Not sent, but taken to come to what the same list came to before (`Policy.simulate_after`)."""

    @property
    def last_at(self) -> int:
        """When the last of them started."""
        return self.at + self.interval * (self.count - 1)

    @property
    def events(self) -> int:
        """How many events the list held."""
        return sum(last - first + 1 for first, last in (*self.serials, *self.redelivered))

    def starts(self) -> Iterator[tuple[int, int]]:
        """Number and moment of each attempt."""
        for index in range(self.count):
            yield self.first_number + index, self.at + index * self.interval


class Discarded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="discarded"):
    """Events that will never be delivered."""

    at: int
    webhook_id: int
    serials: SerialRanges
    reason: str
    """`expired` or `webhook deleted`."""


class OutageDeclared(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="outage-declared"):
    """The consumer cannot be reached from `at` up to, not including, `until`."""

    at: int
    until: int
    kind: str
    webhook_ids: tuple[int, ...]
    """Empty: all of them."""


class OutageEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="outage-ended"):
    """The consumer can be reached redelivered, before the outages that were declared end by themselves."""

    at: int
    webhook_ids: tuple[int, ...]
    """Empty: all of them."""


class FaultDeclared(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="fault-declared"):
    """From `at` on, a fault hits what `when` says. Attempts name the kinds of those that hit them."""

    at: int
    number: int
    """Counts a run's declared faults from 1."""
    fault: AnyFault
    when: When
    webhook_ids: tuple[int, ...]
    """Empty: all of them."""


class FaultEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="fault-ended"):
    """A declared fault was ended by hand before it was over by itself."""

    at: int
    number: int
    kind: str


class Verified(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="verified"):
    """Sample events were sent on request, outside all delivery rules: nothing is pending or retried for them."""

    at: int
    webhook_id: int
    events: tuple[msgspec.Raw, ...]
    outcome: Outcome


class Requested(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="requested"):
    """A request outside all delivery rules, such as Campaign never sends: to see what the consumer makes of it."""

    at: int
    method: str
    what: str
    """What is special about it, in a few words."""
    body_bytes: int
    outcome: Outcome


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="probed"):
    """The consumer's own account of what it has processed."""

    at: int
    count: int
    """Processed since the run began."""
    events: tuple[msgspec.Raw, ...] | None
    """The same as events, where the probe gives events rather than a number."""


class StepReached(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="step-reached"):
    """A step of a scenario begins; an expectation sees what lies before its own mark."""

    at: int
    index: int


Entry = (
    Began
    | WebhookChanged
    | Happened
    | Attempted
    | Discarded
    | OutageDeclared
    | OutageEnded
    | FaultDeclared
    | FaultEnded
    | Verified
    | Requested
    | Probed
    | StepReached
)

Listener = Callable[[int, Entry], object]
"""Receives an entry and its position when the entry is added, and again each time the entry has grown."""


class Journal:
    """What happened, in order. An entry's position is its index, which evidence refers to, unless entries were dropped.

    It is kept whole where verdicts are made from it. Where it has no end, in a server, `entries_max` and `events_max`
    (the payloads that its entries hold) bound it: the oldest entries are dropped, and counted.
    """

    def __init__(self, *, entries_max: int | None = None, events_max: int | None = None) -> None:
        self._entries: list[Entry] = []
        self._growing: dict[int, tuple[int, Attempted, tuple[Event, ...], tuple[Fault, ...]]] = {}
        self._ranged: tuple[tuple[Event, ...], SerialRanges] = ((), ())
        self._entries_max = entries_max
        self._events_max = events_max
        self._events = 0
        self._dropped = 0
        self._listeners: tuple[Listener, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """All entries that are held, oldest first."""
        return self._entries

    @property
    def dropped(self) -> int:
        """How many entries are held no more; it is the position of the oldest that is."""
        return self._dropped

    @property
    def next_position(self) -> int:
        """The position of the entry to come."""
        return self._dropped + len(self._entries)

    def follow(self, listener: Listener) -> None:
        """Tell a listener the entries that the journal holds, and from now on each entry that is added or grows."""
        for position, entry in enumerate(self._entries, self._dropped):
            listener(position, entry)
        self._listeners = (*self._listeners, listener)

    def unfollow(self, listener: Listener) -> None:
        """Tell a listener nothing more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def append(self, entry: Entry) -> int:
        """Add an entry and return its position. No attempt before it grows any more."""
        self._growing.clear()
        return self._add(entry)

    def attempted(
        self,
        webhook_id: int,
        number: int,
        started_at: int,
        took: int,
        events: tuple[Event, ...],
        outcome: Outcome,
        redelivered: tuple[Event, ...] = (),
        faults: tuple[Fault, ...] = (),
        simulated: bool = False,
    ) -> None:
        """Add an attempt, as part of the entry before it where it only repeats that."""
        known = self._growing.get(webhook_id)
        if known is not None and known[2] is events:
            position, entry, _, entry_faults = known
            interval = started_at - entry.at if entry.count == 1 else entry.interval
            if (
                position >= self._dropped
                and number == entry.first_number + entry.count
                and started_at == entry.at + interval * entry.count
                and took == entry.took
                and (outcome is entry.outcome or _alike(outcome, entry.outcome))
                and (faults is entry_faults or faults == entry_faults)
                and simulated == entry.simulated
                and not redelivered
                and not entry.redelivered
            ):
                entry.count += 1
                entry.interval = interval
                if outcome.measured is not UNSET:
                    entry.outcome = entry.outcome.together_with(outcome)
                for listener in self._listeners:
                    listener(position, entry)
                return
        entry = Attempted(
            at=started_at,
            webhook_id=webhook_id,
            serials=self._serials_of(events),
            first_number=number,
            count=1,
            interval=0,
            took=took,
            outcome=outcome,
            redelivered=serial_ranges(redelivered) if redelivered else (),
            faults=tuple([fault.kind for fault in faults]) if faults else (),
            simulated=simulated,
        )
        self._growing[webhook_id] = (self._add(entry), entry, events, faults)

    def _serials_of(self, events: tuple[Event, ...]) -> SerialRanges:
        # Webhooks in step share their lists, and so what is written down of them.
        if events is not self._ranged[0]:
            self._ranged = events, serial_ranges(events)
        return self._ranged[1]

    def _add(self, entry: Entry) -> int:
        position = self._dropped + len(self._entries)
        self._entries.append(entry)
        if self._entries_max is not None or self._events_max is not None:
            self._events += _payloads(entry)
            self._drop()
        for listener in self._listeners:
            listener(position, entry)
        return position

    def _drop(self) -> None:
        entries_max = len(self._entries) if self._entries_max is None else self._entries_max
        events_max = self._events if self._events_max is None else self._events_max
        if len(self._entries) <= entries_max and self._events <= events_max:
            return
        # An eighth more than must go, so that the list is not moved at each entry; the newest one always stays.
        entries_kept = entries_max - entries_max // 8
        count = 0
        for entry in self._entries[:-1]:
            if len(self._entries) - count <= entries_kept and self._events <= events_max:
                break
            self._events -= _payloads(entry)
            count += 1
        del self._entries[:count]
        self._dropped += count

    def to_json_lines(self) -> bytes:
        """One entry a line."""
        return b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._entries)


def comparable(entries: Iterable[Entry]) -> bytes:
    """What two equal runs have in common, byte for byte: all but what was measured, as one entry a line.

    Entries that are compared by `==` differ in nothing else either.
    """
    return b"".join(msgspec.json.encode(_without_measured(entry)) + b"\n" for entry in entries)


def _alike(one: Outcome, other: Outcome) -> bool:
    """Whether one entry can tell of both: equal, and both measured or neither."""
    return one == other and (one.measured is UNSET) == (other.measured is UNSET)


def _without_measured(entry: Entry) -> Entry:
    if not isinstance(entry, Attempted | Verified | Requested) or entry.outcome.measured is UNSET:
        return entry
    return msgspec.structs.replace(entry, outcome=entry.outcome.unmeasured())


def _payloads(entry: Entry) -> int:
    return len(entry.events) if isinstance(entry, (Happened, Verified)) else 0


def read_journal(json_lines: bytes) -> list[Entry]:
    """The entries that `Journal.to_json_lines` wrote. Raises `msgspec.ValidationError` where they are not."""
    decoder = msgspec.json.Decoder(Entry)
    return [decoder.decode(line) for line in json_lines.splitlines()]


def serial_ranges(events: Sequence[Event]) -> SerialRanges:
    """The serials of events in order of creation, neighbours joined."""
    if not events:
        return ()
    first, last = events[0], events[-1]
    # Equal moments are ordered by serial, so the ends tell that no serial between them is missing: as almost always.
    if first.created == last.created and last.serial - first.serial == len(events) - 1:
        return ((first.serial, last.serial),)
    ranges: list[tuple[int, int]] = []
    for event in events:
        serial = event.serial
        if ranges and ranges[-1][1] + 1 == serial:
            ranges[-1] = (ranges[-1][0], serial)
        else:
            ranges.append((serial, serial))
    return tuple(ranges)


def serials_in(ranges: SerialRanges) -> Iterator[int]:
    """The serials one by one."""
    for first, last in ranges:
        yield from range(first, last + 1)
