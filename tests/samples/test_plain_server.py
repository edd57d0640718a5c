"""The plain HTTP server is correct, and each of its bugs is visible from outside."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from called import CREDENTIALS, RIGHT, encoded, event
from mockcampaign.samples.bugs.http_server import BUGS
from mockcampaign.samples.consumer import BUGS as ALL
from mockcampaign.samples.consumer import consumer_app, serve_consumer
from mockcampaign.samples.plain_server import serve_plainly

BODY = encoded(event())
LENGTH = f"Content-Length: {len(BODY)}\r\n"
AUTHORIZATION = f"{RIGHT[0][0]}: {RIGHT[0][1]}\r\n"


class Client:
    """A connection, byte by byte."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.url = url
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *parts: str | bytes) -> None:
        self.socket.sendall(b"".join(part.encode() if isinstance(part, str) else part for part in parts))

    def status(self) -> int:
        """Return the status of the next response, or 0 if there is none."""
        try:
            start = self.file.readline()
        except ConnectionError:
            start = b""
        if not start:
            return 0
        length = 0
        while line := self.file.readline().strip().lower():
            length = int(line.partition(b":")[2]) if line.startswith(b"content-length") else length
        self.file.read(length)
        return int(start.split()[1])


def head(authorization: str = AUTHORIZATION, more: str = LENGTH, method: str = "POST") -> str:
    return f"{method} /hook HTTP/1.1\r\nHost: consumer.test\r\n{authorization}{more}\r\n"


def split(client: Client) -> list[int]:
    client.send(head()[:40])
    with Client(client.url) as other:
        # Once this is answered, the server has seen the first packet, too.
        other.send(head(), BODY)
        assert other.status() == 200
    client.send(head()[40:], BODY)
    return [client.status()]


def in_lower_case(client: Client) -> list[int]:
    client.send(head().replace("Content-Length", "content-length").replace("Authorization", "authorization"), BODY)
    return [client.status()]


def told_to_close(client: Client) -> list[int]:
    client.send(head(more=f"{LENGTH}Connection: close\r\n"), BODY)
    return [client.status()]


def three(client: Client) -> list[int]:
    statuses = []
    for _ in range(3):
        with contextlib.suppress(ConnectionError):
            client.send(head(), BODY)
        statuses.append(client.status())
    return statuses


def whole(client: Client) -> list[int]:
    client.send(head(more=f"{LENGTH}Connection: close\r\n"), BODY)
    return [len(client.file.read().rpartition(b"\r\n\r\n")[2])]


def wrong_then_right(client: Client) -> list[int]:
    client.send(head(""), BODY)
    refused = client.status()
    client.send(head(), BODY)
    return [refused, client.status()]


def unreadable(client: Client) -> list[int]:
    client.send(head(), BODY[:-1] + b"}")
    return [client.status()]


OBSERVATIONS = {
    "reads-head-once": (split, [200], [400]),
    "compares-header-case": (in_lower_case, [200], [401]),
    "accepts-one-request-per-connection": (three, [200, 200, 200], [200, 400, 0]),
    "truncates-response": (whole, [14], [13]),
    "rejects-connection-close": (told_to_close, [200], [400]),
    "disconnects-on-parse-error": (unreadable, [400], [0]),
    "leaves-rejected-body-unread": (wrong_then_right, [401, 200], [401, 400]),
}


@pytest.fixture
def url() -> Iterator[str]:
    with serve_plainly(consumer_app(basic_authentication=CREDENTIALS)) as url:
        yield url


@pytest.mark.parametrize("bug", OBSERVATIONS)
def test_a_bug_is_visible_from_outside_and_so_is_its_absence(bug: str, url: str) -> None:
    observe, right, broken = OBSERVATIONS[bug]
    with Client(url) as client:
        assert observe(client) == right
    with serve_consumer(bug, basic_authentication=CREDENTIALS) as broken_url, Client(broken_url) as client:
        assert observe(client) == broken


def test_every_bug_is_observed() -> None:
    assert list(OBSERVATIONS) == list(BUGS)
    assert BUGS.items() <= ALL.items()


def test_bodies_are_read_in_chunks_and_after_100_continue(url: str) -> None:
    chunks = b"%x\r\n%b\r\n%x;extension\r\n%b\r\n0\r\nTrailer: 1\r\n\r\n" % (10, BODY[:10], len(BODY) - 10, BODY[10:])
    with Client(url) as client:
        client.send(head(more="Transfer-Encoding: chunked\r\n"), chunks)
        assert client.status() == 200
        client.send(head(more=f"Expect: 100-continue\r\n{LENGTH}"))
        assert client.status() == 100
        client.send(BODY)
        assert client.status() == 200
        client.send(head(more="Connection: close\r\n", method="GET"))
        assert [client.status(), client.status()] == [405, 0]


@pytest.mark.parametrize(
    "garbage", [b"hello\r\n\r\n", b"POST /hook HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\r\n\r\n"]
)
def test_garbage_ends_its_connection_and_no_other(garbage: bytes, url: str) -> None:
    with Client(url) as client, Client(url) as other:
        client.send(garbage)
        assert client.status() in (400, 401)
        assert three(other) == [200, 200, 200]
