"""Events that are nearly equal: another value in one field, or in all that another device or link changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random

import msgspec

from mockcampaign.shape.field import ORIGIN, TRAITS, Event, EventField, Role, Value, value_at, with_value
from mockcampaign.shape.likeness import address_version, draw_like
from mockcampaign.shape.shape import Shape

_OTHER_CLIENTS = (("mobile", "Android 14", "Samsung Internet 23.0"), ("tablet", "Haiku R1", "NetSurf 3.11"))
"""Two clients, each with values for `TRAITS`."""

_OTHER_ADDRESSES = (("203.0.113.77", "2001:db8::77"), ("203.0.113.99", "2001:db8::99"))
"""Two addresses of both versions that belong to nobody (RFC 5737, RFC 3849)."""

LATER = 48_000
"""Milliseconds between two events of one mail that differ in nothing but their time."""


def on_another_device(shape: Shape, event: Event) -> Event:
    """Return the event as it would occur at the same moment on another device."""
    return shape.put_all(event, [(field, _other_origin(field, 0)) for field in shape.of(*ORIGIN)])


def other_link(shape: Shape, event: Event) -> Event:
    """Return a click on another link of the same mail at the same moment.

    The link is no longer than an ordinary one: other rules examine which lengths a consumer accepts.
    """
    fields = shape.of(Role.LINK, Role.LINK_ID)
    return shape.put_all(event, [(field, _other_link(field, value_at(event, field.path), "other")) for field in fields])


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which two events differ in one field, in part of one, or in where it ends."""

    field: str
    """Name of the field."""
    part: str = ""
    """The part in which they differ; empty for the whole value."""
    values: Mapping[Role, Value] = {}
    """Values that both events have."""
    changed: Callable[[Event], Event]
    """Returns the second event for the first one."""

    @property
    def name(self) -> str:
        """The field's name, and the part after a dot."""
        return f"{self.field}.{self.part}" if self.part else self.field


def neighbours(shape: Shape, random: Random) -> list[Neighbour]:
    """Return a way to differ for each field that may differ between two events, as far as that is known of it."""
    found = []
    for field in shape.fields:
        if field.role in (Role.MOMENT, Role.TYPE, Role.CLIENT) or field in shape.key_fields:
            continue
        if _can_differ(field):
            found.append(Neighbour(field=field.name, changed=_changing(field, random)))
    for field in shape.of(Role.MOMENT):
        for part, later in (("", max(LATER, shape.resolution)), ("milliseconds", 1)):
            if not part or shape.resolution == later:
                found.append(Neighbour(field=field.name, part=part, changed=_later(shape, later)))
    number = random.randrange(10**8)
    for role, part, value, other in _almost_equal(number):
        for field in shape.of(role):
            if field.is_text and (role is Role.BROWSER or "@" not in field.example or not shape.is_captured):
                changed = _setting(field, other)
                found.append(Neighbour(field=field.name, part=part, values={role: value}, changed=changed))
    return [*found, *_of_two_fields(shape, number)]


def _almost_equal(number: int) -> list[tuple[Role, str, str, str]]:
    """Return pairs of texts that differ in a part that many a comparison ignores, with its name and their role.

    Databases do, by the collation of a column, and so do languages that compare numeric texts as numbers.
    """
    return [
        (Role.RECIPIENT, "case", f"kd-{number}", f"KD-{number}"),
        (Role.BROWSER, "case", "lynx 2.8", "LYNX 2.8"),
        (Role.RECIPIENT, "spaces", f"ks-{number}", f"ks-{number} "),
        (Role.RECIPIENT, "zeros", f"1{number}", f"01{number}"),
        (Role.RECIPIENT, "width", f"kw-{number}", f"\uff4b\uff57-{number}"),
    ]


def _of_two_fields(shape: Shape, number: int) -> list[Neighbour]:
    """Return a way to differ for each two successive fields that a key may join without a separator.

    A key joins them in the order of the event, or sorted by name. Another one exchanges the values of two texts, for
    keys that add up fields.
    """
    found = []
    in_order = [*pairwise(shape.fields)]
    by_name = [*pairwise(sorted(shape.fields, key=lambda field: field.name))]
    for left, right in [*in_order, *(pair for pair in by_name if pair not in in_order)]:
        if _is_joined(left, shape) and _is_joined(right, shape):
            beginning = f"{_beginning(left)}{number}1"
            values = {left.role: int(beginning) if left.is_whole_number else beginning}
            found.append(Neighbour(field=left.name, part="end", values=values, changed=_moving(left, right)))
    texts = [field for field in shape.of(*TRAITS) if field.is_text]
    for left, right in pairwise(texts[-2:]):
        found.append(Neighbour(field=left.name, part="place", changed=_exchanging(left, right)))
    return found


def _is_joined(field: EventField, shape: Shape) -> bool:
    return (
        field.role in (Role.RECIPIENT, Role.MAILING, Role.RECIPIENT_LIST, Role.SUBSCRIPTION, Role.LINK_ID, *TRAITS)
        and field not in shape.key_fields
        and (field.is_text or field.is_whole_number)
        and not (field.role is Role.RECIPIENT and shape.is_captured and "@" in str(field.example))
    )


def _beginning(field: EventField) -> str:
    return "" if field.is_whole_number else "kd-" if field.role is Role.RECIPIENT else f"{field.example} "


def _moving(left: EventField, right: EventField) -> Callable[[Event], Event]:
    """Return how to move the last character of one field to the beginning of the next one."""

    def moved(event: Event) -> Event:
        text = str(value_at(event, left.path))
        joined = f"{text[-1]}{value_at(event, right.path)}"
        event = with_value(event, left.path, int(text[:-1]) if left.is_whole_number else text[:-1])
        return with_value(event, right.path, int(joined) if right.is_whole_number else joined)

    return moved


def _exchanging(left: EventField, right: EventField) -> Callable[[Event], Event]:
    def exchanged(event: Event) -> Event:
        values = value_at(event, left.path), value_at(event, right.path)
        return with_value(with_value(event, left.path, values[1]), right.path, values[0])

    return exchanged


def _can_differ(field: EventField) -> bool:
    if field.role is Role.ENUMERATION:
        return len({*field.values, field.example}) > 1
    return field.role not in (Role.OTHER, Role.OTHER_MOMENT) and (field.is_text or field.is_whole_number)


def _later(shape: Shape, milliseconds: int) -> Callable[[Event], Event]:
    return lambda event: shape.later(event, milliseconds)


def _setting(field: EventField, value: Value) -> Callable[[Event], Event]:
    return lambda event: with_value(event, field.path, value)


def _changing(field: EventField, random: Random) -> Callable[[Event], Event]:
    return lambda event: with_value(event, field.path, _other(field, value_at(event, field.path), random))


def _other(field: EventField, value: Value, random: Random) -> Value:
    """Return another value of a field, of the kind that it may have."""
    if field.role in ORIGIN:
        return _other_origin(field, 1)
    if field.role in (Role.LINK, Role.LINK_ID):
        return _other_link(field, value, "another")
    if field.role is Role.ENUMERATION:
        return next(one for one in (*field.values, field.example) if one != value)
    if field.role is Role.TEXT:
        return f"{value} II"
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return "another" if field.is_text else 1
    drawn = value
    while drawn == value:
        drawn = draw_like(value, random)
    return drawn


def _other_origin(field: EventField, which: int) -> Value:
    if not field.is_text:
        return field.example
    if field.role is Role.NETWORK_ADDRESS:
        return _OTHER_ADDRESSES[which][address_version(field.example) == 6]
    return _OTHER_CLIENTS[which][TRAITS.index(field.role)]


def _other_link(field: EventField, value: Value, word: str) -> Value:
    if isinstance(value, int) and not isinstance(value, bool):
        return value + 1
    if not isinstance(value, str):
        return value
    scheme, separator, rest = value.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{word}" if separator else f"{value}-{word}"
