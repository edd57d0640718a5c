"""Cancelled wherever it waits, a run leaves a journal that adds up and no open socket, and can go on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from endpoints import OK, Endpoint, Run, leaving_nothing, read_request, server_context
from explained import received_lists
from mockcampaign.campaign import Campaign
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.faults import (
    CutBody,
    Duplicate,
    ExpectContinue,
    IdleConnection,
    LostAck,
    NewConnection,
    SplitHeaders,
    TrickleBody,
)
from mockcampaign.model import EventType, Fault, Webhook
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.transport.wire import WireTransport
from old_fold import tally

EVENTS, LIST_MAX = 5, 2
TURNS_MAX = 2_000
"""Of the event loop; no run here takes so many."""


class Consumer:
    """Accepts batches, and counts each event of those that arrive completely."""

    def __init__(self) -> None:
        self.received: Counter[int] = Counter()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await read_request(reader)
            self.received.update(event["n"] for event in json.loads(body))
            writer.write(OK)


async def turns(task: asyncio.Task[None], count: int) -> None:
    for _ in range(count):
        if task.done():
            return
        await asyncio.sleep(0)


async def cancelled_after(count: int, faults: tuple[Fault, ...], context: Any) -> bool:
    """Whether the run was over before it was cancelled."""
    consumer = Consumer()
    endpoint = Endpoint(consumer)
    transport = WireTransport(verify=False)
    async with leaving_nothing(), endpoint.serving(context=context):
        campaign = Campaign(transport, policy=Policy(batch_events_max=LIST_MAX))
        webhooks = [campaign.activate(campaign.create(EventType.OPEN, endpoint.url)) for _ in range(2)]
        for fault in faults:
            campaign.fault(fault, times=2)
        payloads = tuple((campaign.now, b'{"n":%d}' % number) for number in range(1, EVENTS + 1))
        campaign.put([(campaign.now, EventsDue(client_id=DEFAULT_CLIENT_ID, type=EventType.OPEN, payloads=payloads))])

        run = asyncio.create_task(campaign.run())
        await turns(run, count)
        over = run.done()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert run.cancelled() != over
        assert_adds_up(campaign, webhooks)

        await campaign.run()
        assert_adds_up(campaign, webhooks)
        for webhook in webhooks:
            assert tally(campaign.journal.entries, [webhook.id]).delivered == list(range(1, EVENTS + 1))
        must, may = received_lists(campaign.journal.entries)
        assert must <= consumer.received <= must + may
        await campaign.aclose()
        assert not transport._open
        assert not transport._under_way
    return over


def assert_adds_up(campaign: Campaign, webhooks: list[Webhook]) -> None:
    """What was accepted is delivered, discarded or pending, and the engine and its journal agree on that."""
    for webhook in webhooks:
        account = tally(campaign.journal.entries, [webhook.id])
        pending = [event.serial for event in campaign.pending(webhook)]
        assert account.accepted == set(range(1, EVENTS + 1))
        assert len(account.delivered) == len(set(account.delivered))
        assert account.pending == set(pending)
        assert len(pending) == len(set(pending))


CASES: dict[str, tuple[Fault, ...]] = {
    "nothing": (),
    "a lost answer": (LostAck(),),
    "an answer lost before it comes": (LostAck(dropped="before-response"),),
    "duplicates": (Duplicate(timing="concurrent"), Duplicate(timing="later")),
    "a request in pieces": (SplitHeaders(pause=0), TrickleBody(piece_bytes=4, pause=0)),
    "a body that waits": (ExpectContinue(timeout=0),),
    "a connection that idles": (IdleConnection(idle=0), NewConnection()),
    "a body that is cut": (CutBody(), SplitHeaders(pause=0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_can_be_cancelled_after_any_turn_of_the_loop(run: Run, name: str) -> None:
    async def main() -> None:
        count = 0
        while not await cancelled_after(count, CASES[name], None):
            count += 1
            assert count < TURNS_MAX
        assert count > 5

    run(main())


@pytest.mark.slow
def test_a_run_over_tls_can_be_cancelled_after_any_turn_of_the_loop(run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint about handshakes
        context = server_context("127.0.0.1")
        for faults in ((), (LostAck(), SplitHeaders(pause=0))):
            count = 0
            while not await cancelled_after(count, faults, context):
                count += 1
                assert count < TURNS_MAX
            assert count > 5

    run(main())
