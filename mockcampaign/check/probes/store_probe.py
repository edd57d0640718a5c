"""Where a check asks what the consumer has processed: a URL, a command, or a Python callable."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from mockcampaign.check.probes.run_command import parsed, printed
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.consumer_store import ACCOUNT_BYTES_MAX, Probe, found_in
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.transport import Transport

Found = list[Any] | int
"""What was processed so far: the events, with whatever else was stored among them, or only their number."""

Ask = Callable[[], Found | Awaitable[Found]]


class StoreProbe(Protocol):
    """Somebody who tells what the consumer has processed."""

    @property
    def reports_events(self) -> bool:
        """Whether it tells the events themselves, not only their number."""
        ...

    async def ask(self) -> Found:
        """What was processed so far. Raises `CouldNotTellError` where that cannot be learned."""
        ...


async def answer(
    request: Request, send: Callable[[Request], Awaitable[Outcome]], possible: frozenset[type[Fault]]
) -> Outcome:
    """What a probe answers to its request; `possible` are the faults that may be sent."""
    outcome = await send(request)
    if not outcome.accepted and NewConnection in possible:
        # What was said on the connection before may have left it in a bad state.
        outcome = await send(msgspec.structs.replace(request, faults=(NewConnection(),)))
    return outcome


class UrlProbe:
    """The consumer tells it itself, at a URL."""

    def __init__(self, probe: Probe, transport: Transport, *, timeout: int) -> None:
        """`timeout` in milliseconds."""
        self.probe = probe
        self._transport = transport
        self._timeout = timeout

    @property
    def reports_events(self) -> bool:
        return self.probe.count is None

    async def ask(self) -> Found:
        request = self.probe.request(self._timeout)
        return self.probe.found(await answer(request, self._transport.send, self._transport.faults))


class CommandProbe:
    """A command prints it as JSON."""

    def __init__(self, command: str, *, events: str | None = None, count: str | None = None, timeout: int) -> None:
        """`events` or `count` is a JMESPath into what is printed; `timeout` in milliseconds."""
        self._command = parsed(command)
        self._events = events
        self._count = count
        self._timeout = timeout

    @property
    def reports_events(self) -> bool:
        return self._count is None

    async def ask(self) -> Found:
        whose = "probe command"
        text = await printed(self._command, whose, timeout=self._timeout)
        if len(text) > ACCOUNT_BYTES_MAX:
            raise CouldNotTellError(f"{whose}: printed more than {ACCOUNT_BYTES_MAX} bytes")
        try:
            answer = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise CouldNotTellError(f"{whose}: did not print JSON") from None
        return found_in(answer, whose, events=self._events, count=self._count)


class CallableProbe:
    """A function returns it, at once or as something to await."""

    def __init__(self, ask: Ask, *, reports_events: bool = True) -> None:
        """`reports_events` is False where it returns a number."""
        self._ask = ask
        self.reports_events = reports_events

    async def ask(self) -> Found:
        found = self._ask()
        if inspect.isawaitable(found):
            found = await found
        return found_in(found, "probe", **({} if self.reports_events else {"count": "@"}))
