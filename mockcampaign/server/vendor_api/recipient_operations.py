"""Operations on recipients, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.clients.recipient_commands import NewRecipient
from mockcampaign.clients.recipient_list import AttributeMode, Recipient
from mockcampaign.clients.sent_mail import SendStatus
from mockcampaign.policy import Policy
from mockcampaign.server.http.operation import Call, Operation, OtherSuccess
from mockcampaign.server.http.request import JSON
from mockcampaign.server.http.request_fields import (
    INT32_MAX,
    Attributes,
    Direction,
    Flag,
    Id,
    SingleLine,
    TextList,
    Word,
    about,
    between,
)
from mockcampaign.server.vendor_api.collection import RECIPIENTS_LIMIT_MAX, page_of
from mockcampaign.server.vendor_api.recipient_list_operations import NOT_OF_CLIENT, RecipientListFields, client_of
from mockcampaign.server.vendor_api.representations import (
    RestCount,
    RestRecipient,
    RestRecipientsCreationModify,
    RestRecipientStreamingCollection,
    RestRecipientValid,
    show_recipient,
)


class Mode(Word):
    """How new and old text of an attribute are combined."""

    SET = "set"
    PREPEND = "prepend"
    APPEND = "append"


class MediaTypeWord(Word):
    """Media types of unsubscribes and responses."""

    EMAIL = "EMAIL"
    FAX = "FAX"
    SMS = "SMS"
    LETTER = "LETTER"
    PUSH = "PUSH"
    PRINT = "PRINT"


_ATTRIBUTE_NAMES = "Internal names of the fields to return, separated by commas."
_DATA = "Attributes: `data.firstname` and so on, one form field each."


class RecipientQuery(RecipientListFields, frozen=True, kw_only=True):
    """The page of recipients to return."""

    offset: Annotated[int, between(0, INT32_MAX), about("How many to skip.")] = 0
    limit: Annotated[int, between(1, RECIPIENTS_LIMIT_MAX), about("Most to return.")] = 100
    attribute_names: Annotated[TextList, about(_ATTRIBUTE_NAMES)] | None = None
    include_optin_data: Annotated[Flag, about("Whether to return the id of the opt-in mail.")] = Flag.FALSE
    sort: Annotated[SingleLine, about("Internal name of the field to sort by, or id.")] = "id"
    direction: Annotated[Direction, about("Direction of the list, in upper or lower case.")] = Direction.ASC


class RecipientFields(RecipientListFields, frozen=True, kw_only=True):
    """The path to one recipient."""

    recipient_id: Annotated[SingleLine, about("Id of the recipient, as a rule the e-mail address.")]


class OneRecipientQuery(RecipientFields, frozen=True, kw_only=True):
    """The attributes to return."""

    attribute_names: Annotated[TextList, about(_ATTRIBUTE_NAMES)] | None = None
    include_optin_data: Annotated[Flag, about("Whether to return the id of the opt-in mail.")] = Flag.FALSE


class ValidQuery(RecipientFields, frozen=True, kw_only=True):
    """The medium to ask about."""

    media_type: Annotated[MediaTypeWord, about("Media type; the double knows e-mail.")] = MediaTypeWord.EMAIL


class AddRecipientForm(RecipientListFields, frozen=True, kw_only=True):
    """A new recipient."""

    recipient_id: Annotated[SingleLine, about("Id of the recipient, as a rule the e-mail address.")]
    address: Annotated[SingleLine, about("Address, if the id is none.")] | None = None
    optin_process_id: Annotated[Id, about("Id of the opt-in process that the recipient takes part in.")] | None = None
    return_opt_in_mail_id: Annotated[Flag, about("Whether to return the id of the opt-in mail.")] = Flag.FALSE
    data: Annotated[Attributes, about(_DATA)] = msgspec.field(default_factory=lambda: Attributes({}))


class ChangeRecipientForm(RecipientFields, frozen=True, kw_only=True):
    """Changes of a recipient."""

    mode: Annotated[Mode, about("How new and old text are combined.")] = Mode.SET
    data: Annotated[Attributes, about(_DATA)] = msgspec.field(default_factory=lambda: Attributes({}))


class ExtendedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient of a bulk call."""

    id: SingleLine
    address: SingleLine | None = None
    data: dict[str, Any] = {}

    def __repr__(self) -> str:
        return "ExtendedRecipient(…)"


class AddRecipientsBody(RecipientListFields, frozen=True, kw_only=True):
    """New recipients."""

    recipients: Annotated[list[ExtendedRecipient], about("The recipients.")]
    optin_process_id: Annotated[Id, about("Id of the opt-in process that they take part in.")] | None = None


def _select(call: Call, query: RecipientQuery) -> RestRecipientStreamingCollection:
    recipients = client_of(call, query).state.recipients_of(query.recipient_list_id)
    descending = query.direction is Direction.DESC
    shown = recipients.page(query.sort, query.offset, query.limit, descending=descending)

    def represent(recipient: Recipient) -> object:
        return _with_attributes(recipient, query.attribute_names, query.include_optin_data)

    return page_of(
        RestRecipientStreamingCollection,
        call,
        [represent(recipient) for recipient in shown],
        recipients.accessible_count,
        offset=query.offset,
        limit=query.limit,
    )


def _count(call: Call, fields: RecipientListFields) -> RestCount:
    return RestCount(count=client_of(call, fields).state.recipients_of(fields.recipient_list_id).accessible_count)


def _get(call: Call, query: OneRecipientQuery) -> object:
    recipient = client_of(call, query).state.get_recipient(query.recipient_list_id, query.recipient_id)
    return _with_attributes(recipient, query.attribute_names, query.include_optin_data)


def _with_attributes(recipient: Recipient, wanted: TextList | None, optin: Flag) -> object:
    shown = show_recipient(recipient, with_optin=optin is Flag.TRUE)
    if wanted is None:
        return shown
    attributes = {name: recipient.data.get(name, "") for name in wanted.value}
    return {**attributes, **msgspec.to_builtins(shown)}


def _add(call: Call, form: AddRecipientForm) -> OtherSuccess:
    recipient = client_of(call, form).add_recipient(
        form.recipient_list_id,
        form.recipient_id,
        address=form.address,
        data=form.data.value,
        optin_process_id=form.optin_process_id,
    )
    shown = show_recipient(recipient, with_optin=form.return_opt_in_mail_id is Flag.TRUE)
    return OtherSuccess(202 if recipient.is_pending else 201, shown)


def _add_all(call: Call, body: AddRecipientsBody) -> RestRecipientsCreationModify:
    recipients = [
        NewRecipient(id=one.id, address=one.address, data={name: _text(value) for name, value in one.data.items()})
        for one in body.recipients
    ]
    count, failed = client_of(call, body).add_recipients(
        body.recipient_list_id, recipients, optin_process_id=body.optin_process_id
    )
    return RestRecipientsCreationModify(count=count, failed_ids=failed)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _change(call: Call, form: ChangeRecipientForm) -> RestRecipient:
    mode = AttributeMode(form.mode.value)
    client = client_of(call, form)
    return show_recipient(client.change_recipient(form.recipient_list_id, form.recipient_id, form.data.value, mode))


def _remove(call: Call, fields: RecipientFields) -> None:
    client_of(call, fields).remove_recipient(fields.recipient_list_id, fields.recipient_id)


_REASONS = {
    SendStatus.BLACKLISTED.value: "blacklisted",
    SendStatus.TOO_MANY_BOUNCES.value: "bounced",
    SendStatus.UNSUBSCRIBED.value: "unsubscribed",
}


def _is_valid(call: Call, query: ValidQuery) -> RestRecipientValid:
    client = client_of(call, query)
    found = client.state.recipients_of(query.recipient_list_id).get(query.recipient_id)
    reason: Any = "not_found"
    if found is not None and not found.is_pending:
        obstacle = client.state.obstacle(found.id, found.address, call.served.campaign.policy)
        reason = None if obstacle is None else _REASONS[obstacle.value]
    if reason is None:
        return RestRecipientValid(valid=True, recipient_list_id=query.recipient_list_id)
    return RestRecipientValid(valid=False, recipient_list_id=query.recipient_list_id, validation_failed_reason=reason)


_TAG = "Recipients"
_NOT_FOUND = {404: "The recipient does not exist in the recipient list.", **NOT_OF_CLIENT}
_READ_FAILURES = {429: "Too many calls of this client list or count recipients at once.", **NOT_OF_CLIENT}


def _reads_max(policy: Policy) -> int:
    return policy.recipient_reads_per_client_max


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="selectRecipients",
        at_once_max=_reads_max,
        title="Get information about all recipients of a recipient list",
        tag=_TAG,
        method="GET",
        path="/recipients/{recipientListId}",
        fields=RecipientQuery,
        success_description="A page of the list's recipients.",
        response=RestRecipientStreamingCollection,
        failures=_READ_FAILURES,
        handle=_select,
    ),
    Operation(
        id="addRecipient",
        title="Add a recipient",
        description="With an opt-in process, the event of the opt-in follows; a double opt-in waits for the recipient.",
        tag=_TAG,
        method="POST",
        path="/recipients/{recipientListId}",
        fields=AddRecipientForm,
        success=201,
        success_description="The recipient is added.",
        other_successes={202: "The recipient has to confirm a double opt-in first."},
        response=RestRecipient,
        failures={
            400: "A field is wrong, or a field that the list requires is missing.",
            409: "The recipient exists, or must not get mails; or the list is not assigned to this client.",
        },
        handle=_add,
    ),
    Operation(
        id="addRecipients",
        title="Add several recipients",
        tag=_TAG,
        method="PUT",
        path="/recipients/{recipientListId}",
        fields=AddRecipientsBody,
        body_type=JSON,
        success_description="How many recipients were added, and the ids of the others.",
        response=RestRecipientsCreationModify,
        failures={
            409: "The opt-in process or the recipient list is not assigned to this client.",
            415: "The body is not JSON.",
        },
        handle=_add_all,
    ),
    Operation(
        id="countRecipients",
        at_once_max=_reads_max,
        title="Get the number of recipients of a recipient list",
        tag=_TAG,
        method="GET",
        path="/recipients/{recipientListId}/count",
        fields=RecipientListFields,
        success_description="The number of recipients.",
        response=RestCount,
        failures=_READ_FAILURES,
        handle=_count,
    ),
    Operation(
        id="getRecipient",
        title="Get information about a recipient",
        tag=_TAG,
        method="GET",
        path="/recipients/{recipientListId}/{recipientId}",
        fields=OneRecipientQuery,
        success_description="The recipient, with the attributes that the call asks for.",
        response=RestRecipient,
        failures=_NOT_FOUND,
        handle=_get,
    ),
    Operation(
        id="modifyRecipientAttributes",
        title="Update the attributes of a recipient",
        tag=_TAG,
        method="POST",
        path="/recipients/{recipientListId}/{recipientId}",
        fields=ChangeRecipientForm,
        success_description="The recipient.",
        response=RestRecipient,
        failures={400: "A field is wrong, or a field that the list requires would be empty.", **_NOT_FOUND},
        handle=_change,
    ),
    Operation(
        id="deleteRecipient",
        title="Delete a recipient from a recipient list",
        tag=_TAG,
        method="DELETE",
        path="/recipients/{recipientListId}/{recipientId}",
        fields=RecipientFields,
        success=204,
        success_description="The recipient is deleted.",
        failures=_NOT_FOUND,
        handle=_remove,
    ),
    Operation(
        id="isRecipientValid",
        title="Check whether a recipient can get mails",
        tag=_TAG,
        method="GET",
        path="/recipients/{recipientListId}/{recipientId}/valid",
        fields=ValidQuery,
        success_description="Whether the recipient can get mails, and why not.",
        response=RestRecipientValid,
        failures=NOT_OF_CLIENT,
        handle=_is_valid,
    ),
)
