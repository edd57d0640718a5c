"""Shape files: the roles of an event's fields as YAML, which a user reads and corrects."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.pseudonyms import without_persons
from mockcampaign.scenario.language.document import Document, Location
from mockcampaign.scenario.language.event_shape import BODIES, FieldDefinition, ShapeDefinition
from mockcampaign.scenario.language.nodes import DOCUMENT_BYTES_MAX
from mockcampaign.shape.captured import (
    PLACE_OF_EVENTS,
    SHAPE_FILES,
    CapturedEvents,
    ReplacePersons,
    check_type,
    read_captured,
    shape_of_file,
    shapes_of_file,
)
from mockcampaign.shape.field import ONCE, Event, EventField, Role, Value, written
from mockcampaign.shape.infer import Column, UnfitRoleError, columns_of, enumerated_values
from mockcampaign.shape.shape import Body, Shape
from mockcampaign.text import unknown, yaml_text

_HEADER = f"""\
# The shape of captured events: which role each field plays, and why. To correct it, write another role.
# Roles: {", ".join(Role)}.
# Instead of a role: {{role: link, optional: true, values: [a, b]}}, if a field can be absent, or has known values.
# body: {", ".join(BODIES)} (the consumer decides), {{NAME: list}}, or the text around the events as {PLACE_OF_EVENTS}.
# Without `events`, the file only corrects the shape of other captured events (--like FILE), and needs only the changes.
"""

_KEY_LENGTH_MAX = 1_000
"""Longest key that YAML recognises without a mark."""

_COLUMN_MAX = 48
"""Longest text that the lines of other fields are aligned with."""

_WRAPPED = re.compile(r'\{("(?:[^"\\]|\\.)*"):\[')
_decoder = msgspec.json.Decoder()

# Reading


def read_shape(
    path: Path,
    like: Path | None = None,
    *,
    replace_persons: ReplacePersons | None = without_persons,
    keep: Collection[str] = (),
    event_type: EventType | None = None,
) -> Shape:
    """Return the shape that a file describes. Raises `InvalidInputError` with file:line:column.

    `like` is a file of captured events, which a shape file without events corrects; `replace_persons` and `keep` are
    for that file, as in `read_captured`. `event_type` is their type if the shape file says none.
    """
    document = Document(path)
    definition = document.read(ShapeDefinition)
    if definition.type is None and event_type is not None:
        definition = msgspec.structs.replace(definition, type=event_type)
    if like is None:
        return shape_in(document, definition)
    captured = read_captured(like, event_type=definition.type, replace_persons=replace_persons, keep=keep)
    check_type(captured, event_type, like)
    return shape_in(document, definition, captured=captured)


def read_shapes(
    path: Path, *, replace_persons: ReplacePersons | None = without_persons, keep: Collection[str] = ()
) -> tuple[Shape, ...]:
    """Return the shape that a shape file describes, or those of captured events, one of each type.

    Raises `InvalidInputError`, with file:line:column if the file is a shape file.
    """
    if path.suffix.lower() in SHAPE_FILES:
        return (read_shape(path),)
    return shapes_of_file(path, replace_persons=replace_persons, keep=keep)


def shapes_with_corrections(likes: Sequence[tuple[EventType, Path]], shape_files: Sequence[Path]) -> list[Shape]:
    """Return the shapes of captured events, each file with its type, and of shape files.

    A shape file without events corrects the captured ones of its type; of any type if it names none, and there is only
    one file of these. Raises `InvalidInputError`.
    """
    found: list[Shape] = []
    plain = list(likes)
    for path in shape_files:
        definition = Document(path).read(ShapeDefinition) if path.suffix.lower() in SHAPE_FILES else None
        own = [one for one in plain if definition is not None and definition.type in (None, one[0])]
        if definition is None or definition.events is not None or not own:
            found += read_shapes(path)
            continue
        if len(own) > 1:
            types = ", ".join(kind for kind, _ in own)
            raise InvalidInputError(f"{path}: corrects events of no type, allowed: the key type with one of {types}")
        [(kind, like)] = own
        plain.remove((kind, like))
        found.append(read_shape(path, like, event_type=kind))
    return [*(shape_of_file(path, event_type=kind) for kind, path in plain), *found]


def shape_in(
    document: Document, definition: ShapeDefinition, at: Location = (), *, captured: CapturedEvents | None = None
) -> Shape:
    """Return the shape that a definition in a document describes, by these captured events or its own.

    Raises `InvalidInputError` with file:line:column.
    """
    if captured is None:
        if definition.events is None:
            allowed = "the key events" + ("" if at else ", or captured events by --like FILE")
            raise document.problem(at, f"the {'shape' if at else 'file'} has no events, allowed: {allowed}")
        captured = CapturedEvents(definition.events)
    try:
        columns = {written(column.path): column for column in columns_of(captured.events)}
    except InvalidInputError as error:
        raise document.problem((*at, "events"), str(error)) from None
    _check_fields(document, at, definition, columns)
    shape = _inferred(document, at, definition, captured, columns)
    changed = {columns[name].path: entry for name, entry in definition.fields.items()}
    return msgspec.structs.replace(
        shape, fields=tuple(_changed(field, changed.get(field.path)) for field in shape.fields)
    )


def _check_fields(document: Document, at: Location, definition: ShapeDefinition, columns: Mapping[str, Column]) -> None:
    players: dict[Role, str] = {}
    for name, entry in definition.fields.items():
        if name not in columns:
            raise document.problem((*at, "fields", name), unknown("field", name, columns))
        first = players.setdefault(entry.role, name)
        if entry.role in ONCE and first != name:
            message = f"role {entry.role}: {first} plays it already, allowed: one field, and {_similar(entry.role)}"
            raise document.problem((*at, "fields", name), message)


def _similar(role: Role) -> str:
    """Return the roles for a field that is like one that plays a role already."""
    if role is Role.MOMENT:
        return f"{Role.OTHER_MOMENT} for others"
    ids = (Role.RECIPIENT, Role.MAIL, Role.MAILING, Role.RECIPIENT_LIST, Role.CLIENT, Role.SUBSCRIPTION, Role.LINK_ID)
    return f"{Role.ID if role in ids else Role.TEXT} for others"


def _inferred(
    document: Document,
    at: Location,
    definition: ShapeDefinition,
    captured: CapturedEvents,
    columns: Mapping[str, Column],
) -> Shape:
    body = _body(document, at, definition)
    try:
        return captured.shape(
            body=body,
            event_type=definition.type,
            roles={columns[name].path: entry.role for name, entry in definition.fields.items()},
        )
    except UnfitRoleError as error:
        raise document.problem((*at, "fields", written(error.path)), str(error)) from None
    except InvalidInputError as error:
        raise document.problem(
            (
                *at,
                "fields",
            ),
            str(error),
        ) from None


def _body(document: Document, at: Location, definition: ShapeDefinition) -> Body | None:
    # The loader parses the text, so that a hint of text stands for a body.
    given: object = definition.body
    match given:
        case None | Body():
            return given
        case dict() if len(given) == 1:
            [name] = given
            return Body(f"{{{msgspec.json.encode(name).decode()}:[", "]}")
        case _:
            message = "expected one name, allowed: {NAME: list}, such as {events: list}"
            raise document.problem((*at, "body"), message)


def _changed(field: EventField, entry: FieldDefinition | None) -> EventField:
    if entry is None:
        return field
    return msgspec.structs.replace(
        field,
        optional=field.optional if entry.optional is None else entry.optional,
        values=field.values if entry.values is None else entry.values,
    )


# Writing


def shape_yaml(shape: Shape) -> str:
    """Return a shape as YAML, which `read_shape` reads back.

    Raises `InvalidInputError` if its events are too large for a shape definition.
    """
    columns = {column.path: column for column in columns_of(shape.examples)}
    rows = [
        (yaml_text(written(field.path)), _entry(field, columns[field.path]), field.reason) for field in shape.fields
    ]
    text = "\n".join(
        [
            _HEADER + f"type: {shape.event_type}",
            f"body: {_body_text(shape.body)}",
            "fields:",
            *_aligned(rows),
            "events: |",
            *(f"  {_json(event)}" for event in shape.examples),
            "",
        ]
    )
    if len(text.encode()) > DOCUMENT_BYTES_MAX:
        raise InvalidInputError(
            f"the events are larger than {DOCUMENT_BYTES_MAX} bytes, allowed in a shape file: fewer captured events"
        )
    return text


def _aligned(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    names = max((len(name) for name, _, _ in rows if len(name) <= _COLUMN_MAX), default=0)
    entries = max((len(entry) for _, entry, _ in rows if len(entry) <= _COLUMN_MAX), default=0)
    for name, entry, reason in rows:
        if len(name) > _KEY_LENGTH_MAX:
            yield f"  ? {name}"
            yield f"  : {entry}  # {reason}"
        else:
            yield f"  {name + ':':<{names + 1}} {entry:<{entries}}  # {reason}"


def _entry(field: EventField, column: Column) -> str:
    """Return the role, or a mapping if the captured events do not say the rest by themselves."""
    parts = [f"role: {field.role}"]
    if field.optional or column.optional:
        parts.append(f"optional: {_scalar(field.optional)}")
    if field.values or enumerated_values(field.role, column.values):
        parts.append(f"values: [{', '.join(map(_scalar, field.values))}]")
    return f"{{{', '.join(parts)}}}" if len(parts) > 1 else str(field.role)


def _body_text(body: Body) -> str:
    word = next((word for word, known in BODIES.items() if known == body), None)
    if word is not None:
        return word
    wrapped = _WRAPPED.fullmatch(body.prefix)
    if wrapped is not None and body.suffix == "]}":
        return f"{{{yaml_text(_decoder.decode(wrapped[1]))}: list}}"
    return yaml_text(f"{body.prefix}{PLACE_OF_EVENTS}{body.suffix}")


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return yaml_text(value)
    text = str(msgspec.json.encode(value), "utf-8")
    if isinstance(value, float) and "e" in repr(value):
        # YAML wants a point and a sign.
        digits, _, exponent = repr(value).partition("e")
        return f"{digits}{'' if '.' in digits else '.0'}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
    return text


def _json(event: Event) -> str:
    """Return the event as JSON in one line. What YAML does not allow is escaped."""
    text = msgspec.json.encode(event).decode()
    return "".join(one if one.isprintable() else _json_escaped(one) for one in text)


def _json_escaped(symbol: str) -> str:
    units = symbol.encode("utf-16-be")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))
