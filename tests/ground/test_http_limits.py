"""What strangers may send to a server, and what it keeps of that."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from mockcampaign.serving import serve_in_thread
from mockcampaign.serving.http_limits import (
    HEAD_BYTES_MAX,
    HEADERS_MAX,
    PARSED_AT_ONCE,
    PIPELINED_MAX,
    TOO_LONG,
    BoundedProtocol,
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Responds with the query and the length of the body."""
    if scope["type"] == "lifespan":
        return
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    body = b"%b %d;" % (scope["query_string"], length)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    with serve_in_thread(app) as url:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        yield parts.hostname, parts.port


ENDLESS_MAX = 64 * 1024 * 1024
"""Number of bytes that a server surely does not read any more, because it has closed."""


def sent(address: tuple[str, int], data: bytes) -> bytes:
    """Return all responses on a connection, until the server closes it."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def bytes_taken(address: tuple[str, int], data: bytes, endless: bytes) -> int:
    """Return how many bytes could be sent before the server closed the connection."""
    taken = 0
    with socket.create_connection(address, timeout=20) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        while taken < ENDLESS_MAX:
            taken += connection.send(endless * 10_000)
    return taken


def request(headers: bytes, *, query: str = "", body: bytes = b"") -> bytes:
    return b"POST /?%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n%b" % (
        query.encode(),
        len(body),
        headers,
        body,
    )


CLOSE = b"Connection: close\r\n"
STATUS = b"HTTP/1.1 431 "


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        (b"X: y\r\n" * (HEADERS_MAX - 3) + CLOSE, True),
        (b"X: y\r\n" * (HEADERS_MAX - 2) + CLOSE, False),
        (b"X: %b\r\n" % (b"y" * (HEAD_BYTES_MAX - 100)) + CLOSE, True),
        (b"X: %b\r\n" % (b"y" * HEAD_BYTES_MAX) + CLOSE, False),
    ],
)
def test_headers_are_bounded(address: tuple[str, int], headers: bytes, accepted: bool) -> None:
    response = sent(address, request(headers))
    if accepted:
        assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    else:
        assert response.startswith(STATUS)
        assert response.endswith(f"\r\n\r\n{TOO_LONG}".encode())


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "endless"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"y"),
        (b"GET / HTTP/1.1\r\nX", b"y"),
        (b"GET /", b"y"),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"X: y\r\n"),
        (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"y"),
        (CHUNKED + b"1;", b"y"),
    ],
    ids=["value", "name", "url", "headers", "trailers", "trailer", "chunk-extension"],
)
def test_nothing_endless_is_kept(address: tuple[str, int], data: bytes, endless: bytes) -> None:
    assert bytes_taken(address, data, endless) < ENDLESS_MAX


def test_pipelined_requests_are_all_answered_and_few_wait(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    original = BoundedProtocol.on_headers_complete

    def noting(protocol: BoundedProtocol) -> None:
        original(protocol)
        waiting.append(len(protocol.pipeline))

    monkeypatch.setattr(BoundedProtocol, "on_headers_complete", noting)
    count = 5_000
    bodies = [b"b" * (number % 3) for number in range(count)]
    parts = [request(b"", query=str(number), body=body) for number, body in enumerate(bodies)]
    response = sent(address, b"".join(parts) + request(CLOSE)).removesuffix(b" 0;")
    response = response[: response.rindex(b"HTTP/1.1 200 OK\r\n")]
    assert response.count(b"HTTP/1.1 200 OK\r\n") == count
    told = [part.partition(b";")[0] for part in response.split(b"\r\n\r\n")[1:]]
    assert told == [b"%d %d" % (number, len(body)) for number, body in enumerate(bodies)]
    assert PIPELINED_MAX / 2 < max(waiting) <= PIPELINED_MAX + PARSED_AT_ONCE // len(parts[0])


def test_a_long_body_behind_a_pipeline_arrives(address: tuple[str, int]) -> None:
    body = b"b" * 1_000_000
    response = sent(address, request(b"", query="a") * 300 + request(CLOSE, query="z", body=body))
    assert response.endswith(b"z 1000000;")


def test_a_request_for_a_websocket_is_an_ordinary_request(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade, close\r\n"
    assert sent(address, request(upgrade)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert caplog.text == ""
