"""One HTTP/1.1 connection: writes a request, parses its answer, and says in which phase it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from mockcampaign.model import NoAnswer, Outcome, Responded, TimedOut
from mockcampaign.transport import consumer_headers

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024
"""Limits of what is read of an answer; more is an outcome, not a burden on memory."""

INTERIM_ANSWERS_MAX = 20


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. The outcome arrives in the future that `exchange` returns, and is never late:
    whatever ends the exchange resolves it."""

    def __init__(self, released: Callable[[Connection], None]) -> None:
        self._released = released
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Outcome] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reset()
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another exchange can begin here."""
        return self._transport is not None and self._outcome is None and not self._transport.is_closing()

    def exchange(self, request: bytes, *, body_bytes_kept: int, deadline: float) -> asyncio.Future[Outcome]:
        """Write a request and return the future outcome. `deadline` is in the loop's time."""
        assert self._transport is not None
        self._reset()
        self._body_bytes_kept = body_bytes_kept
        self._outcome = outcome = self._loop.create_future()
        outcome.add_done_callback(self._on_done)
        self._timer = self._loop.call_at(deadline, self._on_deadline)
        self._transport.write(request)
        return outcome

    def close(self) -> None:
        """Drop the connection at once; an exchange under way ends without an answer."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes that nobody asked for end the connection."""
        if self._outcome is None or self._outcome.done():
            self.close()
            return
        self._started = True
        self._unparsed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(NoAnswer("headers", "the answer switches protocols"))
        except httptools.HttpParserError:
            if self._complete:
                self._keep_alive = False
                self._finish_answer()
            else:
                phase = "body" if self._headers_complete else "headers"
                self._end(NoAnswer(phase, "the answer is not HTTP/1.x"))
        else:
            if self._complete:
                self._finish_answer()
            elif not self._headers_complete and self._unparsed_bytes > HEADER_BYTES_MAX:
                self._end(NoAnswer("headers", f"the answer's headers are longer than {HEADER_BYTES_MAX} bytes"))
            elif self._interim_answers > INTERIM_ANSWERS_MAX:
                self._end(NoAnswer("headers", f"more than {INTERIM_ANSWERS_MAX} interim answers"))
            elif self._body_bytes > BODY_BYTES_MAX:
                self._end(NoAnswer("body", f"the answer is longer than {BODY_BYTES_MAX} bytes"))

    def eof_received(self) -> bool:
        """The consumer will send no more; that completes an answer without a stated length."""
        if self._outcome is not None and not self._outcome.done() and self._delimited_by_close():
            self._keep_alive = False
            self._finish_answer()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End what is under way."""
        if self._outcome is not None and not self._outcome.done():
            how = "reset" if isinstance(error, ConnectionError) else "closed"
            phase = self._phase()
            missing = {"send": "before the request was sent", "wait": "before an answer"}.get(
                phase, f"within the answer's {phase}"
            )
            self._end(NoAnswer(phase, f"connection {how} {missing}"))
        self._transport = None
        self._released(self)

    # httptools callbacks

    def on_message_begin(self) -> None:
        """A second answer to one request is surplus: the first counts, and the connection is not used again."""
        if self._complete:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect."""
        if not self._headers_complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Tell interim answers from the real one."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._interim = True
            self._interim_answers += 1
            return
        if self._complete:
            return
        self._status = status
        self._headers_complete = True
        self._unparsed_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Count all, keep the beginning."""
        if self._complete:
            return
        self._body_bytes += len(body)
        room = self._body_bytes_kept - self._body_kept
        if room > 0:
            self._body.append(body[:room])
            self._body_kept += min(room, len(body))

    def on_message_complete(self) -> None:
        """Go on after an interim answer; otherwise the answer is whole."""
        if self._interim:
            self._interim = False
            self._headers.clear()
            self._unparsed_bytes = 0
            return
        if not self._complete:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()

    # Ends of an exchange

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_kept = 0
        self._body_bytes = 0
        self._body_bytes_kept = 0
        self._unparsed_bytes = 0
        self._interim_answers = 0
        self._interim = False
        self._started = False
        self._headers_complete = False
        self._complete = False
        self._keep_alive = False
        self._surplus = False
        self._status = 0

    def _phase(self) -> str:
        if self._headers_complete:
            return "body"
        if self._started:
            return "headers"
        unsent = self._transport is not None and self._transport.get_write_buffer_size() > 0
        return "send" if unsent else "wait"

    def _delimited_by_close(self) -> bool:
        if not self._headers_complete:
            return False
        stated = {name.lower(): value.lower() for name, value in self._headers}
        return b"content-length" not in stated and b"chunked" not in stated.get(b"transfer-encoding", b"")

    def _finish_answer(self) -> None:
        answer = Responded(
            status=self._status,
            headers=consumer_headers(self._headers),
            body=b"".join(self._body),
            body_bytes=self._body_bytes,
        )
        # An answer that came before the whole request was written leaves the rest in the way of the next exchange.
        assert self._transport is not None
        reusable = self._keep_alive and not self._surplus and self._transport.get_write_buffer_size() == 0
        self._end(answer, reusable=reusable)

    def _end(self, outcome: Outcome, *, reusable: bool = False) -> None:
        future = self._outcome
        if future is None or future.done():
            return
        future.remove_done_callback(self._on_done)
        future.set_result(outcome)
        self._settle(reusable)

    def _on_done(self, future: asyncio.Future[Outcome]) -> None:
        # Only a cancellation from outside arrives here.
        self._settle(reusable=False)

    def _on_deadline(self) -> None:
        self._end(TimedOut(self._phase()))

    def _settle(self, reusable: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._outcome = None
        if reusable:
            self.idle_since = self._loop.time()
        else:
            self.close()
        self._released(self)
