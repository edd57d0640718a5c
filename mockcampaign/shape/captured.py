"""Files of captured events: bodies of requests, single events, lines of either, or a journal."""

from __future__ import annotations

import stat
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from mockcampaign import json_text
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import SECOND
from mockcampaign.pseudonyms import without_persons
from mockcampaign.pseudonyms.harmless import kind_of
from mockcampaign.shape.clues import fits, is_writable
from mockcampaign.shape.field import ONCE, Event, Role, Value, leaves, value_at, with_value
from mockcampaign.shape.infer import (
    UnfitRoleError,
    check_limits,
    columns_of,
    event_types_in,
    infer_shape,
    says_type,
    type_field,
)
from mockcampaign.shape.moment import resolution, write_moment
from mockcampaign.shape.shape import LIST, UNCERTAIN, Body, Shape
from mockcampaign.shape.vocabulary import MOMENT_NAMES, is_named_id, named_like, without_unknown_words, words_of

CAPTURED_BYTES_MAX = 16_777_216
"""Maximum size of a file of captured events. Our choice."""

JSON_LINES = (".jsonl", ".ndjson")
"""Suffixes of files that contain an event or a body in each line."""

PLACE_OF_EVENTS = "…"
"""Stands for the events in the text of a body."""

MOVED_TO = 1_704_067_200_000
"""The first time instead of one that may be personal: the beginning of the year 2024, in milliseconds since 1970."""

ReplacePersons = Callable[[Sequence[Event], Collection[str]], Sequence[Event]]
"""Returns as many events without persons. The second argument names fields that stay as they are."""

_ALLOWED = "an event, a list of events, or an object with one such list"
_ENVELOPE_DEPTH_MAX, _LISTS_MAX = 3, 20
_decoder = msgspec.json.Decoder()


class CapturedEvents(msgspec.Struct, frozen=True):
    """Captured events, and what is known about them besides."""

    events: tuple[Event, ...]
    body: Body = LIST
    event_type: EventType | None = None
    """The type that the object around the events says, or None."""
    roles: Mapping[tuple[str, ...], Role] = {}
    """Roles by the values that were captured, before persons were replaced."""

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """The types that the events say, or the object around them."""
        return event_types_in(self.events) or (() if self.event_type is None else (self.event_type,))

    def shape(
        self,
        *,
        body: Body | None = None,
        event_type: EventType | None = None,
        roles: Mapping[tuple[str, ...], Role] | None = None,
        must_identify: bool = True,
    ) -> Shape:
        """Return the shape of the events. Raises `InvalidInputError`, as `infer_shape` does."""
        given = dict(roles or {})
        played = {role for role in given.values() if role in ONCE}
        examples = {column.path: column.example for column in columns_of(self.events)} if self.roles else {}
        assigned = {
            path: role
            for path, role in self.roles.items()
            if path in examples and role not in played and fits(role, examples[path])
        } | given
        if event_type is None and type_field(self.events) is None:
            event_type = self.event_type
        while True:
            try:
                return infer_shape(
                    self.events,
                    body=body or self.body,
                    event_type=event_type,
                    roles=assigned,
                    must_identify=must_identify,
                )
            except UnfitRoleError as error:
                if error.path in given:
                    raise
                # A replaced value is of another kind than the captured one.
                del assigned[error.path]


class _Envelope(msgspec.Struct, frozen=True):
    """An object around a list of events."""

    outer: Event
    path: tuple[str, ...]
    """Where the list is."""


_Layout = tuple[frozenset[tuple[str, ...]], tuple[tuple[tuple[str, ...], frozenset[tuple[str, ...]]], ...]]
"""The names in an object, and in the first object of each list in it."""


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
    replace_persons: ReplacePersons | None = without_persons,
    keep: Collection[str] = (),
) -> CapturedEvents:
    """Return the captured events of a file.

    `replace_persons` replaces the people in them, except in fields that `keep` names. `event_type` is for events that
    do not say their type. Raises `InvalidInputError` if the file contains no events, or too much.
    """
    documents = _documents(path)
    try:
        return captured_in(documents, event_type=event_type, replace_persons=replace_persons, keep=keep)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def captured_in(
    documents: Sequence[Value],
    *,
    event_type: EventType | None = None,
    replace_persons: ReplacePersons | None = without_persons,
    keep: Collection[str] = (),
) -> CapturedEvents:
    """Return the captured events of decoded bodies, or single events, as `read_captured` does of a file."""
    content = _content(documents, event_type)
    # Inferred before, because a replaced value may look like something else.
    said = None if content.envelope is None else says_type(content.envelope.outer)
    roles = {} if replace_persons is None else _roles(content.events, event_type or said)
    envelope = content.envelope
    body = LIST if content.is_list else UNCERTAIN
    if replace_persons is None:
        return CapturedEvents(content.events, body if envelope is None else _body(envelope), said)
    impersonal = {
        path: role
        for path, role in roles.items()
        if role in (Role.TYPE, Role.MOMENT) and not {*path, ".".join(path)} & set(keep)
    }
    events, outer = _replaced(content, replace_persons, keep)
    events = _with_types_and_times(content.events, events, impersonal)
    if envelope is not None:
        body = _body(_Envelope(outer, envelope.path))
    return CapturedEvents(events, body, said, roles)


def _roles(events: Sequence[Event], event_type: EventType | None) -> dict[tuple[str, ...], Role]:
    typed = type_field(events)
    try:
        shape = infer_shape(events, event_type=event_type if typed is None else None)
    except InvalidInputError:
        # Such as one that a shape file corrects later.
        return {} if typed is None else {typed: Role.TYPE}
    return {field.path: field.role for field in shape.fields}


def _with_types_and_times(
    raw: Sequence[Event], replaced: Sequence[Event], roles: Mapping[tuple[str, ...], Role]
) -> tuple[Event, ...]:
    """Return the events without persons with types and times that name nobody, in whatever language their names are.

    A time stays only if the name of its field says that it is the event's: it might be a day of birth or a number. Any
    other is another time in the same format. Of a type stays what is one.
    """
    found = list(replaced)
    for path, role in roles.items():
        moved = _MovedMoments()
        is_named = _is_named_moment(path)
        for index, event in enumerate(raw):
            value, other = value_at(event, path), value_at(found[index], path)
            if other is None:
                continue  # the name of the field was replaced as well
            if role is Role.MOMENT and is_writable(value):
                found[index] = with_value(found[index], path, value if is_named else moved.instead_of(value))
            elif role is Role.TYPE and isinstance(value, str) and isinstance(other, str):
                found[index] = with_value(found[index], path, without_unknown_words(value, other))
    return tuple(found)


def _is_named_moment(path: tuple[str, ...]) -> bool:
    """Return whether the whole name of a field says that it is the time of an event, or of something that occurred."""
    if any(kind_of(name) == "identity" for name in path):
        return False
    return kind_of(path[-1]) == "moment" or "".join(words_of(path[-1])) in MOMENT_NAMES


class _MovedMoments:
    """Times that say nothing of the original ones but their format, and which of them are equal."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, Value], Value] = {}

    def instead_of(self, value: Value) -> Value:
        """Return the time that replaces this one."""
        key = type(value), value
        if key not in self._known:
            steps = len(self._known) * max(SECOND, resolution(value))
            self._known[key] = write_moment(value, MOVED_TO + steps)
        return self._known[key]


def _replaced(
    content: _Content, replace_persons: ReplacePersons, keep: Collection[str]
) -> tuple[tuple[Event, ...], Event]:
    """Return the events, and the object around them, without persons."""
    envelope = content.envelope
    outer = {} if envelope is None else with_value(envelope.outer, envelope.path, None)
    raw = (*content.events, outer)
    *events, outer = (_named(*pair) for pair in zip(raw, replace_persons(raw, keep), strict=True))
    return tuple(events), outer


def _named(raw: Value, replaced: Value) -> Value:
    """Return the replaced value with its known names of fields, such as `Mailing List`, which names nobody."""
    match raw, replaced:
        case dict(), dict() if len(raw) == len(replaced):
            pairs = zip(raw.items(), replaced.items(), strict=True)
            return {
                name if named_like((name,)) or is_named_id(name) else other: _named(value, new)
                for (name, value), (other, new) in pairs
            }
        case list(), list() if len(raw) == len(replaced):
            return [_named(*pair) for pair in zip(raw, replaced, strict=True)]
        case _:
            return replaced


def shape_of_file(
    path: Path,
    *,
    event_type: EventType | None = None,
    roles: Mapping[tuple[str, ...], Role] | None = None,
    replace_persons: ReplacePersons | None = without_persons,
    keep: Collection[str] = (),
) -> Shape:
    """Return the shape of the captured events of a file. Raises `InvalidInputError`."""
    captured = read_captured(path, event_type=event_type, replace_persons=replace_persons, keep=keep)
    try:
        return captured.shape(event_type=event_type, roles=roles)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def shapes_of_file(
    path: Path, *, replace_persons: ReplacePersons | None = without_persons, keep: Collection[str] = ()
) -> tuple[Shape, ...]:
    """Return the shapes of the captured events of a file, one of each type. Raises `InvalidInputError`."""
    captured = read_captured(path, replace_persons=replace_persons, keep=keep)
    try:
        return tuple(captured.shape(event_type=kind) for kind in captured.event_types or (None,))
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def _documents(path: Path) -> list[Value]:
    raw = _bytes(path)
    lines = path.suffix.lower() in JSON_LINES
    try:
        return _decoder.decode_lines(raw) if lines else [_decoder.decode(raw)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "JSON Lines" if lines else "JSON"
        reason = " ".join(str(error).split())[:160]
        raise InvalidInputError(f"{path}: not {what}: {reason}, allowed: {_ALLOWED}") from None


def _content(documents: Sequence[Value], event_type: EventType | None) -> _Content:
    if _is_journal(documents):
        events = [event for line in documents if line["entry"] == "happened" for event in _events_of(line)]
        return _Content(_objects(events), is_list=True)
    layouts: dict[_Layout, tuple[str, ...] | None] = {}
    parts = [_part(document, event_type, layouts) for document in documents]
    return _Content(
        _objects([event for part in parts for event in part.events]),
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
    # Half a character is read like everywhere else: as one that cannot be represented.
    return json_text.without_lone_surrogates(raw.removeprefix(BOM_UTF8))


def _is_journal(lines: Sequence[Value]) -> bool:
    """Return whether these are the lines of a journal that `run --journal` or `record` wrote."""
    return bool(lines) and all(isinstance(line, dict) and "journal" in line and "entry" in line for line in lines)


def _events_of(line: Event) -> Sequence[Value]:
    events = line.get("events")
    return events if isinstance(events, list) else ()


def _objects(events: Sequence[Value]) -> tuple[Event, ...]:
    if not events:
        raise InvalidInputError(f"contains no event, allowed: {_ALLOWED}")
    for event in events:
        if not isinstance(event, dict) or not event:
            raise InvalidInputError(f"contains something that is no event, allowed: {_ALLOWED}")
        check_limits(event)
    return tuple(events)


def _part(document: Value, event_type: EventType | None, layouts: dict[_Layout, tuple[str, ...] | None]) -> _Content:
    """Return the events of one body, or the one event that a document is.

    `layouts` remembers where the events are in each layout: the first document of a layout decides for all.
    """
    if isinstance(document, list):
        return _Content(_objects(document), is_list=True)
    [outer] = _objects([document])
    lists = dict(islice(_lists(outer), _LISTS_MAX))
    if not lists:
        return _Content((outer,), is_list=False)
    layout = _names(outer), tuple((path, _names(inner[0])) for path, inner in lists.items())
    if layout not in layouts:
        layouts[layout] = _path_of_events(outer, lists, event_type)
    path = layouts[layout]
    if path is None:
        return _Content((outer,), is_list=False)
    return _Content(_objects(lists[path]), is_list=True, envelope=_Envelope(outer, path))


def _names(event: Event) -> frozenset[tuple[str, ...]]:
    return frozenset(path for path, _ in leaves(event))


def _path_of_events(
    outer: Event, lists: Mapping[tuple[str, ...], list[Event]], event_type: EventType | None
) -> tuple[str, ...] | None:
    """Return where the events of a body are, or None if it is an event itself."""
    kind = event_type or says_type(outer)
    found = [path for path, inner in lists.items() if _is_wrapped(inner, kind)]
    return found[0] if len(found) == 1 and not _is_event(outer, event_type) else None


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
