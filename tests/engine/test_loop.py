from __future__ import annotations

import asyncio

import pytest

from builders import START, OneByOne, activated, attempts_at, entries_of, exporter, happen
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import drive
from mockcampaign.model import INTERRUPTED, Outcome, Request, Responded


def test_webhooks_send_in_parallel_and_conclude_in_order() -> None:
    """The journal is the same whatever the order of the responses."""
    box = exporter()
    ids = [activated(box, url=f"http://consumer/{index}") for index in range(4)]
    happen(box)
    under_way: list[str] = []

    async def main() -> None:
        all_sent = asyncio.Event()
        gates = [asyncio.Event() for _ in ids]

        async def send(request: Request) -> Outcome:
            under_way.append(request.url)
            if len(under_way) == len(ids):
                all_sent.set()
            await gates[int(request.url[-1])].wait()
            return Responded(200)

        async def answer_backwards() -> None:
            await all_sent.wait()
            for gate in reversed(gates):
                gate.set()

        await asyncio.gather(drive(box, send, None), answer_backwards())

    asyncio.run(main())
    assert len(under_way) == len(ids)
    assert [entry.webhook_id for entry in entries_of(box, Attempted)] == ids


def test_time_stands_still_while_requests_are_out() -> None:
    box = exporter()
    activated(box)
    happen(box)
    seen = []

    async def send(request: Request) -> Outcome:
        await asyncio.sleep(0)
        seen.append(box.clock.now)
        return Responded(200)

    asyncio.run(drive(box, send, START + 5_000))
    assert seen == [START]
    assert box.clock.now == START + 5_000


def test_cancelling_cancels_all_that_is_under_way() -> None:
    box = exporter()
    ids = [activated(box, url=f"http://consumer/{index}") for index in range(3)]
    happen(box)
    sent, cancelled = [], []

    async def send(request: Request) -> Outcome:
        sent.append(request.url)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(request.url)
            raise
        raise AssertionError

    async def main() -> None:
        driving = asyncio.create_task(drive(box, send, None))
        while len(sent) < len(ids):
            await asyncio.sleep(0)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        await asyncio.sleep(0)
        assert sorted(cancelled) == sorted(sent)

    asyncio.run(main())
    assert [entry.outcome for entry in entries_of(box, Attempted)] == [INTERRUPTED] * len(ids)


def test_other_tasks_get_their_turn_during_a_long_outage() -> None:
    box = exporter()
    activated(box)
    happen(box)
    box.declare_outage("refused", START + 10**10)

    async def main() -> int:
        task = asyncio.create_task(OneByOne(box, _never).drive(None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(attempts_at(box))

    assert 0 < asyncio.run(main()) < 25_920


def test_a_broken_transport_is_not_swallowed() -> None:
    box = exporter()
    activated(box)
    happen(box)

    async def send(request: Request) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(drive(box, send, None))
    assert len(box.pending(1)) == 1


async def _never(request: Request) -> Outcome:
    raise AssertionError("an outage touches no transport")
