"""The vendor's operations on webhooks and users, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mockcampaign.durations import format_moment
from mockcampaign.engine.webhooks import Webhooks
from mockcampaign.errors import InvalidInputError, WebhookCommandRefusedError
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    EventType,
    KeyAuthentication,
    NoAuthentication,
    NoResponse,
    Responded,
    Webhook,
)
from mockcampaign.server.http.fields import (
    INT32_MAX,
    AuthenticationText,
    AuthenticationType,
    Choice,
    Integer,
    TargetUrl,
    Text,
    basic_authentication,
)
from mockcampaign.server.http.operations import Operation, Parameter
from mockcampaign.server.vendor_api.smartcampaigns import Id, Moment

LIST_LIMIT_MAX = INT32_MAX

SORTS: dict[str, Any] = {
    "ID": None,
    "MAILING_GROUP": None,
    "TYPE": lambda webhook: webhook.type,
    "NAME": None,
    "TEMPLATE": None,
    "STATUS": lambda webhook: webhook.status,
    "PAYLOAD_FORMAT": None,
    "TARGET_URL": lambda webhook: webhook.target_url,
    "INTEGRATION_ID": lambda webhook: webhook.integration_id,
    "AUTHENTICATION": lambda webhook: authentication_type(webhook.authentication),
    "DATA": None,
    "CREATED": None,
    "MODIFIED": lambda webhook: webhook.modified,
}
"""By what webhooks are sorted besides their id; None where that decides, since all of ours are alike (assumed)."""


def _spelled(event_type: EventType) -> str:
    """Return an event type as responses spell it: not always as requests do (vendor's API description)."""
    return "archived" if event_type is EventType.ARCHIVE else event_type.value


ANSWERED_TYPES = [*(_spelled(event_type) for event_type in EventType), "webhooknode"]
"""The last is the vendor's own, of webhooks that no call creates; ours never has it."""


class WebhookAuthentication(msgspec.Struct, frozen=True):
    """How a webhook's requests are authorised; never the credentials."""

    type: AuthenticationType


class RestWebhook(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A webhook."""

    id: Id
    type: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ANSWERED_TYPES})]
    status: Literal["created", "activated", "deactivated", "deleted", "suspended"]
    format: Literal["json"]
    target_url: str
    authentication: WebhookAuthentication
    created: Moment
    modified: Moment


class RestWebhookVerify(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What came of sending sample events."""

    id: Id
    http_status_code: int
    """Of the target's answer; 0 where none came (assumed)."""
    response_body: str
    """Where no response came, what happened instead (assumed)."""
    number_of_events: int
    target_url: str


class AuthenticatedUser(msgspec.Struct, frozen=True):
    """Who the credentials belong to."""

    id: Id
    username: str
    email: str


def represent(webhook: Webhook) -> RestWebhook:
    """The webhook as the vendor's API shows it."""
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


def authentication_type(authentication: Authentication) -> AuthenticationType:
    """The type's name in requests and answers."""
    match authentication:
        case BasicAuthentication():
            return "basicAuth"
        case KeyAuthentication():
            return "keyAuth"
        case _:
            return "none"


def _encoded(served: Any, webhook: Webhook) -> msgspec.Raw:
    """The webhook as JSON, made anew only when it has changed."""
    known: dict[int, msgspec.Raw] = served.hub.encoded_webhooks
    found = known.get(webhook.id)
    if found is None:
        found = known[webhook.id] = msgspec.Raw(msgspec.json.encode(represent(webhook)))
    return found


def _create(served: Any, values: dict[str, Any]) -> msgspec.Raw:
    webhook = served.campaign.create(
        EventType(values["type"]),
        values["targetUrl"],
        _authentication(values) or NoAuthentication(),
        client_id=values["clientId"],
        integration_id=values["integrationId"] or "",
    )
    return _encoded(served, webhook)


def _list(served: Any, values: dict[str, Any]) -> list[msgspec.Raw]:
    registry: Webhooks = served.campaign.webhooks
    ids = registry.ids_of_client(values["clientId"])
    if values["integrationId"] is not None:
        ids = [number for number in ids if registry.newest(number).integration_id == values["integrationId"]]
    key = SORTS[values["sort"]]
    # They come in order of their ids, and so of their creation; sorting is stable.
    if key is not None:
        ids = sorted(ids, key=lambda number: key(registry.newest(number)))
    if values["direction"] == "DESC":
        ids = ids[::-1]
    offset, limit = values["offset"], values["limit"]
    known: dict[int, msgspec.Raw] = served.hub.encoded_webhooks
    return [known.get(number) or _encoded(served, registry.newest(number)) for number in ids[offset : offset + limit]]


def _found(served: Any, values: dict[str, Any]) -> Webhook:
    webhook: Webhook = served.campaign.webhooks.get(values["clientId"], values["webhookId"])
    return webhook


def _update(served: Any, values: dict[str, Any]) -> msgspec.Raw:
    authentication = _authentication(values)
    webhook = _found(served, values)
    if webhook.type != values["type"]:
        raise WebhookCommandRefusedError(
            f"webhook {webhook.id} carries events of type {webhook.type}, which cannot be changed"
        )
    changed = served.campaign.update(webhook, target_url=values["targetUrl"], authentication=authentication)
    return _encoded(served, changed)


def _activate(served: Any, values: dict[str, Any]) -> msgspec.Raw:
    return _encoded(served, served.campaign.activate(_found(served, values)))


def _deactivate(served: Any, values: dict[str, Any]) -> msgspec.Raw:
    return _encoded(served, served.campaign.deactivate(_found(served, values)))


def _delete(served: Any, values: dict[str, Any]) -> None:
    served.campaign.delete(_found(served, values))


async def _verify(served: Any, values: dict[str, Any]) -> RestWebhookVerify:
    number = values["numberOfEvents"]
    webhook = _found(served, values)
    outcome = await served.campaign.verify(webhook, number, mailing_id=values["mailingId"])
    match outcome:
        case Responded(status=status, body=body):
            text = body.decode("utf-8", "replace")
        case NoResponse(reason=reason):
            status, text = 0, reason
        case _:
            status, text = 0, "no response within the time-out"
    return RestWebhookVerify(
        id=webhook.id,
        http_status_code=status,
        response_body=text,
        number_of_events=number,
        target_url=webhook.target_url,
    )


def _authenticated(served: Any, values: dict[str, Any]) -> AuthenticatedUser:
    user = values["user"]
    return AuthenticatedUser(
        user.id, user.username, user.username if "@" in user.username else f"{user.username}@example.com"
    )


def _authentication(values: dict[str, Any]) -> Authentication | None:
    """What the request says of authentication; None where it says nothing."""
    name, password = values["basicAuthUsername"], values["basicAuthPassword"]
    given: Authentication | None = values["authentication"]
    if name is None and password is None:
        return given
    if name is None or password is None:
        missing = "basicAuthUsername" if name is None else "basicAuthPassword"
        raise InvalidInputError(f"{missing}: missing, allowed: basicAuthUsername and basicAuthPassword, or neither")
    old = basic_authentication(name, password)
    if given is not None and given != old:
        raise InvalidInputError("authentication: contradicts basicAuthUsername and basicAuthPassword, allowed: one way")
    return old


_WEBHOOK = Parameter(name="webhookId", kind=Integer(), description="Id of the webhook.", place="path", required=True)


def _form(name: str, kind: Any, description: str, *, required: bool = False, deprecated: bool = False) -> Parameter:
    return Parameter(
        name=name, kind=kind, description=description, place="form", required=required, deprecated=deprecated
    )


_FORM = (
    _form("targetUrl", TargetUrl(), "Where the events are sent to, http or https.", required=True),
    _form("type", Choice(tuple(EventType)), "Which events are sent. Each webhook carries one type.", required=True),
    _form("format", Choice(("json",)), "Format of the lists.", required=True),
    _form("authentication", AuthenticationText(), "How requests to the target are authorised."),
    _form("basicAuthUsername", Text(), "User name for HTTP Basic; better: `authentication`.", deprecated=True),
    _form("basicAuthPassword", Text(), "Password for HTTP Basic; better: `authentication`.", deprecated=True),
)
_INTEGRATION = "A label of the creator's own (not documented by the vendor, but sent by its own client)."
_NOT_FOUND = {404: "No such webhook exists.", 409: "The webhook belongs to another client."}
_TAG = "Webhooks"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="createWebhook",
        title="Create a webhook",
        description="It is created in status `created`, and sends nothing before it is activated.",
        tag=_TAG,
        method="POST",
        path="/webhooks",
        parameters=(*_FORM, _form("integrationId", Text(), _INTEGRATION)),
        success=201,
        success_description="The webhook is there.",
        answer=RestWebhook,
        failures={400: "A field is wrong, or the client has as many webhooks as it may have."},
        handle=_create,
    ),
    Operation(
        id="selectWebhooks",
        title="Get information about all webhooks",
        tag=_TAG,
        method="GET",
        path="/webhooks",
        parameters=(
            Parameter(name="sort", kind=Choice(tuple(SORTS)), description="What to sort by.", default="CREATED"),
            Parameter(
                name="direction", kind=Choice(("ASC", "DESC")), description="Which end comes first.", default="DESC"
            ),
            Parameter(name="offset", kind=Integer(0, INT32_MAX), description="How many to pass over.", default=0),
            Parameter(name="limit", kind=Integer(1, LIST_LIMIT_MAX), description="Most to return.", default=100),
            Parameter(name="integrationId", kind=Text(), description=f"Only those with it. {_INTEGRATION}"),
        ),
        success_description="The client's webhooks that are not deleted; empty when there is none.",
        answer=list[RestWebhook],
        handle=_list,
    ),
    Operation(
        id="updateWebhook",
        title="Update a webhook",
        description="Without a field on authentication, that stays as it is (assumed).",
        tag=_TAG,
        method="PUT",
        path="/webhooks/{webhookId}",
        parameters=(_WEBHOOK, *_FORM),
        success_description="The webhook as it is now.",
        answer=RestWebhook,
        failures={400: "A field is wrong, or the webhook cannot be changed so.", **_NOT_FOUND},
        handle=_update,
    ),
    Operation(
        id="verifyWebhook",
        title="Verify a webhook",
        description="Sends sample events to the target at once, whatever the webhook's status.",
        tag=_TAG,
        method="GET",
        path="/webhooks/{webhookId}/verify",
        parameters=(
            _WEBHOOK,
            Parameter(
                name="mailingId", kind=Integer(), description="The mailing that the events belong to.", required=True
            ),
            Parameter(name="numberOfEvents", kind=Integer(1, 100), description="How many events to send.", default=1),
        ),
        success_description="The request was made; what the target answered.",
        answer=RestWebhookVerify,
        failures=_NOT_FOUND,
        handle=_verify,
    ),
    Operation(
        id="activateWebhook",
        title="Activate a webhook",
        description="From now on, events of its type are exported.",
        tag=_TAG,
        method="POST",
        path="/webhooks/{webhookId}/activate",
        parameters=(_WEBHOOK,),
        success_description="The webhook is activated.",
        answer=RestWebhook,
        failures={400: "The webhook is activated already.", **_NOT_FOUND},
        handle=_activate,
    ),
    Operation(
        id="deactivateWebhook",
        title="Deactivate a webhook",
        description="From now on, nothing is exported. What is pending is kept until it is three days old.",
        tag=_TAG,
        method="POST",
        path="/webhooks/{webhookId}/deactivate",
        parameters=(_WEBHOOK,),
        success_description="The webhook is deactivated.",
        answer=RestWebhook,
        failures={400: "The webhook is not activated.", **_NOT_FOUND},
        handle=_deactivate,
    ),
    Operation(
        id="deleteWebhook",
        title="Delete a webhook",
        description="What is pending is discarded.",
        tag=_TAG,
        method="DELETE",
        path="/webhooks/{webhookId}",
        parameters=(_WEBHOOK,),
        success=204,
        success_description="The webhook is gone.",
        failures={400: "The webhook is not in status `deactivated`.", **_NOT_FOUND},
        handle=_delete,
    ),
    Operation(
        id="getAuthenticatedUser",
        title="Get basic information of an authenticated user",
        tag="Users",
        method="GET",
        path="/users/authenticated",
        success_description="The credentials are valid for this client.",
        answer=AuthenticatedUser,
        handle=_authenticated,
    ),
)
