"""The sender gives up while the consumer still works, and starts again."""

from __future__ import annotations

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.rule import Examined, NotExercised, Rule, holds, violated
from mockcampaign.wallclock import pause

SIZES = (1, 5, 50)
LINGERING = 300
"""Milliseconds that work may go on for whose request was given up, before the account is looked at."""


async def _overlapping(bench: Bench) -> Examined:
    await bench.must_process(5)
    for size in SIZES:
        events = bench.events(size)
        with bench.fault("lost-ack", dropped="before-response", times=1):
            delivery = await bench.deliver(events, attempts=5)
        if not delivery.accepted:
            raise NotExercised(f"the list was not taken when it came again: {delivery.describe()}")
        await pause(LINGERING)
        difference = await bench.store.difference_of(events)
        if difference:
            return violated(
                f"a list of {size} came again while the consumer was still at work on it for a sender that had gone: "
                f"{difference.describe()}"
            )
    sizes = ", ".join(map(str, SIZES))
    return holds(f"lists of {sizes} came again right after the sender had hung up on them: each event once")


OVERLAP = (
    Rule(
        id="once-when-retried-while-working",
        family="overlap",
        level="must",
        title="Processes a list once that comes again while it is still at work on it",
        requirement="An attempt without an answer within the time-out has failed (assumed), and the list comes again "
        "(vendor's webhook guide): the consumer may still be at work on it.",
        expected="each event processed once, though the sender hung up and began anew",
        needs=("probe events", "connection"),
        depends_on=("once-after-lost-response", "once-when-delivered-concurrently"),
        assumes=("list", "retry", "time-out"),
        examine=_overlapping,
        fix="Let the work and what it leaves behind be one transaction, whether or not the sender still waits: a "
        "unique key, and an insert that may do nothing.",
        example="INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING",
        not_covered="Consumers that are done before a sender can hang up have nothing to overlap.",
    ),
)
