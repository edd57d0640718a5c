"""One HTTP/1.1 connection: writes a request and resolves the future of its outcome, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import cast

import msgspec

from mockcampaign.faults import LOST
from mockcampaign.model import Measured, Outcome, Request, TimedOut
from mockcampaign.transport.response import CUT, ResponseParser
from mockcampaign.transport.script import Script
from mockcampaign.wallclock import seconds

PARSED_AT_ONCE = 16 * 1024
"""Number of bytes between two looks at the deadline. A response in chunks of one byte makes each of them dear."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time, and is kept for the next one if the response allows it."""

    def __init__(self, *, connections: set[Connection], idle: list[Connection]) -> None:
        """The connection adds itself to `idle` after an exchange that allows another one; whoever takes it from there
        may find that it is no longer `usable`. Once closed it removes itself from `connections`."""
        self._connections = connections
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._response = ResponseParser()
        self._outcome: asyncio.Future[Outcome] | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._script: Script | None = None
        self._unwritten = False
        self._buffered_bytes = 0
        self._news: asyncio.Event | None = None
        self._began = 0.0
        self._written = 0
        self._transport: asyncio.Transport
        self._gathers = False
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when the socket is closed."""
        self.idle_since = 0.0
        """When the last exchange ended, in seconds of `wallclock.seconds`."""

    def exchange(self, request: Request, head: bytes, began: float) -> asyncio.Future[Outcome]:
        """Write `head` and the request's body at once, and return the future of the outcome.

        The outcome arrives within the time-out, counted from `began`, in seconds of `wallclock.seconds`. Cancelling the
        future closes the connection.
        """
        outcome = self._expect(request, began)
        if self._transport.is_closing():
            # A consumer may have closed a new connection already.
            self._end(CUT["send"])
        else:
            self._written = len(head) + len(request.body)
            if self._gathers:
                self._transport.writelines((head, request.body))
            else:
                self._transport.write(head + request.body)
        return outcome

    async def carry_out(self, request: Request, script: Script, began: float) -> Outcome:
        """Send a request as the script says, and return its outcome; see `exchange`."""
        self._script, self._unwritten, self._news = script, True, asyncio.Event()
        outcome = self._expect(request, began)
        if self._transport.is_closing():
            self._end(CUT["send"])
        try:
            await self._write_pieces(script, outcome)
            if not outcome.done():
                if script.cut is not None:
                    self._end(script.cut, reset=script.reset)
                elif script.dropped == "before-response":
                    self._end(LOST[script.dropped])
            return await outcome
        finally:
            outcome.cancel()

    def give_up(self, now: float) -> bool:
        """End the exchange under way if its time is up at `now` (`wallclock.seconds`); return whether it is."""
        if self._outcome is None or now < self._deadline:
            return False
        self._end(TimedOut(self._phase()))
        return True

    @property
    def usable(self) -> bool:
        """Whether an exchange can begin: none is under way, and the consumer is not known to have closed."""
        return self._outcome is None and not self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, and cancel the exchange under way, which the consumer did not end."""
        if self._outcome is not None:
            self._outcome.cancel()
        self._transport.abort()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and let it report when the operating system has not taken all that was written."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1, low=0)
        # Head and body in one system call without a copy. asyncio's own transports do not report that a part of several
        # pieces is left (gh-127655, before Python 3.12.9 and 3.13.2), and TLS makes fewer records of one piece.
        uvloops = type(transport).__module__.startswith("uvloop.")
        self._gathers = uvloops and transport.get_extra_info("ssl_object") is None

    def data_received(self, data: bytes) -> None:
        """Continue with the response. Bytes outside an exchange make the connection useless."""
        if self._outcome is None:
            self._transport.abort()
            return
        begin = 0
        while self._parse(data, begin):
            begin += PARSED_AT_ONCE
            if begin >= len(data):
                return

    def _parse(self, data: bytes, begin: int) -> bool:
        """Continue with the response, with a part of the data; return whether the exchange goes on."""
        whole = len(data) <= PARSED_AT_ONCE
        outcome = self._response.feed(data if whole else data[begin : begin + PARSED_AT_ONCE])
        script = self._script
        if script is not None:
            if script.dropped is not None and self._response.has_passed(script.dropped):
                self._end(LOST[script.dropped])
                return False
            self._wake()
        if outcome is None:
            # The timer alone is too late if many consumers keep the loop busy with what they send.
            return not self.give_up(seconds())
        if begin + PARSED_AT_ONCE < len(data):
            self._response.feed(data[begin + PARSED_AT_ONCE :])  # surplus
        # A response may arrive before the request is completely written; the rest would disturb the next exchange.
        written = not self._unwritten and not self._buffered_bytes
        self._end(outcome, reusable=written and self._response.reusable and (script is None or script.reusable))
        return False

    def eof_received(self) -> bool:
        """End the exchange: the consumer sends no more, which ends some responses. This side closes, too."""
        if self._outcome is not None:
            phase = self._phase()
            self._end(CUT[phase] if phase == "send" else self._response.end())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End the exchange under way: the socket is gone."""
        if self._outcome is not None:
            self._end(CUT[self._phase()])
        if self._timer is not None:
            self._timer.cancel()
        self._connections.discard(self)
        if self in self._idle:
            self._idle.remove(self)
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Note how many bytes wait until the operating system takes them."""
        self._buffered_bytes = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """Note that the operating system has taken all that was written."""
        self._buffered_bytes = 0
        self._wake()

    def _expect(self, request: Request, began: float) -> asyncio.Future[Outcome]:
        self._response.expect(request.response_body_bytes_kept, headers_only=request.method == "HEAD")
        self._began = began
        self._written = 0
        self._deadline = deadline = began + request.timeout / 1_000
        if self._timer is None or deadline < self._timer_due:
            self._set_timer()
        self._outcome = outcome = self._loop.create_future()
        outcome.add_done_callback(self._on_cancelled)
        return outcome

    # Writing in pieces

    async def _write_pieces(self, script: Script, outcome: asyncio.Future[Outcome]) -> None:
        last = None if script.cut is not None else (*script.head, *script.body)[-1]
        for index, piece in enumerate((*script.head, *script.body)):
            if index == len(script.head) and script.patience is not None:
                await self._wait_for(lambda: self._response.continued, script.patience)
            if piece.pause != 0:
                await self._wait_for(lambda: False, piece.pause)
            if outcome.done():
                return
            self._unwritten = piece is not last
            self._written += len(piece.data)
            self._transport.write(piece.data)
            await self._wait_for(lambda: not self._buffered_bytes)

    async def _wait_for(self, condition: Callable[[], bool], milliseconds: int | None = None) -> None:
        """Wait until the condition holds, the exchange is over, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if milliseconds is None else milliseconds / 1_000):
                while (news := self._news) is not None and not condition():
                    news.clear()
                    await news.wait()

    def _wake(self) -> None:
        """Wake `_wait_for`, so that it checks its condition."""
        if self._news is not None:
            self._news.set()

    # Ends of an exchange

    def _phase(self) -> str:
        # Over TLS, up to 64 KiB may be encrypted and yet unwritten without being counted here, and count as sent.
        phase = self._response.phase
        return "send" if phase == "wait" and (self._unwritten or self._buffered_bytes) else phase

    def _set_timer(self) -> None:
        """Check the deadline when it is reached.

        One timer serves many exchanges: an earlier one stays, and is set anew when it meets a later deadline.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._deadline
        # Relative, not `call_at`: uvloop's idea of now is as old as its current turn, which may have been a long one.
        self._timer = self._loop.call_later(max(0.0, self._deadline - seconds()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._outcome is not None and not self.give_up(seconds()):
            self._set_timer()

    def _on_cancelled(self, future: asyncio.Future[Outcome]) -> None:
        # Only a cancellation calls this: every other end removes the callback first.
        if future is self._outcome:
            self._outcome = None
            if self._script is not None:
                self._forget_script()
            self._transport.abort()

    def _end(self, outcome: Outcome, *, reusable: bool = False, reset: bool = False) -> None:
        now = seconds()
        future, self._outcome = self._outcome, None
        if self._script is not None:
            self._forget_script()
        if future is not None and not future.done():
            future.remove_done_callback(self._on_cancelled)
            sent = self._written
            if self._buffered_bytes:
                # A lost transport no longer knows how much was unwritten; it was this much at most.
                sent -= self._transport.get_write_buffer_size() or self._buffered_bytes
            response, microseconds = self._response, int((now - self._began) * 1_000_000)
            measured = Measured(
                sent, response.bytes_received, microseconds, surplus=response.surplus, server=response.server
            )
            future.set_result(msgspec.structs.replace(outcome, measured=measured))
        if reusable and not self._transport.is_closing():
            self.idle_since = now
            self._idle.append(self)
        else:
            if reset:
                lingering = self._transport.get_extra_info("socket")
                lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _forget_script(self) -> None:
        self._wake()
        self._script, self._news, self._unwritten = None, None, False
