"""Redelivery: events that are delivered again are stored once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_accept_ordinary, must_deliver, must_store
from mockcampaign.check.examined import Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.judging.difference import Difference
from mockcampaign.judging.fact import (
    Confirmation,
    Confirmed,
    Precondition,
    Response,
    SometimesRecognised,
    Stimulus,
    StoreAgrees,
    StoreDiffers,
    Unmet,
    replies,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Outcome
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND
from mockcampaign.shape.field import Event, Role

_RETRIES = (
    "Campaign retries a batch that is not acknowledged every 10 seconds (vendor's webhook guide), also when the "
    "consumer has stored it and only its response was lost."
)
_FIX = "Deduplicate on all fields, or on a hash of them in one column, in the same transaction that stores the events."
_NULL = (
    "A unique index over a column that is NULL finds no duplicate, since NULL is not equal to NULL: the column of the "
    "hash never is."
)
_EXAMPLE = "key = json.dumps(event, sort_keys=True); INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING"


async def _rejected(
    bench: Bench, outcomes: Sequence[Outcome], sent: Stimulus, batches: Sequence[Sequence[Event]] = ()
) -> Examined:
    """Return that a redelivered batch is rejected for being redelivered, and for no other reason."""
    response = Response(to=sent, replies=replies(outcomes))
    await must_accept_ordinary(bench, response)
    return failed(response, batches=batches)


async def _stored_once(bench: Bench, sent: Stimulus, *, unrepeatable: Unrepeatable | None = None) -> Examined:
    difference = await bench.store.difference()
    if difference:
        return failed(difference.seen(sent), unrepeatable=unrepeatable)
    return passed(StoreAgrees(after=sent))


async def _lose_response(bench: Bench, events: Sequence[Event]) -> None:
    """Deliver a batch whose response is lost, and leave it to be retried."""
    with bench.fault("lost-ack", times=1):
        bench.emit(events)
        await bench.advance()


async def _accepts_redelivered(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(5))
    known = bench.events(5)
    as_it_was = Stimulus(situation=Situation.REDELIVERED, events=5)
    with bench.fault("lost-ack", times=1):
        first = await bench.deliver(known, attempts=3)
    if not first.accepted:
        return await _rejected(bench, first.outcomes[1:], as_it_was, batches=[known, known])
    known, newer = bench.events(4), bench.events(2)
    with_newer = Stimulus(situation=Situation.REDELIVERED_WITH_NEWER, events=4)
    await _lose_response(bench, known)
    with bench.fault("refill"):
        bench.emit(newer)
        second = await bench.proceed(attempts=2)
    if not second.accepted:
        return await _rejected(bench, second.outcomes, with_newer, batches=[known, [*known, *newer]])
    return passed(Response(to=as_it_was, replies=replies(first.outcomes[1:])), second.response(with_newer))


ACCEPTS_REDELIVERED_BATCH = Rule(
    id="accepts-redelivered-batch",
    family="redelivery",
    level="must",
    title="Accepts a batch it has already stored",
    requirement=f"{_RETRIES} Only a 200 ends the retries.",
    expected="200, as the first time: it is no error that a batch contains nothing new",
    assumes=("batch", "retry", "refill"),
    examine=_accepts_redelivered,
    fix="Skip the events you already have, store the others, and respond 200 even if none is left.",
    example="INSERT INTO events … ON CONFLICT DO NOTHING; return Response(status_code=200)",
)


async def _redelivered(bench: Bench, kind: str, situation: Situation, **options: Any) -> Examined:
    """Deliver a batch of five events whose first attempt meets a fault."""
    sent = Stimulus(situation=situation, events=5)
    with bench.fault(kind, times=1, **options):
        delivery = await bench.deliver(bench.events(5), attempts=3)
    if not delivery.accepted:
        return await _rejected(bench, delivery.outcomes[1:], sent)
    return await _stored_once(bench, sent)


WORKERS = 4
"""Number of further batches that are redelivered if all before are recognised: with two workers that do not share their
keys, one in a hundred checks meets the same worker every time."""

REDELIVERED = 12
"""Number of further batches that are redelivered to see whether some of them are recognised."""


async def _once_after_lost_response(bench: Bench) -> Examined:
    await must_store(bench, 5)
    for dropped in ("after-headers", "after-status"):
        lost = await _redelivered(bench, "lost-ack", Situation.REDELIVERED, dropped=dropped)
        if not lost.holds:
            return await _by_some_workers(bench, lost)
    # For the consumer it is the same, except that the connection stays open.
    late = await _redelivered(bench, "timeout", Situation.REDELIVERED_AFTER_TIMEOUT)
    if not late.holds:
        return await _by_some_workers(bench, late)
    # One of several workers may have got both attempts by chance.
    more = await _redelivered_again(bench, bench.affordable(WORKERS, requests=3))
    return passed(*lost.facts, *late.facts) if more.holds else await _by_some_workers(bench, more)


async def _redelivered_again(bench: Bench, times: int) -> Examined:
    """Redeliver so many batches of one event, each on a new connection."""
    events = []
    for _ in range(times):
        event = bench.event()
        with bench.fault("lost-ack", times=1):
            delivery = await bench.deliver([event], attempts=3)
        if delivery.accepted:
            events.append(event)
    again = Stimulus(situation=Situation.REDELIVERED, events=1, times=len(events))
    difference = await (bench.store.difference_of(events) if bench.store.reports_events else bench.store.difference())
    return failed(difference.seen(again)) if difference else passed(StoreAgrees(after=again))


async def _by_some_workers(bench: Bench, found: Examined) -> Examined:
    """Return the violation, with how many further batches are recognised if some are and some are not."""
    if not bench.store.reports_events or bench.affordable(REDELIVERED, requests=3) < REDELIVERED:
        return found
    shown = bench.store.newest_difference
    with bench.unrecorded():
        more = await _redelivered_again(bench, REDELIVERED)
    bench.store.newest_difference = shown  # the report shows the first violation event by event
    duplicates = sum(fact.duplicate for fact in more.facts if isinstance(fact, StoreDiffers))
    if not 0 < duplicates < REDELIVERED:
        return found
    sometimes = SometimesRecognised(recognised=REDELIVERED - duplicates, batches=REDELIVERED)
    return msgspec.structs.replace(found, facts=(*found.facts, sometimes))


ONCE_AFTER_LOST_RESPONSE = Rule(
    id="once-after-lost-response",
    family="redelivery",
    level="must",
    title="Stores a batch once when its 200 was lost",
    requirement=_RETRIES,
    expected="each event stored once",
    needs=("probe",),
    assumes=("batch", "retry", "time-out", "parallel", "spelling"),
    depends_on=("accepts-redelivered-batch",),
    examine=_once_after_lost_response,
    fix=f"{_FIX} {_NULL}",
    example=_EXAMPLE,
)


async def _once_after_truncated_body(bench: Bench) -> Examined:
    await must_store(bench, 5)
    return await _redelivered(bench, "cut-body", Situation.REDELIVERED_AFTER_TRUNCATION)


ONCE_AFTER_TRUNCATED_BODY = Rule(
    id="once-after-truncated-body",
    family="redelivery",
    level="must",
    title="Stores a batch once when its body was cut off first",
    requirement=_RETRIES,
    expected="nothing stored of the batch that was cut off, and each event once when it arrives whole",
    needs=("probe",),
    depends_on=("once-after-lost-response",),
    examine=_once_after_truncated_body,
    fix="Read and parse the whole body before you store anything.",
    example="events = json.loads(await request.body())",
)


async def _once_in_regrouped_batch(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    await must_store(bench, 5)
    campaign = bench.campaign
    age_max = campaign.policy.event_age_max
    # Two of them expire before the batch is retried, and two newer ones join it.
    unit = bench.shape.resolution
    soon = campaign.now - age_max + max(5_000, 5 * unit)
    old = [bench.event({Role.MOMENT: soon + number * unit}) for number in range(2)]
    regrouped = Stimulus(situation=Situation.REGROUPED, events=6)
    await _lose_response(bench, [*old, *bench.events(4)])
    with bench.fault("refill"):
        bench.emit(bench.events(2))
        delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        return await _rejected(bench, delivery.outcomes, regrouped)
    found = await _stored_once(bench, regrouped)
    if not found.holds:
        return found
    with bench.fault("overlap", events=2, times=1):
        await must_deliver(bench, bench.events(5))
    overlapping = await _stored_once(bench, Stimulus(situation=Situation.OVERLAPPING, events=2))
    return passed(*found.facts, *overlapping.facts) if overlapping.holds else overlapping


ONCE_IN_REGROUPED_BATCH = Rule(
    id="once-in-regrouped-batch",
    family="redelivery",
    level="must",
    title="Stores redelivered events once when they arrive in another batch",
    requirement=f"{_RETRIES} By then, some events may have expired (documented) and newer ones may have "
    "joined the batch (assumed). Which batch then contains an event is not documented.",
    expected="each event stored once, whichever batch it arrives in",
    needs=("probe", "batches"),
    depends_on=("once-after-lost-response",),
    assumes=("batch", "retry", "discard", "refill", "spelling"),
    examine=_once_in_regrouped_batch,
    fix=f"{_FIX} A hash of the body or an id of the request differs each time.",
    example=_EXAMPLE,
)


async def _once_for_edge_cases(bench: Bench) -> Examined:
    await must_store(bench, 5)
    twin = bench.event()
    duplicates = await _duplicates(bench, [twin, bench.event(), dict(twin)])
    if duplicates:
        return failed(duplicates.seen(Stimulus(situation=Situation.REDELIVERED_IDENTICAL)))
    accepted = 0
    for make in edge_cases.ALL:
        cases = bench.edge_cases(make)
        duplicates = await _duplicates(bench, [case.applied(bench.event()) for case in cases])
        accepted += duplicates is not None
        if duplicates:
            # One event alone, if it shows the same.
            for case in cases:
                alone = await _duplicates(bench, [case.applied(bench.event())])
                if alone:
                    sent = Stimulus(situation=Situation.REDELIVERED_EDGE_CASE, edge_cases=(case.seen(),))
                    return failed(alone.seen(sent))
            seen = tuple(case.seen() for case in cases)
            return failed(
                duplicates.seen(
                    Stimulus(situation=Situation.REDELIVERED_EDGE_CASES, events=len(cases), edge_cases=seen)
                )
            )
    if not accepted:
        raise SkipRule(Unmet(why=Precondition.NO_EDGE_CASE_ACCEPTED_AGAIN))
    return passed(Confirmed(what=Confirmation.EDGE_CASES_STORED_ONCE))


async def _duplicates(bench: Bench, events: list[Event]) -> Difference | None:
    """Return which redelivered events are stored more often than they were sent, or None if they are rejected."""
    with bench.fault("lost-ack", times=1):
        delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        return None
    # Missing and altered events have nothing to do with the redelivery.
    return await bench.store.duplicates_of(events)


ONCE_FOR_EDGE_CASES = Rule(
    id="once-for-edge-cases",
    family="redelivery",
    level="must",
    title="Stores redelivered edge-case events once",
    requirement=f"{_RETRIES} What events may contain beyond the guide's example is assumed.",
    expected="each event stored once, whatever it contains, and identical ones as well",
    needs=("probe events",),
    is_counted=True,
    depends_on=(
        "stores-every-event",
        "once-after-lost-response",
        "accepts-identical-events",
        "stores-identical-events",
        "accepts-absent-fields",
        "accepts-null-fields",
        "accepts-unknown-fields",
    ),
    assumes=("batch", "retry", "fields"),
    examine=_once_for_edge_cases,
    fix="Use one value that is never null as the key, such as a hash of the whole event: in a unique index over "
    "columns, no null equals another.",
    example="UNIQUE NULLS NOT DISTINCT (mail_id, type, created, device)  -- or a hash of all",
    # Before the rules that reach back hours and days: a consumer that forgets after an hour has seen no newer event.
    stage=Stage.AFTER_USUAL,
)


CONCURRENT_SIZES = (1, 5, 50)
"""Numbers of events of the batches that are delivered twice at the same moment."""


async def _once_when_concurrent(bench: Bench) -> Examined:
    await must_store(bench, 5)
    for size in CONCURRENT_SIZES:
        with bench.fault("duplicate", timing="concurrent", times=1):
            await must_deliver(bench, bench.events(size))
    return await _stored_once(bench, Stimulus(situation=Situation.DELIVERED_CONCURRENTLY, sizes=CONCURRENT_SIZES))


ONCE_WHEN_DELIVERED_CONCURRENTLY = Rule(
    id="once-when-delivered-concurrently",
    family="redelivery",
    level="must",
    title="Stores a batch once when it arrives twice at the same moment",
    requirement=f"{_RETRIES} A sender that timed out retries while the consumer still works.",
    expected="each event stored once",
    needs=("probe",),
    depends_on=("stores-every-event", "handles-new-connections", "once-after-lost-response"),
    assumes=("batch", "retry", "time-out"),
    examine=_once_when_concurrent,
    fix="Let the database decide: use a unique key and an insert that ignores conflicts, not a query before it.",
    example=_EXAMPLE,
    not_covered="A race that these three batches happened not to hit.",
)


OTHER_EVENTS = 1_500
"""Number of events that other webhooks deliver before a batch is retried."""


async def _once_after_many_others(bench: Bench) -> Examined:
    await must_store(bench, 100)
    events = bench.events(5)
    sent = Stimulus(situation=Situation.REDELIVERED_AFTER_OTHERS, events=5, times=OTHER_EVENTS)
    await _lose_response(bench, events)
    await must_deliver(bench, bench.events(OTHER_EVENTS), number=1)
    delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        return await _rejected(bench, delivery.outcomes, sent)
    difference = await bench.store.difference_of(events)
    return failed(difference.seen(sent)) if difference else passed(StoreAgrees(after=sent))


ONCE_AFTER_MANY_OTHERS = Rule(
    id="once-after-many-others",
    family="redelivery",
    level="must",
    title="Recognises a redelivered batch after many other batches",
    requirement=f"{_RETRIES} Other webhooks deliver meanwhile.",
    expected="each event stored once",
    needs=("probe",),
    depends_on=("once-after-lost-response",),
    examine=_once_after_many_others,
    fix="Keep the deduplication keys of three days, however many they are: in the database, not in a cache of fixed "
    "size.",
    example=_EXAMPLE,
)


async def _once_after(bench: Bench, duration: int) -> Examined:
    """Redeliver a batch after an outage of this many milliseconds."""
    await must_store(bench, 5)
    sent = Stimulus(situation=Situation.REDELIVERED_LATER, events=5, milliseconds=duration)
    await _lose_response(bench, bench.events(5))
    bench.outage(duration)
    await bench.advance(duration - SECOND)
    await must_deliver(bench, bench.events(3), number=1)  # newer ones, which show that the others are old
    delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        return await _rejected(bench, delivery.outcomes, sent)
    return await _stored_once(bench, sent)


async def _once_after_an_hour(bench: Bench) -> Examined:
    return await _once_after(bench, HOUR + 2 * MINUTE)


ONCE_AFTER_AN_HOUR = Rule(
    id="once-after-an-hour",
    family="redelivery",
    level="must",
    title="Recognises a batch redelivered after an hour",
    requirement=_RETRIES,
    expected="each event stored once",
    needs=("probe",),
    depends_on=("once-after-lost-response", "stores-late-events"),
    examine=_once_after_an_hour,
    fix="Keep the deduplication keys of stored events for at least three days.",
    example="DELETE FROM keys WHERE seen < now() - interval '4 days'",
    not_covered="Keys that expire after an hour of the consumer's clock, unless that follows virtual time (--clock).",
    span=HOUR + 5 * MINUTE,
    stage=Stage.REACHING_BACK,
)


async def _once_after_three_days(bench: Bench) -> Examined:
    return await _once_after(bench, 3 * DAY - 30 * MINUTE)


ONCE_AFTER_THREE_DAYS = Rule(
    id="once-after-three-days",
    family="redelivery",
    level="must",
    title="Recognises a batch redelivered after almost three days",
    requirement=f"{_RETRIES} Campaign discards events three days after their creation (vendor's webhook guide).",
    expected="each event stored once",
    needs=("probe",),
    depends_on=("once-after-lost-response", "once-after-an-hour"),
    assumes=("batch", "retry", "discard"),
    examine=_once_after_three_days,
    fix="Keep the deduplication keys of stored events for at least three days.",
    example="DELETE FROM keys WHERE seen < now() - interval '4 days'",
    not_covered="Keys that expire after less than three days of the consumer's clock, unless that follows (--clock).",
    span=3 * DAY - 20 * MINUTE,
    stage=Stage.REACHING_BACK,
)


async def _lose_response_at_start(bench: Bench) -> None:
    await _lose_response(bench, bench.events(5))


async def _once_at_end(bench: Bench) -> Examined:
    delivery = await bench.proceed(attempts=3)
    if not delivery.outcomes:
        raise SkipRule(Unmet(why=Precondition.NOT_SENT_AT_START))
    sent = Stimulus(situation=Situation.REDELIVERED_AT_END, events=5)
    if not delivery.accepted:
        return await _rejected(bench, delivery.outcomes, sent)
    return await _stored_once(bench, sent, unrepeatable=Unrepeatable.WHOLE_CHECK)


ONCE_AT_END_OF_CHECK = Rule(
    id="once-at-end-of-check",
    family="redelivery",
    level="must",
    title="Recognises, at the end of the check, a batch from its beginning",
    requirement=f"{_RETRIES} Other webhooks deliver meanwhile, and time passes for the consumer, too.",
    expected="each event stored once, whatever arrived since, and however long ago it was",
    prepare=_lose_response_at_start,
    examine=_once_at_end,
    needs=("probe events",),
    depends_on=(
        "stores-every-event",
        "once-after-lost-response",
        "once-in-regrouped-batch",
        "once-after-many-others",
        "once-after-an-hour",
        "once-after-three-days",
        "survives-random-histories",
    ),
    fix="Keep the deduplication keys of stored events for at least three days, however many they are.",
    example="SET key 1 NX EX 345600  # four days, and not ten minutes",
    not_covered="Keys that are forgotten after more time or more events than the check takes.",
    stage=Stage.END,
)


REDELIVERY = (
    ACCEPTS_REDELIVERED_BATCH,
    ONCE_AFTER_LOST_RESPONSE,
    ONCE_AFTER_TRUNCATED_BODY,
    ONCE_IN_REGROUPED_BATCH,
    ONCE_FOR_EDGE_CASES,
    ONCE_WHEN_DELIVERED_CONCURRENTLY,
    ONCE_AFTER_MANY_OTHERS,
    ONCE_AFTER_AN_HOUR,
    ONCE_AFTER_THREE_DAYS,
    ONCE_AT_END_OF_CHECK,
)
