"""Letting recipients act: operations of the control API, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import DEFAULT_RATES, Rates, Sample
from mockcampaign.model import EventType
from mockcampaign.server.http.fields import Duration, PositiveId, duration
from mockcampaign.server.http.operations import CONTROL_TAG, Operation
from mockcampaign.server.served_campaign import ServedCampaign

EMIT_COUNT_MAX = 1_000_000
"""Most events of one call. Ours: what fits in memory."""
RECIPIENTS_MAX = 1_000_000
"""Most recipients of one mailing. Ours: what is planned within seconds."""


class Emit(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Recipients act."""

    type: EventType
    count: Annotated[int, msgspec.Meta(ge=1, le=EMIT_COUNT_MAX)] = 1
    over: Duration = "0s"
    """Spread over the time to come; at this instant without it."""
    like: dict[str, Any] | None = None
    """A captured event: more of its shape are made."""
    client_id: PositiveId | None = None
    """The first client without it."""


class Emitted(msgspec.Struct, frozen=True, rename="camel"):
    """How many events happen, and which webhooks are activated for them now."""

    events: int
    webhook_ids: list[int]


class Mailing(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A whole mailing is sent now; what its recipients do falls due in the month to come."""

    recipients: Annotated[int, msgspec.Meta(ge=1, le=RECIPIENTS_MAX)]
    rates: Rates = DEFAULT_RATES
    """How they behave, where it is not as usual: shares from 0 to 1."""
    client_id: PositiveId | None = None
    """The first client without it."""


class MailingSent(msgspec.Struct, frozen=True, rename="camel"):
    """The mailing, and how many events will come of it."""

    mailing_id: int
    events: int
    by_type: dict[str, int]


async def _emit(served: ServedCampaign, values: dict[str, Any]) -> Emitted:
    body: Emit = values["body"]
    client_id = _client(served, body.client_id)
    over = duration("over", body.over)
    like = None if body.like is None else _sample(body.like, body.type)
    campaign = served.campaign
    prepared = await served.in_thread(
        lambda: campaign.prepare(body.type, body.count, over=over, like=like, client_id=client_id)
    )
    campaign.put(prepared)
    webhook_ids = [
        webhook.id
        for webhook in served.campaign.webhooks.of_client(client_id)
        if webhook.type == body.type and webhook.status == "activated"
    ]
    return Emitted(body.count, webhook_ids)


async def _send_mailing(served: ServedCampaign, values: dict[str, Any]) -> MailingSent:
    body: Mailing = values["body"]
    client_id = _client(served, body.client_id)
    campaign = served.campaign
    prepared = await served.in_thread(
        lambda: campaign.prepare_mailing(body.recipients, rates=body.rates, client_id=client_id)
    )
    sent = campaign.put_mailing(prepared)
    return MailingSent(sent.mailing_id, sent.events, {kind.value: count for kind, count in sent.by_type.items()})


def _client(served: ServedCampaign, number: int | None) -> int:
    known = served.users.client_ids
    if number is None:
        return known[0]
    if number not in known:
        raise InvalidInputError(f"clientId: {number} is no client here, allowed: {', '.join(map(str, known[:10]))}")
    return number


def _sample(event: dict[str, Any], event_type: EventType) -> Sample:
    if event.get("type") != event_type:
        raise InvalidInputError(f"like: its type is not {event_type}, allowed: an event of that type")
    return Sample(event_type, (event,))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="emit",
        title="Emit events",
        tag=CONTROL_TAG,
        method="POST",
        path="/emit",
        body=Emit,
        success_description="The events happen.",
        answer=Emitted,
        handle=_emit,
    ),
    Operation(
        id="sendMailing",
        title="Send a mailing",
        description="Events that no activated webhook wants when they fall due are not even made.",
        tag=CONTROL_TAG,
        method="POST",
        path="/mailing",
        body=Mailing,
        success_description="The mailing is sent.",
        answer=MailingSent,
        handle=_send_mailing,
    ),
)
