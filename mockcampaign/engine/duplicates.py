"""Second deliveries of a batch, which a declared `Duplicate` asks for."""

from __future__ import annotations

import msgspec

from mockcampaign.engine.outbox import Attempt
from mockcampaign.faults import Duplicate, Latency, Timeout, WireFault, last_of
from mockcampaign.model import Event, Fault


class DuplicateDelivery(msgspec.Struct, frozen=True, tag="duplicate", eq=False):
    """A batch that is to be delivered a second time. The outcome of that decides nothing."""

    at: int
    """The moment of the second delivery."""
    webhook_id: int
    number: int
    """Number of the attempt that it repeats."""
    events: tuple[Event, ...]
    fault: Duplicate


def is_repeated_later(attempt: Attempt) -> bool:
    """Whether a duplicate follows an attempt that is accepted."""
    fault = None if attempt.is_duplicate else last_of(attempt.faults, Duplicate)
    return fault is not None and fault.timing != "concurrent"


def duplicate_of(attempt: Attempt, now: int) -> DuplicateDelivery:
    """Return the duplicate of an attempt that was accepted now, or that starts now if both are concurrent."""
    fault = last_of(attempt.faults, Duplicate)
    assert fault is not None, "duplicate_of: no fault repeats the attempt"
    at = now + (fault.delay if fault.timing == "later" else 0)
    return DuplicateDelivery(at, attempt.webhook_id, attempt.number, tuple(attempt.batch), fault)


def applies_to_duplicates(fault: Fault) -> bool:
    """Whether a fault can hit a duplicate: that forms no batch and has no duplicates of its own."""
    return isinstance(fault, WireFault | Latency | Timeout)
