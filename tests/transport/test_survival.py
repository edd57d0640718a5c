"""The sender against all that an endpoint can do to it, on both event loops: the outcome says what happened, nothing
waits beyond the time-out, memory stays bounded, nothing is left behind, and the next delivery works.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from endpoints import (
    LARGE,
    OK,
    OK_OUTCOME,
    Behaviour,
    Endpoint,
    Run,
    answering,
    leaving_nothing,
    read_request,
    request_to,
    reset,
    self_signed_context,
    server_context,
    stalling,
    until,
    unused_port,
    wired,
)
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut
from mockcampaign.transport import dial
from mockcampaign.transport.wire import WireTransport

HURRY = 200
"""Milliseconds of a time-out that a test waits for."""
BYTES_HELD_MAX = 4 * 1024 * 1024
"""Maximum memory for an endless response, on both sides together."""

NOT_HTTP = "response is not HTTP/1.x"
HEAD_TOO_LONG = NoResponse("headers", "response headers longer than 64 KiB")
FRAMING_TOO_LONG = NoResponse("body", "chunk extensions or trailers of the response longer than 64 KiB")
CUT_SEND = NoResponse("send", "connection closed before the request was sent")
CUT_WAIT = NoResponse("wait", "connection closed before a response")
CUT_HEADERS = NoResponse("headers", "connection closed within the response headers")
CUT_BODY = NoResponse("body", "connection closed within the response body")

START = b"HTTP/1.1 200 OK\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
WELL = answering(*[OK] * 100)


class Case(NamedTuple):
    """What the endpoint does on its first connection, and the outcome that must follow."""

    behave: Behaviour
    outcomes: tuple[Outcome, ...]
    """The possible outcomes; several if it depends on what this process sees first."""
    body: bytes = b"[]"
    timeout: int = 10_000
    ends: bool = False
    """Whether the connection ends although it could be kept."""


def saying(answer: bytes, *, then: str = "wait") -> Behaviour:
    """Reads a request and responds; then waits for the sender, half-closes, or ends by FIN or RST."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()
        match then:
            case "wait":
                await WELL(reader, writer)
            case "half-close":
                writer.write_eof()
                await reader.read()
            case "rst":
                # What was written has to arrive, since a reset overtakes it.
                await asyncio.sleep(0.02)
                reset(writer)

    return behave


def endless(start: bytes, more: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(start)
        while True:
            writer.write(more)
            await writer.drain()

    return behave


def trickling(start: bytes, answer: bytes) -> Behaviour:
    """After the start, one byte after another, always before anybody could lose patience with a silence."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(start)
        for index in range(len(answer)):
            writer.write(answer[index : index + 1])
            await asyncio.sleep(HURRY / 10_000)

    return behave


def before_the_body(answer: bytes, *, then: str) -> Behaviour:
    """Answers as soon as the head is there, and does not read the body."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if then == "rst":
            await asyncio.sleep(0.02)
            reset(writer)
        elif then == "half-close":
            writer.write_eof()
            await asyncio.Event().wait()

    return behave


async def at_once_fin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def at_once_rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers before it was asked."""
    writer.write(OK)
    await read_request(reader)


GZIP_BOMB = gzip.compress(bytes(20 * 1024 * 1024))
# A brotli stream of 16 MiB of zeros would be a few bytes; that it is none is nothing to a sender that decodes neither.
BROTLI_BOMB = b"\x5b\xff\xff\xaf\x02\xc0\x22\x79\xfb\xff\xff"


def encoded(coding: bytes, body: bytes) -> bytes:
    return START + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)


def redirecting(target: bytes) -> Case:
    answer = b"HTTP/1.1 307 Elsewhere\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % target
    return Case(saying(answer), (Responded(307, (("location", target.decode()),)),))


CASES: dict[str, Case] = {
    "accepts, and never reads nor answers": Case(stalling(reads=False), (TimedOut("wait"),), timeout=HURRY),
    "never reads a long body": Case(stalling(reads=False), (TimedOut("send"),), body=LARGE, timeout=HURRY),
    "never answers": Case(stalling(), (TimedOut("wait"),), timeout=HURRY),
    "answers in part and falls silent": Case(stalling(answer=START), (TimedOut("headers"),), timeout=HURRY),
    # Before the body is read
    "answers before the body is read, and closes": Case(before_the_body(OK, then="fin"), (OK_OUTCOME,), body=LARGE),
    "answers before the body is read, and resets": Case(before_the_body(OK, then="rst"), (OK_OUTCOME,), body=LARGE),
    "answers before the body is read, and half-closes": Case(
        before_the_body(OK, then="half-close"), (OK_OUTCOME,), body=LARGE
    ),
    # One byte after another
    "trickles its headers": Case(trickling(START, b"X: " + b"x" * 1_000), (TimedOut("headers"),), timeout=HURRY),
    "trickles its body": Case(trickling(START + b"\r\n", b"x" * 1_000), (TimedOut("body"),), timeout=HURRY),
    # Without end
    "endless status line": Case(endless(START[:-2], b"K" * 10_000), (HEAD_TOO_LONG,)),
    "endless header": Case(endless(START + b"X: ", b"x" * 10_000), (HEAD_TOO_LONG,)),
    "endless header name": Case(endless(START, b"x" * 10_000), (HEAD_TOO_LONG,)),
    "endless headers": Case(endless(START, b"X: y\r\n" * 1_000), (HEAD_TOO_LONG,)),
    "too many headers": Case(saying(START + b"a:\r\n" * 20_000 + b"\r\n"), (HEAD_TOO_LONG,)),
    "endless interim answers": Case(endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100), (HEAD_TOO_LONG,)),
    "many interim answers": Case(saying(b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" * 500 + OK), (OK_OUTCOME,)),
    "too many interim answers": Case(saying(b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" * 5_000 + OK), (HEAD_TOO_LONG,)),
    "endless body": Case(endless(START + b"\r\n", bytes(65_536)), (NoResponse("body", "response longer than 16 MiB"),)),
    "endless chunks": Case(
        endless(CHUNKED, b"10000\r\n" + bytes(65_536) + b"\r\n"), (NoResponse("body", "response longer than 16 MiB"),)
    ),
    "endless chunk extension": Case(endless(CHUNKED + b"1;", b"x" * 10_000), (FRAMING_TOO_LONG,)),
    "endless chunk length": Case(endless(CHUNKED, b"0" * 10_000), (FRAMING_TOO_LONG,)),
    "endless trailer": Case(endless(CHUNKED + b"1\r\na\r\n0\r\nX: ", b"x" * 10_000), (FRAMING_TOO_LONG,)),
    "endless trailers": Case(endless(CHUNKED + b"1\r\na\r\n0\r\n", b"X: y\r\n" * 1_000), (FRAMING_TOO_LONG,)),
    # Lengths
    "body shorter than it says, and closes": Case(
        saying(START + b"Content-Length: 3\r\n\r\nab", then="fin"), (CUT_BODY,)
    ),
    "body shorter than it says, and waits": Case(
        saying(START + b"Content-Length: 3\r\n\r\nab"), (TimedOut("body"),), timeout=HURRY
    ),
    "body longer than it says": Case(saying(START + b"Content-Length: 1\r\n\r\nab"), (Responded(200, (), b"a", 1),)),
    "body where there is none": Case(
        saying(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab"), (Responded(204),)
    ),
    "negative length": Case(saying(START + b"Content-Length: -1\r\n\r\n"), (NoResponse("headers", NOT_HTTP),)),
    "huge length": Case(
        saying(START + b"Content-Length: 99999999999999999999\r\n\r\n"), (NoResponse("headers", NOT_HTTP),)
    ),
    "two lengths": Case(
        saying(START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), (NoResponse("headers", NOT_HTTP),)
    ),
    "length and chunks": Case(
        saying(START + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (NoResponse("headers", NOT_HTTP),),
    ),
    # Codings
    "gzip bomb": Case(
        saying(encoded(b"gzip", GZIP_BOMB)),
        (Responded(200, (("content-encoding", "gzip"),), GZIP_BOMB[:4_096], len(GZIP_BOMB)),),
    ),
    "brotli bomb": Case(
        saying(encoded(b"br", BROTLI_BOMB)),
        (Responded(200, (("content-encoding", "br"),), BROTLI_BOMB, len(BROTLI_BOMB)),),
    ),
    "gzip as transfer coding": Case(
        saying(START + b"Transfer-Encoding: gzip\r\n\r\n" + GZIP_BOMB[:100], then="fin"),
        (Responded(200, (), GZIP_BOMB[:100], 100),),
    ),
    # Chunks
    **{
        f"chunk of length {length!r}": Case(
            saying(CHUNKED + length + b"\r\na\r\n0\r\n\r\n"), (NoResponse("body", NOT_HTTP),)
        )
        for length in (b"-1", b"0x1", b"+1", b"g", b"", b" ", b"1 ", b"ffffffffffffffffff")
    },
    "chunk longer than it says": Case(saying(CHUNKED + b"1\r\nab\r\n0\r\n\r\n"), (NoResponse("body", NOT_HTTP),)),
    "chunk shorter than it says": Case(saying(CHUNKED + b"3\r\na\r\n0\r\n\r\n"), (NoResponse("body", NOT_HTTP),)),
    "chunks without an end": Case(saying(CHUNKED + b"1\r\na\r\n", then="fin"), (CUT_BODY,)),
    "chunk extensions": Case(saying(CHUNKED + b'1;a=b;c="d"\r\na\r\n0;x\r\n\r\n'), (Responded(200, (), b"a", 1),)),
    "trailers": Case(
        saying(CHUNKED + b"1\r\na\r\n0\r\nX-Late: 1\r\nX-Later: 2\r\n\r\n"), (Responded(200, (), b"a", 1),)
    ),
    # What is no response, or more than one
    "two answers": Case(saying(OK + OK.replace(b"200", b"500")), (OK_OUTCOME,)),
    "an answer before the request": Case(unasked, (OK_OUTCOME, CUT_SEND, CUT_WAIT), ends=True),
    **{
        f"says {said!r}": Case(saying(said), (NoResponse("headers", NOT_HTTP),))
        for said in (
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 -200 OK\r\n\r\n",
            b"HTTP/1.1200 OK\r\n\r\n",
            b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"<html>HTTP/0.9 has no status line</html>",
            b"POST / HTTP/1.1\r\n\r\n",
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
            b"\xc0\x00\x00\x00\x01\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\x00\x00",
            b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03",
            b"\x15\x03\x01\x00\x02\x02\x46",
            START + b"no colon\r\n\r\n",
            START + b"X : blank before the colon\r\n\r\n",
            START + b"X: nul \x00\r\n\r\n",
            START + b"\xff: \xff\r\n\r\n",
        )
    },
    # Ends
    "FIN at once": Case(at_once_fin, (CUT_WAIT, CUT_SEND)),
    "RST at once": Case(at_once_rst, (CUT_WAIT, CUT_SEND)),
    "FIN while sending": Case(before_the_body(b"", then="fin"), (CUT_SEND,), body=LARGE),
    "RST while sending": Case(before_the_body(b"", then="rst"), (CUT_SEND,), body=LARGE),
    "half-close while sending": Case(before_the_body(b"", then="half-close"), (CUT_SEND,), body=LARGE),
    "FIN while waiting": Case(saying(b"", then="fin"), (CUT_WAIT,)),
    "RST while waiting": Case(saying(b"", then="rst"), (CUT_WAIT,)),
    "half-close while waiting": Case(saying(b"", then="half-close"), (CUT_WAIT,)),
    "FIN in the headers": Case(saying(START, then="fin"), (CUT_HEADERS,)),
    "RST in the headers": Case(saying(START, then="rst"), (CUT_HEADERS,)),
    "half-close in the headers": Case(saying(START, then="half-close"), (CUT_HEADERS,)),
    "FIN in the body": Case(saying(START + b"Content-Length: 3\r\n\r\nab", then="fin"), (CUT_BODY,)),
    "RST in the body": Case(saying(START + b"Content-Length: 3\r\n\r\nab", then="rst"), (CUT_BODY,)),
    "half-close in the body": Case(saying(START + b"Content-Length: 3\r\n\r\nab", then="half-close"), (CUT_BODY,)),
    "RST in a body that only the end ends": Case(saying(START + b"\r\nab", then="rst"), (CUT_BODY,)),
    "half-close ends the body": Case(saying(START + b"\r\nab", then="half-close"), (Responded(200, (), b"ab", 2),)),
    "RST after the answer": Case(saying(OK, then="rst"), (OK_OUTCOME,), ends=True),
    "half-close after the answer": Case(saying(OK, then="half-close"), (OK_OUTCOME,), ends=True),
    # Elsewhere
    "redirect to a file": redirecting(b"file:///etc/passwd"),
    "redirect to a metadata address": redirecting(b"http://169.254.169.254/latest/meta-data/"),
    "redirect to nowhere": redirecting(b"//[::"),
}


@contextlib.asynccontextmanager
async def meeting(
    behave: Behaviour, *, context: Any = None, **settings: Any
) -> AsyncIterator[tuple[Endpoint, WireTransport]]:
    """An endpoint that behaves so on its first connection, and well on all others, and the sender."""

    async def first_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (behave if endpoint.connections == 1 else WELL)(reader, writer)

    endpoint = Endpoint(first_so)
    served = endpoint.serving(context=context)
    async with asyncio.timeout(30), leaving_nothing(), served, wired(**settings) as transport:
        yield endpoint, transport


@pytest.fixture
def bounded_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    if "endless" not in request.node.name:
        yield
        return
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
        assert peak < BYTES_HELD_MAX
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("bounded_memory")
def test_the_sender_survives_an_endpoint_that(run: Run, name: str) -> None:
    case = CASES[name]

    async def main() -> None:
        async with meeting(case.behave) as (endpoint, transport):
            outcome = await transport.send(request_to(endpoint.url, body=case.body, timeout=case.timeout))
            assert outcome in case.outcomes
            if case.ends:
                await until(lambda: not transport._open)
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


def test_redirects_are_reported_and_not_followed_however_they_loop(run: Run) -> None:
    seen: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            seen.append(head.partition(b" HTTP")[0])
            writer.write(b"HTTP/1.1 308 Again\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            for _ in range(3):
                outcome = await transport.send(request_to(endpoint.url))
                assert outcome == Responded(308, (("location", "/hook"),))
                assert not outcome.accepted
                assert outcome.describe() == "responded 308, a redirect to /hook, not followed"
            assert (seen, endpoint.connections) == ([b"POST /hook"] * 3, 1)

    run(main())


def test_cookies_are_not_kept_and_no_coding_is_asked_for(run: Run) -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append((await read_request(reader))[0].lower())
            writer.write(OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n", 1))

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            for _ in range(2):
                assert (await transport.send(request_to(endpoint.url))).accepted

    run(main())
    assert len(heads) == 2
    assert not any(b"cookie" in head or b"accept-encoding" in head for head in heads)


# TLS


async def never_shakes_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def resets_in_the_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    reset(writer)


async def answers_in_plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(OK)


@pytest.mark.parametrize(
    ("behave", "outcome", "timeout"),
    [
        (never_shakes_hands, TimedOut("tls"), HURRY),
        (resets_in_the_handshake, NoResponse("tls", "connection closed during the TLS handshake"), 10_000),
        (answers_in_plain, NoResponse("tls", "the port does not speak TLS"), 10_000),
    ],
)
def test_an_endpoint_spoils_the_tls_handshake(run: Run, behave: Behaviour, outcome: Outcome, timeout: int) -> None:
    async def main() -> None:
        async with meeting(behave) as (endpoint, transport):
            url = endpoint.url.replace("http:", "https:")
            transport._verify = False
            assert await transport.send(request_to(url, timeout=timeout)) == outcome
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


@pytest.mark.parametrize(("pause", "outcome"), [(0.0, OK_OUTCOME), (0.01, OK_OUTCOME), (1.0, TimedOut("tls"))])
def test_a_tls_handshake_that_comes_in_pieces(run: Run, pause: float, outcome: Outcome) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Between the sender and an endpoint that speaks TLS."""
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(secured.url.split(":")[2][:-5]))
        passing = asyncio.create_task(pass_on(reader, there_writer, 65_536))
        try:
            await pass_on(there_reader, writer, 500)
        finally:
            passing.cancel()
            there_writer.transport.abort()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
        while data := await reader.read(most):
            await asyncio.sleep(pause)
            writer.write(data)

    secured = Endpoint(WELL)

    async def main() -> None:
        async with (
            leaving_nothing(),
            secured.serving(context=server_context("127.0.0.1")),
            Endpoint(relay).serving() as endpoint,
            wired(verify=False) as transport,
        ):
            url = endpoint.url.replace("http:", "https:")
            timeout = HURRY if isinstance(outcome, TimedOut) else 10_000
            assert await transport.send(request_to(url, timeout=timeout)) == outcome

    run(main())


@pytest.mark.parametrize("then", ["fin", "rst"])
def test_an_endpoint_ends_right_after_the_tls_handshake(run: Run, then: str) -> None:
    behave = at_once_fin if then == "fin" else at_once_rst

    async def main() -> None:
        async with meeting(behave, context=server_context("127.0.0.1"), verify=False) as (endpoint, transport):
            outcome = await transport.send(request_to(endpoint.url))
            closed_in_handshake = NoResponse("tls", "connection closed during the TLS handshake")
            assert outcome in (CUT_SEND, CUT_WAIT, closed_in_handshake)
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


def test_an_endpoint_responds_right_after_the_tls_handshake(run: Run) -> None:
    async def main() -> None:
        async with meeting(unasked, context=server_context("127.0.0.1"), verify=False) as (endpoint, transport):
            assert await transport.send(request_to(endpoint.url)) in (OK_OUTCOME, CUT_SEND, CUT_WAIT)
            await until(lambda: not transport._open)
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


NOW = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
DAY = datetime.timedelta(days=1)


def test_tls_to_a_plain_port_and_plain_to_a_tls_port(run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint about no handshake
        async with meeting(WELL, context=server_context("127.0.0.1"), verify=False) as (endpoint, transport):
            plain = await transport.send(request_to(endpoint.url.replace("https:", "http:")))
            assert plain in (CUT_WAIT, NoResponse("headers", NOT_HTTP))
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (lambda _: server_context("127.0.0.1", not_after=NOW - DAY), "the certificate has expired"),
        (
            lambda _: server_context("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY),
            "the certificate is not valid yet",
        ),
        (self_signed_context, "the certificate is not issued by a trusted authority"),
        (lambda _: server_context("192.0.2.1"), "the certificate is for another host"),
        (lambda _: server_context("localhost"), "the certificate is for another host"),
    ],
    ids=["expired", "not yet valid", "self-signed", "another address", "a name instead of the address"],
)
def test_a_certificate_that_proves_nothing(
    run: Run, ca_file: Path, tmp_path: Path, context: Callable[[Path], ssl.SSLContext], reason: str
) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint
        async with leaving_nothing(), Endpoint(WELL).serving(context=context(tmp_path)) as endpoint:
            async with wired(ca_file=ca_file) as transport:
                for _ in range(2):
                    assert await transport.send(request_to(endpoint.url)) == NoResponse("certificate", reason)
            async with wired(verify=False) as transport:
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


# Getting there


@pytest.mark.slow
def test_many_refused_connections_cost_no_descriptor(run: Run) -> None:
    async def main() -> None:
        async with meeting(WELL) as (endpoint, transport):
            nobody = request_to(f"http://127.0.0.1:{unused_port()}/")
            refused = NoResponse("connect", "connection refused")
            for _ in range(100):
                assert await asyncio.gather(*(transport.send(nobody) for _ in range(100))) == [refused] * 100
            assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port at 127.0.0.1 that does not react to connecting: its queue is full."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.mark.parametrize("dead", ["refuses", "does not react"])
def test_of_several_addresses_the_first_is_dead(run: Run, monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    async def main() -> None:
        with black_hole() as hole:
            async with meeting(WELL) as (endpoint, transport):
                port = int(endpoint.url.split(":")[2].split("/")[0])
                first = unused_port() if dead == "refuses" else hole

                async def resolve(_: object) -> list[Any]:
                    return [(socket.AF_INET, socket.IPPROTO_TCP, ("127.0.0.1", each)) for each in (first, port)]

                monkeypatch.setattr(dial, "_resolve", resolve)
                for _ in range(2):
                    assert await transport.send(
                        request_to(endpoint.url, timeout=2_000 if dead == "refuses" else 200)
                    ) == (OK_OUTCOME)

    run(main())


@pytest.mark.parametrize(
    ("dead", "outcome"),
    [
        (("refuses", "refuses"), NoResponse("connect", "connection refused")),
        (("refuses", "no way"), NoResponse("connect", "connection refused")),
        (("no way", "refuses"), NoResponse("connect", "connection refused")),
        (("no way", "no way"), NoResponse("connect", "no route to the host")),
        (("does not react", "refuses"), NoResponse("connect", "connection refused")),
        (("refuses", "does not react"), TimedOut("connect")),
        (("does not react", "does not react"), TimedOut("connect")),
    ],
)
def test_of_several_addresses_all_are_dead(
    run: Run, monkeypatch: pytest.MonkeyPatch, dead: tuple[str, str], outcome: Outcome
) -> None:
    async def main() -> None:
        with black_hole() as hole:
            # Nobody connects to the broadcast address.
            addresses = {
                "refuses": ("127.0.0.1", unused_port()),
                "does not react": ("127.0.0.1", hole),
                "no way": ("255.255.255.255", 80),
            }

            async def resolve(_: object) -> list[Any]:
                return [(socket.AF_INET, socket.IPPROTO_TCP, addresses[each]) for each in dead]

            monkeypatch.setattr(dial, "_resolve", resolve)
            async with leaving_nothing(), wired() as transport:
                assert await transport.send(request_to("http://consumer.example/", timeout=HURRY)) == outcome

    run(main())


def test_a_consumer_that_dies_and_comes_back_on_the_same_port(run: Run) -> None:
    async def main() -> None:
        async with leaving_nothing(), wired() as transport:
            endpoint = Endpoint(WELL)
            async with endpoint.serving():
                assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME
            port = int(endpoint.url.split(":")[2].split("/")[0])
            await until(lambda: not transport._open)
            assert await transport.send(request_to(endpoint.url)) == NoResponse("connect", "connection refused")
            async with Endpoint(WELL).serving(port=port):
                for _ in range(2):
                    assert await transport.send(request_to(endpoint.url)) == OK_OUTCOME

    run(main())
