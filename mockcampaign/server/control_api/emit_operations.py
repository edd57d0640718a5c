"""Operations that emit events and send mailings, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import DEFAULT_RATES, Rates, Sample, read_sample
from mockcampaign.model import EventType
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request_fields import Duration, Id
from mockcampaign.server.served_campaign import ServedCampaign

EMIT_COUNT_MAX = 1_000_000
"""Maximum number of events in one call. Ours: as many as fit in memory."""
RECIPIENTS_MAX = 1_000_000
"""Maximum number of recipients of one mailing. Ours: as many as can be planned within seconds."""


class EmitRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Events that recipients cause."""

    type: EventType
    count: Annotated[int, msgspec.Meta(ge=1, le=EMIT_COUNT_MAX)] = 1
    over: Duration | None = None
    """Time from now on over which the events are spread (default: all occur at once, created shortly before)."""
    like: dict[str, Any] | None = None
    """A captured event: the events have its shape."""
    client_id: Id | None = None
    """Id of the client (default: the first one)."""


class EmitResponse(msgspec.Struct, frozen=True, rename="camel"):
    """Number of events, and the activated webhooks that receive them."""

    events: int
    webhook_ids: list[int]


class MailingRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A whole mailing that is sent now; its events fall due over the month to come."""

    recipients: Annotated[int, msgspec.Meta(ge=1, le=RECIPIENTS_MAX)]
    rates: Rates = DEFAULT_RATES
    """How recipients behave: shares from 0 to 1 that differ from the defaults."""
    client_id: Id | None = None
    """Id of the client (default: the first one)."""


class MailingResponse(msgspec.Struct, frozen=True, rename="camel"):
    """A mailing, and how many events its recipients will cause."""

    mailing_id: int
    events: int
    by_type: dict[str, int]


async def _emit(call: Call, request: EmitRequest) -> EmitResponse:
    served, campaign = call.served, call.served.campaign
    client_id = client_or_first(served, request.client_id)
    over = 0 if request.over is None else request.over.value
    like = None if request.like is None else _sample(request.like, request.type)
    prepared = await served.in_thread(
        lambda: campaign.prepare(request.type, request.count, over=over, like=like, client_id=client_id)
    )
    campaign.put(prepared)
    webhook_ids = [
        webhook.id
        for webhook in campaign.webhooks.of_client(client_id)
        if webhook.type == request.type and webhook.status == "activated"
    ]
    return EmitResponse(request.count, webhook_ids)


async def _send_mailing(call: Call, request: MailingRequest) -> MailingResponse:
    served, campaign = call.served, call.served.campaign
    client_id = client_or_first(served, request.client_id)
    prepared = await served.in_thread(
        lambda: campaign.prepare_mailing(request.recipients, rates=request.rates, client_id=client_id)
    )
    sent = campaign.put_mailing(prepared)
    return MailingResponse(sent.mailing_id, sent.events, {kind.value: count for kind, count in sent.by_type.items()})


def client_or_first(served: ServedCampaign, number: int | None) -> int:
    """Return the id of a client; the first one without a number. Raises `InvalidInputError` for another one."""
    known = served.users.client_ids
    if number is None:
        return known[0]
    if number not in known:
        raise InvalidInputError(f"clientId: {number} is not a client, allowed: {', '.join(map(str, known[:10]))}")
    return number


def _sample(event: dict[str, Any], event_type: EventType) -> Sample:
    sample = read_sample([event], "like", event_type)
    if sample.event_type not in (event_type, None):
        raise InvalidInputError(f"like: its type is not {event_type}, allowed: an event of that type")
    return sample


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="emit",
        title="Emit events",
        description="Events that are due now are delivered at once, also while only the control API moves time. "
        "Declare faults and outages that are to hit them before. The response comes before the deliveries: "
        "`POST /clock/advance` responds when those that are due are done.",
        tag=CONTROL_TAG,
        method="POST",
        path="/emit",
        fields=EmitRequest,
        success_description="The events are emitted.",
        response=EmitResponse,
        failures=INTERRUPTIONS,
        handle=_emit,
    ),
    Operation(
        id="sendMailing",
        title="Send a mailing",
        description="Events that no activated webhook receives when they fall due are not generated.",
        tag=CONTROL_TAG,
        method="POST",
        path="/mailing",
        fields=MailingRequest,
        success_description="The mailing is sent.",
        response=MailingResponse,
        failures=INTERRUPTIONS,
        handle=_send_mailing,
    ),
)
