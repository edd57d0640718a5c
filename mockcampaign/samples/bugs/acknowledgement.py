"""Mistakes in saying that a list was taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import msgspec
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store


def answering(status: int) -> type[Consumer]:
    """One that processes a list, and says so with that status."""

    class Answering(Consumer):
        def answer(self, events: list[Event]) -> Response:
            return Response(status_code=status)

    return Answering


class AnswersManyWith207(Consumer):
    def answer(self, events: list[Event]) -> Response:
        if len(events) == 1:
            return super().answer(events)
        return JSONResponse([{"status": 200} for _ in events], status_code=207)


class Redirects(Consumer):
    async def take(self, request: Request) -> Response:
        if not self.lets_in(request):
            raise HTTPException(self.refuse_status)
        self.parse(await self.read(request))
        return Response(status_code=307, headers={"Location": f"{request.url.path}/"})


class NeverAnswers200(Consumer):
    async def process(self, events: list[Event]) -> None:
        raise HTTPException(503, "down for maintenance")


class AnswersBeforeStoring(Consumer):
    seconds_until_stored = 0.05

    async def process(self, events: list[Event]) -> None:
        pass  # `answer` has it done

    def answer(self, events: list[Event]) -> Response:
        return JSONResponse({"queued": len(events)}, background=BackgroundTask(self.store_later, events))

    async def store_later(self, events: list[Event]) -> None:
        await asyncio.sleep(self.seconds_until_stored)
        await super().process(events)


class LosesBackgroundErrors(Consumer):
    async def process(self, events: list[Event]) -> None:
        pass

    def answer(self, events: list[Event]) -> Response:
        return JSONResponse({"queued": len(events)}, background=BackgroundTask(self.job, events))

    async def job(self, events: list[Event]) -> None:
        try:
            devices = {event["device"].lower() for event in events}
            assert devices is not None
            await super().process(events)
        except Exception:
            pass  # The job's log has it, the sender has its 200.


class AcknowledgesUnreadable(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return super().parse(body)
        except HTTPException:
            return []  # "It would only come again."


class SalvagesCutLists(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return super().parse(body)
        except HTTPException:
            whole, brace, _ = body.rpartition(b"}")
            if not brace:
                raise
            return super().parse(whole + brace + b"]")


class SlowForEachEvent(Consumer):
    seconds_for_an_event = 0.15

    async def process(self, events: list[Event]) -> None:
        for _ in events:
            await asyncio.sleep(self.seconds_for_an_event)
        await super().process(events)


class SlowAtFirst(Consumer):
    """Loads what it needs for long lists when the first one comes."""

    seconds_to_load = 12.0
    loading = False

    async def process(self, events: list[Event]) -> None:
        if len(events) == 100 and not self.loading:
            self.loading = True
            await asyncio.sleep(self.seconds_to_load)
        await super().process(events)


class DropsWhatOverflows(Consumer):
    lists_max = 20
    seconds_for_a_list = 0.5

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.queue: list[list[Event]] = []
        self.worker: asyncio.Task[None] | None = None

    async def process(self, events: list[Event]) -> None:
        if len(self.queue) >= self.lists_max:
            return  # `put_nowait` and `except QueueFull: pass`
        self.queue.append(events)
        if self.worker is None or self.worker.done():
            self.worker = asyncio.create_task(self.work())

    async def work(self) -> None:
        while self.queue:
            await super().process(self.queue[0])
            await asyncio.sleep(self.seconds_for_a_list)
            self.queue.pop(0)


class AnswersWithAnError(Consumer):
    async def hook(self, request: Request) -> Response:
        answer = await super().hook(request)
        if answer.status_code in (401, 405):
            return answer
        return Response(msgspec.json.encode({"ok": answer.status_code == 200}), status_code=200)

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if any(event.get("device") is None for event in events):
            raise HTTPException(422, "device is required")
        return events


class KeepsWhateverComes(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            return msgspec.json.decode(body, type=list)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise HTTPException(400, "not a JSON list") from None


class AcknowledgesTooDeep(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        try:
            json.loads(body)
        except RecursionError:
            return []  # "Nobody sends that."
        except ValueError:
            pass
        return super().parse(body)


BUGS: Mapping[str, Bug] = {
    "answers-201": Bug("answers 201 Created instead of 200", answering(201)),
    "answers-202": Bug("answers 202 Accepted, since others work with the list later", answering(202)),
    "answers-204": Bug("answers 204 No Content, since it has nothing to say", answering(204)),
    "answers-207": Bug("answers 207 Multi-Status to lists of several events, one status for each", AnswersManyWith207),
    "redirects": Bug("redirects to the address with a slash, as frameworks do by themselves", Redirects),
    "never-answers-200": Bug("answers 503 to everything", NeverAnswers200),
    "answers-before-storing": Bug("answers first, and stores a moment later", AnswersBeforeStoring),
    "loses-background-errors": Bug(
        "works in a background job, whose errors nobody sees: a list with an event without device is gone",
        LosesBackgroundErrors,
    ),
    "acknowledges-unreadable": Bug(
        "answers 200 to what it cannot read, so that it does not come again", AcknowledgesUnreadable
    ),
    "salvages-cut-lists": Bug("takes the whole events of a list that was cut, and acknowledges it", SalvagesCutLists),
    "acknowledges-too-deep": Bug(
        "answers 200 to what is nested too deeply for its parser, and has nothing of it", AcknowledgesTooDeep
    ),
    "keeps-whatever-comes": Bug(
        "stores the elements of a list without a look, events or not, and shows them all", KeepsWhateverComes
    ),
    "slow-for-each-event": Bug("needs 0.15 s for each event, which is too long for full lists", SlowForEachEvent),
    "slow-at-first": Bug("answers the first full list after 12 s, since it has to get ready for it", SlowAtFirst),
    "drops-what-overflows": Bug(
        "puts lists into a queue of 20 places, and drops what does not fit after its 200", DropsWhatOverflows
    ),
    "answers-200-with-an-error": Bug(
        'answers 200 to everything, and says {"ok": false} in the body where it failed', AnswersWithAnError
    ),
}
