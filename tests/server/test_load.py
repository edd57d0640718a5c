"""The server under load: it still responds, and memory stays within the stated limits."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from mockcampaign.policy import Policy
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.server.served_campaign import JOURNAL_ENTRIES_MAX, JOURNAL_EVENTS_MAX
from mockcampaign.serving import serve_in_thread
from servers import PASSWORD, USER, Server, running_server

WEBHOOKS = 1_000
EVENTS = 100_000
WATCHERS = 50


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(policy=Policy(webhooks_per_client_max=WEBHOOKS)) as server:
        yield server


def watcher(server: Server, *, receive_bytes: int | None = None) -> socket.socket:
    """A client of the live stream that reads only on demand."""
    address = urlsplit(server.url)
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(30)
    connection.connect((address.hostname, address.port))
    connection.sendall(f"GET /__mockcampaign/stream HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    return connection


@pytest.mark.slow
def test_a_thousand_webhooks_a_hundred_thousand_events_and_fifty_streams(server: Server) -> None:
    with serve_in_thread(consumer_app(None)) as target:
        for _ in range(WEBHOOKS - 1):
            server.create()
        server.activated(f"{target}/hook")
        fast = [watcher(server) for _ in range(WATCHERS - 1)]
        slow = watcher(server, receive_bytes=4_096)
        seen = [0] * len(fast)

        def read(index: int) -> None:
            with contextlib.suppress(OSError):  # closed while reading
                while part := fast[index].recv(65_536):
                    seen[index] += part.count(b"event: ")

        readers = [threading.Thread(target=read, args=(index,)) for index in range(len(fast))]
        for reader in readers:
            reader.start()
        emitting = threading.Thread(
            target=requests.post,
            args=(f"{server.url}/__mockcampaign/emit",),
            kwargs={"json": {"type": "open", "count": EVENTS}, "timeout": 120},
        )
        emitting.start()
        longest = 0.0
        while emitting.is_alive():
            began = time.monotonic()
            answer = requests.get(f"{server.url}/__mockcampaign/health", timeout=30)
            longest = max(longest, time.monotonic() - began)
            assert answer.status_code == 200
        emitting.join()
        print(f"longest answer while {EVENTS} events were made: {longest:.2f} s")
        server.advance("1s")
        deliveries = server.state()["deliveries"]
        assert (deliveries["delivered"], deliveries["pending"]) == (EVENTS, 0)
        listed = server.rest("GET", f"/webhooks?limit={WEBHOOKS}", auth=(USER, PASSWORD)).json()
        assert len(listed) == WEBHOOKS
        for connection in [*fast, slow]:
            connection.shutdown(socket.SHUT_RDWR)
        for reader in readers:
            reader.join()
        for connection in [*fast, slow]:
            connection.close()
        assert min(seen) > 0


class Follower:
    """Reads the live stream in a thread, and counts messages."""

    def __init__(self, server: Server) -> None:
        self.positions: set[int] = set()
        self.dropped = 0
        self._connection = watcher(server)
        assert self._connection.recv(65_536)
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):  # closed while reading
            while part := self._connection.recv(1 << 20):
                *lines, rest = (rest + part).split(b"\r\n")
                with self._arrived:
                    self.positions.update(int(line[4:]) for line in lines if line.startswith(b"id: "))
                    self.dropped += sum(int(line[17:-1]) for line in lines if line.startswith(b'data: {"dropped":'))
                    self._arrived.notify_all()

    def has_heard_of(self, first: int, last: int) -> bool:
        """Whether it got every entry between these positions, or the number of those it missed."""

        def told() -> bool:
            return len([at for at in self.positions if first <= at < last]) + self.dropped == last - first

        with self._arrived:
            return self._arrived.wait_for(told, timeout=30)

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()


@pytest.mark.slow
def test_fifty_streams_get_every_entry_or_the_number_they_missed(server: Server) -> None:
    with serve_in_thread(takes_everything) as target:
        server.activated(f"{target}/hook")
        first = server.campaign.hub.journal.next_position
        followers = [Follower(server) for _ in range(WATCHERS)]
        server.control("POST", "/emit", {"type": "open", "count": 3_000, "over": "1d"})
        server.advance("1d")
        last = server.campaign.hub.journal.next_position
        assert last - first > 5_000
        assert all(follower.has_heard_of(first, last) for follower in followers)
        for follower in followers:
            follower.close()


@pytest.mark.slow
def test_the_journal_is_bounded_and_counts_dropped_entries(server: Server) -> None:
    number = server.create()
    extra = 5_000
    for _ in range(3):
        server.control("POST", "/emit", {"type": "open", "count": JOURNAL_EVENTS_MAX // 2})
    page = server.control("GET", "/journal?limit=1").json()
    assert page["dropped"] == page["first"] > 0
    held = server.campaign.hub.journal
    for _ in range(JOURNAL_ENTRIES_MAX + extra - held.next_position):
        server.campaign.campaign.end_outage(server.campaign.webhook(number))
    page = server.control("GET", "/journal?limit=1").json()
    assert page["next"] == JOURNAL_ENTRIES_MAX + extra
    assert page["next"] - page["first"] <= JOURNAL_ENTRIES_MAX
    assert page["dropped"] == page["first"] >= extra
    assert server.control("GET", f"/deliveries/{page['first'] - 1}").status_code == 404


async def takes_everything(scope: Any, receive: Any, send: Any) -> None:
    """A consumer that stores nothing."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


@pytest.mark.slow
def test_memory_stops_growing_once_the_journal_is_full(server: Server) -> None:
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("only Linux tells how much memory is in use")

    def rounds(count: int) -> int:
        """Return the bytes in use after so many more events."""
        for _ in range(count):
            server.control("POST", "/emit", {"type": "open", "count": EVENTS})
            server.advance("1s")
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with serve_in_thread(takes_everything) as target:
        server.activated(f"{target}/hook")
        full = rounds(JOURNAL_EVENTS_MAX // EVENTS + 1)
        again = rounds(JOURNAL_EVENTS_MAX // EVENTS + 1)
    deliveries = server.state()["deliveries"]
    assert (deliveries["delivered"], deliveries["pending"]) == (6 * EVENTS, 0)
    # The events of all rounds would take four times as much.
    assert again - full < 30_000_000


def test_a_slow_client_gets_the_number_of_entries_it_missed(server: Server) -> None:
    number = server.create()
    connection = watcher(server)
    received = b""
    while b"event: state" not in received:
        received += connection.recv(65_536)
    for _ in range(3_000):
        server.campaign.campaign.end_outage(server.campaign.webhook(number))
    server.create()
    while b"event: dropped" not in received:
        received += connection.recv(65_536)
    connection.close()


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_disconnected(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.http.event_stream.SEND_SECONDS_MAX", 0.2)
    number = server.create()
    connection = watcher(server, receive_bytes=4_096)
    while b"event: state" not in connection.recv(65_536):
        pass
    assert server.campaign.open_streams == 1
    while server.campaign.open_streams:
        server.control("DELETE", f"/outages?webhookId={number}")
        for _ in range(500):
            server.campaign.campaign.end_outage(server.campaign.webhook(number))
    connection.close()
