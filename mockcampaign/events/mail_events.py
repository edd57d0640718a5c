"""The JSON of events of single mails, whose recipients a client has named."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mockcampaign import json_text
from mockcampaign.events import field_values
from mockcampaign.events.people import Actor, Audience
from mockcampaign.events.sample import Sample
from mockcampaign.shape.field import Event, EventField, Role, Value
from mockcampaign.shape.shape import Shape


class MailFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that all events of one mail have in common."""

    client_id: int
    mailing_id: int
    list_id: int
    mail_id: str
    recipient_id: str
    address: str
    person: int
    """Number of the recipient in the audience, which decides devices and network addresses."""

    def __repr__(self) -> str:
        return f"MailFacts(mail_id={self.mail_id!r}, …)"


class EventFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that distinguish one event from the others of its mail."""

    at: int
    """Milliseconds since 1970."""
    actor: Actor = Actor.PERSON
    detail: int = 0
    """Index of a link, of a category of bounces, or of the friend who opens."""
    link: str | None = None
    """Target of a click, instead of that of `detail`."""
    is_private: bool = False
    """Whether the mailbox is behind a privacy proxy."""


class MailEventWriter:
    """Writes events in their shape, with the recipients that a client has named."""

    def __init__(self, audience: Audience, seed: str) -> None:
        self._audience = audience
        self._seed = seed

    def payload(self, shape: Shape, mail: MailFacts, event: EventFacts) -> bytes:
        """Return the event as JSON. Events of a captured shape keep what no role says."""
        values = self._values(mail, event)
        written: Event = {}
        if shape.is_captured:
            [written] = Sample.of(shape).more(f"{self._seed}:{mail.mail_id}:{event.at}", [event.at])
        found = [(field, _value(field, values, event)) for field in shape.fields]
        return json_text.encode(shape.put_all(written, [(field, value) for field, value in found if value is not None]))

    def _values(self, mail: MailFacts, event: EventFacts) -> Mapping[Role, Value]:
        audience = self._audience
        origin = audience.origin(
            mail.person,
            audience.people.words(mail.person),
            event.actor,
            private=event.is_private,
            which=event.detail if event.actor is Actor.FRIEND else 0,
        )
        device, operating_system, browser = origin.client
        link = event.detail % len(field_values.LINKS)
        return {
            Role.RECIPIENT: mail.recipient_id,
            Role.RECIPIENT_ADDRESS: mail.address,
            Role.RECIPIENT_LIST: mail.list_id,
            Role.CLIENT: mail.client_id,
            Role.MAILING: mail.mailing_id,
            Role.MAIL: mail.mail_id,
            Role.SUBSCRIPTION: audience.subscription_id(0, mail.person),
            Role.NETWORK_ADDRESS: origin.address,
            Role.DEVICE: device,
            Role.OPERATING_SYSTEM: operating_system,
            Role.BROWSER: browser,
            Role.LINK: field_values.LINK_URL + field_values.LINKS[link] if event.link is None else event.link,
            Role.LINK_ID: mail.mailing_id + link + 1,
        }


def _value(field: EventField, values: Mapping[Role, Value], event: EventFacts) -> Value:
    """Return the value of a field, or None to leave it as it is."""
    if field.source == "captured":
        value = values.get(field.role)
        if field.is_whole_number and isinstance(value, str):
            return int(value) if value.isascii() and value.isdecimal() else None
        return str(value) if field.is_text and value is not None else value
    if field.role is Role.ENUMERATION:
        return field.values[event.detail % len(field.values)]
    if field.role is Role.MOMENT:
        return event.at
    return field.example if field.role is Role.TYPE else values.get(field.role)
