"""A small HTTP/1.1 server of one's own around a consumer, as people write it who do not want a framework.

It is right as it stands; bugs replace its parts.
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

Headers = dict[str, str]
AsgiApp = Callable[[Any, Any, Any], Any]


class HandmadeServer:
    """Requests of a connection one after another, each with its head, its body and its answer."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first request to its end."""
        try:
            while await self.exchange(reader, writer):
                pass
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whatever it was, it was no request
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether there may be another."""
        head = await self.read_head(reader)
        start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, version = start.split(" ")
        headers = self.headers(lines)
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self.read_body(reader, headers)
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        status, answer_headers, answer = await self.call(method, target, lines, body, writer)
        # Every answer has a length, so that the next one can follow it.
        answer_headers = {**answer_headers, "content-length": str(len(answer))}
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.last_headers(answer_headers, keep).items())
        writer.write(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{fields}\r\n".encode() + answer)
        await writer.drain()
        return self.stays_open(keep)

    async def read_head(self, reader: asyncio.StreamReader) -> bytes:
        """To the empty line, in however many pieces it comes."""
        return await reader.readuntil(b"\r\n\r\n")

    def headers(self, lines: list[str]) -> Headers:
        """By their names, of which the case means nothing."""
        pairs = (line.partition(":") for line in lines)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def read_body(self, reader: asyncio.StreamReader, headers: Headers) -> bytes:
        """As many bytes as are stated, or chunks up to the empty one."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass  # trailers
        return body

    def last_headers(self, headers: Headers, keep: bool) -> Headers:
        """Says where the connection ends with the answer."""
        return headers if keep else {**headers, "connection": "close"}

    def stays_open(self, keep: bool) -> bool:
        """Whether another request may come, given that the sender would like that."""
        return keep

    async def call(
        self, method: str, target: str, lines: list[str], body: bytes, writer: asyncio.StreamWriter
    ) -> tuple[int, Headers, bytes]:
        """The application's answer: status, headers and body."""
        path, _, query = target.partition("?")
        pairs = (line.partition(":") for line in lines)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.strip().lower().encode(), value.strip().encode("latin-1")) for name, _, value in pairs],
            "client": writer.get_extra_info("peername")[:2],
            "server": writer.get_extra_info("sockname")[:2],
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])


@contextlib.contextmanager
def served_by_hand(server: HandmadeServer, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve while the context is open, as `serving.served` does. Raises `InvalidInputError` as that does."""
    listening = listen(host, port)
    with asyncio.Runner() as runner:
        loop, stop = runner.get_loop(), asyncio.Event()
        thread = threading.Thread(target=runner.run, args=(_serve(server, listening, stop),), name="handmade")
        thread.start()
        try:
            yield base_url("http", host, listening)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            listening.close()


async def _serve(server: HandmadeServer, listening: socket.socket, stop: asyncio.Event) -> None:
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    async with await asyncio.start_server(connected, sock=listening):
        await stop.wait()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
