"""HTTP/1.1 over sockets, with a pool of kept connections for each scheme, host and port.

An attempt that was cut is an outcome. Nothing is ever sent again here, not even on a connection that turns out to be
stale: whether the consumer has seen the list cannot be known, and repeating it is the engine's decision. Redirects are
not followed, and cookies not kept.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable
from functools import partial
from pathlib import Path

from mockcampaign.model import NoAnswer, Outcome, Request, TimedOut
from mockcampaign.transport.address import Address, encode_head, parse_address
from mockcampaign.transport.connection import Connection
from mockcampaign.transport.dial import dial, trust

IDLE_SECONDS_MAX = 1.0
"""A connection idle for longer is not used again. Servers close idle ones after some seconds, and while virtual time
kept this process busy, that news may not have been read yet."""

POLL_SECONDS = 0.1
"""Between two attempts of `wait_until_reachable`."""

_Origin = tuple[bool, str, int]


class WireTransport:
    """Sends over sockets. To be used within one event loop, and closed there."""

    def __init__(self, *, ca_file: Path | None = None, verify: bool = True) -> None:
        """`ca_file` adds to the certificates that the system trusts; without `verify` any certificate will do.

        Raises `InvalidInputError` where the file cannot be used.
        """
        self._verify = verify
        # The system's certificates take long to load, and most consumers under test have no use for them.
        self._context: ssl.SSLContext | None = None if ca_file is None else trust(ca_file, verify=verify)
        self._idle: dict[_Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[Outcome]] = set()

    def send(self, request: Request) -> Awaitable[Outcome]:
        """What came of the request, which is on its way already if a connection is kept; see `Transport.send`."""
        address, head = encode_head(request.method, request.url, request.headers)
        message = b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)
        seconds = request.timeout / 1_000
        connection = self._take_idle((address.tls, address.host, address.port))
        if connection is not None:
            return _exchange(connection, request, message, seconds)
        task = asyncio.create_task(self._send_anew(address, request, message, seconds))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def aclose(self) -> None:
        """Cancel what is under way, close all connections and wait until they are closed."""
        under_way = list(self._connecting)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        connections = list(self._open)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in connections))

    def _take_idle(self, origin: _Origin) -> Connection | None:
        idle = self._idle.get(origin)
        # Not the loop's time: uvloop's stands still while the loop is busy, which is the very case that matters.
        oldest = time.monotonic() - IDLE_SECONDS_MAX
        while idle:
            connection = idle.pop()
            if connection.usable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def _send_anew(self, address: Address, request: Request, message: bytes, seconds: float) -> Outcome:
        deadline = time.monotonic() + seconds
        if address.tls and self._context is None:
            self._context = trust(None, verify=self._verify)
        origin = (address.tls, address.host, address.port)
        idle = self._idle.setdefault(origin, [])
        make_connection = partial(Connection, connections=self._open, idle=idle)
        connection = await dial(address, make_connection, self._context if address.tls else None, seconds)
        if isinstance(connection, NoAnswer | TimedOut):
            return connection
        # Not before: uvloop never tells a connection that it is lost if this task is cancelled while it is made.
        self._open.add(connection)
        return await _exchange(connection, request, message, deadline - time.monotonic())


def _exchange(connection: Connection, request: Request, message: bytes, seconds: float) -> asyncio.Future[Outcome]:
    return connection.exchange(
        message,
        seconds,
        body_bytes_kept=request.response_body_bytes_kept,
        headers_only=request.method == "HEAD",
    )


async def wait_until_reachable(url: str, timeout: int) -> bool:
    """Whether something accepts connections at the URL's host and port within `timeout` milliseconds.

    Raises `InvalidInputError` where the URL is not one a webhook can have.
    """
    address = parse_address(url)
    deadline = time.monotonic() + timeout / 1_000
    while (seconds := deadline - time.monotonic()) > 0:
        connection = await dial(address, partial(Connection, connections=set(), idle=[]), None, seconds)
        if isinstance(connection, Connection):
            connection.close()
            await connection.closed
            return True
        await asyncio.sleep(min(POLL_SECONDS, seconds))
    return False
