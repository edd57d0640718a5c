"""Reading and judging the consumer's end state: the newest event of each mail or recipient."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from mockcampaign.check.probes.question import Question, Selection, Values
from mockcampaign.check.probes.store_probe import arguments, filled_url, parameters_of, probe_outcome
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe, searched, shown
from mockcampaign.masking import shown_url
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.moment import read_moment
from mockcampaign.shape.placeholders import Placeholder, in_braces
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport

OPEN = builtin_shape(EventType.OPEN)

State = Mapping[str, Any] | str | int
"""Fields of the newest event, or only its time, in milliseconds since 1970 or as date and time (ISO 8601)."""

States = Mapping[str, State]
"""States by the id of a mail or recipient."""


class StateSource(Protocol):
    """Something that reports the end state."""

    async def ask(self, question: Question | None = None) -> States:
        """Return the current end state of the mails in question. Raise `CouldNotTellError` if it cannot be read."""
        ...


class UrlState:
    """Reads the end state from a URL of the consumer."""

    def __init__(self, url: str, transport: Transport, *, states: str = "@", timeout: int, shape: Shape = OPEN) -> None:
        """`states` is a JMESPath to the states in the response; `timeout` is in milliseconds."""
        self._shape = shape
        self.url = url
        self._selection = Selection(in_braces(url, f"state probe {shown_url(url)}"), self._fetch)
        self._states = states
        self._transport = transport
        self._timeout = timeout

    async def ask(self, question: Question | None = None) -> States:
        return _merged(await self._selection.replies(question))

    async def _fetch(self, values: Values) -> States:
        probe = Probe(url=filled_url(self.url, values))
        outcome = await probe_outcome(probe.request(self._timeout), self._transport.send, self._transport.faults)
        whose = f"state probe {shown_url(self.url)}"
        return states_in(searched(probe.decoded(outcome), whose, self._states), whose, self._shape)


class CallableState:
    """Gets the end state from a function, synchronous or asynchronous."""

    def __init__(
        self,
        ask: Callable[..., Any | Awaitable[Any]],
        shape: Shape = OPEN,
        *,
        wanted: frozenset[Placeholder] | None = None,
    ) -> None:
        """`wanted` are the placeholders that it gets as arguments (default: those that it has parameters for)."""
        self._ask = ask
        self._shape = shape
        self._selection = Selection(parameters_of(ask, "state probe") if wanted is None else wanted, self._fetch)

    async def ask(self, question: Question | None = None) -> States:
        return _merged(await self._selection.replies(question))

    async def _fetch(self, values: Values) -> States:
        found = self._ask(**arguments(self._selection, values))
        if inspect.isawaitable(found):
            found = await found
        return states_in(found, "state probe", self._shape)


def _merged(replies: Iterable[tuple[object, States]]) -> States:
    return {owner: state for _, states in replies for owner, state in states.items()}


def states_in(found: Any, whose: str, shape: Shape = OPEN) -> States:
    """Read states from a mapping by the id of a mail or recipient, or from a list of objects that contain one of them.

    Raises `CouldNotTellError`, which begins with `whose`, if it is neither.
    """
    if isinstance(found, Mapping):
        wrong = next((value for value in found.values() if not _is_state(value)), None)
        if wrong is None:
            return found
        time = shape.name(Role.MOMENT)
        raise CouldNotTellError(f"{whose}: {shown(wrong)} is no state, expected fields of an event or its {time}")
    names = " or ".join(shape.name(role) for role in _OWNERS[:2] if shape.has(role))
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return {owner: row for row in found for owner in _owners(row, shape)[:1]}
    raise CouldNotTellError(
        f"{whose}: {shown(found)}, expected an object by {names}, or a list of objects with one of them"
    )


_OWNERS = (Role.MAIL, Role.RECIPIENT, Role.RECIPIENT_ADDRESS)
"""Roles by whose values there may be states, the most exact first."""


def _owners(event: Event, shape: Shape) -> list[str]:
    """Return the ids by which the event's state may be found: of its mail, or of whatever identifies that."""
    key = shape.key(event)
    joined = [] if key is None else [" ".join(map(str, key))]
    return [*joined, *(str(value) for role in _OWNERS if (value := shape.get(event, role)) is not None)]


def knows_any(events: Iterable[Event], states: States, shape: Shape) -> bool:
    """Return whether there is a state of any of the events."""
    return any(_of(event, states, shape) is not None for event in events)


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping | str | int) and not isinstance(value, bool)


class Stale(msgspec.Struct, frozen=True, kw_only=True):
    """A difference between an end state and the newest event."""

    field: str | None = None
    """The first field that differs; None if there is no state at all."""
    stated: str = ""
    """The field's value in the state, as text."""
    newest: str = ""
    """The field's value in the newest event, as text."""


def stale(newest: Event, states: States, shape: Shape) -> Stale | None:
    """Return how the state of an event's mail or recipient differs from this event, which is its newest one.

    Compares the fields in which events of a mail differ, and leaves the others to the rules about fields.
    """
    state = _of(newest, states, shape)
    if state is None:
        return Stale()
    expected = _distinctive(newest, shape)
    for role, value in _distinctive(state, shape).items():
        if value != expected.get(role):
            return Stale(field=shape.name(role), stated=str(value), newest=str(expected.get(role)))
    return None


def distinguishes_events(newest: Event, states: States, shape: Shape) -> bool:
    """Return whether the state, if there is one, has any field in which events of a mail differ."""
    state = _of(newest, states, shape)
    return state is None or bool(_distinctive(state, shape))


def _of(event: Event, states: States, shape: Shape) -> State | None:
    return next((states[owner] for owner in _owners(event, shape) if owner in states), None)


def _distinctive(state: State, shape: Shape) -> dict[Role, object]:
    """Return the time in milliseconds, and the address, of an event or a state."""
    if not isinstance(state, Mapping):
        moment = read_moment(state)
        return {} if moment is None else {Role.MOMENT: moment}
    fields = dict(state)
    found = {Role.MOMENT: shape.moment(fields), Role.NETWORK_ADDRESS: shape.get(fields, Role.NETWORK_ADDRESS)}
    return {role: value for role, value in found.items() if value is not None}
