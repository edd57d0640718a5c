"""Running totals of a journal, webhook by webhook, which stay up to date while the journal grows.

A `Ledger` remembers every batch. `Totals` keep only numbers, so they can follow a server's journal, which has no end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import merge

import msgspec

from mockcampaign.engine.journal import (
    Attempted,
    Called,
    Discarded,
    Entry,
    Happened,
    Journal,
    OutageDeclared,
    OutageEnded,
    Probed,
    SerialRanges,
    Verified,
    WebhookChanged,
    serials_in,
)
from mockcampaign.judging.serials import Serials
from mockcampaign.model import Outcome, WebhookStatus


class CallCount(msgspec.Struct, frozen=True, kw_only=True):
    """Number of calls of one operation of the REST API that had the same status."""

    operation: str
    """Name of the operation; the method and path instead of an operation that does not exist."""
    status: int | None
    """Status of the responses; None for calls that got no complete response."""
    count: int


CALL_KINDS_MAX = 1_000
"""Number of kinds of calls that are counted apart. A program that tries paths could otherwise fill the memory."""

OTHER_CALLS = "other calls"
"""Operation by which calls of further kinds are counted."""


class DeliveryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of attempts and events. `delivered`, `discarded` and `pending` count an event once for each webhook."""

    attempts: int
    """Attempts that were sent; simulated ones are counted apart."""
    delivered: int
    discarded: int
    pending: int
    simulated: int = 0
    """Attempts that were counted, but not sent (`Policy.simulate_after`)."""

    def __add__(self, other: DeliveryCounts) -> DeliveryCounts:
        return DeliveryCounts(
            attempts=self.attempts + other.attempts,
            delivered=self.delivered + other.delivered,
            discarded=self.discarded + other.discarded,
            pending=self.pending + other.pending,
            simulated=self.simulated + other.simulated,
        )


NO_DELIVERIES = DeliveryCounts(attempts=0, delivered=0, discarded=0, pending=0)


class Totals:
    """Numbers of attempts, events and calls, in constant space for each webhook and each kind of call."""

    def __init__(self) -> None:
        self.webhooks: dict[int, WebhookTotals] = {}
        self._calls: Counter[tuple[str, int | None]] = Counter()

    def webhook(self, webhook_id: int) -> WebhookTotals:
        """Return the numbers of one webhook, which are all 0 before its first attempt."""
        found = self.webhooks.get(webhook_id)
        if found is None:
            found = self.webhooks[webhook_id] = WebhookTotals()
        return found

    @property
    def whole(self) -> WebhookTotals:
        """The numbers of all webhooks together."""
        found = self.webhooks.values()
        return WebhookTotals(
            attempts=sum(totals.attempts for totals in found),
            simulated=sum(totals.simulated for totals in found),
            delivered=sum(totals.delivered for totals in found),
            discarded=sum(totals.discarded for totals in found),
        )

    @property
    def calls(self) -> list[CallCount]:
        """Numbers of calls by operation and status, in order of their first call."""
        return [
            CallCount(operation=operation, status=status, count=count)
            for (operation, status), count in self._calls.items()
        ]

    def note(self, position: int, entry: Entry) -> bool:
        """Count an entry that was added to the journal or has grown. Return whether it is new."""
        match entry:
            case Attempted():
                return self.webhook(entry.webhook_id).note_attempts(position, entry)
            case Discarded():
                self.webhook(entry.webhook_id).discarded += _size(entry.serials)
            case Called():
                self._note_call(entry)
            case _:
                pass
        return True

    def _note_call(self, entry: Called) -> None:
        kind = entry.operation or f"{entry.method} {entry.path}", entry.status
        if kind not in self._calls and len(self._calls) >= CALL_KINDS_MAX:
            kind = OTHER_CALLS, entry.status
        self._calls[kind] += 1


class WebhookTotals(msgspec.Struct):
    """Numbers of one webhook."""

    attempts: int = 0
    """All attempts, simulated ones included."""
    simulated: int = 0
    delivered: int = 0
    """Events that the consumer has accepted, without redelivered ones."""
    discarded: int = 0
    _newest: int = -1
    """Position of the webhook's newest entry of attempts, the only one that may grow."""
    _counted: int = 0
    """How many attempts of that entry have been counted."""

    def note_attempts(self, position: int, entry: Attempted) -> bool:
        """Count the attempts that a new entry contains, or by which one has grown. Return whether it is new."""
        is_new = position != self._newest
        if is_new:
            self._newest, self._counted = position, 0
            if entry.outcome.accepted:
                self.delivered += _size(entry.serials)
        grown = entry.count - self._counted
        self._counted = entry.count
        self.attempts += grown
        self.simulated += grown if entry.simulated else 0
        return is_new


class Account:
    """The deliveries of one webhook's events."""

    def __init__(self, webhook_id: int, totals: WebhookTotals) -> None:
        self.webhook_id = webhook_id
        self._totals = totals
        self.status: WebhookStatus | None = None
        """Newest status of the webhook; None if the journal does not contain it."""
        self.accepted = Serials()
        """Serials of the events that the webhook has to deliver."""
        self.discarded = Serials()
        self.pending = Serials()
        """Serials of events that are neither delivered nor discarded."""
        self.attempted = Serials()
        """Serials of the events that any attempt contained."""
        self.entries: list[tuple[int, Attempted]] = []
        """Entries of all attempts, with their positions."""
        self.batches: list[tuple[int, Attempted]] = []
        """Entries of batches that the consumer has accepted, with their positions, in order of delivery."""
        self.batch_sizes: Counter[int] = Counter()
        """How many delivered batches contained how many events."""
        self.overtakings = 0
        """How many times an event was delivered directly after a newer one."""
        self.slowest: int | None = None
        """Longest virtual time from an event to its delivery, in milliseconds; None before the first delivery."""
        self.verified: tuple[int, Verified] | None = None
        """The newest `Verified` entry, with its position."""
        self.discards: list[Discarded] = []
        """Entries of discarded events."""
        self.evidence: list[int] = []
        """Positions of the entries that `deliveries` is made from."""
        self._happened: list[tuple[int, int, int]] = []
        self._last_delivered = 0
        self._last_attempted: SerialRanges = ()

    @property
    def attempts(self) -> int:
        """All attempts, simulated ones included."""
        return self._totals.attempts

    @property
    def simulated(self) -> int:
        """Attempts that were counted, not sent."""
        return self._totals.simulated

    @property
    def delivered_count(self) -> int:
        """How many events the consumer has accepted."""
        return self._totals.delivered

    @property
    def delivered(self) -> list[int]:
        """Serials of the events that the consumer has accepted, in order of delivery."""
        return [serial for _, entry in self.batches for serial in serials_in(entry.serials)]

    @property
    def batch_events(self) -> list[int]:
        """How many events each delivered batch contained, in order of delivery."""
        return [entry.events for _, entry in self.batches]

    def outcomes(self, after: int = 0) -> tuple[Outcome, ...]:
        """Return the outcome of each attempt but the first `after`."""
        left, found = self.attempts - after, list[Outcome]()
        for _, entry in reversed(self.entries):
            if left <= 0:
                break
            found += [entry.outcome] * min(left, entry.count)
            left -= entry.count
        return tuple(reversed(found))

    @property
    def deliveries(self) -> DeliveryCounts:
        """Numbers of this webhook."""
        return DeliveryCounts(
            attempts=self.attempts - self.simulated,
            delivered=self.delivered_count,
            discarded=len(self.discarded),
            pending=len(self.pending),
            simulated=self.simulated,
        )

    @property
    def happened(self) -> Iterator[tuple[int, int]]:
        """Each accepted serial with the time of its event, ascending."""
        for first, last, at in self._happened:
            for serial in range(first, last + 1):
                yield serial, at

    def happened_at(self, serial: int) -> int | None:
        """Return when an event happened, or None if the webhook does not have to deliver it."""
        index = bisect_right(self._happened, serial, key=lambda one: one[0]) - 1
        if index < 0:
            return None
        _, last, at = self._happened[index]
        return at if serial <= last else None

    @property
    def oldest_pending(self) -> int | None:
        """When the oldest pending event happened; None if nothing is pending."""
        first = self.pending.first
        return None if first is None else self.happened_at(first)

    def note_happened(self, position: int, entry: Happened) -> None:
        """Note events that the webhook has to deliver."""
        first, last = entry.first_serial, entry.first_serial + len(entry.events) - 1
        self.evidence.append(position)
        if last < first:
            return
        self._happened.append((first, last, entry.at))
        self.accepted.add(first, last)
        self.pending.add(first, last)

    def note_attempts(self, position: int, entry: Attempted) -> None:
        """Note a new entry of attempts. If it grows later, only the numbers of attempts change."""
        self.evidence.append(position)
        self.entries.append((position, entry))
        if entry.serials != self._last_attempted:
            self._last_attempted = entry.serials
            self.attempted.update(entry.serials)
        if not entry.outcome.accepted:
            return
        self.batches.append((position, entry))
        self.batch_sizes[entry.events] += 1
        self.pending.difference_update(entry.serials)
        finished = finished_at(entry)
        for first, last in entry.serials:
            self.overtakings += first < self._last_delivered
            self._last_delivered = last
            # Serials are in order of time, so the first event of a range is its oldest.
            happened = self.happened_at(first)
            if happened is not None:
                self.slowest = max(self.slowest or 0, finished - happened)

    def note_discarded(self, position: int, entry: Discarded) -> None:
        """Note discarded events."""
        self.evidence.append(position)
        self.discards.append(entry)
        self.discarded.update(entry.serials)
        self.pending.difference_update(entry.serials)


class Ledger:
    """The accounts of all webhooks of a journal."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.accounts: dict[int, Account] = {}
        """Accounts by webhook id, in order of appearance."""
        self.happened: list[Happened] = []
        """Entries of all events, also of those that no webhook has to deliver."""
        self.attempts: list[Attempted] = []
        """Attempts of all webhooks, in the order of the journal."""
        self.calls: list[tuple[int, Called]] = []
        """Entries of all calls of the REST API, with their positions."""
        self.outages: list[OutageDeclared | OutageEnded] = []
        self.probed: tuple[int, Probed] | None = None
        """The newest `Probed` entry, with its position."""
        self.next_position = 0
        """Position of the entry that will be added next."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Ledger:
        """Return the ledger of a complete journal."""
        ledger = cls()
        for position, entry in enumerate(entries):
            ledger.note(position, entry)
        return ledger

    @classmethod
    def following(cls, journal: Journal) -> Ledger:
        """Return the ledger of a journal, which follows it from now on."""
        ledger = cls()
        journal.follow(ledger.note)
        return ledger

    def account(self, webhook_id: int) -> Account:
        """Return the account of one webhook, empty before its first entry."""
        found = self.accounts.get(webhook_id)
        if found is None:
            found = self.accounts[webhook_id] = Account(webhook_id, self.totals.webhook(webhook_id))
        return found

    @property
    def deliveries(self) -> DeliveryCounts:
        """Numbers of all webhooks together."""
        return sum((account.deliveries for account in self.accounts.values()), NO_DELIVERIES)

    @property
    def attempted(self) -> set[int]:
        """Serials of the events that any attempt of any webhook contained."""
        return {serial for account in self.accounts.values() for serial in account.attempted}

    def delivered(self, webhook_ids: Iterable[int] | None = None) -> list[int]:
        """Return the serials that these webhooks, or all, have delivered, in order of delivery."""
        wanted = self.accounts if webhook_ids is None else dict.fromkeys(webhook_ids)
        batches = [self.account(webhook_id).batches for webhook_id in wanted]
        return [serial for _, entry in merge(*batches, key=lambda one: one[0]) for serial in serials_in(entry.serials)]

    def evidence(self) -> list[int]:
        """Return the positions of the entries that `deliveries` is made from."""
        return sorted({position for account in self.accounts.values() for position in account.evidence})

    def payload(self, serial: int) -> msgspec.Raw:
        """Return an event as JSON. Raises `KeyError` if the journal does not contain it."""
        index = bisect_right(self.happened, serial, key=lambda entry: entry.first_serial) - 1
        entry = self.happened[index] if index >= 0 else None
        if entry is None or serial >= entry.first_serial + len(entry.events):
            raise KeyError(serial)
        return entry.events[serial - entry.first_serial]

    def note(self, position: int, entry: Entry) -> None:
        """Note an entry that was added to the journal or has grown."""
        if not self.totals.note(position, entry):
            return
        self.next_position = position + 1
        match entry:
            case WebhookChanged():
                self.account(entry.webhook_id).status = entry.status
            case Happened():
                self.happened.append(entry)
                for webhook_id in entry.webhook_ids:
                    self.account(webhook_id).note_happened(position, entry)
            case Attempted():
                self.attempts.append(entry)
                self.account(entry.webhook_id).note_attempts(position, entry)
            case Discarded():
                self.account(entry.webhook_id).note_discarded(position, entry)
            case Verified():
                self.account(entry.webhook_id).verified = position, entry
            case OutageDeclared() | OutageEnded():
                self.outages.append(entry)
            case Called():
                self.calls.append((position, entry))
            case Probed():
                self.probed = position, entry
            case _:
                pass


def finished_at(entry: Attempted) -> int:
    """Return when the last attempt of an entry ended."""
    return entry.last_at + entry.took


def _size(ranges: SerialRanges) -> int:
    return sum(last - first + 1 for first, last in ranges)
