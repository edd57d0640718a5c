"""A small HTTP/1.1 server around a consumer, as people write it without a framework.

It is correct; bugs replace its parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from mockcampaign.serving import base_url, listen

AsgiApp = Callable[[Any, Any, Any], Any]
Headers = dict[str, str]


class PlainConnection:
    """A connection, which handles its requests one after another."""

    def __init__(self, app: AsgiApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.app = app
        self.reader = reader
        self.writer = writer
        self.unread: Headers | None = None
        """The headers of a request whose body has not been read yet."""

    async def serve(self) -> None:
        """Handle all requests of the connection."""
        try:
            while await self.exchange():
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Whatever this was, it was not a request.
            self.writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        finally:
            self.writer.close()

    async def exchange(self) -> bool:
        """Handle one request; return whether the connection stays open for another."""
        start, *lines = (await self.read_head()).decode("latin-1").split("\r\n")
        method, target, version = start.split(" ")
        headers = self.headers(lines)
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        self.unread = headers
        status, fields, body = await self.call(method, target, headers)
        await self.leave_nothing_unread()
        # Every response has a length, so that the next one can follow it.
        fields["content-length"] = str(len(body))
        if not keep:
            fields["connection"] = "close"
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {fields[name]}" for name in fields)]
        await self.write("\r\n".join([*lines, "", ""]).encode("latin-1"), body)
        return keep

    async def write(self, head: bytes, body: bytes) -> None:
        """Write the whole response."""
        self.writer.write(head + body)
        await self.writer.drain()

    async def read_head(self) -> bytes:
        """Return all bytes before the empty line, in however many pieces they arrive."""
        return (await self.reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n")

    def headers(self, lines: list[str]) -> Headers:
        """Return the headers by name, in lower case."""
        pairs = (line.partition(":") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def read_body(self, headers: Headers) -> bytes:
        """Return as many bytes as Content-Length states, or all chunks up to the empty one."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int((await self.reader.readline()).partition(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        while (await self.reader.readline()).strip():
            pass  # trailers
        return body

    async def leave_nothing_unread(self) -> None:
        """Read the body of a request that was rejected without it: it would be parsed as the next request."""
        if self.unread is not None:
            await self.body()

    async def body(self) -> bytes:
        """Return the whole body, for which the application asks."""
        headers, self.unread = self.unread or {}, None
        if headers.get("expect", "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self.read_body(headers)

    async def call(self, method: str, target: str, headers: Headers) -> tuple[int, Headers, bytes]:
        """Return the response of the application: status, headers and body."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": self.writer.get_extra_info("peername")[:2],
            "server": self.writer.get_extra_info("sockname")[:2],
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": await self.body(), "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        started, *pieces = sent
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in started["headers"]}
        return started["status"], fields, b"".join(piece["body"] for piece in pieces)


@contextlib.contextmanager
def serve_plainly(
    app: AsgiApp, connection: type[PlainConnection] = PlainConnection, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Serve the application while the context is open, as `serving.serve_in_thread` does, with the same errors."""
    listening = listen(host, port)
    with asyncio.Runner() as runner:
        loop, stop = runner.get_loop(), asyncio.Event()
        main = _serve(app, connection, listening, stop)
        thread = threading.Thread(target=runner.run, args=(main,), name="mockcampaign-plain-server")
        thread.start()
        try:
            yield base_url("http", host, listening)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            listening.close()


async def _serve(
    app: AsgiApp, connection: type[PlainConnection], listening: socket.socket, stop: asyncio.Event
) -> None:
    open_ones: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(connection(app, reader, writer).serve())
        open_ones.add(task)
        task.add_done_callback(open_ones.discard)

    async with await asyncio.start_server(connected, sock=listening):
        await stop.wait()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
