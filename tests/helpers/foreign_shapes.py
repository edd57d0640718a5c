"""Events that look unlike ours, as teams capture them, and the shape of each that a person would write down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mockcampaign.model import EventType
from mockcampaign.shape.field import Event, EventField, Role, leaves
from mockcampaign.shape.likeness import draw_like
from mockcampaign.shape.shape import LIST, OBJECT, Body, Shape

INTEGRATOR = """[
  {
    "type": "click",
    "recipientId": "700041822317",
    "userListId": 700000000412,
    "remoteAddress": "203.0.113.77",
    "clientId": 700000000033,
    "mailingId": 700000018904,
    "created": 1772440887412,
    "subscriptionId": 88123405,
    "mailId": "4KX0PM2T-71QHZ9AA-0XW3EJ",
    "device": "mobile",
    "operatingSystem": "iOS 18.3",
    "browser": "Safari 18.3",
    "link": "https://shop.example.com/spring?utm_source=mail&utm_campaign=spring-26",
    "mediaTypesToAddresses": {"EMAIL": "lena.brandt@example.com"}
  },
  {
    "type": "click",
    "recipientId": "700041830950",
    "userListId": 700000000412,
    "remoteAddress": "198.51.100.9",
    "clientId": 700000000033,
    "mailingId": 700000018904,
    "created": 1772440893006,
    "subscriptionId": 88131777,
    "mailId": "9QD2ZV7B-71QHZ9AA-5N8C1R",
    "operatingSystem": "Windows 11",
    "browser": "Edge 133.0",
    "link": "https://shop.example.com/imprint",
    "mediaTypesToAddresses": {"EMAIL": "t.okafor@example.org"}
  }
]
"""

UPPER_CASE = (
    '[{"type":"CLICK","recipientId":"kd-20417","mailingId":90210445,"mailId":"7HJ2LLQ0-XW81M4ZP-33KD9A",'
    '"created":1772441002118,"remoteAddress":"192.0.2.141","device":"DESKTOP","browser":"Firefox 136.0",'
    '"link":"https://www.example.net/news/42"},'
    '{"type":"CLICK","recipientId":"kd-88120","mailingId":90210445,"mailId":"0PZ6T1MA-XW81M4ZP-Q7R2VB",'
    '"created":1772441011540,"remoteAddress":"192.0.2.8","device":null,"browser":"Chrome 133.0",'
    '"link":"https://www.example.net/news/43"}]'
)

ISO_MOMENTS = """[
    {"type": "open", "recipientId": "5512009", "mailingId": 33018, "mailId": "M5YQ81ZC-AA02KLP9-7TRE4W",
     "created": "2026-03-02T09:41:27.412+01:00", "remoteAddress": "203.0.113.5", "device": "mobile",
     "operatingSystem": "Android 15", "browser": "Chrome 133.0"},
    {"type": "open", "recipientId": "5512544", "mailingId": 33018, "mailId": "2CV0W7NX-AA02KLP9-J61QHD",
     "created": "2026-03-02T09:41:55.090+01:00", "remoteAddress": "203.0.113.212", "device": "desktop",
     "operatingSystem": "macOS 15.3"}
]"""

SECONDS = (
    '[{"type":"open","recipientId":"1004417","userListId":81,"mailingId":5529,"mailId":"XN40JQ7R-5L2PPA81-M0ZK3C",'
    '"created":1772441102,"device":"tablet","browser":"Safari 17.6"},'
    '{"type":"open","recipientId":"1004902","userListId":81,"mailingId":5529,"mailId":"B7T9E2KD-5L2PPA81-W4YH6S",'
    '"created":1772441119,"browser":"Samsung Internet 27.0"}]'
)

NUMERIC_RECIPIENTS = (
    '[{"type":"open","recipientId":481516234,"clientId":7000112,"mailingId":40118277,"subscriptionId":9001442,'
    '"created":1772441300774,"mailId":"Q1W8ZL5T-0KD7VN3E-R9X2MB","device":"desktop","remoteAddress":"198.51.100.61"},'
    '{"type":"open","recipientId":481516901,"clientId":7000112,"mailingId":40118277,"subscriptionId":9001810,'
    '"created":1772441307015,"mailId":"H6P3CA0Y-0KD7VN3E-T4J8QF","device":"mobile","remoteAddress":null}]'
)

WRAPPED = """{"events": [
  {"type": "click", "recipientId": "A-90417", "mailingId": 61204, "mailId": "D8R4NK1Z-7YQ0M2XB-V5T3LC",
   "created": 1772441500231, "link": "https://www.example.com/sale", "device": "mobile", "browser": "Chrome 133.0"},
  {"type": "click", "recipientId": "A-93310", "mailingId": 61204, "mailId": "J2M7WQ9F-7YQ0M2XB-E0S6HN",
   "created": 1772441503888, "link": "https://www.example.com/sale/shoes", "browser": "Firefox 136.0"}
]}"""

ONE_EVENT = """{
  "type": "click",
  "recipientId": "20260317",
  "mailingId": 1108423,
  "mailId": "T3B9XK6M-2W8ZPQ4L-C7N1RD",
  "created": 1772441702450,
  "link": "https://www.example.org/confirm?step=2",
  "remoteAddress": "192.0.2.77",
  "device": null,
  "operatingSystem": "Linux"
}
"""

NESTED_ADDRESS = (
    '[{"type":"open","campaign":{"id":770412,"name":"Spring"},"recipient":{"address":{"email":"ida.holm@example.com"},'
    '"language":"da"},"created":1772441801903,"client":{"ip":"203.0.113.140","browser":"Thunderbird 128.7"}},'
    '{"type":"open","campaign":{"id":770412,"name":"Spring"},"recipient":{"address":{"email":"p.ruiz@example.org"},'
    '"language":"es"},"created":1772441809217,"client":{"ip":"203.0.113.29"}}]'
)

OTHER_NAMES = (
    '[{"kind":"click","contact":"c_0091834","msg":"f3a0c2d4-7b51-4e0e-9a44-2b1c5d7e8f90","campaign":5501923,'
    '"occurred_ts":1772441950662,"href":"https://www.example.com/a?b=1","ip":"198.51.100.200","hw":"phone",'
    '"os":"Android 14","agent":"Chrome Mobile 132.0"},'
    '{"kind":"click","contact":"c_0094410","msg":"0d9be1a7-40c3-4f6a-8e15-6c2f93b7a1d8","campaign":5501923,'
    '"occurred_ts":1772441961004,"href":"https://www.example.com/c","ip":"198.51.100.14","hw":"phone",'
    '"os":"Android 13"}]'
)

EXTRA_FIELD = (
    '[{"type":"open","tenant":"shop-de","schemaVersion":3,"recipientId":"660144","mailingId":70118,'
    '"mailId":"K4Z1QD8W-P0X6TB2M-9HCJ5R","created":1772442100918,"device":"desktop","browser":"Opera 117.0"},'
    '{"type":"open","tenant":"shop-de","schemaVersion":3,"recipientId":"661902","mailingId":70118,'
    '"mailId":"V7N3YL0A-P0X6TB2M-2GFS8E","created":1772442107345,"device":null,"browser":"Vivaldi 7.1"}]'
)

RECIPIENT_ONLY = (
    '[{"type":"open","created":1772442201337,"recipientId":"kd-30417","device":"mobile","campaign":"Spring sale"},'
    '{"type":"open","created":1772442209870,"recipientId":"kd-30992","campaign":"Spring sale"}]'
)

RECIPIENT_NUMBER = (
    '[{"type":"click","recipientId":581516234,"created":1772442300112,"link":"https://www.example.com/offer",'
    '"browser":"Chrome 133.0"},'
    '{"type":"click","recipientId":581516901,"created":1772442307015,"link":"https://www.example.com/shoes"}]'
)

RECIPIENT_AND_MAILING = (
    '[{"type":"click","recipientId":"A-50417","mailingId":81204,"created":1772442400231,"browser":"Edge 133.0",'
    '"link":"https://www.example.com/sale"},'
    '{"type":"click","recipientId":"A-53310","mailingId":81204,"created":1772442403888,'
    '"link":"https://www.example.com/sale/shoes"}]'
)

CAPTURED: tuple[tuple[str, str], ...] = (
    ("integrator", INTEGRATOR),
    ("upper-case-types", UPPER_CASE),
    ("iso-moments", ISO_MOMENTS),
    ("seconds", SECONDS),
    ("numeric-recipients", NUMERIC_RECIPIENTS),
    ("wrapped-events", WRAPPED),
    ("one-event", ONE_EVENT),
    ("nested-address", NESTED_ADDRESS),
    ("other-names", OTHER_NAMES),
    ("extra-field", EXTRA_FIELD),
    ("recipient-only", RECIPIENT_ONLY),
    ("recipient-number", RECIPIENT_NUMBER),
    ("recipient-and-mailing", RECIPIENT_AND_MAILING),
)
"""An id for each shape, and a body as captured."""

_USUAL = {
    "type": Role.TYPE,
    "recipientId": Role.RECIPIENT,
    "userListId": Role.RECIPIENT_LIST,
    "remoteAddress": Role.NETWORK_ADDRESS,
    "clientId": Role.CLIENT,
    "mailingId": Role.MAILING,
    "created": Role.MOMENT,
    "subscriptionId": Role.SUBSCRIPTION,
    "mailId": Role.MAIL,
    "device": Role.DEVICE,
    "operatingSystem": Role.OPERATING_SYSTEM,
    "browser": Role.BROWSER,
    "link": Role.LINK,
}


@dataclass(frozen=True)
class _Written:
    """What a person says of captured events."""

    event_type: EventType
    optional: tuple[str, ...]
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Roles of fields that are not called as ours are; fields that are not named play none."""
    body: Body = LIST
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values of fields that are null in the first event."""


_WRITTEN: Mapping[str, _Written] = {
    "integrator": _Written(EventType.CLICK, ("device",), {"mediaTypesToAddresses.EMAIL": Role.RECIPIENT_ADDRESS}),
    "upper-case-types": _Written(EventType.CLICK, ("device",)),
    "iso-moments": _Written(EventType.OPEN, ("browser",)),
    "seconds": _Written(EventType.OPEN, ("device",)),
    "numeric-recipients": _Written(EventType.OPEN, ("remoteAddress",)),
    "wrapped-events": _Written(EventType.CLICK, ("device",), body=Body('{"events": [', "]}")),
    "one-event": _Written(EventType.CLICK, ("device",), body=OBJECT, values={"device": "desktop"}),
    "nested-address": _Written(
        EventType.OPEN,
        ("client.browser",),
        {
            "campaign.id": Role.MAILING,
            "campaign.name": Role.TEXT,
            "recipient.address.email": Role.RECIPIENT_ADDRESS,
            "recipient.language": Role.ENUMERATION,
            "client.ip": Role.NETWORK_ADDRESS,
            "client.browser": Role.BROWSER,
        },
    ),
    "other-names": _Written(
        EventType.CLICK,
        ("agent",),
        {
            "kind": Role.TYPE,
            "contact": Role.RECIPIENT,
            "msg": Role.MAIL,
            "campaign": Role.MAILING,
            "occurred_ts": Role.MOMENT,
            "href": Role.LINK,
            "ip": Role.NETWORK_ADDRESS,
            "hw": Role.DEVICE,
            "os": Role.OPERATING_SYSTEM,
            "agent": Role.BROWSER,
        },
    ),
    "extra-field": _Written(EventType.OPEN, ("device",), {"tenant": Role.ENUMERATION}),
    "recipient-only": _Written(EventType.OPEN, ("device",), {"campaign": Role.TEXT}),
    "recipient-number": _Written(EventType.CLICK, ("browser",)),
    "recipient-and-mailing": _Written(EventType.CLICK, ("browser",)),
}


def captured_events(name: str) -> list[Event]:
    """The events of a captured body."""
    decoded = json.loads(dict(CAPTURED)[name])
    if isinstance(decoded, list):
        return decoded
    events: list[Event] = decoded.get("events", [decoded])
    return events


def written_shape(name: str) -> Shape:
    """The shape of captured events as a person would write it down."""
    written, examples = _WRITTEN[name], captured_events(name)
    fields = []
    for path, value in leaves(examples[0]):
        called = ".".join(path)
        fields.append(
            EventField(
                path=path,
                role=written.roles.get(called, _USUAL.get(called, Role.OTHER)),
                source="captured",
                reason="written by hand",
                example=written.values.get(called, value),
                optional=called in written.optional,
            )
        )
    return Shape(
        event_type=written.event_type,
        fields=tuple(fields),
        examples=tuple(examples),
        body=written.body,
        is_captured=True,
    )


SHAPES: Mapping[str, Shape] = {name: written_shape(name) for name, _ in CAPTURED}
"""The shape of each captured body."""


def another(shape: Shape, number: int, *, minutes: int | None = None) -> Event:
    """An event of another mail and recipient for each number, so many minutes after the first captured one."""
    event, random = shape.examples[0], Random(number)
    for one in shape.of(Role.MAIL, Role.RECIPIENT, Role.RECIPIENT_ADDRESS):
        event = shape.put_all(event, [(one, draw_like(one.example, random))])
    for one in shape.fields:
        if one.optional:
            event = shape.put_all(event, [(one, one.example)])
    return shape.later(event, 60_000 * (number if minutes is None else minutes))
