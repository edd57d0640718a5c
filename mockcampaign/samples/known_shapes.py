"""The shapes by which a sample consumer reads events, so that neither it nor a bug names a field.

With the built-in shapes, a consumer accepts any object as an event. With a captured shape it is as strict as an
application with a schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import msgspec

from mockcampaign import json_text
from mockcampaign.model import EventType
from mockcampaign.policy import SECOND
from mockcampaign.shape.builtin import ALTERNATIVES, builtin_shape
from mockcampaign.shape.field import Event, EventField, Role, Value, value_at
from mockcampaign.shape.moment import Moment, describe_format, is_date, read_moment, write_moment
from mockcampaign.shape.shape import LIST, Body, Shape

Path = tuple[str, ...]


class Alternative(NamedTuple):
    """Another shape of the same type."""

    names: frozenset[str]
    """Outermost fields that only this shape has."""
    shape: Shape


class KnownShapes:
    """Finds the shape of an event by its type, and reads the event by it."""

    def __init__(self, captured: Shape | None = None) -> None:
        """Know the built-in shapes, or a captured one and no other."""
        self.captured = captured
        self.body: Body = LIST if captured is None else captured.body
        self._place = _place_of_events(self.body)
        # The last event can be truncated behind each of its nested objects; the end before is that of a whole event,
        # or of the envelope.
        self._ends_max = 2 + max(map(_nested_objects, _builtin_variants() if captured is None else (captured,)))

    def of(self, event: Event) -> Shape:
        """Return the shape of an event. One of unknown type has the shape of an open."""
        return _builtin(event) if self.captured is None else self.captured

    def get(self, event: Event, role: Role) -> Value:
        """Return the value that plays the role in the event, or None."""
        return self.of(event).get(event, role)

    # Bodies

    @property
    def body_description(self) -> str:
        """The body that the consumer expects, as a rejection says it."""
        if not self.body.has_list:
            return "one event as JSON"
        inner = ".".join(map(str, self._place))
        return f"a JSON list of events in {inner}" if inner else "a JSON list of events"

    def decode(self, body: bytes) -> list[Event]:
        """Return the events in a body.

        Raises ValueError, `msgspec.MsgspecError` or RecursionError if the body does not contain events as it should.
        """
        return self.events_in(json_text.decode(body))

    def events_in(self, decoded: Value) -> list[Event]:
        """Return the events in a decoded body. Raises ValueError if there is anything but events."""
        found = self.elements_of(decoded)
        if not all(isinstance(event, dict) for event in found):
            raise ValueError("not an event")
        return found

    def elements_of(self, decoded: Value) -> list[Value]:
        """Return whatever is in a decoded body in place of events. Raises ValueError if there is no place for them."""
        for name in self._place:
            try:
                decoded = decoded[name]
            except (LookupError, TypeError):
                raise ValueError("another envelope") from None
        if not self.body.has_list:
            return [decoded]
        if not isinstance(decoded, list):
            raise ValueError("not a list")
        return decoded

    def whole_events(self, truncated: bytes) -> list[Event]:
        """Return the complete events at the beginning of a truncated body."""
        whole = truncated
        for _ in range(self._ends_max):
            whole, brace, _ = whole.rpartition(b"}")
            try:
                return self.decode(whole + brace + self.body.suffix.encode())
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass
        return []

    # What an event has to be

    def misfit(self, event: Event) -> str | None:
        """Return which field of the event the captured shape does not allow, or None. Built-in shapes allow all."""
        if self.captured is None:
            return None
        found = ((field.name, _misfit(field, value_at(event, field.path))) for field in self.captured.fields)
        return next((f"{name}: {wrong}" for name, wrong in found if wrong is not None), None)

    # Values

    def names(self) -> frozenset[str]:
        """Return the names of all outermost fields that events can have."""
        return _builtin_names() if self.captured is None else frozenset(self.captured.top_names)

    def values(self, event: Event) -> Iterator[tuple[Path, Value]]:
        """Yield each field of the event and its value, as deep as the shape nests fields."""
        return _values(event, self._depth(event))

    def texts(self, event: Event) -> Iterator[str]:
        """Yield each text in the event."""
        return (value for _, value in self.values(event) if isinstance(value, str))

    def with_texts(self, event: Event, change: Callable[[str], str]) -> Event:
        """Return the event with all text changed in that way."""
        changed: Event = _with_texts(event, change, self._depth(event))
        return changed

    def _depth(self, event: Event) -> int:
        return max((len(field.path) for field in self.of(event).fields), default=1)

    # Type, mail and recipient

    def event_type(self, event: Event) -> EventType | None:
        """Return the type of the event, or None if the consumer does not know it."""
        shape = self.of(event)
        if self.captured is not None and shape.is_own_type(event):
            return shape.event_type
        word = shape.get(event, Role.TYPE)
        spelled = word.lower() if self.captured is not None and isinstance(word, str) else word
        return next((kind for kind in EventType if kind.value == spelled), None)

    def mail(self, event: Event) -> str:
        """Return what identifies the mail of the event: its id, or the values that do, with a space between."""
        return " ".join(str(value_at(event, field.path)) for field in self.of(event).key_fields)

    def recipient(self, event: Event) -> Value:
        """Return what identifies the recipient: the id in the list or, in a shape without it, the next best value."""
        shape = self.of(event)
        role = next((role for role in _OF_RECIPIENT if shape.has(role)), Role.RECIPIENT)
        return shape.get(event, role)

    # Time

    def moment(self, event: Event) -> int | None:
        """Return the time of the event in milliseconds since 1970, or None if there is none in the shape's format."""
        shape = self.of(event)
        field = shape.field(Role.MOMENT)
        if field is None:
            return None
        value = value_at(event, field.path)
        if not _has_kind(value, field.example):
            return None
        # A number of milliseconds is one however small it is, although it might also be one of seconds.
        return value if isinstance(value, int) and write_moment(field.example, 1) == 1 else read_moment(value)

    def time(self, event: Event) -> int:
        """Return the time of the event in milliseconds since 1970, or 0 if it has none."""
        return self.moment(event) or 0

    def parsed_time(self, event: Event) -> datetime | None:
        """Return the time of the event, or None if events of this shape have none.

        Raises TypeError if this event has none, and ValueError or OverflowError if it is in no year of the calendar.
        """
        if not self.of(event).has(Role.MOMENT):
            return None
        moment = self.moment(event)
        if moment is None:
            raise TypeError("no time")
        return datetime.fromtimestamp(moment / SECOND, UTC)

    # A field that is often there

    def expected_field(self, event: Event) -> EventField | None:
        """Return the field that careless developers expect in every event: the device, or another optional one."""
        shape = self.of(event)
        device = shape.field(Role.DEVICE)
        if device is not None and device.optional:
            return device
        return next((field for field in shape.fields if field.optional), None)

    def lacks_expected(self, event: Event) -> bool:
        """Return whether the event has nothing, or null, in the field that careless developers expect."""
        field = self.expected_field(event)
        return field is not None and value_at(event, field.path) is None


def is_present(event: Event, path: Path) -> bool:
    """Return whether the event has a field at a path, if only with null."""
    *outer, name = path
    holder = value_at(event, tuple(outer))
    return isinstance(holder, dict) and name in holder


_OF_RECIPIENT = (Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.SUBSCRIPTION)

_ANYWHERE = "mockcampaign"
"""Any event, for whose place in a body we look."""


def _place_of_events(body: Body) -> tuple[str | int, ...]:
    """Return the names on the way to the list of events in a body, or to the event if there is no list."""
    place = _place_of(_ANYWHERE, msgspec.json.decode(body.of([_ANYWHERE])))
    assert place is not None
    return place[:-1] if body.has_list else place


def _place_of(wanted: str, decoded: Value) -> tuple[str | int, ...] | None:
    if decoded == wanted:
        return ()
    inner = decoded.items() if isinstance(decoded, dict) else enumerate(decoded) if isinstance(decoded, list) else ()
    for name, value in inner:
        place = _place_of(wanted, value)
        if place is not None:
            return (name, *place)
    return None


@cache
def _builtin_shapes() -> dict[str, tuple[Shape, tuple[Alternative, ...]]]:
    """Return the shape of each type, and others that events of this type may have."""
    found: dict[str, tuple[Shape, tuple[Alternative, ...]]] = {}
    for kind in EventType:
        usual = builtin_shape(kind)
        others = (builtin_shape(kind, alternative) for alternative in ALTERNATIVES)
        found[kind.value] = (
            usual,
            tuple(Alternative(frozenset(other.top_names) - frozenset(usual.top_names), other) for other in others),
        )
    return found


@cache
def _builtin_variants() -> tuple[Shape, ...]:
    """Return all shapes of all types."""
    return tuple(
        shape for usual, others in _builtin_shapes().values() for shape in (usual, *(other.shape for other in others))
    )


@cache
def _builtin_names() -> frozenset[str]:
    return frozenset(name for shape in _builtin_variants() for name in shape.top_names)


def _nested_objects(shape: Shape) -> int:
    return len({field.path[:depth] for field in shape.fields for depth in range(1, len(field.path))})


def _builtin(event: Event) -> Shape:
    """Return the built-in shape of an event, by its type and the fields that only one of the shapes has."""
    default = builtin_shape(EventType.OPEN)
    word = default.get(event, Role.TYPE)
    usual, others = _builtin_shapes()[word if isinstance(word, str) and word in _builtin_shapes() else EventType.OPEN]
    # Without type check: `stores-any-json` stores what is not an event.
    if not isinstance(event, dict):
        return usual
    for other in others:
        if not other.names.isdisjoint(event):
            return other.shape
    return usual


def _values(value: Event, depth: int, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    for name, inner in value.items():
        if depth > 1 and isinstance(inner, dict) and inner:
            yield from _values(inner, depth - 1, (*path, name))
        else:
            yield (*path, name), inner


def _with_texts(value: Value, change: Callable[[str], str], depth: int) -> Value:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict) and depth:
        return {name: _with_texts(inner, change, depth - 1) for name, inner in value.items()}
    return value


def _misfit(field: EventField, value: Value) -> str | None:
    """Return how a value of an event differs from the field's example in kind or format, or None."""
    example = field.example
    if value is None:
        return None if field.optional or example is None else "missing"
    if example is not None and not _has_kind(value, example):
        return f"not {_KINDS[_kind(example)]}"
    if field.role in (Role.MOMENT, Role.OTHER_MOMENT) and not _has_format(value, example):
        return f"not a {describe_format(example)}"
    return None


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}


def _kind(value: Value) -> type:
    return type(value)


def _has_kind(value: Value, example: Value) -> bool:
    return _kind(value) is _kind(example) or (isinstance(example, float) and _kind(value) is int)


def _has_format(moment: Moment, example: Moment) -> bool:
    if read_moment(example) is None:
        return True  # The example has no format.
    if read_moment(moment) is None or describe_format(moment) != describe_format(example):
        return False
    return not is_date(example) or _without_digits(str(moment)) == _without_digits(str(example))


def _without_digits(date: str) -> str:
    """Return the format of a date: its separators and how many digits are between them, whichever its zone is."""
    return re.sub(r"\d", "0", date).replace("+", "-")
