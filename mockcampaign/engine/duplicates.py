"""Second deliveries of a batch, which a declared `Duplicate` asks for."""

from __future__ import annotations

import msgspec

from mockcampaign.engine.outbox import Attempt
from mockcampaign.faults import Duplicate, Latency, Timeout, WireFault, last_of
from mockcampaign.model import Event, Fault


class DuplicateDelivery(msgspec.Struct, frozen=True):
    """A batch that is to be delivered a second time. The outcome of that decides nothing."""

    webhook_id: int
    number: int
    """Number of the attempt that it repeats."""
    events: tuple[Event, ...]
    fault: Duplicate

    @property
    def delay(self) -> int:
        """Virtual milliseconds from the acceptance of the batch, or from its start if concurrent, to this delivery."""
        return self.fault.delay if self.fault.timing == "later" else 0


def is_repeated_later(attempt: Attempt) -> bool:
    """Whether a duplicate follows an attempt that is accepted."""
    fault = None if attempt.is_duplicate else last_of(attempt.faults, Duplicate)
    return fault is not None and fault.timing != "concurrent"


def duplicate_of(attempt: Attempt) -> DuplicateDelivery:
    """Return the duplicate of an attempt that a fault says is repeated."""
    fault = last_of(attempt.faults, Duplicate)
    assert fault is not None, "duplicate_of: no fault repeats the attempt"
    return DuplicateDelivery(attempt.webhook_id, attempt.number, attempt.batch, fault)


def applies_to_duplicates(fault: Fault) -> bool:
    """Whether a fault can hit a duplicate: that forms no batch and has no duplicates of its own."""
    return isinstance(fault, WireFault | Latency | Timeout)
