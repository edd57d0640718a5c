"""Reading and judging the consumer's end state: the newest event of each mail or recipient."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe, searched, shown
from mockcampaign.transport import Transport

State = Mapping[str, Any] | str | int
"""Fields of the newest event, or only its `created`, in milliseconds since 1970 or as date and time (ISO 8601)."""

States = Mapping[str, State]
"""States by mailId or recipientId."""


class StateSource(Protocol):
    """Something that reports the end state."""

    async def ask(self) -> States:
        """Return the current end state. Raise `CouldNotTellError` if it cannot be read."""
        ...


class UrlState:
    """Reads the end state from a URL of the consumer."""

    def __init__(self, url: str, transport: Transport, *, states: str = "@", timeout: int) -> None:
        """`states` is a JMESPath to the states in the response; `timeout` is in milliseconds."""
        self.url = url
        self._probe = Probe(url=url)
        self._states = states
        self._transport = transport
        self._timeout = timeout

    async def ask(self) -> States:
        outcome = await self._transport.send(self._probe.request(self._timeout))
        whose = f"state probe {self._probe.url}"
        return states_in(searched(self._probe.decoded(outcome), whose, self._states), whose)


class CallableState:
    """Gets the end state from a function, synchronous or asynchronous."""

    def __init__(self, ask: Callable[[], Any | Awaitable[Any]]) -> None:
        self._ask = ask

    async def ask(self) -> States:
        found = self._ask()
        if inspect.isawaitable(found):
            found = await found
        return states_in(found, "state probe")


def states_in(found: Any, whose: str) -> States:
    """Read states from a mapping by mailId or recipientId, or from a list of objects that contain one of the two.

    Raises `CouldNotTellError`, which begins with `whose`, if it is neither.
    """
    if isinstance(found, Mapping):
        wrong = next((value for value in found.values() if not _is_state(value)), None)
        if wrong is None:
            return found
        raise CouldNotTellError(f"{whose}: {shown(wrong)} is no state, expected fields of an event or its created")
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return {str(row.get("mailId", row.get("recipientId"))): row for row in found}
    raise CouldNotTellError(
        f"{whose}: {shown(found)}, expected an object by mailId or recipientId, or a list of objects with one of them"
    )


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


def stale(newest: Mapping[str, Any], states: States) -> Stale | None:
    """Return how the state of an event's mail or recipient differs from this event, which is its newest one.

    Compares the fields in which events of a mail differ, and leaves the others to the rules about fields.
    """
    state = _of(newest, states)
    if state is None:
        return Stale()
    for name, value in _distinctive(state).items():
        if value != newest.get(name):
            return Stale(field=name, stated=str(value), newest=str(newest.get(name)))
    return None


def distinguishes_events(newest: Mapping[str, Any], states: States) -> bool:
    """Return whether the state, if there is one, has any field in which events of a mail differ."""
    state = _of(newest, states)
    return state is None or bool(_distinctive(state))


def _of(event: Mapping[str, Any], states: States) -> State | None:
    return states.get(event["mailId"], states.get(event["recipientId"]))


def _distinctive(state: State) -> dict[str, Any]:
    fields = state if isinstance(state, Mapping) else {"created": state}
    found = {"created": moment(fields.get("created")), "remoteAddress": fields.get("remoteAddress")}
    return {name: value for name, value in found.items() if value is not None}


def moment(created: Any) -> int | None:
    """Convert `created` to milliseconds since 1970; it may be a date and time (ISO 8601)."""
    if isinstance(created, str):
        try:
            at = datetime.fromisoformat(created)
        except ValueError:
            return None
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)
    return created if isinstance(created, int) and not isinstance(created, bool) else None
