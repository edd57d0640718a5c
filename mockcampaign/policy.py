"""Every number of the sender, with its unit and its source.

*Documented* means by the vendor's webhook guide; *assumed* means that nobody documents it, and that it can be changed.
"""

from __future__ import annotations

import msgspec

from mockcampaign.errors import InvalidInputError

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

PASSWORD_DELAY = 5 * MINUTE
"""Virtual time until a new password of the REST API is valid. "Some minutes" is documented, how many is assumed."""
"""Milliseconds, the unit of an event's `created` and of all time in the engine."""

DEFAULT_CLIENT_ID = 123456789001
"""The client id of the guide's example."""

INT64_MAX = 2**63 - 1
"""Greatest id and number (documented: the vendor's API description calls its ids int64)."""

CHECKED_CLIENT_ID_MAX = 2**53
"""Greatest client id of a check: of greater ones, a consumer with JavaScript's numbers would confuse two."""


def check_client_id(client_id: int) -> None:
    """Raise `InvalidInputError` if no client can have the id."""
    if not 0 < client_id <= INT64_MAX:
        raise InvalidInputError(f"client id {client_id}, allowed: 1 to {INT64_MAX}")


def id_beside(client_id: int, number: int) -> int:
    """Return the id of something that a client has from the start, from 1 to the greatest id; `number` is from 1.

    It is as large as the vendor's.
    """
    return (client_id * 100 + number - 1) % INT64_MAX + 1


DEFAULT_USER = DEFAULT_PASSWORD = "mockcampaign"
"""User name and password of the fake server. Ours, and not secret."""

DEFAULT_START = 1_735_689_600_000
"""2025-01-01T00:00:00Z. A fixed default makes runs repeatable; this one is so long ago that no virtual time of a run
lies in the consumer's future."""


_FROM_ONE = (
    *("batch_events_max", "retry_interval", "event_age_max", "timeout", "webhooks_per_client_max"),
    *("connections_per_client_max", "recipient_reads_per_client_max", "hard_bounces_max", "soft_bounces_max"),
)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the sender behaves. Durations are whole milliseconds.

    Raises `InvalidInputError` if a limit is out of range or two limits contradict each other.
    """

    batch_events_max: int = 100
    """Maximum number of events in a batch. Documented."""
    retry_interval: int = 10 * SECOND
    """Time from the end of a failed attempt to the next. "Every 10 seconds" is documented, from the end is assumed."""
    event_age_max: int = 3 * DAY
    """An event of this age is discarded, not sent. "Three days of its creation" is documented."""
    timeout: int = 10 * SECOND
    """Time after which the sender abandons an attempt. Assumed."""
    refill: bool = False
    """Whether newer events fill up the batch of a retry. Assumed: no."""
    webhooks_per_client_max: int = 12
    """Maximum number of webhooks of a client. That there is a limit is documented; assumed: one for each type."""
    connections_per_client_max: int = 40
    """Maximum number of connections on which a client calls the REST API at the same time. Documented; that further
    ones get status 429 is assumed."""
    recipient_reads_per_client_max: int = 10
    """Maximum number of calls that list or count the recipients of any of a client's lists at the same time; further
    ones get status 429. Documented. As calls take no time here, only those overlap that a fault holds (assumed)."""
    suspend_after: int = 0
    """Time of uninterrupted failures after which a failed attempt suspends its webhook; 0: never. That webhooks can be
    suspended is documented; when, and so that they never are by themselves, is assumed."""
    send_delay: int = 2 * SECOND
    """Time from the call that sends a mail to its `sent` event. That a mail is enqueued and then sending in between is
    documented; how long is assumed."""
    hard_bounces_max: int = 3
    soft_bounces_max: int = 9
    """Number of bounces of an address, of each category, from which on it gets no mail. That there is a limit is
    documented; the numbers are assumed."""
    simulate_after: int = 0
    """After so many equal failures in a row (same status, or same error), further attempts at the batch are simulated:
    counted, not sent. Attempts whose number is a power of two are always sent. 0: all are sent. Ours."""
    body_prefix: str = "["
    body_suffix: str = "]"
    """Text before the first and after the last event of a body. A JSON list is documented."""
    response_body_bytes_kept: int = 4_096
    """Bytes of a response body that the journal keeps. Ours: evidence, but bounded."""

    def __post_init__(self) -> None:
        for name in _FROM_ONE:
            if getattr(self, name) < 1:
                raise InvalidInputError(f"policy.{name}: {getattr(self, name)} is out of range, allowed: 1 or more")
        if self.batch_events_max > 100:
            raise InvalidInputError(
                f"policy.batch_events_max: {self.batch_events_max} is out of range, allowed: 1 to 100"
            )
        for name in ("simulate_after", "response_body_bytes_kept", "suspend_after", "send_delay"):
            if getattr(self, name) < 0:
                raise InvalidInputError(f"policy.{name}: negative, allowed: 0 or more")
        if self.retry_interval >= self.event_age_max:
            raise InvalidInputError(
                f"policy.retry_interval: {self.retry_interval} ms is not below event_age_max ({self.event_age_max} ms)"
            )
