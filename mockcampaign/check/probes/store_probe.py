"""Probes that report what the consumer has stored: a URL, a command, or a Python callable."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from mockcampaign.check.probes.run_command import parsed, printed
from mockcampaign.check.probes.stored_list import ListReader
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.consumer_store import PROBE_BYTES_MAX, Probe, found_in
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.transport import Transport

Found = list[Any] | int
"""The stored events, with whatever else is stored among them, or only their number."""

Ask = Callable[[], Found | Awaitable[Found]]


class StoreProbe(Protocol):
    """Something that reports what the consumer has stored."""

    @property
    def reports_events(self) -> bool:
        """Whether the probe reports the events themselves, not only their number."""
        ...

    async def ask(self) -> Found:
        """Return what is stored at this moment. Raise `CouldNotTellError` if the probe cannot be read."""
        ...


class Counter(msgspec.Struct, frozen=True):
    """Another number that the consumer reports of its events, such as a total on a dashboard."""

    name: str
    probe: StoreProbe


async def probe_outcome(
    request: Request, send: Callable[[Request], Awaitable[Outcome]], possible: frozenset[type[Fault]]
) -> Outcome:
    """Return the outcome of a probe's request; `possible` are the faults that the transport can inject."""
    outcome = await send(request)
    if not outcome.accepted and NewConnection in possible:
        # Earlier requests may have left the connection in a bad state.
        outcome = await send(msgspec.structs.replace(request, faults=(NewConnection(),)))
    return outcome


class UrlProbe:
    """Reads the stored events from a URL of the consumer."""

    def __init__(self, probe: Probe, transport: Transport, *, timeout: int) -> None:
        """`timeout` is in milliseconds."""
        self.probe = probe
        self._transport = transport
        self._timeout = timeout
        self._reader = ListReader()

    @property
    def reports_events(self) -> bool:
        return self.probe.count is None

    async def ask(self) -> Found:
        request = self.probe.request(self._timeout)
        outcome = await probe_outcome(request, self._transport.send, self._transport.faults)
        return self.probe.found(outcome, self._reader.decode)


class CommandProbe:
    """Reads the stored events from the output of a command, which is JSON."""

    def __init__(self, command: str, *, events: str | None = None, count: str | None = None, timeout: int) -> None:
        """`events` or `count` is a JMESPath in the output; `timeout` is in milliseconds."""
        self._command = parsed(command)
        self._events = events
        self._count = count
        self._timeout = timeout
        self._reader = ListReader()

    @property
    def reports_events(self) -> bool:
        return self._count is None

    async def ask(self) -> Found:
        whose = "probe command"
        text = await printed(self._command, whose, timeout=self._timeout)
        if len(text) > PROBE_BYTES_MAX:
            raise CouldNotTellError(f"{whose}: printed more than {PROBE_BYTES_MAX} bytes")
        try:
            decoded = self._reader.decode(text)
        except msgspec.DecodeError:
            raise CouldNotTellError(f"{whose}: did not print JSON") from None
        return found_in(decoded, whose, events=self._events, count=self._count)


class CallableProbe:
    """Gets the stored events from a function, synchronous or asynchronous."""

    def __init__(self, ask: Ask, *, reports_events: bool = True) -> None:
        """`reports_events` is False if the function returns only a number."""
        self._ask = ask
        self.reports_events = reports_events

    async def ask(self) -> Found:
        found = self._ask()
        if inspect.isawaitable(found):
            found = await found
        return found_in(found, "probe", **({} if self.reports_events else {"count": "@"}))


def url_and_path(text: str) -> tuple[str, str]:
    """Split `URL#JMESPATH` into both; without a path, the whole response is the number."""
    url, _, path = text.partition("#")
    return url, path or "@"


def counter_at(text: str, transport: Transport, *, timeout: int, name: str = "") -> Counter:
    """Return the counter at `URL#JMESPATH`; `timeout` is in milliseconds."""
    url, path = url_and_path(text)
    return Counter(name or text, UrlProbe(Probe(url=url, count=path), transport, timeout=timeout))
