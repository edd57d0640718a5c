"""Definition of a shape: the roles of an event's fields, in a shape file or in a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.scenario.language.annotations import ParsedText, Shorthand
from mockcampaign.shape.captured import PLACE_OF_EVENTS
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.shape import BATCH_EVENTS_MAX, LIST, OBJECT, UNCERTAIN, Body

BODIES: Mapping[str, Body] = {"list": LIST, "object": OBJECT, "list-or-object": UNCERTAIN}
"""Words for bodies. With the last one, the check asks the consumer."""

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


class FieldDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the shape. The value may be the role alone."""

    role: Role
    """Role of the field."""
    optional: bool | None = None
    """Whether the field can be absent or null (default: whether it is in a captured event)."""
    values: tuple[Scalar, ...] | None = None
    """Known values (default: the captured ones of enumerations and traits)."""


_BodyText = Annotated[str, ParsedText(_parse_body, f"one of {', '.join(BODIES)}", {"type": "string"})]


_Events = Annotated[
    tuple[Event, ...], ParsedText(_parse_events, "events as JSON, one in each line", {"type": "string"})
]


class ShapeDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of captured events: the whole of a shape file, which `mockcampaign shape` prints, or in a scenario."""

    type: EventType | None = None
    """Type of the events (default: what they say)."""
    body: _BodyText | dict[str, Literal["list"]] | None = None
    """Body that contains the events (default: as the captured file shows it)."""
    fields: dict[str, Annotated[FieldDefinition, Shorthand("role")]] = {}
    """Roles of fields, by names with dots between objects."""
    events: _Events | None = None
    """Captured events."""
