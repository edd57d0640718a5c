"""Overlap: the sender times out and retries while the consumer still works on the batch."""

from __future__ import annotations

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.examined import Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.rule import Rule
from mockcampaign.judging.fact import (
    Capacity,
    Confirmation,
    Confirmed,
    Rejected,
    Response,
    Stimulus,
    StoreAgrees,
    replies,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.policy import HOUR, MINUTE
from mockcampaign.shape.field import Role
from mockcampaign.wallclock import Stopwatch, pause

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


FULL = 100
"""Number of events in each batch by which the consumer's capacity is measured."""

WEBHOOKS = 3
"""Number of webhooks that then deliver at the same moment."""

EVENTS_PER_SECOND_MIN = 50
"""Capacity below which a consumer may not keep up (assumed): a mailing to 500,000 recipients of whom a fifth opens it,
half of them within the first hour, makes 14 events in a second on average, and a few times as many at first."""

IN_TURN = 0.8
"""Webhooks that deliver at the same moment wait for each other if they take at least this part of the time that they
would take one after another."""

OUTAGE = 2 * HOUR
"""Duration of the outage whose backlog is judged."""


async def _keeps_up(bench: Bench) -> Examined:
    """Measure how long full batches take, one alone and several at the same moment."""
    await must_deliver(bench, bench.events(1))
    events = bench.events(FULL)
    watch = Stopwatch()
    await must_deliver(bench, events)
    alone = max(1, watch.milliseconds)
    batches = [bench.events(FULL) for _ in range(WEBHOOKS)]
    watch = Stopwatch()
    delivery = await bench.deliver_concurrently(batches)
    together = max(1, watch.milliseconds)
    if not delivery.accepted:
        beside = Stimulus(situation=Situation.CONCURRENT_BATCHES, sizes=(FULL,) * WEBHOOKS)
        raise SkipRule(Rejected(response=delivery.response(beside)))
    per_second = max(FULL * 1_000 // alone, WEBHOOKS * FULL * 1_000 // together)
    if per_second >= EVENTS_PER_SECOND_MIN:
        return passed(Confirmed(what=Confirmation.KEEPS_UP, count=EVENTS_PER_SECOND_MIN))
    rate = bench.settings.rate
    slow = Capacity(
        per_second=per_second,
        rate=rate,
        outage=OUTAGE,
        drained=OUTAGE * rate // (per_second - rate) // MINUTE * MINUTE if per_second > rate else None,
        in_turn=together >= IN_TURN * WEBHOOKS * alone,
    )
    return failed(slow, unrepeatable=Unrepeatable.TIMING)


KEEPS_UP = Rule(
    id="keeps-up",
    family="overlap",
    level="should",
    title=f"Stores at least {EVENTS_PER_SECOND_MIN} events in a second",
    requirement="Events that occur during an outage wait, and arrive batch after batch once it ends, while others "
    "occur (vendor's webhook guide). What is still pending after three days is discarded.",
    expected=f"full batches stored so quickly that {EVENTS_PER_SECOND_MIN} events in a second are possible (assumed), "
    "by one webhook or several",
    examine=_keeps_up,
    depends_on=("accepts-small-batch-after-full",),
    assumes=("batch", "retry", "parallel"),
    fix="Store a batch in one statement and one transaction, and do slow work after the response. Serve several "
    "requests at the same moment: with more workers or threads, and without a lock around the whole request.",
    example="gunicorn --workers 2 --threads 8 app:app",
    about="responses",
    not_covered="Load for longer than a few batches, and the consumer's growth: full tables and indexes are slower.",
)


SHARED = 8
"""Number of mailings and of recipients that concurrent batches have in common."""

PAIRS = 32
"""Number of mails, each of one of the mailings to one of the recipients. Each batch contains one event of each."""

AT_ONCE = (2, 4, 8, 8, 8)
"""Numbers of webhooks that deliver at the same moment, round by round: batches overlap less often on a busy machine."""

PATIENCE = 12
"""Number of attempts within which a batch that lost a deadlock should be accepted."""


async def _stores_shared_rows(bench: Bench) -> Examined:
    """Deliver batches at the same moment that touch the same mailings and recipients, every other one in reverse."""
    bench.require(Role.MAILING)
    await must_store(bench, 5)
    people = bench.events(SHARED)
    mails = []
    for number in range(PAIRS):
        mailing = bench.mailing(SHARED + number * SHARED // PAIRS)
        person = bench.values_of(people[number % SHARED], Role.RECIPIENT, Role.RECIPIENT_ADDRESS)
        mails.append(bench.event({**person, Role.MAILING: mailing}))
    for webhooks in AT_ONCE:
        batches = [
            [bench.event(bench.values_of(mail, *_OF_ONE_MAIL)) for mail in mails[:: -1 if number % 2 else 1]]
            for number in range(webhooks)
        ]
        shared = Stimulus(situation=Situation.SHARED_ROWS, events=PAIRS, times=webhooks)
        delivery = await bench.deliver_concurrently(batches, attempts=PATIENCE)
        if not delivery.accepted:
            raise SkipRule(Rejected(response=delivery.response(shared)))
        difference = await bench.store.difference()
        if difference:
            return failed(difference.seen(shared), unrepeatable=Unrepeatable.CONCURRENT)
    return passed(StoreAgrees(after=Stimulus(situation=Situation.SHARED_ROWS, events=PAIRS, times=AT_ONCE[-1])))


_OF_ONE_MAIL = (
    Role.MAIL,
    Role.MAILING,
    Role.RECIPIENT,
    Role.RECIPIENT_ADDRESS,
    Role.RECIPIENT_LIST,
    Role.SUBSCRIPTION,
)
"""Roles whose values all events of one mail share."""

STORES_BATCHES_THAT_SHARE_ROWS = Rule(
    id="stores-batches-that-share-rows",
    family="overlap",
    level="must",
    title="Stores batches that touch the same mailings and recipients at the same moment",
    requirement="Each event type has a webhook of its own (vendor's webhook guide), and no webhook waits for another "
    "(assumed). Campaign never resends a batch after 200.",
    expected="each event stored once, in whatever order the batches name mailings and recipients",
    needs=("probe", "batches"),
    assumes=("batch", "retry", "parallel"),
    depends_on=(
        "handles-concurrent-batches",
        "stores-mixed-mailings",
        "stores-repeat-engagement",
        "stores-one-recipient-many-mails",
    ),
    examine=_stores_shared_rows,
    fix="Sort the rows of a batch by key before you write them, so that two transactions cannot wait for each other. "
    "When the database reports a deadlock, try the transaction again or respond 500: Campaign resends the batch. Never "
    "log the error and respond 200.",
    example="for event in sorted(events, key=key_of): ...\nexcept DeadlockDetected: return Response(status_code=500)",
    not_covered="A deadlock that these rounds happened not to hit.",
)


OVERLAP = (
    KEEPS_UP,
    STORES_BATCHES_THAT_SHARE_ROWS,
    ONCE_WHEN_RETRIED_WHILE_WORKING,
)
