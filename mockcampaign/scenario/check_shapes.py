"""The shapes of a check's events: ours, or those of captured events that a user hands in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from mockcampaign import json_text
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.scenario.language.document import Document
from mockcampaign.scenario.language.event_shape import ShapeDefinition
from mockcampaign.scenario.language.nodes import Variant, compose_text
from mockcampaign.scenario.shape_file import read_shape, shape_in
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.captured import CapturedEvents, captured_in, read_captured, shape_of_file
from mockcampaign.shape.field import Event, Value
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown


def shapes_of_files(
    like: Sequence[Path], shape_file: Path | None, event_type: EventType | None, keep: Collection[str] = ()
) -> tuple[Shape, ...]:
    """Return the shape under test, and then those of other types.

    Each file of `like` contains captured events of one type; a shape file stands for itself, or corrects the first of
    them. `event_type` says which type is under test (default: that of the first file, or opens). Raises
    `InvalidInputError`.
    """
    if shape_file is None and not like:
        return (builtin_shape(event_type or EventType.OPEN),)
    if keep:
        _check_kept([read_captured(path, replace_persons=None) for path in like], keep)
    only = event_type if len(like) <= 1 else None
    shapes = [shape_of_file(path, event_type=only, keep=keep) for path in like]
    if shape_file is not None:
        first = read_shape(shape_file, like[0] if like else None, keep=keep)
        shapes = [first, *shapes[1:]]
    types = [shape.event_type for shape in shapes]
    twice = next((kind for kind in types if types.count(kind) > 1), None)
    if twice is not None:
        raise InvalidInputError(f"--like: two files contain {twice} events, allowed: one file for each type")
    if event_type is not None and event_type not in types:
        raise InvalidInputError(
            f"--type {event_type}: the captured events are {', '.join(types)}, allowed: one of these"
        )
    return tuple(sorted(shapes, key=lambda shape: event_type is not None and shape.event_type is not event_type))


def _check_kept(captured: Sequence[CapturedEvents], keep: Collection[str]) -> None:
    """Raise `InvalidInputError` unless some captured event, or what is around it, has each field to keep."""
    names: dict[str, None] = {}
    for one in captured:
        for value in (*one.events, json_text.decode(one.body.of([{}]))):
            names |= dict.fromkeys(_names(value))
    unknown_field = next((field for field in keep if field not in names), None)
    if unknown_field is not None:
        raise InvalidInputError(f"keep: {unknown('field', unknown_field, list(names))}")


def _names(value: Value, path: str = "") -> Iterator[str]:
    """Yield the names of fields, and their dotted paths."""
    if isinstance(value, list):
        for one in value:
            yield from _names(one, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            inside = f"{path}.{name}" if path else name
            yield from (name, inside)
            yield from _names(inner, inside)


def shape_of_texts(
    events: Sequence[Event] | None, shape: str | None, event_type: EventType | None, keep: Collection[str] = ()
) -> Shape:
    """Return the shape of captured events, of the text of a shape file, or of events that such a text corrects.

    Without either, it is ours. Raises `InvalidInputError`, with line and column if the text is wrong.
    """
    if shape is None:
        return (
            builtin_shape(event_type or EventType.OPEN) if events is None else shape_of_events(events, event_type, keep)
        )
    node = compose_text(shape.encode("utf-8", "surrogatepass"), "shape", "a mapping")
    document = Document(Path("shape"), Variant(node=node, given={}))
    definition = document.read(ShapeDefinition)
    if definition.type is None and event_type is not None:
        definition = msgspec.structs.replace(definition, type=event_type)
    if events is None:
        return shape_in(document, definition)
    if keep:
        _check_kept([captured_in([list(events)], replace_persons=None)], keep)
    return shape_in(document, definition, captured=captured_in([list(events)], event_type=definition.type, keep=keep))


def shape_of_events(events: Sequence[Event], event_type: EventType | None, keep: Collection[str] = ()) -> Shape:
    """Return the shape of captured events that a test has at hand. Raises `InvalidInputError`."""
    if keep:
        _check_kept([captured_in([list(events)], replace_persons=None)], keep)
    return captured_in([list(events)], event_type=event_type, keep=keep).shape(event_type=event_type)
