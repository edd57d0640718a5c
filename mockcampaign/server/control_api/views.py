"""What the control API shows of a served campaign: its state, its journal, and one delivery in full."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

import msgspec

from mockcampaign.engine.declared_faults import write_fault
from mockcampaign.engine.journal import Attempted, Entry, Happened, Probed, Verified, WebhookChanged, serials_in
from mockcampaign.engine.outbox import Attempt, Idle
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.judging.journal_rules import describe_outcome
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    EventType,
    KeyAuthentication,
    NoResponse,
    Outcome,
    Responded,
    Webhook,
)
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.pacer import AttemptKey
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.vendor_api.webhook_credentials import authentication_type

MASK = "***"

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


class RequestView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A request as it was sent, less its secrets."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str | None
    """None where its events are held no more."""
    body_bytes: int | None


class ResponseView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The target's answer."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    """As much of it as the policy keeps."""
    body_bytes: int


class DeliveryView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One attempt in full."""

    position: int
    webhook_id: int
    number: int
    at: int
    took: int
    """Virtual milliseconds."""
    wall_milliseconds: float | None
    """How long it really took, connecting included; None for one that touched no socket, or is too long ago."""
    bytes_sent: int | None
    bytes_received: int | None
    """Over the socket, heads and framing included; known as long as how long it took."""
    faults: tuple[str, ...]
    """Kinds of the faults that hit it. What they change on the wire is not in `request`."""
    request: RequestView
    response: ResponseView | None
    outcome: str
    accepted: bool
    curl: str


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


def entry(position: int, shown: Entry) -> dict[str, Any]:
    """A journal entry with its position; lists of events are shown as their number."""
    fields: dict[str, Any]
    match shown:
        case Happened():
            fields = _fields(shown, "happened", "events") | {"count": len(shown.events)}
        case Attempted():
            fields = _fields(shown, "attempted", "outcome") | {
                "events": shown.events,
                "outcome": _outcome(shown.outcome),
                "status_text": describe_outcome(shown),
                "accepted": shown.outcome.accepted,
            }
        case Verified():
            fields = _fields(shown, "verified", "events", "outcome") | {
                "events": len(shown.events),
                "outcome": _outcome(shown.outcome),
                "accepted": shown.outcome.accepted,
            }
        case Probed():
            # As a number, which it holds as well.
            fields = _fields(shown, "probed", "events")
        case _:
            fields = msgspec.to_builtins(shown)
    return {"position": position, **fields}


def delivery(served: ServedCampaign, position: int, number: int | None) -> DeliveryView:
    """An attempt of the entry at a position: the last of them, unless a number is given.

    Raises `RequestRejectedError` with 404 where there is none.
    """
    held = served.hub.journal
    index = position - held.dropped
    found = held.entries[index] if 0 <= index < len(held.entries) else None
    if not isinstance(found, Attempted):
        gone = f"; positions below {held.dropped} are held no more" if held.dropped else ""
        raise RequestRejectedError(404, f"position {position} holds no attempt{gone}")
    last = found.first_number + found.count - 1
    number = last if number is None else number
    if not found.first_number <= number <= last:
        raise RequestRejectedError(
            404, f"attempt {number} is not at position {position}, allowed: {found.first_number} to {last}"
        )
    at = found.at + (number - found.first_number) * found.interval
    request = _request(served, found, index)
    response = None
    if isinstance(found.outcome, Responded):
        response = ResponseView(
            status=found.outcome.status,
            headers=list(found.outcome.headers),
            body=_text(found.outcome.body),
            body_bytes=found.outcome.body_bytes,
        )
    [serial, _], *_ = found.serials or found.redelivered
    key = AttemptKey(found.webhook_id, at, number, serial, duplicate=not found.serials)
    measured = served.pacer.measured.get(key)
    return DeliveryView(
        position=position,
        webhook_id=found.webhook_id,
        number=number,
        at=at,
        took=found.took,
        wall_milliseconds=None if measured is None else measured.microseconds / 1_000,
        bytes_sent=None if measured is None else measured.bytes_sent,
        bytes_received=None if measured is None else measured.bytes_received,
        faults=found.faults,
        request=request,
        response=response,
        outcome=describe_outcome(found),
        accepted=found.outcome.accepted,
        curl=_curl(request, served.campaign.webhook(found.webhook_id).authentication),
    )


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


def _fields(shown: msgspec.Struct, tag: str, *but: str) -> dict[str, Any]:
    return {"entry": tag} | {
        name: msgspec.to_builtins(getattr(shown, name)) for name in shown.__struct_fields__ if name not in but
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Responded(status=status, headers=headers, body=body, body_bytes=body_bytes):
            return {
                "type": "responded",
                "status": status,
                "headers": headers,
                "body": _text(body),
                "body_bytes": body_bytes,
            }
        case NoResponse(phase=phase, reason=reason):
            return {"type": "no-response", "phase": phase, "reason": reason}
        case _:
            return {"type": "timed-out", "phase": outcome.phase}


def _request(served: ServedCampaign, attempted: Attempted, index: int) -> RequestView:
    webhook = served.campaign.webhook(attempted.webhook_id)
    bare = served.campaign.request(webhook, ())
    secret_names = {name for name, _ in webhook.authentication.headers()}
    entries = served.hub.journal.entries
    url = next(
        (
            change.target_url
            for change in reversed(entries[:index])
            if isinstance(change, WebhookChanged) and change.webhook_id == attempted.webhook_id
        ),
        bare.url,
    )
    body = _body(entries[:index], attempted)
    return RequestView(
        method=bare.method,
        url=url,
        headers=[(name, MASK if name in secret_names else text) for name, text in bare.headers],
        body=None if body is None else body.decode(),
        body_bytes=None if body is None else len(body),
    )


def _body(before: Iterable[Entry], attempted: Attempted) -> bytes | None:
    """The list, put together again from the events that happened before."""
    payloads: dict[int, bytes] = {}
    wanted = list(serials_in((*attempted.serials, *attempted.redelivered)))
    if attempted.serials and attempted.redelivered:
        wanted.sort()  # what is repeated stands among the rest by its age, which is the order of serials
    first, last = min(wanted), max(wanted)
    for happened in before:
        if isinstance(happened, Happened):
            start = happened.first_serial
            lowest = max(first, start)
            for serial in range(lowest, min(last, start + len(happened.events) - 1) + 1):
                payloads[serial] = bytes(happened.events[serial - start])
    if not all(serial in payloads for serial in wanted):
        return None
    return b"[" + b",".join(payloads[serial] for serial in wanted) + b"]"


_PLACEHOLDERS: dict[type[object], str] = {
    BasicAuthentication: "Basic <base64 of user:password>",
    KeyAuthentication: "<passphrase>",
}


def _curl(request: RequestView, authentication: Authentication) -> str:
    """A command that sends the same again; secrets have to be filled in."""
    parts = ["curl", "--request", request.method]
    for name, text in request.headers:
        parts += ["--header", f"{name}: {_PLACEHOLDERS[type(authentication)] if text == MASK else text}"]
    if request.body is not None:
        parts += ["--data-raw", request.body]
    return shlex.join([*parts, request.url])


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
