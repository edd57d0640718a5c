"""Every number of the sender, with its unit and its source.

*Documented* is what the vendor's webhook guide says; *assumed* is ours where nobody says, and may be changed.
"""

from __future__ import annotations

import msgspec

from mockcampaign.errors import InvalidInputError

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Milliseconds, the unit of an event's `created` and of all time in the engine."""

DEFAULT_CLIENT_ID = 123456789001
"""The client id of the guide's example."""

INT64_MAX = 2**63 - 1
"""Greatest id and number (documented: the vendor's API description calls its ids int64)."""

DEFAULT_USER = DEFAULT_PASSWORD = "mockcampaign"
"""Of the fake server. Ours, and no secret."""

DEFAULT_START = 1_735_689_600_000
"""2025-01-01T00:00:00Z. A fixed default makes runs repeatable, and lies so far back that no virtual time of a run
reaches the consumer's future."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the sender behaves. Durations are whole milliseconds.

    Raises `InvalidInputError` where a limit is out of range or two limits contradict each other.
    """

    batch_events_max: int = 100
    """Most events in one list. Documented."""
    retry_interval: int = 10 * SECOND
    """From the end of a failed attempt to the next. "Every 10 seconds" is documented, from the end is assumed."""
    event_age_max: int = 3 * DAY
    """An event of this age is discarded, not sent. "Three days of its creation" is documented."""
    timeout: int = 10 * SECOND
    """How long an attempt may take before the sender gives it up. Assumed."""
    refill: bool = False
    """Whether a retried list is topped up with newer events. Assumed: it is not."""
    webhooks_per_client_max: int = 10
    """Creation limit for each client. That there is one is documented, its value is assumed."""
    simulate_after: int = 0
    """After so many equal failures in a row (same status, or same error), further attempts at the batch are simulated:
    counted, not sent. Attempts whose number is a power of two are always sent. 0: all are sent. Ours."""
    response_body_bytes_kept: int = 4_096
    """How much of an answer's body the journal keeps. Ours: evidence, but bounded."""

    def __post_init__(self) -> None:
        for name in ("batch_events_max", "retry_interval", "event_age_max", "timeout", "webhooks_per_client_max"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"policy.{name}: {getattr(self, name)} is out of range, allowed: 1 or more")
        if self.batch_events_max > 100:
            raise InvalidInputError(
                f"policy.batch_events_max: {self.batch_events_max} is out of range, allowed: 1 to 100"
            )
        for name in ("simulate_after", "response_body_bytes_kept"):
            if getattr(self, name) < 0:
                raise InvalidInputError(f"policy.{name}: negative, allowed: 0 or more")
        if self.retry_interval >= self.event_age_max:
            raise InvalidInputError(
                f"policy.retry_interval: {self.retry_interval} ms is not below event_age_max ({self.event_age_max} ms)"
            )
