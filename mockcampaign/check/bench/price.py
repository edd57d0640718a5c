"""Measuring what a rejected batch costs in production."""

from __future__ import annotations

from collections.abc import Sequence

from mockcampaign.check.bench.bench import Bench
from mockcampaign.engine.journal import serials_in
from mockcampaign.judging.fact import Costs, NeverResponds, Reply, Stimulus
from mockcampaign.policy import HOUR
from mockcampaign.shape.field import Event


async def price(
    bench: Bench,
    events: Sequence[Event],
    *,
    of: Stimulus | None = None,
    reply: Reply | None = None,
    behind: Sequence[Event] = (),
) -> Costs:
    """Return what it costs that the consumer rejects this batch for three days; most attempts are simulated.

    The events `behind` it occur an hour later; `waited` returns what it costs them.
    """
    webhook = bench.webhook()
    with bench.unrecorded():
        bench.emit(events, created=bench.campaign.now)
        serials = bench.newest_serials
        if behind:
            await bench.advance(HOUR)
            bench.emit(behind, created=bench.campaign.now)
        await bench.campaign.run()
    account = bench.ledger.account(webhook.id)
    requests = sum(
        entry.count for _, entry in account.entries if any(serial in serials for serial in serials_in(entry.serials))
    )
    return Costs(
        of=of,
        reply=reply,
        requests=requests,
        body_bytes=requests * len(bench.body_of(events)),
        events_lost=sum(serial in account.discarded for serial in serials),
    )


def never_responds(bench: Bench) -> NeverResponds:
    """Return what it costs that there is never a response to something: nobody needs to wait for that to know it."""
    policy = bench.campaign.policy
    attempts = policy.event_age_max // (policy.timeout + policy.retry_interval)
    return NeverResponds(timeout=policy.timeout, attempts=attempts)


def waited(bench: Bench) -> int | None:
    """Return how long the newest events waited until all of them were accepted, in virtual milliseconds.

    Return None if they were not.
    """
    pending = set(bench.newest_serials)
    for entry in bench.ledger.attempts:
        if entry.outcome.accepted:
            pending.difference_update(serials_in(entry.serials))
            if not pending:
                return entry.last_at - bench.ledger.happened[-1].at
    return None
