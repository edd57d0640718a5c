"""The compliance check of an application in this process."""

from __future__ import annotations

import asyncio
from typing import Any

from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import StoreProbe, UrlProbe, counter_at
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.transport.inprocess import AsgiTransport

NOW = 1_750_000_000_000
PATIENCE = 600_000
"""Budget of a check, in milliseconds: on a busy machine it takes longer than the default."""
EVENTS = Probe(url="http://app/processed", events="@")
COUNT = Probe(url="http://app/processed", count="length(@)")


def checked(
    app: Any,
    *,
    probe: Probe | None = EVENTS,
    told: list[Finding] | None = None,
    counter: str | None = None,
    **settings: Any,
) -> RunResult:
    async def run() -> RunResult:
        transport = AsgiTransport(app)
        source: StoreProbe | None = None if probe is None else UrlProbe(probe, transport, timeout=5_000)
        try:
            return await check(
                "http://app/hook",
                transport=transport,
                settings=Settings(**({"now": NOW, "seed": 1, "budget": PATIENCE} | settings)),
                probe=source,
                counters=() if counter is None else (counter_at(counter, transport, timeout=5_000),),
                on_finding=(lambda finding: None) if told is None else told.append,
            )
        finally:
            await transport.aclose()

    return asyncio.run(run())
