"""Overlap: the sender times out and retries while the consumer still works on the batch."""

from __future__ import annotations

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_store
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.rule import Rule
from mockcampaign.judging.fact import Rejected, Response, Stimulus, StoreAgrees, replies
from mockcampaign.judging.situation import Situation
from mockcampaign.wallclock import pause

SIZES = (1, 5, 50)
"""Numbers of events of the batches."""

LINGERING = 300
"""Wall milliseconds for which a consumer may continue to work on a request whose sender has hung up."""


async def _once_when_retried(bench: Bench) -> Examined:
    await must_store(bench, 5)
    for size in SIZES:
        events = bench.events(size)
        sent = Stimulus(situation=Situation.RETRIED_WHILE_WORKING, events=size)
        with bench.fault("lost-ack", dropped="before-response", times=1):
            delivery = await bench.deliver(events, attempts=5)
        if not delivery.accepted:
            raise SkipRule(Rejected(response=Response(to=sent, replies=replies(delivery.outcomes[1:]))))
        await pause(LINGERING)
        difference = await bench.store.difference_of(events)
        if difference:
            return failed(difference.seen(sent))
    return passed(StoreAgrees(after=Stimulus(situation=Situation.RETRIED_AFTER_HANG_UP, sizes=SIZES)))


ONCE_WHEN_RETRIED_WHILE_WORKING = Rule(
    id="once-when-retried-while-working",
    family="overlap",
    level="must",
    title="Stores a batch once when the retry arrives while it still works on it",
    requirement="An attempt without a response within the time-out has failed (assumed), and Campaign retries the "
    "batch (vendor's webhook guide) while the consumer may still work on it.",
    expected="each event stored once, though the sender hung up and sent the batch again",
    needs=("probe events", "connection"),
    depends_on=("once-after-lost-response", "once-when-delivered-concurrently"),
    assumes=("batch", "retry", "time-out"),
    examine=_once_when_retried,
    fix="Put the work and everything it leaves behind in one transaction, whether or not the sender still waits: use a "
    "unique key and an insert that ignores conflicts.",
    example="INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING",
    not_covered="A consumer that responds before the sender can hang up: then nothing overlaps.",
)


OVERLAP = (ONCE_WHEN_RETRIED_WHILE_WORKING,)
