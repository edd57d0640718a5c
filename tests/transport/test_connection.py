"""A connection whose deadline passes while the event loop is too busy to run its timer."""

from __future__ import annotations

import asyncio
import time

from feeding import Wire
from mockcampaign.model import Measured, Outcome, Request, Responded, TimedOut
from mockcampaign.transport.connection import PARSED_AT_ONCE, Connection

HOUR = 3_600_000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE_BYTE = b"1\r\na\r\n"


def outcome_of(*parts: bytes, late: bool) -> Outcome | None:
    """Return the outcome once all parts have arrived, without a turn of the loop; None if there is none yet."""

    async def main() -> Outcome | None:
        connection = Connection(connections=set(), idle=[])
        wire = Wire(connection, takes=10_000)
        connection.connection_made(wire)
        request = Request(method="POST", url="", headers=(), body=b"[]", timeout=HOUR, response_body_bytes_kept=10)
        outcome = connection.exchange(request, b"", time.monotonic() - (HOUR / 1_000 if late else 0))
        for part in parts:
            if not wire.is_closing():
                connection.data_received(part)
        found = outcome.result() if outcome.done() else None
        connection.close()
        wire.lose()
        return found

    return asyncio.run(main())


def measured(outcome: Outcome | None) -> Measured:
    assert outcome is not None
    assert isinstance(outcome.measured, Measured)
    return outcome.measured


def test_bytes_that_arrive_after_the_deadline_do_not_prolong_it() -> None:
    assert outcome_of(CHUNKED, ONE_BYTE, late=False) is None
    assert outcome_of(CHUNKED, ONE_BYTE, late=True) == TimedOut("body")


def test_of_many_bytes_after_the_deadline_few_are_parsed() -> None:
    late = outcome_of(CHUNKED + ONE_BYTE * 100_000, late=True)
    assert late == TimedOut("body")
    assert measured(late).bytes_received == PARSED_AT_ONCE


def test_a_response_that_is_complete_counts_although_the_loop_was_late() -> None:
    response = outcome_of(CHUNKED + ONE_BYTE * 10 + b"0\r\n\r\n", late=True)
    assert isinstance(response, Responded)
    assert (response.status, response.body) == (200, b"a" * 10)


def test_bytes_after_a_long_response_are_surplus() -> None:
    length = 2 * PARSED_AT_ONCE
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    for more in (b"", b"x", b"HTTP/1.1 200 OK\r\n\r\n" * 5_000):
        response = outcome_of(head + b"b" * length + more, late=False)
        assert isinstance(response, Responded)
        assert response.body_bytes == length
        found = measured(response)
        assert (found.surplus, found.bytes_received) == (bool(more), len(head) + length + len(more))
