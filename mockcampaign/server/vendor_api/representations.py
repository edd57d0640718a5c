"""Lists, recipients and mails of clients, as the vendor's API shows it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from mockcampaign.clients.client_store import ClientStore
from mockcampaign.clients.optin_process import OptinProcess
from mockcampaign.clients.recipient_list import ListField, Recipient, RecipientList
from mockcampaign.clients.smart_campaign import CampaignKind, Message, SmartCampaign
from mockcampaign.clients.suppression import BlocklistEntry, Unsubscribe
from mockcampaign.durations import format_moment
from mockcampaign.server.response_types import Moment, ResponseId
from mockcampaign.server.vendor_api.collection import RestApiLink, StreamingCollection

Status = Literal["invalid", "activationRequired", "activated", "canceled", "paused", "running", "finished"]
Count = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int32"})]
Links = list[RestApiLink]


class RestMessageNode(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A mailing of a smart campaign."""

    node_id: str
    name: str
    mailing_id: ResponseId
    media_type: str
    status: Status
    created: Moment
    modified: Moment
    started: Moment | UnsetType = UNSET
    subject: dict[str, str]
    sender_address: str
    sender_name: str
    reply_to_address: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    links: Links = []


class RestRecipientListsNode(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The recipient lists of a smart campaign."""

    node_id: str
    recipient_list_ids: list[ResponseId]
    links: Links = []


class RestTargetGroupNode(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A target group of a smart campaign. The double has none."""

    node_id: str


class RestSmartCampaign(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A smart campaign, a transactional mail or a confirmation mail."""

    id: ResponseId
    name: str
    mailing_group_id: ResponseId
    """Id of the client."""
    description: str
    status: Status
    type: Literal["regular", "event", "confirmation"]
    created: Moment
    modified: Moment
    started: Moment | UnsetType = UNSET
    finished: Moment | UnsetType = UNSET
    links: Links = []
    recipient_lists: RestRecipientListsNode | UnsetType = UNSET
    target_groups: list[RestTargetGroupNode] | UnsetType = UNSET
    messages: list[RestMessageNode] | UnsetType = UNSET
    """Mailings of a smart campaign."""
    message: RestMessageNode | UnsetType = UNSET
    """The one mailing of a transactional or confirmation mail."""


class RestSmartCampaignStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of smart campaigns, transactional mails or confirmation mails."""

    elements: list[RestSmartCampaign]


class RestRecipientList(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A recipient list."""

    id: ResponseId
    name: str
    description: str
    recipients: Count
    """Number of recipients."""
    media_types: list[str]
    test_list: bool
    for_transaction_api: bool
    created: Moment
    modified: Moment
    links: Links = []


class RestRecipientListStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of recipient lists."""

    elements: list[RestRecipientList]


class RestRecipientListField(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A field of a recipient list."""

    internal_name: str
    display_name: str
    type: Literal["LONG", "INTEGER", "SHORT", "STRING", "TEXT", "FLOAT", "DECIMAL", "DATE", "TIMESTAMP", "BOOLEAN"]
    required: bool


class RestRecipientListFieldStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of a recipient list's fields."""

    elements: list[RestRecipientListField]


class RestRecipientListAttributeNames(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The internal names of a recipient list's fields."""

    attribute_names: list[str]
    links: Links = []


class RestRecipient(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A recipient. Attributes that the call asks for stand beside the id (assumed)."""

    id: str
    created: Moment
    modified: Moment
    opt_in_mail_id: str | UnsetType = UNSET
    """Id of the mail in which the recipient opts in."""
    links: Links = []


class RestRecipientStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of recipients."""

    elements: list[RestRecipient]


class RestRecipientsCreationModify(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How many recipients were added, and the ids of those that were not."""

    count: Count
    failed_ids: list[str]


class RestRecipientValid(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Whether a recipient can get mails."""

    valid: bool
    recipient_list_id: ResponseId
    validation_failed_reason: Literal["blacklisted", "bounced", "unsubscribed", "not_found"] | UnsetType = UNSET
    links: Links = []


class RestCount(msgspec.Struct, frozen=True, kw_only=True):
    """A number."""

    count: Annotated[int, msgspec.Meta(extra_json_schema={"format": "int64"})]
    links: Links = []


class RestOptinProcess(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An opt-in process."""

    id: ResponseId
    name: str
    description: str
    type: Literal["single", "confirmed", "double"]
    confirmation_mailing_id: ResponseId | UnsetType = UNSET
    confirmation_url: str | UnsetType = UNSET
    created: Moment
    modified: Moment
    links: Links = []


class RestOptinProcessStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of opt-in processes."""

    elements: list[RestOptinProcess]


class RestBlacklistEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entry of the blocklist."""

    mailing_group_id: ResponseId
    pattern: str
    reason: str
    created: Moment
    modified: Moment
    links: Links = []


class RestBlacklistEntryStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of blocklist entries."""

    elements: list[RestBlacklistEntry]


class RestUnsubscribe(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An entry of the internal unsubscribe list."""

    recipient_id: str
    recipient_list_id: ResponseId | UnsetType = UNSET
    mailing_id: ResponseId | UnsetType = UNSET
    reason: str
    created: Moment
    media_type: str
    links: Links = []


class RestUnsubscribeStreamingCollection(StreamingCollection, frozen=True, kw_only=True):
    """One page of unsubscribes."""

    elements: list[RestUnsubscribe]


def show_smart_campaign(
    campaign: SmartCampaign, client_id: int, now: int, *, with_nodes: bool = True
) -> RestSmartCampaign:
    """Return a smart campaign; without its nodes in a summary."""
    is_regular = campaign.kind is CampaignKind.REGULAR
    messages = [show_message(campaign, message, now) for message in campaign.messages]
    return RestSmartCampaign(
        id=campaign.id,
        name=campaign.name,
        mailing_group_id=client_id,
        description=campaign.description,
        status=campaign.status_at(now).value,
        type=campaign.kind.value,
        created=format_moment(campaign.created),
        modified=format_moment(campaign.modified),
        started=_moment(campaign.started),
        finished=_moment(campaign.finished if campaign.finished is not None and campaign.finished <= now else None),
        recipient_lists=show_lists_node(campaign) if with_nodes else UNSET,
        target_groups=[] if with_nodes else UNSET,
        messages=messages if with_nodes and is_regular else UNSET,
        message=messages[0] if with_nodes and not is_regular and messages else UNSET,
    )


def show_message(campaign: SmartCampaign, message: Message, now: int) -> RestMessageNode:
    """Return a mailing of a smart campaign."""
    return RestMessageNode(
        node_id=message.node_id,
        name=message.name,
        mailing_id=message.mailing_id,
        media_type=message.media_type,
        status=campaign.status_at(now).value,
        created=format_moment(message.created),
        modified=format_moment(message.modified),
        started=_moment(campaign.started),
        subject={"default": message.subject},
        sender_address=message.sender_address,
        sender_name=message.sender_name,
        reply_to_address=message.reply_to_address or UNSET,
        content=message.content or UNSET,
    )


def show_lists_node(campaign: SmartCampaign) -> RestRecipientListsNode:
    """Return the recipient lists of a smart campaign."""
    return RestRecipientListsNode(node_id=campaign.node_id, recipient_list_ids=list(campaign.list_ids))


def show_list(store: ClientStore, found: RecipientList) -> RestRecipientList:
    """Return a recipient list with the number of its recipients."""
    return RestRecipientList(
        id=found.id,
        name=found.name,
        description=found.description,
        recipients=store.recipients[found.id].accessible_count,
        media_types=["email"],
        test_list=found.is_test,
        for_transaction_api=found.is_transactional,
        created=format_moment(found.created),
        modified=format_moment(found.modified),
    )


def show_field(field: ListField) -> RestRecipientListField:
    """Return a field of a recipient list."""
    return RestRecipientListField(
        internal_name=field.name,
        display_name=field.display_name or field.name,
        type=field.type.value,
        required=field.required,
    )


def show_recipient(recipient: Recipient, *, with_optin: bool = False) -> RestRecipient:
    """Return a recipient without attributes."""
    return RestRecipient(
        id=recipient.id,
        created=format_moment(recipient.created),
        modified=format_moment(recipient.modified),
        opt_in_mail_id=recipient.optin_mail_id if with_optin and recipient.optin_mail_id else UNSET,
    )


def show_optin_process(process: OptinProcess) -> RestOptinProcess:
    """Return an opt-in process."""
    confirmation = process.confirmation_mailing_id
    return RestOptinProcess(
        id=process.id,
        name=process.name,
        description=process.description,
        type=process.type.value,
        confirmation_mailing_id=UNSET if confirmation is None else confirmation,
        created=format_moment(process.created),
        modified=format_moment(process.modified),
    )


def show_blocklist_entry(client_id: int, entry: BlocklistEntry) -> RestBlacklistEntry:
    """Return an entry of the blocklist."""
    return RestBlacklistEntry(
        mailing_group_id=client_id,
        pattern=entry.pattern,
        reason=entry.reason,
        created=format_moment(entry.created),
        modified=format_moment(entry.modified),
    )


def show_unsubscribe(unsubscribe: Unsubscribe) -> RestUnsubscribe:
    """Return an entry of the internal unsubscribe list."""
    return RestUnsubscribe(
        recipient_id=unsubscribe.recipient_id,
        recipient_list_id=UNSET if unsubscribe.list_id is None else unsubscribe.list_id,
        mailing_id=UNSET if unsubscribe.mailing_id is None else unsubscribe.mailing_id,
        reason=unsubscribe.reason,
        created=format_moment(unsubscribe.created),
        media_type="EMAIL",
    )


def _moment(moment: int | None) -> str | UnsetType:
    return UNSET if moment is None else format_moment(moment)
