"""Bugs with one event in a batch that the consumer cannot handle."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import is_present
from mockcampaign.samples.store import Event
from mockcampaign.shape.field import Role, value_at


class RequiresDevice(Consumer):
    """Raises an exception at an event without device, which fails the batch."""

    def stored_form(self, event: Event) -> Event:
        field = self.shapes.expected_field(event)
        if field is None:
            return event
        if not is_present(event, field.path):
            raise KeyError(field.name)
        value = value_at(event, field.path)
        if field.is_text and value is not None:
            value.strip()
        return event


class SkipsEventsWithoutDevice(Consumer):
    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if self.has_expected(event)])

    def has_expected(self, event: Event) -> bool:
        field = self.shapes.expected_field(event)
        return field is None or is_present(event, field.path)


class DropsBatchWithBadEvent(RequiresDevice):
    async def process(self, events: list[Event]) -> None:
        with contextlib.suppress(KeyError):  # logged, and continued with the next batch
            await super().process(events)


class DropsBatchWithNul(Consumer):
    """Uses a database that cannot store NUL in text, as PostgreSQL."""

    async def process(self, events: list[Event]) -> None:
        if any("\0" in text for event in events for text in self.shapes.texts(event)):
            return  # logged, and continued with the next batch
        await super().process(events)


class NeverRespondsToBadEvent(Consumer):
    """Handles a batch in a task whose errors are logged, while the request waits for its result."""

    async def handle(self, request: Request) -> Response:
        try:
            return await super().handle(request)
        except TypeError:  # as that of a column that must not be null
            message = await request.receive()
            while message["type"] != "http.disconnect":
                message = await request.receive()
            return Response(status_code=500)

    async def process(self, events: list[Event]) -> None:
        for event in events:
            shape = self.shapes.of(event)
            for field in (*shape.of(Role.MOMENT), *shape.key_fields):
                if value_at(event, field.path) is None:
                    raise TypeError("null violates a not-null constraint")
        await super().process(events)


class StopsAtBadEvent(RequiresDevice):
    async def process(self, events: list[Event]) -> None:
        for index, event in enumerate(events):
            try:
                self.stored_form(event)
            except KeyError:
                events = events[:index]
                break
        await super().process(events)


BUGS: Mapping[str, Bug] = {
    "never-responds-to-bad-event": Bug(
        "Logs the error of an event without time, and never responds: nobody passes the error on to the request.",
        NeverRespondsToBadEvent,
    ),
    "requires-device": Bug("Responds 500 to a batch that contains an event without device.", RequiresDevice),
    "skips-events-without-device": Bug(
        "Leaves out events without device, and reports nothing.", SkipsEventsWithoutDevice
    ),
    "drops-batch-with-bad-event": Bug(
        "Logs an event without device as an error, responds 200 and drops the whole batch.", DropsBatchWithBadEvent
    ),
    "drops-batch-with-nul": Bug(
        "Logs text that contains NUL as an error, responds 200 and drops the whole batch.", DropsBatchWithNul
    ),
    "stops-at-bad-event": Bug(
        "Stops at an event without device, responds 200, and drops it and the rest of the batch.", StopsAtBadEvent
    ),
}
