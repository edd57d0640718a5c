"""What one rule's sender really sent, so that it can be sent again without it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mockcampaign.check.reproduce import curl
from mockcampaign.model import Authentication, Fault, Outcome, Request, TimedOut
from mockcampaign.transport import Transport

BYTES_MAX = 400_000
"""Longer commands are not written."""

TOO_MUCH = f"Commands for all that was sent would have more than {BYTES_MAX // 1_000} KB."
AT_ONCE = "Commands cannot make two requests arrive at the same moment, and nothing else shows it."


class Sent(msgspec.Struct, kw_only=True):
    """One request."""

    body: bytes
    faults: tuple[Fault, ...] = ()
    timeout: int
    """Milliseconds."""
    method: str = "POST"
    credentials: str | None = None
    """Arguments of curl for others than the right ones."""
    outcome: Outcome | None = None


class Transcript:
    """A transport that remembers what goes over it, but for credentials. While it is `paused`, it only passes it on."""

    def __init__(self, transport: Transport) -> None:
        self.paused = False
        self._transport = transport
        self._sent: list[Sent] = []
        self._bytes = 0
        self._under_way = 0
        self._at_once = False

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    async def send(self, request: Request) -> Outcome:
        if self.paused:
            return await self._transport.send(request)
        sent = Sent(body=request.body, faults=request.faults, timeout=request.timeout)
        self.note(sent)
        self._at_once = self._at_once or self._under_way > 0
        self._under_way += 1
        try:
            sent.outcome = await self._transport.send(request)
        finally:
            self._under_way -= 1
        return sent.outcome

    def note(self, sent: Sent) -> None:
        """This goes another way."""
        if not self.paused:
            self._bytes += len(sent.body)
            if self._bytes <= BYTES_MAX:
                self._sent.append(sent)

    async def aclose(self) -> None:
        """Nothing: the transport is not its own."""

    def timed_out(self, body: bytes) -> bool:
        """Whether it has waited in vain for an answer to this body."""
        return any(sent.body == body and isinstance(sent.outcome, TimedOut) for sent in self._sent)

    def commands(self, url: str, authentication: Authentication) -> tuple[list[str], str | None]:
        """What sends all of it again, or why nothing can."""
        if self._bytes > BYTES_MAX:
            return [], TOO_MUCH
        if self._at_once:
            return [], AT_ONCE
        lines = []
        for sent in self._without_repetitions():
            line = curl.faulty(
                url, sent.body, authentication, sent.faults, method=sent.method, credentials=sent.credentials
            )
            if line is None:
                return [], f"curl cannot do what shows it: {', '.join(fault.kind for fault in sent.faults)}."
            if isinstance(sent.outcome, TimedOut):
                line = curl.giving_up(line, sent.timeout)
            lines.append(line)
        return lines, None if lines else "Nothing was sent."

    def _without_repetitions(self) -> Iterator[Sent]:
        """A list that is refused again and again shows no more than once."""
        before: Sent | None = None
        for sent in self._sent:
            if sent != before or sent.faults or (sent.outcome is not None and sent.outcome.accepted):
                yield sent
            before = sent
