"""How a consumer recovers from planned outages: what became of every event that was pending when one ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mockcampaign.load_test.arrivals import PlannedOutage


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """The time after a planned outage."""

    outage: PlannedOutage
    backlog: int | None
    """How many events were pending when the outage ended; None if the load was over before."""
    drained_after: int | None
    """Milliseconds from the outage's end until each of these events was delivered; None if some never was."""

    def drained_by(self, moment: int) -> bool:
        """Whether the backlog was drained so many milliseconds after the load began."""
        return self.drained_after is not None and self.outage.end + self.drained_after <= moment


class Backlogs:
    """The events that were pending at the end of each outage, and are still.

    Each webhook's events leave oldest first, so that the first ones to leave after an outage are those of its backlog.
    """

    def __init__(self, outages: Sequence[PlannedOutage]) -> None:
        self._outages = outages
        self._counts: dict[PlannedOutage, int] = {}
        self._pending: dict[PlannedOutage, dict[int, int]] = {}
        """How many events of each backlog that is not drained are pending, by webhook."""
        self._drained_after: dict[PlannedOutage, int] = {}

    def note_end(self, outage: PlannedOutage, pending: Mapping[int, int]) -> None:
        """Note how many events of each webhook are pending when an outage ends."""
        self._counts[outage] = sum(pending.values())
        self._pending[outage] = {webhook_id: count for webhook_id, count in pending.items() if count}
        self._note_drained(outage.end)

    def note_left(self, webhook_id: int, count: int, at: int) -> None:
        """Note that events of a webhook are no longer pending, `at` milliseconds after the load began."""
        if not self._pending:
            return
        for pending in self._pending.values():
            left = pending.pop(webhook_id, 0) - count
            if left > 0:
                pending[webhook_id] = left
        self._note_drained(at)

    def recoveries(self) -> list[Recovery]:
        """Return how the consumer has recovered from each outage."""
        return [
            Recovery(outage=one, backlog=self._counts.get(one), drained_after=self._drained_after.get(one))
            for one in self._outages
        ]

    def _note_drained(self, at: int) -> None:
        for outage in [outage for outage, pending in self._pending.items() if not pending]:
            del self._pending[outage]
            self._drained_after[outage] = max(0, at - outage.end)
