"""The shape of one type of events, which everything that makes, varies, compares or judges events asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice

import msgspec

from mockcampaign import json_text
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.shape.field import ONCE, ORIGIN, Event, EventField, Role, Value, value_at, with_value, without_value
from mockcampaign.shape.moment import read_moment, resolution, write_moment

BATCH_EVENTS_MAX = 100
"""Maximum number of events in a batch. Documented."""


class Body(msgspec.Struct, frozen=True):
    """How the body of a request contains its events: a JSON list, unless captured events show something else."""

    prefix: str = "["
    """Text before the first event."""
    suffix: str = "]"
    """Text after the last event."""
    events_max: int = BATCH_EVENTS_MAX
    """Maximum number of events in a body: 1 if there is no list."""
    is_certain: bool = True
    """Whether the consumer need not be asked: a captured object may be a body, or an event of a list."""

    @property
    def has_list(self) -> bool:
        """Whether a body contains a list of events."""
        return self.events_max > 1

    def of(self, events: Iterable[Value]) -> bytes:
        """Return the body of a request with these events, or with whatever else is to stand in their place.

        Where a body has no list, it is that of the first of them.
        """
        return self.join([json_text.encode(event) for event in islice(events, self.events_max)])

    def join(self, encoded: Sequence[bytes]) -> bytes:
        """Return the body of a request with these encoded events."""
        return self.prefix.encode() + b",".join(encoded) + self.suffix.encode()


LIST = Body()
"""A JSON list of events (vendor's webhook guide)."""

OBJECT = Body("", "", 1)
"""One event, as a JSON object."""

UNCERTAIN = msgspec.structs.replace(LIST, is_certain=False)
"""A list, until a consumer rejects it and accepts a single object."""


def common_body(shapes: Mapping[EventType, Shape]) -> Body | None:
    """Return the body of requests with captured events of several types, or None if none are captured.

    A body that is not certain counts as a list. Raises `InvalidInputError` if the bodies differ.
    """
    captured = {kind: shape for kind, shape in shapes.items() if shape.is_captured}
    bodies = {kind: msgspec.structs.replace(shape.body, is_certain=True) for kind, shape in captured.items()}
    if not bodies:
        return None
    (first, body), *others = bodies.items()
    for kind, other in others:
        if other != body:
            raise InvalidInputError(f"shapes: {first} and {kind} events have different bodies, allowed: one for all")
    return body


def by_type(shapes: Iterable[Shape]) -> dict[EventType, Shape]:
    """Return the shapes of one sender by their types. Raises `InvalidInputError` for two of a type."""
    found: dict[EventType, Shape] = {}
    for shape in shapes:
        if shape.event_type in found:
            raise InvalidInputError(f"{shape.event_type} events have a shape already, allowed: one")
        found[shape.event_type] = shape
    common_body(found)
    return found


class Shape(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The fields of events of one type, in the order in which they are sent, and what each of them says."""

    event_type: EventType
    fields: tuple[EventField, ...]
    examples: tuple[Event, ...]
    """Events of this shape: captured ones, or the built-in example."""
    body: Body = LIST
    is_captured: bool = False
    """Whether the shape is from captured events and not from ours."""
    replaced: tuple[str, ...] = ()
    """Names of the fields whose captured values pseudonyms replace."""

    def __post_init__(self) -> None:
        """Complain of a role that several fields play, if one field should."""
        played = [
            field.role for field in self.fields if field.role in ONCE and field.role is not Role.RECIPIENT_ADDRESS
        ]
        twice = next((role for role in played if played.count(role) > 1), None)
        if twice is not None:
            names = ", ".join(field.name for field in self.fields if field.role is twice)
            raise ValueError(f"role {twice}: {names}, allowed: one field")

    def as_type(self, event_type: EventType) -> Shape | None:
        """Return what events of another type would look like, judging by these; None if their type is spelled oddly.

        They have the same fields, but for links, which only clicks have. It is a guess: nothing is judged by it unless
        a consumer accepts an ordinary event of that shape.
        """
        field = self.field(Role.TYPE)
        own = self.event_type.value
        if field is None or not isinstance(field.example, str) or own not in field.example.lower():
            return None
        at = field.example.lower().index(own)
        spelled = field.example[at : at + len(own)]
        word = event_type.value.upper() if spelled.isupper() else event_type.value
        word = word.capitalize() if spelled.istitle() else word
        renamed = msgspec.structs.replace(
            field, example=f"{field.example[:at]}{word}{field.example[at + len(own) :]}", values=()
        )
        dropped = () if event_type is EventType.CLICK else (Role.LINK, Role.LINK_ID)
        return msgspec.structs.replace(
            self,
            event_type=event_type,
            fields=tuple(renamed if one is field else one for one in self.fields if one.role not in dropped),
            examples=tuple(
                self.drop(with_value(example, field.path, renamed.example), *dropped) for example in self.examples
            ),
        )

    # Fields

    @cached_property
    def _by_role(self) -> dict[Role, EventField]:
        return {field.role: field for field in reversed(self.fields)}

    def field(self, role: Role) -> EventField | None:
        """Return the first field that plays the role, or None."""
        return self._by_role.get(role)

    def has(self, *roles: Role) -> bool:
        """Return whether there is a field for each of the roles."""
        return all(role in self._by_role for role in roles)

    def of(self, *roles: Role) -> tuple[EventField, ...]:
        """Return the fields that play one of the roles, in their order."""
        return tuple(field for field in self.fields if field.role in roles)

    def name(self, role: Role) -> str:
        """Return the name of the field with this role, or the role's own name if there is none."""
        field = self.field(role)
        return str(role) if field is None else field.name

    @cached_property
    def top_names(self) -> tuple[str, ...]:
        """The names of the outermost fields."""
        return tuple(dict.fromkeys(field.path[0] for field in self.fields))

    @cached_property
    def has_origin(self) -> bool:
        """Whether two events of one mail can differ in device or address."""
        return any(field.role in ORIGIN for field in self.fields)

    # Values

    def get(self, event: Event, role: Role) -> Value:
        """Return the value that plays the role in the event, or None."""
        field = self._by_role.get(role)
        return None if field is None else value_at(event, field.path)

    def put(self, event: Event, role: Role, value: Value) -> Event:
        """Return the event with another value in a role; unchanged if no field plays it."""
        field = self._by_role.get(role)
        return event if field is None else with_value(event, field.path, value)

    def put_all(self, event: Event, values: Iterable[tuple[EventField, Value]]) -> Event:
        """Return the event with these values in these fields."""
        for field, value in values:
            event = with_value(event, field.path, value)
        return event

    def drop(self, event: Event, *roles: Role) -> Event:
        """Return the event without the fields of these roles."""
        for field in self.of(*roles):
            event = without_value(event, field.path)
        return event

    # Time

    def moment(self, event: Event) -> int | None:
        """Return the time of the event in milliseconds since 1970, or None."""
        return read_moment(self.get(event, Role.MOMENT))

    def at(self, event: Event, moment: int) -> Event:
        """Return the event at another time, in milliseconds since 1970."""
        field = self.field(Role.MOMENT)
        return event if field is None else with_value(event, field.path, write_moment(field.example, moment))

    def later(self, event: Event, milliseconds: int) -> Event:
        """Return an event that occurs later than this one and is equal in all other fields."""
        moment = self.moment(event)
        return event if moment is None else self.at(event, moment + milliseconds)

    @cached_property
    def resolution(self) -> int:
        """Milliseconds between two times that events just distinguish."""
        field = self.field(Role.MOMENT)
        return 1 if field is None else resolution(field.example)

    # Identity

    @cached_property
    def key_fields(self) -> tuple[EventField, ...]:
        """The fields by which events of one mail are recognised: its id, or whatever else identifies it."""
        if self.has(Role.MAIL):
            return self.of(Role.MAIL)
        for role in (Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.SUBSCRIPTION, Role.ID):
            if self.has(role):
                return (self.of(role)[0], *self.of(Role.MAILING))
        return ()

    @cached_property
    def only_key(self) -> str | None:
        """The name of the key's field if it is one, outermost field: by far the most usual case."""
        paths = [field.path for field in self.key_fields]
        return paths[0][0] if len(paths) == 1 and len(paths[0]) == 1 else None

    def key(self, event: object) -> tuple[str | int, ...] | None:
        """Return what identifies the mail of an event, or None if anything of it is missing."""
        if not isinstance(event, dict):
            return None
        # Stores are read hundreds of times, and every event in them is asked for its key.
        if (name := self.only_key) is not None:
            value = event.get(name)
            return (value,) if isinstance(value, str | int) else None
        found = tuple(value_at(event, field.path) for field in self.key_fields)
        return found if found and all(isinstance(one, str | int) for one in found) else None

    def is_own_type(self, event: Event) -> bool:
        """Return whether an event says that it is of this shape's type, or says nothing."""
        field = self.field(Role.TYPE)
        return field is None or value_at(event, field.path) == field.example


def whole(shape: Shape, event: Event) -> Event:
    """Return the event with the fields that other captured events have besides: what may be absent is an edge case."""
    for field in shape.fields:
        if value_at(event, field.path) is None and field.example is not None:
            event = with_value(event, field.path, field.example)
    return event
