"""HTTP/1.1 over sockets, with a pool of kept connections for each scheme, host and port.

A cut connection is an outcome. Nothing is sent twice here, not even after a stale connection: whether the consumer has
seen the batch is unknown, and the engine decides on retries. Redirects are not followed, and cookies not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from collections.abc import Awaitable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign.errors import CouldNotTellError, MockcampaignError
from mockcampaign.faults import WIRE_FAULTS
from mockcampaign.model import Measured, NoResponse, Outcome, Request, TimedOut
from mockcampaign.transport.address import NO_ROUTES, Address, Routes, encode_head, parse_address
from mockcampaign.transport.connection import Connection
from mockcampaign.transport.dial import dial, trust
from mockcampaign.transport.script import Script, script
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.wallclock import seconds

IDLE_SECONDS_MAX = 1.0
"""A connection that was idle for longer is not used. Servers close idle ones after some seconds, and this process may
not have noticed while it was busy with virtual time."""

POLL_SECONDS = 0.1
"""Pause between two attempts of `wait_until_reachable`."""

_Origin = tuple[bool, str, int]


class WireTransport:
    """Sends over sockets. Use and close it within one event loop."""

    faults = WIRE_FAULTS

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        verify: bool = True,
        targets: AllowedTargets | None = None,
        routes: Routes = NO_ROUTES,
    ) -> None:
        """`ca_file` adds certificates to those that the system trusts; without `verify`, any certificate is accepted.
        Without `targets`, requests may go to any host. `routes` lead requests for some hosts elsewhere.

        Raises `InvalidInputError` if the file cannot be used.
        """
        self.targets = targets
        """The hosts that requests may go to; None: all."""
        self._verify = verify
        self._routes = routes
        self._context: ssl.SSLContext | None = None if ca_file is None else trust(ca_file, verify=verify)
        self._idle: dict[_Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._under_way: set[asyncio.Task[Outcome]] = set()

    def another(self) -> WireTransport:
        """Return a transport with the same settings and no connections yet, for another event loop."""
        made = WireTransport(verify=self._verify, targets=self.targets, routes=self._routes)
        made._context = self._context
        return made

    def send(self, request: Request) -> Awaitable[Outcome]:
        """Send a request, at once if a connection is kept; see `Transport.send`."""
        if request.faults:
            return self._task(self._send_with_faults(request, script(request, self._host_header(request.url))))
        host_header = self._host_header(request.url) if self._routes.host_headers else None
        address, head = encode_head(request.method, request.url, request.headers, host_header)
        if address.tls:
            self._prepare_for(address)
        head = b"%b%d\r\n\r\n" % (head, len(request.body))
        began = seconds()
        connection = self._take_idle((address.tls, address.host, address.port), began - IDLE_SECONDS_MAX)
        if connection is None:
            return self._task(self._send_anew(address, request, head, began))
        return connection.exchange(request, head, began)

    async def aclose(self) -> None:
        """Cancel what is under way, close all connections and wait until they are closed."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        connections = list(self._open)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in connections))

    def _task(self, sending: Coroutine[Any, Any, Outcome]) -> asyncio.Task[Outcome]:
        task = asyncio.create_task(sending)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def _host_header(self, url: str) -> str | None:
        address = parse_address(url)
        return self._routes.host_headers.get((address.host, address.port))

    def _prepare_for(self, address: Address) -> None:
        # Not earlier, since the system's certificates take long to load, and most tested consumers do not need them;
        # and before an attempt begins, since the consumer is not to blame for that time.
        if address.tls and self._context is None:
            self._context = trust(None, verify=self._verify)

    def _take_idle(self, origin: _Origin, oldest: float) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            # Not the loop's time: uvloop's stands still while the loop is busy, which is the case that matters.
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, address: Address, request: Request, began: float) -> Connection | Outcome:
        idle = self._idle.setdefault((address.tls, address.host, address.port), [])
        make_connection = partial(Connection, connections=self._open, idle=idle)
        context = self._context if address.tls else None
        left = began + request.timeout / 1_000 - seconds()
        connection = await dial(address, make_connection, context, left, self.targets, self._routes)
        if isinstance(connection, NoResponse | TimedOut):
            measured = Measured(0, 0, int((seconds() - began) * 1_000_000))
            return msgspec.structs.replace(connection, measured=measured)
        # Not before: uvloop never reports a connection as lost if this task is cancelled while it connects.
        self._open.add(connection)
        return connection

    async def _send_anew(self, address: Address, request: Request, head: bytes, began: float) -> Outcome:
        with _errors_of_ours():
            connection = await self._connect(address, request, began)
            if isinstance(connection, Connection):
                return await connection.exchange(request, head, began)
            return connection

    async def _send_with_faults(self, request: Request, script: Script) -> Outcome:
        with _errors_of_ours():
            address = parse_address(request.url)
            self._prepare_for(address)
            began = seconds()
            oldest = began - IDLE_SECONDS_MAX if script.idle is None else -math.inf
            kept = None if script.fresh else self._take_idle((address.tls, address.host, address.port), oldest)
            if kept is not None and script.idle is not None:
                await asyncio.sleep(script.idle / 1_000 - (began - kept.idle_since))
                began = seconds()
            connection = kept if kept is not None and kept.usable else await self._connect(address, request, began)
            if not isinstance(connection, Connection):
                return connection
            return await connection.carry_out(request, script, began)


@contextlib.contextmanager
def _errors_of_ours() -> Iterator[None]:
    """Let only errors of ours out: any other one is not the consumer's failure."""
    try:
        yield
    except MockcampaignError:
        raise
    except Exception as error:
        raise CouldNotTellError(
            f"a request could not be sent, for a reason within mockcampaign: {type(error).__name__}: {error}"
        ) from error


async def wait_until_reachable(url: str, timeout: int, routes: Routes = NO_ROUTES) -> bool:
    """Whether something accepts connections at the URL's host and port within `timeout` milliseconds.

    Raises `InvalidInputError` if a webhook cannot have the URL.
    """
    address = parse_address(url)
    deadline = seconds() + timeout / 1_000
    while (left := deadline - seconds()) > 0:
        connection = await dial(address, partial(Connection, connections=set(), idle=[]), None, left, routes=routes)
        if isinstance(connection, Connection):
            connection.close()
            await connection.closed
            return True
        await asyncio.sleep(min(POLL_SECONDS, left))
    return False
