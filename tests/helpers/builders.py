"""Builders with a default for everything, so that each argument a test writes matters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import Driver, drive
from mockcampaign.engine.outbox import Outbox
from mockcampaign.model import Event, EventType, Outcome, Request, Responded
from mockcampaign.policy import Policy

START = 1_000_000_000_000
CLIENT = 7
OK = Responded(200)


def event(serial: int = 1, created: int = START) -> Event:
    return Event(serial, created, b'{"n":%d}' % serial)


def events(count: int, *, first: int = 1, created: int = START) -> list[Event]:
    return [event(first + index, created) for index in range(count)]


def outbox(*, policy: Policy = Policy(), activated: bool = True, holding: Sequence[Event] = ()) -> Outbox:
    box = Outbox(1, policy)
    if activated:
        box.activate(START)
    box.accept([tuple(holding)] if holding else [], START)
    return box


def exporter(*, policy: Policy = Policy(), start: int = START) -> Exporter:
    return Exporter(policy=policy, seed=0, start=start, versions={"mockcampaign": "0"})


def activated(
    box: Exporter, event_type: EventType = EventType.OPEN, *, client_id: int = CLIENT, url: str = "http://consumer/"
) -> int:
    """The id of a new, activated webhook."""
    webhook = box.create(client_id, event_type, url)
    box.activate(client_id, webhook.id)
    return webhook.id


def happen(
    box: Exporter, count: int = 1, event_type: EventType = EventType.OPEN, *, age: int = 0, client_id: int = CLIENT
) -> None:
    """Events now, created `age` milliseconds ago."""
    payloads = tuple((box.clock.now - age, b'{"n":%d}' % index) for index in range(count))
    box.accept_events(EventsDue(client_id=client_id, type=event_type, payloads=payloads))


class Consumer:
    """Answers as told, and remembers what it was sent. `answer` gets the number of the request, from 1."""

    def __init__(self, answer: Outcome | Callable[[int], Outcome] = OK) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        return self._answer(len(self.requests)) if callable(self._answer) else self._answer


def run(
    box: Exporter,
    consumer: Consumer | None = None,
    *,
    until: int | None = None,
    send: Callable[[Request], Awaitable[Outcome]] | None = None,
) -> Consumer:
    """Drive until idle, or up to a moment."""
    consumer = consumer or Consumer()
    asyncio.run(drive(box, send or consumer.send, until))
    return consumer


class OneByOne(Driver):
    """Makes every attempt by itself, also those that fail without being sent."""

    @property
    def is_watched(self) -> bool:
        return True


def entries_of(box: Exporter, kind: type[Any]) -> list[Any]:
    return [entry for entry in box.journal.entries if isinstance(entry, kind)]


def attempts_at(box: Exporter) -> list[int]:
    """When each attempt started, in milliseconds after the start."""
    return [at - START for entry in entries_of(box, Attempted) for _, at in entry.starts()]
