"""What events may hold: absent and unknown fields, large numbers, and text of all kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mockcampaign import strategies
from mockcampaign.check import edge_cases
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.rule import Behaviour, Event, Examine, Examined, Need, NotExercised, Rule, holds, violated
from mockcampaign.check.shrink import simplest, smallest
from mockcampaign.events.fields import BATCH_EVENTS_MAX
from mockcampaign.judging.finding import Level
from mockcampaign.model import EventType

Oddities = Callable[[EventType], list[EdgeCase]]

_ASSUMED = "(assumed, since the vendor publishes one example and no schema)"
_FIX = "Take what you need from an event, with a default for what may be missing, and keep the rest as it is."
_EXAMPLE = "device = event.get('device') or 'unknown'"


async def _digests(bench: Bench, events: Sequence[Event]) -> str | None:
    """What goes wrong with a list of them, or None.

    As a webhook carries one type, a consumer may pass over all others: whether these are kept is for other rules.
    """
    delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        return delivery.describe()
    if bench.store.tells_events:
        difference = await bench.store.difference_of([one for one in events if one.get("type") == bench.type])
        if difference:
            return f"200, and then: {difference.describe()}"
    return None


async def _one_by_one(bench: Bench, odd: list[EdgeCase]) -> tuple[EdgeCase, Event, str] | None:
    """The first of them that is not digested by itself, its event and what becomes of it."""
    for oddity in odd:
        event = oddity.applied(bench.event())
        wrong = await _digests(bench, [event])
        if wrong is not None:
            return oddity, event, wrong
    return None


async def _all_digested(bench: Bench, make: Oddities) -> tuple[EdgeCase, Event, str] | None:
    """The same, in one list where all goes well."""
    odd = bench.odd(make)
    for at in range(0, len(odd), BATCH_EVENTS_MAX):
        part = odd[at : at + BATCH_EVENTS_MAX]
        if await _digests(bench, [oddity.applied(bench.event()) for oddity in part]) is not None:
            found = await _one_by_one(bench, part)
            if found is not None:
                return found
    return None


def _table(make: Oddities) -> Examine:
    async def examine(bench: Bench) -> Examined:
        odd = bench.odd(make)
        if not odd:
            raise NotExercised(f"{bench.type} events have no such fields")
        await bench.must_deliver(bench.events(min(len(odd), BATCH_EVENTS_MAX)))
        if bench.store.tells_events:
            await bench.must_process(min(len(odd), BATCH_EVENTS_MAX))
        found = await _all_digested(bench, make)
        if found is not None:
            oddity, event, wrong = found
            return violated(f"{oddity.describe()}: {wrong}", [event])
        how = "taken and kept" if bench.store.tells_events else "taken"
        return holds(f"{len(odd)} events with one odd field each were {how}, such as {odd[0].describe()}")

    return examine


async def _unknown_type(bench: Bench) -> Examined:
    await bench.must_process(1)
    odd = edge_cases.unknown_type(bench.type)
    event = odd.applied(bench.event())
    delivery = await bench.deliver([event], attempts=3)
    if not delivery.accepted:
        raise NotExercised(f"{delivery.describe()} to an event with {odd.describe()}: what is refused is not lost")
    difference = await bench.store.difference_of([event])
    if difference:
        return violated(f"200 to an event with {odd.describe()}, and then: {difference.describe()}", [event])
    return holds(f"an event with {odd.describe()} was kept")


async def _texts(bench: Bench) -> Examined:
    return await _table(partial(edge_cases.texts, longest=bench.lengths))(bench)


# Generated lists


_TABLES: tuple[Oddities, ...] = (
    edge_cases.absent_fields,
    edge_cases.null_fields,
    edge_cases.unknown_fields,
    edge_cases.unknown_names,
    edge_cases.large_ids,
    edge_cases.recipient_ids,
    edge_cases.addresses,
    edge_cases.texts,
)


async def _generated(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(10))
    if bench.store.tells_events:
        await bench.must_process(10)
        await bench.must_tell_apart()
    for make in _TABLES:
        found = await _all_digested(bench, make)
        if found is not None:
            raise NotExercised(f"a single odd field is too much already: {found[0].describe()}, see the rules on these")

    async def ask(drawn: list[Event]) -> tuple[list[Event], str] | None:
        events = _fresh(bench, drawn)
        wrong = await _digests(bench, events)
        return None if wrong is None else (events, wrong)

    worst = await smallest(
        strategies.wild_batches(1, 20, type=bench.type, **_recognisable(bench)),
        ask,
        examples=bench.settings.examples,
        seed=f"payload:{bench.settings.seed}",
    )
    if worst is None:
        return holds(f"{bench.settings.examples} generated lists were taken")
    events, wrong = worst[1]
    return violated(f"{_odd_fields(bench, events)}: {wrong}", events)


def _recognisable(bench: Bench) -> dict[str, int]:
    """What marks events as those of a check. That ids may be of any size is another rule's affair."""
    return {"clientId": bench.client_id, "mailingId": bench.mailing_id}


def _fresh(bench: Bench, drawn: list[Event]) -> list[Event]:
    """The drawn list with mails and moments of its own, and without what hardly any store can hold.

    How events of one mail, or of one moment, are told apart is for other rules to find out.
    """
    own = ("mailId", "created") if bench.settings.client_id is None else ("mailId", "created", "clientId")
    return [
        {name: _clean(value) for name, value in event.items()}
        | {name: plain[name] for name in own}
        | ({"recipientId": plain["recipientId"]} if _ordinary(event.get("recipientId")) else {})
        for event, plain in zip(drawn, bench.events(len(drawn)), strict=True)
    ]


def _ordinary(recipient_id: object) -> bool:
    return isinstance(recipient_id, str) and recipient_id.isdigit() and len(recipient_id) == 12


def _clean(value: Any) -> Any:
    return value.replace("\0", "·") if isinstance(value, str) else value


def _odd_fields(bench: Bench, events: list[Event]) -> str:
    """What is odd about the smallest list, told by how it differs from the simplest one."""
    plainest = simplest(strategies.batches(len(events), len(events), type=bench.type, **_recognisable(bench)))
    ids = ("mailId", "created", "recipientId") if _ordinary(events[0].get("recipientId")) else ("mailId", "created")
    named = []
    for event, plain in zip(events, plainest, strict=True):
        for name in dict.fromkeys([*plain, *event]):
            if name not in ids and event.get(name, ...) != plain.get(name, ...):
                oddity = EdgeCase(field=name, value=event.get(name), absent=name not in event)
                named.append(oddity.describe())
    size = f"a list of {len(events)}" if len(events) > 1 else "one event"
    return f"{size}, {' and '.join(dict.fromkeys(named)) or 'nothing odd but its times'}"


def _rule(
    rule_id: str,
    title: str,
    requirement: str,
    expected: str,
    examine: Examine,
    fix: str,
    example: str,
    *,
    level: Level = "must",
    needs: tuple[Need, ...] = (),
    assumes: tuple[Behaviour, ...] = ("list", "retry", "fields"),
    depends_on: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        id=rule_id,
        family="payload",
        level=level,
        title=title,
        requirement=requirement,
        expected=expected,
        examine=examine,
        needs=needs,
        assumes=assumes,
        depends_on=depends_on,
        fix=fix,
        example=example,
        not_covered="Without a probe that tells events, only whether they are taken, not whether they are kept.",
    )


PAYLOAD = (
    _rule(
        "accepts-absent-fields",
        "Takes events in which an optional field is missing",
        f"What a mail client or a proxy does not tell cannot be in the event {_ASSUMED}.",
        "200 to events without remoteAddress, device, operatingSystem or browser",
        _table(edge_cases.absent_fields),
        _FIX,
        _EXAMPLE,
    ),
    _rule(
        "accepts-null-fields",
        "Takes events in which an optional field is null",
        f"What a mail client or a proxy does not tell may be null {_ASSUMED}.",
        "200 to events whose remoteAddress, device, operatingSystem or browser is null",
        _table(edge_cases.null_fields),
        _FIX,
        _EXAMPLE,
    ),
    _rule(
        "accepts-unknown-fields",
        "Takes events with fields that nobody announced",
        f"A sender may add fields at any time {_ASSUMED}.",
        "200, and the known fields kept",
        _table(edge_cases.unknown_fields),
        "Ignore or keep unknown fields, and do not refuse them.",
        "model_config = ConfigDict(extra='allow')",
    ),
    _rule(
        "accepts-unknown-values",
        "Takes types, devices, systems and browsers that nobody announced",
        f"New ones appear every year {_ASSUMED}; the guide gives one example of each.",
        "200, and the names of devices, systems and browsers kept as they are",
        _table(edge_cases.unknown_names),
        "Keep names as text, not as an enumeration.",
        "device: str",
    ),
    _rule(
        "stores-unknown-types",
        "Keeps events of a type that nobody announced",
        "What is answered with 200 never comes again (vendor's webhook guide). As a webhook carries one type, another "
        "one comes only where names change, or where it was registered with another type than was meant (assumed).",
        "what is answered with 200 kept, whatever its type",
        _unknown_type,
        "Keep events of all types, or log which were passed over.",
        "log.warning('passed over %d events of type %s', len(events), type)",
        level="should",
        needs=("probe events",),
    ),
    _rule(
        "stores-large-ids",
        "Keeps ids of any size exactly, from 0 to beyond 2^53",
        "Ids are numbers, in the API description of 64 bits (vendor's API description).",
        "200, and each id kept to the last digit",
        _table(edge_cases.large_ids),
        "Use a column of 64 bits, and a JSON parser that keeps whole numbers whole.",
        "BIGINT; in JavaScript, a parser such as json-bigint",
    ),
    _rule(
        "stores-recipient-id-as-text",
        "Keeps recipientId as the text that it is",
        "recipientId is text, and whatever the client's list uses: digits, an e-mail address, a customer number "
        "(vendor's API description).",
        "leading zeros, capitals, spaces and signs kept",
        _table(edge_cases.recipient_ids),
        "Keep it as text, and change nothing about it.",
        "recipient_id TEXT NOT NULL",
    ),
    _rule(
        "accepts-ipv6",
        "Takes IPv6 addresses",
        f"Recipients reach the tracking server over IPv6 as well {_ASSUMED}.",
        "200, and the address kept, in whichever of its spellings",
        _table(edge_cases.addresses),
        "Keep the address as text of 45 characters, or in a type that knows both.",
        "remote_address INET",
    ),
    _rule(
        "stores-text-unchanged",
        "Keeps texts of every length and script",
        f"JSON texts are Unicode (RFC 8259, 8.1), and names of devices and browsers come from all over the world "
        f"{_ASSUMED}.",
        "255 characters, links of 2,000, non-Latin scripts, emoji and markup kept as they are",
        _texts,
        "Use UTF-8 throughout (utf8mb4 in MySQL), columns of 255 characters and of 2,000 for links, and escape or "
        "shorten only where text is shown.",
        "CREATE TABLE events (browser VARCHAR(255)) CHARACTER SET utf8mb4",
        assumes=("list", "retry", "fields", "lengths"),
    ),
    Rule(
        id="stores-control-characters",
        family="payload",
        level="should",
        title="Keeps texts with control characters",
        requirement="JSON texts may hold any character (RFC 8259, 7); whether Campaign ever sends these is not known.",
        expected="200, and the text kept",
        examine=_table(edge_cases.control_characters),
        assumes=("list", "retry", "fields"),
        fix="Where the store cannot hold NUL, replace it rather than refuse the list.",
        example="text.replace('\\0', '')",
    ),
    _rule(
        "accepts-generated-batches",
        "Takes generated lists with several oddities",
        f"Events may hold whatever their schema allows (`mockcampaign schema events`), {_ASSUMED}.",
        "200, and each event processed once, unchanged in its known fields",
        _generated,
        _FIX,
        _EXAMPLE,
        depends_on=(
            "accepts-every-batch-size",
            "accepts-large-batch",
            "accepts-mixed-mailings",
            "stores-mixed-mailings",
            "stores-one-recipient-many-mails",
        ),
    ),
)
