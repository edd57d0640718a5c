"""The consumer's end state: what it takes for the newest event of each mail or recipient, whatever came last."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe, searched, shown
from mockcampaign.transport import Transport

State = Mapping[str, Any] | str | int
"""Fields of the newest event, or its created alone, in milliseconds since 1970 or as date and time (ISO 8601)."""

States = Mapping[str, State]
"""By mailId or recipientId."""


class StateSource(Protocol):
    """Somebody who tells the end state."""

    async def ask(self) -> States:
        """The state as it is now. Raises `CouldNotTellError` where that cannot be learned."""
        ...


class UrlState:
    """The consumer tells it itself, at a URL."""

    def __init__(self, url: str, transport: Transport, *, states: str = "@", timeout: int) -> None:
        """`states` is a JMESPath that leads to the state in the answer; `timeout` in milliseconds."""
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
    """A function returns it, at once or as something to await."""

    def __init__(self, ask: Callable[[], Any | Awaitable[Any]]) -> None:
        self._ask = ask

    async def ask(self) -> States:
        found = self._ask()
        if inspect.isawaitable(found):
            found = await found
        return states_in(found, "state probe")


def states_in(found: Any, whose: str) -> States:
    """A mapping by mailId or recipientId, or a list of objects that hold one of the two.

    Raises `CouldNotTellError`, which begins with `whose`, where it is neither.
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


def stale(newest: Mapping[str, Any], states: States) -> str | None:
    """How the state of an event's mail or recipient shows that it is not of this event, which is the newest one.

    Looks at what tells events of a mail apart, and leaves all else to rules about fields.
    """
    state = _of(newest, states)
    if state is None:
        return "there is none"
    for name, value in _telling(state).items():
        if value != newest.get(name):
            return f"its {name} is {value}, not {newest.get(name)}"
    return None


def tells_apart(newest: Mapping[str, Any], states: States) -> bool:
    """Whether the state, if there is one, has anything in which events of a mail differ."""
    state = _of(newest, states)
    return state is None or bool(_telling(state))


def _of(event: Mapping[str, Any], states: States) -> State | None:
    return states.get(event["mailId"], states.get(event["recipientId"]))


def _telling(state: State) -> dict[str, Any]:
    fields = state if isinstance(state, Mapping) else {"created": state}
    found = {"created": moment(fields.get("created")), "remoteAddress": fields.get("remoteAddress")}
    return {name: value for name, value in found.items() if value is not None}


def moment(created: Any) -> int | None:
    """Milliseconds since 1970, also of a date and time as text."""
    if isinstance(created, str):
        try:
            at = datetime.fromisoformat(created)
        except ValueError:
            return None
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)
    return created if isinstance(created, int) and not isinstance(created, bool) else None
