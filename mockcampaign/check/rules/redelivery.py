"""The same events again: processed once."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.bench import Bench, Delivery
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

_AGAIN = (
    "What is not acknowledged comes again every 10 seconds (vendor's webhook guide), also when the consumer has taken "
    "the list and only its answer was lost."
)
_FIX = "Remember what was processed by all fields of the event, in the same transaction that stores it."
_EXAMPLE = "key = json.dumps(event, sort_keys=True); INSERT INTO events (key, …) … ON CONFLICT (key) DO NOTHING"


async def _taken_again(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(5))
    known = bench.events(5)
    with bench.fault("lost-ack", times=1):
        delivery = await bench.deliver(known, attempts=3)
    if not delivery.accepted:
        said = f"{delivery.last.describe()} to a list that came again after its answer was lost"
        await bench.must_take_ordinary(said)
        return violated(said, known, known)
    known, newer = bench.events(4), bench.events(2)
    with bench.fault("lost-ack", times=1):
        bench.emit(known)
        await bench.advance()
    with bench.fault("refill"):
        bench.emit(newer)
        delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        said = f"{delivery.last.describe()} to a list of 4 that came again with 2 newer events, as its answer was lost"
        await bench.must_take_ordinary(said)
        return violated(said, known, [*known, *newer])
    return holds("200 to lists that came again after their answers were lost, as they were and with newer events")


async def _refused(bench: Bench, delivery: Delivery, what: str) -> Examined:
    """What is to be said of a list that is not taken when it comes again, for that and for no other reason."""
    await bench.must_take_ordinary(f"the list was not taken when it came again: {delivery.describe()}")
    return violated(
        f"{delivery.describe()} to {what}: it comes every 10 seconds for three days, and holds up all that follows",
        fix="Answer 200 to what is known already, be it all of a list or some of its events, and store the rest.",
    )


async def _compared(bench: Bench, how: str) -> Examined:
    difference = await bench.store.difference()
    if difference:
        return violated(f"{how}: {difference.describe()}")
    return holds(f"{how}: each event once")


async def _again(bench: Bench, kind: str, how: str, **options: Any) -> Examined:
    """A list of five whose first attempt meets a fault, and which is delivered by the second."""
    with bench.fault(kind, times=1, **options):
        delivery = await bench.deliver(bench.events(5), attempts=3)
    if not delivery.accepted:
        return await _refused(bench, delivery, how.replace("came again", "that came again"))
    return await _compared(bench, how)


async def _lost_answer(bench: Bench) -> Examined:
    await bench.must_process(5)
    for dropped in ("after-headers", "after-status"):
        found = await _again(bench, "lost-ack", "a list of 5 came again after its answer was lost", dropped=dropped)
        if not found.holds:
            return found
    # For the consumer it is the same, but for a connection that goes on.
    found = await _again(bench, "timeout", "a list of 5 came again after the sender gave up waiting for its answer")
    return found if not found.holds else holds("lists of 5 came again after lost and late answers: each event once")


async def _cut_body(bench: Bench) -> Examined:
    await bench.must_process(5)
    return await _again(bench, "cut-body", "a list of 5 came again after its body was cut")


async def _after(bench: Bench, duration: int, how: str) -> Examined:
    await bench.must_process(5)
    with bench.fault("lost-ack", times=1):
        bench.emit(bench.events(5))
        await bench.advance()
    bench.outage(duration)
    await bench.advance(duration - SECOND)
    await bench.must_deliver(bench.events(3), number=1)  # newer ones, so that the old can be seen to be old
    delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        return await _refused(bench, delivery, f"a list of 5 that came again {how} after its answer was lost")
    return await _compared(bench, f"a list of 5 came again {how} after its answer was lost")


async def _after_an_hour(bench: Bench) -> Examined:
    return await _after(bench, HOUR + 2 * MINUTE, "more than an hour")


async def _after_three_days(bench: Bench) -> Examined:
    return await _after(bench, 3 * DAY - 30 * MINUTE, "almost three days")


async def _after_many(bench: Bench) -> Examined:
    await bench.must_process(100)
    events = bench.events(5)
    with bench.fault("lost-ack", times=1):
        bench.emit(events)
        await bench.advance()
    await bench.must_deliver(bench.events(1_500), number=1)
    delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        return await _refused(bench, delivery, "a list of 5 that came again after 1,500 other events")
    difference = await bench.store.difference_of(events)
    if difference:
        return violated(f"a list of 5 came again after 1,500 other events: {difference.describe()}")
    return holds("a list of 5 came again after 1,500 other events: each event once")


async def _reformed(bench: Bench) -> Examined:
    await bench.must_process(5)
    campaign = bench.campaign
    age_max = campaign.policy.event_age_max
    # Two of them expire before the list comes again, and two newer ones come with it.
    old = [bench.event(created=campaign.now - age_max + 5_000 + number) for number in range(2)]
    with bench.fault("lost-ack", times=1):
        bench.emit([*old, *bench.events(4)])
        await bench.advance()
    with bench.fault("refill"):
        bench.emit(bench.events(2))
        delivery = await bench.proceed(attempts=2)
    if not delivery.accepted:
        what = "a list of 6 that came again less 2 expired events and with 2 newer ones"
        return await _refused(bench, delivery, what)
    found = await _compared(bench, "a list of 6 came again less 2 expired events and with 2 newer ones")
    if not found.holds:
        return found
    with bench.fault("overlap", events=2, times=1):
        await bench.must_deliver(bench.events(5))
    overlapping = await _compared(bench, "a list began with 2 events of the list before")
    return overlapping if not overlapping.holds else found


_ODD = (
    *(edge_cases.absent_fields, edge_cases.null_fields, edge_cases.unknown_fields, edge_cases.unknown_names),
    *(edge_cases.large_ids, edge_cases.recipient_ids, edge_cases.addresses, edge_cases.texts),
)


async def _odd(bench: Bench) -> Examined:
    await bench.must_process(5)
    twin = bench.event()
    doubled = await _doubled(bench, [twin, bench.event(), dict(twin)])
    if doubled:
        said = f"a list that holds an event twice came again after its answer was lost: {doubled}"
        return violated(said, fix="Keep of equal events as many as one list holds, or one, however often that comes.")
    taken = 0
    for make in _ODD:
        odd = bench.odd(make)
        doubled = await _doubled(bench, [oddity.applied(bench.event()) for oddity in odd])
        taken += doubled is not None
        if doubled:
            # Alone, where that shows it as well.
            for oddity in odd:
                alone = await _doubled(bench, [oddity.applied(bench.event())])
                if alone:
                    return violated(f"an event with {oddity.describe()} came again after its answer was lost: {alone}")
            return violated(f"a list of {len(odd)} odd events came again after its answer was lost: {doubled}")
    if not taken:
        raise NotExercised("no list of odd events was taken when it came again")
    return holds("odd events came again after their answer was lost: none was processed twice")


async def _doubled(bench: Bench, events: list[Event]) -> str | None:
    """Of events that came again, what is there more often than they were sent. None where they are not taken."""
    with bench.fault("lost-ack", times=1):
        delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        return None
    # What is missing or altered would be so without their coming again.
    surplus = msgspec.structs.replace(await bench.store.difference_of(events), missing=(), altered=())
    return surplus.describe() if surplus else ""


async def _concurrent(bench: Bench) -> Examined:
    await bench.must_process(5)
    for size in (1, 5, 50):
        with bench.fault("duplicate", timing="concurrent", times=1):
            await bench.must_deliver(bench.events(size))
    return await _compared(bench, "lists of 1, 5 and 50 were delivered twice at the same moment")


async def _lost_at_the_beginning(bench: Bench) -> None:
    with bench.fault("lost-ack", times=1):
        bench.emit(bench.events(5))
        await bench.advance()


async def _at_the_end(bench: Bench) -> Examined:
    delivery = await bench.proceed(attempts=3)
    if not delivery.outcomes:
        raise NotExercised("the list could not be sent at the beginning")
    if not delivery.accepted:
        what = "a list of 5 whose answer was lost at the beginning of the check, and that came again at its end"
        return await _refused(bench, delivery, what)
    difference = await bench.store.difference()
    if difference:
        return violated(
            f"a list of 5 whose answer was lost at the beginning of the check came again at its end: "
            f"{difference.describe()}",
            unrepeatable="It takes all that the check sends meanwhile, and the time of that.",
        )
    return holds("a list of 5 whose answer was lost at the beginning of the check came again at its end: each once")


REDELIVERY = (
    Rule(
        id="accepts-redelivered-batch",
        family="redelivery",
        level="must",
        title="Takes a list that it has taken before",
        requirement=f"{_AGAIN} Nothing but a 200 ends that.",
        expected="200, as the first time: that there is nothing new in it is no error",
        assumes=("list", "retry", "refill"),
        examine=_taken_again,
        fix="Leave out what is known already, store what is left, and answer 200 also where nothing is.",
        example="INSERT INTO events … ON CONFLICT DO NOTHING; return Response(status_code=200)",
    ),
    Rule(
        id="once-after-lost-response",
        family="redelivery",
        level="must",
        title="Processes a list once whose answer was lost",
        requirement=_AGAIN,
        expected="each event processed once",
        needs=("probe",),
        assumes=("list", "retry", "time-out", "parallel"),
        depends_on=("accepts-redelivered-batch",),
        examine=_lost_answer,
        fix=_FIX,
        example=_EXAMPLE,
    ),
    Rule(
        id="once-after-truncated-body",
        family="redelivery",
        level="must",
        title="Processes a list once whose body was cut",
        requirement=_AGAIN,
        expected="nothing processed of the list that was cut, and each event once when it comes whole",
        needs=("probe",),
        depends_on=("once-after-lost-response",),
        examine=_cut_body,
        fix="Read the whole body and parse it before anything is stored.",
        example="events = json.loads(await request.body())",
    ),
    Rule(
        id="once-in-regrouped-batch",
        family="redelivery",
        level="must",
        title="Processes events once that come again in another list",
        requirement=f"{_AGAIN} By then some of them may have expired (documented), and newer ones come with it "
        "(assumed). Which list they are part of then is not documented.",
        expected="each event processed once, though the list is not the same",
        needs=("probe",),
        depends_on=("once-after-lost-response",),
        assumes=("list", "retry", "discard", "refill"),
        examine=_reformed,
        fix=f"{_FIX} A hash of the body, or an id of the request, is another one each time.",
        example=_EXAMPLE,
    ),
    Rule(
        id="once-for-edge-cases",
        family="redelivery",
        level="must",
        title="Processes events once that come again, also equal ones, and those with odd fields",
        requirement=f"{_AGAIN} What events may hold besides what the guide shows is assumed.",
        expected="each event processed once, whatever is in it",
        needs=("probe events",),
        depends_on=(
            "stores-every-event",
            "once-after-lost-response",
            "accepts-identical-events",
            "stores-identical-events",
            "accepts-absent-fields",
            "accepts-null-fields",
            "accepts-unknown-fields",
        ),
        assumes=("list", "retry", "fields"),
        examine=_odd,
        fix="Let the key be one value that is never null, such as a hash of the whole event: in a unique index of "
        "columns, no null equals another.",
        example="UNIQUE NULLS NOT DISTINCT (mail_id, type, created, device)  -- or a hash of all",
        # Before the hours and days of others: whoever forgets after an hour has not yet seen what is so much newer.
        stage=Stage.AFTER_USUAL,
    ),
    Rule(
        id="once-when-delivered-concurrently",
        family="redelivery",
        level="must",
        title="Processes a list once that arrives twice at the same moment",
        requirement=f"{_AGAIN} A sender that gave up waiting sends again while the consumer still works.",
        expected="each event processed once",
        needs=("probe",),
        depends_on=("stores-every-event", "handles-new-connections", "once-after-lost-response"),
        assumes=("list", "retry", "time-out"),
        examine=_concurrent,
        fix="Let the database decide: a unique key and an insert that may do nothing, not a look before the insert.",
        example=_EXAMPLE,
        not_covered="A race that these three lists happened not to hit.",
    ),
    Rule(
        id="once-after-many-others",
        family="redelivery",
        level="must",
        title="Remembers a list while many others arrive",
        requirement=f"{_AGAIN} Meanwhile other webhooks deliver.",
        expected="each event processed once",
        needs=("probe",),
        depends_on=("once-after-lost-response",),
        examine=_after_many,
        fix="Keep the keys of three days, however many they are: in the database, not in a cache of fixed size.",
        example=_EXAMPLE,
    ),
    Rule(
        id="once-after-an-hour",
        family="redelivery",
        level="must",
        title="Processes a list once that comes again after an hour",
        requirement=_AGAIN,
        expected="each event processed once",
        needs=("probe",),
        depends_on=("once-after-lost-response", "stores-late-events"),
        examine=_after_an_hour,
        fix="Remember what was processed for at least three days.",
        example="DELETE FROM keys WHERE seen < now() - interval '4 days'",
        not_covered="A memory that forgets after an hour of wall time: only the sender's time is virtual.",
        span=HOUR + 5 * MINUTE,
        stage=Stage.REACHING_BACK,
    ),
    Rule(
        id="once-after-three-days",
        family="redelivery",
        level="must",
        title="Processes a list once that comes again after almost three days",
        requirement=f"{_AGAIN} Events are discarded three days after their creation (vendor's webhook guide).",
        expected="each event processed once",
        needs=("probe",),
        depends_on=("once-after-lost-response", "once-after-an-hour"),
        assumes=("list", "retry", "discard"),
        examine=_after_three_days,
        fix="Remember what was processed for at least three days.",
        example="DELETE FROM keys WHERE seen < now() - interval '4 days'",
        not_covered="A memory that forgets after three days of wall time: only the sender's time is virtual.",
        span=3 * DAY - 20 * MINUTE,
        stage=Stage.REACHING_BACK,
    ),
    Rule(
        id="once-at-end-of-check",
        family="redelivery",
        level="must",
        title="Processes a list once that comes again after everything else",
        requirement=f"{_AGAIN} Meanwhile other webhooks deliver, and time passes for the consumer, too.",
        expected="each event processed once, whatever came since, and however long ago it was",
        prepare=_lost_at_the_beginning,
        examine=_at_the_end,
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
        fix="Remember what was processed for at least three days, however much it is.",
        example="SET key 1 NX EX 345600  # four days, and not ten minutes",
        not_covered="A memory that forgets after more time or more events than the check takes.",
        stage=Stage.END,
    ),
)
