"""The state of a served campaign, as the control API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.engine.declared_faults import write_fault
from mockcampaign.engine.outbox import Attempt, Idle
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.model import EventType, Webhook
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api.webhook_credentials import authentication_type

STATE_SECONDS = 0.05
"""How old a state may be that a watcher is told. All who watch wake at the same news."""


class DeliveriesView(msgspec.Struct, frozen=True):
    """What became of all events so far."""

    attempts: int
    delivered: int
    discarded: int
    pending: int


class OutageView(msgspec.Struct, frozen=True):
    """Why no attempt of a webhook would reach its target now."""

    kind: str
    until: int


class FaultView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A fault in force."""

    number: int
    """Counts declared faults from 1."""
    fault: dict[str, Any]
    """As it was declared, its own settings complete."""
    webhook_id: int | None
    """None: it concerns all webhooks."""
    until: int | None
    """The moment from which it hits no more, where it was declared for a time."""
    hits: int
    """How many attempts it has hit."""


class WebhookView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A webhook and its queue."""

    id: int
    client_id: int
    type: str
    status: str
    target_url: str
    authentication: str
    pending: int
    phase: str
    """`idle`, `due` or `under-way`."""
    due_at: int | None
    attempt: int | None
    """Number of the attempt that is due or under way."""
    delivered: int
    discarded: int
    attempts: int
    outage: OutageView | None


class JournalRange(msgspec.Struct, frozen=True):
    """Which positions are held: `first` up to, not including, `next`."""

    first: int
    next: int
    dropped: int


class StateView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The present. All moments are milliseconds since 1970."""

    run: str
    """Names this life of the server, from its start or its last reset on: positions of another mean nothing in it."""
    now: int
    started: int
    speed: float
    advancing: bool
    seed: int
    types: tuple[str, ...]
    outage_kinds: tuple[str, ...]
    fault_kinds: tuple[str, ...]
    clients: list[int]
    deliveries: DeliveriesView
    webhooks: list[WebhookView]
    faults: list[FaultView]
    journal: JournalRange


def state(served: ServedCampaign) -> StateView:
    """The present."""
    campaign, hub = served.campaign, served.hub
    webhooks = [_webhook(served, webhook) for webhook in campaign.webhooks.all()]
    totals = hub.totals.whole
    return StateView(
        run=served.run,
        now=campaign.now,
        started=served.started,
        speed=served.pacer.speed,
        advancing=served.pacer.advancing,
        seed=served.settings.seed,
        types=tuple(EventType),
        outage_kinds=tuple(OUTAGES),
        fault_kinds=tuple(FAULTS),
        clients=served.users.client_ids,
        deliveries=DeliveriesView(
            totals.attempts, totals.delivered, totals.discarded, sum(webhook.pending for webhook in webhooks)
        ),
        webhooks=webhooks,
        faults=faults(served),
        journal=journal(served),
    )


def faults(served: ServedCampaign) -> list[FaultView]:
    """Those in force, in the order in which they were declared."""
    return [
        FaultView(
            number=declared.number,
            fault=write_fault(declared.fault, declared.when),
            webhook_id=next(iter(declared.webhook_ids), None),
            until=declared.until,
            hits=declared.hits,
        )
        for declared in served.campaign.declared_faults()
    ]


def encoded_state(served: ServedCampaign, loop_time: float) -> tuple[int, bytes]:
    """The present as JSON, and the hub's version that it shows; made once for all who ask at about the same time."""
    hub = served.hub
    known = hub.encoded_state
    if known is None or loop_time - known[0] > STATE_SECONDS:
        known = hub.encoded_state = loop_time, hub.version, msgspec.json.encode(state(served))
    return known[1:]


def journal(served: ServedCampaign) -> JournalRange:
    """Which positions are held."""
    held = served.hub.journal
    return JournalRange(held.dropped, held.next_position, held.dropped)


def _webhook(served: ServedCampaign, webhook: Webhook) -> WebhookView:
    campaign = served.campaign
    waiting, totals = campaign.delivery_state(webhook), served.hub.totals.webhook(webhook.id)
    outage = campaign.current_outage(webhook)
    phase, due_at, attempt = "idle", None, None
    if isinstance(waiting, Attempt):
        phase, attempt = "under-way", waiting.number
    elif not isinstance(waiting, Idle):
        phase, due_at, attempt = "due", waiting.at, waiting.number
    return WebhookView(
        id=webhook.id,
        client_id=webhook.client_id,
        type=webhook.type.value,
        status=webhook.status.value,
        target_url=webhook.target_url,
        authentication=authentication_type(webhook.authentication),
        pending=campaign.pending_count(webhook),
        phase=phase,
        due_at=due_at,
        attempt=attempt,
        delivered=totals.delivered,
        discarded=totals.discarded,
        attempts=totals.attempts,
        outage=None if outage is None else OutageView(outage.kind, outage.until),
    )
