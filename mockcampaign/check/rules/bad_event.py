"""One event that the consumer cannot digest among others, and what each answer but 200 costs."""

from __future__ import annotations

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.durations import format_duration
from mockcampaign.model import Responded

_BLOCKS = (
    "A list is acknowledged as a whole or comes again as a whole, every 10 seconds, until its events expire after "
    "three days (vendor's webhook guide)."
)


_GIVEN_UP = (
    "Mark no event as seen before it is stored, and where an event fails again and again, put it aside, and not the "
    "list that it is part of."
)

ATTEMPTS = 12
"""After so many failures, those who put a list aside, whole, and answer 200 will most likely have done so."""


def _candidates(bench: Bench) -> list[EdgeCase]:
    """One of each kind is enough to find what the consumer stumbles over."""
    makers = (
        *(edge_cases.absent_fields, edge_cases.null_fields, edge_cases.unknown_names, edge_cases.addresses),
        *(edge_cases.unknown_fields, edge_cases.large_ids, edge_cases.recipient_ids, edge_cases.texts),
        edge_cases.control_characters,
    )
    return [oddity for make in makers for oddity in bench.odd(make)]


async def _poison(bench: Bench) -> EdgeCase | None:
    """An event's oddity that makes the consumer refuse it."""
    odd = _candidates(bench)
    for at in range(0, len(odd), 100):
        part = odd[at : at + 100]
        if (await bench.deliver([oddity.applied(bench.event()) for oddity in part])).accepted:
            continue
        for oddity in part:
            if not (await bench.deliver([oddity.applied(bench.event())])).accepted:
                return oddity
    return None


async def _delays(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(100))
    poison = await _poison(bench)
    if poison is None:
        return holds("no event was found that the consumer refuses")
    events = [*bench.events(50), poison.applied(bench.event()), *bench.events(49)]
    delivery = await bench.deliver(events, attempts=3)
    if delivery.accepted:
        return holds(f"200 to 99 good events and one with {poison.describe()}, which it refuses by itself")
    others = bench.events(100)
    said = f"{delivery.describe()} to 99 good events and one with {poison.describe()}"
    price = await bench.price(events, what=said, behind=others)
    waited = bench.waited()
    fate = "are lost with them" if waited is None else f"wait {format_duration(waited)} for them"
    return violated(f"{price}, 99 of them good ones; {len(others)} that happen an hour later {fate}", events)


async def _neighbours(bench: Bench) -> Examined:
    """Good events around an odd one, of a list that is acknowledged, be it after some failures."""
    await bench.must_process(3)
    odd = _candidates(bench)
    acknowledged = 0
    for at in range(0, len(odd), 30):
        found = await _lost_neighbours(bench, odd[at : at + 30])
        if found is None:
            acknowledged += 1
        elif found[0]:
            for oddity in odd[at : at + 30]:
                alone = await _lost_neighbours(bench, [oddity])
                if alone and alone[0]:
                    said, events, answers = alone
                    return violated(
                        f"{answers} to two good events around one with {oddity.describe()}, and then: {said}",
                        events,
                        fix=None if answers == "200" else _GIVEN_UP,
                    )
            said, events, answers = found
            return violated(
                f"{answers} to a list with {len(events) // 3} odd events, and then: {said}",
                events,
                fix=None if answers == "200" else _GIVEN_UP,
            )
    if not acknowledged:
        raise NotExercised("no list with an odd event was acknowledged")
    return holds("what was acknowledged around odd events was processed")


async def _lost_neighbours(bench: Bench, odd: list[EdgeCase]) -> tuple[str, list[Event], str] | None:
    """What is wrong with the good ones of a list, the list, and its answers; nothing is where it was not acknowledged.

    None where all is well.
    """
    good: list[Event] = []
    events: list[Event] = []
    for oddity in odd:
        before, after = bench.events(2)
        good += [before, after]
        events += [before, oddity.applied(bench.event()), after]
    delivery = await bench.deliver(events, attempts=ATTEMPTS)
    if not delivery.accepted:
        return "", events, delivery.describe()
    difference = await bench.store.difference_of(good)
    return (difference.describe(), events, delivery.describe()) if difference else None


async def _prices(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    priced: list[str] = []
    refused: list[list[Event]] = []
    seen: set[str] = set()
    lists: list[tuple[str, list[Event]]] = [
        ("a list of 100 events", bench.events(100)),
        ("100 events that are all equal", [bench.event()] * 100),
    ]
    poison = await _poison(bench)
    if poison is not None:
        lists.append((f"an event with {poison.describe()}", [poison.applied(bench.event())]))
    for what, events in lists:
        delivery = await bench.deliver(events)
        if delivery.accepted or delivery.describe() in seen:
            continue
        seen.add(delivery.describe())
        refused.append(events)
        priced.append(await bench.price(events, what=f"{delivery.describe()} to {what}"))
    others = await _others(bench)
    if priced:
        return violated("; ".join([*priced, f"at no cost, {others}"]), *refused)
    return holds(f"200 to whatever Campaign may send; at no cost, {others}")


async def _others(bench: Bench) -> str:
    """What it answers to requests that are none of Campaign's: these cost nothing."""
    said = []
    for what, body in (("a body that is no JSON", b"hello"), ("no list", b'{"type":"open"}'), ("an empty body", b"")):
        outcome = await bench.request(what, body)
        said.append(f"{outcome.status if isinstance(outcome, Responded) else outcome.describe()} to {what}")
    return ", ".join(said)


POISON = (
    Rule(
        id="isolates-bad-event",
        family="poison",
        level="must",
        title="Processes the good events around one that it cannot digest",
        requirement="What is answered with 200 never comes again (vendor's webhook guide), none of the list's events.",
        expected="every good event of an acknowledged list processed",
        needs=("probe events",),
        depends_on=("stores-every-event",),
        examine=_neighbours,
        assumes=("list", "fields"),
        fix="Put the event that cannot be digested aside, and go on with the next one.",
        example="for event in events:\n    try: store(event)\n    except ValueError: store_aside(event)",
    ),
    Rule(
        id="bad-event-blocks-nothing",
        family="poison",
        level="should",
        title="Lets one event that it cannot digest hold up no others",
        requirement=_BLOCKS,
        expected="200 to the list, and the one event put aside",
        examine=_delays,
        assumes=("list", "retry", "discard", "fields"),
        fix="Put the event that cannot be digested aside, store the others, and answer 200.",
        example="except ValidationError: dead_letters.append(event)",
    ),
)

PRICE = (
    Rule(
        id="accepts-whatever-campaign-sends",
        family="status price",
        level="should",
        title="Answers 200 to whatever Campaign may send",
        requirement=_BLOCKS,
        expected="200, since every other answer has its price",
        examine=_prices,
        assumes=("list", "retry", "discard", "fields"),
        fix="Refuse only what may be taken when it comes again: while the database is down, but not for what is in it.",
        example="except DatabaseDown: return Response(status_code=503)",
        stage=Stage.FAILURES,
    ),
)
