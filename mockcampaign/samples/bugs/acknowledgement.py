"""Bugs in acknowledging a batch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import msgspec
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event


def responding(status: int) -> type[Consumer]:
    """Return a consumer that stores a batch and responds with that status."""

    class Responding(Consumer):
        def respond(self, events: list[Event]) -> Response:
            return Response(status_code=status)

    return Responding


class RespondsMultiStatus(Consumer):
    def respond(self, events: list[Event]) -> Response:
        if len(events) == 1:
            return super().respond(events)
        return JSONResponse([{"status": 200} for _ in events], status_code=207)


class RedirectsToTrailingSlash(Consumer):
    async def handle(self, request: Request) -> Response:
        if not self.is_authenticated(request):
            raise HTTPException(self.rejection_status)
        self.parse(await self.read_body(request))
        return Response(status_code=307, headers={"Location": f"{request.url.path}/"})


class AlwaysResponds503(Consumer):
    async def process(self, events: list[Event]) -> None:
        raise HTTPException(503, "down for maintenance")


class AcknowledgesBeforeStoring(Consumer):
    seconds_until_stored = 0.05

    async def process(self, events: list[Event]) -> None:
        pass  # `respond` schedules it

    def respond(self, events: list[Event]) -> Response:
        return JSONResponse({"queued": len(events)}, background=BackgroundTask(self.store_later, events))

    async def store_later(self, events: list[Event]) -> None:
        await asyncio.sleep(self.seconds_until_stored)
        await super().process(events)


class SwallowsBackgroundErrors(Consumer):
    async def process(self, events: list[Event]) -> None:
        pass

    def respond(self, events: list[Event]) -> Response:
        return JSONResponse({"queued": len(events)}, background=BackgroundTask(self.job, events))

    async def job(self, events: list[Event]) -> None:
        try:
            if any(self.shapes.lacks_expected(event) for event in events):
                raise LookupError
            await super().process(events)
        except Exception:
            pass  # Logged by the job, while the sender has its 200.


class RespondsWithIdsOfNewRows(Consumer):
    """Responds with ids that its JSON encoder cannot represent: a retry, which stores nothing new, has none."""

    def prepare(self) -> None:
        self.responded_for = 0

    def respond(self, events: list[Event]) -> Response:
        stored, self.responded_for = len(self.store) - self.responded_for, len(self.store)
        if stored:
            raise TypeError("an id of a new row is not JSON")
        return super().respond(events)


class AcknowledgesUnreadableBody(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return super().parse(body)
        except HTTPException:
            return []  # "Campaign would only send it again."


class SalvagesTruncatedBatch(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return super().parse(body)
        except HTTPException:
            salvaged = self.shapes.whole_events(body)
            if not salvaged:
                raise
            return salvaged


class SlowPerEvent(Consumer):
    seconds_per_event = 0.15

    async def process(self, events: list[Event]) -> None:
        for _ in events:
            await asyncio.sleep(self.seconds_per_event)
        await super().process(events)


class SlowFirstFullBatch(Consumer):
    """Initialises what it needs for full batches when the first one arrives."""

    seconds_to_load = 12.0
    loading = False

    async def process(self, events: list[Event]) -> None:
        if len(events) == 100 and not self.loading:
            self.loading = True
            await asyncio.sleep(self.seconds_to_load)
        await super().process(events)


class DropsWhenQueueIsFull(Consumer):
    batches_max = 20
    seconds_per_batch = 0.5

    def prepare(self) -> None:
        self.queue: list[list[Event]] = []
        self.worker: asyncio.Task[None] | None = None

    async def process(self, events: list[Event]) -> None:
        if len(self.queue) >= self.batches_max:
            return  # `put_nowait` and `except QueueFull: pass`
        self.queue.append(events)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.work())

    async def work(self) -> None:
        while self.queue:
            await super().process(self.queue[0])
            await asyncio.sleep(self.seconds_per_batch)
            self.queue.pop(0)


class RespondsWithErrorBody(Consumer):
    async def hook(self, request: Request) -> Response:
        response = await super().hook(request)
        if response.status_code in (401, 405):
            return response
        return Response(msgspec.json.encode({"ok": response.status_code == 200}), status_code=200)

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if any(map(self.shapes.lacks_expected, events)):
            raise HTTPException(422, "validation failed")
        return events


class StoresAnyJson(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return self.shapes.elements_of(msgspec.json.decode(body))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise HTTPException(400, f"not {self.shapes.body_description}") from None


class StoresListsAsEvents(Consumer):
    """Checks elements with PHP's `is_array`, after it has decoded objects as arrays."""

    def parse(self, body: bytes) -> list[Event]:
        elements = msgspec.json.decode(body) if self.shapes.body.has_list else None
        if not isinstance(elements, list) or not any(isinstance(element, list) for element in elements):
            return super().parse(body)
        if not all(isinstance(element, dict | list) for element in elements):
            raise HTTPException(400, "an element is no array")
        return elements


class AcknowledgesDeepNesting(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            json.loads(body)
        except RecursionError:
            return []  # "Nobody sends that."
        except ValueError:
            pass
        return super().parse(body)


BUGS: Mapping[str, Bug] = {
    "responds-201": Bug("Responds 201 Created instead of 200.", responding(201)),
    "responds-202": Bug("Responds 202 Accepted, because a worker processes the batch later.", responding(202)),
    "responds-204": Bug("Responds 204 No Content, because it has nothing to return.", responding(204)),
    "responds-207": Bug(
        "Responds 207 Multi-Status, with one status for each event, to a batch of several events.", RespondsMultiStatus
    ),
    "responds-404-before-handler-ends": Bug(
        "Does not wait for the handler that stores the batch, so the framework sends its default, a 404.",
        responding(404),
    ),
    "redirects-to-trailing-slash": Bug(
        "Redirects to the URL with a trailing slash, as frameworks do by default.", RedirectsToTrailingSlash
    ),
    "responds-with-ids-of-new-rows": Bug(
        "Responds with the ids of new rows, which its JSON encoder cannot represent: 500 to each new batch, which it "
        "has stored, and 200 to its retry.",
        RespondsWithIdsOfNewRows,
    ),
    "always-responds-503": Bug("Responds 503 to every request.", AlwaysResponds503),
    "acknowledges-before-storing": Bug(
        "Responds 200 first and stores the batch 50 ms later.", AcknowledgesBeforeStoring
    ),
    "swallows-background-errors": Bug(
        "Stores batches in a background job that swallows errors, so a batch with an event without device is lost.",
        SwallowsBackgroundErrors,
    ),
    "acknowledges-unreadable-body": Bug(
        "Responds 200 to a body it cannot parse, so that Campaign does not send it again.", AcknowledgesUnreadableBody
    ),
    "salvages-truncated-batch": Bug(
        "Stores the complete events of a truncated body and acknowledges the batch.", SalvagesTruncatedBatch
    ),
    "acknowledges-deep-nesting": Bug(
        "Responds 200 to JSON that is nested too deeply for its parser, and stores nothing of it.",
        AcknowledgesDeepNesting,
    ),
    "stores-any-json": Bug("Stores every element of a JSON array without checking that it is an event.", StoresAnyJson),
    "stores-lists-as-events": Bug(
        "Stores JSON arrays as events, because PHP decodes objects and arrays to the same type.", StoresListsAsEvents
    ),
    "slow-per-event": Bug("Takes 0.15 s per event, which is too long for a full batch.", SlowPerEvent),
    "slow-first-full-batch": Bug(
        "Responds to the first full batch after 12 s, because it initialises on demand.", SlowFirstFullBatch
    ),
    "drops-when-queue-is-full": Bug(
        "Puts batches into a queue of 20, and responds 200 to those that do not fit and drops them.",
        DropsWhenQueueIsFull,
    ),
    "responds-200-with-error-body": Bug(
        'Responds 200 with {"ok": false} in the body when it failed.', RespondsWithErrorBody
    ),
}
