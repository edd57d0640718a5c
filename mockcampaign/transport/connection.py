"""One HTTP/1.1 connection: writes a request and resolves the future of its outcome, whatever happens."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from mockcampaign.model import Outcome, TimedOut
from mockcampaign.transport.answer import CUT, AnswerParser


class Connection(asyncio.Protocol):
    """Carries one exchange at a time, and can be kept for the next one where the answer allows it."""

    def __init__(self, *, connections: set[Connection], idle: list[Connection]) -> None:
        """It puts itself into `idle` whenever an exchange has left it fit for another one; who takes it out of there to
        begin one may find that it is not `usable` any more. Once closed it removes itself from `connections`."""
        self._connections = connections
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._answer = AnswerParser()
        self._outcome: asyncio.Future[Outcome] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self.closed: asyncio.Future[None] = self._loop.create_future()
        """Done when the socket has been given back."""
        self.idle_since = 0.0
        """When the last exchange ended, in seconds of `time.monotonic`."""

    def exchange(
        self, message: bytes, seconds: float, *, body_bytes_kept: int, headers_only: bool
    ) -> asyncio.Future[Outcome]:
        """Write a request at once; the outcome is there after `seconds` at the latest. Cancelling it closes.

        `body_bytes_kept` and `headers_only` are as in `AnswerParser.expect`.
        """
        self._answer.expect(body_bytes_kept=body_bytes_kept, headers_only=headers_only)
        self._outcome = outcome = self._loop.create_future()
        outcome.add_done_callback(self._on_cancelled)
        # Relative, not `call_at`: uvloop's idea of now is as old as its current turn, which may have been a long one.
        self._timer = self._loop.call_later(seconds, self._on_deadline)
        self._transport.write(message)
        return outcome

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
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Go on with the answer. Bytes that nobody asked for are nothing to build another exchange on."""
        if self._outcome is None:
            self._transport.abort()
            return
        outcome = self._answer.feed(data)
        if outcome is not None:
            # An answer may come before the whole request is written; the rest would get in the way of the next one.
            written = self._transport.get_write_buffer_size() == 0
            self._end(outcome, reusable=written and self._answer.reusable)

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
        self._connections.discard(self)
        if self in self._idle:
            self._idle.remove(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # Ends of an exchange

    def _phase(self) -> str:
        # Over TLS, up to 64 KiB may be encrypted and yet unwritten without being counted here, and are called sent.
        phase = self._answer.phase
        unwritten = phase == "wait" and self._transport.get_write_buffer_size() > 0
        return "send" if unwritten else phase

    def _on_deadline(self) -> None:
        if self._outcome is not None:
            self._end(TimedOut(self._phase()))

    def _on_cancelled(self, future: asyncio.Future[Outcome]) -> None:
        # Only a cancellation leads here: every other end takes this callback away first.
        if future is self._outcome:
            self._settle()
            self._transport.abort()

    def _end(self, outcome: Outcome, *, reusable: bool = False) -> None:
        future = self._settle()
        if future is not None and not future.done():
            future.remove_done_callback(self._on_cancelled)
            future.set_result(outcome)
        if reusable and not self._transport.is_closing():
            self.idle_since = time.monotonic()
            self._idle.append(self)
        else:
            self._transport.abort()

    def _settle(self) -> asyncio.Future[Outcome] | None:
        if self._timer is not None:
            self._timer.cancel()
        future, self._outcome, self._timer = self._outcome, None, None
        return future
