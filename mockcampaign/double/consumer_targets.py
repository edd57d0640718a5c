"""The consumers that a test names, and the transport that leads to them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urljoin, urlsplit

import msgspec

from mockcampaign.errors import MisuseError
from mockcampaign.faults import WIRE_FAULTS
from mockcampaign.text import short
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.applications import is_async, positional_arguments

if TYPE_CHECKING:
    from mockcampaign.double.loops import OffLoopCalls
    from mockcampaign.model import Fault, Outcome, Request
    from mockcampaign.transport import Transport
    from mockcampaign.transport.inprocess import AsgiTransport
    from mockcampaign.transport.wire import WireTransport

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

ORIGIN = "http://testserver"
"""Origin of the first application called in-process. In tests, Django accepts this host name, and few others."""

FIRST_PORT = 8001
"""Port of the second application."""

ALLOWED = (
    "a URL, an ASGI or WSGI application, or an object with a `url` (or `url_for`, `make_url`), such as a live server"
)


class HasUrl(Protocol):
    """A running server, such as Django's live server."""

    @property
    def url(self) -> str: ...


class HasUrlFor(Protocol):
    """A running server, such as that of pytest-httpserver."""

    def url_for(self, suffix: str, /) -> str: ...


class HasMakeUrl(Protocol):
    """A running server, such as aiohttp's test server."""

    def make_url(self, path: str, /) -> object: ...


Target = str | HasUrl | HasUrlFor | HasMakeUrl | Callable[..., Any]
"""A consumer: a URL, a running server, or an ASGI or WSGI application, which is called in-process."""

Kind = Literal["url", "asgi", "wsgi"]

Settled = Callable[[], Awaitable[object] | object]
"""A function that returns, or can be awaited, when the consumer has nothing left to do."""


class Application(msgspec.Struct, frozen=True):
    """An application that is called in-process."""

    app: Any
    kind: Kind
    lifespan: bool


def recognise(target: object) -> tuple[Kind, object]:
    """Return the kind of the target, and its URL or application. Raises `MisuseError` for any other object."""
    if isinstance(target, str):
        return "url", target
    url = getattr(target, "url", None)
    if isinstance(url, str):
        return "url", url
    url_for = getattr(target, "url_for", None)
    if callable(url_for) and not callable(target):
        return "url", str(url_for("/"))
    make_url = getattr(target, "make_url", None)
    if callable(make_url) and not callable(target):
        return "url", str(make_url("/"))
    if not callable(target) or inspect.isclass(target):
        raise MisuseError(f"target {short(repr(target), 80)} is not a consumer, allowed: {ALLOWED}")
    if is_async(target):
        return _check_arguments(target, "asgi", 3)
    wanted = positional_arguments(target)
    return _check_arguments(target, "asgi", 3) if wanted == 3 else _check_arguments(target, "wsgi", 2)


def _check_arguments(target: object, kind: Kind, count: int) -> tuple[Kind, object]:
    wanted = positional_arguments(target)
    if wanted is not None and wanted != count:
        article = "an" if kind == "asgi" else "a"
        form = "(scope, receive, send)" if kind == "asgi" else "(environ, start_response)"
        raise MisuseError(
            f"target {short(repr(target), 80)} takes {wanted} arguments, but {article} {kind.upper()} application "
            f"takes {form}; allowed: {ALLOWED}"
        )
    return kind, target


class Targets:
    """The transport of a test's campaign: a request goes to the application behind its URL, or over a socket.

    Transports are made when they are first needed, and belong to the event loop that runs then. After `aclose`, new
    ones are made.
    """

    def __init__(self, before_request: Callable[[], object] = lambda: None) -> None:
        """`before_request` is called before each request."""
        self._before_request = before_request
        self._applications: dict[str, Application] = {}
        self._rerouted: dict[str, str] = {}
        self._settled: list[Settled] = []
        self._called: dict[str, AsgiTransport] = {}
        self._wire: WireTransport | None = None
        self.make_wire: Callable[[], WireTransport] | None = None
        """Makes the transport over sockets; None for one with the usual settings."""
        self.off_loop_calls: OffLoopCalls | None = None
        """Makes the calls of WSGI applications; None if threads make them."""

    def url_of(self, target: Target, path: str = "", *, lifespan: bool = True, settled: Settled | None = None) -> str:
        """Return the URL that leads to the target.

        Raises `MisuseError` for an object that is not a target, and `InvalidInputError` for a malformed URL.
        """
        kind, found = recognise(target)
        if settled is not None and settled not in self._settled:
            self._settled.append(settled)
        if kind == "url":
            return url_with_path(str(found), path)
        _check_path(path)
        return self._origin_of(Application(found, kind, lifespan)) + (path or "/")

    def reroute(self, url: str, target: Target) -> None:
        """Send requests for the URL's origin to the target instead."""
        origin = origin_of(url)
        kind, found = recognise(target)
        if kind == "url":
            self._rerouted[origin] = origin_of(str(found))
        else:
            self._applications[origin] = Application(found, kind, True)

    def _origin_of(self, application: Application) -> str:
        for origin, known in self._applications.items():
            if known.app is application.app:
                return origin
        count = len(self._applications)
        origin = ORIGIN if count == 0 else f"{ORIGIN}:{FIRST_PORT + count - 1}"
        self._applications[origin] = application
        return origin

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """Types of the faults that the transports of all consumers can inject."""
        if not self._applications:
            return WIRE_FAULTS
        from mockcampaign.transport.inprocess import AsgiTransport

        return WIRE_FAULTS & AsgiTransport.faults

    async def send(self, request: Request) -> Outcome:
        """Send the request and return its outcome."""
        self._before_request()
        origin = origin_of(request.url)
        elsewhere = self._rerouted.get(origin)
        if elsewhere is not None:
            request = msgspec.structs.replace(request, url=elsewhere + request.url.removeprefix(origin))
        if origin in self._applications:
            transport = self._called.get(origin)
            if transport is None:
                transport = self._called[origin] = self._transport(self._applications[origin])
                transport.watch()
            return await transport.send(request)
        if self._wire is None:
            from mockcampaign.transport.wire import WireTransport

            self._wire = WireTransport() if self.make_wire is None else self.make_wire()
        return await self._wire.send(request)

    def watch(self) -> None:
        """From now on, count new tasks as the applications', so that `settle` waits for them."""
        for transport in self._called.values():
            transport.watch()

    async def settle(self, timeout: int) -> None:
        """Wait until the consumers have nothing left to do, up to `timeout` milliseconds for each application."""
        for transport in self._called.values():
            await transport.settle(timeout / 1_000)
        for settled in self._settled:
            waiting = settled()
            if inspect.isawaitable(waiting):
                await waiting

    async def aclose(self) -> None:
        """Close all transports."""
        transports: list[Transport] = [*self._called.values(), *([] if self._wire is None else [self._wire])]
        self._called.clear()
        self._wire = None
        for transport in transports:
            await transport.aclose()

    def _transport(self, application: Application) -> AsgiTransport:
        from mockcampaign.transport.inprocess import AsgiTransport, WsgiTransport

        if application.kind == "asgi":
            return AsgiTransport(application.app, lifespan=application.lifespan)
        if self.off_loop_calls is None:
            return WsgiTransport(application.app)
        from mockcampaign.transport.wsgi import DirectWsgiTransport

        return DirectWsgiTransport(application.app, self.off_loop_calls.make)


def url_with_path(url: str, path: str) -> str:
    """Return the URL with another path, if one is given. Raises the errors of `Targets.url_of`."""
    _check_path(path)
    url = urljoin(url, path) if path else url
    parse_address(url)
    return url


def _check_path(path: str) -> None:
    if path and not path.startswith("/"):
        raise MisuseError(f"path {path!r} does not start with a slash, allowed: a path such as '/hook'")


def origin_of(url: str) -> str:
    """Return the URL up to its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
