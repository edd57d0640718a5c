"""Recording what a bench does, so that a violation can be reproduced."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from mockcampaign.check.reproduce.scenario_writer import ScenarioWriter
from mockcampaign.check.reproduce.transcript import Transcript
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport


class Recording:
    """The requests and the scenario steps that show what a bench did."""

    def __init__(self, transport: Transport, start: int, shape: Shape, *, respelled: bool = False) -> None:
        """`start` is the bench's first moment, in milliseconds since 1970.

        With `respelled`, redelivered events are spelled otherwise.
        """
        self.transcript = Transcript(RespellingTransport(transport) if respelled else transport)
        self.scenario = ScenarioWriter(start, shape)
        self.serials: set[int] = set()
        """Serials of the events that the scenario emits."""

    @property
    def is_paused(self) -> bool:
        """Whether steps are left out at this moment."""
        return self.scenario.paused

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens meanwhile, since it is no part of what shows a violation."""
        self.scenario.paused = self.transcript.paused = True
        try:
            yield
        finally:
            self.scenario.paused = self.transcript.paused = False


class RespellingTransport:
    """A transport that sends events again with their fields in another order, and other spaces and escapes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._sent: set[bytes] = set()

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    async def send(self, request: Request) -> Outcome:
        if request.method == "POST":
            request = msgspec.structs.replace(request, body=self._respelled(request.body))
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Do nothing: the transport belongs to whoever made it."""

    def _respelled(self, body: bytes) -> bytes:
        try:
            decoded = json.loads(body)
        except (ValueError, RecursionError):
            return body  # no body of Campaign
        events = {json.dumps(event, sort_keys=True).encode() for event in _events_in(decoded)}
        is_known = not events.isdisjoint(self._sent)
        self._sent |= events
        return json.dumps(_reversed(decoded), separators=(" ,", " : ")).encode() if is_known else body


def _events_in(decoded: Any) -> list[Any]:
    """Return the elements of the list in a body, or the body itself if there is none."""
    if isinstance(decoded, dict):
        return next((inner for inner in decoded.values() if isinstance(inner, list)), [decoded])
    return decoded if isinstance(decoded, list) else [decoded]


def _reversed(value: Any) -> Any:
    """Return the value with the fields of its objects in the opposite order."""
    if isinstance(value, dict):
        return {name: _reversed(inner) for name, inner in reversed(value.items())}
    return [_reversed(inner) for inner in value] if isinstance(value, list) else value
