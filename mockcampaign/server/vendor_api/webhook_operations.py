"""Operations on webhooks and users, as `OPERATIONS`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Literal, assert_never

import msgspec

from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.durations import format_moment
from mockcampaign.errors import InvalidInputError, WebhookCommandRejectedError
from mockcampaign.model import Authentication, EventType, NoAuthentication, NoResponse, Responded, TimedOut, Webhook
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request import header
from mockcampaign.server.http.request_fields import (
    INT32_MAX,
    Direction,
    Id,
    SingleLine,
    TargetUrl,
    Word,
    about,
    between,
)
from mockcampaign.server.response_types import Moment, ResponseId
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.server.vendor_api.webhook_credentials import (
    FORMS,
    AuthenticationText,
    AuthenticationType,
    authentication_type,
    basic_authentication,
)


class WebhookSort(Word):
    """Attributes that sort webhooks."""

    ID = "ID"
    MAILING_GROUP = "MAILING_GROUP"
    TYPE = "TYPE"
    NAME = "NAME"
    TEMPLATE = "TEMPLATE"
    STATUS = "STATUS"
    PAYLOAD_FORMAT = "PAYLOAD_FORMAT"
    TARGET_URL = "TARGET_URL"
    INTEGRATION_ID = "INTEGRATION_ID"
    AUTHENTICATION = "AUTHENTICATION"
    DATA = "DATA"
    CREATED = "CREATED"
    MODIFIED = "MODIFIED"


_SORT_KEYS: dict[WebhookSort, Callable[[Webhook], str | int] | None] = dict.fromkeys(WebhookSort) | {
    WebhookSort.TYPE: lambda webhook: webhook.type,
    WebhookSort.STATUS: lambda webhook: webhook.status,
    WebhookSort.TARGET_URL: lambda webhook: webhook.target_url,
    WebhookSort.INTEGRATION_ID: lambda webhook: webhook.integration_id,
    WebhookSort.AUTHENTICATION: lambda webhook: authentication_type(webhook.authentication),
    WebhookSort.MODIFIED: lambda webhook: webhook.modified,
}
"""Sort keys besides the id; None where the id alone decides, because all webhooks of the double are alike (assumed)."""


def _spelled(event_type: EventType) -> str:
    """Return an event type as responses spell it: not always as requests do (vendor's API description)."""
    return "archived" if event_type is EventType.ARCHIVE else event_type.value


RESPONSE_TYPES = [*(_spelled(event_type) for event_type in EventType), "webhooknode"]
"""Types in responses. No call of the vendor's API creates a webhook of the last one, so ours never has it."""


class WebhookAuthentication(msgspec.Struct, frozen=True):
    """Type of a webhook's credentials, never the credentials."""

    type: AuthenticationType


class RestWebhook(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A webhook."""

    id: ResponseId
    type: Annotated[str, msgspec.Meta(extra_json_schema={"enum": RESPONSE_TYPES})]
    status: Literal["created", "activated", "deactivated", "deleted", "suspended"]
    format: Literal["json"]
    target_url: str
    authentication: WebhookAuthentication
    created: Moment
    modified: Moment


class RestWebhookVerify(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Outcome of sending sample events."""

    id: ResponseId
    http_status_code: int
    """Status of the target's response; 0 if there is none (assumed)."""
    response_body: str
    """Body of the response; what happened instead if there is none (assumed)."""
    number_of_events: int
    target_url: str


class AuthenticatedUser(msgspec.Struct, frozen=True):
    """The user whose credentials the request has."""

    id: ResponseId
    username: str
    email: str


def represent(webhook: Webhook) -> RestWebhook:
    """Return the webhook as the vendor's API shows it."""
    return RestWebhook(
        id=webhook.id,
        type=_spelled(webhook.type),
        status=webhook.status.value,
        format="json",
        target_url=webhook.target_url,
        authentication=WebhookAuthentication(authentication_type(webhook.authentication)),
        created=format_moment(webhook.created),
        modified=format_moment(webhook.modified),
    )


_INTEGRATION = "A label of the creator's own (not documented by the vendor, but sent by its own client)."


class WebhookFields(ClientFields, frozen=True, kw_only=True):
    """The path to one webhook."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]


class WebhookForm(ClientFields, frozen=True, kw_only=True):
    """A webhook as a client describes it."""

    target_url: Annotated[TargetUrl, about("URL that the events are sent to, http or https.")]
    type: Annotated[EventType, about("Type of the events. Each webhook carries one type.")]
    format: Annotated[Literal["json"], about("Format of the batches.", type="string")]
    authentication: (
        Annotated[AuthenticationText, about(f"Credentials for the target, as JSON text: {FORMS}.")] | None
    ) = None
    basic_auth_username: (
        Annotated[SingleLine, about("User name for HTTP Basic; better: `authentication`.", deprecated=True)] | None
    ) = None
    basic_auth_password: (
        Annotated[SingleLine, about("Password for HTTP Basic; better: `authentication`.", deprecated=True)] | None
    ) = None


class CreateWebhookForm(WebhookForm, frozen=True, kw_only=True):
    """A new webhook."""

    integration_id: Annotated[SingleLine, about(_INTEGRATION)] | None = None


class UpdateWebhookForm(WebhookForm, frozen=True, kw_only=True):
    """Changes of a webhook."""

    webhook_id: Annotated[Id, about("Id of the webhook.")]


class WebhookListQuery(ClientFields, frozen=True, kw_only=True):
    """The part of the client's webhooks to return."""

    sort: Annotated[WebhookSort, about("What to sort by, in upper or lower case.")] = WebhookSort.CREATED
    direction: Annotated[Direction, about("Direction of the list, in upper or lower case.")] = Direction.DESC
    offset: Annotated[int, between(0, INT32_MAX), about("How many to skip.")] = 0
    limit: Annotated[int, between(1, INT32_MAX), about("Most to return.")] = 100
    integration_id: Annotated[SingleLine, about(f"Only webhooks with this label. {_INTEGRATION}")] | None = None


class VerifyQuery(WebhookFields, frozen=True, kw_only=True):
    """The sample events to send."""

    mailing_id: Annotated[Id, about("The mailing that the events belong to.")]
    number_of_events: Annotated[int, between(1, 100), about("How many events to send.")] = 1


def _encoded(call: Call, webhook: Webhook) -> msgspec.Raw:
    """Return the webhook as JSON, encoded anew only when it has changed."""
    known = call.served.hub.encoded_webhooks
    found = known.get(webhook.id)
    if found is None:
        found = known[webhook.id] = msgspec.Raw(msgspec.json.encode(represent(webhook)))
    return found


def _create(call: Call, form: CreateWebhookForm) -> msgspec.Raw:
    webhook = call.served.campaign.create(
        form.type,
        form.target_url.value,
        _authentication(form) or NoAuthentication(),
        client_id=form.client_id,
        integration_id=form.integration_id or "",
    )
    return _encoded(call, webhook)


def _list(call: Call, query: WebhookListQuery) -> list[msgspec.Raw]:
    webhooks = call.served.campaign.webhooks
    ids = webhooks.ids_of_client(query.client_id)
    if query.integration_id is not None:
        ids = [number for number in ids if webhooks.newest(number).integration_id == query.integration_id]
    key = _SORT_KEYS[query.sort]
    # They come in order of their ids, and so of their creation; sorting is stable.
    if key is not None:
        ids = sorted(ids, key=lambda number: key(webhooks.newest(number)))
    known = call.served.hub.encoded_webhooks
    page = islice(reversed(ids) if query.direction is Direction.DESC else ids, query.offset, query.offset + query.limit)
    return [known.get(number) or _encoded(call, webhooks.newest(number)) for number in page]


def _webhook(call: Call, fields: WebhookFields | UpdateWebhookForm) -> Webhook:
    return call.served.campaign.webhooks.get(fields.client_id, fields.webhook_id)


def _update(call: Call, form: UpdateWebhookForm) -> msgspec.Raw:
    authentication = _authentication(form)
    webhook = _webhook(call, form)
    if webhook.type != form.type:
        raise WebhookCommandRejectedError(
            f"webhook {webhook.id} carries events of type {webhook.type}, which cannot be changed"
        )
    changed = call.served.campaign.update(webhook, target_url=form.target_url.value, authentication=authentication)
    return _encoded(call, changed)


def _activate(call: Call, fields: WebhookFields) -> msgspec.Raw:
    return _encoded(call, call.served.campaign.activate(_webhook(call, fields)))


def _deactivate(call: Call, fields: WebhookFields) -> msgspec.Raw:
    return _encoded(call, call.served.campaign.deactivate(_webhook(call, fields)))


def _delete(call: Call, fields: WebhookFields) -> None:
    call.served.campaign.delete(_webhook(call, fields))


def _check_mailing(call: Call, query: VerifyQuery) -> None:
    """Raise `InvalidInputError` unless the mailing exists (documented; which ones the double has is assumed)."""
    client_id, mailing_id = query.client_id, query.mailing_id
    if (client_id, mailing_id) in call.served.campaign.mailings:
        return
    if not call.served.campaign.client(client_id).state.has_mailing(mailing_id):
        raise InvalidInputError(
            f"mailingId: {mailing_id} is not a mailing of this client, allowed: {SAMPLE_MAILING_ID}, and the id of a "
            "mailing of a smart campaign, a transactional mail or events that were emitted"
        )


async def verify(call: Call, query: VerifyQuery) -> RestWebhookVerify:
    """Send sample events of a mailing, and return the outcome. Raises `InvalidInputError` for an unknown mailing."""
    webhook = _webhook(call, query)
    _check_mailing(call, query)
    outcome = await call.served.campaign.verify(webhook, query.number_of_events, mailing_id=query.mailing_id)
    match outcome:
        case Responded(status=status, body=body):
            text = body.decode("utf-8", "replace")
        case NoResponse(reason=reason):
            status, text = 0, reason
        case TimedOut():
            status, text = 0, "no response within the time-out"
        case _:
            assert_never(outcome)
    return RestWebhookVerify(
        id=webhook.id,
        http_status_code=status,
        response_body=text,
        number_of_events=query.number_of_events,
        target_url=webhook.target_url,
    )


def _authenticated(call: Call, fields: ClientFields) -> AuthenticatedUser:
    user = call.served.users.authenticated(fields.client_id, header(call.headers, b"authorization"), call.campaign.now)
    assert user is not None, "the API admits users only"
    email = user.username if "@" in user.username else f"{user.username}@example.com"
    return AuthenticatedUser(user.id, user.username, email)


def _authentication(form: WebhookForm) -> Authentication | None:
    """Return the authentication that the form describes; None if it describes none."""
    name, password = form.basic_auth_username, form.basic_auth_password
    given = None if form.authentication is None else form.authentication.value
    if name is None and password is None:
        return given
    if name is None or password is None:
        missing = "basicAuthUsername" if name is None else "basicAuthPassword"
        raise InvalidInputError(f"{missing}: missing, allowed: basicAuthUsername and basicAuthPassword, or neither")
    basic = basic_authentication(name, password)
    if given is not None and given != basic:
        raise InvalidInputError("authentication: contradicts basicAuthUsername and basicAuthPassword, allowed: one way")
    return basic


_NOT_FOUND = {404: "The webhook does not exist.", 409: "The webhook belongs to another client."}
_TAG = "Webhooks"

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="createWebhook",
        title="Create a webhook",
        description="The webhook has status `created` and sends nothing before it is activated.",
        tag=_TAG,
        method="POST",
        path="/webhooks",
        fields=CreateWebhookForm,
        success=201,
        success_description="The webhook is created.",
        response=RestWebhook,
        failures={400: "A field is wrong, or the client has reached its limit of webhooks."},
        handle=_create,
    ),
    Operation(
        id="selectWebhooks",
        title="Get information about all webhooks",
        tag=_TAG,
        method="GET",
        path="/webhooks",
        fields=WebhookListQuery,
        success_description="The client's webhooks that are not deleted; empty if there are none.",
        response=list[RestWebhook],
        handle=_list,
    ),
    Operation(
        id="updateWebhook",
        title="Update a webhook",
        description="Without a field on authentication, the credentials stay the same (assumed).",
        tag=_TAG,
        method="PUT",
        path="/webhooks/{webhookId}",
        fields=UpdateWebhookForm,
        success_description="The updated webhook.",
        response=RestWebhook,
        failures={400: "A field is wrong, or the webhook does not allow the change.", **_NOT_FOUND},
        handle=_update,
    ),
    Operation(
        id="verifyWebhook",
        title="Verify a webhook",
        description="Sends sample events of a mailing to the target at once, in any status of the webhook. "
        f"Mailing {SAMPLE_MAILING_ID} exists from the start (assumed).",
        tag=_TAG,
        method="GET",
        path="/webhooks/{webhookId}/verify",
        fields=VerifyQuery,
        success_description="The request was sent; the target's response.",
        response=RestWebhookVerify,
        failures=_NOT_FOUND,
        handle=verify,
    ),
    Operation(
        id="activateWebhook",
        title="Activate a webhook",
        description="From now on, the webhook exports events of its type.",
        tag=_TAG,
        method="POST",
        path="/webhooks/{webhookId}/activate",
        fields=WebhookFields,
        success_description="The webhook is activated.",
        response=RestWebhook,
        failures={400: "The webhook is activated already.", **_NOT_FOUND},
        handle=_activate,
    ),
    Operation(
        id="deactivateWebhook",
        title="Deactivate a webhook",
        description="From now on, the webhook exports nothing. Pending events are kept until they are three days old.",
        tag=_TAG,
        method="POST",
        path="/webhooks/{webhookId}/deactivate",
        fields=WebhookFields,
        success_description="The webhook is deactivated.",
        response=RestWebhook,
        failures={400: "The webhook is not activated.", **_NOT_FOUND},
        handle=_deactivate,
    ),
    Operation(
        id="deleteWebhook",
        title="Delete a webhook",
        description="Pending events are discarded.",
        tag=_TAG,
        method="DELETE",
        path="/webhooks/{webhookId}",
        fields=WebhookFields,
        success=204,
        success_description="The webhook is deleted.",
        failures={400: "The webhook is not in status `deactivated`.", **_NOT_FOUND},
        handle=_delete,
    ),
    Operation(
        id="getAuthenticatedUser",
        title="Get basic information of an authenticated user",
        tag="Users",
        method="GET",
        path="/users/authenticated",
        fields=ClientFields,
        success_description="The credentials are valid for this client.",
        response=AuthenticatedUser,
        handle=_authenticated,
    ),
)
