"""Notices a webhook whose consumer accepts nothing, so that a run need not go on for three days of virtual time.

A wrong path or forgotten credentials look like this: each attempt is rejected, and none was ever accepted.
"""

from __future__ import annotations

import msgspec

from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.model import INTERRUPTED, Outcome, Responded, TimedOut

REJECTED_MAX = 10
"""Number of rejected attempts of a webhook that never had one accepted, after which a run shows nothing more."""

TIMED_OUT_MAX = 4
"""Number of time-outs after which it shows nothing more: they cost wall time."""


UNAUTHORISED = frozenset({401, 403})
"""Statuses that are the consumer's fault if it gets credentials: the check finds consumers that misread them."""

MISDIRECTED = UNAUTHORISED | {404, 405, 410}
"""Statuses that say that a request is wrong in its path or its credentials, which is not the consumer's fault."""


def is_misdirected(outcome: Outcome, *, has_credentials: bool) -> bool:
    """Return whether a response says that the path is wrong, or that credentials are missing."""
    if not isinstance(outcome, Responded) or (has_credentials and outcome.status in UNAUTHORISED):
        return False
    return outcome.status in MISDIRECTED


class NothingAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook whose attempts were all rejected."""

    webhook_id: int
    attempts: int
    """Number of attempts in a row that were rejected."""
    outcome: Outcome
    """Outcome of the newest one."""
    events: int
    """Number of events in its batch."""


class Rejections:
    """Notes the entries of a journal, and finds a webhook whose consumer never accepts anything.

    Attempts that a declared fault or outage hits do not count, nor do simulated ones: these failures are intended.
    """

    def __init__(self) -> None:
        self.found: NothingAccepted | None = None
        """A webhook that was rejected often enough since `begin`."""
        self._accepting: set[int] = set()
        self._in_a_row: dict[int, tuple[int, int]] = {}
        """Numbers of rejected attempts, and of those that timed out, by webhook id."""
        self._newest: dict[int, tuple[int, int]] = {}
        """Position of a webhook's newest entry, and how many of its attempts were counted."""

    def begin(self) -> None:
        """Count anew: the consumer may have been changed."""
        self.found = None
        self._in_a_row.clear()

    def note(self, position: int, entry: Entry) -> None:
        """Note an entry that was added to the journal or has grown."""
        if not isinstance(entry, Attempted) or entry.webhook_id in self._accepting:
            return
        webhook_id = entry.webhook_id
        if entry.outcome.accepted:
            self._accepting.add(webhook_id)
            if self.found is not None and self.found.webhook_id == webhook_id:
                self.found = None
            return
        if entry.faults or entry.simulated or entry.outcome == INTERRUPTED:
            return
        newest, counted = self._newest.get(webhook_id, (-1, 0))
        grown = entry.count - (counted if newest == position else 0)
        self._newest[webhook_id] = position, entry.count
        rejected, timed_out = self._in_a_row.get(webhook_id, (0, 0))
        rejected += grown
        timed_out += grown if isinstance(entry.outcome, TimedOut) else 0
        self._in_a_row[webhook_id] = rejected, timed_out
        if rejected >= REJECTED_MAX or timed_out >= TIMED_OUT_MAX:
            self.found = NothingAccepted(
                webhook_id=webhook_id, attempts=rejected, outcome=entry.outcome, events=entry.events
            )
