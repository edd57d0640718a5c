"""Resilience: the consumer's failures leave nothing half done, and the sender's failures leave it working."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.aftermath import aftermath, since_poison
from mockcampaign.check.bench.bench import RATE_LIMITS, Bench
from mockcampaign.check.bench.context import Rejection
from mockcampaign.check.bench.control import accepts_ordinary, must_accept_ordinary, must_deliver, must_store
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.examined import Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.faults import CutBody
from mockcampaign.judging.fact import (
    Confirmation,
    Confirmed,
    Fewer,
    NotStored,
    Precondition,
    Reply,
    Response,
    Stimulus,
    Unavailable,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Outcome, Responded
from mockcampaign.policy import HOUR
from mockcampaign.shape.field import Event, Role, value_at, with_value

_RETRIED = "Campaign resends a batch every 10 seconds after anything but 200 (vendor's webhook guide)."
_IN_SUCCESSION = "Batches follow each other as long as events occur (vendor's webhook guide)"

RETRIED_MAX = 30
"""Greatest number of batches accepted on retry that are looked for in the store."""

GOOD = 60
"""Number of good events that accompany a bad one."""


async def _rejects_atomically(bench: Bench) -> Examined:
    """Send batches that the consumer rejects, for whatever reason, and redeliver them in a form that it accepts."""
    await _must_store_batches_accepted_at_once(bench)
    rejected = 0
    for provocation, bad in _provocations(bench):
        # So many events, and of several mailings, that consumers which store a batch in parts are caught as well.
        mailings = [bench.mailing(number) for number in (2, 1, 0)]
        good = [event for mailing in mailings for event in bench.events(GOOD // len(mailings), {Role.MAILING: mailing})]
        body = bench.shape.body.join([*map(msgspec.json.encode, good), bad])
        bench.store.expect_events_of(good)
        outcome = await send_request(bench, provocation, body)
        if isinstance(outcome, Responded) and outcome.accepted:
            continue
        rejected += 1
        if not (await bench.deliver(good, attempts=3)).accepted:
            continue
        difference = await bench.store.difference_of(good)
        if difference:
            return failed(
                _response(provocation, outcome),
                difference.seen(Stimulus(situation=Situation.GOOD_EVENTS_REDELIVERED, events=len(good))),
                curl="\n".join(curl(bench.endpoint, sent) for sent in (body, bench.body_of(good))),
            )
    for size in (1, 7, 100):
        await bench.deliver(bench.events(size), attempts=4)
    # Batches of other rules as well: what fails the first time may never fail again.
    for events in bench.incidents.accepted_on_retry[:RETRIED_MAX]:
        rejected += 1
        bench.store.expect_events_of(events)
        difference = await bench.store.difference_of(events)
        # Their mails may have other events, in batches of the same rule.
        duplicate = set(difference.surplus) & set(map(bench.store.shown, events))
        if duplicate or difference.missing or difference.altered:
            after = Stimulus(situation=Situation.ACCEPTED_ON_RETRY, events=len(events))
            return failed(difference.seen(after), batches=[events])
    if not rejected:
        return passed(Confirmed(what=Confirmation.NOTHING_REJECTED))
    return passed(Confirmed(what=Confirmation.REJECTED_LEFT_NOTHING, count=rejected))


async def _must_store_batches_accepted_at_once(bench: Bench) -> None:
    """Raise `SkipRule` unless these batches are stored: otherwise events are missing without any rejection."""
    for size in (3, 2, 1):
        events = bench.events(size)
        delivery = await must_deliver(bench, events)
        if len(delivery.outcomes) > 1:
            continue
        difference = await bench.store.difference_of(events)
        if difference:
            ordinary = Stimulus(situation=Situation.ORDINARY_BATCH, events=size)
            raise SkipRule(NotStored(difference=difference.seen(ordinary)))


def _response(to: Stimulus, outcome: Outcome) -> Response:
    return Response(to=to, replies=(Reply.of(outcome),))


_EDGE_CASES = (*edge_cases.ALL, edge_cases.control_characters)


def _provocations(bench: Bench) -> list[tuple[Stimulus, bytes]]:
    """Return bad elements to add to good events, each with a description of such a batch."""
    event = bench.event()

    def of(situation: Situation) -> Stimulus:
        return Stimulus(situation=situation, events=GOOD)

    def edge_case(one: EdgeCase) -> tuple[Stimulus, bytes]:
        stimulus = Stimulus(situation=Situation.EDGE_CASE_AMONG_GOOD, events=GOOD, edge_cases=(one.seen(),))
        return stimulus, msgspec.json.encode(one.applied(event))

    return [
        (of(Situation.NUMBER_AMONG_GOOD), b"42"),
        (of(Situation.EMPTY_EVENT_AMONG_GOOD), b"{}"),
        *(
            edge_case(EdgeCase(path=field.path, absent=True))
            for field in bench.shape.of(Role.DEVICE, Role.RECIPIENT_LIST)
        ),
        *(edge_case(EdgeCase(path=field.path, value="yesterday")) for field in bench.shape.of(Role.MOMENT)),
        *(edge_case(one) for make in _EDGE_CASES for one in bench.edge_cases(make)[:2]),
        (of(Situation.CUT_EVENT_AMONG_GOOD), msgspec.json.encode(event)[:-20]),
    ]


REJECTS_ATOMICALLY = Rule(
    id="rejects-atomically",
    family="resilience",
    level="must",
    title="Stores nothing of a batch it rejects",
    requirement=_RETRIED,
    expected="the events of a rejected batch stored once when they are redelivered, neither more often nor never",
    examine=_rejects_atomically,
    needs=("probe events", "batches"),
    depends_on=("accepts-mixed-mailings", "stores-mixed-mailings", "once-after-truncated-body"),
    fix="Store a batch and the deduplication keys of its events in one transaction, and respond after the commit.",
    example="with database.transaction(): store_all(events)",
    repeats=True,
    not_covered="Failures that cannot be provoked from outside, such as those of the database.",
    stage=Stage.FAILURES,
)

BESIDE = 5
"""Greatest number of kinds of bad batches that are sent beside good ones."""

REJECTED_BESIDE = 2
"""Number of rejected kinds of bad batches that are enough."""

BEFORE = (10, 30, 60)
"""Numbers of good events before the bad one, which the consumer reaches while it works on other batches."""

ROUNDS = 4
"""Number of rounds, in each of which all bad batches arrive at the same moment as two good ones."""

IN_A_ROUND = 2
"""Number of times each bad batch arrives in a round: before the good batches, and while those are processed."""


async def _isolates_failing(bench: Bench) -> Examined:
    """Send good batches and bad ones at the same moment: rolling back the bad ones must not undo the good ones."""
    await must_store(bench, 5)
    rejected = 0
    # First the elements that a consumer finds to be bad late, when it has already stored others.
    for provocation, bad in reversed(_provocations(bench)[:BESIDE]):
        if rejected == REJECTED_BESIDE:
            break
        good = [msgspec.json.encode(event) for event in bench.events(GOOD)]
        outcome = await send_request(bench, provocation, bench.shape.body.join([*good, bad]))
        if not isinstance(outcome, Responded) or outcome.accepted:
            continue
        rejected += 1
        bodies = [bench.shape.body.join([*good[:before], bad, *good[before:]]) for before in BEFORE]
        for _ in range(ROUNDS):
            batches = [bench.events(100) for _ in range(2)]
            if not await _accepts_beside(bench, batches, bodies):
                raise SkipRule(Unmet(why=Precondition.REJECTED_BESIDE_FAILING))
            difference = await bench.store.difference_of([event for events in batches for event in events])
            if difference:
                beside = Stimulus(situation=Situation.ACCEPTED_BESIDE_REJECTED, sizes=tuple(map(len, batches)))
                return failed(
                    _response(provocation, outcome), difference.seen(beside), unrepeatable=Unrepeatable.CONCURRENT
                )
    if not rejected:
        return passed(Confirmed(what=Confirmation.NOTHING_REJECTED))
    return passed(Confirmed(what=Confirmation.ISOLATED_FROM_REJECTED, count=rejected, times=ROUNDS))


async def _accepts_beside(bench: Bench, batches: list[list[Event]], bodies: list[bytes]) -> bool:
    """Send good batches while bad ones are under way, and return whether the good ones were accepted."""
    under_way = asyncio.Event()

    async def reject(body: bytes) -> None:
        for _ in range(IN_A_ROUND):
            beside = Stimulus(situation=Situation.REJECTED_BESIDE_ACCEPTED)
            await send_request(bench, beside, body, controlled=False)
            under_way.set()

    async def accept() -> bool:
        # A new connection for each bad batch takes longer than a good batch on one that is open.
        await under_way.wait()
        return (await bench.deliver_concurrently(batches, attempts=5)).accepted

    accepting = asyncio.ensure_future(accept())
    others = [asyncio.ensure_future(reject(body)) for body in bodies]
    try:
        await asyncio.gather(accepting, *others)
    finally:
        for task in (accepting, *others):
            task.cancel()
    return accepting.result()


ISOLATES_FAILING_BATCH = Rule(
    id="isolates-failing-batch",
    family="resilience",
    level="must",
    title="Stores an accepted batch while it rejects another one",
    requirement="Campaign never resends a batch after 200, and each event type has a webhook of its own (vendor's "
    "webhook guide). No webhook waits for another (assumed).",
    expected="each event of the good batches stored once, whatever happens to the bad one",
    examine=_isolates_failing,
    needs=("probe events", "batches"),
    depends_on=("stores-every-event", "handles-concurrent-batches", "rejects-atomically"),
    assumes=("batch", "retry", "parallel"),
    fix="Give each request its own connection and transaction, so that a rollback undoes nothing but its own work.",
    example="with pool.connection() as connection, connection.transaction(): store_all(events)",
    not_covered="Failures that cannot be provoked from outside, and moments that these batches happened not to hit.",
    stage=Stage.FAILURES,
)

REPEATED = 24
"""Number of times a bad request is sent, since pools of connections hold some five to twenty."""

CONTROLLED = (6,)
"""Numbers of bad requests after which an ordinary batch is sent, besides the last: a consumer whose small pool is empty
takes long for each request."""

TIME_OUTS = 2
"""Number of times that the sender no longer waits for a response of 200."""


async def _recovers(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(2))
    if bench.store.has_probe:
        await must_store(bench, 2)
    bad_requests = _bad_requests(bench)
    for bad, body in bad_requests:
        outcome = await send_request(bench, bad, body, controlled=False)  # `aftermath` follows
        violation = await aftermath(bench, bad, outcome)
        # A request that uses up a little each time, such as one connection of a pool, does no harm at once.
        times, most = 1, bench.affordable(REPEATED, requests=len(bad_requests))
        while violation is None and isinstance(outcome, Responded) and times < most:
            times += 1
            outcome = await send_request(bench, bad, body, controlled=False)
            if times in (*CONTROLLED, most):
                violation = await aftermath(bench, msgspec.structs.replace(bad, times=times), outcome)
        if violation is not None:
            return violation
    if CutBody in bench.faults:
        cut_body = Stimulus(situation=Situation.CUT_BODY)
        for number, cut in enumerate((CutBody(ending="fin"), CutBody(ending="rst")) * (REPEATED // 2), 1):
            await send_request(bench, cut_body, bench.body_of(bench.events(5)), faults=(cut,))
            if number % 4 == 0:
                ordinary = Stimulus(situation=Situation.ORDINARY_AFTER_CUT_BODIES, times=number)
                before = msgspec.structs.replace(cut_body, times=number)
                violation = await aftermath(bench, before, ordinary=ordinary)
                if violation is not None:
                    return violation
    with bench.fault("timeout", times=TIME_OUTS):
        # As after any other bad request, three attempts for each response of 200. The last one arrives.
        delivery = await bench.deliver(bench.events(2), attempts=3 * (TIME_OUTS + 1))
    if not delivery.accepted:
        return failed(delivery.response(Stimulus(situation=Situation.TIMED_OUT_TWICE)))
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference.missing or difference.missing_count:
            return failed(difference.seen(Stimulus(situation=Situation.BAD_REQUESTS)))
    return passed(Confirmed(what=Confirmation.RECOVERED))


def _bad_requests(bench: Bench) -> list[tuple[Stimulus, bytes]]:
    whole = bench.body_of(bench.events(3))
    event = bench.event()
    bodies = [
        (Situation.CREATED_AS_TEXT, bench.body_of([bench.shape.put(event, Role.MOMENT, "yesterday")])),
        (Situation.MAIL_ID_ALONE, bench.body_of([_alone(bench, event)])),
        (Situation.NOT_JSON, b"\x00\xff garbage"),
        (Situation.UNREADABLE_CUT_IN_EVENT, whole[: len(whole) // 2]),
        (Situation.UNREADABLE_EMPTY, b""),
        (Situation.NUMBER, b"42"),
        (Situation.NULL, b"null"),
        (Situation.LIST_OF_LISTS, b"[[1]]"),
    ]
    return [(Stimulus(situation=situation), body) for situation, body in bodies]


def _alone(bench: Bench, event: Event) -> Event:
    """Return an event with nothing but what identifies its mail."""
    alone: Event = {}
    for field in bench.shape.key_fields:
        alone = with_value(alone, field.path, value_at(event, field.path))
    return alone


RECOVERS_FROM_BAD_REQUESTS = Rule(
    id="recovers-from-bad-requests",
    family="resilience",
    level="must",
    title="Recovers from bad requests, resets and time-outs",
    requirement=f"{_RETRIED} A connection may break at any moment.",
    expected="200 to ordinary batches after each of them",
    examine=_recovers,
    depends_on=("accepts-redelivered-batch",),
    fix="Release connections, locks and memory in every case, also when reading the body fails.",
    example="with pool.connection() as connection: ...",
    stage=Stage.BAD_REQUESTS,
)

REQUESTS = 500


async def _survives_many(bench: Bench) -> Examined:
    # Not `must_deliver`: a consumer that accepted batches at the start of the check and no longer does violates this.
    requests = bench.affordable(REQUESTS)
    for number in range(1, requests + 1):
        delivery = await bench.deliver(bench.events(1), attempts=2)
        if not delivery.accepted:
            return failed(delivery.response(Stimulus(situation=Situation.REQUEST_IN_A_ROW, times=number)))
        await asyncio.sleep(0)
    return passed(Confirmed(what=Confirmation.MANY_REQUESTS, count=requests), *_fewer(requests, REQUESTS))


def _fewer(done: int, of: int) -> tuple[Fewer, ...]:
    """Return the fact that a rule made do with less than usual, if it did."""
    return (Fewer(done=done, of=of),) if done < of else ()


SURVIVES_MANY_REQUESTS = Rule(
    id="survives-many-requests",
    family="resilience",
    level="must",
    title=f"Still responds after {REQUESTS} requests",
    requirement=f"{_IN_SUCCESSION}.",
    expected=f"200 to each of {REQUESTS} batches of one mailing",
    examine=_survives_many,
    depends_on=("accepts-small-batch-after-full",),
    fix="Look for what grows with each request: connections, files, variables of a query, logs.",
    example="WHERE list_id = ?  -- and not IN (?, ?, …) with one for each batch",
)

BACKLOG = 10_000


async def _drains_backlog(bench: Bench) -> Examined:
    # The store is read at the end: a consumer that loses one event of thousands may lose one of these, too.
    first = await bench.deliver(bench.events(100), attempts=3)
    if not first.accepted:
        return failed(first.response(Stimulus(situation=Situation.ANOTHER_FULL_BATCH, events=100)))
    bench.outage(HOUR)
    size = bench.affordable(BACKLOG // 100) * 100
    parts = -(-size // 1_000)
    for number in range(parts):
        bench.emit(bench.events(min(1_000, size - 1_000 * number)))
        await bench.advance(HOUR // parts)
    delivery = await bench.proceed(attempts=size // 100 + 30)
    backlog = Stimulus(situation=Situation.BACKLOG, events=size, milliseconds=HOUR)
    if not delivery.accepted:
        accepted = sum(outcome.accepted for outcome in delivery.outcomes)
        failures = [outcome for outcome in delivery.outcomes if not outcome.accepted and not _is_outage(outcome)]
        part_of_it = Stimulus(situation=Situation.PART_OF_BACKLOG, events=size, times=accepted, milliseconds=HOUR)
        failure = failures[-1] if failures else delivery.last
        response = _response(part_of_it, failure)
        if not isinstance(failure, Responded) or failure.status not in RATE_LIMITS:
            # What also rejects an ordinary batch has nothing to do with the backlog.
            await must_accept_ordinary(bench, response)
        return failed(response)
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference:
            return failed(difference.seen(backlog))
    return passed(Confirmed(what=Confirmation.BACKLOG_DRAINED, count=size), *_fewer(size, BACKLOG))


def _is_outage(outcome: Outcome) -> bool:
    return not isinstance(outcome, Responded) and outcome.phase == "connect"


DRAINS_BACKLOG = Rule(
    id="drains-backlog",
    family="resilience",
    level="must",
    title=f"Drains a backlog of {BACKLOG:,} events after an outage",
    requirement=f"{_RETRIED} After an outage, everything that occurred meanwhile arrives at once, batch after batch.",
    expected="200 to the batches of the backlog, one right after the other, and each event stored",
    examine=_drains_backlog,
    depends_on=(
        "acknowledges-first-attempt",
        "accepts-small-batch-after-full",
        "stores-before-acknowledging",
        "accepts-every-batch-size",
        "stores-every-event",
        "handles-keep-alive",
        "accepts-valid-credentials",
        "recovers-from-bad-requests",
        "survives-many-requests",
    ),
    assumes=("batch", "retry", "order"),
    fix="Exempt the webhook from rate limits, and respond 200 only after an event is stored: what a full queue or "
    "buffer drops is lost for good.",
    example="limiter.exempt('/hook'); queue.put(event)  # and not put_nowait, which drops what does not fit",
    span=2 * HOUR,
    stage=Stage.FAILURES,
)


async def _recovers_from_failed_batch(bench: Bench) -> Examined:
    """Judge what the benches of all rules have seen: each sends an ordinary batch after one that was not stored."""
    poison = bench.incidents.poison
    if poison is None:
        return passed(Confirmed(what=Confirmation.NOTHING_POISONED))
    return since_poison(bench, poison)


RECOVERS_FROM_FAILED_BATCH = Rule(
    id="recovers-from-failed-batch",
    family="resilience",
    level="must",
    title="Accepts ordinary batches after one it could not store",
    requirement=f"{_RETRIED} Whatever one batch leaves behind holds up all that follow.",
    expected="200 to an ordinary batch after each batch that it could not store, and a probe that still works",
    examine=_recovers_from_failed_batch,
    fix="Undo everything when storing a batch fails: roll back the transaction, return the connection to its pool, "
    "release locks, and keep workers alive. Use a context manager or `finally`, so that no path leaves it out.",
    example="with pool.connection() as connection: store_all(events)  # commits, rolls back and returns it",
    not_covered="Failures that cannot be provoked from outside, such as those of the database.",
    about="responses",
    role="recovery",
    stage=Stage.END,
)


async def _stays_available(bench: Bench) -> Examined:
    earlier = list(bench.incidents.rejections)
    recovered = await accepts_ordinary(bench)
    # A late response may have been the machine's fault, unless the consumer stays unavailable.
    earlier = [rejection for rejection in earlier if rejection.responded or not recovered]
    if recovered and not earlier:
        return passed(Confirmed(what=Confirmation.AVAILABLE_THROUGHOUT))
    return _unavailable(bench, earlier or bench.incidents.rejections, recovered=recovered)


def _rejected_so_far(bench: Bench) -> Examined | None:
    """Return the violation that earlier rules have seen, for which no time was left to look again."""
    earlier = [rejection for rejection in bench.incidents.rejections if rejection.responded]
    return _unavailable(bench, earlier, recovered=False) if earlier else None


def _unavailable(bench: Bench, rejections: Sequence[Rejection], *, recovered: bool) -> Examined:
    rules = tuple(dict.fromkeys(one.rule_id for one in rejections if one.rule_id != bench.slot.rule_id))
    return failed(
        Unavailable(
            replies=rejections[0].replies,
            first_rule=rules[0] if rules else None,
            more_rules=max(0, len(rules) - 1),
            recovered=recovered,
        ),
        unrepeatable=Unrepeatable.WHOLE_CHECK,
    )


STAYS_AVAILABLE = Rule(
    id="stays-available",
    family="resilience",
    level="must",
    title="Accepts ordinary batches from the start of the check to its end",
    requirement=f"{_IN_SUCCESSION}, and each rejected batch holds up all that follow.",
    expected="200 to ordinary batches, whatever was sent before them",
    examine=_stays_available,
    depends_on=(
        "acknowledges-first-attempt",
        "accepts-small-batch-after-full",
        "stores-late-events",
        "accepts-old-events",
        "survives-many-requests",
        "recovers-from-bad-requests",
        "drains-backlog",
        "accepts-valid-credentials",
        "recovers-from-failed-batch",
    ),
    fix="Look for what requests use up: a limit on their rate, a circuit breaker that opens after errors, connections "
    "or locks that are not released.",
    example="limiter.exempt('/hook')",
    role="availability",
    seen_so_far=_rejected_so_far,
    not_covered="Whether it would accept them again after some time: only the sender's time is virtual.",
    stage=Stage.END,
)

RESILIENCE = (
    REJECTS_ATOMICALLY,
    ISOLATES_FAILING_BATCH,
    RECOVERS_FROM_BAD_REQUESTS,
    SURVIVES_MANY_REQUESTS,
    DRAINS_BACKLOG,
    RECOVERS_FROM_FAILED_BATCH,
    STAYS_AVAILABLE,
)
