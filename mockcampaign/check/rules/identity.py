"""What makes two events the same one: nothing less than all of their fields, since there is no event id."""

from __future__ import annotations

from typing import Any

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.rule import Event, Examine, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.durations import format_duration
from mockcampaign.events.event_json import TYPES_WITH_ORIGIN
from mockcampaign.events.fields import TYPES
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR

_NO_ID = (
    "There is no event id: the guide's example shows every field, and none of them is one (vendor's webhook guide)."
)
_FIX = "Compare all fields of two events, and take them for one only where all are equal."
_EXAMPLE = "key = json.dumps(event, sort_keys=True)"
_ELSEWHERE = {
    "remoteAddress": "203.0.113.77",
    "device": "mobile",
    "operatingSystem": "Android 14",
    "browser": "Samsung Internet 23.0",
}


_LONG = "maximiliane.von-der-ausfuehrlichen-benennung@customers.mail.example.com"
_CUT = "Let no key be cut to the width of its column: hash what is longer."


async def _kept(bench: Bench, lists: list[list[Event]], what: str) -> Examined:
    for events in lists:
        delivery = await bench.deliver(events, attempts=3)
        if not delivery.accepted:
            await bench.must_take_ordinary(f"a list was not taken: {delivery.describe()}")
            return violated(f"{what}: {delivery.describe()}", *lists)
    difference = await bench.store.difference()
    if difference:
        return violated(f"{what}: {difference.describe()}", *lists)
    return holds(f"{what}: all kept")


async def _second_act(bench: Bench) -> Examined:
    await bench.must_process(1)
    first = bench.event()
    return await _kept(
        bench,
        # So many that some are of one minute, wherever it begins.
        [[first], *([{**first, "created": first["created"] + later * 1_000}] for later in (2, 25, 48))],
        f"more {bench.type}s of the same mail, 2, 25 and 48 seconds later",
    )


async def _every_moment(bench: Bench) -> Examined:
    await bench.must_process(1)
    first = bench.event()
    await bench.must_deliver([first])
    for later in (1, HOUR, 12 * HOUR, DAY, 2 * DAY):
        again = {**first, "created": first["created"] + later}
        await bench.advance(max(0, again["created"] - bench.campaign.now))
        await bench.must_deliver([again])
        difference = await bench.store.difference()
        if difference:
            after = format_duration(later)
            return violated(f"another {bench.type} of the same mail, exactly {after} later: {difference.describe()}")
    long = bench.event(recipientId=_LONG)
    second = {**long, "created": long["created"] + 1}
    taken = [(await bench.deliver([event], attempts=3)).accepted for event in (long, second)]
    # Whether it takes such recipients at all is another rule's affair.
    if all(taken) and not await bench.store.difference_of([long]):
        difference = await bench.store.difference()
        if difference:
            said = f"two {bench.type}s of a mail in 2 milliseconds, by a recipient whose id has {len(_LONG)} characters"
            return violated(f"{said}: {difference.describe()}", [long], [second], fix=_CUT)
    return holds(f"more {bench.type}s of the same mail, exactly 1ms, 1h, 12h, 1d and 2d later: all kept")


async def _same_moment(bench: Bench) -> Examined:
    await bench.must_process(2)
    first = bench.event()
    # From one address with equal devices, too: they may sit behind the same proxy.
    same = {name: first[name] for name in ("created", *_ELSEWHERE) if name in first}
    second, third, fourth = bench.events(3, **same)
    # What mailId is made of may be in any part of it: no part is enough, neither its beginning nor its end.
    beginning, _, end = first["mailId"].rpartition("-")
    third["mailId"] = f"{beginning}-{third['mailId'].rpartition('-')[2]}"
    fourth["mailId"] = f"{fourth['mailId'].rpartition('-')[0]}-{end}"
    return await _kept(
        bench,
        [[first, second], [third], [fourth]],
        "four recipients in the same millisecond, some with similar mailIds",
    )


async def _same_mail_same_moment(bench: Bench) -> Examined:
    if bench.type not in TYPES_WITH_ORIGIN:
        raise NotExercised(f"{bench.type} events say nothing about devices")
    await bench.must_process(2)
    first, again = ({**one, "created": one["created"] // 1_000 * 1_000 + 1_000} for one in bench.events(2))
    # In two lists and in one: some compare with what they have, others no more than the events of a list.
    lists = [[first], [{**first, **_ELSEWHERE}], [again, {**again, **_ELSEWHERE}]]
    return await _kept(bench, lists, f"two {bench.type}s of one mail in one second, from two devices")


async def _same_recipient(bench: Bench) -> Examined:
    await bench.must_process(2)
    first = bench.event()
    second, third = (
        bench.event(recipientId=first["recipientId"], mailingId=bench.mailing_id + number) for number in (7, 8)
    )
    return await _kept(bench, [[first, second], [third]], "one recipient's events of three mailings")


async def must_keep_clicks(bench: Bench) -> None:
    """Deliver an ordinary open by webhook 1, and by webhook 2 a later click on the same mail.

    Raises `NotExercised` where the consumer does not process both, as one may that is for events of one type.
    """
    bench.webhook(1, EventType.OPEN)
    bench.webhook(2, EventType.CLICK)
    with bench.unrecorded():
        opened = bench.events(1, EventType.OPEN)[0]
        same = {name: opened[name] for name in ("mailId", "recipientId", "subscriptionId")}
        await bench.must_deliver([opened], number=1)
        click = await bench.deliver(bench.events(1, EventType.CLICK, **same), number=2, attempts=3)
    if not click.accepted:
        raise NotExercised(f"the consumer takes no clicks: {click.describe()}")
    difference = await bench.store.difference()
    if difference:
        raise NotExercised(
            f"even an ordinary open and a click on its mail are not processed as they should: {difference.describe()}"
        )


async def _open_and_click(bench: Bench) -> Examined:
    await bench.must_process(1)
    await must_keep_clicks(bench)
    opened = bench.events(1, EventType.OPEN)[0]
    clicked = bench.events(1, EventType.CLICK, **{name: value for name, value in opened.items() if name != "type"})[0]
    await bench.must_deliver([opened], number=1)
    click = await bench.deliver([clicked], number=2, attempts=3)
    if not click.accepted:
        raise NotExercised(f"the consumer takes no clicks: {click.describe()}")
    difference = await bench.store.difference()
    if difference:
        return violated(f"an open and a click of one mail in one millisecond: {difference.describe()}")
    return holds("an open and a click of one mail in one millisecond: both kept")


async def _links(bench: Bench) -> Examined:
    click = EventType.CLICK
    if bench.type == click:
        await bench.must_process(1)
    else:
        ordinary = await bench.deliver(bench.events(1, click), number=_click_webhook(bench), attempts=3)
        if not ordinary.accepted:
            raise NotExercised(f"the consumer takes no clicks: {ordinary.describe()}")
        if await bench.store.difference():
            raise NotExercised("even an ordinary click is not processed as it should be")
    first, again = bench.events(2, click)
    # No longer than an ordinary one: what is too long for the consumer is another rule's affair.
    other = {"linkId": _OTHER["linkId"], "linkUrl": "https://www.example.com/other"}
    # In one list and in two: what compares with the store alone keeps the former, or the latter.
    lists = [[first, {**first, **other}], [again], [{**again, **other}]]
    for events in lists:
        await bench.must_deliver(events, number=_click_webhook(bench))
    difference = await bench.store.difference()
    if difference:
        return violated(f"clicks on two links of one mail in one millisecond: {difference.describe()}")
    return holds("clicks on two links of one mail in one millisecond: both kept")


def _click_webhook(bench: Bench) -> int:
    if bench.type == EventType.CLICK:
        return 0
    bench.webhook(0)
    bench.webhook(1, EventType.CLICK)
    return 1


def _kept_rule(rule_id: str, title: str, expected: str, examine: Examine, *depends_on: str) -> Rule:
    return Rule(
        id=rule_id,
        family="identity",
        level="must",
        title=title,
        requirement=_NO_ID,
        expected=expected,
        needs=("probe",),
        examine=examine,
        fix=_FIX,
        example=_EXAMPLE,
        depends_on=depends_on,
    )


_KEPT = (
    _kept_rule(
        "stores-repeat-engagement",
        "Keeps a second act on the same mail",
        "both kept: mailId names the mail, not the act",
        _second_act,
    ),
    _kept_rule(
        "stores-same-millisecond",
        "Keeps what several recipients do in the same millisecond",
        "all kept: created is a moment, not an id",
        _same_moment,
    ),
    _kept_rule(
        "stores-one-recipient-many-mails",
        "Keeps what one recipient does with several mails",
        "both kept: recipientId names the recipient, not the act",
        _same_recipient,
        "stores-repeat-engagement",
        "accepts-mixed-mailings",
        "stores-mixed-mailings",
    ),
    _kept_rule(
        "stores-one-mail-same-millisecond",
        "Keeps two acts on one mail at one moment",
        "both kept: they came from different devices and addresses",
        _same_mail_same_moment,
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-recipient-many-mails",
    ),
    _kept_rule(
        "stores-open-and-click",
        "Keeps an open and a click of one mail",
        "both kept, though they share mailId",
        _open_and_click,
        "stores-fields-unchanged",
        "stores-repeat-engagement",
        "stores-same-millisecond",
        "stores-one-mail-same-millisecond",
    ),
    Rule(
        id="distinguishes-times",
        family="identity",
        level="must",
        title="Keeps what is done again, be it a millisecond or whole days later",
        requirement=_NO_ID,
        expected="all kept: created is a moment in milliseconds since 1970, and neither a second nor a time of day",
        needs=("probe",),
        examine=_every_moment,
        depends_on=("stores-repeat-engagement", "stores-created-exactly", "stores-late-events", "accepts-old-events"),
        fix=f"{_FIX} A moment that is formatted needs its milliseconds, its date, and hours from 0 to 23.",
        example='key = (event["mailId"], event["type"], event["created"], …)  # and not strftime("%I:%M:%S")',
        span=3 * DAY - HOUR,
        stage=Stage.REACHING_BACK,
    ),
    Rule(
        id="stores-clicks-on-two-links",
        family="identity",
        level="must",
        title="Keeps clicks on two links of one mail in the same millisecond",
        requirement=f"{_NO_ID} That a click names its link is assumed, as the guide shows none; a click on another "
        "link is another act, and programs that try all links of a mail click on them at once.",
        expected="both kept: linkId and linkUrl are fields like all others",
        needs=("probe",),
        examine=_links,
        assumes=("list", "retry", "fields"),
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
    ),
)


# What the consumer keys on


_OTHER: dict[str, Any] = {
    "recipientId": "another-recipient",
    "userListId": 910_000_000_099,
    "remoteAddress": "203.0.113.99",
    "mailingId": 910_000_000_098,
    "subscriptionId": 987_654_321,
    "device": "tablet",
    "operatingSystem": "Haiku R1",
    "browser": "NetSurf 3.11",
    "linkId": 910_000_000_097,
    "linkUrl": "https://www.example.com/another",
    "bounceType": "softbounce",
}
REAL_EVENTS = 40


async def _key(bench: Bench) -> Examined:
    await bench.must_process(2)
    names = [name for name in TYPES[bench.type] if name in {**_OTHER, "created": 0}]
    collapsed: list[str] = []
    pairs = [(name, bench.event(), {name: _OTHER.get(name)}) for name in names if name != "created"]
    later = bench.event()
    pairs.append(("created", later, {"created": later["created"] + 48_000}))
    close = bench.event()
    pairs.append(("the milliseconds of created", close, {"created": close["created"] + 1}))
    number = bench.random.randrange(10**8)
    for name, small in (("recipientId", f"kd-{number}"), ("browser", "lynx 2.8")):
        if name in names:
            pairs.append((f"the case of {name}", bench.event(**{name: small}), {name: small.upper()}))
    for name, first, change in pairs:
        second = first | change
        await bench.must_deliver([first])
        if not (delivery := await bench.deliver([second], attempts=3)).accepted:
            await bench.must_take_ordinary(f"a second event was not taken: {delivery.describe()}")
        if await bench.store.difference_of([first, second]):
            collapsed.append(name)
    found: list[str] = []
    if collapsed:
        real = _real_events(bench)
        for event in real:
            await bench.deliver([event], attempts=3)
        difference = await bench.store.difference_of(real)
        lost = len(difference.missing) + len(difference.altered) + difference.missing_count
        seen = " + ".join(["mailId", *(name for name in names if name not in collapsed)])
        found.append(
            f"keys on no more than {seen}, not on {', '.join(collapsed)}: loses {lost} of {len(real)} real "
            f"{bench.type}s, and {len(collapsed)} of {len(pairs)} pairs that differ in one field"
        )
    twice = await _counted_twice(bench)
    if twice:
        found.append(
            f"keys on more than the event, such as the list or the request: counts {twice} of {REAL_EVENTS} real "
            f"{bench.type}s twice that come again in a longer list"
        )
    if found:
        return violated("; ".join(found))
    if twice is None:
        raise NotExercised("a list was not taken when it came again with newer events")
    return holds(
        f"of two events that differ in one of {len(names)} fields, if only in case, both were kept, and of "
        f"{REAL_EVENTS} that came again in a longer list each once"
    )


async def _counted_twice(bench: Bench) -> int | None:
    """How many of real events are there twice, whose answer was lost, and which come again with newer ones.

    None where these are not taken.
    """
    real, newer = _real_events(bench), bench.events(REAL_EVENTS)
    with bench.fault("lost-ack", times=1):
        bench.emit(real)
        await bench.advance()
    with bench.fault("refill"):
        bench.emit(newer)
        delivery = await bench.proceed(attempts=3)
    if not delivery.accepted:
        return None
    difference = await bench.store.difference_of(real)
    return len(difference.surplus) + difference.surplus_count


def _real_events(bench: Bench) -> list[Event]:
    """Opens of a mailing as they really are: many recipients, some of whom act again, some of them at one moment."""
    events: list[Event] = []
    for number in range(REAL_EVENTS):
        if number % 8 == 3 and bench.type in TYPES_WITH_ORIGIN:
            events.append({**events[-1], **_ELSEWHERE})
        elif number % 8 == 6:
            events.append({**events[-1], "created": events[-1]["created"] + 20_000})
        else:
            events.append(bench.event())
    return events


IDENTITY = (
    *_KEPT,
    Rule(
        id="deduplicates-on-all-fields",
        family="identity",
        level="should",
        title="Takes two events for one where all fields are equal, and only there",
        requirement=f"{_NO_ID} What is not acknowledged comes again every 10 seconds, and nothing but its fields tells "
        "that it is the same.",
        expected="both kept of any two events that differ in one field, and one of an event that comes again",
        needs=("probe events",),
        assumes=("list", "retry", "refill"),
        examine=_key,
        fix=_FIX,
        example=_EXAMPLE,
        not_covered="Pairs of fields: each is changed alone. mailId and clientId are not changed, as they identify.",
    ),
)
