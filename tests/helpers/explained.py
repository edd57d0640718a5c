"""What a consumer must have received, worked out from the journal alone: the account that faults have to add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mockcampaign.engine.journal import Attempted, Entry, serials_in
from mockcampaign.faults import LOST
from mockcampaign.model import CONNECT_PHASES, Responded, TimedOut

LATE = frozenset({"timeout", "latency"})
"""Faults after which the sender has timed out although the consumer has answered."""


def arrived(entry: Attempted) -> bool | None:
    """Whether an attempt's list came to the consumer as a whole; None where only the consumer knows."""
    if isinstance(entry.outcome, Responded):
        return True
    if entry.outcome.phase in (*CONNECT_PHASES, "send"):
        return False
    if entry.outcome in LOST.values() or (isinstance(entry.outcome, TimedOut) and not LATE.isdisjoint(entry.faults)):
        return True
    return None


def received_lists(entries: Iterable[Entry]) -> tuple[Counter[int], Counter[int]]:
    """By serial, how often each event must have been received, and how often it may have been besides."""
    must: Counter[int] = Counter()
    may: Counter[int] = Counter()
    for entry in entries:
        if isinstance(entry, Attempted):
            whole = arrived(entry)
            for serial in serials_in((*entry.serials, *entry.redelivered)):
                if whole is None:
                    may[serial] += entry.count
                elif whole:
                    must[serial] += entry.count
    return must, may
