"""Runs of equal failures, after which further attempts are simulated rather than sent (`Policy.simulate_after`)."""

from __future__ import annotations

import msgspec

from mockcampaign.engine.outbox import Attempt, Events
from mockcampaign.model import Fault, Outcome, Responded


class FailureRun(msgspec.Struct):
    """Consecutive attempts at one batch that failed alike."""

    events: Events
    outcome: Outcome
    count: int


class Simulation(msgspec.Struct, frozen=True):
    """Attempts that are to be simulated."""

    outcome: Outcome
    count: int | None
    """How many there are before one is sent again; None: as many as fail alike."""


class FailureRuns:
    """The current run of each webhook."""

    def __init__(self, simulate_after: int) -> None:
        """`simulate_after` is the policy's; 0: all attempts are sent."""
        self.current: dict[int, FailureRun] = {}
        """Failure runs by webhook id. Empty: no attempt is simulated, so that nobody needs to ask."""
        self._simulate_after = simulate_after
        self.simulated: set[int] = set()
        """Webhooks whose attempt under way is simulated."""

    def simulate(self, attempt: Attempt) -> Outcome | None:
        """Return the outcome of an attempt that is to be simulated, or None if it is to be sent."""
        ahead = self.ahead(attempt.webhook_id, attempt.events, attempt.number)
        if ahead is None:
            return None
        self.simulated.add(attempt.webhook_id)
        return ahead.outcome

    def ahead(self, webhook_id: int, events: Events, number: int) -> Simulation | None:
        """Return what is simulated from the attempt of this number on, or None if that one is to be sent."""
        run = self.current.get(webhook_id)
        if run is None or run.count < self._simulate_after or run.events is not events:
            return None
        if not isinstance(run.outcome, Responded):
            return Simulation(run.outcome, None)
        # Now and then it is really sent, in case it no longer fails alike; but each time-out would cost its time.
        count = (1 << (number - 1).bit_length()) - number
        return Simulation(run.outcome, count) if count else None

    def record(self, attempt: Attempt, outcome: Outcome, faults: tuple[Fault, ...] = (), count: int = 1) -> None:
        """Continue the run of the webhook by so many attempts, or end it and perhaps begin another one.

        Duplicates belong to no run. An attempt on which faults had an effect ends it.
        """
        webhook_id = attempt.webhook_id
        self.simulated.discard(webhook_id)
        if outcome.accepted or faults:
            self.current.pop(webhook_id, None)
            return
        run = self.current.get(webhook_id)
        if run is not None and run.events is attempt.events and _alike(run.outcome, outcome):
            run.count += count
        else:
            # Simulated attempts have this outcome, and nothing is measured of what is not sent.
            self.current[webhook_id] = FailureRun(attempt.events, outcome.unmeasured(), count)

    def forget(self) -> None:
        """End all runs, so that the next attempts are sent."""
        self.current.clear()


def _alike(one: Outcome, other: Outcome) -> bool:
    """Whether two failures are the same. A response may name the request or the moment, so its status alone counts."""
    if isinstance(one, Responded) and isinstance(other, Responded):
        return one.status == other.status
    return one == other
