"""Letting what a journal tells of happen again, before any consumer.

Webhooks change, events happen, and outages and faults come at the moments at which they did. What a consumer made of
it, the attempts and discards, is not repeated but comes about anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.campaign import Campaign, FaultInForce
from mockcampaign.engine.exporter import EventsDue
from mockcampaign.engine.journal import (
    Attempted,
    Began,
    Entry,
    FaultDeclared,
    FaultEnded,
    Happened,
    OutageDeclared,
    OutageEnded,
    WebhookChanged,
)
from mockcampaign.model import Authentication, Webhook
from mockcampaign.policy import DAY
from mockcampaign.transport import Transport


class Replay:
    """Plays one journal once."""

    def __init__(
        self, entries: Sequence[Entry], transport: Transport, *, target: str | None, authentication: Authentication
    ) -> None:
        """All webhooks lead to `target`, or where they led, and have these credentials: a journal holds none."""
        began = entries[0]
        assert isinstance(began, Began)
        self.campaign = Campaign(transport, seed=began.seed, policy=began.policy, start=began.at, name=began.name)
        self._entries = entries
        self._target = target
        self._authentication = authentication
        self._webhooks: dict[int, Webhook] = {}
        self._faults: dict[int, FaultInForce] = {}

    async def play(self) -> None:
        """Raises `ConsumerUnreachableError` as `Campaign.run` does, and `InvalidInputError` where the transport cannot
        carry out a fault, before anything acts."""
        campaign = self.campaign
        for entry in self._entries:
            if isinstance(entry, FaultDeclared):
                campaign.check_fault(entry.fault)
        for entry in self._entries[1:]:
            if isinstance(entry, Attempted) or entry.at > campaign.now:
                # What was due before the entry is sent before it.
                await campaign.advance(max(entry.at - campaign.now, 0))
            self._repeat(entry)
        await campaign.run()

    def _repeat(self, entry: Entry) -> None:
        campaign = self.campaign
        match entry:
            case WebhookChanged():
                self._change(entry)
            case Happened():
                campaign.put([(campaign.now, again(entry, entry.at, entry.client_id, campaign.policy.event_age_max))])
            case OutageDeclared(kind=kind, until=until, webhook_ids=webhook_ids):
                campaign.outage(until - campaign.now, kind, *self._named(webhook_ids))
            case OutageEnded(webhook_ids=webhook_ids):
                campaign.end_outage(*self._named(webhook_ids))
            case FaultDeclared(fault=fault, when=when, webhook_ids=webhook_ids):
                self._faults[entry.number] = campaign.declare_fault(fault, when, *self._named(webhook_ids))
            case FaultEnded(number=number):
                self._faults[number].end()
            case _:
                pass  # what came of it

    def _change(self, entry: WebhookChanged) -> None:
        target = self._target or entry.target_url
        if entry.command == "create":
            self._webhooks[entry.webhook_id] = self.campaign.create(
                entry.type, target, self._authentication, client_id=entry.client_id
            )
            return
        webhook = self._webhooks[entry.webhook_id]
        match entry.command:
            case "update":
                self._webhooks[entry.webhook_id] = self.campaign.update(webhook, target_url=target)
            case "activate" | "deactivate" | "delete":
                self._webhooks[entry.webhook_id] = getattr(self.campaign, entry.command)(webhook)
            case "retry":
                self.campaign.retry(webhook)

    def _named(self, webhook_ids: tuple[int, ...]) -> list[Webhook]:
        return [self._webhooks[webhook_id] for webhook_id in webhook_ids]


def again(entry: Happened, at: int, client_id: int, event_age_max: int = 3 * DAY) -> EventsDue:
    """What happened, as it happens at another moment: each event as old as it was then.

    The age is told by `created`, where that says a moment that fits; else an event is new.
    """
    moved, oldest = at - entry.at, entry.at - event_age_max
    payloads = []
    for raw in entry.events:
        payload = msgspec.json.decode(raw)
        created = payload.get("created") if isinstance(payload, dict) else None
        if isinstance(created, bool) or not isinstance(created, int) or not oldest < created <= entry.at:
            payloads.append((at, bytes(raw)))
        elif moved:
            payloads.append((created + moved, msgspec.json.encode({**payload, "created": created + moved})))
        else:
            payloads.append((created, bytes(raw)))
    return EventsDue(client_id=client_id, type=entry.type, payloads=tuple(payloads))
