"""Failures: the consumer's own leave nothing half done, the sender's leave it working."""

from __future__ import annotations

import asyncio

import msgspec

from mockcampaign.check import edge_cases
from mockcampaign.check.bench.aftermath import aftermath, throttled
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.faults import CutBody
from mockcampaign.model import Responded
from mockcampaign.policy import HOUR

REQUESTS = 500
BACKLOG = 10_000
REPEATED = 24
"""So often a bad request comes, since pools of connections have room for some five to twenty."""

BESIDE = 5
"""So many kinds of bad lists may be sent beside good ones."""

REFUSED_BESIDE = 2
"""So many of them that are refused are enough."""

BEFORE = (10, 30, 60)
"""After so many good events comes the bad one: a consumer comes upon it while it is at work on the others."""

ROUNDS = 4
"""So often all of these come at the same moment as two good lists."""

IN_A_ROW = 2
"""So often does each of them come in a round: before the good lists, and while the consumer is at work on these."""

SETBACKS = 30
"""So many lists that the consumer did not take at once are looked for in its account."""

_AGAIN = "What is answered with anything but 200 comes again every 10 seconds (vendor's webhook guide)."


async def _nothing_half_done(bench: Bench) -> Examined:
    """Lists that it refuses, for whatever reason, and that come again as it wants them."""
    await _keeps_what_it_takes_at_once(bench)
    refused = 0
    for what, odd in _provocations(bench):
        # So many, and of several mailings, that also those come to harm who store a part of a list at a time.
        mailings = (bench.mailing_id + 2, bench.mailing_id + 1, bench.mailing_id)
        good = [event for mailing in mailings for event in bench.events(20, mailingId=mailing)]
        body = b"[" + b",".join([*map(msgspec.json.encode, good), odd]) + b"]"
        bench.store.expect_events_of(good)
        outcome = await bench.request(what, body)
        if isinstance(outcome, Responded) and outcome.accepted:
            continue
        refused += 1
        if not (await bench.deliver(good, attempts=3)).accepted:
            continue
        difference = await bench.store.difference_of(good)
        if difference:
            authentication = bench.settings.authentication
            return violated(
                f"{outcome.describe()} to a list of {what}; when its good events came again, {difference.describe()}",
                curl="\n".join(curl(bench.url, sent, authentication) for sent in (body, body_of(good))),
            )
    for size in (1, 7, 100):
        await bench.deliver(bench.events(size), attempts=4)
    # Also those of other rules: what fails the first time may never do so again.
    for events in bench.setbacks[:SETBACKS]:
        refused += 1
        bench.store.expect_events_of(events)
        difference = await bench.store.difference_of(events)
        # Their mails may have other events, in lists of the same rule.
        again = set(difference.surplus) & set(map(bench.store.shown, events))
        if again or difference.missing or difference.altered:
            return violated(
                f"a list of {len(events)} was taken when it came again after it had been refused: "
                f"{difference.describe()}",
                events,
            )
    if not refused:
        return holds("no list was refused, so nothing could be left behind")
    return holds(f"{refused} lists were refused, and left nothing behind")


async def _keeps_what_it_takes_at_once(bench: Bench) -> None:
    """Raises `NotExercised` where it does not: then it is not for having been refused that something is missing."""
    for size in (3, 2, 1):
        events = bench.events(size)
        delivery = await bench.must_deliver(events)
        if len(delivery.outcomes) > 1:
            continue
        difference = await bench.store.difference_of(events)
        if difference:
            raise NotExercised(f"even a list of {size} that is taken at once is not kept: {difference.describe()}")


_ODD = (
    *(edge_cases.absent_fields, edge_cases.null_fields, edge_cases.unknown_fields, edge_cases.unknown_names),
    *(
        edge_cases.large_ids,
        edge_cases.recipient_ids,
        edge_cases.addresses,
        edge_cases.texts,
        edge_cases.control_characters,
    ),
)


def _provocations(bench: Bench) -> list[tuple[str, bytes]]:
    event = bench.event()
    without_device = {name: value for name, value in event.items() if name != "device"}
    no_list_id = {name: value for name, value in event.items() if name != "userListId"}
    return [
        ("60 good events and a number", b"42"),
        ("60 good events and an empty one", b"{}"),
        ("60 good events and one without device", msgspec.json.encode(without_device)),
        ("60 good events and one without userListId", msgspec.json.encode(no_list_id)),
        ("60 good events and one with created as text", msgspec.json.encode({**event, "created": "yesterday"})),
        *(
            (f"60 good events and one with {oddity.describe()}", msgspec.json.encode(oddity.applied(event)))
            for make in _ODD
            for oddity in bench.odd(make)[:2]
        ),
        ("60 good events and one that is cut", msgspec.json.encode(event)[:-20]),
    ]


async def _at_once(bench: Bench, lists: list[list[Event]], what: str, bodies: list[bytes]) -> bool:
    """Send good lists while bad ones are under way. Returns whether they were taken."""
    under_way = asyncio.Event()

    async def refused(body: bytes) -> None:
        for _ in range(IN_A_ROW):
            await bench.request(what, body)
            under_way.set()

    async def taken() -> bool:
        # A new connection for each bad list takes longer than a good list on one that is open.
        await under_way.wait()
        return await bench.deliver_at_once(lists, attempts=5)

    taking = asyncio.ensure_future(taken())
    others = [asyncio.ensure_future(refused(body)) for body in bodies]
    try:
        await asyncio.gather(taking, *others)
    finally:
        for task in (taking, *others):
            task.cancel()
    return taking.result()


async def _beside(bench: Bench) -> Examined:
    """Good lists and bad ones at the same moment: what undoes the bad ones must not undo the good ones."""
    await bench.must_process(5)
    refused = 0
    # Those first that are found to be bad late, when others are stored already.
    for what, odd in reversed(_provocations(bench)[:BESIDE]):
        if refused == REFUSED_BESIDE:
            break
        good = [msgspec.json.encode(event) for event in bench.events(60)]
        outcome = await bench.request(what, b"[" + b",".join([*good, odd]) + b"]")
        if not isinstance(outcome, Responded) or outcome.accepted:
            continue
        refused += 1
        bodies = [b"[" + b",".join([*good[:before], odd, *good[before:]]) + b"]" for before in BEFORE]
        for _ in range(ROUNDS):
            lists = [bench.events(100) for _ in range(2)]
            if not await _at_once(bench, lists, f"{what}, beside two good lists", bodies):
                raise NotExercised("lists were not taken while others were refused")
            difference = await bench.store.difference_of([event for events in lists for event in events])
            if difference:
                return violated(
                    f"two lists of 100 were taken while a list of {what} was refused: {difference.describe()}",
                    unrepeatable="It takes good lists and bad ones at the same moment: `mockcampaign check` with "
                    "--rules isolates-failing-batch shows it again.",
                )
    if not refused:
        return holds("no list was refused, so nothing could be undone with it")
    return holds(f"lists that were taken while {refused} others were refused were kept, {ROUNDS} times each")


async def _recovers(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(2))
    if bench.store.has_probe:
        await bench.must_process(2)
    for what, body in _garbage(bench):
        outcome = await bench.request(what, body)
        wrong = await aftermath(bench, f"{outcome.describe()} to {what}")
        # What uses up a little each time, such as one connection of a pool, does not show at once.
        times = 1
        while wrong is None and isinstance(outcome, Responded) and times < REPEATED:
            times += 1
            outcome = await bench.request(what, body)
            if times == REPEATED:
                wrong = await aftermath(bench, f"{outcome.describe()} to {what}, the {times}th time")
        if wrong is not None:
            return wrong
    if CutBody in bench.faults:
        for number, cut in enumerate((CutBody(ending="fin"), CutBody(ending="rst")) * (REPEATED // 2), 1):
            await bench.request("a body that is cut", body_of(bench.events(5)), faults=(cut,))
            if number % 4 == 0:
                wrong = await aftermath(bench, f"{number} bodies were cut")
                if wrong is not None:
                    return wrong
    with bench.fault("timeout", times=2):
        delivery = await bench.deliver(bench.events(2), attempts=5)
    if not delivery.accepted:
        said = f"{delivery.describe()} to a list that the sender gave up waiting for twice"
        return violated(said, fix=throttled(delivery.last))
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference.missing or difference.missing_count:
            return violated(f"after garbage and cut bodies, of the lists taken before: {difference.describe()}")
    return holds("ordinary lists were taken after garbage, cut bodies and time-outs")


def _garbage(bench: Bench) -> list[tuple[str, bytes]]:
    whole = body_of(bench.events(3))
    event = bench.event()
    return [
        ("a list of an event with created as text", body_of([{**event, "created": "yesterday"}])),
        ("a list of an event with nothing but a mailId", body_of([{"mailId": event["mailId"]}])),
        ("a body that is no JSON", b"\x00\xff garbage"),
        ("a list that is cut", whole[: len(whole) // 2]),
        ("an empty body", b""),
        ("a number", b"42"),
        ("null", b"null"),
        ("a list of lists", b"[[1]]"),
    ]


async def _keeps_answering(bench: Bench) -> Examined:
    # Not `must_deliver`: whoever took lists at the beginning of the check, and takes no more by now, violates this.
    for number in range(1, REQUESTS + 1):
        delivery = await bench.deliver(bench.events(1), attempts=2)
        if not delivery.accepted:
            said = f"{delivery.describe()} to request {number} of {REQUESTS}"
            return violated(said, fix=throttled(delivery.last))
        await asyncio.sleep(0)
    return holds(f"200 to each of {REQUESTS} lists of one mailing")


async def _drains(bench: Bench) -> Examined:
    # Whether all of it is processed is seen at the end: who loses one event in thousands may lose one of these, too.
    first = await bench.deliver(bench.events(100), attempts=3)
    if not first.accepted:
        return violated(f"{first.describe()} to a full list, of which it took others before")
    bench.outage(HOUR)
    events: list[Event] = []
    for _ in range(BACKLOG // 1_000):
        part = bench.events(1_000)
        events += part
        bench.emit(part)
        await bench.advance(HOUR // (BACKLOG // 1_000))
    delivery = await bench.proceed(attempts=BACKLOG // 100 + 30)
    failures = [outcome for outcome in delivery.outcomes if not outcome.accepted and not _ours(outcome)]
    if not delivery.accepted:
        taken = sum(outcome.accepted for outcome in delivery.outcomes)
        said = failures[-1].describe() if failures else "nothing"
        return violated(f"{taken} full lists taken, then {said}: the rest of {BACKLOG:,} events still waits")
    if bench.store.has_probe:
        difference = await bench.store.difference()
        if difference:
            return violated(
                f"{BACKLOG:,} events after an outage: {difference.describe()}",
                fix="Look for what so many events exceed: a hash of too few bits, a queue, a cache or a table of fixed "
                "size.",
            )
    return holds(f"{BACKLOG:,} events were drained after an outage of an hour")


def _ours(outcome: object) -> bool:
    return getattr(outcome, "phase", "") == "connect"


async def _goes_on(bench: Bench) -> Examined:
    earlier = list(bench.refusals)
    taken = await bench.takes_ordinary()
    # What was not answered in time may have been the machine's fault, unless it is so for good.
    earlier = [refusal for refusal in earlier if refusal.answered or not taken]
    if taken and not earlier:
        return holds("200 to ordinary lists throughout the check")
    rules = tuple(dict.fromkeys(one.rule_id for one in earlier))
    where = f", first while {rules[0]} was examined" if rules else ""
    more = f", then in {len(rules) - 1} more rules" if len(rules) > 1 else ""
    end = "200 again at the check's end" if taken else "still so at the check's end"
    return violated(
        f"{(earlier or bench.refusals)[0].said} to a list of one ordinary event{where}{more}; {end}",
        unrepeatable="It takes all that the check sent before.",
        found=f"ordinary lists are not taken{where}",
    )


FAILURE = (
    Rule(
        id="rejects-atomically",
        family="failure",
        level="must",
        title="Leaves nothing behind of a list that it refuses",
        requirement=_AGAIN,
        expected="the events of a refused list processed once when they come again, neither more often nor never",
        needs=("probe events",),
        depends_on=(
            "accepts-mixed-mailings",
            "stores-mixed-mailings",
            "once-after-truncated-body",
        ),
        examine=_nothing_half_done,
        fix="Store a list and what makes its events known in one transaction, and answer after its commit.",
        example="with database.transaction(): store_all(events)",
        not_covered="Failures that could not be provoked from outside, such as the database's.",
        stage=Stage.FAILURES,
    ),
    Rule(
        id="isolates-failing-batch",
        family="failure",
        level="must",
        title="Keeps a list that it takes while it refuses another one",
        requirement="What is answered with 200 never comes again (vendor's webhook guide). Each type has a webhook of "
        "its own (vendor's webhook guide), and no webhook waits for another (assumed).",
        expected="each event of the good lists processed once, whatever becomes of the bad one",
        needs=("probe events",),
        depends_on=("stores-every-event", "handles-concurrent-batches", "rejects-atomically"),
        assumes=("list", "retry", "parallel"),
        examine=_beside,
        fix="Let each request have a connection and a transaction of its own: what one of them rolls back must be "
        "nothing but its own.",
        example="with pool.connection() as connection, connection.transaction(): store_all(events)",
        not_covered="Failures that could not be provoked from outside, and moments that these lists happened not to "
        "hit.",
        stage=Stage.FAILURES,
    ),
    Rule(
        id="recovers-from-bad-requests",
        family="failure",
        level="must",
        title="Goes on after bad requests, resets and time-outs",
        requirement=f"{_AGAIN} A connection may break at any moment.",
        expected="200 to ordinary lists after each of them",
        depends_on=("accepts-redelivered-batch",),
        examine=_recovers,
        fix="Give back connections, locks and memory in every case, also where reading the body fails.",
        example="with pool.connection() as connection: ...",
        stage=Stage.BAD_REQUESTS,
    ),
    Rule(
        id="survives-many-requests",
        family="failure",
        level="must",
        title=f"Still answers after {REQUESTS} requests",
        requirement="Lists follow each other as long as events happen (vendor's webhook guide).",
        expected=f"200 to each of {REQUESTS} lists of one mailing",
        depends_on=("accepts-small-batch-after-full",),
        examine=_keeps_answering,
        fix="Look for what grows with each request: connections, files, variables of a query, logs.",
        example="WHERE list_id = ?  -- and not IN (?, ?, …) with one for each list",
    ),
    Rule(
        id="drains-backlog",
        family="failure",
        level="must",
        title=f"Drains a backlog of {BACKLOG:,} events after an outage",
        requirement=f"{_AGAIN} After an outage, everything that happened meanwhile comes at once, list after list.",
        expected="every list taken, without a limit of the consumer's own making more of them wait",
        depends_on=(
            "accepts-small-batch-after-full",
            "stores-before-acknowledging",
            "accepts-every-batch-size",
            "stores-every-event",
            "handles-keep-alive",
            "accepts-valid-credentials",
            "recovers-from-bad-requests",
            "survives-many-requests",
        ),
        examine=_drains,
        assumes=("list", "retry", "order"),
        fix="Do not limit the rate of a sender that has one connection and waits for each answer.",
        example="limiter.exempt('/hook')",
        span=2 * HOUR,
        stage=Stage.FAILURES,
    ),
    Rule(
        id="stays-available",
        family="failure",
        level="must",
        title="Takes ordinary lists from the beginning of the check to its end",
        requirement="Lists follow each other as long as events happen (vendor's webhook guide), and each that is "
        "refused holds up all that follow.",
        expected="200 to ordinary lists, whatever was sent before them",
        depends_on=(
            "accepts-small-batch-after-full",
            "stores-late-events",
            "accepts-old-events",
            "survives-many-requests",
            "recovers-from-bad-requests",
            "drains-backlog",
            "accepts-valid-credentials",
        ),
        examine=_goes_on,
        fix="Look for what requests use up: a limit on their rate, a breaker that opens after errors, connections or "
        "locks that are not given back.",
        example="limiter.exempt('/hook')",
        not_covered="Whether it would take them again after some time: only the sender's time is virtual.",
        stage=Stage.END,
    ),
)
