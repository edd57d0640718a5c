"""Operations that show the mails that clients have sent, and that make their recipients act, as `OPERATIONS`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.clients.sent_mail import MailEvent, SentMail
from mockcampaign.durations import MOMENT_MAX
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request_fields import Duration, Id, SingleLine, about, between

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


class MailsPage(msgspec.Struct, frozen=True):
    """A part of the mails, oldest first."""

    mails: list[MailView]
    total: int
    """Number of all mails of the query."""


class MailsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The mails to return."""

    recipient_id: Annotated[SingleLine, about("Only mails to this recipient.")] | None = None
    client_id: Annotated[Id, about("Id of the client (default: the first one).")] | None = None
    offset: Annotated[int, between(0, INT64_MAX), about("How many to skip.")] = 0
    limit: Annotated[int, between(1, MAILS_LIMIT_MAX), about("Most to return.")] = 100


def _act(call: Call, request: ActRequest) -> MailEventView:
    campaign = call.served.campaign
    after = 0 if request.after is None else request.after.value
    if campaign.now + after > MOMENT_MAX:
        raise InvalidInputError("after: the event would lie where time ends, allowed: less")
    more = {} if request.category is None else {"category": request.category}
    client = campaign.client_of_mail(request.mail_id)
    return _event(client.act(request.mail_id, request.type, after=after, link=request.link, **more))


def _mails(call: Call, query: MailsQuery) -> MailsPage:
    served = call.served
    client_id = query.client_id or served.users.client_ids[0]
    if client_id not in served.users.client_ids:
        raise InvalidInputError(f"clientId: {client_id} is no client of this server")
    found = served.campaign.client(client_id).mails(query.recipient_id)
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
        id="act",
        title="Make the recipient of a mail act",
        description="It opens the mail, clicks a link, unsubscribes, complains or confirms a double opt-in, or the "
        "mail bounces. The event has the mail's id.",
        tag=CONTROL_TAG,
        method="POST",
        path="/act",
        fields=ActRequest,
        success_description="The event, and when it occurs.",
        response=MailEventView,
        failures={404: "No client has sent the mail.", 409: "Nothing like that can become of the mail."},
        handle=_act,
    ),
)
