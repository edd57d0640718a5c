"""Operations that manage webhooks of any client without its credentials, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.model import EventType, NoAuthentication
from mockcampaign.server.control_api.emit_operations import client_or_first
from mockcampaign.server.control_api.state_view import WebhookView, webhook_view
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request_fields import Id, SingleLine, TargetUrl, about
from mockcampaign.server.vendor_api.webhook_credentials import AuthenticationObject
from mockcampaign.server.vendor_api.webhook_operations import RestWebhookVerify, VerifyQuery, verify


class WebhookPath(msgspec.Struct, frozen=True, rename="camel"):
    """The path to one webhook."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A new webhook."""

    type: EventType
    target_url: TargetUrl
    authentication: AuthenticationObject | None = None
    """Credentials for the target (default: none)."""
    integration_id: SingleLine = ""
    """A label by which its creator finds it."""
    client_id: Id | None = None
    """Id of the client (default: the first one)."""


class WebhookChanges(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Changes of a webhook. What is left out stays the same."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]
    target_url: TargetUrl | None = None
    authentication: AuthenticationObject | None = None
    """Credentials for the target."""


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The sample events to send."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]
    mailing_id: Id = SAMPLE_MAILING_ID
    """The mailing that the events belong to."""
    number_of_events: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


def _create(call: Call, request: NewWebhook) -> WebhookView:
    authentication = request.authentication
    made = call.served.campaign.create(
        request.type,
        request.target_url.value,
        NoAuthentication() if authentication is None else authentication.value,
        client_id=client_or_first(call.served, request.client_id),
        integration_id=request.integration_id,
    )
    return webhook_view(call.served, made)


def _update(call: Call, request: WebhookChanges) -> WebhookView:
    url, authentication = request.target_url, request.authentication
    changed = call.served.campaign.update(
        call.served.webhook(request.webhook_id),
        target_url=None if url is None else url.value,
        authentication=None if authentication is None else authentication.value,
    )
    return webhook_view(call.served, changed)


def _activate(call: Call, fields: WebhookPath) -> WebhookView:
    return webhook_view(call.served, call.served.campaign.activate(call.served.webhook(fields.webhook_id)))


def _deactivate(call: Call, fields: WebhookPath) -> WebhookView:
    return webhook_view(call.served, call.served.campaign.deactivate(call.served.webhook(fields.webhook_id)))


def _delete(call: Call, fields: WebhookPath) -> None:
    call.served.campaign.delete(call.served.webhook(fields.webhook_id))


async def _verify(call: Call, request: VerifyRequest) -> RestWebhookVerify:
    webhook = call.served.webhook(request.webhook_id)
    query = VerifyQuery(
        client_id=webhook.client_id,
        webhook_id=webhook.id,
        mailing_id=request.mailing_id,
        number_of_events=request.number_of_events,
    )
    return await verify(call, query)


_NOT_FOUND = {404: "The webhook does not exist."}
_NO_FORM = {415: "The body is a form."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="addWebhook",
        title="Create a webhook of any client",
        description="Like the operation of the REST API, but without the client's credentials. The webhook sends "
        "nothing before it is activated. No response contains the credentials.",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks",
        fields=NewWebhook,
        success=201,
        success_description="The webhook is created.",
        response=WebhookView,
        failures={400: "A field is wrong, or the client has reached its limit of webhooks."},
        handle=_create,
    ),
    Operation(
        id="changeWebhook",
        title="Change the target or the credentials of a webhook",
        tag=CONTROL_TAG,
        method="PUT",
        path="/webhooks/{webhookId}",
        fields=WebhookChanges,
        success_description="The changed webhook.",
        response=WebhookView,
        failures=_NOT_FOUND,
        handle=_update,
    ),
    Operation(
        id="activate",
        title="Activate a webhook of any client",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/activate",
        fields=WebhookPath,
        success_description="The webhook is activated.",
        response=WebhookView,
        failures={400: "The webhook is activated already.", **_NOT_FOUND, **_NO_FORM},
        handle=_activate,
    ),
    Operation(
        id="deactivate",
        title="Deactivate a webhook of any client",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/deactivate",
        fields=WebhookPath,
        success_description="The webhook is deactivated.",
        response=WebhookView,
        failures={400: "The webhook is not activated.", **_NOT_FOUND, **_NO_FORM},
        handle=_deactivate,
    ),
    Operation(
        id="removeWebhook",
        title="Delete a webhook of any client",
        description="Pending events are discarded.",
        tag=CONTROL_TAG,
        method="DELETE",
        path="/webhooks/{webhookId}",
        fields=WebhookPath,
        success=204,
        success_description="The webhook is deleted.",
        failures={400: "The webhook is not deactivated.", **_NOT_FOUND},
        handle=_delete,
    ),
    Operation(
        id="verify",
        title="Verify a webhook of any client",
        description="Sends sample events to the target at once, in any status of the webhook.",
        tag=CONTROL_TAG,
        method="POST",
        path="/webhooks/{webhookId}/verify",
        fields=VerifyRequest,
        success_description="The request was sent; the target's response.",
        response=RestWebhookVerify,
        failures=_NOT_FOUND,
        handle=_verify,
    ),
)
