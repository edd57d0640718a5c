"""A sample consumer, called as over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mockcampaign.model import BasicAuthentication, Fault, Outcome, Request, Responded
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.shape import LIST, Shape
from mockcampaign.transport.inprocess import AsgiTransport

Event = dict[str, Any]
Headers = Sequence[tuple[str, str]]

CREDENTIALS = BasicAuthentication("acme", "päss:wörd")
RIGHT = CREDENTIALS.headers()
WRONG = BasicAuthentication("acme", "päss:wörd ").headers()


def event(number: int = 0, **changes: Any) -> Event:
    """An event that shares no field but its type and device with one of another number."""
    return {
        "type": "open",
        "recipientId": f"{number}",
        "mailId": f"M{number}",
        "created": 1_000 + number,
        "device": "desktop",
    } | changes


def some_events(count: int) -> list[Event]:
    """That many different ones."""
    return [event(number) for number in range(count)]


class CalledConsumer:
    """One process of a sample consumer."""

    def __init__(
        self,
        bug: str | None = None,
        *,
        basic_authentication: BasicAuthentication | None = CREDENTIALS,
        store: Path | None = None,
        shape: Shape | None = None,
    ) -> None:
        self.app = consumer_app(bug, basic_authentication=basic_authentication, store=store, shape=shape)
        self.body = LIST if shape is None else shape.body
        self.processed: list[Event] = []
        """Its own account, which needs no credentials, after the last exchange."""

    def exchange(self, *requests: Request) -> list[Outcome]:
        """All at the same moment."""

        async def exchange() -> list[Outcome]:
            transport = AsgiTransport(self.app)
            try:
                outcomes = await asyncio.gather(*map(transport.send, requests))
                account = await transport.send(request("GET", "/processed"))
            finally:
                await transport.aclose()
            assert isinstance(account, Responded)
            assert (account.status, dict(account.headers)["content-type"]) == (200, "application/json")
            self.processed = json.loads(account.body)
            return list(outcomes)

        return asyncio.run(exchange())

    def send(self, method: str = "POST", path: str = "/hook", body: bytes = b"[]", **more: Any) -> Responded:
        """One request that is answered."""
        [outcome] = self.exchange(request(method, path, body, **more))
        assert isinstance(outcome, Responded)
        return outcome

    def post(self, *events: Event, **more: Any) -> int:
        """The status that a list is answered with."""
        return self.send(body=self.body.join([encoded_event(one) for one in events]), **more).status

    def state(self) -> Any:
        """The end state."""
        return json.loads(self.send("GET", "/state", b"").body)


def encoded(*events: Event) -> bytes:
    """The body of a list."""
    return LIST.join([encoded_event(one) for one in events])


def encoded_event(one: Event) -> bytes:
    """An event of a body."""
    return json.dumps(one, ensure_ascii=False).encode()


def request(
    method: str = "POST",
    path: str = "/hook",
    body: bytes = b"",
    headers: Headers = RIGHT,
    faults: tuple[Fault, ...] = (),
    timeout: int = 10_000,
) -> Request:
    """A request to a consumer."""
    return Request(
        method=method,
        url=f"http://consumer.test{path}",
        headers=(("Content-Type", "application/json"), *headers),
        body=body,
        faults=faults,
        timeout=timeout,
        response_body_bytes_kept=10_000_000,
    )
