"""One HTTP/1.1 connection: writes a request and resolves the future of its outcome, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

import msgspec

from mockcampaign.model import Measured, Outcome, Request, TimedOut
from mockcampaign.transport.response import CUT, ResponseParser
from mockcampaign.transport.script import LOST, Script


class Connection(asyncio.Protocol):
    """Carries one exchange at a time, and can be kept for the next one where the answer allows it."""

    def __init__(self, *, connections: set[Connection], idle: list[Connection]) -> None:
        """It puts itself into `idle` whenever an exchange has left it fit for another one; who takes it out of there to
        begin one may find that it is not `usable` any more. Once closed it removes itself from `connections`."""
        self._connections = connections
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._answer = ResponseParser()
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
        """Done when the socket has been given back."""
        self.idle_since = 0.0
        """When the last exchange ended, in seconds of `time.monotonic`."""

    def exchange(self, request: Request, head: bytes, began: float) -> asyncio.Future[Outcome]:
        """Write a request at once, which has its body after the `head`; the outcome is there within its time-out,
        counted from when the attempt `began`, in seconds of `time.monotonic`. Cancelling it closes.
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
        """Send a request as the script says, and bring back what came of it; see `exchange`."""
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
        """End the exchange under way if it should be over by `now`, in seconds of `time.monotonic`; whether it did."""
        if self._outcome is None or now < self._deadline:
            return False
        self._end(TimedOut(self._phase()))
        return True

    @property
    def usable(self) -> bool:
        """Whether an exchange can begin: none is under way, and the consumer has not closed as far as is known."""
        return self._outcome is None and not self._transport.is_closing()

    def close(self) -> None:
        """Drop the connection, and cancel the exchange under way: that it ends is not the consumer's doing."""
        if self._outcome is not None:
            self._outcome.cancel()
        self._transport.abort()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and have it tell whenever the operating system does not have all that was written."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=1, low=0)
        # Head and body in one system call without a copy. asyncio's own transports do not tell when they are left with
        # a part of several pieces (gh-127655, before Python 3.12.9 and 3.13.2), and TLS makes fewer records of one.
        uvloops = type(transport).__module__.startswith("uvloop.")
        self._gathers = uvloops and transport.get_extra_info("ssl_object") is None

    def data_received(self, data: bytes) -> None:
        """Go on with the answer. Bytes that nobody asked for are nothing to build another exchange on."""
        if self._outcome is None:
            self._transport.abort()
            return
        outcome = self._answer.feed(data)
        script = self._script
        if script is not None:
            if script.dropped is not None and self._answer.has_passed(script.dropped):
                self._end(LOST[script.dropped])
                return
            self._tell()
        if outcome is not None:
            # An answer may come before the whole request is written; the rest would get in the way of the next one.
            written = not self._unwritten and not self._buffered_bytes
            self._end(outcome, reusable=written and self._answer.reusable and (script is None or script.reusable))

    def eof_received(self) -> bool:
        """The consumer will send no more; some answers end like that. Either way this side closes as well."""
        if self._outcome is not None:
            phase = self._phase()
            self._end(CUT[phase] if phase == "send" else self._answer.end())
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone, and with it the exchange under way."""
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
        """Something waits until the operating system takes more."""
        self._buffered_bytes = self._transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        """The operating system has all that was written."""
        self._buffered_bytes = 0
        self._tell()

    def _expect(self, request: Request, began: float) -> asyncio.Future[Outcome]:
        self._answer.expect(request.response_body_bytes_kept, headers_only=request.method == "HEAD")
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
                await self._wait_for(lambda: self._answer.continued, script.patience)
            if piece.pause != 0:
                await self._wait_for(lambda: False, piece.pause)
            if outcome.done():
                return
            self._unwritten = piece is not last
            self._written += len(piece.data)
            self._transport.write(piece.data)
            await self._wait_for(lambda: not self._buffered_bytes)

    async def _wait_for(self, condition: Callable[[], bool], milliseconds: int | None = None) -> None:
        """Until the condition holds, the exchange is over, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if milliseconds is None else milliseconds / 1_000):
                while (news := self._news) is not None and not condition():
                    news.clear()
                    await news.wait()

    def _tell(self) -> None:
        """Let who waits look again."""
        if self._news is not None:
            self._news.set()

    # Ends of an exchange

    def _phase(self) -> str:
        # Over TLS, up to 64 KiB may be encrypted and yet unwritten without being counted here, and are called sent.
        phase = self._answer.phase
        return "send" if phase == "wait" and (self._unwritten or self._buffered_bytes) else phase

    def _set_timer(self) -> None:
        """Look at the time when the deadline has come.

        One timer serves many exchanges: that of an earlier one stays, and is set again when it finds a later deadline.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._deadline
        # Relative, not `call_at`: uvloop's idea of now is as old as its current turn, which may have been a long one.
        self._timer = self._loop.call_later(max(0.0, self._deadline - time.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._outcome is not None and not self.give_up(time.monotonic()):
            self._set_timer()

    def _on_cancelled(self, future: asyncio.Future[Outcome]) -> None:
        # Only a cancellation leads here: every other end takes this callback away first.
        if future is self._outcome:
            self._outcome = None
            if self._script is not None:
                self._forget_script()
            self._transport.abort()

    def _end(self, outcome: Outcome, *, reusable: bool = False, reset: bool = False) -> None:
        now = time.monotonic()
        future, self._outcome = self._outcome, None
        if self._script is not None:
            self._forget_script()
        if future is not None and not future.done():
            future.remove_done_callback(self._on_cancelled)
            sent = self._written
            if self._buffered_bytes:
                # A transport that is lost has forgotten what was unwritten, which was so much at most.
                sent -= self._transport.get_write_buffer_size() or self._buffered_bytes
            answer, microseconds = self._answer, int((now - self._began) * 1_000_000)
            measured = Measured(sent, answer.bytes_received, microseconds, surplus=answer.surplus)
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
        self._tell()
        self._script, self._news, self._unwritten = None, None, False
