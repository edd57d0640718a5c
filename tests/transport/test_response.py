"""Any bytes in any pieces are an outcome; h11 is a second opinion on well-formed responses."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from endpoints import Endpoint, read_request, request_to, wired
from feeding import FRAGMENTS, KEPT, feed, in_one_piece, pieces_of
from mockcampaign.model import PHASES, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.transport import kept_headers
from mockcampaign.transport.response import HEAD_BYTES_MAX, ResponseParser

ANSWERS = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=4)), max_size=14).map(b"".join),
)
CUTS = st.lists(st.integers(0, 10_000), max_size=6)


def assert_fits(outcome: Outcome) -> None:
    """Assert that an outcome is within all limits."""
    match outcome:
        case Responded():
            assert 100 <= outcome.status <= 999
            assert len(outcome.body) == min(KEPT, outcome.body_bytes)
        case NoResponse():
            assert outcome.phase in PHASES
            assert "\n" not in outcome.reason
        case TimedOut():
            assert outcome.phase in PHASES
    assert outcome.describe()


@given(ANSWERS, CUTS, st.booleans())
@settings(max_examples=400, deadline=None)
@example(b"HTTP/2.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", [20], True)
@example(b"HTTP/2.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", [45], True)
def test_any_bytes_are_an_outcome_however_they_are_cut(answer: bytes, cuts: list[int], closed: bool) -> None:
    expected = in_one_piece(answer, closed=closed)
    pieces: list[bytes | str] = [*pieces_of(answer, cuts)]
    assert asyncio.run(feed([*pieces, "eof"] if closed else pieces)) == expected
    if expected is not None:
        assert_fits(expected)


EVENTS = st.lists(st.one_of(ANSWERS, st.sampled_from(["eof", "rst", "taken", "late"])), max_size=8)


@given(EVENTS, st.sampled_from([0, 50, 100, 10_000]))
@settings(max_examples=300, deadline=None)
def test_whatever_happens_on_a_connection_has_one_outcome(events: list[bytes | str], takes: int) -> None:
    outcome = asyncio.run(feed(events, takes=takes))
    if outcome is None:
        assert "rst" not in events
        assert "late" not in events
        assert "eof" not in events
    else:
        assert_fits(outcome)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@given(answers=st.lists(ANSWERS, min_size=1, max_size=10))
@settings(max_examples=40, deadline=None)
def test_any_bytes_over_a_socket(loop: str, answers: list[bytes]) -> None:
    """The same as in memory; the endpoint closes after each, and nothing of one is left for the next."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answers[endpoint.connections - 1])

    async def main() -> None:
        async with endpoint.serving(), wired() as transport:
            for answer in answers:
                before = endpoint.connections
                outcome = await transport.send(request_to(endpoint.url, response_body_bytes_kept=KEPT))
                assert outcome == in_one_piece(answer, closed=True)
                while transport._open:
                    await asyncio.sleep(0)
                assert endpoint.connections == before + 1

    endpoint = Endpoint(behave)
    factory = None if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


# A second opinion

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(
    lambda text: b"X-" + text.encode()
)
VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30).map(
    lambda text: text.strip(" \t").encode("latin-1")
)
HEADERS = st.lists(st.tuples(TOKEN, VALUE), max_size=6)


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """A response as h11 writes it, after interim ones."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    while server.next_event() is not h11.NEED_DATA and server.their_state is not h11.DONE:
        pass
    written = b""

    def write(event: Any) -> None:
        nonlocal written
        written += server.send(event) or b""

    for status in draw(st.lists(st.sampled_from([100, 102, 103, 199]), max_size=3)):
        write(h11.InformationalResponse(status_code=status, headers=draw(HEADERS), reason=b"Soon"))
    body = draw(st.binary(max_size=60))
    headers = draw(HEADERS)
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        headers = [*headers, (b"Content-Length", b"%d" % len(body))]
    elif framing == "close":
        headers = [*headers, (b"Connection", b"close")]
    status = draw(st.sampled_from([200, 201, 202, 206, 301, 400, 404, 418, 500, 503, 599]))
    write(h11.Response(status_code=status, headers=headers, reason=draw(VALUE)))
    size = draw(st.integers(1, 20))
    for at in range(0, len(body), size):
        write(h11.Data(data=body[at : at + size]))
    write(h11.EndOfMessage(headers=draw(HEADERS) if framing == "chunked" else []))
    return written


def by_h11(answer: bytes, method: str) -> tuple[Responded, bool]:
    """The response as h11 reads it, and whether h11 would reuse the connection."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(answer)
    client.receive_data(b"")
    response, body = None, b""
    while not isinstance(event := client.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    assert response is not None
    headers = kept_headers((bytes(name), bytes(value)) for name, value in response.headers)
    return Responded(response.status_code, headers, body[:KEPT], len(body)), client.their_state is h11.DONE


@given(well_formed(), CUTS, st.sampled_from(["POST", "GET"]))
@settings(max_examples=200, deadline=None)
def test_well_formed_responses_are_read_as_h11_reads_them(answer: bytes, cuts: list[int], method: str) -> None:
    expected, reusable = by_h11(answer, method)
    parser = ResponseParser()
    parser.expect(KEPT)
    outcome = None
    for piece in pieces_of(answer, cuts):
        assert outcome is None
        outcome = parser.feed(piece)
    assert parser.reusable == (reusable and outcome is not None)
    assert (parser.end() if outcome is None else outcome) == expected


@given(st.lists(well_formed(), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None)
def test_nothing_of_one_response_is_left_for_the_next(answers: list[bytes]) -> None:
    parser = ResponseParser()
    for answer in answers:
        parser.expect(KEPT)
        outcome = parser.feed(answer) or parser.end()
        assert outcome == by_h11(answer, "POST")[0]
        if not parser.reusable:
            break


@pytest.mark.slow
@given(
    st.lists(st.one_of(well_formed(), ANSWERS), min_size=1, max_size=2),
    CUTS,
    st.sampled_from([0, 1, KEPT]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
@example([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], [], KEPT, True)
@example([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], [], 1, False)
def test_a_response_like_the_one_before_is_read_like_the_first(
    answers: list[bytes], cuts: list[int], kept: int, headers_only: bool
) -> None:
    used = ResponseParser()
    for again in (False, False, True, True):
        answer = answers[-1] if again else answers[0]
        used.expect(kept if again else KEPT, headers_only=again and headers_only)
        fresh = ResponseParser()
        fresh.expect(kept if again else KEPT, headers_only=again and headers_only)
        for piece in pieces_of(answer, cuts if again else []) if answer else []:
            outcome = fresh.feed(piece)
            assert used.feed(piece) == outcome
            assert (used.phase, used.reusable, used.surplus) == (fresh.phase, fresh.reusable, fresh.surplus)
            assert used.bytes_received == fresh.bytes_received
            for moment in ("after-status", "after-headers"):
                assert used.has_passed(moment) == fresh.has_passed(moment)
            if outcome is not None:
                break
        if not used.reusable:
            break


def test_a_status_line_has_passed_when_it_is_over_also_after_an_interim_response() -> None:
    parser = ResponseParser()
    for interim in (b"", b"HTTP/1.1 100 Continue\r\n\r\n"):
        parser.expect(body_bytes_kept=KEPT)
        assert parser.feed(interim + b"HTTP/1.1 200 ") is None
        assert not parser.has_passed("after-status")
        assert parser.feed(b"OK\r\nContent-Length: 0") is None
        assert parser.has_passed("after-status")
        assert not parser.has_passed("after-headers")
        assert parser.feed(b"\r\n\r\n") == Responded(200)


@pytest.mark.parametrize("coding", [b"chunked, gzip", b"gzip"])
def test_a_body_whose_last_coding_is_not_chunked_ends_with_the_connection(coding: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\n\r\nabc"
    assert in_one_piece(answer, closed=False) is None
    assert in_one_piece(answer, closed=True) == Responded(200, (), b"abc", 3)


# Limits


@pytest.mark.parametrize(("extension_bytes", "too_long"), [(40_000, False), (70_000, True)])
def test_chunk_extensions_are_limited_from_one_byte_of_the_body_to_the_next(
    extension_bytes: int, too_long: bool
) -> None:
    parser = ResponseParser()
    parser.expect(body_bytes_kept=KEPT)
    parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    outcomes = []
    for _ in range(4):
        outcomes += [parser.feed(piece) for piece in (b"1;e=" + b"x" * extension_bytes, b"\r\na\r\n")]
    outcomes.append(parser.feed(b"0\r\n\r\n"))
    if too_long:
        assert NoResponse("body", "chunk extensions or trailers of the response longer than 64 KiB") in outcomes
    else:
        assert outcomes == [None] * 8 + [Responded(200, (), b"aaaa", 4)]


@pytest.mark.parametrize(("more", "too_long"), [(-100, False), (100, True)])
@pytest.mark.parametrize("pieces", [1, 50])
def test_a_head_has_a_longest_length(more: int, too_long: bool, pieces: int) -> None:
    """Interim responses and reason phrases count, however the bytes are cut."""
    interim = b"HTTP/1.1 103 Early\r\nX: " + b"y" * 500 + b"\r\n\r\n"
    start = b"HTTP/1.1 200 " + b"K" * 1_000 + b"\r\nContent-Length: 0\r\nX: "
    answer = interim + start
    answer += b"x" * (HEAD_BYTES_MAX - len(answer) + more) + b"\r\n\r\n"
    parser = ResponseParser()
    parser.expect(KEPT)
    size = len(answer) // pieces + 1
    outcomes = [parser.feed(answer[at : at + size]) for at in range(0, len(answer), size)]
    assert isinstance(outcomes[-1], NoResponse) == too_long


@pytest.mark.parametrize(
    ("answer", "surplus"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\n\r\nok", False),
    ],
)
def test_surplus_bytes_after_a_response_are_noticed(answer: bytes, surplus: bool) -> None:
    parser = ResponseParser()
    parser.expect(KEPT)
    parser.feed(answer)
    assert parser.surplus is surplus
    assert not (surplus and parser.reusable)
