"""The fields of events of each type, what is known about each field, and the JSON Schema.

*Documented* is the vendor's webhook guide, which shows one event, an open; *assumed* is everything else.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from random import Random
from typing import Any, Literal

import msgspec

from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX
from mockcampaign.tables import complete

BATCH_EVENTS_MAX = 100
"""Maximum number of events in a batch. Documented."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of events."""

    source: Literal["documented", "assumed"]
    """Whether the vendor's guide shows the field in its example, an open."""
    meaning: str
    kind: dict[str, Any]
    """JSON Schema of the field's values."""
    optional: bool = False
    """Whether the field can be absent or null. Assumed: the vendor does not say."""


_ID = {"type": "integer", "minimum": 0, "maximum": INT64_MAX}

FIELDS: dict[str, Field] = {
    "type": Field(
        source="documented",
        meaning="Type of the event.",
        kind={"type": "string", "enum": [kind.value for kind in EventType]},
    ),
    "recipientId": Field(
        source="documented",
        meaning="Id of the recipient in the client's list: digits, an e-mail address or a customer number.",
        kind={"type": "string", "minLength": 1},
    ),
    "userListId": Field(source="documented", meaning="The recipient list.", kind=_ID),
    "remoteAddress": Field(
        source="documented",
        meaning="Address of the recipient, or of a machine on its behalf. IPv6 is assumed.",
        kind={"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        optional=True,
    ),
    "clientId": Field(source="documented", meaning="The vendor's customer.", kind=_ID),
    "mailingId": Field(source="documented", meaning="The mailing.", kind=_ID),
    "created": Field(source="documented", meaning="Time of the event, in milliseconds since 1970.", kind=_ID),
    "subscriptionId": Field(source="documented", meaning="The recipient's subscription to the list.", kind=_ID),
    "mailId": Field(
        source="documented",
        meaning="The mail: one for each mailing, recipient list and recipient, in all of its events.",
        kind={"type": "string", "pattern": "^[A-Z0-9]{8}-[A-Z0-9]{8}-[A-Z0-9]{6}$"},
    ),
    "device": Field(
        source="documented",
        meaning="Kind of device. 'desktop' is documented, all other names are assumed.",
        kind={"type": "string"},
        optional=True,
    ),
    "operatingSystem": Field(
        source="documented",
        meaning="Such as 'Windows 10', which is documented; all other names are assumed.",
        kind={"type": "string"},
        optional=True,
    ),
    "browser": Field(
        source="documented",
        meaning="Such as 'Firefox 64.1', which is documented; all other names are assumed.",
        kind={"type": "string"},
        optional=True,
    ),
    "linkId": Field(source="assumed", meaning="The link that was clicked.", kind=_ID, optional=True),
    "linkUrl": Field(source="assumed", meaning="Target of the link.", kind={"type": "string"}, optional=True),
    "bounceType": Field(
        source="assumed",
        meaning="Whether the mail can never be delivered, or not at present. The two names are documented.",
        kind={"type": "string", "enum": ["hardbounce", "softbounce"]},
        optional=True,
    ),
}
"""All fields, in no particular order."""

_ENGAGEMENT = (
    *("type", "recipientId", "userListId", "remoteAddress", "clientId", "mailingId", "created", "subscriptionId"),
    *("mailId", "device", "operatingSystem", "browser"),
)
_COMMON = tuple(name for name in _ENGAGEMENT if name not in ("remoteAddress", "device", "operatingSystem", "browser"))

TYPES: Mapping[EventType, tuple[str, ...]] = complete(
    "the fields of each event type",
    EventType,
    {
        EventType.OPEN: _ENGAGEMENT,
        EventType.CLICK: (*_ENGAGEMENT, "linkId", "linkUrl"),
        EventType.SENT: _COMMON,
        EventType.BOUNCE: (*_COMMON, "bounceType"),
        EventType.UNSUBSCRIBE: _ENGAGEMENT,
        EventType.SPAMCOMPLAINT: _COMMON,
        EventType.SINGLEOPTIN: _ENGAGEMENT,
        EventType.CONFIRMEDOPTIN: _ENGAGEMENT,
        EventType.DOUBLEOPTIN: _ENGAGEMENT,
        EventType.BLOCKLIST: _COMMON,
        EventType.ARCHIVE: _COMMON,
        EventType.FILTEREDBYBLOCKLIST: _COMMON,
    },
)
"""The fields of each type, in the order in which they are sent. `open` is documented, in this order. Assumed: an event
that a person causes looks like an open, a click has the link in addition, and all other types show no address and
client."""


EXAMPLE: dict[str, Any] = {
    "type": "open",
    "recipientId": "123456789005",
    "userListId": 123456789003,
    "remoteAddress": "0.0.0.0",
    "clientId": 123456789001,
    "mailingId": 123456789004,
    "created": 1564590054000,
    "subscriptionId": 1234567,
    "mailId": "3IHQ2XT8-38PY7WFQ-XKNQSY",
    "device": "desktop",
    "operatingSystem": "Windows 10",
    "browser": "Firefox 64.1",
    "linkId": 123456789006,
    "linkUrl": "https://www.example.com/offer",
    "bounceType": "hardbounce",
}
"""A value of each field: the vendor's example of an open, and our assumptions for other types."""


def draw_mail_id(drawer: Random) -> str:
    """Return a mailId in the format of the vendor's example."""
    return "-".join("".join(drawer.choices(_MAIL_ID_LETTERS, k=size)) for size in (8, 8, 6))


_MAIL_ID_LETTERS = string.ascii_uppercase + string.digits


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event or a batch.

    It allows what a consumer has to expect: optional fields absent or null, and unknown extra fields.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events of Campaign's webhooks",
        "description": "One event, or a batch of events as a webhook sends it.",
        "anyOf": [{"$ref": "#/$defs/event"}, {"$ref": "#/$defs/batch"}],
        "$defs": {
            "batch": {
                "type": "array",
                "items": {"$ref": "#/$defs/event"},
                "minItems": 1,
                "maxItems": BATCH_EVENTS_MAX,
            },
            "event": {
                "type": "object",
                "required": [name for name, field in FIELDS.items() if not field.optional],
                "properties": {name: _property(field) for name, field in FIELDS.items()},
                "additionalProperties": True,
            },
        },
    }


def _property(field: Field) -> dict[str, Any]:
    description = f"{field.source.capitalize()}. {field.meaning}"
    if not field.optional:
        return {"description": description, **field.kind}
    return {"description": description, "anyOf": [field.kind, {"type": "null"}]}
