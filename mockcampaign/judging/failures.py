"""The failed attempts of each webhook in a journal, and the declared outages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from mockcampaign.engine.journal import Attempted, Discarded, Entry, Happened, OutageDeclared, OutageEnded
from mockcampaign.judging.evidence import described
from mockcampaign.judging.serials import Serials


class FailedAttempts(msgspec.Struct, kw_only=True):
    """The failed attempts of one webhook, and the events that waited for them."""

    attempts: int = 0
    """All attempts of the webhook, simulated ones included."""
    failed: int = 0
    simulated: int = 0
    """How many failed attempts were counted, not sent."""
    periods: int = 0
    """How many times an attempt failed after one that did not, or as the first."""
    first_at: int = 0
    last_at: int = 0
    """Start of the first and of the last failed attempt."""
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    """How many attempts failed in which way."""
    waiting_max: int = 0
    """The most events that were pending while the attempts failed."""
    pending: Serials = msgspec.field(default_factory=Serials)
    """Serials of the events that are pending, of those that the journal shows: it may lack its oldest entries."""
    is_failing: bool = False
    """Whether the newest attempt has failed."""

    def note_happened(self, entry: Happened) -> None:
        """Note events that the webhook has to deliver."""
        if entry.events:
            self.pending.add(entry.first_serial, entry.first_serial + len(entry.events) - 1)
        self._note_waiting()

    def note_attempts(self, entry: Attempted) -> None:
        """Note one or several equal attempts."""
        self.attempts += entry.count
        if entry.outcome.accepted:
            self.is_failing = False
            self.pending.difference_update(entry.serials)
            return
        if not self.failed:
            self.first_at = entry.at
        self.periods += not self.is_failing
        self.failed += entry.count
        self.simulated += entry.count if entry.simulated else 0
        self.last_at = max(self.last_at, entry.last_at)
        self.outcomes[described(entry)] += entry.count
        self.is_failing = True
        self._note_waiting()

    def _note_waiting(self) -> None:
        if self.is_failing:
            self.waiting_max = max(self.waiting_max, len(self.pending))


class PastOutage(msgspec.Struct, frozen=True, kw_only=True):
    """A declared outage, with the moments at which it really ended."""

    kind: str
    webhook_ids: tuple[int, ...]
    """The webhooks concerned; empty for all."""
    at: int
    until: int
    ended: Mapping[int, int]
    """Moments at which the outage was ended early for single webhooks, by their ids."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """The failed attempts and the outages of a journal."""

    attempts: Mapping[int, FailedAttempts]
    """Failed attempts by the id of the webhook; others are left out."""
    outages: tuple[PastOutage, ...]


def failures_of(entries: Iterable[Entry]) -> Failures:
    """Return the failed attempts and the outages of a journal."""
    webhooks: dict[int, FailedAttempts] = {}
    outages: list[PastOutage] = []
    for entry in entries:
        match entry:
            case Happened():
                for webhook_id in entry.webhook_ids:
                    webhooks.setdefault(webhook_id, FailedAttempts()).note_happened(entry)
            case Attempted():
                webhooks.setdefault(entry.webhook_id, FailedAttempts()).note_attempts(entry)
            case Discarded():
                webhooks.setdefault(entry.webhook_id, FailedAttempts()).pending.difference_update(entry.serials)
            case OutageDeclared():
                outages.append(
                    PastOutage(kind=entry.kind, webhook_ids=entry.webhook_ids, at=entry.at, until=entry.until, ended={})
                )
            case OutageEnded():
                outages = [_ended(outage, entry) for outage in outages]
            case _:
                pass
    return Failures(attempts={number: one for number, one in webhooks.items() if one.failed}, outages=tuple(outages))


def _ended(outage: PastOutage, entry: OutageEnded) -> PastOutage:
    if entry.at >= outage.until:
        return outage
    if not entry.webhook_ids:
        return msgspec.structs.replace(outage, until=entry.at)
    concerned = outage.webhook_ids or entry.webhook_ids
    ended = {number: entry.at for number in entry.webhook_ids if number in concerned} | {**outage.ended}
    is_over = bool(outage.webhook_ids) and ended.keys() >= {*outage.webhook_ids}
    return msgspec.structs.replace(outage, ended=ended, until=entry.at if is_over else outage.until)
