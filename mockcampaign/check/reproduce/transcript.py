"""Remembering the requests of one rule's sender, so that curl can send them again."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mockcampaign.check.reproduce import curl
from mockcampaign.model import Fault, Outcome, Request, TimedOut
from mockcampaign.transport import Transport

BYTES_MAX = 400_000
"""Bytes of bodies above which no commands are written."""

TOO_LONG = f"Commands for everything that was sent would be longer than {BYTES_MAX // 1_000} KB."
CONCURRENT = "Commands cannot make two requests arrive at the same moment, and nothing else shows it."


class Sent(msgspec.Struct, kw_only=True):
    """One request that was sent."""

    body: bytes
    faults: tuple[Fault, ...] = ()
    timeout: int
    """How long the sender waits for the response, in milliseconds."""
    method: str = "POST"
    credentials: str | None = None
    """Arguments of curl for other credentials than the valid ones."""
    outcome: Outcome | None = None


class Transcript:
    """A transport that remembers its requests, without credentials. While it is `paused`, it only passes them on."""

    def __init__(self, transport: Transport) -> None:
        self.paused = False
        self._transport = transport
        self._sent: list[Sent] = []
        self._bytes = 0
        self._under_way = 0
        self._is_concurrent = False

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    async def send(self, request: Request) -> Outcome:
        if self.paused:
            return await self._transport.send(request)
        sent = Sent(body=request.body, faults=request.faults, timeout=request.timeout)
        self.note(sent)
        self._is_concurrent = self._is_concurrent or self._under_way > 0
        self._under_way += 1
        try:
            sent.outcome = await self._transport.send(request)
        finally:
            self._under_way -= 1
        return sent.outcome

    def note(self, sent: Sent) -> None:
        """Remember a request that is sent over another transport."""
        if not self.paused:
            self._bytes += len(sent.body)
            if self._bytes <= BYTES_MAX:
                self._sent.append(sent)

    async def aclose(self) -> None:
        """Do nothing: the transport belongs to the check."""

    def timed_out(self, body: bytes) -> bool:
        """Return whether any request with this body timed out."""
        return any(sent.body == body and isinstance(sent.outcome, TimedOut) for sent in self._sent)

    def commands(self, endpoint: curl.Endpoint) -> tuple[list[str], str | None]:
        """Return commands that send all requests again, or why there are none."""
        if self._bytes > BYTES_MAX:
            return [], TOO_LONG
        if self._is_concurrent:
            return [], CONCURRENT
        lines = []
        for sent in self._distinct():
            line = curl.faulty(endpoint, sent.body, sent.faults, method=sent.method, credentials=sent.credentials)
            if line is None:
                return [], f"curl cannot do what shows it: {', '.join(fault.kind for fault in sent.faults)}."
            if isinstance(sent.outcome, TimedOut):
                line = curl.giving_up(line, sent.timeout)
            lines.append(line)
        return lines, None if lines else "Nothing was sent."

    def _distinct(self) -> Iterator[Sent]:
        """Yield the requests without retries of a rejected batch, which show nothing new."""
        before: Sent | None = None
        for sent in self._sent:
            if sent != before or sent.faults or (sent.outcome is not None and sent.outcome.accepted):
                yield sent
            before = sent
