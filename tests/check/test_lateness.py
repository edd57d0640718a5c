"""A response that is late because the machine is busy violates nothing."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from judged import CREDENTIALS, checked, checked_in_process, judged, settings
from mockcampaign.check.rules import http
from mockcampaign.samples.bugs.http import ReadsBodyUnderLock
from mockcampaign.samples.consumer import application
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport


def test_one_late_response_violates_no_must_rule() -> None:
    chosen = settings(1, rules=("accepts-every-batch-size",), timeout=1_000)
    found = judged("slow-first-full-batch", 1, checked_in_process("slow-first-full-batch", chosen))
    assert (found.violated, found.inconclusive, found.not_exercised) == ((), (), ()), found.said


class Laborious(ReadsBodyUnderLock):
    """Takes long for each batch, like a consumer on a busy machine."""

    async def handle(self, request: Request) -> Response:
        answer = await super().handle(request)
        async with self.lock:
            await asyncio.sleep(0.05)
        return answer


def test_slow_batches_say_nothing_about_concurrent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "STALLS", (100, 100, 200))
    with serve_in_thread(application(Laborious(Store(), CREDENTIALS))) as url:
        found = judged("laborious", 1, checked(url, WireTransport, settings(1, rules=("handles-concurrent-requests",))))
    assert (found.violated, found.inconclusive) == ((), ("handles-concurrent-requests",)), found.said
    assert "This machine is too busy" in found.said[0]
