"""Smart campaigns and their mailings: as much as a client needs to find a mailing id to verify a webhook with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mockcampaign.durations import format_moment
from mockcampaign.errors import WebhookError
from mockcampaign.server.http.fields import INT32_MAX, Choice, Integer, Text
from mockcampaign.server.http.operations import Operation, Parameter

COLLECTION_LIMIT_MAX = 10_000
SMART_CAMPAIGNS_MAX = 10_000
"""For each client, and mailings for each smart campaign. Ours."""

Status = Literal["invalid", "activationRequired", "activated", "canceled", "paused", "running", "finished"]
Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Id = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int64"})]


class SmartCampaignNotFoundError(WebhookError):
    """No such smart campaign or mailing under this client."""

    http_status_code = 404


class TooManyError(WebhookError):
    """More than the double keeps."""


class RestMessageNode(msgspec.Struct, rename="camel", kw_only=True):
    """A mailing of a smart campaign."""

    node_id: str
    name: str
    mailing_id: Id
    media_type: str
    status: Status
    created: Moment
    modified: Moment
    subject: dict[str, str]
    sender_address: str
    sender_name: str


class RestSmartCampaign(msgspec.Struct, rename="camel", kw_only=True):
    """A smart campaign."""

    id: Id
    name: str
    status: Status
    type: Literal["regular", "event", "confirmation"]
    created: Moment
    modified: Moment
    messages: list[RestMessageNode]


class RestSmartCampaignStreamingCollection(msgspec.Struct):
    """One page of smart campaigns."""

    elements: list[RestSmartCampaign]
    count: int
    offset: int
    limit: int


class SmartCampaigns:
    """The smart campaigns of all clients."""

    def __init__(self) -> None:
        self._of_client: dict[int, dict[int, RestSmartCampaign]] = {}
        self._last_id = 123456789100

    def of_client(self, client_id: int) -> dict[int, RestSmartCampaign]:
        """By id, oldest first."""
        return self._of_client.setdefault(client_id, {})

    def get(self, client_id: int, campaign_id: int) -> RestSmartCampaign:
        """Raises `SmartCampaignNotFoundError`."""
        found = self.of_client(client_id).get(campaign_id)
        if found is None:
            raise SmartCampaignNotFoundError(f"smart campaign {campaign_id} does not exist")
        return found

    def new_id(self) -> int:
        """An id that nothing has had."""
        self._last_id += 1
        return self._last_id


def _list(served: Any, values: dict[str, Any]) -> RestSmartCampaignStreamingCollection:
    found = list(served.smart_campaigns.of_client(values["clientId"]).values())
    status = values["status"]
    chosen = [campaign for campaign in found if status is None or campaign.status == status]
    chosen.sort(
        key=lambda campaign: (getattr(campaign, values["sort"], ""), campaign.id), reverse=values["direction"] == "DESC"
    )
    offset, limit = values["offset"], values["limit"]
    page = chosen[offset : offset + limit]
    return RestSmartCampaignStreamingCollection(page, len(page), offset, limit)


def _create(served: Any, values: dict[str, Any]) -> RestSmartCampaign:
    campaigns = served.smart_campaigns
    client_id = values["clientId"]
    if len(campaigns.of_client(client_id)) >= SMART_CAMPAIGNS_MAX:
        raise TooManyError(f"client {client_id} has {SMART_CAMPAIGNS_MAX} smart campaigns, which is the limit")
    now = format_moment(served.campaign.now)
    number = campaigns.new_id()
    source = None if values["sourceCampaignId"] is None else campaigns.get(client_id, values["sourceCampaignId"])
    campaign = RestSmartCampaign(
        id=number,
        name=values["name"] or (f"Copy of {source.name}" if source is not None else f"Smart Campaign {number}"),
        status="activationRequired",
        type="regular",
        created=now,
        modified=now,
        messages=[],
    )
    for message in [] if source is None else source.messages:
        copied = msgspec.structs.replace(
            message, mailing_id=campaigns.new_id(), node_id=str(campaigns.new_id()), created=now, modified=now
        )
        campaign.messages.append(copied)
    campaigns.of_client(client_id)[number] = campaign
    return campaign


def _get(served: Any, values: dict[str, Any]) -> RestSmartCampaign:
    campaign: RestSmartCampaign = served.smart_campaigns.get(values["clientId"], values["campaignId"])
    return campaign


def _delete(served: Any, values: dict[str, Any]) -> None:
    campaign = _get(served, values)
    del served.smart_campaigns.of_client(values["clientId"])[campaign.id]


def _list_messages(served: Any, values: dict[str, Any]) -> list[RestMessageNode]:
    return _get(served, values).messages


def _create_message(served: Any, values: dict[str, Any]) -> RestMessageNode:
    campaign = _get(served, values)
    if len(campaign.messages) >= SMART_CAMPAIGNS_MAX:
        raise TooManyError(f"smart campaign {campaign.id} has {SMART_CAMPAIGNS_MAX} mailings, which is the limit")
    now = format_moment(served.campaign.now)
    number = served.smart_campaigns.new_id()
    message = RestMessageNode(
        node_id=str(served.smart_campaigns.new_id()),
        name=values["name"] or f"Mailing {number}",
        mailing_id=number,
        media_type=values["mediaType"],
        status="activationRequired",
        created=now,
        modified=now,
        subject={"default": values["subject"] or ""},
        sender_address=values["senderAddress"] or "",
        sender_name=values["senderName"] or "",
    )
    campaign.messages.append(message)
    campaign.modified = now
    return message


def _delete_message(served: Any, values: dict[str, Any]) -> None:
    campaign = _get(served, values)
    kept = [message for message in campaign.messages if message.mailing_id != values["mailingId"]]
    if len(kept) == len(campaign.messages):
        raise SmartCampaignNotFoundError(f"mailing {values['mailingId']} does not exist in this smart campaign")
    campaign.messages[:] = kept
    campaign.modified = format_moment(served.campaign.now)


def _path(name: str, description: str) -> Parameter:
    return Parameter(name=name, kind=Integer(), description=description, place="path", required=True)


def _form(name: str, description: str, **more: Any) -> Parameter:
    return Parameter(name=name, kind=more.pop("kind", Text()), description=description, place="form", **more)


_CAMPAIGN = _path("campaignId", "Id of the smart campaign.")
_MAILING = _path("mailingId", "Id of the mailing.")
_TAG = "Smart Campaigns"
_NOT_FOUND = {404: "The smart campaign or mailing does not exist under this client."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="selectSmartCampaigns",
        title="Get information about all Smart Campaigns",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns",
        parameters=(
            Parameter(name="offset", kind=Integer(0, INT32_MAX), description="How many to pass over.", default=0),
            Parameter(
                name="limit", kind=Integer(1, COLLECTION_LIMIT_MAX - 1), description="Most to return.", default=100
            ),
            Parameter(
                name="sort",
                kind=Choice(("id", "name", "description", "status", "created", "modified", "started", "finished")),
                description="What to sort by.",
                default="created",
            ),
            Parameter(
                name="direction", kind=Choice(("ASC", "DESC")), description="Which end comes first.", default="DESC"
            ),
            Parameter(name="status", kind=Text(), description="Only those in this status."),
        ),
        success_description="A page of the client's smart campaigns; empty when there is none.",
        answer=RestSmartCampaignStreamingCollection,
        handle=_list,
    ),
    Operation(
        id="createOrCopySmartCampaign",
        title="Create or copy a Smart Campaign",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns",
        parameters=(
            _form("name", "Its name."),
            _form("sourceCampaignId", "Id of the smart campaign to copy.", kind=Integer()),
        ),
        success=201,
        success_description="The smart campaign is there.",
        answer=RestSmartCampaign,
        failures={404: "The smart campaign to copy does not exist under this client."},
        handle=_create,
    ),
    Operation(
        id="getSmartCampaign",
        title="Get information about a Smart Campaign",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}",
        parameters=(_CAMPAIGN,),
        success_description="The smart campaign.",
        answer=RestSmartCampaign,
        failures=_NOT_FOUND,
        handle=_get,
    ),
    Operation(
        id="deleteSmartCampaign",
        title="Delete a Smart Campaign",
        tag=_TAG,
        method="DELETE",
        path="/smartcampaigns/{campaignId}",
        parameters=(_CAMPAIGN,),
        success=204,
        success_description="The smart campaign and its mailings are gone.",
        failures=_NOT_FOUND,
        handle=_delete,
    ),
    Operation(
        id="getMessages",
        title="Get information about all mailings of a Smart Campaign",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}/messages",
        parameters=(_CAMPAIGN,),
        success_description="All mailings, oldest first; empty when there is none.",
        answer=list[RestMessageNode],
        failures=_NOT_FOUND,
        handle=_list_messages,
    ),
    Operation(
        id="createCampaignMessage",
        title="Create a mailing",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns/{campaignId}/messages",
        parameters=(
            _CAMPAIGN,
            _form("name", "Its name."),
            _form("mediaType", "How it is sent.", kind=Choice(("email", "sms", "push")), default="email"),
            _form("subject", "Its subject."),
            _form("senderAddress", "Who it comes from."),
            _form("senderName", "The sender's name."),
        ),
        success=201,
        success_description="The mailing is there.",
        answer=RestMessageNode,
        failures=_NOT_FOUND,
        handle=_create_message,
    ),
    Operation(
        id="deleteCampaignMessage",
        title="Delete a mailing",
        tag=_TAG,
        method="DELETE",
        path="/smartcampaigns/{campaignId}/messages/{mailingId}",
        parameters=(_CAMPAIGN, _MAILING),
        success=204,
        success_description="The mailing is gone.",
        failures=_NOT_FOUND,
        handle=_delete_message,
    ),
)
