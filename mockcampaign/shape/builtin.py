"""The built-in shapes: the fields of events of each type, and what is known about each field.

*Documented* is the vendor's webhook guide, which shows one event, an open; *integrator* is the mapping that the one
public integrator of these webhooks publishes; *assumed* is everything else. No other module spells a field's name.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

import msgspec

from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX
from mockcampaign.shape.field import Event, EventField, Provenance, Role, Value, with_value
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, Shape
from mockcampaign.tables import complete


class BuiltinField(msgspec.Struct, frozen=True, kw_only=True):
    """One built-in field, whichever types of events have it."""

    role: Role
    source: Provenance
    meaning: str
    example: Value
    """The value in the guide's example, or one that is assumed."""
    kind: dict[str, Any]
    """JSON Schema of the field's values."""
    optional: bool = False
    """Whether the field can be absent or null. Assumed: the vendor does not say."""
    values: tuple[str, ...] = ()
    """Words of an enumeration."""


_ID = {"type": "integer", "minimum": 0, "maximum": INT64_MAX}

BOUNCE_CATEGORIES = ("hardbounce", "softbounce", "autoresponder", "unknown")
"""Categories of responses to mails (documented: vendor's API description)."""

Path = tuple[str, ...]

FIELDS: Mapping[Path, BuiltinField] = {
    ("type",): BuiltinField(
        role=Role.TYPE,
        source="documented",
        meaning="Type of the event.",
        example="open",
        kind={"type": "string", "enum": [kind.value for kind in EventType]},
    ),
    ("recipientId",): BuiltinField(
        role=Role.RECIPIENT,
        source="documented",
        meaning="Id of the recipient in the client's list: digits, an e-mail address or a customer number.",
        example="123456789005",
        kind={"type": "string", "minLength": 1},
    ),
    ("userListId",): BuiltinField(
        role=Role.RECIPIENT_LIST,
        source="documented",
        meaning="The recipient list.",
        example=123456789003,
        kind=_ID,
    ),
    ("remoteAddress",): BuiltinField(
        role=Role.NETWORK_ADDRESS,
        source="documented",
        meaning="Address of the recipient, or of a machine on its behalf. IPv6 is assumed.",
        example="0.0.0.0",
        kind={"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        optional=True,
    ),
    ("clientId",): BuiltinField(
        role=Role.CLIENT, source="documented", meaning="The vendor's customer.", example=123456789001, kind=_ID
    ),
    ("mailingId",): BuiltinField(
        role=Role.MAILING, source="documented", meaning="The mailing.", example=123456789004, kind=_ID
    ),
    ("created",): BuiltinField(
        role=Role.MOMENT,
        source="documented",
        meaning="Time of the event, in milliseconds since 1970.",
        example=1564590054000,
        kind=_ID,
    ),
    ("subscriptionId",): BuiltinField(
        role=Role.SUBSCRIPTION,
        source="documented",
        meaning="The recipient's subscription to the list.",
        example=1234567,
        kind=_ID,
    ),
    ("mailId",): BuiltinField(
        role=Role.MAIL,
        source="documented",
        meaning="The mail: one for each mailing, recipient list and recipient, in all of its events.",
        example="3IHQ2XT8-38PY7WFQ-XKNQSY",
        kind={"type": "string", "pattern": "^[A-Z0-9]{8}-[A-Z0-9]{8}-[A-Z0-9]{6}$"},
    ),
    ("device",): BuiltinField(
        role=Role.DEVICE,
        source="documented",
        meaning="Kind of device. 'desktop' is documented, all other names are assumed.",
        example="desktop",
        kind={"type": "string"},
        optional=True,
    ),
    ("operatingSystem",): BuiltinField(
        role=Role.OPERATING_SYSTEM,
        source="documented",
        meaning="Such as 'Windows 10', which is documented; all other names are assumed.",
        example="Windows 10",
        kind={"type": "string"},
        optional=True,
    ),
    ("browser",): BuiltinField(
        role=Role.BROWSER,
        source="documented",
        meaning="Such as 'Firefox 64.1', which is documented; all other names are assumed.",
        example="Firefox 64.1",
        kind={"type": "string"},
        optional=True,
    ),
    ("link",): BuiltinField(
        role=Role.LINK,
        source="integrator",
        meaning="Target of the link that was clicked.",
        example="https://www.example.com/offer",
        kind={"type": "string"},
    ),
    ("mediaTypesToAddresses", "EMAIL"): BuiltinField(
        role=Role.RECIPIENT_ADDRESS,
        source="integrator",
        meaning="E-mail address of the recipient.",
        example="anna.meier@example.com",
        kind={"type": "string"},
    ),
    ("category",): BuiltinField(
        role=Role.ENUMERATION,
        source="assumed",
        meaning="Category of the response to the mail. Its words are documented, that events have it is assumed.",
        example="hardbounce",
        kind={"type": "string"},
        values=BOUNCE_CATEGORIES,
    ),
    ("linkId",): BuiltinField(
        role=Role.LINK_ID,
        source="assumed",
        meaning="The link that was clicked. Nobody has seen this field: it is for `--sweep`.",
        example=123456789006,
        kind=_ID,
        optional=True,
    ),
    ("linkUrl",): BuiltinField(
        role=Role.LINK,
        source="assumed",
        meaning="Target of the link. Nobody has seen this field: it is for `--sweep`.",
        example="https://www.example.com/offer",
        kind={"type": "string"},
        optional=True,
    ),
    ("bounceType",): BuiltinField(
        role=Role.ENUMERATION,
        source="assumed",
        meaning="Whether the mail can never be delivered, or not at present. Nobody has seen it: it is for `--sweep`.",
        example="hardbounce",
        kind={"type": "string"},
        optional=True,
        values=BOUNCE_CATEGORIES[:2],
    ),
}
"""All fields by their paths, in no particular order."""

_ENGAGEMENT = tuple(path for path, field in FIELDS.items() if field.source == "documented")
_COMMON = tuple(path for path in _ENGAGEMENT if not FIELDS[path].optional)
_LINK: Path = ("link",)
_ADDRESS: Path = ("mediaTypesToAddresses", "EMAIL")
_CATEGORY: Path = ("category",)
_EARLIER_LINK: tuple[Path, ...] = (("linkId",), ("linkUrl",))
_EARLIER_BOUNCE: tuple[Path, ...] = (("bounceType",),)

DEFAULTS: Mapping[EventType, tuple[Path, ...]] = complete(
    "the fields of each event type",
    EventType,
    {
        EventType.OPEN: _ENGAGEMENT,
        EventType.CLICK: (*_ENGAGEMENT, _LINK, _ADDRESS),
        EventType.SENT: (*_COMMON, _ADDRESS),
        EventType.BOUNCE: (*_COMMON, _CATEGORY, _ADDRESS),
        EventType.UNSUBSCRIBE: (*_ENGAGEMENT, _ADDRESS),
        EventType.SPAMCOMPLAINT: (*_COMMON, _ADDRESS),
        EventType.SINGLEOPTIN: (*_ENGAGEMENT, _ADDRESS),
        EventType.CONFIRMEDOPTIN: (*_ENGAGEMENT, _ADDRESS),
        EventType.DOUBLEOPTIN: (*_ENGAGEMENT, _ADDRESS),
        EventType.BLOCKLIST: (*_COMMON, _ADDRESS),
        EventType.ARCHIVE: (*_COMMON, _ADDRESS),
        EventType.FILTEREDBYBLOCKLIST: (*_COMMON, _ADDRESS),
    },
)
"""The fields of each type, in the order in which they are sent. This is the one place that decides which variant is the
default. `open` is documented, in this order. The integrator maps `link` in clicks, and the recipient's address in a
nested object; the guide's open has none. Assumed: an event that a person causes looks like an open, all others show no
address and client, and a bounce has its category."""

ALTERNATIVES: Mapping[str, tuple[tuple[EventType, tuple[Path, ...]], ...]] = {
    "opens with the recipient's e-mail address": ((EventType.OPEN, (*_ENGAGEMENT, _ADDRESS)),),
    "clicks and bounces with linkId, linkUrl and bounceType": (
        (EventType.CLICK, (*_ENGAGEMENT, *_EARLIER_LINK)),
        (EventType.BOUNCE, (*_COMMON, *_EARLIER_BOUNCE)),
    ),
}
"""Other fields that events may have, by what a sweep says of them. Types that are not named keep their default."""


@cache
def builtin_shape(event_type: EventType, alternative: str | None = None) -> Shape:
    """Return the shape of a type, or how an alternative of `ALTERNATIVES` describes it."""
    paths = DEFAULTS[event_type]
    if alternative is not None:
        paths = dict(ALTERNATIVES[alternative]).get(event_type, paths)
    example: Event = {}
    for path in paths:
        example = with_value(example, path, event_type.value if _is_type(path) else FIELDS[path].example)
    return Shape(
        event_type=event_type,
        fields=tuple(
            EventField(
                path=path,
                role=FIELDS[path].role,
                source=FIELDS[path].source,
                reason=FIELDS[path].meaning,
                example=event_type.value if _is_type(path) else FIELDS[path].example,
                optional=FIELDS[path].optional,
                values=FIELDS[path].values,
            )
            for path in paths
        ),
        examples=(example,),
    )


def _is_type(path: Path) -> bool:
    return FIELDS[path].role is Role.TYPE


TYPES_WITH_ORIGIN = frozenset(kind for kind in EventType if builtin_shape(kind).has_origin)
"""Types whose built-in events show the address and client of a person or machine."""

NAMES: Mapping[Role, str] = {
    field.role: ".".join(path) for path, field in reversed(tuple(FIELDS.items())) if field.role is not Role.ENUMERATION
}
"""The built-in name of each role's field, for texts about Campaign's own events."""


def draw_mail_id(drawer: Random) -> str:
    """Return a mailId in the format of the vendor's example."""
    return "-".join("".join(drawer.choices(_MAIL_ID_LETTERS, k=size)) for size in (8, 8, 6))


_MAIL_ID_LETTERS = string.ascii_uppercase + string.digits


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema of an event or a batch.

    It allows what a consumer has to expect: optional fields absent or null, and unknown extra fields.
    """
    properties: dict[str, Any] = {}
    for (name, *inner), field in FIELDS.items():
        if not inner:
            properties[name] = _property(field)
            continue
        outer = properties.setdefault(name, {"type": "object", "properties": {}, "additionalProperties": True})
        outer["properties"][inner[0]] = _property(field)
    everywhere = set.intersection(*(set(paths) for paths in DEFAULTS.values()))
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
                "required": [path[0] for path in FIELDS if path in everywhere],
                "properties": properties,
                "additionalProperties": True,
            },
        },
    }


def _property(field: BuiltinField) -> dict[str, Any]:
    description = f"{field.source.capitalize()}. {field.meaning}"
    if not field.optional:
        return {"description": description, **field.kind}
    return {"description": description, "anyOf": [field.kind, {"type": "null"}]}
