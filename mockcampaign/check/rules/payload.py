"""Payload: absent and unknown fields, large numbers, and text of all kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from mockcampaign import strategies
from mockcampaign.check import edge_cases
from mockcampaign.check.behaviours import Behaviour
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_distinguish, must_store
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.examined import Event, Examined, SkipRule, failed, passed
from mockcampaign.check.rule import Examine, Rule
from mockcampaign.check.shrink import find_smallest, simplest
from mockcampaign.events.fields import BATCH_EVENTS_MAX
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    EdgeCaseField,
    Need,
    Precondition,
    Rejected,
    Response,
    Stimulus,
    StoreAgrees,
    StoreDiffers,
    Unmet,
)
from mockcampaign.judging.finding import Level
from mockcampaign.judging.situation import Situation
from mockcampaign.model import EventType

EdgeCases = Callable[[EventType], list[EdgeCase]]

_ASSUMED = "(assumed, since the vendor publishes one example and no schema)"
_FIX = "Read what you need from an event, with a default for what may be missing, and store the rest as it is."
_EXAMPLE = "device = event.get('device') or 'unknown'"


def _batch(events: Sequence[Event], fields: Sequence[EdgeCaseField]) -> Stimulus:
    situation = Situation.EDGE_CASE if len(events) == 1 else Situation.EDGE_CASES
    return Stimulus(situation=situation, events=len(events), edge_cases=tuple(fields))


async def _wrong(bench: Bench, events: Sequence[Event], stimulus: Stimulus) -> tuple[AnyFact, ...]:
    """Return what goes wrong with a batch of the events, if anything.

    As a webhook carries one type, a consumer may ignore all others: other rules ask whether it stores these.
    """
    delivery = await bench.deliver(events, attempts=3)
    response = delivery.response(stimulus)
    if not delivery.accepted:
        return (response,)
    if bench.store.reports_events:
        difference = await bench.store.difference_of([one for one in events if one.get("type") == bench.event_type])
        if difference:
            return response, difference.seen(stimulus)
    return ()


async def _one_by_one(bench: Bench, cases: list[EdgeCase]) -> tuple[Event, tuple[AnyFact, ...]] | None:
    """Return the first edge case that goes wrong by itself, as its event and what was seen."""
    for case in cases:
        event = case.applied(bench.event())
        facts = await _wrong(bench, [event], _batch([event], [case.seen()]))
        if facts:
            return event, facts
    return None


async def _first_wrong(bench: Bench, make: EdgeCases) -> tuple[Event, tuple[AnyFact, ...]] | None:
    """Return the first edge case that goes wrong, or None. Deliver them together, and one by one if that fails."""
    cases = bench.edge_cases(make)
    for at in range(0, len(cases), BATCH_EVENTS_MAX):
        part = cases[at : at + BATCH_EVENTS_MAX]
        events = [case.applied(bench.event()) for case in part]
        if await _wrong(bench, events, _batch(events, [])):
            found = await _one_by_one(bench, part)
            if found is not None:
                return found
    return None


def _table(make: EdgeCases) -> Examine:
    async def examine(bench: Bench) -> Examined:
        cases = bench.edge_cases(make)
        if not cases:
            raise SkipRule(Unmet(why=Precondition.NO_SUCH_FIELDS, variant=bench.event_type))
        await must_deliver(bench, bench.events(min(len(cases), BATCH_EVENTS_MAX)))
        if bench.store.reports_events:
            await must_store(bench, min(len(cases), BATCH_EVENTS_MAX))
        found = await _first_wrong(bench, make)
        if found is not None:
            event, facts = found
            return failed(*facts, batches=[[event]])
        what = Confirmation.EDGE_CASES_STORED if bench.store.reports_events else Confirmation.EDGE_CASES_ACCEPTED
        return passed(Confirmed(what=what, count=len(cases)))

    return examine


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
    assumes: tuple[Behaviour, ...] = ("batch", "retry", "fields"),
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
        not_covered="Without a probe that reports events: whether they are stored, not only accepted.",
    )


ACCEPTS_ABSENT_FIELDS = _rule(
    "accepts-absent-fields",
    "Accepts events without an optional field",
    f"An event lacks a field that a mail client or a proxy does not reveal {_ASSUMED}.",
    "200 to events without remoteAddress, device, operatingSystem or browser",
    _table(edge_cases.absent_fields),
    _FIX,
    _EXAMPLE,
)

ACCEPTS_NULL_FIELDS = _rule(
    "accepts-null-fields",
    "Accepts events with an optional field set to null",
    f"A field is null if a mail client or a proxy does not reveal it {_ASSUMED}.",
    "200 to events whose remoteAddress, device, operatingSystem or browser is null",
    _table(edge_cases.null_fields),
    _FIX,
    _EXAMPLE,
)

ACCEPTS_UNKNOWN_FIELDS = _rule(
    "accepts-unknown-fields",
    "Accepts events with unknown extra fields",
    f"A sender may add fields at any time {_ASSUMED}.",
    "200, and the known fields stored",
    _table(edge_cases.unknown_fields),
    "Ignore or store unknown fields, and do not reject them.",
    "model_config = ConfigDict(extra='allow')",
)

ACCEPTS_UNKNOWN_VALUES = _rule(
    "accepts-unknown-values",
    "Accepts unknown types, devices, systems and browsers",
    f"New types, devices, systems and browsers appear every year {_ASSUMED}; the guide gives one example of each.",
    "200, and the names of devices, systems and browsers stored as they are",
    _table(edge_cases.unknown_values),
    "Validate and store device, operatingSystem, browser and type as text, not as an enumeration.",
    "device: str",
)


async def _stores_unknown_type(bench: Bench) -> Examined:
    await must_store(bench, 1)
    case = edge_cases.unknown_type(bench.event_type)
    event = case.applied(bench.event())
    stimulus = _batch([event], [case.seen()])
    delivery = await bench.deliver([event], attempts=3)
    if not delivery.accepted:
        raise SkipRule(Rejected(response=delivery.response(stimulus)))
    difference = await bench.store.difference_of([event])
    if difference:
        return failed(delivery.response(stimulus), difference.seen(stimulus), batches=[[event]])
    return passed(StoreAgrees(after=stimulus))


STORES_UNKNOWN_TYPES = _rule(
    "stores-unknown-types",
    "Stores events of an unknown type",
    "Campaign never resends a batch after 200 (vendor's webhook guide). A webhook carries one type, so another one "
    "arrives only if names change, or if the webhook was registered for another type than intended (assumed).",
    "every acknowledged event stored, whatever its type",
    _stores_unknown_type,
    "Store events of all types, or log which ones you ignored.",
    "log.warning('ignored %d events of type %s', len(events), type)",
    level="should",
    needs=("probe events",),
)

STORES_LARGE_IDS = _rule(
    "stores-large-ids",
    "Stores ids exactly, from 0 to beyond 2^53",
    "Ids are numbers of 64 bits (vendor's API description).",
    "200, and each id stored to the last digit",
    _table(edge_cases.large_ids),
    "Use 64-bit columns and a JSON parser that keeps whole numbers whole.",
    "BIGINT; in JavaScript, a parser such as json-bigint",
)

STORES_RECIPIENT_ID_AS_TEXT = _rule(
    "stores-recipient-id-as-text",
    "Stores recipientId as text, unchanged",
    "recipientId is text that the client chooses: digits, an e-mail address, a customer number "
    "(vendor's API description).",
    "leading zeros, capitals, spaces and signs stored",
    _table(edge_cases.recipient_ids),
    "Store it as text, and change nothing about it.",
    "recipient_id TEXT NOT NULL",
)

ACCEPTS_IPV6 = _rule(
    "accepts-ipv6",
    "Accepts IPv6 addresses",
    f"Recipients reach the tracking server over IPv6 as well {_ASSUMED}.",
    "200, and the address stored, in any of its spellings",
    _table(edge_cases.addresses),
    "Validate and store addresses of both IP versions, as text of up to 45 characters or in a type that knows both.",
    "remote_address INET",
)


async def _stores_text(bench: Bench) -> Examined:
    return await _table(partial(edge_cases.texts, longest=bench.lengths))(bench)


STORES_TEXT_UNCHANGED = _rule(
    "stores-text-unchanged",
    "Stores text of any length and script unchanged",
    f"JSON text is Unicode (RFC 8259, 8.1), and names of devices and browsers come from all over the world {_ASSUMED}.",
    "255 characters, links of 2,000, non-Latin scripts, emoji and markup stored as they are",
    _stores_text,
    "Use UTF-8 throughout (utf8mb4 in MySQL) and columns of 255 characters, or 2,000 for links; escape or shorten text "
    "only where you display it.",
    "CREATE TABLE events (browser VARCHAR(255)) CHARACTER SET utf8mb4",
    assumes=("batch", "retry", "fields", "lengths"),
)

STORES_CONTROL_CHARACTERS = Rule(
    id="stores-control-characters",
    family="payload",
    level="should",
    title="Stores text with control characters",
    requirement="JSON text may contain any character (RFC 8259, 7); whether Campaign ever sends these is unknown.",
    expected="200, and the text stored",
    examine=_table(edge_cases.control_characters),
    assumes=("batch", "retry", "fields"),
    fix="If the store cannot hold NUL, replace it rather than reject the batch.",
    example="text.replace('\\0', '')",
)


_TABLES: tuple[EdgeCases, ...] = (
    edge_cases.absent_fields,
    edge_cases.null_fields,
    edge_cases.unknown_fields,
    edge_cases.unknown_values,
    edge_cases.large_ids,
    edge_cases.recipient_ids,
    edge_cases.addresses,
    edge_cases.texts,
)
"""Edge cases that generated batches combine."""


async def _accepts_generated(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(10))
    if bench.store.reports_events:
        await must_store(bench, 10)
        await must_distinguish(bench)
    for make in _TABLES:
        found = await _first_wrong(bench, make)
        if found is not None:
            raise SkipRule(Unmet(why=Precondition.SINGLE_EDGE_CASE_FAILS), *found[1])

    async def ask(drawn: list[Event]) -> tuple[list[Event], tuple[AnyFact, ...]] | None:
        events = _fresh(bench, drawn)
        facts = await _wrong(bench, events, _batch(events, []))
        return (events, facts) if facts else None

    worst = await find_smallest(
        strategies.wild_batches(1, 20, type=bench.event_type, **_recognisable(bench)),
        ask,
        examples=bench.settings.examples,
        seed=f"payload:{bench.settings.seed}",
    )
    if worst is None:
        return passed(Confirmed(what=Confirmation.GENERATED_ACCEPTED, count=bench.settings.examples))
    events, facts = worst[1]
    return failed(*_after(facts, _batch(events, _unusual_fields(bench, events))), batches=[events])


def _after(facts: Sequence[AnyFact], stimulus: Stimulus) -> Iterator[AnyFact]:
    """Yield the facts with a detailed description of what was sent, which is too slow to compute for every batch."""
    for fact in facts:
        match fact:
            case Response():
                yield msgspec.structs.replace(fact, to=stimulus)
            case StoreDiffers():
                yield msgspec.structs.replace(fact, after=stimulus)
            case _:
                yield fact


def _recognisable(bench: Bench) -> dict[str, int]:
    """Return the fields that mark events as those of a check. Another rule examines ids of any size."""
    return {"clientId": bench.client_id, "mailingId": bench.mailing_id}


def _fresh(bench: Bench, drawn: list[Event]) -> list[Event]:
    """Return the drawn batch with mails and times of its own, and without what hardly any store can hold.

    Other rules ask how the consumer distinguishes events of one mail, or of one millisecond.
    """
    own = ("mailId", "created") if bench.settings.client_id is None else ("mailId", "created", "clientId")
    return [
        {name: _clean(value) for name, value in event.items()}
        | {name: plain[name] for name in own}
        | ({"recipientId": plain["recipientId"]} if _is_ordinary(event.get("recipientId")) else {})
        for event, plain in zip(drawn, bench.events(len(drawn)), strict=True)
    ]


def _is_ordinary(recipient_id: object) -> bool:
    return isinstance(recipient_id, str) and recipient_id.isdigit() and len(recipient_id) == 12


def _clean(value: Any) -> Any:
    return value.replace("\0", "·") if isinstance(value, str) else value


def _unusual_fields(bench: Bench, events: list[Event]) -> list[EdgeCaseField]:
    """Return the fields in which a batch differs from the simplest one."""
    plainest = simplest(strategies.batches(len(events), len(events), type=bench.event_type, **_recognisable(bench)))
    ids = ("mailId", "created", "recipientId") if _is_ordinary(events[0].get("recipientId")) else ("mailId", "created")
    return [
        EdgeCase(field=name, value=event.get(name), absent=name not in event).seen()
        for event, plain in zip(events, plainest, strict=True)
        for name in dict.fromkeys([*plain, *event])
        if name not in ids and event.get(name, ...) != plain.get(name, ...)
    ]


ACCEPTS_GENERATED_BATCHES = _rule(
    "accepts-generated-batches",
    "Accepts generated batches that combine edge cases",
    f"Events may hold whatever their schema allows (`mockcampaign schema events`) {_ASSUMED}.",
    "200, and each event stored once, with its known fields unchanged",
    _accepts_generated,
    _FIX,
    _EXAMPLE,
    depends_on=(
        "accepts-every-batch-size",
        "accepts-large-batch",
        "accepts-mixed-mailings",
        "stores-mixed-mailings",
        "stores-one-recipient-many-mails",
    ),
)

PAYLOAD = (
    ACCEPTS_ABSENT_FIELDS,
    ACCEPTS_NULL_FIELDS,
    ACCEPTS_UNKNOWN_FIELDS,
    ACCEPTS_UNKNOWN_VALUES,
    STORES_UNKNOWN_TYPES,
    STORES_LARGE_IDS,
    STORES_RECIPIENT_ID_AS_TEXT,
    ACCEPTS_IPV6,
    STORES_TEXT_UNCHANGED,
    STORES_CONTROL_CHARACTERS,
    ACCEPTS_GENERATED_BATCHES,
)
