"""The shapes of a check's events: ours, or those of captured events that a user hands in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.scenario.shape_file import read_shape
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.captured import captured_in, shape_of_file
from mockcampaign.shape.field import Event
from mockcampaign.shape.shape import Shape


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


def shape_of_events(events: Sequence[Event], event_type: EventType | None) -> Shape:
    """Return the shape of captured events that a test has at hand. Raises `InvalidInputError`."""
    return captured_in([list(events)], event_type=event_type).shape(event_type=event_type)
