"""Operations on transactional mails and on mails that were sent, as `OPERATIONS`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from mockcampaign.clients.sent_mail import SentMail
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError
from mockcampaign.model import EventType
from mockcampaign.server.http.operation import Call, Operation
from mockcampaign.server.http.request_fields import Attributes, Id, Numbers, SingleLine, about
from mockcampaign.server.response_types import ResponseId
from mockcampaign.server.vendor_api.client_fields import ClientFields
from mockcampaign.server.vendor_api.recipient_list_operations import client_of
from mockcampaign.server.vendor_api.representations import (
    Count,
    Links,
    RestSmartCampaign,
    RestSmartCampaignStreamingCollection,
    show_smart_campaign,
)
from mockcampaign.server.vendor_api.smart_campaign_operations import MediaType, SmartCampaignQuery, select

CONTENT_LENGTH_MAX = 500_000
"""Maximum number of characters of a mail's content. Ours."""

Content = Annotated[str, msgspec.Meta(max_length=CONTENT_LENGTH_MAX)]


class RestMailId(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The id of a mail."""

    mail_id: str


class RestSendStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The status of a mail."""

    send_status: Literal[
        "enqueued",
        "sending",
        "sent",
        "vetoed",
        "wrong_mailing_status",
        "syntax_error",
        "blacklisted",
        "filtered",
        "too_many_bounces",
        "unsubscribed",
        "could_not_be_sent",
    ]
    mail_id: str


class RestMailIdInfo(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The mailing, list and recipient of a mail."""

    mailing_id: ResponseId
    recipient_list_id: ResponseId
    recipient_id: str
    links: Links = []


class RestRecipients(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Numbers of mails: `total` were accepted, `net` of them are not `skipped`, and `inQueue` are not yet sent."""

    net: Count
    total: Count
    skipped: Count
    in_queue: Count


class RestBounces(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of bounces."""

    hard: Count
    soft: Count


class RestOpens(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of opens, and of mails that were opened."""

    total: Count
    unique: Count


class RestClicks(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of clicks, and of mails in which a link was clicked."""

    total: Count
    unique: Count


class CampaignMailingRestReport(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Numbers of a transactional mail so far."""

    campaign_id: ResponseId
    campaign_name: str
    recipients: RestRecipients
    bounces: RestBounces
    unsubscribes: Count
    opens: RestOpens
    clicks: RestClicks
    links: Links = []


class TransactionalMailFields(ClientFields, frozen=True, kw_only=True):
    """The path to one transactional mail."""

    transactional_mail_id: Annotated[Id, about("Id of the transactional mail.")]


class TransactionalMailForm(ClientFields, frozen=True, kw_only=True):
    """A new transactional mail."""

    recipient_list_ids: Annotated[Numbers, about("Ids of the recipient lists, separated by commas or one each.")]
    content: Annotated[Content, about("Content of the mail.")]
    subject: Annotated[SingleLine, about("Its subject.")]
    sender_address: Annotated[SingleLine, about("The sender's address.")]
    media_type: Annotated[MediaType, about("How it is sent.")] = MediaType.EMAIL
    name: Annotated[SingleLine, about("Its name.")] | None = None
    description: Annotated[SingleLine, about("Its description.")] | None = None
    sender_name: Annotated[SingleLine, about("The sender's name.")] | None = None
    reply_to_address: Annotated[SingleLine, about("Address that replies go to.")] | None = None


class SendForm(TransactionalMailFields, frozen=True, kw_only=True):
    """A recipient of a transactional mail."""

    recipient_id: Annotated[SingleLine, about("Id of the recipient, as a rule the e-mail address.")]
    recipient_list_id: Annotated[Id, about("Id of a recipient list that the mail is assigned to.")]
    personalized_attachments_token: Annotated[SingleLine, about("Token of attachments; read and ignored.")] | None = (
        None
    )
    data: Annotated[Attributes, about("Attributes: `data.firstname` and so on, one form field each.")] = msgspec.field(
        default_factory=lambda: Attributes({})
    )


class MailIdQuery(ClientFields, frozen=True, kw_only=True):
    """The mail to ask about."""

    mail_id: Annotated[SingleLine, about("Id of the mail, as the call that sent it returned it.")]


def _select(call: Call, query: SmartCampaignQuery) -> RestSmartCampaignStreamingCollection:
    return select(call, query, CampaignKind.EVENT)


def _shown(call: Call, fields: TransactionalMailFields) -> RestSmartCampaign:
    campaign = client_of(call, fields).state.get_campaign(fields.transactional_mail_id, CampaignKind.EVENT)
    return show_smart_campaign(campaign, fields.client_id, call.served.campaign.now)


def _create(call: Call, form: TransactionalMailForm) -> RestSmartCampaign:
    client = client_of(call, form)
    created = client.create_campaign(
        CampaignKind.EVENT,
        form.name,
        list_ids=tuple(dict.fromkeys(form.recipient_list_ids.value)),
        description=form.description or "",
    )
    client.add_message(
        created,
        created.name,
        media_type=form.media_type.value,
        subject=form.subject,
        sender_address=form.sender_address,
        sender_name=form.sender_name or "",
        reply_to_address=form.reply_to_address or "",
        content=form.content,
    )
    campaign = client.state.campaigns[created.id]
    return show_smart_campaign(campaign, form.client_id, call.served.campaign.now)


def _start(call: Call, fields: TransactionalMailFields) -> RestSmartCampaign:
    client_of(call, fields).start_transactional_mail(fields.transactional_mail_id)
    return _shown(call, fields)


def _stop(call: Call, fields: TransactionalMailFields) -> RestSmartCampaign:
    client_of(call, fields).stop_transactional_mail(fields.transactional_mail_id)
    return _shown(call, fields)


def _delete(call: Call, fields: TransactionalMailFields) -> None:
    client = client_of(call, fields)
    client.delete_campaign(client.state.get_campaign(fields.transactional_mail_id, CampaignKind.EVENT))


def _send(call: Call, form: SendForm) -> RestMailId:
    mail = client_of(call, form).send(
        form.transactional_mail_id, form.recipient_list_id, form.recipient_id, data=form.data.value
    )
    return RestMailId(mail_id=mail.facts.mail_id)


def _report(call: Call, fields: TransactionalMailFields) -> CampaignMailingRestReport:
    state = client_of(call, fields).state
    campaign = state.get_campaign(fields.transactional_mail_id, CampaignKind.EVENT)
    counts = state.counts(campaign.id)
    events = counts.events
    return CampaignMailingRestReport(
        campaign_id=campaign.id,
        campaign_name=campaign.name,
        recipients=RestRecipients(
            net=counts.mails - counts.skipped,
            total=counts.mails,
            skipped=counts.skipped,
            in_queue=counts.mails - counts.skipped - events[EventType.SENT],
        ),
        bounces=RestBounces(hard=counts.hard_bounces, soft=counts.soft_bounces),
        unsubscribes=events[EventType.UNSUBSCRIBE],
        opens=RestOpens(total=events[EventType.OPEN], unique=counts.unique_opens),
        clicks=RestClicks(total=events[EventType.CLICK], unique=counts.unique_clicks),
    )


_MAIL_ID = re.compile(r"[A-Z0-9]{8}-[A-Z0-9]{8}-[A-Z0-9]{6}")


def _mail(call: Call, query: MailIdQuery) -> SentMail:
    """Return a mail of the client.

    Raises `InvalidInputError` for what is no mail id, and `ConflictError` for a mail of another client.
    """
    allowed = "allowed: the id that the call that sent a mail returned"
    if not _MAIL_ID.fullmatch(query.mail_id):
        raise InvalidInputError(f"mailId: not encoded as mail ids are, {allowed}")
    try:
        client = call.served.campaign.client_of_mail(query.mail_id)
    except NotFoundError:
        raise InvalidInputError(f"mailId: no mail has this id, {allowed}") from None
    if client.state.client_id != query.client_id:
        raise ConflictError(f"the mail is not assigned to client {query.client_id}")
    return client.get_mail(query.mail_id)


def _status(call: Call, query: MailIdQuery) -> RestSendStatus:
    mail = _mail(call, query)
    return RestSendStatus(send_status=mail.status(call.served.campaign.now).value, mail_id=query.mail_id)


def _information(call: Call, query: MailIdQuery) -> RestMailIdInfo:
    facts = _mail(call, query).facts
    return RestMailIdInfo(mailing_id=facts.mailing_id, recipient_list_id=facts.list_id, recipient_id=facts.recipient_id)


_TAG = "Transactional mails"
_NOT_FOUND = {404: "The transactional mail does not exist under this client."}
_NOT_OF_CLIENT = {409: "The mail is not assigned to this client."}

OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="selectTransactionalCampaigns",
        title="Get information about all transactional mails",
        tag=_TAG,
        method="GET",
        path="/transactionalmail",
        fields=SmartCampaignQuery,
        success_description="A page of the client's transactional mails.",
        response=RestSmartCampaignStreamingCollection,
        handle=_select,
    ),
    Operation(
        id="createTransactionalMailing",
        title="Create a transactional mail",
        description="The mail has status `activated`, and is sent to nobody before it is started.",
        tag=_TAG,
        method="POST",
        path="/transactionalmail",
        fields=TransactionalMailForm,
        success=201,
        success_description="The transactional mail is created.",
        response=RestSmartCampaign,
        handle=_create,
    ),
    Operation(
        id="retrieveSendStatus",
        title="Get the status of a sent transactional mail",
        description="After 14 days the status is `enqueued` again.",
        tag=_TAG,
        method="GET",
        path="/transactionalmail/status",
        fields=MailIdQuery,
        success_description="The status of the mail.",
        response=RestSendStatus,
        failures=_NOT_OF_CLIENT,
        handle=_status,
    ),
    Operation(
        id="getTransactionalMailing",
        title="Get information about a transactional mail",
        tag=_TAG,
        method="GET",
        path="/transactionalmail/{transactionalMailId}",
        fields=TransactionalMailFields,
        success_description="The transactional mail.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND,
        handle=_shown,
    ),
    Operation(
        id="deleteTransactionalMailing",
        title="Delete a transactional mail",
        tag=_TAG,
        method="DELETE",
        path="/transactionalmail/{transactionalMailId}",
        fields=TransactionalMailFields,
        success=204,
        success_description="The transactional mail is deleted.",
        failures=_NOT_FOUND | {409: "The transactional mail contains messages that have started."},
        handle=_delete,
    ),
    Operation(
        id="sendTransactionalMailing",
        title="Send a transactional mail",
        description="The events of the mail follow on the clock, with the mail id that this call returns.",
        tag=_TAG,
        method="POST",
        path="/transactionalmail/{transactionalMailId}/send",
        fields=SendForm,
        success=202,
        success_description="The mail is accepted, and sent later.",
        response=RestMailId,
        failures=_NOT_FOUND,
        handle=_send,
    ),
    Operation(
        id="startTransactionalMailing",
        title="Start a transactional mail",
        tag=_TAG,
        method="POST",
        path="/transactionalmail/{transactionalMailId}/start",
        fields=TransactionalMailFields,
        success_description="The transactional mail is started.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND | {409: "The transactional mail is not in status `activated`."},
        handle=_start,
    ),
    Operation(
        id="stopTransactionalMailing",
        title="Stop a transactional mail",
        tag=_TAG,
        method="POST",
        path="/transactionalmail/{transactionalMailId}/stop",
        fields=TransactionalMailFields,
        success_description="The transactional mail is stopped.",
        response=RestSmartCampaign,
        failures=_NOT_FOUND | {409: "The transactional mail is not in status `running`."},
        handle=_stop,
    ),
    Operation(
        id="getTransactionalMailReport",
        title="Get a campaign report",
        description="Its numbers are those of the events that have occurred, exported or not.",
        tag=_TAG,
        method="GET",
        path="/transactionalmail/{transactionalMailId}/report",
        fields=TransactionalMailFields,
        success_description="Numbers of the transactional mail.",
        response=CampaignMailingRestReport,
        failures=_NOT_FOUND,
        handle=_report,
    ),
    Operation(
        id="getDetailedMailIdInformationByEncodedId",
        title="Get information about a mail ID",
        tag="Mail ID",
        method="GET",
        path="/mailid/{mailId}",
        fields=MailIdQuery,
        success_description="The mailing, list and recipient of the mail.",
        response=RestMailIdInfo,
        failures=_NOT_OF_CLIENT,
        handle=_information,
    ),
)
