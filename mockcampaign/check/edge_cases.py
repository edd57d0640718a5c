"""Edge cases: events with one unusual field, with which most consumers were never tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from mockcampaign.check.settings import Lengths
from mockcampaign.events.fields import FIELDS, TYPES
from mockcampaign.judging.fact import EdgeCaseField
from mockcampaign.model import EventType
from mockcampaign.policy import INT64_MAX

Event = dict[str, Any]

LENGTHS = Lengths()
"""Greatest lengths of texts, unless a variation assumes other ones."""


class EdgeCase(msgspec.Struct, frozen=True, kw_only=True):
    """One field that makes an event an edge case."""

    field: str
    value: Any = None
    absent: bool = False
    """Whether the field is left out."""

    def applied(self, event: Event) -> Event:
        """Return the event with this edge case."""
        if self.absent:
            return {name: value for name, value in event.items() if name != self.field}
        return {**event, self.field: self.value}

    def seen(self) -> EdgeCaseField:
        """Return the field as part of a fact."""
        if self.absent:
            return EdgeCaseField(name=self.field, absent=True)
        return EdgeCaseField(name=self.field, value=msgspec.json.encode(self.value).decode())


def _of(kind: EventType, names: tuple[str, ...], values: tuple[Any, ...]) -> Iterator[EdgeCase]:
    for name in names:
        if name in TYPES[kind]:
            for value in values:
                yield EdgeCase(field=name, value=value)


def absent_fields(kind: EventType) -> list[EdgeCase]:
    """Return each optional field left out."""
    return [EdgeCase(field=name, absent=True) for name in TYPES[kind] if FIELDS[name].optional]


def null_fields(kind: EventType) -> list[EdgeCase]:
    """Return each optional field set to null."""
    return [EdgeCase(field=name) for name in TYPES[kind] if FIELDS[name].optional]


def unknown_fields(kind: EventType) -> list[EdgeCase]:
    """Return unknown fields, one with each kind of JSON value."""
    values: tuple[Any, ...] = ("text", 1, 1.5, True, [], {}, [1, "two"], {"a": {"b": 1}})
    names = ("extra", "contentType", "größe")
    return [EdgeCase(field=names[index % len(names)], value=value) for index, value in enumerate(values)]


def unknown_type(kind: EventType) -> EdgeCase:
    """Return an unknown event type."""
    return EdgeCase(field="type", value=f"{kind.value}2")


def unknown_values(kind: EventType) -> list[EdgeCase]:
    """Return unknown types, devices, operating systems and browsers."""
    return [
        unknown_type(kind),
        *_of(kind, ("device",), ("smarttv", "wearable", "unknown", "", "Desktop")),
        *_of(kind, ("operatingSystem",), ("Fuchsia 1", "unknown", "")),
        *_of(kind, ("browser",), ("Ladybird 1.0", "unknown", "")),
        *_of(kind, ("bounceType",), ("blockbounce",)),
    ]


def large_ids(kind: EventType) -> list[EdgeCase]:
    """Return ids of every width up to 64 bits."""
    names = ("userListId", "clientId", "mailingId", "subscriptionId", "linkId")
    return list(_of(kind, names, (0, 2**31, 2**32 + 1, 2**53 + 1, INT64_MAX)))


def recipient_ids(kind: EventType) -> list[EdgeCase]:
    """Return the kinds of text with which recipient lists name their recipients."""
    values = (
        *("0012345", "00000000000000000001", "0", "9007199254740993", "12345678901234567890123", "1e5", "KD-004711"),
        *("anna@example.com", "Anna.Meier+News@Example.COM", "null", "true", "-17", "1.0", "0x1F"),
    )
    return list(_of(kind, ("recipientId",), values))


def addresses(kind: EventType) -> list[EdgeCase]:
    """Return IPv6 addresses in all their forms, and the highest IPv4 address."""
    values = ("2001:db8::1", "::1", "2001:0db8:85a3:08d3:1319:8a2e:0370:7348", "::ffff:192.0.2.1", "255.255.255.255")
    return list(_of(kind, ("remoteAddress",), values))


_TEXTS = (
    *("Ω≈ç√", "Яндекс Браузер 23.1", "微信浏览器", "متصفح سامسونج", "cafe\u0301", "Ⅷ ﬁ"),
    *("\U0001f4f1 phone", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "a & b <c>", '"quoted" \\ back'),
    *("'; DROP TABLE x; --", " both ", "two  spaces", "%s %d {0} ${x}", "a;b,c\td", "null"),
)


_LINKS = (
    "https://www.example.com/a%20b?next=%2Fhome%3Fx%3D1&utm_source=mail+shot&q=#top",
    "HTTPS://WWW.Example.COM:443/Offers/./Shoes/?b=2&a=1&a=",
    "https://www.example.com/größe?q=<1>&amp;x=2",
)


def texts(kind: EventType, longest: Lengths = LENGTHS) -> list[EdgeCase]:
    """Return texts that are long, in other scripts, or contain characters that are markup in some format."""
    long = ("x" * longest.names, "é" * min(longest.names, 100))
    links = ("https://www.example.com/".ljust(longest.links, "h"), *_LINKS)
    addresses = ("anna@mañana.example", "山田@example.jp", "O'Neil", "a b", "a" * 64 + "@" + "b" * 63 + ".example.com")
    return [
        *_of(kind, ("browser", "operatingSystem"), (*long, *_TEXTS)),
        *_of(kind, ("recipientId",), addresses),
        *_of(kind, ("linkUrl",), links),
    ]


def control_characters(kind: EventType) -> list[EdgeCase]:
    """Return texts with characters that many stores cannot represent."""
    values = ("a\u0000b", "a\nb", "a\u2028b", "\ufeffa", "\u202eabc", "\u0007")
    return list(_of(kind, ("browser",) if kind in _TRACED else ("recipientId",), values))


_TRACED = frozenset(kind for kind, names in TYPES.items() if "browser" in names)
