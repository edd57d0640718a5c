"""HTTP/1.1 over sockets: a keep-alive pool of `Connection`s for each origin.

An attempt that was cut is an outcome. Nothing is ever sent again here, not even on a connection that turns out to be
stale: whether the consumer has seen the list cannot be known, and repeating it is the engine's decision.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable
from pathlib import Path

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import NoAnswer, Outcome, Request, TimedOut
from mockcampaign.transport.address import Address, parse_address
from mockcampaign.transport.connection import Connection

IDLE_SECONDS_MAX = 1.0
"""An idle connection is not used again after this. Servers close idle ones after some seconds, and while virtual time
kept this process busy, that news may not have been read yet."""

_Origin = tuple[bool, str, int]


class WireTransport:
    """Sends over sockets. `ca_file` adds to the trusted certificates; `verify=False` accepts any."""

    def __init__(self, *, ca_file: Path | None = None, verify: bool = True) -> None:
        self._ca_file = ca_file
        self._verify = verify
        self._idle: dict[_Origin, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._connecting: set[asyncio.Task[Outcome]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def send(self, request: Request) -> Awaitable[Outcome]:
        """What came of the request. Raises `InvalidInputError` where URL or headers cannot be sent at all."""
        address = parse_address(request.url)
        head = _encode_head(request.method, address, request.headers)
        message = b"%s%d\r\n\r\n%s" % (head, len(request.body), request.body)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.timeout / 1_000
        connection = self._idle_connection(_origin(address), loop.time())
        if connection is not None:
            return connection.exchange(
                message, body_bytes_kept=request.response_body_bytes_kept, deadline=deadline
            )
        task = loop.create_task(self._send_anew(address, message, request.response_body_bytes_kept, deadline))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def aclose(self) -> None:
        """Close all connections, and wait until they are closed."""
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in list(self._all):
            connection.close()
        while self._all:
            await asyncio.sleep(0)
        self._idle.clear()

    def _idle_connection(self, origin: _Origin, now: float) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.idle_since <= IDLE_SECONDS_MAX:
                return connection
            connection.close()
        return None

    async def _send_anew(self, address: Address, message: bytes, body_bytes_kept: int, deadline: float) -> Outcome:
        phases = _Phases()
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._connect(address, phases)
        except TimeoutError:
            return TimedOut(phases.now)
        except ssl.SSLError as error:
            return NoAnswer("tls", _tls_reason(error))
        except socket.gaierror:
            return NoAnswer("resolve", "the host name does not resolve")
        except ConnectionRefusedError:
            return NoAnswer("connect", "connection refused")
        except ConnectionError:
            return NoAnswer(phases.now, "connection reset during the TLS handshake" if address.tls else "connection reset")
        except OSError:
            return NoAnswer("connect", "no route to the host")
        return await connection.exchange(message, body_bytes_kept=body_bytes_kept, deadline=deadline)

    async def _connect(self, address: Address, phases: _Phases) -> Connection:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        phases.now = "connect"
        failure: OSError = OSError("no address")
        origin = _origin(address)
        for family, _, protocol, _, target in found:
            connected = socket.socket(family, socket.SOCK_STREAM, protocol)
            try:
                connected.setblocking(False)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(connected, target)
                phases.now = "tls" if address.tls else "send"
                _, connection = await loop.create_connection(
                    lambda: Connection(lambda one: self._released(origin, one)),
                    sock=connected,
                    ssl=self._tls_context() if address.tls else None,
                    server_hostname=address.host if address.tls else None,
                )
            except OSError as error:
                connected.close()
                if isinstance(error, ssl.SSLError) or phases.now == "tls":
                    raise
                failure = error
            except BaseException:
                connected.close()
                raise
            else:
                self._all.add(connection)
                return connection
        raise failure

    def _released(self, origin: _Origin, connection: Connection) -> None:
        if connection.usable:
            self._idle.setdefault(origin, []).append(connection)
        elif connection._transport is None:
            self._all.discard(connection)

    @functools.cache  # noqa: B019  (one transport lives as long as its run)
    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(self._ca_file)
            except (OSError, ssl.SSLError):
                raise InvalidInputError(f"{self._ca_file}: not a readable CA file, allowed: PEM certificates") from None
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


async def wait_until_reachable(url: str, timeout: int) -> bool:
    """Whether something accepts connections there within `timeout` milliseconds."""
    address = parse_address(url)
    with_limit = asyncio.timeout(timeout / 1_000)
    try:
        async with with_limit:
            while True:
                try:
                    _, writer = await asyncio.open_connection(address.host, address.port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    return True
    except TimeoutError:
        return False


class _Phases:
    """How far an attempt to connect has got."""

    now = "resolve"


def _origin(address: Address) -> _Origin:
    return address.tls, address.host, address.port


@functools.lru_cache(maxsize=1024)
def _encode_head(method: str, address: Address, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Everything up to the body's length, which comes last."""
    lines = [f"{method} {address.path} HTTP/1.1", f"Host: {address.host_header}"]
    for name, value in headers:
        if not name or any(ord(char) <= 32 or ord(char) >= 127 or char == ":" for char in name):
            raise InvalidInputError(f"header name {name!r} cannot be sent, allowed: visible ASCII without ':'")
        if any(char in "\r\n\0" for char in value):
            raise InvalidInputError(f"header {name}: its value holds a line break or NUL, allowed: one line of text")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\nContent-Length: ").encode()


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message.rstrip('.')}"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "the port does not speak TLS"
    return "the TLS handshake failed"
