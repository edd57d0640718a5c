"""The state of a sender that can outlive its process, and who is notified of each change to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from mockcampaign.engine.declared_faults import Declared
from mockcampaign.engine.duplicates import DuplicateDelivery
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.outages import Outage
from mockcampaign.engine.outbox import Attempt, Due, Events, Idle
from mockcampaign.model import Webhook


class KeptWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and what it has to deliver."""

    webhook: Webhook
    pending: Events = ()
    """Oldest first."""
    retry: Due | None = None
    """The next attempt at a batch that was rejected."""
    turn: int = 0
    """Position among the webhooks whose retries are due at the same moment: a fault may hit only one of these."""


class KeptSender(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an exporter needs to go on where another one ended."""

    start: int
    """Moment at which the first process began, in milliseconds since 1970."""
    now: int
    last_serial: int
    next_webhook_id: int
    webhooks: tuple[KeptWebhook, ...]
    """In the order of their creation, deleted ones included."""
    scheduled: tuple[tuple[int, EventsDue], ...]
    """Events to come, with their moments."""
    declared: tuple[Declared | Outage | DuplicateDelivery, ...] = ()
    """Outages and faults, and what faults have still to do, in the order of their declaration."""
    last_fault: int = 0
    """Number of the latest fault."""


class Keeper(Protocol):
    """Is notified of each change, as soon as it is made."""

    def changed(self, webhook: Webhook, state: Idle | Due | Attempt) -> None:
        """A command changed a webhook or the moment of its next attempt."""

    def scheduled(self, at: int, due: EventsDue) -> None:
        """Events will occur at a moment."""

    def occurred(self, due: EventsDue, events: Events, webhook_ids: Sequence[int]) -> None:
        """Events occurred, and are pending with these webhooks."""

    def finished(self, webhook_id: int, events: Events) -> None:
        """A webhook has delivered or discarded events."""

    def emptied(self, webhook_id: int) -> None:
        """The last events of a webhook were discarded, so that no batch will be retried."""

    def rejected(self, webhook_id: int, retry: Due) -> None:
        """A batch was rejected and will be retried."""

    def declared(self, what: Declared | Outage | DuplicateDelivery) -> None:
        """Something was declared, or has changed since, as a fault does with each attempt that it concerns."""

    def over(self, what: Declared | Outage | DuplicateDelivery) -> None:
        """Something that was declared has no more effect."""
