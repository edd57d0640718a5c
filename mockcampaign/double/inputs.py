"""Arguments of a test as the engine's values: durations, event types, captured events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.durations import parse_duration
from mockcampaign.errors import MisuseError
from mockcampaign.events import Sample, load_sample, read_sample
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    EventType,
    KeyAuthentication,
    NoAuthentication,
)
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.shape.shape import Shape
from mockcampaign.text import kind_of, short, spelling_of, unknown

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


EMIT_COUNT_MAX = 10_000_000
"""Greatest number of events that one call emits. Ours: more would fill the memory of most machines."""


def count_of(value: int | object) -> int:
    """Return the number of events. Raises `MisuseError` for anything but a whole number from 1 to `EMIT_COUNT_MAX`."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= EMIT_COUNT_MAX:
        return value
    raise MisuseError(f"count {short(repr(value))}, allowed: a whole number from 1, such as 250, to {EMIT_COUNT_MAX:,}")


Credentials = str | tuple[str, str] | Authentication
"""Credentials of a webhook: `"user:password"`, a pair of both, or one of `model.Authentication`."""


def authentication_of(value: Credentials | object) -> Authentication | None:
    """Return the credentials. Raises `MisuseError`, which never quotes them, for anything else."""
    match value:
        case None | NoAuthentication() | BasicAuthentication() | KeyAuthentication():
            return value
        case str() if ":" in value:
            user_name, _, password = value.partition(":")
            return BasicAuthentication(user_name, password)
        case (str(user_name), str(password)):
            return BasicAuthentication(user_name, password)
    found = "a text without a colon" if isinstance(value, str) else kind_of(value)
    raise MisuseError(
        f'auth is {found}, allowed: ("user", "password"), "user:password" or mockcampaign.model.KeyAuthentication(…)'
    )


Rows = Iterable[Mapping[str, Any]]
"""Events that a consumer has stored, each a mapping, or a row that `dict` accepts."""


def rows_of(value: Rows | int | object) -> list[dict[str, Any]] | int:
    """Return the stored events, or their number. Raises `MisuseError` for anything else."""
    allowed = "allowed: the stored events, each a mapping of fields, or their number"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        found = str(value) if isinstance(value, int) else kind_of(value)
        raise MisuseError(f"processed is {found}, {allowed}")
    rows: list[dict[str, Any]] = []
    for row in value:
        try:
            event = dict(row)
            canonical(event)
        except (TypeError, ValueError) as error:
            why = f"an event that is no JSON ({error})" if isinstance(row, Mapping) else kind_of(row)
            raise MisuseError(f"processed[{len(rows)}] is {why}, {allowed}") from None
        rows.append(event)
    return rows


def field_names_of(value: Collection[str] | object, name: str, known: Collection[str]) -> tuple[str, ...] | None:
    """Return names of fields, or None for none given. Names of fields in objects have dots between them.

    Raises `MisuseError` for anything but a list of names, and for a field that is in no event.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Collection) or not all(isinstance(one, str) for one in value):
        raise MisuseError(f"{name} is {short(repr(value))}, allowed: a list of fields such as {list(known)[:2]}")
    if not value:
        raise MisuseError(f"{name}: no fields, allowed: at least one")
    for one in value:
        if one not in known and one.split(".")[0] not in known:
            raise MisuseError(f"{name}: {unknown('field', one, known)}")
    return tuple(value)


def check_spelling(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> None:
    """Raise `MisuseError` if no row has some of these fields, but one of another spelling, which is not compared."""
    held = dict.fromkeys(str(name) for row in rows for name in row)
    spelled = {spelling_of(name): name for name in held if name not in names}
    other = {name: spelled[spelling_of(name)] for name in names if name not in held and spelling_of(name) in spelled}
    if other:
        [(name, found), *_] = other.items()
        raise MisuseError(
            f"processed: the rows have no field {name}, but {found}: did you mean it? "
            "(allowed: the names of the events' fields)"
        )


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


def checked_events(events: Iterable[Mapping[str, Any] | object]) -> Iterator[Mapping[str, Any]]:
    """Yield the events. Raises `MisuseError` for one that is not a mapping."""
    for index, event in enumerate(events):
        if not isinstance(event, Mapping):
            raise MisuseError(f"emit: events[{index}] is {kind_of(event)}, allowed: a mapping of fields")
        yield event


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
