"""When events occur under a load: fixed beforehand, so that no consumer can slow them down."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import SECOND

TOGETHER_MILLISECONDS = 100
"""Events of so much time at most occur together. A whole batch at once costs the sender least."""

PENDING_MAX = 2_000_000
"""Most events that may be pending by default: about 0.8 GB of memory."""


class Arrival(msgspec.Struct, frozen=True):
    """Events that occur at one moment, for one webhook."""

    at: int
    """Milliseconds since the load began."""
    webhook: int
    """Index of the webhook."""
    count: int


class PlannedOutage(msgspec.Struct, frozen=True):
    """A span of the load in which no attempt reaches the consumer, in milliseconds since the load began."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return the span in words, such as `60s..90s`."""
        return f"{format_duration(self.start)}..{format_duration(self.end)}"


class WrongOutageError(InvalidInputError):
    """An outage does not fit the load."""

    def __init__(self, index: int, outage: PlannedOutage, why: str) -> None:
        """`index`: which of the outages it is; `why`: what is wrong with it, and what is allowed."""
        super().__init__(f"outage {outage} {why}")
        self.index, self.why = index, why


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Events at a constant rate.

    Raises `WrongOutageError` if an outage does not end within the load, or makes too many events pending.
    """

    events_per_second: int
    milliseconds: int
    """Duration of the load."""
    webhooks: int = 1
    """Number of webhooks, which get the events in turn."""
    together_max: int = 100
    """Most events that occur at one moment; at most a batch."""
    outages: tuple[PlannedOutage, ...] = ()
    pending_max: int = PENDING_MAX
    """The load ends when more events are pending, so that a consumer that hangs does not take all memory."""

    def __post_init__(self) -> None:
        before: PlannedOutage | None = None
        for index, outage in enumerate(self.outages):
            why = self._why_wrong(outage, before)
            if why is not None:
                raise WrongOutageError(index, outage, why)
            before = outage

    def _why_wrong(self, outage: PlannedOutage, before: PlannedOutage | None) -> str | None:
        if not 0 <= outage.start < outage.end:
            return "does not end after it begins, allowed: a later end"
        if before is not None and outage.start < before.end:
            return f"begins before the outage {before} is over, allowed: outages in order that do not overlap"
        if outage.end >= self.milliseconds:
            return f"does not end before the load does, allowed: an end before {format_duration(self.milliseconds)}"
        backlog = self.events_per_second * (outage.end - outage.start) // SECOND
        if backlog > self.pending_max:
            return f"leaves {backlog:,} events pending, allowed: up to {self.pending_max:,} (--pending-max)"
        return None

    @property
    def events(self) -> int:
        """How many events occur."""
        return self.events_per_second * self.milliseconds // SECOND

    @property
    def together(self) -> int:
        """How many events occur at one moment."""
        of_span = self.events_per_second * TOGETHER_MILLISECONDS // (SECOND * self.webhooks)
        return max(1, min(self.together_max, of_span))

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the arrivals in order of time, for one webhook after the other."""
        events, together = self.events, self.together
        for index, first in enumerate(range(0, events, together)):
            yield Arrival(
                first * SECOND // self.events_per_second, index % self.webhooks, min(together, events - first)
            )
