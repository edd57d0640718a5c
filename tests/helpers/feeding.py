"""One exchange in memory: what the consumer's side of a connection does is fed to the sender's, event by event."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any

from mockcampaign.model import Outcome, Request
from mockcampaign.policy import HOUR
from mockcampaign.transport.connection import Connection
from mockcampaign.transport.response import ResponseParser

KEPT = 16
"""Bytes of a body that are kept."""

REQUEST = Request(method="POST", url="", headers=(), body=b"x" * 10, timeout=HOUR, response_body_bytes_kept=KEPT)
"""With a head of ninety bytes it has a hundred."""

FRAGMENTS = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 204 No Content\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n",
    b"HTTP/2.0 200 OK\r\n",
    b"HTTP/1.1 ",
    b"500 No\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 99999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"X-Name: value\r\n",
    b"X:\r\n",
    b"\r\n",
    b"\n",
    b"3\r\nabc\r\n",
    b"3;a=b\r\nabc\r\n",
    b"0\r\n",
    b"0\r\n\r\n",
    b"abc",
    b"\x00\xff",
)
"""Of these, answers that are nearly well-formed are put together."""


def in_one_piece(answer: bytes, *, closed: bool) -> Outcome | None:
    """What an answer comes to; None where more must follow, and the consumer has not closed."""
    parser = ResponseParser()
    parser.expect(KEPT)
    outcome = parser.feed(answer) if answer else None
    return parser.end() if outcome is None and closed else outcome


class Wire(asyncio.Transport):
    """The operating system's side of a connection, which never takes more than it is told to."""

    def __init__(self, connection: Connection, *, takes: int) -> None:
        super().__init__()
        self._connection = connection
        self._takes = takes
        self._buffered = 0
        self._closing = False
        self.lost = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (1, 0)

    def get_write_buffer_size(self) -> int:
        return self._buffered

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing
        self._buffered += max(0, len(data) - self._takes)
        self._takes = max(0, self._takes - len(data))
        if self._buffered:
            self._connection.pause_writing()

    def take_all(self) -> None:
        if self._buffered:
            self._buffered = 0
            self._connection.resume_writing()

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True

    def lose(self, error: Exception | None = None) -> None:
        """As event loops do it: soon after it was closed, and once."""
        if not self.lost:
            self._closing = self.lost = True
            self._buffered = 0
            self._connection.connection_lost(error)


async def feed(events: Iterable[bytes | str], *, takes: int = 10_000) -> Outcome | None:
    """What came of an exchange in which all that happened; None where nothing did yet.

    Bytes are received; words are `eof`, `rst`, `taken` and `late`.
    """
    open_connections: set[Connection] = set()
    idle: list[Connection] = []
    connection = Connection(connections=open_connections, idle=idle)
    wire = Wire(connection, takes=takes)
    connection.connection_made(wire)
    open_connections.add(connection)
    began = time.monotonic()
    outcome = connection.exchange(REQUEST, b"x" * 90, began)
    for event in events:
        if wire.is_closing():
            break
        match event:
            case bytes():
                connection.data_received(event)
            case "eof":
                if not connection.eof_received():
                    wire.abort()
            case "rst":
                wire.lose(ConnectionResetError())
            case "taken":
                wire.take_all()
            case "late":
                connection.give_up(began + REQUEST.timeout / 1_000)
    if wire.is_closing():
        wire.lose()
        assert outcome.done()
        assert not open_connections
        assert not idle
    elif outcome.done():
        assert idle == [connection]
        assert connection.usable
    result = outcome.result() if outcome.done() else None
    connection.close()
    wire.lose()
    await asyncio.sleep(0)
    assert outcome.done()
    assert connection.closed.done()
    return result


def pieces_of(answer: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The answer, cut at these places."""
    places = sorted({0, len(answer), *(cut % (len(answer) + 1) for cut in cuts)})
    return [answer[begin:end] for begin, end in itertools.pairwise(places)]
