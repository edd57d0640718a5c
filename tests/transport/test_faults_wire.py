"""Every fault of the wire as the consumer sees it: which bytes arrive, in what order, and how the connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET

from endpoints import (
    BODY,
    LARGE,
    OK,
    OK_OUTCOME,
    Behaviour,
    Endpoint,
    Run,
    read_request,
    request_to,
    reset,
    server_context,
    timed_out_in,
    until,
    wired,
)
from feeding import Wire
from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Attempted, Verified
from mockcampaign.faults import (
    WIRE_FAULTS,
    Chunked,
    ContentType,
    CutBody,
    ExpectContinue,
    HeaderCase,
    Http10,
    IdleConnection,
    LostAck,
    NewConnection,
    SplitHeaders,
    StallBody,
    TrickleBody,
)
from mockcampaign.model import EventType, Fault, NoResponse, Outcome, Responded, TimedOut, describe_measured
from mockcampaign.policy import Policy
from mockcampaign.transport import wire
from mockcampaign.transport.connection import Connection
from mockcampaign.transport.response import CUT
from mockcampaign.transport.script import script
from mockcampaign.transport.wire import WireTransport
from seeing import Consumer

TRIES = 5
HEADERS = (("Content-Type", "application/json"), ("X-Key", "value"))


async def sent(consumer: Behaviour, *faults: Fault, **changes: Any) -> Outcome:
    """The outcome of one request with these faults, when the consumer has received all of it."""
    async with Endpoint(consumer).serving() as endpoint:
        async with wired() as transport:
            request = request_to(endpoint.url, headers=HEADERS, body=BODY, faults=faults, **changes)
            outcome = await transport.send(request)
        if isinstance(consumer, Consumer):
            await consumer.all_ended()
        return outcome


async def seen_apart(fault: Fault, pieces: Callable[[bytes], list[bytes]]) -> bool:
    """Whether a consumer reads a request in these pieces, made from its head, in one of a few tries.

    One that is kept from reading for as long as a pause lasts reads two pieces as one.
    """
    for _ in range(TRIES):
        consumer = Consumer()
        assert await sent(consumer, fault) == OK_OUTCOME
        [seen] = consumer.connections
        head, _, body = seen.raw.partition(b"\r\n\r\n")
        assert body == BODY
        if seen.reads == pieces(head + b"\r\n\r\n"):
            return True
    return False


# While sending


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize(
    ("where", "bytes_arrived"),
    [
        ({"after_bytes": 1}, 1),
        ({"after_bytes": 16}, 16),
        ({"after_bytes": 17}, 16),
        ({"after_bytes": 9_999}, 16),
        ({"at_fraction": 0.0}, 0),
        ({"at_fraction": 0.25}, 4),
        ({}, 8),
    ],
)
def test_a_body_is_cut(run: Run, ending: Any, where: dict[str, Any], bytes_arrived: int) -> None:
    async def main() -> None:
        consumer = Consumer()
        outcome = await sent(consumer, CutBody(ending=ending, **where))
        assert outcome == NoResponse("send", f"the body was cut after {bytes_arrived} of 17 bytes")
        [seen] = consumer.connections
        assert b"Content-Length: 17\r\n" in seen.raw
        assert (seen.body, seen.end, seen.requests) == (BODY[:bytes_arrived], ending, [])

    run(main())


def test_a_body_stalls_until_the_time_out(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        stall = StallBody(after_bytes=3)
        outcome = await timed_out_in("send", lambda timeout: sent(consumer, stall, timeout=timeout))
        assert outcome == TimedOut("send")
        assert (consumer.connections[-1].body, consumer.connections[-1].requests) == (BODY[:3], [])

    run(main())


def test_a_body_stalls_for_a_while(run: Run) -> None:
    async def main() -> None:
        assert await seen_apart(StallBody(at_fraction=0.0, pause=20), lambda head: [head, BODY])

    run(main())


def test_all_before_the_cut_arrives_however_slowly_the_consumer_reads(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while data := await reader.read(65_536):
            arrived.append(len(data))
            await asyncio.sleep(0)

    arrived: list[int] = []

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint:
            async with wired() as transport:
                outcome = await transport.send(request_to(endpoint.url, body=LARGE, faults=(CutBody(),)))
            await until(lambda: sum(arrived) >= len(LARGE) // 2)
        assert isinstance(outcome, NoResponse)
        assert sum(arrived) == len(LARGE) // 2

    run(main())


def test_nothing_is_waited_for_after_the_cut(run: Run) -> None:
    async def main() -> None:
        for stall in (StallBody(after_bytes=7), StallBody(after_bytes=8)):
            consumer = Consumer()
            outcome = await sent(consumer, CutBody(after_bytes=7), stall)
            assert outcome == NoResponse("send", "the body was cut after 7 of 17 bytes")
            assert consumer.connections[0].body == BODY[:7]

    run(main())


def test_a_body_trickles(run: Run) -> None:
    async def main() -> None:
        fault = TrickleBody(piece_bytes=5, pause=10)
        assert await seen_apart(fault, lambda head: [head + BODY[:5], BODY[5:10], BODY[10:15], BODY[15:]])

    run(main())


def test_a_trickle_that_is_too_slow_times_out_while_sending(run: Run) -> None:
    async def main() -> None:
        trickle = TrickleBody(piece_bytes=1, pause=60_000)
        outcome = await timed_out_in("send", lambda timeout: sent(Consumer(), trickle, timeout=timeout))
        assert outcome == TimedOut("send")

    run(main())


def test_a_response_may_precede_the_end_of_a_trickling_body(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def main() -> None:
        assert await sent(behave, TrickleBody(piece_bytes=1, pause=50)) == Responded(413)

    run(main())
    assert caplog.messages == []  # an event loop complains where something is written after the end


def test_a_head_arrives_in_packets(run: Run) -> None:
    async def main() -> None:
        def pieces(head: bytes) -> list[bytes]:
            *first, last = [head[at : at + 30] for at in range(0, len(head), 30)]
            return [*first, last + BODY]

        assert await seen_apart(SplitHeaders(piece_bytes=30, pause=5), pieces)

    run(main())


def test_a_head_in_one_packet_does_not_wait(run: Run) -> None:
    async def main() -> None:
        fault = SplitHeaders(piece_bytes=10_000, pause=60_000)
        assert await sent(Consumer(), fault) == OK_OUTCOME

    run(main())


def test_chunks_instead_of_a_length(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        assert await sent(consumer, Chunked(chunk_bytes=10)) == OK_OUTCOME
        [seen] = consumer.connections
        assert b"Transfer-Encoding: chunked\r\n" in seen.raw
        assert b"ontent-" + b"Length" not in seen.raw
        assert seen.body == b'a\r\n[{"n":1},{\r\n7\r\n"n":2}]\r\n0\r\n\r\n'
        assert seen.requests[0][1] == BODY

    run(main())


def test_the_body_waits_until_the_consumer_wants_it(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue\r\n" in head
        for _ in range(20):
            await asyncio.sleep(0)
        arrived.append(len(reader._buffer))  # type: ignore[attr-defined]
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await asyncio.sleep(0.02)
        arrived.append(len(reader._buffer))  # type: ignore[attr-defined]
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(len(BODY)) == BODY
        writer.write(OK)

    arrived: list[int] = []

    async def main() -> None:
        assert await sent(behave, ExpectContinue(timeout=9_000)) == OK_OUTCOME
        assert arrived == [0, 0]

    run(main())


def test_the_body_does_not_wait_forever(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer(continues=False)
        assert await sent(consumer, ExpectContinue(timeout=20)) == OK_OUTCOME
        assert [read.endswith(BODY) for read in consumer.connections[0].reads] == [False, True]

    run(main())


def test_a_body_that_is_not_wanted_is_not_sent(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        rest.append(await reader.read())

    rest: list[bytes] = []

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            request = request_to(endpoint.url, body=BODY, faults=(ExpectContinue(timeout=9_000),))
            assert await transport.send(request) == Responded(417)
            assert await transport.send(request) == Responded(417)
            assert endpoint.connections == 2
        assert rest[0] == b""

    run(main())


def test_http_1_0(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint, wired() as transport:
            # What HTTP/1.0 does not know is left out.
            request = request_to(
                endpoint.url, body=BODY, faults=(Http10(), Chunked(), ExpectContinue(), NewConnection())
            )
            assert await transport.send(request) == OK_OUTCOME
            assert await transport.send(request) == OK_OUTCOME
        assert [seen.requests[0][0].http_version for seen in consumer.connections] == [b"1.0", b"1.0"]
        assert [seen.requests[0][1] for seen in consumer.connections] == [BODY, BODY]
        assert b"\r\nContent-Length: 17\r\n\r\n" in consumer.connections[0].raw
        assert b"Expect" not in consumer.connections[0].raw
        assert b"Connection" not in consumer.connections[0].raw

    run(main())


def test_a_connection_for_one_request(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint, wired() as transport:
            for faults in ((), (NewConnection(),), ()):
                assert await transport.send(request_to(endpoint.url, body=BODY, faults=faults)) == OK_OUTCOME
        assert [len(seen.requests) for seen in consumer.connections] == [2, 1]
        assert b"\r\nConnection: close\r\n" in consumer.connections[1].raw
        assert b"Connection:" not in consumer.connections[0].raw

    run(main())


def test_a_connection_is_used_again_after_it_was_idle(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE_SECONDS_MAX", -1.0)

    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint, wired() as transport:
            for _ in range(3):
                request = request_to(endpoint.url, body=BODY, faults=(IdleConnection(idle=10),))
                assert await transport.send(request) == OK_OUTCOME
        assert [len(seen.requests) for seen in consumer.connections] == [3]

    run(main())


def test_a_connection_that_was_closed_while_idle_is_replaced(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await closing.wait()

    closing = asyncio.Event()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            request = request_to(endpoint.url, body=BODY, faults=(IdleConnection(idle=50),))
            assert await transport.send(request) == OK_OUTCOME
            again = asyncio.ensure_future(transport.send(request))
            await until(lambda: not any(transport._idle.values()))
            closing.set()
            assert await again == OK_OUTCOME
            assert endpoint.connections == 2

    run(main())


@pytest.mark.parametrize(("case", "expected"), [("lower", bytes.lower), ("upper", bytes.upper)])
def test_header_names_in_one_case(run: Run, case: Any, expected: Any) -> None:
    async def main() -> None:
        consumer = Consumer()
        assert await sent(consumer, HeaderCase(case=case), NewConnection()) == OK_OUTCOME
        lines = consumer.connections[0].raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        names = [line.partition(b":")[0] for line in lines]
        assert names == [
            expected(name) for name in (b"Host", b"Content-Type", b"X-Key", b"Content-Length", b"Connection")
        ]
        assert lines[2].endswith(b": value")

    run(main())


def test_another_spelling_of_the_content_type(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        assert await sent(consumer, ContentType()) == OK_OUTCOME
        [(request, _)] = consumer.connections[0].requests
        assert [value for name, value in request.headers if name == b"content-type"] == [
            b"application/json;charset=UTF-8"
        ]

    run(main())


# Lost responses


@pytest.mark.parametrize(
    ("dropped", "answer", "outcome"),
    [
        ("before-response", b"", NoResponse("wait", "connection dropped before the response")),
        (
            "after-status",
            b"HTTP/1.1 200 OK\r\n",
            NoResponse("headers", "connection dropped after the response's status line"),
        ),
        (
            "after-status",
            b"HTTP/1.1 200 OK\r\nX: 1\r\n",
            NoResponse("headers", "connection dropped after the response's status line"),
        ),
        (
            "after-headers",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            NoResponse("body", "connection dropped after the response headers"),
        ),
        ("after-headers", OK, NoResponse("body", "connection dropped after the response headers")),
    ],
)
def test_a_response_is_lost(run: Run, dropped: Any, answer: bytes, outcome: Outcome) -> None:
    """The consumer has read the whole request and waits, having written just so much, until the connection ends."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[1])
        writer.write(b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" if answer else b"")
        writer.write(answer)
        with contextlib.suppress(ConnectionResetError):
            seen.append(await reader.read())
        ended.set()

    seen: list[bytes] = []
    ended = asyncio.Event()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            request = request_to(endpoint.url, body=BODY, faults=(LostAck(dropped=dropped),))
            assert await transport.send(request) == outcome
            await ended.wait()
            assert b"".join(seen) == BODY

    run(main())


def test_a_response_that_never_arrives_is_not_lost_but_too_late(run: Run) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 102 P\r\nX: y\r\n")
        await reader.read()

    async def main() -> None:
        for lost in (LostAck(dropped="after-status"), LostAck(dropped="after-headers")):
            outcome = await timed_out_in("headers", lambda timeout, lost=lost: sent(behave, lost, timeout=timeout))
            assert outcome == TimedOut("headers")

    run(main())


# Together, over TLS, and afterwards


def test_faults_work_together(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        faults = (
            Chunked(chunk_bytes=8),
            HeaderCase(),
            SplitHeaders(piece_bytes=50, pause=1),
            TrickleBody(piece_bytes=4, pause=1),
            CutBody(after_bytes=30),
        )
        assert await sent(consumer, *faults) == NoResponse("send", "the body was cut after 30 of 37 bytes")
        [seen] = consumer.connections
        assert seen.raw.startswith(b"POST /hook HTTP/1.1\r\nhost: ")
        assert seen.body == b'8\r\n[{"n":1}\r\n8\r\n,{"n":2}\r\n1\r\n]'[:30]

    run(main())


@pytest.mark.parametrize("fault", [Chunked(), CutBody(), LostAck(), TrickleBody(piece_bytes=9), SplitHeaders()])
def test_faults_over_tls(run: Run, fault: Fault) -> None:
    async def main() -> None:
        consumer = Consumer()
        served = Endpoint(consumer).serving(context=server_context("127.0.0.1"))
        async with served as endpoint, wired(verify=False) as transport:
            outcome = await transport.send(request_to(endpoint.url, headers=HEADERS, body=BODY, faults=(fault,)))
            assert (outcome == OK_OUTCOME) == (not isinstance(fault, CutBody | LostAck))
            assert await transport.send(request_to(endpoint.url, body=BODY)) == OK_OUTCOME

    run(main())


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS, key=lambda fault: fault.__name__))
def test_after_a_fault_the_next_request_is_an_ordinary_one(run: Run, fault: type[Fault]) -> None:
    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint, wired() as transport:
            values = {"timeout": 60} if fault is StallBody else {}
            await transport.send(request_to(endpoint.url, headers=HEADERS, body=BODY, faults=(fault(),), **values))
            before = len(consumer.connections)
            assert await transport.send(request_to(endpoint.url, headers=HEADERS, body=BODY)) == OK_OUTCOME
            assert len(consumer.connections) <= before + 1
            raw = consumer.connections[-1].raw
            start = raw.rindex(b"POST")
            assert raw[start:].startswith(b"POST /hook HTTP/1.1\r\nHost: ")
            assert raw.endswith(b"Content-Type: application/json\r\nX-Key: value\r\nContent-Length: 17\r\n\r\n" + BODY)

    run(main())


def test_a_connection_whose_request_was_cut_is_not_reused_despite_a_response(run: Run) -> None:
    async def main() -> None:
        idle: list[Connection] = []
        connection = Connection(connections=set(), idle=idle)
        system = Wire(connection, takes=0)
        connection.connection_made(system)
        request = request_to("http://consumer/hook", body=BODY, faults=(CutBody(),))
        sending = asyncio.ensure_future(connection.carry_out(request, script(request), time.monotonic()))
        await asyncio.sleep(0)
        system.take_all()
        connection.data_received(OK)
        assert await sending == OK_OUTCOME
        assert (idle, system.is_closing()) == ([], True)
        system.lose()

    run(main())


def test_cancelling_a_request_with_a_fault_closes_its_connection(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint, wired() as transport:
            for fault in (StallBody(), ExpectContinue(timeout=60_000), IdleConnection(idle=60_000)):
                patient = Consumer(continues=False) if isinstance(fault, ExpectContinue) else consumer
                endpoint._behave = patient
                await transport.send(request_to(endpoint.url, body=BODY))
                sending = asyncio.ensure_future(transport.send(request_to(endpoint.url, body=BODY, faults=(fault,))))
                await asyncio.sleep(0.01)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            await asyncio.sleep(0)
            assert not transport._under_way

    run(main())


def test_outcomes_compare_without_measurements(run: Run) -> None:
    async def main() -> None:
        async with Endpoint(Consumer()).serving() as endpoint:
            transport = WireTransport()
            outcome = await transport.send(request_to(endpoint.url, body=BODY))
            refused = await transport.send(request_to("http://127.0.0.1:1/", body=BODY))
            await transport.aclose()
        host = endpoint.url.split("/")[2]
        assert outcome == OK_OUTCOME
        assert hash(outcome) == hash(OK_OUTCOME)
        head = f"POST /hook HTTP/1.1\r\nHost: {host}\r\nContent-Length: 17\r\n\r\n"
        assert outcome.measured.bytes_sent == len(head) + len(BODY)
        assert outcome.measured.bytes_received == len(OK)
        assert refused.measured.bytes_sent == refused.measured.bytes_received == 0
        assert 0 < outcome.measured.microseconds < 10_000_000
        assert describe_measured(outcome).endswith(f" ms ({outcome.measured.bytes_sent} bytes sent, 40 received)")
        assert describe_measured(refused).endswith(" ms (connect; 0 bytes sent, 0 received)")

    run(main())


@pytest.mark.parametrize("resets", [False, True])
def test_bytes_that_the_operating_system_did_not_take_were_not_sent(run: Run, resets: bool) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if resets:
            reset(writer)
        else:
            await asyncio.Event().wait()

    async def main() -> None:
        async with Endpoint(behave).serving() as endpoint, wired() as transport:
            outcome = await transport.send(request_to(endpoint.url, body=LARGE, timeout=10_000 if resets else 100))
        assert outcome == (CUT["send"] if resets else TimedOut("send"))
        assert outcome.measured is not UNSET
        assert 0 < outcome.measured.bytes_sent < len(LARGE)

    run(main())


def test_a_journal_keeps_measurements_of_attempts_over_the_wire(run: Run) -> None:
    async def main() -> None:
        consumer = Consumer()
        async with Endpoint(consumer).serving() as endpoint:
            campaign = Campaign(WireTransport(), policy=Policy(batch_events_max=1))
            webhook = campaign.activate(campaign.create(EventType.OPEN, endpoint.url))
            campaign.emit(EventType.OPEN)
            for after, kind in ((0, "refused"), (10_000, "cut-body"), (10_000, "lost-ack"), (10_000, "timeout")):
                campaign.fault(kind, times=1)
                await campaign.advance(after)
            await campaign.run()
            await campaign.verify(webhook)
            await campaign.aclose()
            await consumer.all_ended()
        entries = [entry for entry in campaign.journal.entries if isinstance(entry, Attempted | Verified)]
        refused, cut, lost, late, delivered, verified = [entry.outcome for entry in entries]
        assert refused.measured is UNSET
        assert isinstance(late, TimedOut)
        [body] = [request for _, request in consumer.requests[:1]]
        assert delivered.measured.bytes_sent - cut.measured.bytes_sent == len(body) - len(body) // 2
        assert delivered.measured.bytes_sent == lost.measured.bytes_sent == late.measured.bytes_sent
        measured = [outcome.measured for outcome in (cut, lost, late, delivered, verified)]
        assert sum(one.bytes_sent for one in measured) == sum(len(seen.raw) for seen in consumer.connections)
        assert [one.bytes_received for one in measured] == [0, *[len(OK)] * 4]
        assert all(0 < one.microseconds < 10_000_000 for one in measured)

    run(main())
