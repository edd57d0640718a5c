"""A transport that shows virtual time to the consumer before each request."""

from __future__ import annotations

from collections.abc import Callable

from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.transport import Transport


class LedTransport:
    """Sends by another transport, to a consumer whose clock follows."""

    def __init__(self, transport: Transport, show_time: Callable[[], object]) -> None:
        self._transport = transport
        self._show_time = show_time

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    async def send(self, request: Request) -> Outcome:
        # Within what is awaited, so that whoever awaits it can take the attempt back: nothing was sent.
        self._show_time()
        return await self._transport.send(request)

    async def aclose(self) -> None:
        await self._transport.aclose()
