"""The append-only list of what happened: the only evidence for verdicts and reports.

Equal consecutive attempts of one webhook are folded into one entry. Each attempt can be read back from it exactly,
except for its measurements: the entry contains their sums and extremes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec
from msgspec import UNSET

from mockcampaign.engine.declared_faults import When
from mockcampaign.faults import AnyFault
from mockcampaign.model import Event, EventRun, EventType, Fault, Outcome, WebhookStatus
from mockcampaign.policy import Policy

SerialRanges = tuple[tuple[int, int], ...]
"""Serials of events as inclusive ranges, such as `((1, 100), (103, 103))`."""


class Began(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="began"):
    """The run began, with these settings; they are enough to repeat it. Always the first entry."""

    at: int
    seed: int
    name: str = ""
    """Distinguishes campaigns that have the same seed."""
    versions: dict[str, str]
    policy: Policy


class Resumed(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="resumed"):
    """Another process continued the run from a state file, with these settings.

    An attempt that was under way when the one before ended has no entry. Its batch is delivered again; outages and
    faults have ended.
    """

    at: int
    versions: dict[str, str]
    policy: Policy


class WebhookChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="webhook-changed"):
    """A command changed a webhook. The journal contains the kind of its credentials only."""

    at: int
    webhook_id: int
    command: str
    client_id: int
    type: EventType
    status: WebhookStatus
    target_url: str
    authentication: str


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="happened"):
    """Events occurred. If no webhook of their type is activated, `webhook_ids` is empty and nothing is exported."""

    at: int
    client_id: int
    type: EventType
    first_serial: int
    events: tuple[msgspec.Raw, ...]
    webhook_ids: tuple[int, ...]


class Attempted(msgspec.Struct, kw_only=True, tag_field="entry", tag="attempted", omit_defaults=True, gc=False):
    """A webhook made one attempt, or several in a row that differ only in their number and time.

    The entry grows while it is the newest one of its webhook, and never changes after that.
    """

    at: int
    """Start of the first attempt, in milliseconds since 1970."""
    webhook_id: int
    serials: SerialRanges
    first_number: int
    count: int
    interval: int
    """Milliseconds from one start to the next; 0 if there is only one attempt."""
    took: int
    """Virtual duration of each attempt, in milliseconds."""
    outcome: Outcome
    """Outcome of each attempt. Its measurements are those of all attempts together."""
    redelivered: SerialRanges = ()
    """Events in the batch that another batch has delivered before. A duplicate delivery contains no others."""
    faults: tuple[str, ...] = ()
    """Kinds of the declared faults and outages that affected the attempts."""
    simulated: bool = False
    """Whether the attempts were counted, not sent (`Policy.simulate_after`)."""

    @property
    def last_at(self) -> int:
        """Start of the last attempt, in milliseconds since 1970."""
        return self.at + self.interval * (self.count - 1)

    @property
    def events(self) -> int:
        """How many events the batch contained."""
        return sum(last - first + 1 for first, last in (*self.serials, *self.redelivered))

    def starts(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the start of each attempt."""
        for index in range(self.count):
            yield self.first_number + index, self.at + index * self.interval


class Discarded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="discarded"):
    """Campaign discarded events, which will never be delivered."""

    at: int
    webhook_id: int
    serials: SerialRanges
    reason: str
    """`expired` or `webhook deleted`."""


class OutageDeclared(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="outage-declared"):
    """An outage began: the consumer cannot be reached from `at` until just before `until`."""

    at: int
    until: int
    kind: str
    webhook_ids: tuple[int, ...]
    """The webhooks concerned; empty for all."""


class OutageEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="outage-ended"):
    """A command ended the declared outages early, so the consumer can be reached again."""

    at: int
    webhook_ids: tuple[int, ...]
    """The webhooks concerned; empty for all."""


class FaultDeclared(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="fault-declared"):
    """A fault was declared, which affects attempts from `at` on as `when` says. Each attempt names its faults."""

    at: int
    number: int
    """Number of the fault within the run, from 1."""
    fault: AnyFault
    when: When
    webhook_ids: tuple[int, ...]
    """The webhooks concerned; empty for all."""


class FaultEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="fault-ended"):
    """A command ended a declared fault early."""

    at: int
    number: int
    kind: str


class MailSent(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="mail-sent"):
    """A call sent one mail. Its events follow as they occur; who gets it, only they say."""

    at: int
    client_id: int
    mail_id: str
    mailing_id: int
    recipient_list_id: int
    result: str
    """`sent`, or why the mail is not sent."""


class ClientChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="client-changed"):
    """A command changed what a client has besides webhooks. The entry names no person."""

    at: int
    client_id: int
    what: str
    """One of `CLIENT_NOUNS`."""
    command: str
    """One of `CLIENT_COMMANDS`."""
    id: int = 0
    """Id of the recipient list or smart campaign concerned; 0 if it has none."""
    count: int = 1
    """How many were changed."""


MAIL_RESULTS = ("sent", "wrong_mailing_status", "blacklisted", "too_many_bounces", "unsubscribed")
"""Words for what becomes of a mail (vendor's API description)."""

CLIENT_NOUNS = ("recipient", "unsubscribe", "blocklist-entry", "bounces", "smart-campaign", "mail-event")
CLIENT_COMMANDS = ("add", "change", "remove", "start", "stop")
"""Words for the subject of such a command, and for the command."""


class Verified(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="verified"):
    """A command sent sample events to verify a webhook. They are never pending, and never retried."""

    at: int
    webhook_id: int
    events: tuple[msgspec.Raw, ...]
    outcome: Outcome


class Requested(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="requested"):
    """A check sent a request that Campaign never sends, to see how the consumer responds."""

    at: int
    method: str
    what: str
    """Short description of the request."""
    body_bytes: int
    outcome: Outcome


class Called(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="called", omit_defaults=True, gc=False):
    """Somebody's code called the REST API. What the call caused comes before it in the journal.

    Only ids are shown of a call: a query, a form and any text in a path may contain persons and secrets.
    """

    at: int
    client_id: int | None
    """None if the path names no client."""
    method: str
    operation: str
    """Name of the operation, such as `createWebhook`; empty if the path or method belongs to none."""
    path: str
    """Path after the client's id, with names in place of values, such as `/webhooks/{webhookId}`."""
    ids: dict[str, int] = {}
    """Ids in the path, by name."""
    status: int | None
    """Status of the response; None if the caller got no complete response."""
    faults: tuple[str, ...] = ()
    """Kinds of the declared faults that hit the call."""

    @property
    def shown_path(self) -> str:
        """The path with its ids, such as `/webhooks/2147483648`."""
        shown = self.path
        for name, number in self.ids.items():
            shown = shown.replace(f"{{{name}}}", str(number))
        return shown


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="probed"):
    """The probe reported what the consumer has stored."""

    at: int
    count: int
    """How many events the consumer has stored since the run began."""
    events: tuple[msgspec.Raw, ...] | None
    """The stored events; None if the probe reports only their number."""


class Captured(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="captured"):
    """A recorded request that no webhook of a known type sends. It shows what was sent, and decides nothing."""

    at: int
    took: int
    """Duration in milliseconds."""
    why: str
    """Why it is no batch of a known event type."""
    body: msgspec.Raw
    """The body, which is JSON, as it was sent but for the persons in it."""
    outcome: Outcome


class StepReached(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="step-reached"):
    """A step of a scenario begins. An expectation is judged by the entries before its own step."""

    at: int
    index: int


Entry = (
    Began
    | Resumed
    | WebhookChanged
    | Happened
    | Attempted
    | Discarded
    | OutageDeclared
    | OutageEnded
    | FaultDeclared
    | FaultEnded
    | MailSent
    | ClientChanged
    | Verified
    | Requested
    | Called
    | Probed
    | Captured
    | StepReached
)

DROPPED_MORE = 4
"""How many entries more than necessary a full journal drops at once."""

Listener = Callable[[int, Entry], object]
"""Receives an entry and its position when the entry is added, and again each time the entry has grown."""


class Journal:
    """The entries of one run, in order. Evidence refers to an entry's position, which counts dropped entries too.

    A server's journal has no end, so `entries_max` and `events_max` (payloads in its entries) bound it: it drops the
    oldest entries, and counts them. Verdicts need a whole journal.
    """

    def __init__(
        self,
        *,
        entries_max: int | None = None,
        events_max: int | None = None,
        entries: Iterable[Entry] = (),
        dropped: int = 0,
    ) -> None:
        """Begin with entries of an earlier journal, if there are any; it had `dropped` so many before them."""
        self._entries: list[Entry] = [*entries]
        self._growing: dict[int, tuple[int, Attempted, Sequence[Event], tuple[Fault, ...]]] = {}
        self._ranged: tuple[Sequence[Event], SerialRanges] = ((), ())
        self._is_limited = entries_max is not None or events_max is not None
        self._entries_max = sys.maxsize if entries_max is None else entries_max
        self._events_max = sys.maxsize if events_max is None else events_max
        self._events = sum(map(_payloads, self._entries))
        self._dropped = dropped
        self.calls = 0
        """How many entries of calls were added."""
        self._listeners: tuple[Listener, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """All entries that were not dropped, oldest first."""
        return self._entries

    @property
    def dropped(self) -> int:
        """How many entries were dropped, which is the position of the oldest remaining entry."""
        return self._dropped

    @property
    def next_position(self) -> int:
        """Position of the entry that will be added next."""
        return self._dropped + len(self._entries)

    def follow(self, listener: Listener) -> None:
        """Pass a listener the entries that the journal holds, and from now on each entry that is added or grows."""
        for position, entry in enumerate(self._entries, self._dropped):
            listener(position, entry)
        self._listeners = (*self._listeners, listener)

    def unfollow(self, listener: Listener) -> None:
        """Pass a listener nothing more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def append(self, entry: Entry) -> int:
        """Add an entry and return its position. Entries before it stop growing."""
        self._growing.clear()
        return self._add(entry)

    def add_call(self, entry: Called) -> int:
        """Add a call and return its position. Entries before it may still grow: a call takes no part in deliveries."""
        self.calls += 1
        return self._add(entry)

    def add_attempt(
        self,
        webhook_id: int,
        number: int,
        started_at: int,
        took: int,
        events: Sequence[Event],
        outcome: Outcome,
        redelivered: Sequence[Event] = (),
        faults: tuple[Fault, ...] = (),
        simulated: bool = False,
        count: int = 1,
        interval: int = 0,
    ) -> None:
        """Add an attempt, or several with this interval. If they repeat the webhook's newest entry, that grows."""
        known = self._growing.get(webhook_id)
        if known is not None and known[2] is events:
            position, entry, _, entry_faults = known
            known_interval = started_at - entry.at if entry.count == 1 else entry.interval
            if (
                position >= self._dropped
                and number == entry.first_number + entry.count
                and started_at == entry.at + known_interval * entry.count
                and interval in (0, known_interval)
                and took == entry.took
                and (outcome is entry.outcome or _can_fold(outcome, entry.outcome))
                and (faults is entry_faults or faults == entry_faults)
                and simulated == entry.simulated
                and not redelivered
                and not entry.redelivered
            ):
                entry.count += count
                entry.interval = known_interval
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
            count=count,
            interval=interval if count > 1 else 0,
            took=took,
            outcome=outcome,
            redelivered=serial_ranges(redelivered) if redelivered else (),
            faults=tuple([fault.kind for fault in faults]) if faults else (),
            simulated=simulated,
        )
        self._growing[webhook_id] = (self._add(entry), entry, events, faults)

    def _serials_of(self, events: Sequence[Event]) -> SerialRanges:
        # Webhooks that run in step share their batches, and so the ranges of these.
        if events is not self._ranged[0]:
            self._ranged = events, serial_ranges(events)
        return self._ranged[1]

    def _add(self, entry: Entry) -> int:
        position = self._dropped + len(self._entries)
        self._entries.append(entry)
        if self._is_limited:
            self._events += _payloads(entry)
            if len(self._entries) > self._entries_max or self._events > self._events_max:
                self._drop()
        for listener in self._listeners:
            listener(position, entry)
        return position

    def _drop(self) -> None:
        # Drop some more than necessary, so that not every new entry moves the whole list, but so few that the sender
        # does not wait until the memory of thousands of events is free. Keep the newest entry.
        entries_max = min(self._entries_max, len(self._entries))
        entries_kept = entries_max - min(DROPPED_MORE, entries_max // 8)
        count = 0
        for entry in islice(self._entries, len(self._entries) - 1):
            if len(self._entries) - count <= entries_kept and self._events <= self._events_max:
                break
            self._events -= _payloads(entry)
            count += 1
        del self._entries[:count]
        self._dropped += count

    def to_json_lines(self) -> bytes:
        """Return the entries as JSON, one on each line."""
        return b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._entries)


def comparable(entries: Iterable[Entry]) -> bytes:
    """Return the entries as JSON lines without measurements, byte for byte the same for two equal runs.

    Entries that `==` considers equal differ only in their measurements, too.
    """
    return b"".join(msgspec.json.encode(_without_measured(entry)) + b"\n" for entry in entries)


def _can_fold(one: Outcome, other: Outcome) -> bool:
    """Whether one entry can contain both outcomes: they are equal, and both or neither have measurements."""
    return one == other and (one.measured is UNSET) == (other.measured is UNSET)


def _without_measured(entry: Entry) -> Entry:
    if not isinstance(entry, Attempted | Verified | Requested | Captured) or entry.outcome.measured is UNSET:
        return entry
    return msgspec.structs.replace(entry, outcome=entry.outcome.unmeasured())


def _payloads(entry: Entry) -> int:
    return len(entry.events) if isinstance(entry, (Happened, Verified)) else 0


def serial_ranges(events: Sequence[Event]) -> SerialRanges:
    """Return the serials of events as ranges. The events are in order of creation."""
    if not events:
        return ()
    if isinstance(events, EventRun):
        return ((events.first.serial, events.last_serial),)
    first, last = events[0], events[-1]
    # Events of one moment are ordered by serial, so if both ends fit, no serial between them is missing.
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
    """Yield each serial of the ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
