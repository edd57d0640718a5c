"""Shape files: the roles of an event's fields as YAML, which a user reads and corrects."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.scenario.language.annotations import ParsedText, Shorthand
from mockcampaign.scenario.language.document import Document
from mockcampaign.scenario.language.nodes import DOCUMENT_BYTES_MAX
from mockcampaign.shape.captured import PLACE_OF_EVENTS, CapturedEvents, ReplacePersons, read_captured
from mockcampaign.shape.field import ONCE, Event, EventField, Role, Value
from mockcampaign.shape.infer import Column, UnfitRoleError, columns_of, enumerated_values
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, LIST, OBJECT, UNCERTAIN, Body, Shape
from mockcampaign.text import unknown

BODIES: Mapping[str, Body] = {"list": LIST, "object": OBJECT, "list-or-object": UNCERTAIN}
"""Words for bodies. With the last one, the check asks the consumer."""

_HEADER = f"""\
# The shape of captured events: which role each field plays, and why. To correct it, write another role.
# Roles: {", ".join(Role)}.
# Instead of a role: {{role: link, optional: true, values: [a, b]}}, if a field can be absent, or has known values.
# body: {", ".join(BODIES)} (the consumer decides), {{NAME: list}}, or the text around the events as {PLACE_OF_EVENTS}.
# Without `events`, the file only corrects the shape of other captured events (--like FILE), and needs only the changes.
"""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)*")
_RESERVED = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_KEY_LENGTH_MAX = 1_000
"""Longest key that YAML recognises without a mark."""

_COLUMN_MAX = 48
"""Longest text that the lines of other fields are aligned with."""

_WRAPPED = re.compile(r'\{("(?:[^"\\]|\\.)*"):\[')
_decoder = msgspec.json.Decoder()

Scalar = str | int | float | bool


def _parse_body(text: str) -> Body:
    if text in BODIES:
        return BODIES[text]
    prefix, sign, suffix = text.partition(PLACE_OF_EVENTS)
    if not sign or not _is_json(f"{prefix}1{suffix}"):
        raise InvalidInputError(
            f"{text[:60]!r} is no body, allowed: {', '.join(BODIES)}, or JSON with {PLACE_OF_EVENTS} for the events"
        )
    has_list = prefix.rstrip().endswith("[") and suffix.lstrip().startswith("]")
    return Body(prefix, suffix, BATCH_EVENTS_MAX if has_list else 1)


def _is_json(text: str) -> bool:
    try:
        _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _parse_events(text: str) -> tuple[Event, ...]:
    events = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            event = None
        if not isinstance(event, dict) or not event:
            raise InvalidInputError(f"line {number} of the events is no event, allowed: a JSON object in each line")
        events.append(event)
    if not events:
        raise InvalidInputError("contains no event, allowed: a JSON object in each line")
    return tuple(events)


class FieldEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of a field in a shape file."""

    role: Role
    """Role of the field."""
    optional: bool | None = None
    """Whether the field can be absent or null (default: whether it is in a captured event)."""
    values: tuple[Scalar, ...] | None = None
    """Known values (default: the captured ones of enumerations and traits)."""


_BodyText = Annotated[str, ParsedText(_parse_body, f"one of {', '.join(BODIES)}")]


class ShapeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole shape file."""

    type: EventType | None = None
    """Type of the events (default: what they say)."""
    body: _BodyText | dict[str, Literal["list"]] | None = None
    """Body that contains the events (default: as the captured file shows it)."""
    fields: dict[str, Annotated[FieldEntry, Shorthand("role")]] = {}
    """Roles of fields, by names with dots between objects."""
    events: Annotated[tuple[Event, ...], ParsedText(_parse_events, "events as JSON, one in each line")] | None = None
    """CapturedEvents events."""


# Reading


def read_shape(
    path: Path,
    like: Path | None = None,
    *,
    replace_persons: ReplacePersons | None = None,
    keep: Collection[str] = (),
) -> Shape:
    """Return the shape that a file describes. Raises `InvalidInputError` with file:line:column.

    `like` is a file of captured events, which a shape file without events corrects; `replace_persons` and `keep` are
    for that file, as in `read_captured`.
    """
    document = Document(path)
    file = document.read(ShapeFile)
    if like is not None:
        captured = read_captured(like, event_type=file.type, replace_persons=replace_persons, keep=keep)
    elif file.events is not None:
        captured = CapturedEvents(file.events)
    else:
        raise document.problem((), "the file has no events, allowed: the key events, or captured events by --like FILE")
    try:
        columns = {written(column.path): column for column in columns_of(captured.events)}
    except InvalidInputError as error:
        raise document.problem(("events",), str(error)) from None
    _check_fields(document, file, columns)
    shape = _inferred(document, file, captured, columns)
    changed = {columns[name].path: entry for name, entry in file.fields.items()}
    return msgspec.structs.replace(
        shape, fields=tuple(_changed(field, changed.get(field.path)) for field in shape.fields)
    )


def _check_fields(document: Document, file: ShapeFile, columns: Mapping[str, Column]) -> None:
    players: dict[Role, str] = {}
    for name, entry in file.fields.items():
        if name not in columns:
            raise document.problem(("fields", name), unknown("field", name, columns))
        first = players.setdefault(entry.role, name)
        if entry.role in ONCE and first != name:
            message = f"role {entry.role}: {first} plays it already, allowed: one field, and {_similar(entry.role)}"
            raise document.problem(("fields", name), message)


def _similar(role: Role) -> str:
    """Return the roles for a field that is like one that plays a role already."""
    if role is Role.MOMENT:
        return f"{Role.OTHER_MOMENT} for others"
    ids = (Role.RECIPIENT, Role.MAIL, Role.MAILING, Role.RECIPIENT_LIST, Role.CLIENT, Role.SUBSCRIPTION, Role.LINK_ID)
    return f"{Role.ID if role in ids else Role.TEXT} for others"


def _inferred(document: Document, file: ShapeFile, captured: CapturedEvents, columns: Mapping[str, Column]) -> Shape:
    body = _body(document, file)
    try:
        return captured.shape(
            body=body,
            event_type=file.type,
            roles={columns[name].path: entry.role for name, entry in file.fields.items()},
        )
    except UnfitRoleError as error:
        raise document.problem(("fields", written(error.path)), str(error)) from None
    except InvalidInputError as error:
        raise document.problem(("fields",), str(error)) from None


def _body(document: Document, file: ShapeFile) -> Body | None:
    # The loader parses the text, so that a hint of text stands for a body.
    given: object = file.body
    match given:
        case None | Body():
            return given
        case dict() if len(given) == 1:
            [name] = given
            return Body(f"{{{msgspec.json.encode(name).decode()}:[", "]}")
        case _:
            raise document.problem(("body",), "expected one name, allowed: {NAME: list}, such as {events: list}")


def _changed(field: EventField, entry: FieldEntry | None) -> EventField:
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

    Raises `InvalidInputError` if its events are too large for a shape file.
    """
    columns = {column.path: column for column in columns_of(shape.examples)}
    rows = [(_quoted(written(field.path)), _entry(field, columns[field.path]), field.reason) for field in shape.fields]
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


def written(path: Iterable[str]) -> str:
    """Return the name of a field in shape files. Dots within names are escaped."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


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
        return f"{{{_quoted(_decoder.decode(wrapped[1]))}: list}}"
    return _quoted(f"{body.prefix}{PLACE_OF_EVENTS}{body.suffix}")


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    text = str(msgspec.json.encode(value), "utf-8")
    if isinstance(value, float) and "e" in repr(value):
        # YAML wants a point and a sign.
        digits, _, exponent = repr(value).partition("e")
        return f"{digits}{'' if '.' in digits else '.0'}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"
    return text


def _quoted(text: str) -> str:
    """Return the text as YAML, in quotes if it could be something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else _escaped(one) for one in escaped) + '"'


def _escaped(symbol: str) -> str:
    code = ord(symbol)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json(event: Event) -> str:
    """Return the event as JSON in one line. What YAML does not allow is escaped."""
    text = msgspec.json.encode(event).decode()
    return "".join(one if one.isprintable() else _json_escaped(one) for one in text)


def _json_escaped(symbol: str) -> str:
    units = symbol.encode("utf-16-be")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))
