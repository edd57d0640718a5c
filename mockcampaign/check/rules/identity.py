"""Identity: two events are the same only if all of their fields are equal, since there is no event id."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_accept_ordinary, must_deliver, must_store
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    CountsTwice,
    KeysOn,
    NotStored,
    PairLost,
    Precondition,
    Rejected,
    Stimulus,
    StoreAgrees,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR
from mockcampaign.shape.field import TRAITS, Event, Role, value_at, with_value
from mockcampaign.shape.nearness import Neighbour, neighbours, on_another_device, other_link

_NO_ID = "Events have no id: the guide's example shows every field, and none of them is one (vendor's webhook guide)."
_FIX = "Deduplicate on all fields, or on a hash of them in one column: two events are one only if all fields are equal."
_EXAMPLE = "key = json.dumps(event, sort_keys=True)"


async def _lost_pair(bench: Bench, in_two: Sequence[Event], in_one: Sequence[Event]) -> list[AnyFact]:
    """Return which of two pairs of events is not stored, one sent in two batches and one in one, if only one is not."""
    if not bench.store.reports_events:
        return []
    shown = bench.store.newest_difference
    lost = [bool((await bench.store.difference_of(list(pair))).missing) for pair in (in_two, in_one)]
    bench.store.newest_difference = shown  # the report shows the violation event by event
    return [PairLost(within=lost[1])] if lost[0] != lost[1] else []


async def _stores_all(
    bench: Bench, batches: Sequence[list[Event]], sent: Stimulus, *, in_pairs: bool = False
) -> Examined:
    """Deliver the batches, and return whether all of their events are accepted and stored.

    With `in_pairs`, the first two batches have a pair of events, and so has the third.
    """
    for events in batches:
        delivery = await bench.deliver(events, attempts=3)
        if not delivery.accepted:
            response = delivery.response(sent)
            await must_accept_ordinary(bench, response)
            return failed(response, batches=batches)
    difference = await bench.store.difference()
    if difference:
        pair = await _lost_pair(bench, (*batches[0], *batches[1]), batches[2]) if in_pairs else ()
        return failed(difference.seen(sent), *pair, batches=batches)
    return passed(StoreAgrees(after=sent))


async def _stores_repeat_engagement(bench: Bench) -> Examined:
    await must_store(bench, 1)
    bench.require(Role.MOMENT)
    first = bench.event()
    # Enough events that some occur within the same minute, wherever that begins.
    unit = max(1_000, bench.shape.resolution)
    batches = [[first], *([bench.shape.later(first, later * unit)] for later in (2, 25, 48))]
    return await _stores_all(bench, batches, Stimulus(situation=Situation.REPEAT_ENGAGEMENT, variant=bench.event_type))


STORES_REPEAT_ENGAGEMENT = Rule(
    id="stores-repeat-engagement",
    family="identity",
    level="must",
    title="Stores a second open or click of the same mail",
    requirement=_NO_ID,
    expected="both stored: the id of a mail identifies the mail, not the event",
    needs=("probe",),
    examine=_stores_repeat_engagement,
    fix=_FIX,
    example=_EXAMPLE,
)


def _grouped_mail(bench: Bench, event: Event) -> str | None:
    """Return the id of the event's mail if it consists of several groups."""
    mail = bench.shape.get(event, Role.MAIL)
    return mail if isinstance(mail, str) and "-" in mail else None


async def _stores_same_millisecond(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    await must_store(bench, 2)
    first = bench.event()
    # From one address and with equal devices, too: the recipients may sit behind one proxy.
    same = bench.values_of(first, Role.MOMENT, Role.NETWORK_ADDRESS, *TRAITS)
    second, third, fourth = bench.events(3, same)
    mail, shape = _grouped_mail(bench, first), bench.shape
    if mail is not None:
        # Two ids may differ in any part: neither their beginnings nor their ends are enough.
        beginning, _, end = mail.rpartition("-")
        own = [_grouped_mail(bench, event) or "" for event in (third, fourth)]
        third = shape.put(third, Role.MAIL, f"{beginning}-{own[0].rpartition('-')[2]}")
        fourth = shape.put(fourth, Role.MAIL, f"{own[1].rpartition('-')[0]}-{end}")
    return await _stores_all(
        bench, [[first, second], [third], [fourth]], Stimulus(situation=Situation.SAME_MILLISECOND)
    )


STORES_SAME_MILLISECOND = Rule(
    id="stores-same-millisecond",
    family="identity",
    level="must",
    title="Stores events of several recipients in the same millisecond",
    requirement=_NO_ID,
    expected="all stored: a time identifies no event",
    needs=("probe",),
    examine=_stores_same_millisecond,
    fix=_FIX,
    example=_EXAMPLE,
)


async def _stores_one_recipient(bench: Bench) -> Examined:
    await must_store(bench, 2)
    first = bench.event()
    bench.require(Role.RECIPIENT)
    same = bench.values_of(first, Role.RECIPIENT, Role.RECIPIENT_ADDRESS)
    second, third = (bench.event({**same, Role.MAILING: bench.mailing(number)}) for number in (7, 8))
    return await _stores_all(bench, [[first, second], [third]], Stimulus(situation=Situation.ONE_RECIPIENT_MANY_MAILS))


STORES_ONE_RECIPIENT_MANY_MAILS = Rule(
    id="stores-one-recipient-many-mails",
    family="identity",
    level="must",
    title="Stores events of one recipient in several mails",
    requirement=_NO_ID,
    expected="all stored: the id of a recipient identifies the recipient, not the event",
    needs=("probe",),
    examine=_stores_one_recipient,
    depends_on=("stores-repeat-engagement", "accepts-mixed-mailings", "stores-mixed-mailings"),
    fix=_FIX,
    example=_EXAMPLE,
)


async def _stores_one_mail_same_millisecond(bench: Bench) -> Examined:
    shape = bench.shape
    bench.require(Role.MOMENT)
    if not shape.has_origin:
        raise SkipRule(Unmet(why=Precondition.NO_DEVICE_FIELDS, variant=bench.event_type))
    await must_store(bench, 2)
    first, again = (shape.at(one, (shape.moment(one) or 0) // 1_000 * 1_000 + 1_000) for one in bench.events(2))
    # In two batches and in one: some consumers compare with the store, others only the events of a batch.
    batches = [[first], [on_another_device(shape, first)], [again, on_another_device(shape, again)]]
    sent = Stimulus(situation=Situation.ONE_MAIL_SAME_MILLISECOND, variant=bench.event_type)
    return await _stores_all(bench, batches, sent, in_pairs=True)


STORES_ONE_MAIL_SAME_MILLISECOND = Rule(
    id="stores-one-mail-same-millisecond",
    family="identity",
    level="must",
    title="Stores two different events of one mail in the same millisecond",
    requirement=_NO_ID,
    expected="both stored: they have different devices and addresses",
    needs=("probe",),
    examine=_stores_one_mail_same_millisecond,
    depends_on=("stores-repeat-engagement", "stores-same-millisecond", "stores-one-recipient-many-mails"),
    fix=_FIX,
    example=_EXAMPLE,
)


_OF_ONE_MAIL = (Role.MAIL, Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.SUBSCRIPTION)
"""Roles that are equal in all events of a mail, like the ids of mailing, list and client."""


def open_and_click(bench: Bench, *, same_time: bool) -> tuple[Event, Event]:
    """Return an open and a click of one mail by one device, which differ in as little as possible."""
    [opened] = bench.events(1, event_type=EventType.OPEN)
    roles = (*_OF_ONE_MAIL, Role.NETWORK_ADDRESS, *TRAITS, *((Role.MOMENT,) if same_time else ()))
    [clicked] = bench.events(1, bench.values_of(opened, *roles, event_type=EventType.OPEN), EventType.CLICK)
    return opened, clicked


def _require_sample(bench: Bench, kind: EventType) -> None:
    """Raise `SkipRule` if events of a type that the consumer rejects are only our guess by those of another type."""
    if bench.settings.is_guessed(kind):
        raise SkipRule(Unmet(why=Precondition.NO_SAMPLE_OF_TYPE, variant=kind)) from None


async def must_store_clicks(bench: Bench) -> None:
    """Deliver an ordinary open by webhook 1, and by webhook 2 a later click on the same mail.

    Raises `SkipRule` unless the consumer stores both: a consumer may be made for one type of event.
    """
    for kind in (EventType.OPEN, EventType.CLICK):
        bench.shape_of(kind)  # skips the rule if nothing shows what they look like
    bench.webhook(1, EventType.OPEN)
    bench.webhook(2, EventType.CLICK)
    with bench.unrecorded():
        [opened] = bench.events(1, event_type=EventType.OPEN)
        same = bench.values_of(opened, *_OF_ONE_MAIL, event_type=EventType.OPEN)
        try:
            await must_deliver(bench, [opened], number=1)
        except SkipRule:
            _require_sample(bench, EventType.OPEN)
            raise
        click = await bench.deliver(bench.events(1, same, EventType.CLICK), number=2, attempts=3)
    if not click.accepted:
        _require_sample(bench, EventType.CLICK)
        raise SkipRule(Rejected(response=click.response(Stimulus(situation=Situation.ORDINARY_CLICK))))
    difference = await bench.store.difference()
    if difference:
        sent = Stimulus(situation=Situation.ORDINARY_OPEN_AND_CLICK)
        raise SkipRule(NotStored(difference=difference.seen(sent)))


async def _stores_open_and_click(bench: Bench) -> Examined:
    await must_store(bench, 1)
    await must_store_clicks(bench)
    sent = Stimulus(situation=Situation.OPEN_AND_CLICK)
    opened, clicked = open_and_click(bench, same_time=True)
    await must_deliver(bench, [opened], number=1)
    click = await bench.deliver([clicked], number=2, attempts=3)
    if not click.accepted:
        raise SkipRule(Rejected(response=click.response(sent)))
    difference = await bench.store.difference()
    return failed(difference.seen(sent)) if difference else passed(StoreAgrees(after=sent))


STORES_OPEN_AND_CLICK = Rule(
    id="stores-open-and-click",
    family="identity",
    level="must",
    title="Stores both an open and a click of one mail",
    requirement=_NO_ID,
    expected="both stored, though they belong to one mail",
    needs=("probe",),
    assumes=("batch", "retry", "shape"),
    examine=_stores_open_and_click,
    depends_on=(
        "stores-fields-unchanged",
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-mail-same-millisecond",
    ),
    fix=_FIX,
    example=_EXAMPLE,
)


SIMILAR = (
    *(("kd-meier-{}", "KD-Meier-{}"), ("müller-{}", "muller-{}"), ("strasse-{}", "straße-{}")),
    *(("kd-{}", "kd-{} "), ("kd-zero-{}", "kd-\u200bzero-{}")),
)
"""Ids of recipients that are different text and that collations of databases treat as equal."""


async def _distinguishes_recipients(bench: Bench) -> Examined:
    bench.require(Role.RECIPIENT)
    recipient = bench.shape.of(Role.RECIPIENT)[0]
    if not recipient.is_text or (bench.shape.is_captured and "@" in recipient.example):
        raise SkipRule(Unmet(why=Precondition.NO_SUCH_FIELDS, variant=bench.event_type))
    await must_store(bench, 2)
    number = bench.random.randrange(10**8)
    batches: list[list[Event]] = [[], []]
    for one, other in SIMILAR:
        first = bench.event({Role.RECIPIENT: one.format(number)})
        same = bench.values_of(first, Role.MOMENT, Role.NETWORK_ADDRESS, *TRAITS)
        batches[0].append(first)
        batches[1].append(bench.event({**same, Role.RECIPIENT: other.format(number)}))
    sent = Stimulus(situation=Situation.SIMILAR_RECIPIENTS, times=len(SIMILAR))
    for events in batches if bench.shape.body.has_list else [[event] for batch in batches for event in batch]:
        delivery = await bench.deliver(events, attempts=2)
        if not delivery.accepted:
            response = delivery.response(sent)
            await must_accept_ordinary(bench, response)
            return failed(response, batches=[events], is_hazard=True)  # whatever it rejects is not lost
    difference = await bench.store.difference()
    return failed(difference.seen(sent), batches=batches) if difference else passed(StoreAgrees(after=sent))


DISTINGUISHES_SIMILAR_RECIPIENTS = Rule(
    id="distinguishes-similar-recipients",
    family="identity",
    level="must",
    title="Stores the events of recipients whose ids look alike",
    requirement="The id of a recipient is text that the client chooses (vendor's API description): two ids that differ "
    "in one character are two recipients. Campaign never resends an event after 200 (vendor's webhook guide).",
    expected="each event stored, and with its own recipient",
    needs=("probe",),
    examine=_distinguishes_recipients,
    assumes=("batch", "retry", "fields"),
    depends_on=(
        "stores-fields-unchanged",
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-recipient-many-mails",
        "stores-recipient-id-as-text",
        "stores-text-unchanged",
        "stores-late-events",
    ),
    fix="Compare ids byte by byte: use a binary collation for them, and neither trim nor normalise them.",
    example="recipient_id VARCHAR(255) COLLATE utf8mb4_bin",
    stage=Stage.AFTER_USUAL,
)


_LONG_RECIPIENT_ID = "{}.von-der-ausfuehrlichen-benennung@customers.mail.example.com"
"""A valid address that is longer than many columns, with the number of a customer that no other check sends."""


async def _distinguishes_times(bench: Bench) -> Examined:
    bench.require(Role.MOMENT)
    await must_store(bench, 1)
    first = bench.event()
    await must_deliver(bench, [first])
    for later in (bench.shape.resolution, HOUR, 12 * HOUR, DAY, 2 * DAY):
        again = bench.shape.later(first, later)
        await bench.advance(max(0, (bench.shape.moment(again) or 0) - bench.campaign.now))
        await must_deliver(bench, [again])
        difference = await bench.store.difference()
        if difference:
            sent = Stimulus(situation=Situation.LATER_ENGAGEMENT, variant=bench.event_type, milliseconds=later)
            return failed(difference.seen(sent))
    recipient = bench.shape.field(Role.RECIPIENT)
    long_id = _LONG_RECIPIENT_ID.format(bench.random.randrange(10**10, 10**11))
    long = bench.event({Role.RECIPIENT: long_id} if recipient is not None and recipient.is_text else {})
    second = bench.shape.later(long, bench.shape.resolution)
    accepted = [(await bench.deliver([event], attempts=3)).accepted for event in (long, second)]
    # Another rule examines whether the consumer accepts such recipients at all.
    if all(accepted) and not await bench.store.difference_of([long]):
        difference = await bench.store.difference()
        if difference:
            sent = Stimulus(situation=Situation.LONG_RECIPIENT_ENGAGEMENTS, variant=bench.event_type)
            return failed(difference.seen(sent), batches=[[long], [second]])
    return passed(StoreAgrees(after=Stimulus(situation=Situation.LATER_ENGAGEMENTS, variant=bench.event_type)))


DISTINGUISHES_TIMES = Rule(
    id="distinguishes-times",
    family="identity",
    level="must",
    title="Stores repeated events however close or far apart in time",
    requirement=_NO_ID,
    expected="all stored: a time has all its digits, and is neither a second nor a time of day alone",
    needs=("probe",),
    examine=_distinguishes_times,
    depends_on=("stores-repeat-engagement", "stores-created-exactly", "stores-late-events", "accepts-old-events"),
    fix=f"{_FIX} If you format the time, include its milliseconds, its date and hours from 0 to 23.",
    example='key = (…, moment.isoformat(timespec="milliseconds"))  # and not strftime("%I:%M:%S")',
    span=3 * DAY - HOUR,
    stage=Stage.REACHING_BACK,
)


def _click_webhook(bench: Bench) -> int:
    """Return the number of a webhook for clicks."""
    if bench.event_type == EventType.CLICK:
        return 0
    bench.webhook(0)
    bench.webhook(1, EventType.CLICK)
    return 1


async def _stores_clicks_on_two_links(bench: Bench) -> Examined:
    click = EventType.CLICK
    clicks = bench.shape_of(click)
    bench.require(Role.LINK, shape=clicks)
    if bench.event_type == click:
        await must_store(bench, 1)
    else:
        ordinary = await bench.deliver(bench.events(1, event_type=click), number=_click_webhook(bench), attempts=3)
        one_click = Stimulus(situation=Situation.ORDINARY_CLICK)
        if not ordinary.accepted:
            _require_sample(bench, click)
            raise SkipRule(Rejected(response=ordinary.response(one_click)))
        difference = await bench.store.difference()
        if difference:
            raise SkipRule(NotStored(difference=difference.seen(one_click)))
    first, again = bench.events(2, event_type=click)
    # In one batch and in two: a consumer that compares with the store alone stores the former, or the latter.
    pair, in_two = [first, other_link(clicks, first)], [again, other_link(clicks, again)]
    for events in (pair, *([one] for one in in_two)):
        await must_deliver(bench, events, number=_click_webhook(bench))
    sent = Stimulus(situation=Situation.CLICKS_ON_TWO_LINKS)
    difference = await bench.store.difference()
    if difference:
        return failed(difference.seen(sent), *await _lost_pair(bench, in_two, pair))
    return passed(StoreAgrees(after=sent))


STORES_CLICKS_ON_TWO_LINKS = Rule(
    id="stores-clicks-on-two-links",
    family="identity",
    level="must",
    title="Stores clicks on two links of one mail in the same millisecond",
    requirement=f"{_NO_ID} That a click names its link is known from an integrator only, as the guide shows no "
    "click. A click on another link is another event, and link scanners click on all links of a mail at once.",
    expected="both stored: the link is a field like all others",
    needs=("probe",),
    examine=_stores_clicks_on_two_links,
    assumes=("batch", "retry", "fields", "shape"),
    depends_on=(
        "stores-every-event",
        "stores-one-recipient-many-mails",
        "stores-fields-unchanged",
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-mail-same-millisecond",
        "stores-open-and-click",
    ),
    fix=_FIX,
    example=_EXAMPLE,
)


GENUINE_EVENTS = 40
"""Number of events that show what a deduplication key costs."""


def _genuine_events(bench: Bench) -> list[Event]:
    """Return events like those of a mailing: of many recipients, some with repeat events, some at the same time."""
    events: list[Event] = []
    for number in range(GENUINE_EVENTS):
        if number % 8 == 3 and bench.shape.has_origin:
            events.append(on_another_device(bench.shape, events[-1]))
        elif number % 8 == 6 and bench.shape.has(Role.MOMENT):
            events.append(bench.shape.later(events[-1], max(20_000, bench.shape.resolution)))
        else:
            events.append(bench.event())
    return events


async def _keys_on(bench: Bench, drawn: Sequence[Neighbour]) -> KeysOn | None:
    """Return the fields that the consumer ignores when it compares events, if any, and which events that loses."""
    ignored: list[str] = []
    compared = 0
    for neighbour in drawn:
        first = bench.event(neighbour.values)
        second = neighbour.changed(first)
        await must_deliver(bench, [first])
        delivery = await bench.deliver([second], attempts=3)
        if not delivery.accepted:
            sent = Stimulus(situation=Situation.ONE_FIELD_DIFFERS, variant=neighbour.name)
            await must_accept_ordinary(bench, delivery.response(sent))
            continue  # other rules judge what the consumer rejects
        compared += 1
        if await bench.store.difference_of([first, second]):
            ignored.append(neighbour.name)
    if not ignored:
        return None
    ignored += await _ignored_mails(bench)
    genuine = _genuine_events(bench)
    for event in genuine:
        await bench.deliver([event], attempts=3)
    difference = await bench.store.difference_of(genuine)
    names = dict.fromkeys([*(field.name for field in bench.shape.of(Role.MAIL)), *(one.field for one in drawn)])
    return KeysOn(
        event_type=bench.event_type,
        fields=tuple(name for name in names if name not in ignored),
        ignored=tuple(ignored),
        events_lost=len(difference.missing) + len(difference.altered) + difference.missing_count,
        events=len(genuine),
        pairs=compared,
    )


async def _ignored_mails(bench: Bench) -> list[str]:
    """Return the name of the mail's id if an event that differs from another one in that alone is not stored."""
    for field in bench.shape.of(Role.MAIL):
        first, other = bench.events(2)
        second = with_value(first, field.path, value_at(other, field.path))
        await must_deliver(bench, [first])
        if (await bench.deliver([second], attempts=3)).accepted and await bench.store.difference_of([first, second]):
            return [field.name]
    return []


async def _never_recognised(bench: Bench) -> bool:
    """Return whether events are stored again that are redelivered in the very batch in which they were stored."""
    events = bench.events(3)
    with bench.fault("lost-ack", times=1):
        delivery = await bench.deliver(events, attempts=3)
    difference = await bench.store.difference_of(events)
    return delivery.accepted and len(difference.surplus) + difference.surplus_count >= len(events)


async def _stored_again(bench: Bench) -> int | None:
    """Return how many events are stored twice when they are redelivered together with newer ones.

    None where the consumer rejects them then.
    """
    genuine, newer = _genuine_events(bench), bench.events(GENUINE_EVENTS)
    with bench.fault("lost-ack", times=1):
        bench.emit(genuine)
        await bench.advance()
    with bench.fault("refill"):
        bench.emit(newer)
        delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        return None
    difference = await bench.store.difference_of(genuine)
    return len(difference.surplus) + difference.surplus_count


async def _deduplicates_on_all_fields(bench: Bench) -> Examined:
    await must_store(bench, 2)
    drawn = neighbours(bench.shape, bench.random)
    found: list[AnyFact] = []
    keys_on = await _keys_on(bench, drawn)
    if keys_on is not None:
        found.append(keys_on)
    duplicate = await _stored_again(bench)
    if duplicate:
        counts = CountsTwice(event_type=bench.event_type, duplicate=duplicate, events=GENUINE_EVENTS)
        found.append(msgspec.structs.replace(counts, always=await _never_recognised(bench)))
    if found:
        return failed(*found)
    if duplicate is None:
        raise SkipRule(Unmet(why=Precondition.LONGER_BATCH_REJECTED))
    return passed(
        Confirmed(what=Confirmation.KEYS_ON_ALL_FIELDS, count=len({one.field for one in drawn}), times=GENUINE_EVENTS)
    )


DEDUPLICATES_ON_ALL_FIELDS = Rule(
    id="deduplicates-on-all-fields",
    family="identity",
    level="should",
    title="Treats two events as one only if all fields are equal",
    requirement=f"{_NO_ID} Campaign retries a rejected batch every 10 seconds, and only its fields show that an event "
    "is the same.",
    expected="any two events that differ in one field both stored, and a redelivered event stored once",
    needs=("probe events",),
    assumes=("batch", "retry", "refill"),
    examine=_deduplicates_on_all_fields,
    fix=_FIX,
    example=_EXAMPLE,
    not_covered="Most combinations of fields: each is changed alone, or with its neighbour. The ids of mail and client "
    "are not changed.",
)


IDENTITY = (
    STORES_REPEAT_ENGAGEMENT,
    STORES_SAME_MILLISECOND,
    STORES_ONE_RECIPIENT_MANY_MAILS,
    STORES_ONE_MAIL_SAME_MILLISECOND,
    STORES_OPEN_AND_CLICK,
    DISTINGUISHES_SIMILAR_RECIPIENTS,
    DISTINGUISHES_TIMES,
    STORES_CLICKS_ON_TWO_LINKS,
    DEDUPLICATES_ON_ALL_FIELDS,
)
