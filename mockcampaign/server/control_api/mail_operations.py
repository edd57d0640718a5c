"""Operations that show the mails that clients have sent, and that make their recipients act, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.clients.mail_commands import possible_acts
from mockcampaign.clients.sent_mail import MailEvent, SentMail
from mockcampaign.clients.smart_campaign import CampaignKind, SmartCampaign
from mockcampaign.durations import MOMENT_MAX
from mockcampaign.errors import InvalidInputError
from mockcampaign.events.field_values import LINK_URL, LINKS
from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.control_api.emit_operations import client_or_first
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request_fields import Duration, Flag, Id, NoFields, SingleLine, about, between
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES

MAILS_LIMIT_MAX = 10_000


class ActRequest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An action of a mail's recipient."""

    mail_id: SingleLine
    type: EventType
    after: Duration | None = None
    """Time from now until it happens (default: now). Nothing happens before the mail is sent."""
    link: SingleLine | None = None
    """Target of a click (default: one of the model's links)."""
    category: SingleLine | None = None
    """Category of a bounce (default: hardbounce)."""


class MailEventView(msgspec.Struct, frozen=True):
    """An event of a mail."""

    at: int
    """Milliseconds since 1970."""
    type: str


class ActView(MailEventView, frozen=True, rename="camel", kw_only=True):
    """An event that a call has made, and whose it is."""

    mail_id: str
    mailing_id: int
    client_id: int
    recipient_id: str


class MailView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A mail that a call has sent, and its events so far."""

    mail_id: str
    client_id: int
    mailing_id: int
    recipient_list_id: int
    recipient_id: str
    data: dict[str, str]
    accepted_at: int
    status: str
    events: list[MailEventView]
    acts: tuple[EventType, ...]
    """Events that its recipient can cause."""


class SendMailRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A transactional mail to one recipient."""

    recipient_id: Annotated[SingleLine, msgspec.Meta(min_length=1)]
    """Id of the recipient, as a rule the e-mail address."""
    transactional_mail_id: Id | None = None
    """Id of the transactional mail (default: the first one)."""
    recipient_list_id: Id | None = None
    """Id of a recipient list that the mail is assigned to (default: its first one)."""
    client_id: Id | None = None
    """Id of the client (default: the first one)."""
    data: dict[str, str] = {}
    """Attributes of the recipient."""


class NamedList(msgspec.Struct, frozen=True):
    """A recipient list."""

    id: int
    name: str


class TransactionalMailView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A transactional mail, and the recipient lists that it is assigned to."""

    id: int
    client_id: int
    name: str
    status: str
    lists: list[NamedList]


class MailChoices(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Transactional mails to send, and the choices of their recipients."""

    transactional_mails: list[TransactionalMailView]
    links: list[str]
    """Links of the model's mails. A recipient can click others, too."""
    bounce_categories: tuple[str, ...]


class MailsPage(msgspec.Struct, frozen=True):
    """A part of the mails, oldest first."""

    mails: list[MailView]
    total: int
    """Number of all mails of the query."""


class MailsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The mails to return."""

    recipient_id: Annotated[SingleLine, about("Only mails to this recipient.")] | None = None
    client_id: Annotated[Id, about("Id of the client (default: the first one).")] | None = None
    newest_first: Annotated[Flag, about("Whether the newest mails come first.")] = Flag.FALSE
    offset: Annotated[int, between(0, INT64_MAX), about("How many to skip.")] = 0
    limit: Annotated[int, between(1, MAILS_LIMIT_MAX), about("Most to return.")] = 100


def _act(call: Call, request: ActRequest) -> ActView:
    campaign = call.served.campaign
    after = 0 if request.after is None else request.after.value
    if campaign.now + after > MOMENT_MAX:
        raise InvalidInputError("after: the event would lie where time ends, allowed: less")
    more = {} if request.category is None else {"category": request.category}
    client = campaign.client_of_mail(request.mail_id)
    event = client.act(request.mail_id, request.type, after=after, link=request.link, **more)
    facts = client.get_mail(request.mail_id).facts
    return ActView(
        at=event.at,
        type=event.type.value,
        mail_id=facts.mail_id,
        mailing_id=facts.mailing_id,
        client_id=facts.client_id,
        recipient_id=facts.recipient_id,
    )


def _mails(call: Call, query: MailsQuery) -> MailsPage:
    served = call.served
    found = served.campaign.client(client_or_first(served, query.client_id)).mails(query.recipient_id)
    if query.newest_first is Flag.TRUE:
        found.reverse()
    shown = [_mail(mail, served.campaign.now) for mail in found[query.offset : query.offset + query.limit]]
    return MailsPage(shown, len(found))


def _mail(mail: SentMail, now: int) -> MailView:
    facts = mail.facts
    return MailView(
        mail_id=facts.mail_id,
        client_id=facts.client_id,
        mailing_id=facts.mailing_id,
        recipient_list_id=facts.list_id,
        recipient_id=facts.recipient_id,
        data=dict(mail.data),
        accepted_at=mail.accepted_at,
        status=mail.status(now).value,
        events=[_event(event) for event in mail.events_until(now)],
        acts=possible_acts(mail),
    )


def _send(call: Call, request: SendMailRequest) -> MailView:
    served = call.served
    client = served.campaign.client(client_or_first(served, request.client_id))
    mail = client.state.find_transactional_mail(request.transactional_mail_id)
    list_id = next(iter(mail.list_ids), 0) if request.recipient_list_id is None else request.recipient_list_id
    sent = client.send(mail.id, list_id, request.recipient_id, data=request.data)
    return _mail(sent, served.campaign.now)


def _choices(call: Call, fields: NoFields) -> MailChoices:
    served = call.served
    return MailChoices(
        transactional_mails=[
            _transactional_mail(served, client_id, mail)
            for client_id in served.users.client_ids
            for mail in served.campaign.client(client_id).state.campaigns_of(CampaignKind.EVENT)
        ],
        links=[LINK_URL + link for link in LINKS],
        bounce_categories=tuple(BOUNCE_CATEGORIES),
    )


def _transactional_mail(served: ServedCampaign, client_id: int, mail: SmartCampaign) -> TransactionalMailView:
    lists = served.campaign.client(client_id).state.lists
    return TransactionalMailView(
        id=mail.id,
        client_id=client_id,
        name=mail.name,
        status=mail.status_at(served.campaign.now).value,
        lists=[NamedList(list_id, lists[list_id].name) for list_id in mail.list_ids if list_id in lists],
    )


def _event(event: MailEvent) -> MailEventView:
    return MailEventView(event.at, event.type.value)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="mails",
        title="Get the mails that were sent one by one",
        description="With their recipients, data, status and events so far. Older ones are forgotten.",
        tag=CONTROL_TAG,
        method="GET",
        path="/mails",
        fields=MailsQuery,
        success_description="Mails, oldest first.",
        response=MailsPage,
        handle=_mails,
    ),
    Operation(
        id="sendMail",
        title="Send a transactional mail",
        description="Like the operation of the REST API, but without the client's credentials. The events of the mail "
        "follow on the clock.",
        tag=CONTROL_TAG,
        method="POST",
        path="/mails",
        fields=SendMailRequest,
        success=201,
        success_description="The mail is accepted, and sent later.",
        response=MailView,
        handle=_send,
    ),
    Operation(
        id="mailChoices",
        title="Get the transactional mails of all clients",
        description="With the links and bounce categories that `act` can name.",
        tag=CONTROL_TAG,
        method="GET",
        path="/mails/choices",
        fields=NoFields,
        success_description="Transactional mails, links and categories.",
        response=MailChoices,
        handle=_choices,
    ),
    Operation(
        id="act",
        title="Make the recipient of a mail act",
        description="It opens the mail, clicks a link, unsubscribes, complains or confirms a double opt-in, or the "
        "mail bounces. The event has the mail's id.",
        tag=CONTROL_TAG,
        method="POST",
        path="/act",
        fields=ActRequest,
        success_description="The event, when it occurs, and the ids by which a consumer sees whose it is.",
        response=ActView,
        failures={404: "No client has sent the mail.", 409: "Nothing like that can become of the mail."},
        handle=_act,
    ),
)
