"""Operations on smart campaigns and their mailings, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.durations import format_moment
from mockcampaign.server import smart_campaigns
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request_fields import INT32_MAX, Direction, Id, SingleLine, Word, about, between
from mockcampaign.server.smart_campaigns import (
    RestMessageNode,
    RestSmartCampaign,
    RestSmartCampaignStreamingCollection,
    SmartCampaignNotFoundError,
    TooManyError,
)
from mockcampaign.server.vendor_api.client_fields import ClientFields

COLLECTION_LIMIT_MAX = 10_000


class SmartCampaignSort(Word):
    """Attributes that sort smart campaigns."""

    ID = "id"
    NAME = "name"
    DESCRIPTION = "description"
    STATUS = "status"
    CREATED = "created"
    MODIFIED = "modified"
    STARTED = "started"
    FINISHED = "finished"


class MediaType(Word):
    """How a mailing is sent."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class SmartCampaignQuery(ClientFields, frozen=True, kw_only=True):
    """The page of smart campaigns to return."""

    offset: Annotated[int, between(0, INT32_MAX), about("How many to skip.")] = 0
    limit: Annotated[int, between(1, COLLECTION_LIMIT_MAX - 1), about("Most to return.")] = 100
    sort: Annotated[SmartCampaignSort, about("What to sort by, in upper or lower case.")] = SmartCampaignSort.CREATED
    direction: Annotated[Direction, about("Direction of the list, in upper or lower case.")] = Direction.DESC
    status: Annotated[SingleLine, about("Only smart campaigns in this status.")] | None = None


class SmartCampaignForm(ClientFields, frozen=True, kw_only=True):
    """A new smart campaign."""

    name: Annotated[SingleLine, about("Its name.")] | None = None
    source_campaign_id: Annotated[Id, about("Id of the smart campaign to copy.")] | None = None


class SmartCampaignFields(ClientFields, frozen=True, kw_only=True):
    """The path to one smart campaign."""

    campaign_id: Annotated[Id, about("Id of the smart campaign.")]


class MessageForm(SmartCampaignFields, frozen=True, kw_only=True):
    """A new mailing."""

    name: Annotated[SingleLine, about("Its name.")] | None = None
    media_type: Annotated[MediaType, about("How it is sent.")] = MediaType.EMAIL
    subject: Annotated[SingleLine, about("Its subject.")] | None = None
    sender_address: Annotated[SingleLine, about("The sender's address.")] | None = None
    sender_name: Annotated[SingleLine, about("The sender's name.")] | None = None


class MessageFields(SmartCampaignFields, frozen=True, kw_only=True):
    """The path to one mailing."""

    mailing_id: Annotated[Id, about("Id of the mailing.")]


def _list(call: Call, query: SmartCampaignQuery) -> RestSmartCampaignStreamingCollection:
    found = call.served.smart_campaigns.of_client(query.client_id).values()
    chosen = [campaign for campaign in found if query.status in (None, campaign.status)]
    # By id alone where the double has no such field.
    chosen.sort(
        key=lambda campaign: (getattr(campaign, query.sort, ""), campaign.id),
        reverse=query.direction is Direction.DESC,
    )
    page = chosen[query.offset : query.offset + query.limit]
    return RestSmartCampaignStreamingCollection(page, len(page), query.offset, query.limit)


def _create(call: Call, form: SmartCampaignForm) -> RestSmartCampaign:
    campaigns = call.served.smart_campaigns
    limit = smart_campaigns.SMART_CAMPAIGNS_MAX
    if len(campaigns.of_client(form.client_id)) >= limit:
        raise TooManyError(f"client {form.client_id} has {limit} smart campaigns, which is the limit")
    now = format_moment(call.served.campaign.now)
    number = campaigns.new_id()
    source = None if form.source_campaign_id is None else campaigns.get(form.client_id, form.source_campaign_id)
    campaign = RestSmartCampaign(
        id=number,
        name=form.name or (f"Copy of {source.name}" if source is not None else f"Smart Campaign {number}"),
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
    campaigns.of_client(form.client_id)[number] = campaign
    return campaign


def _get(call: Call, fields: SmartCampaignFields) -> RestSmartCampaign:
    return call.served.smart_campaigns.get(fields.client_id, fields.campaign_id)


def _delete(call: Call, fields: SmartCampaignFields) -> None:
    campaign = _get(call, fields)
    del call.served.smart_campaigns.of_client(fields.client_id)[campaign.id]


def _list_messages(call: Call, fields: SmartCampaignFields) -> list[RestMessageNode]:
    return _get(call, fields).messages


def _create_message(call: Call, form: MessageForm) -> RestMessageNode:
    campaign = _get(call, form)
    limit = smart_campaigns.SMART_CAMPAIGNS_MAX
    if len(campaign.messages) >= limit:
        raise TooManyError(f"smart campaign {campaign.id} has {limit} mailings, which is the limit")
    now = format_moment(call.served.campaign.now)
    number = call.served.smart_campaigns.new_id()
    message = RestMessageNode(
        node_id=str(call.served.smart_campaigns.new_id()),
        name=form.name or f"Mailing {number}",
        mailing_id=number,
        media_type=form.media_type,
        status="activationRequired",
        created=now,
        modified=now,
        subject={"default": form.subject or ""},
        sender_address=form.sender_address or "",
        sender_name=form.sender_name or "",
    )
    campaign.messages.append(message)
    campaign.modified = now
    return message


def _delete_message(call: Call, fields: MessageFields) -> None:
    campaign = _get(call, fields)
    kept = [message for message in campaign.messages if message.mailing_id != fields.mailing_id]
    if len(kept) == len(campaign.messages):
        raise SmartCampaignNotFoundError(f"mailing {fields.mailing_id} does not exist in this smart campaign")
    campaign.messages[:] = kept
    campaign.modified = format_moment(call.served.campaign.now)


_TAG = "Smart Campaigns"
_NOT_FOUND = {404: "The smart campaign or mailing does not exist under this client."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="selectSmartCampaigns",
        title="Get information about all Smart Campaigns",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns",
        fields=SmartCampaignQuery,
        success_description="A page of the client's smart campaigns; empty if there are none.",
        response=RestSmartCampaignStreamingCollection,
        handle=_list,
    ),
    Operation(
        id="createOrCopySmartCampaign",
        title="Create or copy a Smart Campaign",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns",
        fields=SmartCampaignForm,
        success=201,
        success_description="The smart campaign is created.",
        response=RestSmartCampaign,
        failures={404: "The smart campaign to copy does not exist under this client."},
        handle=_create,
    ),
    Operation(
        id="getSmartCampaign",
        title="Get information about a Smart Campaign",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}",
        fields=SmartCampaignFields,
        success_description="The smart campaign.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND,
        handle=_get,
    ),
    Operation(
        id="deleteSmartCampaign",
        title="Delete a Smart Campaign",
        tag=_TAG,
        method="DELETE",
        path="/smartcampaigns/{campaignId}",
        fields=SmartCampaignFields,
        success=204,
        success_description="The smart campaign and its mailings are deleted.",
        failures=_NOT_FOUND,
        handle=_delete,
    ),
    Operation(
        id="getMessages",
        title="Get information about all mailings of a Smart Campaign",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}/messages",
        fields=SmartCampaignFields,
        success_description="All mailings, oldest first; empty if there are none.",
        response=list[RestMessageNode],
        failures=_NOT_FOUND,
        handle=_list_messages,
    ),
    Operation(
        id="createCampaignMessage",
        title="Create a mailing",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns/{campaignId}/messages",
        fields=MessageForm,
        success=201,
        success_description="The mailing is created.",
        response=RestMessageNode,
        failures=_NOT_FOUND,
        handle=_create_message,
    ),
    Operation(
        id="deleteCampaignMessage",
        title="Delete a mailing",
        tag=_TAG,
        method="DELETE",
        path="/smartcampaigns/{campaignId}/messages/{mailingId}",
        fields=MessageFields,
        success=204,
        success_description="The mailing is deleted.",
        failures=_NOT_FOUND,
        handle=_delete_message,
    ),
)
