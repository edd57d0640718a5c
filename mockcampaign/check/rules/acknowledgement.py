"""Acknowledgement: 200 and nothing else, in time, and only for events that are stored."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.batch_outcome import BatchOutcome
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver
from mockcampaign.check.bench.price import price
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.examined import Examined, SkipRule, failed, passed
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.diagnosis import unknown_names
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    FieldChange,
    FieldsAltered,
    Precondition,
    Rejected,
    Reply,
    Response,
    Stimulus,
    StoreAgrees,
    StoredAnyway,
    Unmet,
    replies,
)
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.situation import Situation
from mockcampaign.model import NoAuthentication, Responded, TimedOut
from mockcampaign.report import sentences
from mockcampaign.shape.field import TRAITS, Event, Role

_JOURNAL_RULES = {rule.id: rule for rule in JOURNAL_RULES}

SIZES = (1, 10, 100)
"""Numbers of events of the batches to which the consumer has to respond in time."""


NO_ROUTE = (404, 405, 410)
"""Statuses of a consumer, or of a server without one, that does not know the path."""


async def _responds_200(bench: Bench) -> Examined:
    events = bench.events(1)
    # A consumer that rejects a batch at first and accepts its retry is slow, but accepts it.
    delivery = await bench.deliver(events, attempts=3)
    batch = Stimulus(situation=Situation.BATCH, events=1)
    if delivery.accepted:
        return passed(delivery.response(batch))
    if isinstance(delivery.outcomes[0], Responded) and delivery.outcomes[0].status in (401, 403):
        if bench.settings.authentication == NoAuthentication():
            response = delivery.response(Stimulus(situation=Situation.WITHOUT_CREDENTIALS, events=1))
            other = "; otherwise it rejects batches for another reason, such as CSRF protection or a firewall"
            raise CouldNotTellError(
                f"{sentences.actual([response])}: if the consumer demands credentials, give them with --basic-auth or "
                f"--key-auth{other if delivery.outcomes[0].status == 403 else ''}"
            )
        return failed(delivery.response(Stimulus(situation=Situation.WITH_CREDENTIALS, events=1)), batches=[events])
    facts: list[AnyFact] = [delivery.response(batch)]
    if not isinstance(delivery.last, Responded):
        return failed(*facts, batches=[events])
    is_error = delivery.last.status >= 400
    if is_error and bench.store.reports_events and not await bench.store.difference_of(events):
        facts.append(StoredAnyway(events=len(events)))
    elif delivery.last.status in NO_ROUTE:
        raise CouldNotTellError(
            f"{sentences.actual(facts)}: there is no route at this path, or none for POST, so compare the URL with the "
            "consumer's routes, its trailing slash included"
        )
    full = Stimulus(situation=Situation.BATCH, events=100)
    costs = await price(bench, bench.events(100), of=full, reply=Reply.of(delivery.last))
    return failed(*facts, costs, batches=[events])


RESPONDS_200 = Rule(
    id="responds-200",
    family="acknowledgement",
    level="must",
    title=_JOURNAL_RULES["responds-200"].title,
    requirement=_JOURNAL_RULES["responds-200"].requirement,
    expected="200 to a batch it accepts, an error status to any other, and never 201, 202, 204 or a redirect",
    assumes=("batch", "retry", "shape"),
    examine=_responds_200,
    fix="Respond 200 once the batch is stored. Frameworks have other defaults, so set the status explicitly.",
    example="return Response(status_code=200)",
    stage=Stage.FIRST,
    role="basics",
)


async def _acknowledges_first_attempt(bench: Bench) -> Examined:
    size = min(2, bench.shape.body.events_max)
    rejected: list[BatchOutcome] = []
    batches: list[list[Event]] = []
    is_stored = False
    # Some consumers reject every other request. With two requests for each batch, all first attempts would meet that,
    # so there is only one for the batch in the middle.
    for attempts in (2, 1, 2):
        events = bench.events(size)
        if NewConnection in bench.faults:
            bench.fault("new-connection", times=attempts)  # another rule is about connections
        # Another request in between would be the second, and hide such a consumer.
        delivery = await bench.deliver(events, attempts=attempts, controlled=False)
        response = delivery.response(Stimulus(situation=Situation.BATCH, events=size))
        if delivery.outcomes[0].accepted:
            return passed(response)
        if not isinstance(delivery.outcomes[0], Responded) or (attempts > 1 and not delivery.accepted):
            raise SkipRule(Rejected(response=response))
        if attempts == 1 and bench.store.reports_events:
            is_stored = not await bench.store.difference_of(events)
        rejected.append(delivery)
        batches.append(events)
    situation = Situation.FIRST_ATTEMPTS_STORED if is_stored else Situation.FIRST_ATTEMPTS
    first = Stimulus(situation=situation, times=len(rejected))
    return failed(Response(to=first, replies=replies(one.outcomes[0] for one in rejected)), batches=batches[:1])


ACKNOWLEDGES_FIRST_ATTEMPT = Rule(
    id="acknowledges-first-attempt",
    family="acknowledgement",
    level="must",
    title="Acknowledges a batch at its first attempt",
    requirement="A batch that is not acknowledged with 200 is retried every 10 seconds (vendor's webhook guide): all "
    "events arrive late, and each of them twice.",
    expected="200 to the first attempt of an ordinary batch",
    examine=_acknowledges_first_attempt,
    fix="Look for the exception in the log: it occurs between storing the batch and responding, often where the "
    "response is written, and not in the retry, for which there is nothing new to store. Respond 200 with an empty "
    "body.",
    example="return Response(status_code=200)  # and no ids of new rows, which JSON may not be able to represent",
    stage=Stage.FIRST,
    about="responses",
)


def _unreadable(bench: Bench) -> list[tuple[Situation, bytes]]:
    """Return bodies that nobody can read."""
    whole = bench.body_of(bench.events(2))
    return [
        (Situation.UNREADABLE_TEXT, b"hello"),
        (Situation.UNREADABLE_CUT_IN_EVENT, whole[: len(whole) * 3 // 4]),
        (Situation.UNREADABLE_NO_BRACKET, whole[:-1]),
        (Situation.UNREADABLE_EMPTY, b""),
        (Situation.UNREADABLE_CUT_EVENT, whole[1 : len(whole) // 3]),
    ]


async def _sends_complete_response(bench: Bench) -> Examined:
    batch = Stimulus(situation=Situation.BATCH, events=1)
    for _ in range(3):
        delivery = await bench.deliver(bench.events(1))
        if any(not isinstance(outcome, Responded | TimedOut) for outcome in delivery.outcomes):
            return failed(delivery.response(batch))
    for situation, body in _unreadable(bench):
        stimulus = Stimulus(situation=situation)
        outcome = await send_request(bench, stimulus, body)
        # Another rule judges late responses to batches. A body that takes no work gets its response at once, or never.
        if not isinstance(outcome, Responded):
            command = curl(bench.endpoint, body)
            return failed(Response(to=stimulus, replies=(Reply.of(outcome),)), curl=command)
    return passed(Confirmed(what=Confirmation.COMPLETE_RESPONSES))


SENDS_COMPLETE_RESPONSE = Rule(
    id="sends-complete-response",
    family="acknowledgement",
    level="should",
    title=_JOURNAL_RULES["sends-complete-response"].title,
    requirement=f"{_JOURNAL_RULES['sends-complete-response'].requirement} A request without a response holds its "
    "connection until a side closes it (CWE-400), and a connection closed without a response gives no reason.",
    expected="a complete HTTP response to every batch, and an error status to a body it cannot read",
    examine=_sends_complete_response,
    depends_on=("handles-new-connections",),
    fix="Let no exception reach the server: catch it at the edge and respond 500, or 400 where parsing fails. Close "
    "connections only after the response.",
    example="except Exception: log.exception('batch failed'); return Response(status_code=500)",
    stage=Stage.FAILURES,
)


async def _accepts_small_after_full(bench: Bench) -> Examined:
    two = bench.events(2)
    await must_deliver(bench, two)
    hundred = bench.events(100)
    full = await bench.deliver(hundred, attempts=2)
    events = bench.events(1)
    delivery = await bench.deliver(events, attempts=3)
    seen = (
        full.response(Stimulus(situation=Situation.BATCH, events=100)),
        delivery.response(Stimulus(situation=Situation.SMALL_AFTER_FULL)),
    )
    return passed(*seen) if delivery.accepted else failed(*seen, batches=[two, hundred, events])


ACCEPTS_SMALL_BATCH_AFTER_FULL = Rule(
    id="accepts-small-batch-after-full",
    family="acknowledgement",
    level="must",
    title="Accepts a small batch right after a full one",
    requirement="Batches follow each other as long as events occur (vendor's webhook guide).",
    expected="200 to a batch of 1 event, whatever happened to a batch of 100 before it",
    examine=_accepts_small_after_full,
    fix="Release everything a batch uses, such as locks, files and database connections, in every case.",
    example="with database.transaction() as transaction: ...",
)


async def _responds_in_time(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    late = []
    for size in SIZES:
        delivery = await bench.deliver(bench.events(size), attempts=2)
        if any(isinstance(outcome, TimedOut) for outcome in delivery.outcomes):
            late.append(delivery.response(Stimulus(situation=Situation.BATCH, events=size)))
    if late:
        return failed(*late)
    return passed(Confirmed(what=Confirmation.RESPONDED_IN_TIME, milliseconds=bench.settings.timeout, sizes=SIZES))


RESPONDS_IN_TIME = Rule(
    id="responds-in-time",
    family="acknowledgement",
    level="should",
    title=_JOURNAL_RULES["responds-in-time"].title,
    requirement=_JOURNAL_RULES["responds-in-time"].requirement,
    expected=_JOURNAL_RULES["responds-in-time"].expected,
    examine=_responds_in_time,
    depends_on=("handles-keep-alive",),
    assumes=("time-out", "retry"),
    fix="Store the batch in one transaction, respond, and do the rest of the work afterwards.",
    example="insert_all(events); respond(200); queue.put(events)",
    not_covered="Responses under load: the rule sends one batch at a time.",
)


async def _stores_first(bench: Bench) -> Examined:
    batch = Stimulus(situation=Situation.BATCH, events=1)
    first = bench.event()
    for number in range(3):
        # All of one length: only their content distinguishes these batches.
        same = bench.values_of(first, *TRAITS)
        events = [bench.event({**same, Role.NETWORK_ADDRESS: f"198.51.100.{101 + number}"})]
        response = (await must_deliver(bench, events)).response(batch)
        difference = await bench.store.difference()
        if difference.missing or difference.missing_count:
            return failed(response, difference.seen(batch), batches=[events])
    return passed(StoreAgrees(after=Stimulus(situation=Situation.BATCH_SIZES, sizes=(1, 1, 1))))


STORES_BEFORE_ACKNOWLEDGING = Rule(
    id="stores-before-acknowledging",
    family="acknowledgement",
    level="must",
    title="Stores events before it acknowledges them",
    requirement="Campaign never resends a batch after 200 (vendor's webhook guide): an event lost after the response "
    "is lost for good.",
    expected="every acknowledged event in the store",
    needs=("probe",),
    examine=_stores_first,
    fix="Commit first, then respond. If you do the work later, write the batch to a durable queue first, and set "
    "--settle to how long the probe may lag behind.",
    example="database.commit(); return Response(status_code=200)",
    role="store",
    on_one_connection=True,
    not_covered="Whether stored events survive a crash; with --settle, whether they were stored before the response.",
)


async def _stores_fields_unchanged(bench: Bench) -> Examined:
    events = bench.events(3)
    await must_deliver(bench, events)
    shape = bench.shape
    stored = {shape.key(event): event for event in await bench.store.stored_events()}
    # Another rule examines the time in detail.
    times = {field.path[0] for field in shape.of(Role.MOMENT)}
    wanted = [name for name in bench.settings.probe_fields or shape.top_names if name not in times]
    changes: dict[str, FieldChange] = {}
    held: dict[str, list[bool]] = {}
    reported: dict[str, None] = {}
    for event in events:
        found = stored.get(shape.key(event))
        if found is None:
            raise SkipRule(Unmet(why=Precondition.STORED_EVENT_NOT_FOUND))
        reported |= dict.fromkeys(found)
        for name in event:
            held.setdefault(name, []).append(found.get(name) is not None or event[name] is None)
        for name in wanted:
            if name in event and event[name] != found.get(name):
                after = msgspec.json.encode(found[name]).decode() if name in found else None
                sent = msgspec.json.encode(event[name]).decode()
                changes.setdefault(name, FieldChange(name=name, sent=sent, stored=after))
    if changes:
        absent = tuple(name for name in changes if not any(held[name]))
        kept = tuple(name for name in shape.top_names if all(held.get(name, [False]))) if absent else ()
        unknown = unknown_names(reported, shape.top_names) if absent else ()
        altered = FieldsAltered(changes=tuple(changes.values()), absent=absent, kept=kept, unknown=unknown)
        return failed(altered, batches=[events[:1]])
    return passed(Confirmed(what=Confirmation.FIELDS_UNCHANGED))


STORES_FIELDS_UNCHANGED = Rule(
    id="stores-fields-unchanged",
    family="acknowledgement",
    level="must",
    title="Stores every field unchanged",
    requirement="In the guide's example the recipient's id is text, other ids are numbers, and the time is in "
    "milliseconds since 1970 (vendor's webhook guide).",
    expected="each stored field equal to the one that was sent (of those in --probe-fields)",
    needs=("probe events",),
    assumes=("batch", "retry", "shape"),
    examine=_stores_fields_unchanged,
    fix="Keep the values and their types. If you leave fields out on purpose, name the ones you store with "
    "--probe-fields.",
    example="store(json.dumps(event))",
    about="fields",
)


async def _rejects_unreadable(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    bodies = _unreadable(bench)
    for situation, body in bodies:
        stimulus = Stimulus(situation=situation)
        outcome = await send_request(bench, stimulus, body)
        if isinstance(outcome, Responded) and outcome.accepted:
            command = curl(bench.endpoint, body)
            return failed(Response(to=stimulus, replies=(Reply.of(outcome),)), curl=command)
    return passed(Confirmed(what=Confirmation.UNREADABLE_REJECTED, count=len(bodies)))


REJECTS_UNREADABLE_BODY = Rule(
    id="rejects-unreadable-body",
    family="acknowledgement",
    level="must",
    title="Does not acknowledge a body it cannot read",
    requirement="Campaign never resends a batch after 200 (vendor's webhook guide), so the consumer has to reject "
    "a broken batch to get it again whole.",
    expected="an error status such as 400",
    examine=_rejects_unreadable,
    fix="Respond 400 when parsing fails, and never a blanket 200.",
    example="except json.JSONDecodeError: return Response(status_code=400)",
    stage=Stage.FAILURES,
)

ACKNOWLEDGEMENT = (
    RESPONDS_200,
    ACKNOWLEDGES_FIRST_ATTEMPT,
    SENDS_COMPLETE_RESPONSE,
    ACCEPTS_SMALL_BATCH_AFTER_FULL,
    RESPONDS_IN_TIME,
    STORES_BEFORE_ACKNOWLEDGING,
    STORES_FIELDS_UNCHANGED,
    REJECTS_UNREADABLE_BODY,
)
