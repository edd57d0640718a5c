"""Time: how old events may be, in which order they come, and in what unit they tell it."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.end_state import States, moment, stale, tells_apart
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.check.rules.identity import must_keep_clicks
from mockcampaign.model import EventType
from mockcampaign.policy import MINUTE

_LATE = (
    "What is not acknowledged comes again every 10 seconds, until three days after its creation, while newer events go "
    "on (vendor's webhook guide)."
)
_FIX = "Take every event, and let its created decide what is newer, not the order in which events arrive."
_EXAMPLE = "state = max(events_of_mail, key=lambda event: event['created'])"


async def _old(bench: Bench) -> Examined:
    newer = bench.events(3)
    await bench.must_deliver(newer)
    if bench.store.has_probe:
        await bench.must_process(3)
    age = bench.campaign.policy.event_age_max - MINUTE
    events = [bench.event(created=bench.campaign.now - age + number) for number in range(3)]
    delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        return violated(f"{delivery.describe()} to events that are almost three days old", newer, events)
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference:
            return violated(f"events that are almost three days old: {difference.describe()}", newer, events)
    return holds("events that were almost three days old were taken")


async def _late(bench: Bench) -> Examined:
    await bench.must_process(2)
    older = bench.events(3)
    newer = bench.events(3)
    await bench.must_deliver(newer)
    delivery = await bench.deliver(older, attempts=3)
    if not delivery.accepted:
        await bench.must_take_ordinary(f"older events were not taken: {delivery.describe()}")
        return violated(f"{delivery.describe()} to three events after three newer ones", newer, older)
    difference = await bench.store.difference()
    if difference:
        return violated(f"three events after three newer ones: {difference.describe()}", newer, older)
    # Our own sender has the oldest first in each list, which nobody documents.
    mixed = bench.events(5)[::-1]
    bench.store.expect_events_of(mixed)
    for _ in range(2):
        outcome = await bench.request("a list with its newest event first", body_of(mixed))
        if outcome.accepted:
            break
    command = curl(bench.url, body_of(mixed), bench.settings.authentication)
    if not outcome.accepted:
        return violated(f"{outcome.describe()} to a list with its newest event first", curl=command)
    # A number says nothing of what was not sent as Campaign sends it.
    if bench.store.tells_events and (difference := await bench.store.difference_of(mixed)):
        return violated(f"a list with its newest event first: {difference.describe()}", curl=command)
    return holds("older events after newer ones were kept, in lists of their own and in one")


async def _late_in_journey(bench: Bench) -> Examined:
    """Journeys of some mails, whose lists arrive in another order than they were made, and some of them twice."""
    await bench.must_process(2)
    await bench.must_tell_apart()
    journeys = [_journey(bench, 1 + bench.random.randrange(4)) for _ in range(8)]
    events = sorted((event for journey in journeys for event in journey), key=lambda event: event["created"])
    lists = [events[at : at + 5] for at in range(0, len(events), 5)]
    bench.random.shuffle(lists)
    for number, part in enumerate(lists):
        if number % 3 == 1:
            with bench.fault("lost-ack", times=1):
                await bench.must_deliver(part)
        else:
            await bench.must_deliver(part)
    difference = await bench.store.difference()
    if difference:
        return violated(f"mails with several events, some of which came late or twice: {difference.describe()}")
    return holds(f"all events of {len(journeys)} mails were kept, though they came late, and some of them twice")


async def _newest_counts(bench: Bench) -> Examined:
    """Older events after newer ones: some for the first time, and some again, since their answer was lost."""
    await bench.must_deliver(bench.events(1))
    late, again = ([_journey(bench, 3) for _ in range(4)] for _ in range(2))
    with bench.fault("lost-ack", times=1):
        bench.emit([event for journey in again for event in journey[:-1]])
        await bench.advance()
    await bench.must_deliver([journey[-1] for journey in (*late, *again)], number=1)
    delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        raise NotExercised(f"the list was not taken when it came again: {delivery.describe()}")
    await bench.must_deliver([event for journey in late for event in journey[:-1]])
    newest = [journey[-1] for journey in (*late, *again)]

    def wrong(states: States) -> list[str | None]:
        return [stale(event, states) for event in newest]

    states = await bench.store.states(wrong)
    if not all(tells_apart(event, states) for event in newest):
        raise NotExercised("the end state has neither created nor remoteAddress, in which events of a mail differ")
    found = wrong(states)
    if any(found):
        first = next(said for said in found if said)
        return violated(
            f"after older events came late, {sum(map(bool, found))} of {len(newest)} end states are not the newest "
            f"event's; of the first, {first}",
            found="the end state is not the newest event's",
        )
    return holds(f"{len(newest)} end states are the newest event's, though older ones came after it, and again")


def _journey(bench: Bench, acts: int) -> list[Event]:
    first = bench.event()
    return [
        first,
        *(
            {**first, "created": first["created"] + number * 3_001, "remoteAddress": f"203.0.113.{number}"}
            if "remoteAddress" in first
            else {**first, "created": first["created"] + number * 3_001}
            for number in range(1, acts + 1)
        ),
    ]


async def _click_first(bench: Bench) -> Examined:
    await bench.must_process(1)
    await must_keep_clicks(bench)
    opened = bench.events(1, EventType.OPEN)[0]
    same = {name: value for name, value in opened.items() if name not in ("type", "created")}
    clicked = bench.events(1, EventType.CLICK, **same)[0]
    click = await bench.deliver([clicked], number=2, attempts=3)
    if not click.accepted:
        return violated(f"{click.describe()} to a click that comes before its open")
    delivery = await bench.deliver([opened], number=1, attempts=3)
    if not delivery.accepted:
        return violated(f"{delivery.describe()} to an open whose click came before it")
    difference = await bench.store.difference()
    if difference:
        return violated(f"a click, and then the open before it: {difference.describe()}")
    return holds("a click that came before its open, and the open, were kept")


async def _milliseconds(bench: Bench) -> Examined:
    if "created" not in bench.settings.probe_fields:
        raise NotExercised("the account does not show created (--probe-fields)")
    await bench.must_deliver(bench.events(1))
    seconds = [{**event, "created": event["created"] // 1_000 * 1_000} for event in bench.events(3)]
    events = [
        {**event, "created": event["created"] + milliseconds}
        for event, milliseconds in zip(seconds, (1, 333, 999), strict=True)
    ]
    await bench.must_deliver(events)
    held = {event.get("mailId"): event.get("created") for event in await bench.store.events_held()}
    for event in events:
        if event["mailId"] not in held:
            raise NotExercised("the account does not hold what was acknowledged")
        kept = held[event["mailId"]]
        if moment(kept) != event["created"]:
            return violated(f"created {event['created']} became {msgspec.json.encode(kept).decode()}", [event])
    return holds("created is kept to the millisecond")


ORDER = (
    Rule(
        id="stores-created-exactly",
        family="order",
        level="must",
        title="Keeps created to the millisecond",
        requirement="created is the moment of the act in milliseconds since 1970 (vendor's webhook guide).",
        expected="the same number in the account, or the same moment as date and time (ISO 8601)",
        needs=("probe events",),
        examine=_milliseconds,
        fix="Keep the number as it is, or in a type with milliseconds.",
        example="datetime.fromtimestamp(created / 1000, UTC)",
    ),
    Rule(
        id="stores-late-events",
        family="order",
        level="must",
        title="Keeps events that are older than what it has",
        requirement=_LATE,
        expected="each event processed once, though newer ones came before",
        needs=("probe",),
        examine=_late,
        depends_on=("handles-new-connections",),
        assumes=("list", "retry", "parallel", "order"),
        fix=_FIX,
        example=_EXAMPLE,
    ),
    Rule(
        id="stores-click-before-open",
        family="order",
        level="must",
        title="Keeps a click that comes before its open",
        requirement="Each type has a webhook of its own (vendor's webhook guide), and each webhook its own retries.",
        expected="both kept, in whichever order they come",
        needs=("probe",),
        assumes=("list", "retry", "parallel"),
        depends_on=(
            "stores-fields-unchanged",
            "stores-repeat-engagement",
            "stores-open-and-click",
            "stores-late-events",
        ),
        examine=_click_first,
        fix="Let no event depend on another one's being there before.",
        example="INSERT INTO mails … ON CONFLICT DO NOTHING  -- with either event",
    ),
    Rule(
        id="stores-out-of-order-events",
        family="order",
        level="must",
        title="Keeps every event of a mail, in whichever order they come",
        requirement=_LATE,
        expected="every event of a mail in the account once, though some came late and some twice",
        needs=("probe events",),
        depends_on=(
            "once-after-lost-response",
            "stores-repeat-engagement",
            "stores-one-recipient-many-mails",
            "stores-late-events",
        ),
        examine=_late_in_journey,
        fix=_FIX,
        example=_EXAMPLE,
    ),
    Rule(
        id="newest-event-wins",
        family="order",
        level="must",
        title="Ends with the newest event, whatever came last",
        requirement=_LATE,
        expected="of each mail or recipient, the end state of its newest event by created",
        needs=("state",),
        depends_on=("stores-created-exactly", "stores-late-events", "stores-out-of-order-events"),
        examine=_newest_counts,
        fix="Let an event change the state only where its created is later than that of the state.",
        example="UPDATE mails SET … WHERE mail_id = ? AND created < ?",
        not_covered="Which of two events of the same millisecond should count.",
    ),
    Rule(
        id="accepts-old-events",
        family="order",
        level="must",
        title="Takes events that are almost three days old",
        requirement="An event is delivered until three days after its creation (vendor's webhook guide).",
        expected="200, and each event processed",
        assumes=("list", "retry", "discard"),
        depends_on=("stores-late-events",),
        examine=_old,
        fix="Do not reject events for their age; Campaign itself discards them after three days.",
        example="# no `if created < yesterday: continue`",
        span=10 * MINUTE,
        stage=Stage.REACHING_BACK,
    ),
)
