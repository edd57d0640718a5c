"""The plain fold of a whole journal, by which the ledger is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mockcampaign.engine.journal import Attempted, Discarded, Entry, Happened, WebhookChanged, serials_in


@dataclass(slots=True, kw_only=True)
class Tally:
    """The account of one webhook."""

    accepted: set[int] = field(default_factory=set)
    delivered: list[int] = field(default_factory=list)
    """Serials in the order of delivery."""
    discarded: set[int] = field(default_factory=set)
    attempted: set[int] = field(default_factory=set)
    """Serials that were in any list sent."""
    attempts: int = 0
    """All of them, simulated ones included."""
    simulated: int = 0
    """Attempts that were not sent, but taken to fail as the ones before."""
    batch_events: list[int] = field(default_factory=list)
    """How many events each delivered list held, in order."""
    evidence: list[int] = field(default_factory=list)
    """Positions of the journal entries that were counted."""

    @property
    def pending(self) -> set[int]:
        """Serials neither delivered nor discarded."""
        return self.accepted.difference(self.delivered) - self.discarded


def tally(entries: Sequence[Entry], webhook_ids: Iterable[int]) -> Tally:
    """Add up the entries that concern these webhooks."""
    wanted = frozenset(webhook_ids)
    account = Tally()
    for position, entry in enumerate(entries):
        match entry:
            case Happened(webhook_ids=webhook_ids) if not wanted.isdisjoint(webhook_ids):
                account.accepted.update(range(entry.first_serial, entry.first_serial + len(entry.events)))
            case Attempted(webhook_id=webhook_id) if webhook_id in wanted:
                account.attempts += entry.count
                account.simulated += entry.count if entry.simulated else 0
                serials = list(serials_in(entry.serials))
                account.attempted.update(serials)
                if entry.outcome.accepted:
                    account.delivered += serials
                    account.batch_events.append(entry.events)
            case Discarded(webhook_id=webhook_id) if webhook_id in wanted:
                account.discarded.update(serials_in(entry.serials))
            case _:
                continue
        account.evidence.append(position)
    return account


def sums(entries: Sequence[Entry]) -> Counter[str]:
    """Of all webhooks together: `attempts`, `simulated` ones not among them, and events `delivered`, `discarded` and
    `pending`."""
    found: Counter[str] = Counter()
    for webhook_id in {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}:
        account = tally(entries, [webhook_id])
        found["attempts"] += account.attempts - account.simulated
        found["simulated"] += account.simulated
        found["delivered"] += len(account.delivered)
        found["discarded"] += len(account.discarded)
        found["pending"] += len(account.pending)
    return found
