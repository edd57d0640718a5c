"""Limits of a whole check: on the events that it makes, and on the time that it waits for responses in vain."""

from __future__ import annotations

from mockcampaign.check.examined import SkipRule
from mockcampaign.judging.fact import EventBudgetReached
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.transport import Transport
from mockcampaign.wallclock import Stopwatch

TIMED_OUT_MAX = 2
"""Number of time-outs of requests that Campaign never sends after which the check waits less long for others."""

IMPATIENT_TIMEOUT = 1_000
"""Time-out of such requests after that, in milliseconds."""


class Paced:
    """A transport that counts requests, to see at what pace the consumer serves them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stopwatch = Stopwatch()
        self.requests = 0
        """Number of requests so far, without those of probes."""
        self.has_acknowledged = False
        """Whether the consumer has acknowledged any batch, or something in its place."""

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    @property
    def milliseconds(self) -> float:
        """Wall time of the check for each request so far, with its share of what probes take; 0 before the first."""
        return self._stopwatch.milliseconds / self.requests if self.requests else 0

    async def send(self, request: Request) -> Outcome:
        self.requests += 1
        outcome = await self._transport.send(request)
        self.has_acknowledged = self.has_acknowledged or (outcome.accepted and request.method == "POST")
        return outcome

    async def aclose(self) -> None:
        """Do nothing: the transport belongs to the caller of the check."""


class BudgetReachedError(SkipRule):
    """The check has made as many events as it may."""


class EventBudget:
    """Counts the events of a whole check. An event that is delivered repeatedly counts once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0
        self.reached: BudgetReachedError | None = None
        """Set once more events were needed than were left; no rule gets any from then on."""
        self.timed_out = 0
        """Number of requests that Campaign never sends to which the consumer gave no response in time."""

    def spend(self, count: int) -> None:
        """Count events that are about to be made. Raise `BudgetReachedError` if fewer are left."""
        if self.reached is None and self.made + count > self.most:
            self.reached = BudgetReachedError(EventBudgetReached(events=self.most))
        if self.reached is not None:
            raise self.reached
        self.made += count

    def timeout(self, usual: int) -> int:
        """Return how long to wait for the response to a request that Campaign never sends, in milliseconds.

        After a few time-outs, it is known that no response may ever arrive.
        """
        return min(usual, IMPATIENT_TIMEOUT) if self.timed_out >= TIMED_OUT_MAX else usual
