"""Endpoints that behave and misbehave as told, byte by byte, and the sender that meets them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import trustme

from mockcampaign.model import Outcome, Request, Responded, TimedOut
from mockcampaign.transport.wire import WireTransport

Run = Callable[[Coroutine[Any, Any, None]], None]
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OK_OUTCOME = Responded(200, (), b"ok", 2)
BODY = b'[{"n":1},{"n":2}]'
LARGE = b"x" * (24 * 1024 * 1024)
"""More than the socket buffers on both sides hold."""


def request_to(url: str, **changes: Any) -> Request:
    """A request that is in no hurry, but for what `changes` says."""
    settings: dict[str, Any] = {"method": "POST", "headers": (), "timeout": 10_000, "response_body_bytes_kept": 4_096}
    return Request(url=url, **(settings | changes))


class Endpoint:
    """Treats each connection as `behave` does, and remembers what came in."""

    def __init__(self, behave: Behaviour) -> None:
        self.connections = 0
        self.url = ""
        self._behave = behave
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._behave(reader, writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        except asyncio.CancelledError:
            pass  # asyncio would complain about a handler that ends like that
        finally:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def serving(
        self, *, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Endpoint]:
        server = await asyncio.start_server(self._serve, host, port, ssl=context)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/hook"
        try:
            yield self
        finally:
            # A connection that asyncio is about to accept would be left over by a server that is closed.
            for _ in range(3):
                await asyncio.sleep(0)
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


def answering(*answers: bytes) -> Behaviour:
    """Answers the requests of a connection one by one, and closes after the last."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return behave


def stalling(*, answer: bytes = b"", reads: bool = True) -> Behaviour:
    """Sends a part of an answer, and then waits for a sender that loses patience."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reads:
            await read_request(reader)
        writer.write(answer)
        await asyncio.Event().wait()

    return behave


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection by RST."""
    lingering = writer.get_extra_info("socket")
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """In the end there must be no more tasks and descriptors than at the beginning."""
    # uvloop opens one of its own when it first serves.
    async with Endpoint(answering()).serving():
        pass
    tasks, descriptors = asyncio.all_tasks(), _descriptors()
    yield
    async with asyncio.timeout(60):
        while asyncio.all_tasks() != tasks or len(_descriptors()) > len(descriptors):
            await asyncio.sleep(0)


def _descriptors() -> list[str]:
    return os.listdir("/dev/fd") if os.path.isdir("/dev/fd") else []


@contextlib.asynccontextmanager
async def wired(**settings: Any) -> AsyncIterator[WireTransport]:
    """A transport that must have given everything back in the end."""
    transport = WireTransport(**settings)
    try:
        yield transport
    finally:
        await transport.aclose()
    assert not transport._open
    assert not transport._under_way
    assert not any(transport._idle.values())


async def outcome_of(behave: Behaviour, **changes: Any) -> Outcome:
    async with Endpoint(behave).serving() as endpoint, wired() as transport:
        return await transport.send(request_to(endpoint.url, **changes))


async def timed_out_in(phase: str, send: Callable[[int], Awaitable[Outcome]]) -> Outcome:
    """Return the outcome with the first of ever longer time-outs with which the exchange gets as far as that phase.

    However slow the machine is, one of them leaves it enough time.
    """
    outcome: Outcome = TimedOut(phase)
    for timeout in (50, 500, 5_000, 50_000):
        outcome = await send(timeout)
        if outcome == TimedOut(phase):
            break
    return outcome


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until something has happened."""
    while not condition():
        await asyncio.sleep(0)


def unused_port() -> int:
    with socket.socket() as briefly:
        briefly.bind(("127.0.0.1", 0))
        port: int = briefly.getsockname()[1]
        return port


AUTHORITY = trustme.CA()


def server_context(*names: str, **validity: datetime.datetime) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*names, **validity).configure_cert(context)
    return context


def self_signed_context(folder: Path) -> ssl.SSLContext:
    """The certificate is an authority of its own."""
    authority = trustme.CA()
    (folder / "self.pem").write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem")
    return context
