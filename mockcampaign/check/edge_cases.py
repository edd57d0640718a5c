"""Edge cases: events with one unusual field, with which most consumers were never tested."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mockcampaign import json_text
from mockcampaign.check.settings import Lengths
from mockcampaign.judging.fact import EdgeCaseField
from mockcampaign.policy import INT64_MAX
from mockcampaign.report.advice import INHERITED
from mockcampaign.shape.field import (
    ORIGIN,
    WHOLE_NUMBERS,
    Event,
    EventField,
    Role,
    with_value,
    without_value,
)
from mockcampaign.shape.shape import Shape

LENGTHS = Lengths()
"""Greatest lengths of texts, unless a variation assumes other ones."""


class EdgeCase(msgspec.Struct, frozen=True, kw_only=True):
    """One field that makes an event an edge case."""

    path: tuple[str, ...]
    value: Any = None
    absent: bool = False
    """Whether the field is left out."""
    role: Role = Role.OTHER
    guessed: bool = False
    """Whether nothing but our assumption says that such an event may occur: no captured event lacks the field."""
    usual: Any = None
    """The value that other benches send in place of this one's own variant, or None."""
    rank: int | None = None
    """Order of preference, the lowest first, where fields of one rank are enough; None where all are tried."""

    def applied(self, event: Event) -> Event:
        """Return the event with this edge case."""
        if self.absent:
            return without_value(event, self.path)
        return with_value(event, self.path, self.value)

    def is_like(self, other: EdgeCase) -> bool:
        """Return whether both are the same edge case, perhaps with another bench's value."""
        return (self.path, self.absent, self._general) == (other.path, other.absent, other._general)

    @property
    def _general(self) -> bytes:
        return json_text.encode(self.value if self.usual is None else self.usual)

    def seen(self) -> EdgeCaseField:
        """Return the field as part of a fact."""
        name = ".".join(self.path)
        if self.absent:
            return EdgeCaseField(name=name, absent=True)
        return EdgeCaseField(name=name, value=json_text.encode(self.value).decode())


EdgeCases = Callable[[Shape], list[EdgeCase]]
"""A kind of edge cases."""


def chosen(cases: Sequence[EdgeCase], compared: Collection[str]) -> list[EdgeCase]:
    """Return the edge cases without those for which others stand in: of ranks, the first with a compared field.

    What a consumer does not store shows nothing. If no rank has a compared field, the first one is as good as any.
    """
    ranked = [case for case in cases if case.rank is not None]
    best = min(ranked, key=lambda case: (case.path[0] not in compared, case.rank), default=None)
    return [case for case in cases if case.rank is None or (best is not None and case.rank == best.rank)]


def _of(fields: Iterable[EventField], values: Iterable[Any], rank: int | None = None) -> Iterator[EdgeCase]:
    values = tuple(values)
    for field in fields:
        for value in values:
            yield EdgeCase(path=field.path, role=field.role, value=value, rank=rank)


_OWN: Mapping[str, str] = {
    "0012345": "00{}",
    "00000000000000000001": "00000000000{}",
    "9007199254740993": "9007199{}",
    "12345678901234567890123": "12345678901234{}",
    "1e5": "{}e5",
    "KD-004711": "KD-00{}",
    "anna@example.com": "anna{}@example.com",
    "Anna.Meier+News@Example.COM": "Anna.Meier{}+News@Example.COM",
    "-17": "-{}",
    "1.0": "{}.0",
    "0x1F": "0x{}F",
    "anna@mañana.example": "anna{}@mañana.example",
    "山田@example.jp": "山田{}@example.jp",
    "O'Neil": "O'Neil{}",
    "a b": "a {}",
    "a" * 64 + "@" + "b" * 63 + ".example.com": "a" * 55 + "{}@" + "b" * 63 + ".example.com",
    "a\u0000b": "a\u0000{}",
    "a\nb": "a\n{}",
    "a\u2028b": "a\u2028{}",
    "\ufeffa": "\ufeff{}",
    "\u202eabc": "\u202e{}",
    "\u0007": "\u0007{}",
    f"a{json_text.LONE_SURROGATE}": f"{{}}{json_text.LONE_SURROGATE}",
    "yesterday": "yesterday{}",
}
"""Variants of texts by which an event may be recognised, which are the same edge case; `{}` stands for nine digits.

All others, such as `null` or `__proto__`, have no variants."""


def own_variant(case: EdgeCase, shape: Shape, number: int) -> EdgeCase | None:
    """Return the edge case as only one bench sends it, which has this number of nine digits; None if there is none.

    Where a shape has no id of the mail, events are recognised by the recipient, for example. If several rules or
    checks sent the same recipient, the events of one would be taken for duplicates of the other's.
    """
    keys = shape.key_fields
    if case.absent or case.value is None or not keys or case.path != keys[0].path:
        return case
    value: str | int | None
    if isinstance(case.value, int):
        # Odd numbers from 2^53 on are those that floats do not represent.
        value = None if case.value == 0 else case.value + 2 * (number if case.value < INT64_MAX else -number)
    else:
        own = _OWN.get(case.value)
        value = None if own is None else own.format(number)
    return None if value is None else msgspec.structs.replace(case, value=value, usual=case.value)


def _may_lack(shape: Shape) -> list[EventField]:
    """Return the fields that may be absent or null: captured events may not show it of fields about the device."""
    return [field for field in shape.fields if field.optional or (shape.is_captured and field.role in ORIGIN)]


def absent_fields(shape: Shape) -> list[EdgeCase]:
    """Return each optional field left out."""
    return [
        EdgeCase(path=field.path, role=field.role, absent=True, guessed=not field.optional)
        for field in _may_lack(shape)
    ]


def null_fields(shape: Shape) -> list[EdgeCase]:
    """Return each optional field set to null."""
    return [EdgeCase(path=field.path, role=field.role, guessed=not field.optional) for field in _may_lack(shape)]


def unknown_fields(shape: Shape) -> list[EdgeCase]:
    """Return unknown fields, one with each kind of JSON value."""
    values: tuple[Any, ...] = ("text", 1, 1.5, True, [], {}, [1, "two"], {"a": {"b": 1}})
    names = ("extra", "contentType", "größe")
    return [EdgeCase(path=(names[index % len(names)],), value=value) for index, value in enumerate(values)]


def unknown_type(shape: Shape) -> list[EdgeCase]:
    """Return an unknown event type."""
    return [
        EdgeCase(path=field.path, role=field.role, value=f"{field.example}2")
        for field in shape.of(Role.TYPE)
        if field.is_text
    ]


def unknown_values(shape: Shape) -> list[EdgeCase]:
    """Return unknown types, devices, operating systems, browsers and members of enumerations."""
    return [
        *unknown_type(shape),
        *_of(_texts_of(shape, Role.DEVICE), ("smarttv", "wearable", "unknown", "", "Desktop", INHERITED[0])),
        *_of(_texts_of(shape, Role.OPERATING_SYSTEM), ("Fuchsia 1", "unknown", "", INHERITED[1])),
        *_of(_texts_of(shape, Role.BROWSER), ("Ladybird 1.0", "unknown", "", INHERITED[0])),
        *_of(_texts_of(shape, Role.ENUMERATION), ("blockbounce",)),
    ]


def _texts_of(shape: Shape, *roles: Role) -> list[EventField]:
    return [field for field in shape.of(*roles) if field.is_text]


def large_ids(shape: Shape) -> list[EdgeCase]:
    """Return ids of every width up to 64 bits."""
    numbers = [field for field in shape.of(*WHOLE_NUMBERS) if field.is_whole_number]
    recipients = [field for field in shape.of(Role.RECIPIENT) if field.is_whole_number]
    beyond = (2**31, 2**32 + 1, 2**53 + 1, INT64_MAX)
    return [*_of(numbers, (0, *beyond)), *_of(recipients, beyond)]


def _names_of_recipients(shape: Shape) -> list[EventField]:
    """Return the recipient's id, unless the captured ones are e-mail addresses, which allow no other text."""
    return [field for field in _texts_of(shape, Role.RECIPIENT) if not shape.is_captured or "@" not in field.example]


def recipient_ids(shape: Shape) -> list[EdgeCase]:
    """Return the kinds of text with which recipient lists name their recipients."""
    addresses = ("anna@example.com", "Anna.Meier+News@Example.COM")
    values = (
        *("0012345", "00000000000000000001", "0", "9007199254740993", "12345678901234567890123", "1e5", "KD-004711"),
        *(*addresses, "null", "true", "false", "NaN", "-17", "1.0", "0x1F", *INHERITED),
    )
    plain = _names_of_recipients(shape)
    others = [field for field in _texts_of(shape, Role.RECIPIENT) if field not in plain]
    return [*_of(plain, values), *_of(others, addresses)]


def addresses(shape: Shape) -> list[EdgeCase]:
    """Return IPv6 addresses in all their forms, and the highest IPv4 address."""
    values = ("2001:db8::1", "::1", "2001:0db8:85a3:08d3:1319:8a2e:0370:7348", "::ffff:192.0.2.1", "255.255.255.255")
    return list(_of(_texts_of(shape, Role.NETWORK_ADDRESS), values))


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


_MIXED_CASE = "Anna.Meier+News@example.com"
"""An address whose local part may not be changed to another case (RFC 5321, 2.4)."""

_TEXT_ROLES = (Role.BROWSER, Role.OPERATING_SYSTEM, Role.TEXT)
"""Roles of free text."""

ANY_TEXT = (*_TEXT_ROLES, Role.DEVICE, Role.LINK)
"""Roles of text in which any characters may stand, in the order in which one of them is preferred."""


def texts(shape: Shape, longest: Lengths = LENGTHS) -> list[EdgeCase]:
    """Return texts that are long, in other scripts, or contain characters that are markup in some format."""
    long = ("x" * longest.names, "é" * min(longest.names, 100))
    links = ("https://www.example.com/".ljust(longest.links, "h"), *_LINKS)
    names = ("anna@mañana.example", "山田@example.jp", "O'Neil", "a b", "a" * 64 + "@" + "b" * 63 + ".example.com")
    return [
        *_of(_texts_of(shape, *_TEXT_ROLES), (*long, *_TEXTS), rank=0),
        *_of(_texts_of(shape, Role.DEVICE), (*long, *_TEXTS), rank=1),
        *_of(_names_of_recipients(shape), names),
        *_of(_texts_of(shape, Role.LINK), links),
        *_of((one for one in _texts_of(shape, Role.RECIPIENT_ADDRESS) if "@" in one.example), (_MIXED_CASE,)),
    ]


def control_characters(shape: Shape) -> list[EdgeCase]:
    """Return texts with characters that many stores cannot represent."""
    values = ("a\u0000b", "a\nb", "a\u2028b", "\ufeffa", "\u202eabc", "\u0007")
    return [*_of_any_text(shape, values), *_of(_names_of_recipients(shape), values)]


def cut_characters(shape: Shape) -> list[EdgeCase]:
    """Return texts that were cut off within a character, so that half of it is left over.

    Whoever limits texts cuts names off, and no ids. The recipient's id stands in where events have no other text.
    """
    values = (f"a{json_text.LONE_SURROGATE}",)
    return list(_of_any_text(shape, values)) or list(_of(_names_of_recipients(shape), values))


def _of_any_text(shape: Shape, values: Sequence[str]) -> Iterator[EdgeCase]:
    """Yield edge cases of each text in which they may stand, one of which is enough."""
    for rank, field in enumerate(any_texts(shape)):
        yield from _of([field], [text_in(field, value) for value in values], rank)


def any_texts(shape: Shape) -> list[EventField]:
    """Return the fields of text in which any characters may stand, the preferred ones first."""
    return [field for role in ANY_TEXT for field in _texts_of(shape, role)]


def text_in(field: EventField, text: str) -> str:
    """Return the text as it may stand in one of these fields: what is no link is no value of a link."""
    return f"https://www.example.com/{text}" if field.role is Role.LINK else text


def unstorable(shape: Shape) -> list[EdgeCase]:
    """Return what few databases can store: nothing in place of a key or a time, or a word in place of a number.

    Campaign sends nothing of that, and a consumer may reject it, but has to respond.
    """
    needed = [*shape.of(Role.MOMENT), *shape.key_fields[:1]]
    numbers = [*shape.of(Role.MOMENT), *(field for field in shape.of(*WHOLE_NUMBERS) if field.is_whole_number)]
    return [
        *_of(needed, (None,)),
        *(EdgeCase(path=field.path, role=field.role, absent=True) for field in needed),
        *_of(numbers[:2], ("yesterday",)),
    ]


ALL: tuple[EdgeCases, ...] = (
    absent_fields,
    null_fields,
    unknown_fields,
    unknown_values,
    large_ids,
    recipient_ids,
    addresses,
    texts,
)
"""All kinds but control characters, which hardly any store can hold."""
