"""Inferring the shape of captured events: which field plays which role, and why.

Each field has clues (`clues`). A role that one field plays goes to the field with the surest clue, the first of several
with equal ones. The others play a similar role: ids are other ids, times are other times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.shape.clues import Clue, FieldClues, Path, clues_about, fits
from mockcampaign.shape.field import ONCE, TRAITS, Event, EventField, Role, Value, leaves, value_at
from mockcampaign.shape.shape import LIST, Body, Shape
from mockcampaign.shape.vocabulary import event_type_of
from mockcampaign.text import short

VALUES_MAX = 50
"""Maximum number of captured values that a field of a shape lists. Our choice."""

DEPTH_MAX = 50
"""Maximum nesting of a captured event. Our choice."""

FIELDS_MAX = 1_000
"""Maximum number of fields of captured events, all together. Our choice."""

ASSIGNED = "assigned, not inferred"
"""Reason for a role that nothing else suggests."""

_ENUMERATED = (Role.ENUMERATION, *TRAITS)
_INTEGERS = range(-(1 << 63), 1 << 64)


class UnfitRoleError(InvalidInputError):
    """A field cannot play the role that it was assigned."""

    def __init__(self, path: Path, role: Role, example: Value) -> None:
        shown = short(str(msgspec.json.encode(example), "utf-8"), 40)
        fitting = ", ".join(one for one in Role if fits(one, example))
        super().__init__(f"field {'.'.join(path)}: {shown} cannot be a {role}, allowed: {fitting}")
        self.path = path


class Column(msgspec.Struct, frozen=True):
    """The values of one field in all captured events."""

    path: Path
    example: Value
    """The first value that is not null."""
    optional: bool
    values: tuple[Value, ...]
    """Distinct plain values."""


def infer_shape(
    events: Sequence[Event],
    *,
    body: Body = LIST,
    event_type: EventType | None = None,
    roles: Mapping[Path, Role] | None = None,
    must_identify: bool = True,
) -> Shape:
    """Return the shape of captured events of one type.

    `event_type` is for events that do not say their type, and selects one type of several; `roles` assigns roles that
    need no inference. Raises `InvalidInputError` if the type is unknown, if nothing identifies a mail although it
    `must_identify` one, and for events beyond the limits.
    """
    assigned = dict(roles or {})
    if not events:
        raise InvalidInputError("no event, allowed: at least one captured event")
    for event in events:
        check_limits(event)
    events = tuple(events)
    columns = columns_of(events)
    _check_assigned(assigned, columns)
    typing = _type_path(columns, assigned)
    chosen, event_type = _of_one_type(events, typing, columns, event_type)
    if len(chosen) < len(events):
        columns = columns_of(chosen)
        _check_assigned(assigned, columns)
    if typing is not None and value_at(chosen[0], typing) is not None:
        assigned.setdefault(typing, Role.TYPE)
    clues = {
        column.path: clues_about(column.path, column.example, place, event_type) for place, column in enumerate(columns)
    }
    played = _assigned_roles(columns, clues, assigned)
    fields = tuple(_field(column, played[column.path], clues[column.path]) for column in columns)
    shape = Shape(event_type=event_type, fields=fields, examples=chosen, body=body, is_captured=True)
    if must_identify and not shape.key_fields:
        raise InvalidInputError(
            "no field identifies a mail, allowed: a field of text or whole numbers with a role such as mail or "
            "recipient, which a shape file can assign"
        )
    return shape


def check_limits(event: Event) -> None:
    """Raise `InvalidInputError` if an event is nested too deeply, or contains an integer that is too large."""
    depth, level = 0, [event]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > DEPTH_MAX:
            raise InvalidInputError(f"nested deeper than {DEPTH_MAX} levels, which is the limit")
        level = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(one, int) and one not in _INTEGERS for one in level):
            raise InvalidInputError("contains an integer of more than 64 bits, which is the limit")


def type_field(events: Sequence[Event]) -> Path | None:
    """Return the path of the field that says the type of the events, or None. Raises `InvalidInputError`."""
    columns = columns_of(events)
    path = _type_path(columns, {})
    known = path is not None and any(event_type_of(value_at(event, path)) is not None for event in events)
    return path if known else None


def event_types_in(events: Sequence[Event]) -> tuple[EventType, ...]:
    """Return the types that the events say, in order of appearance. Raises `InvalidInputError`."""
    columns = columns_of(events)
    typing = _type_path(columns, {})
    return _kinds(_said(events, typing), columns)


def says_type(event: Event) -> EventType | None:
    """Return the type that an event says in any of its fields, or None. Raises `InvalidInputError`."""
    path = type_field((event,))
    return None if path is None else event_type_of(value_at(event, path))


def enumerated_values(role: Role, values: Iterable[Value]) -> tuple[Value, ...]:
    """Return the captured values that a field of a shape lists: those of enumerations and traits."""
    return tuple(values) if role in _ENUMERATED else ()


def columns_of(events: Sequence[Event]) -> list[Column]:
    """Return all fields of the events in the order of their first appearance.

    A field that is an object in one event and something else in another stays whole. Raises `InvalidInputError` for too
    many fields.
    """
    found: dict[Path, list[Value]] = {}
    for event in events:
        for path, value in leaves(event):
            found.setdefault(path, []).append(value)
        if len(found) > FIELDS_MAX:
            raise InvalidInputError(f"contains more than {FIELDS_MAX:,} fields, which is the limit")
    whole = {path for path, values in found.items() if any(value is not None and value != {} for value in values)}
    inner = {path for path in found if any(path[:end] in whole for end in range(1, len(path)))}
    outer = {path[:end] for path in found.keys() - inner for end in range(1, len(path))}
    mixed = {path[:end] for path in inner for end in range(1, len(path))} & whole
    return [
        _column(path, [value_at(event, path) for event in events] if path in mixed else values, len(events))
        for path, values in found.items()
        if path not in inner and path not in outer
    ]


def _column(path: Path, values: Sequence[Value], events: int) -> Column:
    known = [value for value in values if value is not None]
    # An object in one event and a plain value in another: it is no field of its own.
    example = next((value for value in known if isinstance(value, dict) and value), known[0] if known else None)
    distinct: dict[tuple[type, Value], None] = {}
    for value in known:
        if len(distinct) == VALUES_MAX:
            break
        if isinstance(value, str | int | float):
            distinct.setdefault((type(value), value), None)
    return Column(path, example, len(known) < events, tuple(value for _, value in distinct))


def _check_assigned(assigned: Mapping[Path, Role], columns: Sequence[Column]) -> None:
    """Raise `UnfitRoleError` for a role that a field cannot play."""
    examples = {column.path: column.example for column in columns}
    for path, role in assigned.items():
        if path in examples and not fits(role, examples[path]):
            raise UnfitRoleError(path, role, examples[path])


def _type_path(columns: Sequence[Column], assigned: Mapping[Path, Role]) -> Path | None:
    """Return where the events say their type, or None."""
    given = next((path for path, role in assigned.items() if role is Role.TYPE), None)
    if given is not None:
        return given
    best: tuple[int, Path] | None = None
    for place, column in enumerate(columns):
        if column.path in assigned:
            continue
        for clue in clues_about(column.path, column.example, place, None).once:
            if clue.role is Role.TYPE and (best is None or clue.score > best[0]):
                best = clue.score, column.path
    return None if best is None else best[1]


def _of_one_type(
    events: tuple[Event, ...], typing: Path | None, columns: Sequence[Column], wanted: EventType | None
) -> tuple[tuple[Event, ...], EventType]:
    """Return the events of the wanted type, or of their only type, and that type."""
    said = _said(events, typing)
    kinds = _kinds(said, columns)
    if wanted is not None:
        own = tuple(event for event, kind in zip(events, said, strict=True) if kind is wanted)
        # One type only: the user knows better than our table of words.
        return (own if own and len(set(said)) > 1 else events), wanted
    if len(kinds) > 1:
        raise InvalidInputError(f"contains events of types {', '.join(kinds)}, allowed: one of them, by --type")
    if not kinds:
        raise InvalidInputError(f"no field says a known event type, allowed: --type with one of {', '.join(EventType)}")
    return events, kinds[0]


def _said(events: Sequence[Event], typing: Path | None) -> list[EventType | None]:
    """Return the type that each event says."""
    return [None if typing is None else event_type_of(value_at(event, typing)) for event in events]


def _kinds(said: Iterable[EventType | None], columns: Sequence[Column]) -> tuple[EventType, ...]:
    kinds = tuple(dict.fromkeys(kind for kind in said if kind is not None))
    if kinds:
        return kinds
    # Words of other fields, such as a category of bounces.
    texts = (column.example for column in columns if isinstance(column.example, str))
    return tuple(kind for text in texts if " " not in text and (kind := event_type_of(text)) is not None)[:1]


def _assigned_roles(
    columns: Sequence[Column], clues: Mapping[Path, FieldClues], assigned: Mapping[Path, Role]
) -> dict[Path, Role]:
    """Return the role of each field."""
    played = {column.path: assigned[column.path] for column in columns if column.path in assigned}
    taken = {role for role in played.values() if role in ONCE}
    claims: list[tuple[int, int, Path, Clue]] = [
        (-clue.score, place, column.path, clue)
        for place, column in enumerate(columns)
        for clue in clues[column.path].once
        if column.path not in played and clue.role is not Role.TYPE
    ]
    for _, _, path, clue in sorted(claims, key=lambda claim: claim[:2]):
        if path not in played and clue.role not in taken:
            played[path] = clue.role
            taken.add(clue.role)
    return {column.path: played.get(column.path, clues[column.path].otherwise.role) for column in columns}


def _field(column: Column, role: Role, clues: FieldClues) -> EventField:
    return EventField(
        path=column.path,
        role=role,
        source="captured",
        reason=clues.reason(role) or ASSIGNED,
        example=column.example,
        optional=column.optional,
        values=enumerated_values(role, column.values),
    )
