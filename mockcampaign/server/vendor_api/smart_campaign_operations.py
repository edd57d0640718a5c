"""Operations on smart campaigns and their mailings, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

from mockcampaign.clients.smart_campaign import CampaignKind, SmartCampaign
from mockcampaign.server.http.operation import Call, Operation, OtherSuccess
from mockcampaign.server.http.request_fields import Id, Numbers, SingleLine, Word, about
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.server.vendor_api.collection import SortedQuery, ordered, page
from mockcampaign.server.vendor_api.recipient_list_operations import client_of
from mockcampaign.server.vendor_api.representations import (
    RestMessageNode,
    RestRecipientListsNode,
    RestSmartCampaign,
    RestSmartCampaignStreamingCollection,
    show_lists_node,
    show_message,
    show_smart_campaign,
)


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


class ResultView(Word):
    """How much of each smart campaign to return."""

    SUMMARY = "SUMMARY"
    DETAILED = "DETAILED"


class AnyMediaType(Word):
    """Media types to filter by."""

    EMAIL = "email"
    SMS = "sms"
    LETTER = "letter"
    PUSH = "push"


class SmartCampaignQuery(SortedQuery, frozen=True, kw_only=True):
    """The page of smart campaigns to return."""

    sort: Annotated[SmartCampaignSort, about("What to sort by, in upper or lower case.")] = SmartCampaignSort.CREATED
    status: Annotated[SingleLine, about("Only in this status, in upper or lower case.")] | None = None
    media_type: Annotated[AnyMediaType, about("Only with mailings that are sent like this.")] | None = None
    folder_id: Annotated[Id, about("Only in this folder; the double has no folders.")] | None = None
    result_view: Annotated[ResultView, about("Whether to return all nodes, too.")] = ResultView.SUMMARY


class SmartCampaignForm(ClientFields, frozen=True, kw_only=True):
    """A new smart campaign."""

    name: Annotated[SingleLine, about("Its name.")] | None = None
    source_campaign_id: Annotated[Id, about("Id of the smart campaign to copy.")] | None = None
    recipient_list_ids: (
        Annotated[Numbers, about("Ids of its recipient lists, separated by commas or one each.")] | None
    ) = None


class SmartCampaignFields(ClientFields, frozen=True, kw_only=True):
    """The path to one smart campaign."""

    campaign_id: Annotated[Id, about("Id of the smart campaign.")]


class RenameForm(SmartCampaignFields, frozen=True, kw_only=True):
    """The new name of a smart campaign."""

    name: Annotated[SingleLine, about("Its new name.")] | None = None


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


class RecipientListsForm(SmartCampaignFields, frozen=True, kw_only=True):
    """Recipient lists of a smart campaign."""

    recipient_list_ids: Annotated[Numbers, about("Ids of the recipient lists, separated by commas or one each.")]


def select(call: Call, query: SmartCampaignQuery, kind: CampaignKind) -> RestSmartCampaignStreamingCollection:
    """Return a page of one kind of smart campaigns."""
    now = call.served.campaign.now
    status = None if query.status is None else query.status.lower()

    def is_wanted(campaign: SmartCampaign) -> bool:
        media_types = {message.media_type for message in campaign.messages}
        return (
            status in (None, campaign.status_at(now).value.lower())
            and (query.media_type is None or query.media_type.value in media_types)
            and query.folder_id is None
        )

    def key(campaign: SmartCampaign) -> tuple[str | int, ...]:
        values: dict[str, str | int] = {
            "id": campaign.id,
            "name": campaign.name,
            "description": campaign.description,
            "status": campaign.status_at(now).value,
            "created": campaign.created,
            "modified": campaign.modified,
            "started": campaign.started or 0,
            "finished": campaign.finished or 0,
        }
        return values[query.sort.value], campaign.id

    def represent(campaign: SmartCampaign) -> RestSmartCampaign:
        with_nodes = query.result_view is ResultView.DETAILED
        return show_smart_campaign(campaign, query.client_id, now, with_nodes=with_nodes)

    found = [campaign for campaign in client_of(call, query).state.campaigns_of(kind) if is_wanted(campaign)]
    return page(
        RestSmartCampaignStreamingCollection,
        call,
        ordered(found, key, query.direction),
        represent,
        offset=query.offset,
        limit=query.limit,
    )


def _list(call: Call, query: SmartCampaignQuery) -> RestSmartCampaignStreamingCollection:
    return select(call, query, CampaignKind.REGULAR)


def _list_confirmations(call: Call, query: SmartCampaignQuery) -> RestSmartCampaignStreamingCollection:
    return select(call, query, CampaignKind.CONFIRMATION)


def _create(call: Call, form: SmartCampaignForm) -> RestSmartCampaign:
    created = client_of(call, form).create_campaign(
        CampaignKind.REGULAR,
        form.name,
        source_id=form.source_campaign_id,
        list_ids=() if form.recipient_list_ids is None else form.recipient_list_ids.value,
    )
    return show_smart_campaign(created, form.client_id, call.served.campaign.now)


def _found(call: Call, fields: SmartCampaignFields) -> SmartCampaign:
    return client_of(call, fields).state.get_campaign(fields.campaign_id, CampaignKind.REGULAR)


def _get(call: Call, fields: SmartCampaignFields) -> RestSmartCampaign:
    return show_smart_campaign(_found(call, fields), fields.client_id, call.served.campaign.now)


def _rename(call: Call, form: RenameForm) -> RestSmartCampaign:
    client_of(call, form).rename_campaign(_found(call, form), form.name)
    return _get(call, form)


def _delete(call: Call, fields: SmartCampaignFields) -> None:
    client_of(call, fields).delete_campaign(_found(call, fields))


def _start(call: Call, fields: SmartCampaignFields) -> RestSmartCampaign:
    client_of(call, fields).start_mailing(fields.campaign_id)
    return _get(call, fields)


def _lists(call: Call, fields: SmartCampaignFields) -> RestRecipientListsNode:
    return show_lists_node(_found(call, fields))


def _assign_lists(call: Call, form: RecipientListsForm) -> OtherSuccess:
    campaign = _found(call, form)
    changed = client_of(call, form).assign_lists(campaign, tuple(dict.fromkeys(form.recipient_list_ids.value)))
    return OtherSuccess(200 if campaign.list_ids else 201, show_lists_node(changed))


def _list_messages(call: Call, fields: SmartCampaignFields) -> list[RestMessageNode]:
    campaign = _found(call, fields)
    return [show_message(campaign, message, call.served.campaign.now) for message in campaign.messages]


def _create_message(call: Call, form: MessageForm) -> RestMessageNode:
    campaign = _found(call, form)
    message = client_of(call, form).add_message(
        campaign,
        form.name,
        media_type=form.media_type.value,
        subject=form.subject or "",
        sender_address=form.sender_address or "",
        sender_name=form.sender_name or "",
    )
    return show_message(campaign, message, call.served.campaign.now)


def _get_message(call: Call, fields: MessageFields) -> RestMessageNode:
    campaign = _found(call, fields)
    message = client_of(call, fields).get_message(campaign, fields.mailing_id)
    return show_message(campaign, message, call.served.campaign.now)


def _delete_message(call: Call, fields: MessageFields) -> None:
    client_of(call, fields).delete_message(_found(call, fields), fields.mailing_id)


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
        id="updateSmartCampaign",
        title="Update the name of a Smart Campaign",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns/{campaignId}",
        fields=RenameForm,
        success_description="The smart campaign.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND,
        handle=_rename,
    ),
    Operation(
        id="startSmartCampaign",
        title="Start a Smart Campaign",
        description="Its mailings are sent to all recipients of its recipient lists.",
        tag=_TAG,
        method="POST",
        path="/smartcampaigns/{campaignId}/start",
        fields=SmartCampaignFields,
        success_description="The smart campaign is started.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND | {409: "The smart campaign was started already."},
        handle=_start,
    ),
    Operation(
        id="getRecipientListsNode",
        title='Get information about a "Recipients" node',
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}/recipientLists",
        fields=SmartCampaignFields,
        success_description="The recipient lists of the smart campaign.",
        response=RestRecipientListsNode,
        failures=_NOT_FOUND,
        handle=_lists,
    ),
    Operation(
        id="createOrUpdateRecipientListsNode",
        title='Create or update a "Recipients" node',
        tag=_TAG,
        method="POST",
        path="/smartcampaigns/{campaignId}/recipientLists",
        fields=RecipientListsForm,
        success_description="The recipient lists are changed.",
        other_successes={201: "The smart campaign has recipient lists now."},
        response=RestRecipientListsNode,
        failures={404: "The smart campaign or a recipient list does not exist under this client."},
        handle=_assign_lists,
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
        failures=_NOT_FOUND | {400: "The smart campaign contains messages that have started."},
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
        id="getSmartCampaignMessage",
        title="Get information about a mailing",
        tag=_TAG,
        method="GET",
        path="/smartcampaigns/{campaignId}/messages/{mailingId}",
        fields=MessageFields,
        success_description="The mailing.",
        response=RestMessageNode,
        failures=_NOT_FOUND,
        handle=_get_message,
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
        failures=_NOT_FOUND | {409: "The smart campaign of the mailing has started."},
        handle=_delete_message,
    ),
    Operation(
        id="selectConfirmationMailings",
        title="Get information about all confirmation mails",
        tag="Confirmations",
        method="GET",
        path="/confirmations",
        fields=SmartCampaignQuery,
        success_description="A page of the client's confirmation mails.",
        response=RestSmartCampaignStreamingCollection,
        handle=_list_confirmations,
    ),
)
