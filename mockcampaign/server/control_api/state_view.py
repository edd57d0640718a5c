"""The state of a served campaign, as the control API shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.engine.declared_faults import write_fault
from mockcampaign.engine.outbox import Attempt, Idle
from mockcampaign.engine.webhooks import COMMANDS, statuses_allowing
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.model import EventType, Webhook
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api.webhook_credentials import authentication_type
from mockcampaign.server.verdicts.job_views import JobSummary, job_summary

STATE_SECONDS = 0.05
"""Maximum age of a state that a stream sends. All streams wake at the same change."""


class DeliveriesView(msgspec.Struct, frozen=True):
    """Numbers of attempts and events so far."""

    pending: int
    delivered: int
    discarded: int
    attempts: int


class OutageView(msgspec.Struct, frozen=True):
    """An outage in force: no attempt of a webhook reaches its target."""

    kind: str
    until: int


class FaultView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A fault in force."""

    number: int
    """Number of the fault, from 1 in order of declaration."""
    fault: dict[str, Any]
    """The fault as it was declared, with all of its own settings."""
    webhook_id: int | None
    """None: the fault concerns all webhooks."""
    until: int | None
    """The moment at which the fault ends, if it was declared for a time."""
    hits: int
    """Number of attempts or calls that the fault has hit."""


class WebhookView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A webhook and its queue."""

    id: int
    type: str
    status: str
    pending: int
    phase: str
    """`idle`, `due` or `under-way`."""
    due_at: int | None
    attempt: int | None
    """Number of the attempt that is due or in flight."""
    delivered: int
    discarded: int
    attempts: int
    outage: OutageView | None
    client_id: int
    target_url: str
    authentication: str
    integration_id: str
    """A label by which its creator finds it; empty if it has none."""


class JournalRange(msgspec.Struct, frozen=True):
    """Positions that the server holds: from `first` up to, not including, `next`."""

    first: int
    next: int
    dropped: int


class UnsupportedView(msgspec.Struct, frozen=True):
    """An operation of the vendor's that was called, and that the double does not have."""

    operation: str
    """Method and beginning of the path, such as `GET /recipients/…`."""
    calls: int


class CallCountView(msgspec.Struct, frozen=True):
    """Number of calls of one operation of the REST API that had the same status."""

    operation: str
    status: int | None
    """None for calls that got no complete response."""
    calls: int


class StateView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The state of the served campaign. All moments are milliseconds since 1970.

    What people look for comes first: numbers, then webhooks. Lists that are the same in every state come last.
    """

    now: int
    deliveries: DeliveriesView
    webhooks: list[WebhookView]
    faults: list[FaultView]
    probe: str | None
    """The probe that reports the events that the consumer has stored; None if there is none."""
    unsupported: list[UnsupportedView]
    calls: list[CallCountView]
    """Calls of the REST API. Those of the control API are not counted."""
    checks: list[JobSummary]
    """The newest checks and runs, the oldest first."""
    run: str
    """Random name of the time since the last start or reset. Positions are valid only within one."""
    started: int
    speed: float
    advancing: bool
    seed: int
    """Seed of the events since the last start or reset."""
    journal: JournalRange
    clients: list[int]
    captured_types: tuple[str, ...]
    """Types whose events have a captured shape."""
    types: tuple[str, ...]
    webhook_commands: dict[str, list[str]]
    """Statuses in which a webhook can get each command."""
    outage_kinds: tuple[str, ...]
    fault_kinds: tuple[str, ...]
    operations: tuple[str, ...]
    """Names of the operations of the REST API, whose calls faults may hit."""


def state(served: ServedCampaign) -> StateView:
    """Return the current state."""
    campaign, hub = served.campaign, served.hub
    webhooks = [webhook_view(served, webhook) for webhook in campaign.webhooks.all()]
    totals = hub.totals.whole
    return StateView(
        run=served.run,
        now=campaign.now,
        started=served.started,
        speed=served.pacer.speed,
        advancing=served.pacer.advancing,
        seed=campaign.seed,
        types=tuple(EventType),
        captured_types=tuple(campaign.shapes),
        webhook_commands={command: list(statuses_allowing(command)) for command in COMMANDS},
        outage_kinds=tuple(OUTAGES),
        fault_kinds=tuple(FAULTS),
        operations=tuple(served.operations),
        clients=served.users.client_ids,
        deliveries=DeliveriesView(
            pending=sum(webhook.pending for webhook in webhooks),
            delivered=totals.delivered,
            discarded=totals.discarded,
            attempts=totals.attempts,
        ),
        webhooks=webhooks,
        faults=faults(served),
        calls=[CallCountView(one.operation, one.status, one.count) for one in hub.totals.calls],
        unsupported=[UnsupportedView(operation, calls) for operation, calls in served.unsupported.items()],
        journal=journal(served),
        probe=None if served.consumer is None else served.consumer.shown,
        checks=list(map(job_summary, served.jobs)),
    )


def faults(served: ServedCampaign) -> list[FaultView]:
    """Return the faults in force, in the order in which they were declared."""
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
    """Return the hub's version and the state as JSON, encoded once for all streams that ask at about the same time."""
    hub = served.hub
    known = hub.encoded_state
    if known is None or loop_time - known[0] > STATE_SECONDS:
        known = hub.encoded_state = loop_time, hub.version, msgspec.json.encode(state(served))
    return known[1:]


def journal(served: ServedCampaign) -> JournalRange:
    """Return the positions that the server holds."""
    held = served.hub.journal
    return JournalRange(held.dropped, held.next_position, held.dropped)


def webhook_view(served: ServedCampaign, webhook: Webhook) -> WebhookView:
    """Return a webhook and its queue, without its credentials."""
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
        integration_id=webhook.integration_id,
        pending=campaign.pending_count(webhook),
        phase=phase,
        due_at=due_at,
        attempt=attempt,
        delivered=totals.delivered,
        discarded=totals.discarded,
        attempts=totals.attempts,
        outage=None if outage is None else OutageView(outage.kind, outage.until),
    )
