"""The JSON of events."""

from __future__ import annotations

import msgspec

from mockcampaign.events import field_values
from mockcampaign.events.people import Audience, Origin, email_of
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Event, EventField, Role, Value, with_value
from mockcampaign.shape.shape import Shape
from mockcampaign.tables import complete


def _details(shape: Shape) -> int:
    enumeration = shape.field(Role.ENUMERATION)
    if enumeration is not None:
        return len(enumeration.values)
    return len(field_values.LINKS) if shape.has(Role.LINK) else 1


DETAILS = complete(
    "the number of details of each event type", EventType, {kind: _details(builtin_shape(kind)) for kind in EventType}
)
"""Number of links, and of categories of bounces, by type of event. Other types have no such detail."""

NO_ORIGIN = Origin("", ("", "", ""))
"""Origin of events of all other types."""

_VARYING = (
    Role.RECIPIENT,
    Role.NETWORK_ADDRESS,
    Role.MOMENT,
    Role.SUBSCRIPTION,
    Role.MAIL,
    Role.DEVICE,
    Role.OPERATING_SYSTEM,
    Role.BROWSER,
    Role.RECIPIENT_ADDRESS,
)
"""Roles in which a mailing's events of one type differ, in the order that `shape.builtin.DEFAULTS` must have."""


class Mails:
    """The mails of one mailing."""

    def __init__(self, audience: Audience, client_id: int, mailing_id: int) -> None:
        self.audience = audience
        self.mailing_id = mailing_id
        self.client_id = client_id
        self.ids = audience.mail_ids(mailing_id)
        self._payloads: dict[EventType, Payloads] = {}

    def payloads(self, event_type: EventType) -> Payloads:
        """Return the writer of events of this type."""
        if event_type not in self._payloads:
            self._payloads[event_type] = Payloads(self, event_type)
        return self._payloads[event_type]


class Payloads:
    """Writes the events of one type and mailing.

    The common part is encoded once, and the rest is filled in. This is several times faster than encoding each event.
    No filled-in value contains a character that JSON would escape.
    """

    def __init__(self, mails: Mails, event_type: EventType) -> None:
        shape = builtin_shape(event_type)
        self._recipient_id = mails.audience.recipient_id
        self._subscription_id = mails.audience.subscription_id
        self._recipient_group = mails.ids.recipient_group
        self._has_address = shape.has(Role.RECIPIENT_ADDRESS)
        self._between = [
            [_between(mails, shape, number, detail) for detail in range(DETAILS[event_type])]
            for number in range(field_values.LISTS)
        ]

    def payload(
        self, created: int, list_number: int, recipient: int, origin: Origin = NO_ORIGIN, detail: int = 0
    ) -> bytes:
        """Return the event as JSON. `detail` is the index of a link, or of a category of bounces."""
        a, b, c, d, e, f, g, h, i, j = self._between[list_number][detail]
        device, operating_system, browser = origin.client
        return (
            f"{a}{self._recipient_id(recipient)}{b}{origin.address}{c}{created}"
            f"{d}{self._subscription_id(list_number, recipient)}{e}{self._recipient_group(recipient)}"
            f"{f}{device}{g}{operating_system}{h}{browser}{i}{email_of(recipient) if self._has_address else ''}{j}"
        ).encode()


def _between(mails: Mails, shape: Shape, list_number: int, detail: int) -> tuple[str, ...]:
    """Return the text before, between and after the varying fields; it is empty before a field that the type lacks."""
    event: Event = {}
    for field in shape.fields:
        event = with_value(event, field.path, _in_common(field, mails, list_number, detail))
    text = msgspec.json.encode(event).decode()
    between = []
    for role in _VARYING:
        before = ""
        field_or_none = shape.field(role)
        if field_or_none is not None:
            mark = _mark(role) if field_or_none.is_text else f'"{_mark(role)}"'
            before, found, text = text.partition(mark)
            if not found:
                raise ValueError(f"fields of {shape.event_type}: {role} out of order, allowed: {', '.join(_VARYING)}")
        between.append(before)
    return (*between, text)


def _in_common(field: EventField, mails: Mails, list_number: int, detail: int) -> Value:
    """Return the value that all events of a type, list and detail have in this field, or a mark for it."""
    match field.role:
        case Role.TYPE:
            return field.example
        case Role.RECIPIENT_LIST:
            return mails.audience.user_list_id(list_number)
        case Role.CLIENT:
            return mails.client_id
        case Role.MAILING:
            return mails.mailing_id
        case Role.MAIL:
            return mails.ids.mail_id(list_number, _mark(Role.MAIL))
        case Role.LINK_ID:
            return mails.mailing_id + detail + 1
        case Role.LINK:
            return field_values.LINK_URL + field_values.LINKS[detail]
        case Role.ENUMERATION:
            return field.values[detail]
        case varying if varying in _VARYING:
            return _mark(varying)
    raise ValueError(f"{field.name}: no values for {field.role}")


def _mark(role: Role) -> str:
    return f"<{role}>"
