"""Probes that report what the consumer has stored: a URL, a command, or a Python callable."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import quote

import msgspec

from mockcampaign.check.probes.question import Found, Question, Selected, Selection, Values
from mockcampaign.check.probes.run_command import parsed, printed
from mockcampaign.check.probes.stored_list import ListReader
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.consumer_store import PROBE_BYTES_MAX, WHOLE, Probe, found_in
from mockcampaign.masking import shown_url
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.shape.placeholders import IN_BRACES, PLACEHOLDERS, Placeholder, in_braces, named
from mockcampaign.transport import Transport

Ask = Callable[..., Found | Awaitable[Found]]

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})
"""Programs that would run parts of a value as commands if it were part of their arguments."""


class StoreProbe(Protocol):
    """Something that reports what the consumer has stored."""

    @property
    def reports_events(self) -> bool:
        """Whether the probe reports the events themselves, not only their number."""
        ...

    @property
    def selection(self) -> Selection:
        """The placeholders by which the consumer can select events, and what is known of its use of them."""
        ...

    async def ask(self, question: Question | None = None) -> Found:
        """Return what is stored at this moment of the events in question, perhaps with others.

        Raise `CouldNotTellError` if the probe cannot be read.
        """
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
        self.selection = Selection(in_braces(probe.url, f"probe {shown_url(probe.url)}"), self._fetch)

    @property
    def reports_events(self) -> bool:
        return self.probe.count is None

    async def ask(self, question: Question | None = None) -> Found:
        return await self.selection.stored(question)

    async def _fetch(self, values: Values) -> Found:
        probe = msgspec.structs.replace(self.probe, url=filled_url(self.probe.url, values))
        request = probe.request(self._timeout)
        outcome = await probe_outcome(request, self._transport.send, self._transport.faults)
        return self.probe.found(outcome, self._reader.decode)


class CommandProbe:
    """Reads the stored events from the output of a command, which is JSON."""

    def __init__(self, command: str, *, events: str | None = None, count: str | None = None, timeout: int) -> None:
        """`events` or `count` is a JMESPath in the output; `timeout` is in milliseconds."""
        self._command = parsed(command)
        self.selection = Selection(command_placeholders(self._command, "probe command"), self._fetch)
        self._events = events
        self._count = count
        self._timeout = timeout
        self._reader = ListReader()

    @property
    def reports_events(self) -> bool:
        return self._count is None

    async def ask(self, question: Question | None = None) -> Found:
        return await self.selection.stored(question)

    async def _fetch(self, values: Values) -> Found:
        whose = "probe command"
        words = [filled(word, values, str) for word in self._command]
        variables = {PLACEHOLDERS[name].variable: _text(value, str) for name, value in values.items()}
        text = await printed(words, whose, timeout=self._timeout, bytes_max=PROBE_BYTES_MAX, variables=variables)
        try:
            decoded = self._reader.decode(text)
        except msgspec.DecodeError as error:
            raise CouldNotTellError(f"{whose}: did not print JSON: {error}") from None
        return found_in(decoded, whose, events=self._events, count=self._count)


class CallableProbe:
    """Gets the stored events from a function, synchronous or asynchronous."""

    def __init__(self, ask: Ask, *, reports_events: bool = True, wanted: frozenset[Placeholder] | None = None) -> None:
        """`reports_events` is False if the function returns only a number.

        `wanted` are the placeholders that it gets as arguments (default: those that it has parameters for).
        """
        self._ask = ask
        self.reports_events = reports_events
        self.selection = Selection(parameters_of(ask, "probe") if wanted is None else wanted, self._fetch)

    async def ask(self, question: Question | None = None) -> Found:
        return await self.selection.stored(question)

    async def _fetch(self, values: Values) -> Found:
        found = self._ask(**arguments(self.selection, values))
        if inspect.isawaitable(found):
            found = await found
        count = None if self.reports_events else WHOLE
        return found_in(found, "probe", count=count, advice="return one of them")


def url_and_path(text: str) -> tuple[str, str]:
    """Split `URL#JMESPATH` into both; without a path, the whole response is the number."""
    url, _, path = text.partition("#")
    return url, path or WHOLE


def counter_at(text: str, transport: Transport, *, timeout: int, name: str = "") -> Counter:
    """Return the counter at `URL#JMESPATH`; `timeout` is in milliseconds. Its name shows no secret of the URL."""
    url, path = url_and_path(text)
    return Counter(name or shown_url(text), UrlProbe(Probe(url=url, count=path), transport, timeout=timeout))


def filled(text: str, values: Values, encoded: Callable[[str], str]) -> str:
    """Return the text with values in place of its placeholders; one without a value is empty."""
    return IN_BRACES.sub(lambda found: _text(values.get(found[1], ""), encoded), text)


def filled_url(url: str, values: Values) -> str:
    """Return the URL with values, encoded for URLs, in place of its placeholders."""
    return filled(url, values, lambda one: quote(one.encode("utf-8", "surrogatepass"), safe=""))


def _text(value: Selected, encoded: Callable[[str], str]) -> str:
    if isinstance(value, str | int):
        return encoded(str(value))
    return ",".join(encoded(str(one)) for one in value)


def command_placeholders(words: list[str], where: str) -> frozenset[Placeholder]:
    """Return the placeholders of a command: in braces in its arguments, or the environment variables that it names.

    Raise `InvalidInputError`, which begins with `where`, for unknown ones, and for one in the text of a shell.
    """
    found = frozenset[Placeholder]().union(*(in_braces(word, where) for word in words))
    is_shell = any(os.path.basename(word) in SHELLS for word in words[:-1]) and "-c" in words
    if found and is_shell:
        one = next(one for one in PLACEHOLDERS.values() if one in found)
        raise InvalidInputError(f"{where}: {{{one.name}}} in the text of a shell, allowed: ${one.variable}")
    variables = (one for one in PLACEHOLDERS.values() if any(one.variable in word for word in words))
    return found.union(variables)


def parameters_of(function: Callable[..., object], where: str) -> frozenset[Placeholder]:
    """Return the placeholders whose values a function wants as parameters.

    Raise `InvalidInputError`, which begins with `where`, for a parameter that nobody could fill.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    wanted = {
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }
    by_parameter = {one.parameter: one for one in PLACEHOLDERS.values()}
    wrong = next((name for name in sorted(wanted) if name not in by_parameter), None)
    if wrong is not None:
        raise InvalidInputError(f"{where}: parameter {wrong!r} is unknown, allowed: {', '.join(by_parameter)}")
    return named({by_parameter[name].name for name in wanted}, where)


def arguments(selection: Selection, values: Values) -> dict[str, Selected | None]:
    """Return the arguments for a function whose parameters are these placeholders."""
    return {one.parameter: values.get(one.name) for one in selection.placeholders}
