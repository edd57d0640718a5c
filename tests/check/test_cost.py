"""What a whole check costs, counted and not timed, so that a loaded machine changes nothing."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from checks import NOW
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport.inprocess import AsgiTransport

POSTS = 500
"""Number of ordinary batches that give the cost of one."""

CALLS, REQUESTS, SENT = 29_500, 1_970, 27_750_000
"""What the check of the correct sample cost with 86 rules at 144a5e4, seed 1: function calls (builtin ones as well)
as a multiple of those of one ordinary batch, requests (those of the probe as well), and bytes of all their bodies."""

GROWTH = 1.15
"""How many times as much all rules together may cost since then."""


class Counting(AsgiTransport):
    """Counts its requests and the bytes of their bodies."""

    requests = bytes = 0

    async def send(self, request: Request) -> Outcome:
        self.requests += 1
        self.bytes += len(request.body)
        return await super().send(request)


def calls_of(run: Coroutine[Any, Any, None]) -> int:
    profile = cProfile.Profile()
    profile.enable()
    try:
        asyncio.run(run)
    finally:
        profile.disable()
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return calls


async def posted(transport: AsgiTransport) -> None:
    [example] = builtin_shape(EventType.OPEN).examples
    for number in range(POSTS):
        events = [{**example, "mailId": str(number), "recipientId": str(one)} for one in range(5)]
        request = Request(
            method="POST",
            url="http://consumer.test/hook",
            headers=(("Content-Type", "application/json"),),
            body=msgspec.json.encode(events),
            timeout=10_000,
            response_body_bytes_kept=0,
        )
        assert (await transport.send(request)).accepted
    await transport.aclose()


async def checked(transport: AsgiTransport) -> None:
    probe = UrlProbe(Probe(url="http://consumer.test/processed", events="@"), transport, timeout=10_000)
    result = await check(
        "http://consumer.test/hook", transport=transport, settings=Settings(now=NOW, seed=1), probe=probe
    )
    assert result.compliant, result.headline
    await transport.aclose()


@pytest.mark.slow
def test_a_check_costs_little_more_than_before_faults_of_real_consumers_were_added() -> None:
    counting = Counting(consumer_app())
    one_batch = calls_of(posted(AsgiTransport(consumer_app()))) / POSTS
    whole = calls_of(checked(counting))
    assert whole / one_batch <= GROWTH * CALLS, (whole, one_batch)
    assert counting.requests <= GROWTH * REQUESTS
    assert counting.bytes <= GROWTH * SENT
