"""The JSON of events."""

from __future__ import annotations

import msgspec

from mockcampaign.events import field_values
from mockcampaign.events.fields import FIELDS, TYPES
from mockcampaign.events.people import Audience, Origin
from mockcampaign.model import EventType
from mockcampaign.tables import complete

BOUNCES = ("hardbounce", "softbounce")

DETAILS = complete(
    "the number of details of each event type",
    EventType,
    dict.fromkeys(EventType, 1) | {EventType.CLICK: len(field_values.LINKS), EventType.BOUNCE: len(BOUNCES)},
)
"""Number of links, and of kinds of bounces, by type of event. Other types have no such detail."""

TYPES_WITH_ORIGIN = frozenset(kind for kind, names in TYPES.items() if "remoteAddress" in names)
"""Types whose events show the address and client of a person or machine."""

NO_ORIGIN = Origin("", ("", "", ""))
"""Origin of events of all other types."""

_VARYING = (
    "recipientId",
    "remoteAddress",
    "created",
    "subscriptionId",
    "mailId",
    "device",
    "operatingSystem",
    "browser",
)
"""Fields that differ within a mailing's events of one type, in the order that `fields.TYPES` must have."""


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
        self._recipient_id = mails.audience.recipient_id
        self._subscription_id = mails.audience.subscription_id
        self._recipient_group = mails.ids.recipient_group
        self._between = [
            [_between(mails, event_type, number, detail) for detail in range(DETAILS[event_type])]
            for number in range(field_values.LISTS)
        ]

    def payload(
        self, created: int, list_number: int, recipient: int, origin: Origin = NO_ORIGIN, detail: int = 0
    ) -> bytes:
        """Return the event as JSON. `detail` is the index of a link, or of a kind of bounce."""
        a, b, c, d, e, f, g, h, i = self._between[list_number][detail]
        device, operating_system, browser = origin.client
        return (
            f"{a}{self._recipient_id(recipient)}{b}{origin.address}{c}{created}"
            f"{d}{self._subscription_id(list_number, recipient)}{e}{self._recipient_group(recipient)}"
            f"{f}{device}{g}{operating_system}{h}{browser}{i}"
        ).encode()


def _between(mails: Mails, event_type: EventType, list_number: int, detail: int) -> tuple[str, ...]:
    """Return the text before, between and after the varying fields; it is empty before a field that the type lacks."""
    in_common = {
        "type": event_type.value,
        "userListId": mails.audience.user_list_id(list_number),
        "clientId": mails.client_id,
        "mailingId": mails.mailing_id,
        "mailId": mails.ids.mail_id(list_number, _mark("mailId")),
        "linkId": mails.mailing_id + detail + 1,
        "linkUrl": field_values.LINK_URL + field_values.LINKS[detail],
        "bounceType": BOUNCES[detail % len(BOUNCES)],
    }
    fields = {name: in_common.get(name, _mark(name)) for name in TYPES[event_type]}
    text = msgspec.json.encode(fields).decode()
    between = []
    for name in _VARYING:
        before = ""
        if name in fields:
            mark = _mark(name) if FIELDS[name].kind["type"] == "string" else f'"{_mark(name)}"'
            before, found, text = text.partition(mark)
            if not found:
                raise ValueError(f"fields of {event_type}: {name} out of order, allowed: {', '.join(_VARYING)}")
        between.append(before)
    return (*between, text)


def _mark(name: str) -> str:
    return f"<{name}>"
