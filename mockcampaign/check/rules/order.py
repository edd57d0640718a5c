"""Order: how old events may be, in which order they arrive, and how exactly their time is stored."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_accept_ordinary, must_deliver, must_distinguish, must_store
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.probes.end_state import Stale, States, distinguishes_events, knows_any, stale
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.check.rules.identity import must_store_clicks, open_and_click
from mockcampaign.judging.fact import (
    AgeLimit,
    Confirmation,
    Confirmed,
    FieldChange,
    FieldsAltered,
    NotStored,
    Precondition,
    Rejected,
    Reply,
    Response,
    StateIsStale,
    Stimulus,
    StoreAgrees,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.policy import DAY, HOUR, MINUTE
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.moment import read_moment

_LATE = (
    "Campaign retries a batch that is not acknowledged every 10 seconds, until three days after the creation of its "
    "events, while newer events are delivered (vendor's webhook guide)."
)
_FIX = (
    "Store every event, however old it is: do not skip events that are older than the newest one stored. If "
    "you also keep the current state of a mail or recipient, let its newest event decide it."
)
_EXAMPLE = "state = max(events_of_mail, key=lambda event: event['created'])"


def _journey(bench: Bench, repeats: int) -> list[Event]:
    """Return an event and this many later ones of the same mail, each from another address."""
    first, shape = bench.event(), bench.shape
    pause = max(3_001, 3 * shape.resolution)
    return [
        first,
        *(
            shape.put(shape.later(first, number * pause), Role.NETWORK_ADDRESS, f"203.0.113.{number}")
            for number in range(1, repeats + 1)
        ),
    ]


async def _stores_created_exactly(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    shape = bench.shape
    [time] = shape.of(Role.MOMENT)
    if bench.settings.probe_fields and time.path[0] not in bench.settings.probe_fields:
        raise SkipRule(Unmet(why=Precondition.CREATED_NOT_REPORTED))
    await must_deliver(bench, bench.events(1))
    # Fractions of a second, or of whatever the format distinguishes.
    unit = 1_000 * shape.resolution
    events = [
        shape.at(event, (shape.moment(event) or 0) // unit * unit + fraction * shape.resolution)
        for event, fraction in zip(bench.events(3), (1, 333, 999), strict=True)
    ]
    await must_deliver(bench, events)
    stored = {shape.key(event): event for event in await bench.store.stored_events()}
    for event in events:
        found = stored.get(shape.key(event))
        if found is None:
            raise SkipRule(Unmet(why=Precondition.STORED_EVENT_NOT_FOUND))
        kept = shape.get(found, Role.MOMENT)
        if read_moment(kept) != shape.moment(event):
            change = FieldChange(
                name=time.name,
                sent=msgspec.json.encode(shape.get(event, Role.MOMENT)).decode(),
                stored=None if kept is None else msgspec.json.encode(kept).decode(),
            )
            return failed(FieldsAltered(changes=(change,)), batches=[[event]])
    return passed(Confirmed(what=Confirmation.CREATED_STORED_EXACTLY))


STORES_CREATED_EXACTLY = Rule(
    id="stores-created-exactly",
    family="order",
    level="must",
    title="Stores the time of events exactly",
    requirement="An event says when it occurred (vendor's webhook guide: in milliseconds since 1970).",
    expected="the same time stored, with its milliseconds and its zone, as it was sent or as date and time (ISO 8601)",
    needs=("probe events",),
    examine=_stores_created_exactly,
    fix="Store the value as it is, or in a type with milliseconds and a zone.",
    example="datetime.fromtimestamp(created / 1000, UTC)",
    about="fields",
)


async def _stores_late(bench: Bench) -> Examined:
    await must_store(bench, 2)
    older = bench.events(3)
    newer = bench.events(3)
    late = Stimulus(situation=Situation.OLDER_AFTER_NEWER, events=3)
    await must_deliver(bench, newer)
    delivery = await bench.deliver(older, attempts=3)
    if not delivery.accepted:
        response = delivery.response(late)
        await must_accept_ordinary(bench, response)
        return failed(response, batches=[newer, older])
    difference = await bench.store.difference()
    if difference:
        return failed(difference.seen(late), batches=[newer, older])
    if not bench.shape.body.has_list:
        return passed(StoreAgrees(after=late))
    # Our own sender puts the oldest event of a batch first, which is not documented.
    mixed = bench.events(5)[::-1]
    newest_first = Stimulus(situation=Situation.NEWEST_FIRST, events=5)
    bench.store.expect_events_of(mixed)
    for _ in range(2):
        # Another request in between would be the second of those that reject every other one.
        outcome = await send_request(bench, newest_first, bench.body_of(mixed), controlled=False)
        if outcome.accepted:
            break
    command = curl(bench.endpoint, bench.body_of(mixed))
    if not outcome.accepted:
        return failed(Response(to=newest_first, replies=(Reply.of(outcome),)), curl=command)
    # A mere number cannot show whether events are stored that Campaign did not send.
    if not bench.store.reports_events:
        return passed(StoreAgrees(after=late), Response(to=newest_first, replies=(Reply.of(outcome),)))
    difference = await bench.store.difference_of(mixed)
    if difference:
        return failed(difference.seen(newest_first), curl=command)
    return passed(StoreAgrees(after=late), StoreAgrees(after=newest_first))


STORES_LATE_EVENTS = Rule(
    id="stores-late-events",
    family="order",
    level="must",
    title="Stores events older than the newest it has",
    requirement=_LATE,
    expected="each event stored once, though newer ones arrived before",
    needs=("probe",),
    examine=_stores_late,
    depends_on=("handles-new-connections",),
    assumes=("batch", "retry", "parallel", "order"),
    fix=_FIX,
    example=_EXAMPLE,
)


async def _stores_click_before_open(bench: Bench) -> Examined:
    await must_store(bench, 1)
    await must_store_clicks(bench)
    opened, clicked = open_and_click(bench, same_time=False)
    click = await bench.deliver([clicked], number=2, attempts=3)
    if not click.accepted:
        return failed(click.response(Stimulus(situation=Situation.CLICK_BEFORE_OPEN)))
    sent = Stimulus(situation=Situation.OPEN_AFTER_CLICK)
    delivery = await bench.deliver([opened], number=1, attempts=3)
    if not delivery.accepted:
        return failed(delivery.response(sent))
    difference = await bench.store.difference()
    return failed(difference.seen(sent)) if difference else passed(StoreAgrees(after=sent))


STORES_CLICK_BEFORE_OPEN = Rule(
    id="stores-click-before-open",
    family="order",
    level="must",
    title="Stores a click that arrives before its open",
    requirement="Each event type has a webhook of its own (vendor's webhook guide), and each webhook its own retries.",
    expected="both stored, in whatever order they arrive",
    needs=("probe",),
    assumes=("batch", "retry", "parallel"),
    depends_on=(
        "stores-fields-unchanged",
        "stores-repeat-engagement",
        "stores-open-and-click",
        "stores-late-events",
    ),
    examine=_stores_click_before_open,
    fix="Let no event depend on another one that should have arrived before it.",
    example="INSERT INTO mails … ON CONFLICT DO NOTHING  -- with either event",
)


async def _stores_out_of_order(bench: Bench) -> Examined:
    """Deliver several events of each of some mails in batches out of order, some of them twice."""
    await must_store(bench, 2)
    await must_distinguish(bench)
    journeys = [_journey(bench, 1 + bench.random.randrange(4)) for _ in range(8)]
    events = sorted(
        (event for journey in journeys for event in journey), key=lambda event: bench.shape.moment(event) or 0
    )
    batches = [events[at : at + 5] for at in range(0, len(events), 5)]
    bench.random.shuffle(batches)
    for number, batch in enumerate(batches):
        if number % 3 == 1:
            with bench.fault("lost-ack", times=1):
                await must_deliver(bench, batch)
        else:
            await must_deliver(bench, batch)
    sent = Stimulus(situation=Situation.OUT_OF_ORDER, times=len(journeys))
    difference = await bench.store.difference()
    return failed(difference.seen(sent)) if difference else passed(StoreAgrees(after=sent))


STORES_OUT_OF_ORDER_EVENTS = Rule(
    id="stores-out-of-order-events",
    family="order",
    level="must",
    title="Stores every event of a mail, in whatever order they arrive",
    requirement=_LATE,
    expected="every event of a mail stored once, though some arrived late and some twice",
    needs=("probe events",),
    depends_on=(
        "once-after-lost-response",
        "stores-repeat-engagement",
        "stores-one-recipient-many-mails",
        "stores-late-events",
    ),
    examine=_stores_out_of_order,
    fix=_FIX,
    example=_EXAMPLE,
)


async def _newest_wins(bench: Bench) -> Examined:
    """Deliver older events after newer ones: some for the first time, and some again since their response was lost."""
    bench.require(Role.MOMENT)
    await must_deliver(bench, bench.events(1))
    late, redelivered = ([_journey(bench, 3) for _ in range(4)] for _ in range(2))
    older = [event for journey in redelivered for event in journey[:-1]]
    with bench.fault("lost-ack", times=1):
        bench.emit(older)
        await bench.advance()
    newest = [journey[-1] for journey in (*late, *redelivered)]
    await must_deliver(bench, newest, number=1)
    delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        again = Stimulus(situation=Situation.REDELIVERED, events=len(older))
        raise SkipRule(Rejected(response=delivery.response(again)))
    await must_deliver(bench, [event for journey in late for event in journey[:-1]])

    def wrong(states: States) -> list[Stale]:
        return [found for event in newest if (found := stale(event, states, bench.shape)) is not None]

    states = await bench.store.states(wrong)
    if bench.shape.is_captured and not knows_any(newest, states, bench.shape):
        # It may be by an id that the captured events do not show to be one.
        raise SkipRule(Unmet(why=Precondition.STATE_LACKS_FIELDS))
    if not all(distinguishes_events(event, states, bench.shape) for event in newest):
        raise SkipRule(Unmet(why=Precondition.STATE_LACKS_FIELDS))
    found = wrong(states)
    if found:
        first = found[0]
        return failed(
            StateIsStale(
                stale=len(found), states=len(newest), field=first.field, stated=first.stated, newest=first.newest
            )
        )
    return passed(Confirmed(what=Confirmation.STATES_NEWEST, count=len(newest)))


NEWEST_EVENT_WINS = Rule(
    id="newest-event-wins",
    family="order",
    level="must",
    title="Ends in the state of the newest event, not of the last to arrive",
    requirement=_LATE,
    expected="for each mail or recipient, the end state of its newest event, whichever arrived last",
    needs=("state",),
    depends_on=("stores-created-exactly", "stores-late-events", "stores-out-of-order-events"),
    examine=_newest_wins,
    fix="Let an event change the state only if it occurred later than what the state is from.",
    example="UPDATE mails SET … WHERE mail_id = ? AND created < ?",
    not_covered="Which of two events of the same millisecond should win.",
)


AGES = (HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY)
"""Ages by which a limit of the consumer is found. At most three of them are tried."""


async def _accepts_old(bench: Bench) -> Examined:
    newer = bench.events(3)
    await must_deliver(bench, newer)
    if bench.store.has_probe:
        await must_store(bench, 3)
    age = bench.campaign.policy.event_age_max - MINUTE
    bench.require(Role.MOMENT)
    oldest = bench.campaign.now - age
    events = [bench.event({Role.MOMENT: oldest + number * bench.shape.resolution}) for number in range(3)]
    old = Stimulus(situation=Situation.OLD_EVENTS, events=3)
    delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        return failed(delivery.response(old), *await _age_limit(bench, age, is_stored=False), batches=[newer, events])
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference:
            # The store may settle late, and to wait for that at each age would take too long.
            is_cheap = bench.store.reports_events and not bench.settings.settle and not difference.surplus
            limit = await _age_limit(bench, age, is_stored=True) if is_cheap else ()
            return failed(difference.seen(old), *limit, batches=[newer, events])
        return passed(delivery.response(old), StoreAgrees(after=old))
    return passed(delivery.response(old))


async def _age_limit(bench: Bench, lost: int, *, is_stored: bool) -> tuple[AgeLimit, ...]:
    """Return between which of some usual ages the limit is, found by few requests; `lost` is an age beyond it."""
    low, high, kept = 0, len(AGES), None
    while low < high:
        middle = (low + high) // 2
        age = AGES[middle]
        event = bench.event({Role.MOMENT: bench.campaign.now - age})
        bench.store.expect_events_of([event])
        what = Stimulus(situation=Situation.EVENT_OF_AGE, milliseconds=age)
        outcome = await send_request(bench, what, bench.body_of([event]), controlled=False)
        if outcome.accepted and not (is_stored and await bench.store.difference_of([event])):
            low, kept = middle + 1, age
        else:
            high, lost = middle, age
    return (AgeLimit(kept=kept, lost=lost, is_stored=is_stored),)


ACCEPTS_OLD_EVENTS = Rule(
    id="accepts-old-events",
    family="order",
    level="must",
    title="Accepts events that are almost three days old",
    requirement="Campaign delivers an event until three days after its creation (vendor's webhook guide).",
    expected="200, and each event stored",
    assumes=("batch", "retry", "discard"),
    depends_on=("stores-late-events",),
    examine=_accepts_old,
    fix="Do not reject events for their age: Campaign itself discards them after three days.",
    example="# no `if created < yesterday: continue`",
    span=10 * MINUTE,
    stage=Stage.REACHING_BACK,
)


SKEWS = (1_000, 2_000)
"""Milliseconds by which the sender's clock may be ahead of the consumer's."""


async def _accepts_ahead(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    await must_deliver(bench, bench.events(1))
    events: list[Event] = []
    for skew in SKEWS:
        # Not of virtual time: that is behind the clock that consumers read.
        event = bench.shape.at(bench.event(), bench.consumer_now + skew)
        events.append(event)
        ahead = Stimulus(situation=Situation.AHEAD_OF_CLOCK, milliseconds=skew)
        delivery = await bench.deliver([event], attempts=2)
        response = delivery.response(ahead)
        if not delivery.accepted:
            # Ten seconds later the event is no longer ahead, and its retry is accepted.
            return failed(response, batches=[[event]], is_hazard=True)
    difference = await bench.store.difference_of(events) if bench.store.has_probe else None
    if difference:
        ordinary = bench.another(1)
        await must_store(ordinary, 1)
        bench.count_in(ordinary)
        is_lost = bool(difference.missing or difference.missing_count)
        return failed(response, difference.seen(ahead), batches=[events], is_hazard=not is_lost)
    return passed(Response(to=ahead, replies=response.replies))


ACCEPTS_EVENTS_AHEAD_OF_CLOCK = Rule(
    id="accepts-events-ahead-of-clock",
    family="order",
    level="must",
    title="Accepts events that are a second or two ahead of its clock",
    requirement="An event has the time of the sender's clock, which may be ahead of the consumer's (assumed). Campaign "
    "never resends an event after 200 (vendor's webhook guide).",
    expected="200, and the event stored; a rejection is a hazard, as the retry succeeds",
    examine=_accepts_ahead,
    assumes=("batch", "retry", "skew"),
    depends_on=("stores-created-exactly", "stores-late-events"),
    fix="Do not compare the time of an event with the clock of the machine, or allow for a difference of minutes.",
    example="if event['created'] > now + 5 * 60_000: log.warning('clocks differ')  # and store it",
    stage=Stage.LAST,
)

CLOCK_CHANGES = (
    *("2024-10-27T00:30:00+00:00", "2024-10-27T01:30:00+00:00"),
    *("2024-11-03T05:30:00+00:00", "2024-11-03T06:30:00+00:00"),
    *("2024-04-06T15:30:00+00:00", "2024-04-06T16:30:00+00:00"),
    *("2024-03-31T02:30:00+00:00", "2024-03-10T02:30:00+00:00", "2024-10-06T02:30:00+00:00"),
)
"""Moments in clock changes of Berlin, New York and Sydney: two that have one local time, for each of them, and one that
is no local time there, for consumers that take UTC for it (IANA time zone database)."""

ORDINARY_HOUR = "2024-06-12T12:30:00+00:00"
"""A moment of the same year at which no clock changes."""


async def _stores_clock_changes(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    shape = bench.shape
    await must_store(bench, 1)
    ordinary = [shape.at(bench.event(), read_moment(ORDINARY_HOUR) or 0)]
    await must_deliver(bench, ordinary)
    difference = await bench.store.difference_of(ordinary)
    if difference:
        # It is older than anything that Campaign still delivers.
        raise SkipRule(NotStored(difference=difference.seen(Stimulus(situation=Situation.ORDINARY_HOUR))))
    mails = bench.events(len(CLOCK_CHANGES))
    # Two events that have one local time are of one mail.
    mails[1], mails[3], mails[5] = mails[0], mails[2], mails[4]
    events = [shape.at(mail, read_moment(text) or 0) for mail, text in zip(mails, CLOCK_CHANGES, strict=True)]
    changes = Stimulus(situation=Situation.CLOCK_CHANGES, events=len(events))
    delivery = await bench.deliver(events, attempts=2)
    if not delivery.accepted:
        return failed(delivery.response(changes), batches=[events])
    difference = await bench.store.difference_of(events)
    if difference:
        return failed(delivery.response(changes), difference.seen(changes), batches=[events])
    return passed(StoreAgrees(after=changes))


STORES_TIMES_OF_CLOCK_CHANGES = Rule(
    id="stores-times-of-clock-changes",
    family="order",
    level="must",
    title="Stores times within the hours in which clocks change",
    requirement="An event says when it occurred, in milliseconds since 1970 (vendor's webhook guide), and events occur "
    "in the hour that local clocks repeat or skip, too.",
    expected="each time stored exactly",
    needs=("probe events", "batches"),
    examine=_stores_clock_changes,
    depends_on=(
        "stores-every-event",
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-recipient-many-mails",
        "stores-created-exactly",
        "stores-late-events",
        "stores-out-of-order-events",
        "accepts-old-events",
    ),
    fix="Store the number, or a time with its zone, and convert it to local time only where you display it.",
    example="datetime.fromtimestamp(created / 1000, UTC); TIMESTAMPTZ",
    not_covered="Other zones, and other years: the moments are of 2024.",
    stage=Stage.AFTER_USUAL,
)

ORDER = (
    STORES_CREATED_EXACTLY,
    ACCEPTS_EVENTS_AHEAD_OF_CLOCK,
    STORES_TIMES_OF_CLOCK_CHANGES,
    STORES_LATE_EVENTS,
    STORES_CLICK_BEFORE_OPEN,
    STORES_OUT_OF_ORDER_EVENTS,
    NEWEST_EVENT_WINS,
    ACCEPTS_OLD_EVENTS,
)
