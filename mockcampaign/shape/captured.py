"""Files of captured events: bodies of requests, single events, lines of either, or a journal."""

from __future__ import annotations

import stat
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.shape.field import Event, Role, Value, with_value
from mockcampaign.shape.infer import infer_shape, says_type, type_field
from mockcampaign.shape.shape import LIST, UNCERTAIN, Body, Shape

CAPTURED_BYTES_MAX = 16_777_216
"""Maximum size of a file of captured events. Our choice."""

CAPTURED_DEPTH_MAX = 50
"""Maximum nesting of a captured event. Our choice."""

JSON_LINES = (".jsonl", ".ndjson")
"""Suffixes of files that contain an event or a body in each line."""

PLACE_OF_EVENTS = "…"
"""Stands for the events in the text of a body."""

ReplacePersons = Callable[[Sequence[Event], Collection[str]], Sequence[Event]]
"""Returns as many events without persons. The second argument names fields that stay as they are."""

_ALLOWED = "an event, a list of events, or an object with one such list"
_ENVELOPE_DEPTH_MAX = 3
_INTEGERS = range(-(1 << 63), 1 << 64)
_decoder = msgspec.json.Decoder()


class Captured(msgspec.Struct, frozen=True):
    """Captured events, and what their bodies say besides."""

    events: tuple[Event, ...]
    body: Body = LIST
    event_type: EventType | None = None
    """The type that the object around the events says, or None."""


class _Envelope(msgspec.Struct, frozen=True):
    """An object around a list of events."""

    outer: Event
    path: tuple[str, ...]
    """Where the list is."""


class _Content(msgspec.Struct, frozen=True):
    """The content of a file before persons are replaced."""

    events: tuple[Event, ...]
    is_list: bool
    """Whether the events were in a list."""
    envelope: _Envelope | None = None


def read_captured(
    path: Path,
    *,
    event_type: EventType | None = None,
    replace_persons: ReplacePersons | None = None,
    keep: Collection[str] = (),
) -> Captured:
    """Return the captured events of a file.

    `replace_persons` replaces the people in them, except in fields that `keep` names. `event_type` is for events that
    do not say their type. Raises `InvalidInputError` if the file contains no events, or too much.
    """
    content = _content(path, event_type)
    where = str(path)
    for event in content.events:
        _check(event, where)
    events, envelope = content.events, content.envelope
    said = None
    if envelope is not None:
        _check(envelope.outer, where)
        said = says_type(envelope.outer)
    if replace_persons is not None:
        typed = type_field(events)
        # A type is nobody's name, in whatever language it is.
        kept = (*keep, *(() if typed is None else (".".join(typed),)))
        around = () if envelope is None else (envelope.outer,)
        replaced = tuple(replace_persons((*events, *around), kept))
        events = replaced[: len(events)]
        if envelope is not None:
            envelope = _Envelope(replaced[-1], envelope.path)
    if envelope is not None:
        return Captured(events, _body(envelope), said)
    return Captured(events, LIST if content.is_list else UNCERTAIN)


def shape_of_file(
    path: Path,
    *,
    event_type: EventType | None = None,
    roles: Mapping[tuple[str, ...], Role] | None = None,
    replace_persons: ReplacePersons | None = None,
    keep: Collection[str] = (),
) -> Shape:
    """Return the shape of the captured events of a file. Raises `InvalidInputError`."""
    captured = read_captured(path, event_type=event_type, replace_persons=replace_persons, keep=keep)
    try:
        if event_type is None and type_field(captured.events) is None:
            event_type = captured.event_type
        return infer_shape(captured.events, body=captured.body, event_type=event_type, roles=roles)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def _content(path: Path, event_type: EventType | None) -> _Content:
    raw = _bytes(path)
    lines = path.suffix.lower() in JSON_LINES
    try:
        documents = _decoder.decode_lines(raw) if lines else [_decoder.decode(raw)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "JSON Lines" if lines else "JSON"
        reason = " ".join(str(error).split())[:160]
        raise InvalidInputError(f"{path}: not {what}: {reason}, allowed: {_ALLOWED}") from None
    if lines and _is_journal(documents):
        events = [event for line in documents if line["entry"] == "happened" for event in _events_of(line)]
        return _Content(_objects(events, path), is_list=True)
    parts = [_part(document, path, event_type) for document in documents]
    if not parts:
        raise InvalidInputError(f"{path}: empty, allowed: {_ALLOWED}")
    return _Content(
        tuple(event for part in parts for event in part.events),
        any(part.is_list for part in parts),
        next((part.envelope for part in parts if part.envelope is not None), None),
    )


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Reading a device or a pipe may never end.
            raise InvalidInputError(f"{path}: not a regular file, allowed: a file of captured events")
        with path.open("rb") as file:
            raw = file.read(CAPTURED_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise InvalidInputError(f"{str(path)!r}: not a path, allowed: a file of captured events") from None
    if len(raw) > CAPTURED_BYTES_MAX:
        raise InvalidInputError(f"{path}: larger than {CAPTURED_BYTES_MAX} bytes, which is the limit")
    return raw.removeprefix(BOM_UTF8)


def _is_journal(lines: Sequence[Value]) -> bool:
    """Return whether these are the lines of a journal that `run --journal` or `record` wrote."""
    return bool(lines) and all(isinstance(line, dict) and "journal" in line and "entry" in line for line in lines)


def _events_of(line: Event) -> Sequence[Value]:
    events = line.get("events")
    return events if isinstance(events, list) else ()


def _objects(events: Sequence[Value], path: Path) -> tuple[Event, ...]:
    if not events or not all(isinstance(event, dict) and event for event in events):
        raise InvalidInputError(f"{path}: contains no event, or something else beside events, allowed: {_ALLOWED}")
    return tuple(events)


def _part(document: Value, path: Path, event_type: EventType | None) -> _Content:
    """Return the events of one body, or the one event that a document is."""
    if not isinstance(document, dict):
        return _Content(_objects(document if isinstance(document, list) else (), path), is_list=True)
    _check(document, str(path))
    found = [
        (inner_path, inner)
        for inner_path, inner in _lists(document)
        if _is_wrapped(inner, event_type or says_type(document))
    ]
    if len(found) == 1 and not _is_event(document, event_type):
        [(inner_path, inner)] = found
        return _Content(_objects(inner, path), is_list=True, envelope=_Envelope(document, inner_path))
    return _Content(_objects([document], path), is_list=False)


def _lists(outer: Event, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Event]]]:
    """Yield the lists of objects in an object, each with its path."""
    for name, value in outer.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) and one for one in value):
            yield (*path, name), value
        elif isinstance(value, dict) and len(path) < _ENVELOPE_DEPTH_MAX - 1:
            yield from _lists(value, (*path, name))


def _is_wrapped(inner: list[Event], event_type: EventType | None) -> bool:
    """Return whether a list in an object contains events."""
    try:
        infer_shape(inner[:1], event_type=None if says_type(inner[0]) else event_type)
    except InvalidInputError:
        return False
    return True


def _is_event(document: Event, event_type: EventType | None) -> bool:
    """Return whether an object is an event by itself. An id alone may be that of a batch."""
    try:
        shape = infer_shape([document], event_type=event_type)
    except InvalidInputError:
        return False
    return shape.key_fields[0].role is not Role.ID


def _body(envelope: _Envelope) -> Body:
    mark = PLACE_OF_EVENTS
    while mark in msgspec.json.encode(envelope.outer).decode():
        mark += PLACE_OF_EVENTS
    text = msgspec.json.encode(with_value(envelope.outer, envelope.path, [mark])).decode()
    prefix, _, suffix = text.partition(f'"{mark}"')
    # Whatever else contains the sign says it as an escape, which is the same in JSON.
    escape = f"\\u{ord(PLACE_OF_EVENTS):04x}"
    return Body(prefix.replace(PLACE_OF_EVENTS, escape), suffix.replace(PLACE_OF_EVENTS, escape))


def _check(event: Event, where: str) -> None:
    """Raise `InvalidInputError` for events that are nested too deeply, or that contain too large integers."""
    depth, level = 0, [event]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > CAPTURED_DEPTH_MAX:
            raise InvalidInputError(f"{where}: nested deeper than {CAPTURED_DEPTH_MAX} levels, which is the limit")
        level = [one for outer in level for one in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(one, int) and one not in _INTEGERS for one in level):
            raise InvalidInputError(f"{where}: contains an integer of more than 64 bits, which is the limit")
