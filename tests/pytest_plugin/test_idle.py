"""A consumer that goes on working after its response is idle when `run` returns, and no test sleeps."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mockcampaign import Policy
from mockcampaign.model import TimedOut
from mockcampaign.pytest_plugin import CampaignFixture
from mockcampaign.transport import idle_watch
from plugin_apps import App
from plugin_apps import app as app

PATIENT = pytest.mark.mockcampaign(policy=Policy(timeout=30_000))


class Later(App):
    """A consumer that responds first, and lets `store` work afterwards."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.stored: list[Any] = []
        self.queue: asyncio.Queue[Any] | None = None
        self.workers: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.queue = asyncio.Queue()
            if self.how == "queue":
                self.workers = [asyncio.create_task(self.work()) for _ in range(2)]
            self.workers.append(asyncio.create_task(self.tick()))
            try:
                await super().__call__(scope, receive, send)
            finally:
                for worker in self.workers:
                    worker.cancel()
            return
        await super().__call__(scope, receive, send)
        batch, self.events = self.events, []
        await STORING[self.how](self, batch)

    async def tick(self) -> None:
        """Work that never ends, for which nobody waits."""
        while True:
            await asyncio.sleep(3_600)

    async def work(self) -> None:
        assert self.queue is not None
        while True:
            batch = await asyncio.wait_for(self.queue.get(), 3_600)
            await self.store(batch)

    async def store(self, batch: Any) -> None:
        """Store after a pause, in a thread, and after two more turns of the loop."""
        await asyncio.sleep(0.003)
        in_thread = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.003)
        await asyncio.wait_for(in_thread, 60)
        await asyncio.wait([asyncio.get_running_loop().run_in_executor(None, threading.Event().wait, 0.003)])
        await asyncio.sleep(0)
        self.stored += batch

    async def enqueue(self, batch: Any) -> None:
        assert self.queue is not None
        self.queue.put_nowait(batch)

    async def spawn(self, batch: Any) -> None:
        task = asyncio.create_task(self.store(batch))
        self.workers.append(task)

    async def hand_on(self, batch: Any) -> None:
        async def first() -> None:
            await self.spawn(batch)

        self.workers.append(asyncio.create_task(first()))


STORING: dict[str, Callable[[Later, Any], Awaitable[None]]] = {
    "in the call": Later.store,
    "queue": Later.enqueue,
    "task": Later.spawn,
    "task of a task": Later.hand_on,
}


@PATIENT
@pytest.mark.parametrize("how", STORING)
def test_events_stored_after_the_response_are_there_when_run_returns(campaign: CampaignFixture, how: str) -> None:
    app = Later(how)
    campaign.emit(campaign.webhook("open", target=app), 250)
    campaign.run()
    assert sorted(app.stored, key=json.dumps) == sorted(campaign.delivered, key=json.dumps)
    campaign.emit("open", 3)
    campaign.run()
    assert len(app.stored) == 253


def test_a_consumer_with_its_own_settled_function(campaign: CampaignFixture, app: App) -> None:
    stored: list[Any] = []
    threads: list[threading.Thread] = []

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        batch = json.loads(environ["wsgi.input"].read())
        threads.append(threading.Thread(target=lambda: stored.extend(batch)))
        threads[-1].start()
        start_response("200 OK", [])
        return []

    def settled() -> None:
        for thread in threads:
            thread.join()

    campaign.emit(campaign.webhook("open", target=consumer, settled=settled), 150)
    campaign.run()
    assert len(stored) == 150

    async def asked() -> None:
        stored.append("asked")

    campaign.emit(campaign.webhook("click", target=app, settled=asked))
    campaign.run()
    assert stored[-1] == "asked"


@pytest.mark.mockcampaign(policy=Policy(timeout=20))
def test_a_consumer_that_is_never_idle_is_waited_for_up_to_the_time_out(campaign: CampaignFixture, app: App) -> None:
    app.before_response = asyncio.Event().wait  # type: ignore[method-assign,assignment]
    campaign.emit(campaign.webhook("open", target=app))
    campaign.advance("1s")
    assert [delivery.outcome for delivery in campaign.deliveries] == [TimedOut("wait")]


def test_virtual_time_stands_still_during_a_request(campaign: CampaignFixture, app: App) -> None:
    moments = []

    async def slow() -> None:
        moments.append(campaign.clock.now)
        await asyncio.sleep(0.01)
        moments.append(campaign.clock.now)

    app.before_response = slow  # type: ignore[method-assign]
    campaign.emit(campaign.webhook("open", target=app), 2, over="2h")
    campaign.advance("3h")
    assert len(moments) == 4
    assert moments[0] == moments[1] < moments[2] == moments[3]


def test_a_timeout_error_of_the_consumer_is_not_that_of_the_run(campaign: CampaignFixture, app: App) -> None:
    def settled() -> None:
        raise TimeoutError("the queue is stuck")

    campaign.emit(campaign.webhook("open", target=app, settled=settled))
    with pytest.raises(TimeoutError, match="the queue is stuck"):
        campaign.run()


@pytest.mark.parametrize("turns", range(30))
def test_work_handed_on_at_any_turn_of_the_loop_is_waited_for(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_watch, "POLL_SECONDS", 0)  # looks as often as it can, and so at each turn
    done: list[int] = []

    async def work(queue: asyncio.Queue[int]) -> None:
        while True:
            item = await asyncio.wait_for(queue.get(), 3_600)
            await asyncio.sleep(0)
            done.append(item)

    async def call(queue: asyncio.Queue[int]) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        queue.put_nowait(turns)

    async def run() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        watch = idle_watch.Watch()
        watch.begin()
        worker = asyncio.create_task(work(queue))
        await watch.rested()
        calling = asyncio.create_task(call(queue))
        await watch.settle(set(), 60)
        assert calling.done()
        worker.cancel()

    asyncio.run(run())
    assert done == [turns]
