"""The wire sender against endpoints that behave and that misbehave, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from pytest_httpserver import HTTPServer

from endpoints import (
    LARGE,
    OK,
    OK_OUTCOME,
    Behaviour,
    Endpoint,
    Run,
    answering,
    outcome_of,
    read_request,
    request_to,
    reset,
    server_context,
    stalling,
    timed_out_in,
    until,
    unused_port,
    wired,
)
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.model import PHASES, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.transport import dial, wire
from mockcampaign.transport.response import BODY_BYTES_MAX
from mockcampaign.transport.wire import WireTransport, wait_until_reachable

# Answers


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 400, 404, 500, 503, 599])
def test_a_response_is_an_outcome_whatever_its_status(run: Run, status: int) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 %d Whatever\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n" % status
        outcome = await outcome_of(answering(answer))
        assert outcome == Responded(status, (("location", "http://elsewhere.invalid/"),), b"", 0)

    run(main())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Responded(200, (), b"until the end", 13)),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Responded(200, (), b"until the end", 13)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
            Responded(200, (), b"abcde", 5),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: 1\r\n\r\n",
            Responded(200, (), b"a", 1),
        ),
        (b"HTTP/1.1 102 Processing\r\nX-No: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK, OK_OUTCOME),
        (OK + OK.replace(b"200 OK", b"500 No"), OK_OUTCOME),
        (OK + b"something else", OK_OUTCOME),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nx", Responded(101, (), b"", 0)),
        (
            b"HTTP/1.1 200 OK\r\nDate: now\r\nServer: me\r\nX-Name:  \xe9 \r\nX-NAME: 2\r\nContent-Length: 0\r\n\r\n",
            Responded(200, (("x-name", "é"), ("x-name", "2")), b"", 0),
        ),
        (b"", NoResponse("wait", "connection closed before a response")),
        (b"HTTP/1.1 200", NoResponse("headers", "connection closed within the response headers")),
        (b"HTTP/1.1 102 P\r\n\r\n", NoResponse("headers", "connection closed within the response headers")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            NoResponse("body", "connection closed within the response body"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            NoResponse("body", "connection closed within the response body"),
        ),
        (b"220 mail.example ESMTP\r\n", NoResponse("headers", "response is not HTTP/1.x")),
        (b"\x15\x03\x01\x00\x02\x02\x46", NoResponse("headers", "response is not HTTP/1.x")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
            NoResponse("body", "response is not HTTP/1.x"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 66_000 + b"\r\n\r\n",
            NoResponse("headers", "response headers longer than 64 KiB"),
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 66_000, NoResponse("headers", "response headers longer than 64 KiB")),
    ],
)
def test_the_outcome_follows_from_the_bytes_received(run: Run, answer: bytes, outcome: Outcome) -> None:
    async def main() -> None:
        assert await outcome_of(answering(answer)) == outcome

    run(main())


@pytest.mark.parametrize("pieces_of", [1, 7])
def test_a_response_may_arrive_in_pieces(run: Run, pieces_of: int) -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Long: value\r\nContent-Length: 4\r\n\r\nbody"

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for start in range(0, len(answer), pieces_of):
            writer.write(answer[start : start + pieces_of])
            await asyncio.sleep(0)
        await reader.read()

    async def main() -> None:
        assert await outcome_of(behave) == Responded(200, (("x-long", "value"),), b"body", 4)

    run(main())


def test_a_response_to_head_has_no_body(run: Run) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        assert await outcome_of(answering(answer), method="HEAD") == Responded(200, (), b"", 0)

    run(main())


@pytest.mark.parametrize(("kept", "body"), [(0, b""), (1, b"o"), (2, b"ok"), (3, b"ok")])
def test_a_body_is_counted_in_full_and_kept_in_part(run: Run, kept: int, body: bytes) -> None:
    async def main() -> None:
        assert await outcome_of(answering(OK), response_body_bytes_kept=kept) == Responded(200, (), body, 2)

    run(main())


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        (0, Responded(200, (), b"x", BODY_BYTES_MAX)),
        (1, NoResponse("body", "response longer than 16 MiB")),
    ],
)
def test_a_response_has_a_longest_length(run: Run, more: int, outcome: Outcome) -> None:
    async def main() -> None:
        body = LARGE[: BODY_BYTES_MAX + more]
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        assert await outcome_of(answering(answer), response_body_bytes_kept=1) == outcome

    run(main())


def test_a_reset_reads_like_a_close(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reset(writer)

    async def main() -> None:
        assert await outcome_of(behave) == NoResponse("wait", "connection closed before a response")

    run(main())


def test_a_reset_does_not_complete_a_body_without_a_stated_length(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npart")
        await reader.readexactly(1)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            sent = asyncio.ensure_future(transport.send(request_to(endpoint.url)))
            await until(lambda: bool(transport._open) and next(iter(transport._open))._response.phase == "body")
            connection = next(iter(transport._open))
            connection.connection_lost(ConnectionResetError())
            assert await sent == NoResponse("body", "connection closed within the response body")

    run(main())


# Requests


def test_a_request_goes_out_as_given(run: Run) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(OK)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            url = endpoint.url + "/ü%20?a=b&c=/ö#fragment"
            headers = (("X-Key", "grün"), ("x-key", "2"), ("Content-Type", "application/json"))
            assert await transport.send(request_to(url, headers=headers, body=b"[1]")) == OK_OUTCOME
            host = endpoint.url.split("/")[2].encode()
            assert seen == [
                (
                    b"POST /hook/%C3%BC%20?a=b&c=/%C3%B6 HTTP/1.1\r\nHost: " + host + b"\r\n"
                    b"X-Key: gr\xc3\xbcn\r\nx-key: 2\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n",
                    b"[1]",
                )
            ]

    run(main())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"headers": (("X", "a\r\nY: b"),)},
            "header X: its value contains control characters, allowed: one line of text",
        ),
        ({"headers": (("X", "a\nb"),)}, "header X: its value contains control characters, allowed: one line of text"),
        ({"headers": (("X\r\nY", "a"),)}, r"header name 'X\r\nY' cannot be sent, allowed: ASCII letters, digits,"),
        ({"headers": (("", "a"),)}, "header name '' cannot be sent, allowed: ASCII letters, digits,"),
        ({"headers": (("Content-length", "1"),)}, "header Content-length is set by the transport, allowed: any but"),
        ({"method": "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"}, "method 'GET / HTTP/1.1"),
        (
            {"url": "http://host/a\r\nX: y"},
            r"URL 'http://host/a\r\nX: y' contains blanks or control characters, allowed:",
        ),
        ({"url": "http://host/a b"}, "URL 'http://host/a b' contains blanks or control characters, allowed:"),
        ({"url": "ftp://host/"}, "URL 'ftp://host/' is not a web address, allowed: http(s)://host[:port]/path"),
        ({"url": "host/path"}, "URL 'host/path' is not a web address, allowed: http(s)://host[:port]/path"),
        ({"url": "http:///path"}, "URL 'http:///path' is not a web address, allowed: http(s)://host[:port]/path"),
        ({"url": "http://host:0/"}, "URL 'http://host:0/' is not a web address, allowed: http(s)://host[:port]/path"),
        ({"url": "http://host:65536/"}, "URL 'http://host:65536/' is malformed, allowed: http(s)://host[:port]/path"),
        ({"url": "http://host:http/"}, "URL 'http://host:http/' is malformed, allowed: http(s)://host[:port]/path"),
        ({"url": "http://[::1/"}, "URL 'http://[::1/' is malformed, allowed: http(s)://host[:port]/path"),
        ({"url": "http://a..b/"}, "URL 'http://a..b/' is malformed, allowed: http(s)://host[:port]/path"),
        ({"url": "http://me:secret@host/"}, "URL 'http://…@host/' contains credentials, allowed: the webhook's"),
        ({"url": "http://me:secret@host:x/"}, "URL 'http://…@host:x/' contains credentials, allowed: the webhook's"),
    ],
)
def test_a_request_that_cannot_be_sent_is_rejected(changes: dict[str, Any], text: str) -> None:
    async def main() -> None:
        async with wired() as transport:
            with pytest.raises(InvalidInputError) as refused:
                await transport.send(request_to(**({"url": "http://host/"} | changes)))
            assert str(refused.value).startswith(text)

    asyncio.run(main())


def test_an_error_within_the_sender_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise LookupError("lost")

    async def main() -> None:
        async with wired() as transport:
            monkeypatch.setattr("mockcampaign.transport.wire.dial", fail)
            with pytest.raises(CouldNotTellError, match="for a reason within mockcampaign: LookupError: lost"):
                await transport.send(request_to("http://host/"))

    asyncio.run(main())


# Connections


def test_a_connection_is_kept(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(answering(*[OK] * 5)).serving() as endpoint, wired() as transport:
            for _ in range(5):
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert endpoint.connections == 1

    run(main())


def test_sending_on_a_kept_connection_makes_no_task(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(answering(OK, OK)).serving() as endpoint, wired() as transport:
            await transport.send(request_to(endpoint.url))
            sent = transport.send(request_to(endpoint.url))
            assert isinstance(sent, asyncio.Future)
            assert not isinstance(sent, asyncio.Task)
            assert await sent == OK_OUTCOME

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + OK,
        OK + b"garbage",
        OK + b"HT",
    ],
)
def test_a_connection_is_not_kept_when_it_cannot_be_trusted(run: Run, answer: bytes) -> None:
    async def main() -> None:
        async with Endpoint(answering(answer, OK)).serving() as endpoint, wired() as transport:
            for _ in range(2):
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert endpoint.connections == 2

    run(main())


def test_a_connection_long_idle_is_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE_SECONDS_MAX", -1.0)

    async def main() -> None:
        async with Endpoint(answering(OK, OK)).serving() as endpoint, wired() as transport:
            for _ in range(2):
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert endpoint.connections == 2
            async with asyncio.timeout(10):
                await until(lambda: len(transport._open) == 1)

    run(main())


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 408 Too slow\r\n\r\n", OK, OK[:5], b"\r\n", b""])
def test_an_idle_connection_ends_with_bytes_nobody_asked_for_or_with_a_close(run: Run, surplus: bytes) -> None:
    go_on = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await go_on.wait()
        writer.write(surplus)
        if surplus:
            await reader.read()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert len(transport._open) == 1
            go_on.set()
            async with asyncio.timeout(10):
                await until(lambda: not transport._open)
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert endpoint.connections == 2

    run(main())


def test_a_request_that_was_cut_is_never_sent_again(run: Run) -> None:
    bodies: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append((await read_request(reader))[1])
        writer.write(OK)
        bodies.append((await read_request(reader))[1])

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            assert await transport.send(request_to(endpoint.url, body=b"1")) == OK_OUTCOME
            cut = await transport.send(request_to(endpoint.url, body=b"2"))
            assert cut == NoResponse("wait", "connection closed before a response")
            assert bodies == [b"1", b"2"]

    run(main())


def test_a_response_before_the_end_of_the_request_counts_and_ends_the_connection(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            for _ in range(2):
                assert await transport.send(request_to(endpoint.url, body=LARGE)) == Responded(413)
            assert endpoint.connections == 2

    run(main())


def test_requests_go_out_in_parallel(run: Run) -> None:
    everyone = asyncio.Barrier(10)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            _, body = await read_request(reader)
            await everyone.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            for _ in range(2):
                sent = [transport.send(request_to(endpoint.url, body=b"%d" % number)) for number in range(10)]
                assert await asyncio.gather(*sent) == [Responded(200, (), b"%d" % number, 1) for number in range(10)]
            assert endpoint.connections == 10

    run(main())


@pytest.mark.parametrize("kept", [False, True])
def test_cancelling_closes_the_connection(run: Run, kept: bool) -> None:
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kept:
            await answering(OK)(reader, writer)
        await read_request(reader)
        arrived.set()
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        closed.set()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            if kept:
                await transport.send(request_to(endpoint.url))
            sent = asyncio.ensure_future(transport.send(request_to(endpoint.url)))
            await arrived.wait()
            sent.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sent
            await closed.wait()

    run(main())


@pytest.mark.parametrize("kept", [False, True])
def test_closing_the_transport_cancels_requests_under_way(run: Run, kept: bool) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kept:
            await answering(OK)(reader, writer)
        await stalling()(reader, writer)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint:
            async with wired() as transport:
                if kept:
                    await transport.send(request_to(endpoint.url))
                sent = asyncio.ensure_future(transport.send(request_to(endpoint.url)))
                await until(lambda: bool(transport._open))
            with pytest.raises(asyncio.CancelledError):
                await sent

    run(main())


# Not reached, and too late


def test_a_refused_connection(run: Run) -> None:
    async def main() -> None:
        async with wired() as transport:
            for host in ("127.0.0.1", "localhost"):
                outcome = await transport.send(request_to(f"http://{host}:{unused_port()}/"))
                assert outcome == NoResponse("connect", "connection refused")

    run(main())


def test_a_name_that_does_not_resolve(run: Run) -> None:
    async def main() -> None:
        async with wired() as transport:
            outcome = await transport.send(request_to("http://consumer.invalid/"))
            assert outcome == NoResponse("resolve", "the host name does not resolve")

    run(main())


def test_our_own_lack_of_descriptors_is_not_the_consumers_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def main() -> None:
        async with wired() as transport:
            monkeypatch.setattr("mockcampaign.transport.dial.socket.socket", none_left)
            sent = transport.send(request_to("http://127.0.0.1:1/"))
            with pytest.raises(CouldNotTellError, match="no file descriptor is left"):
                await sent
            monkeypatch.undo()

    run(main())


def test_an_ipv6_address(run: Run) -> None:
    async def main() -> None:
        try:
            async with Endpoint(answering(OK)).serving(host="::1") as endpoint, wired() as transport:
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
        except OSError:
            pytest.skip("no IPv6 loopback here")

    run(main())


@pytest.mark.parametrize(
    ("phase", "behave", "body"),
    [
        ("send", stalling(reads=False), LARGE),
        ("wait", stalling(), b""),
        ("headers", stalling(answer=b"HTTP/1.1 200 OK\r\nContent-"), b""),
        ("headers", stalling(answer=b"HTTP/1.1 100 Continue\r\n\r\n"), b""),
        ("body", stalling(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), b""),
        ("body", stalling(answer=b"HTTP/1.1 200 OK\r\n\r\nab"), b""),
    ],
)
def test_a_time_out_says_how_far_the_exchange_got(run: Run, phase: str, behave: Behaviour, body: bytes) -> None:
    async def main() -> None:
        assert phase in PHASES
        outcome = await timed_out_in(phase, lambda timeout: outcome_of(behave, timeout=timeout, body=body))
        assert outcome == TimedOut(phase)

    run(main())


def test_a_time_out_on_a_kept_connection(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(OK)(reader, writer)
        await stalling()(reader, writer)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            assert await transport.send(request_to(endpoint.url, timeout=50)) == TimedOut("wait")
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


def test_each_exchange_on_a_connection_has_a_time_out_of_its_own(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await answering(OK)(reader, writer)
        await stalling()(reader, writer)

    async def shown(brief: int) -> bool:
        """Return whether the second exchange was in time."""
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            first = await transport.send(request_to(endpoint.url, timeout=3_600_000))
            second = await transport.send(request_to(endpoint.url, timeout=brief))
            if isinstance(second, TimedOut):
                return False
            assert (first, second) == (OK_OUTCOME, OK_OUTCOME)
            # Longer than the one before, whose time is over meanwhile, and shorter than the first one.
            outcome = await transport.send(request_to(endpoint.url, timeout=3 * brief))
            assert outcome == TimedOut("wait")
            assert outcome.measured is not UNSET
            assert outcome.measured.microseconds >= 3_000 * brief
            assert endpoint.connections == 1
            return True

    async def main() -> None:
        # However slow the machine is, one of these leaves the second exchange enough time.
        for brief in (20, 500, 5_000, 50_000):
            if await shown(brief):
                return
        raise AssertionError("no exchange was in time")

    run(main())


def test_nothing_keeps_a_connection_that_is_closed(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(answering(OK)).serving() as endpoint, wired() as transport:
            assert await transport.send(request_to(endpoint.url, timeout=3_600_000)) == OK_OUTCOME
            [connection] = [weakref.ref(one) for one in transport._open]
            await until(lambda: not transport._open)
            await asyncio.sleep(0)
            gc.collect()
            assert connection() is None

    run(main())


def test_a_time_out_while_the_name_is_looked_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(dial, "_resolve", never)

    async def main() -> None:
        async with wired() as transport:
            assert await transport.send(request_to("http://host/", timeout=50)) == TimedOut("resolve")

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="relies on Linux ignoring connections beyond the backlog")
def test_a_time_out_while_under_way(run: Run) -> None:
    async def main() -> None:
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            async with wired() as transport:
                url = f"http://127.0.0.1:{full.getsockname()[1]}/"
                assert await transport.send(request_to(url, timeout=50)) == TimedOut("connect")

    run(main())


def test_waiting_for_a_consumer_to_listen(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(stalling()).serving() as endpoint:
            assert await wait_until_reachable(endpoint.url, 10_000)
        assert not await wait_until_reachable(f"http://127.0.0.1:{unused_port()}/", 1)
        with pytest.raises(InvalidInputError):
            await wait_until_reachable("ftp://host/", 1)

    run(main())


# TLS


def test_tls_with_an_authority_of_ones_own(run: Run, ca_file: Path) -> None:
    names: list[str] = []
    context = server_context("localhost", "127.0.0.1")
    context.sni_callback = lambda _, name, __: names.append(name)

    async def main() -> None:
        served = Endpoint(answering(OK, OK)).serving(context=context)
        async with served as endpoint, wired(ca_file=ca_file) as transport:
            for url in (endpoint.url, endpoint.url, endpoint.url.replace("127.0.0.1", "localhost")):
                assert await transport.send(request_to(url, body=LARGE[:100_000])) == OK_OUTCOME
            assert endpoint.connections == 2
            assert names == [None, "localhost"]

    run(main())


@pytest.mark.parametrize(
    ("names", "settings", "outcome"),
    [
        (["127.0.0.1"], {}, NoResponse("certificate", "the certificate is not issued by a trusted authority")),
        (["other.example"], {"ca_file": True}, NoResponse("certificate", "the certificate is for another host")),
        (["other.example"], {"verify": False}, OK_OUTCOME),
    ],
)
def test_certificates_are_verified(
    run: Run, ca_file: Path, names: list[str], settings: dict[str, Any], outcome: Outcome
) -> None:
    if "ca_file" in settings:
        settings = {"ca_file": ca_file}

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # the server's complaint about the handshake that fails
        served = Endpoint(answering(OK)).serving(context=server_context(*names))
        async with served as endpoint, wired(**settings) as transport:
            assert await transport.send(request_to(endpoint.url)) == outcome

    run(main())


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NoResponse("tls", "the port does not speak TLS")),
        (b"", NoResponse("tls", "connection closed during the TLS handshake")),
    ],
)
def test_tls_to_a_port_that_does_not_speak_it(run: Run, first: bytes, outcome: Outcome) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(first)

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            assert await transport.send(request_to(endpoint.url.replace("http:", "https:"))) == outcome

    run(main())


def test_a_time_out_in_the_tls_handshake(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(stalling(reads=False)).serving() as endpoint, wired(verify=False) as transport:
            url = endpoint.url.replace("http:", "https:")
            outcome = await timed_out_in("tls", lambda timeout: transport.send(request_to(url, timeout=timeout)))
            assert outcome == TimedOut("tls")

    run(main())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Responded(200, (), b"until the end", 13)),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            NoResponse("body", "connection closed within the response body"),
        ),
        (b"", NoResponse("wait", "connection closed before a response")),
    ],
)
def test_closing_over_tls(run: Run, answer: bytes, outcome: Outcome) -> None:
    async def main() -> None:
        served = Endpoint(answering(answer)).serving(context=server_context("127.0.0.1"))
        async with served as endpoint, wired(verify=False) as transport:
            assert await transport.send(request_to(endpoint.url)) == outcome

    run(main())


def test_an_invalid_ca_file_is_rejected_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(InvalidInputError, match=r"CA file .*\.pem cannot be read, allowed: a file of PEM"):
            WireTransport(ca_file=path)


# An endpoint that is not ours


def test_a_real_server(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST", json=[{"n": 1}]).respond_with_json({"seen": 1}, status=202)

    async def main() -> None:
        async with wired() as transport:
            request = request_to(
                httpserver.url_for("/hook"), headers=(("Content-Type", "application/json"),), body=b'[{"n":1}]'
            )
            outcome = await transport.send(request)
            assert isinstance(outcome, Responded)
            assert (outcome.status, outcome.headers) == (202, (("content-type", "application/json"),))
            assert json.loads(outcome.body) == {"seen": 1}

    run(main())
