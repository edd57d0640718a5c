"""Arguments of a test as the engine's values: durations, event types, captured events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.durations import parse_duration
from mockcampaign.errors import MisuseError
from mockcampaign.events import Sample, load_sample, read_sample
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown

Duration = str | timedelta
"""Text such as `500ms`, `90s`, `10m`, `2h`, `3d` or `1d12h`, or a timedelta."""


def duration_of(value: Duration | object, name: str) -> int:
    """Return the duration in milliseconds.

    Raises `MisuseError` for a number, whose unit would be a guess, and `InvalidInputError` for text that is not a
    duration.
    """
    if isinstance(value, timedelta):
        milliseconds = value // timedelta(milliseconds=1)
        if milliseconds < 0:
            raise MisuseError(f"{name} {value!r} is negative, allowed: a duration from 0 such as '10m'")
        return milliseconds
    if isinstance(value, str):
        return parse_duration(value)
    raise MisuseError(
        f"{name} {value!r} has no unit, allowed: a text such as '90s', '10m', '2h' or '3d', or a timedelta"
    )


def event_type_of(value: EventType | str) -> EventType:
    """Return the event type. Raises `MisuseError` for an unknown one."""
    if isinstance(value, str) and value in list(EventType):
        return EventType(value)
    raise MisuseError(unknown("event type", str(value), [kind.value for kind in EventType]))


ClientContents = str | Path | ClientDefinition | Mapping[int, ClientDefinition]
"""Contents of clients: a file as of `serve --clients`, a definition for the default client, or several by client id."""


def clients_of(value: ClientContents | object, folder: Path | None = None) -> dict[int, ClientDefinition]:
    """Return the contents of clients by id; a file is relative to the folder, if there is one.

    Raises `InvalidInputError` for a file that says something else, and `MisuseError` for a value that is none of these.
    """
    match value:
        case str() | Path():
            # Imported here because few tests need the language.
            from mockcampaign.scenario.language.client_contents import load_contents

            return load_contents(Path(value) if folder is None else folder / value)
        case ClientDefinition():
            return {DEFAULT_CLIENT_ID: value}
        case Mapping() if all(isinstance(one, ClientDefinition) for one in value.values()):
            return dict(value)
    raise MisuseError(f"clients: {value!r}, allowed: a file of clients, a ClientDefinition, or several by client id")


LikeEvents = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Path | str | Shape | Sample
"""A captured event, several, a file that contains them, or a shape that was made of them."""


def sample_of(value: LikeEvents, event_type: EventType) -> Sample:
    """Return the sample from which events of the same shape are made."""
    match value:
        case Sample():
            return value
        case Shape():
            return Sample.of(value)
        case str() | Path():
            return load_sample(Path(value), event_type)
        case _:
            events = [value] if isinstance(value, Mapping) else value
            return read_sample([dict(event) for event in events], "like", event_type)
