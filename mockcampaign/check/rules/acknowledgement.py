"""Acknowledging: 200 and nothing else, in time, and only for what is stored."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.aftermath import advice, throttled
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Examined, NotExercised, Rule, Stage, holds, violated
from mockcampaign.errors import CouldNotTellError
from mockcampaign.events.fields import FIELDS
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.model import NoAuthentication, Outcome, Responded, TimedOut

_PASSIVE = {rule.id: rule for rule in JOURNAL_RULES}
_GIVE = "give them by --basic-auth or --key-auth"


async def _answers_200(bench: Bench) -> Examined:
    events = bench.events(1)
    # What refuses a list at first, and takes it when it comes again, is slow, but takes it.
    delivery = await bench.deliver(events, attempts=3)
    if delivery.accepted:
        return holds(f"{delivery.describe()} to a list of one event")
    said = f"{delivery.describe()} to a list of one event"
    if isinstance(delivery.outcomes[0], Responded) and delivery.outcomes[0].status in (401, 403):
        if bench.settings.authentication == NoAuthentication():
            raise CouldNotTellError(
                f"{said} without credentials: if the consumer demands some, {_GIVE}; if it demands none, it refuses "
                "lists for another reason, such as its protection against forged forms (CSRF)"
            )
        return violated(
            f"{said}: the consumer refuses the credentials of this check",
            events,
            fix=f"The consumer refuses the credentials of this check: {_GIVE}, the same that it demands. If they are, "
            "look at how it reads them: Basic credentials are split at their first colon, and are UTF-8 (RFC 7617).",
        )
    if isinstance(delivery.last, Responded):
        said = f"{said}; {await bench.price(bench.events(100), what=f'a {delivery.last.status} to a full list')}"
    return violated(said, events, fix=advice(delivery.last))


async def _after_full_list(bench: Bench) -> Examined:
    two = bench.events(2)
    await bench.must_deliver(two)
    hundred = bench.events(100)
    full = await bench.deliver(hundred, attempts=2)
    events = bench.events(1)
    delivery = await bench.deliver(events, attempts=3)
    if delivery.accepted:
        return holds(f"200 to one event after {full.describe()} to 100")
    said = f"{delivery.describe()} to one event after {full.describe()} to 100"
    return violated(said, two, hundred, events, fix=throttled(delivery.last))


async def _stores_first(bench: Bench) -> Examined:
    first = bench.event()
    for number in range(3):
        # All of one length: nothing but what they say tells these lists apart.
        same = {name: first[name] for name in ("device", "operatingSystem", "browser") if name in first}
        address = f"198.51.100.{101 + number}"
        events = [bench.event(**same, subscriptionId=12_345_678 + number, remoteAddress=address)]
        await bench.must_deliver(events)
        difference = await bench.store.difference()
        if difference.missing or difference.missing_count:
            return violated(f"200 to a list of one event, and the account lacks it: {difference.describe()}", events)
    return holds("three lists of one event were in the account once they were acknowledged")


async def _keeps_fields(bench: Bench) -> Examined:
    events = bench.events(3)
    await bench.must_deliver(events)
    held = {event.get("mailId"): event for event in await bench.store.events_held()}
    # Of created, stores-created-exactly tells more.
    wanted = [name for name in bench.settings.probe_fields if name in FIELDS and name != "created"]
    wrong: dict[str, str] = {}
    for event in events:
        kept = held.get(event["mailId"])
        if kept is None:
            raise NotExercised("the account does not hold what was acknowledged, or without its mailId")
        for name in wanted:
            if name in event and event[name] != kept.get(name):
                was, became = (msgspec.json.encode(one.get(name)).decode() for one in (event, kept))
                wrong.setdefault(name, f"{name} {was} became {became if name in kept else 'absent'}")
    if wrong:
        return violated("; ".join(wrong.values()), events[:1])
    return holds("all fields as they were sent")


def _unreadable(bench: Bench) -> dict[str, bytes]:
    """Bodies that nobody can read, by what they are."""
    whole = msgspec.json.encode(bench.events(2))
    return {
        "plain text": b"hello",
        "a list that is cut within an event": whole[: len(whole) * 3 // 4],
        "a list without its closing bracket": whole[:-1],
        "an empty body": b"",
        "an event that stands alone, cut": whole[1 : len(whole) // 3],
    }


async def _refuses_unreadable(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    bodies = _unreadable(bench)
    for what, body in bodies.items():
        outcome = await bench.request(what, body)
        if isinstance(outcome, Responded) and outcome.accepted:
            return violated(f"200 to {what}", curl=curl(bench.url, body, bench.settings.authentication))
    return holds(f"none of {len(bodies)} bodies that nobody can read was acknowledged")


async def _in_time(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    late: list[str] = []
    sizes = (1, 10, 100)
    for size in sizes:
        delivery = await bench.deliver(bench.events(size), attempts=2)
        if any(isinstance(outcome, TimedOut) for outcome in delivery.outcomes):
            late.append(f"{size} event{'s' * (size > 1)}: {delivery.describe()}")
    if late:
        return violated("; ".join(late))
    return holds(f"an answer within {bench.settings.timeout} ms to lists of {', '.join(map(str, sizes))}")


async def _completely(bench: Bench) -> Examined:
    broken: list[Outcome] = []
    for _ in range(3):
        delivery = await bench.deliver(bench.events(1))
        broken += [outcome for outcome in delivery.outcomes if not isinstance(outcome, Responded | TimedOut)]
    if broken:
        return violated(f"{broken[0].describe()} ({len(broken)} of 3 attempts)")
    for what, body in _unreadable(bench).items():
        outcome = await bench.request(what, body)
        # A late answer to a list is another rule's affair; one to what takes no work does not come any more.
        if not isinstance(outcome, Responded):
            command = curl(bench.url, body, bench.settings.authentication)
            return violated(f"{outcome.describe()} to {what}", curl=command)
    return holds("ordinary lists were answered completely, and bodies that nobody can read as well")


ACKNOWLEDGE = (
    Rule(
        id="responds-200",
        family="acknowledge",
        level="must",
        title=_PASSIVE["responds-200"].title,
        requirement=_PASSIVE["responds-200"].requirement,
        expected="200 to a list that was taken, an error status to any other, and never 201, 202, 204 or a redirect",
        examine=_answers_200,
        fix="Answer 200 once the list is stored. Frameworks have other defaults: name the status.",
        example="return Response(status_code=200)",
        stage=Stage.FIRST,
    ),
    Rule(
        id="sends-complete-response",
        family="acknowledge",
        level="should",
        title=_PASSIVE["sends-complete-response"].title,
        requirement=f"{_PASSIVE['sends-complete-response'].requirement} A request that is never answered holds its "
        "connection until somebody gives up (CWE-400), and what ends without an answer tells nobody why.",
        expected="a complete HTTP response to every list, and an error status to what cannot be read",
        examine=_completely,
        depends_on=("handles-new-connections",),
        fix="Let no exception reach the server: catch it at the edge and answer 500, and 400 where parsing fails. "
        "Close connections only after the answer.",
        example="except Exception: log.exception('list failed'); return Response(status_code=500)",
        stage=Stage.FAILURES,
    ),
    Rule(
        id="accepts-small-batch-after-full",
        family="acknowledge",
        level="must",
        title="Takes a small list after a full one",
        requirement="Lists follow each other as long as events happen (vendor's webhook guide).",
        expected="200 to a list of one event, whatever came of a list of 100 before it",
        examine=_after_full_list,
        fix="Give back what a list took, such as locks, files and connections to the database, in every case.",
        example="with database.transaction() as transaction: ...",
    ),
    Rule(
        id="responds-in-time",
        family="acknowledge",
        level="should",
        title=_PASSIVE["responds-in-time"].title,
        requirement=_PASSIVE["responds-in-time"].requirement,
        expected=_PASSIVE["responds-in-time"].expected,
        examine=_in_time,
        depends_on=("handles-keep-alive",),
        assumes=("time-out", "retry"),
        fix="Store the list in one transaction, answer, and do the rest of the work afterwards.",
        example="insert_all(events); respond(200); queue.put(events)",
        not_covered="How it answers under load: only one list at a time is sent here.",
    ),
    Rule(
        id="stores-before-acknowledging",
        family="acknowledge",
        level="must",
        title="Acknowledges only what it has stored",
        requirement="What is answered with 200 never comes again (vendor's webhook guide): whatever is lost after the "
        "answer is lost for good.",
        expected="every acknowledged event in the account",
        needs=("probe",),
        examine=_stores_first,
        fix="Commit first, answer then. If the work is done later, write the list to a durable queue first, and tell "
        "the check by --settle how long the account may lag behind.",
        example="database.commit(); return Response(status_code=200)",
        not_covered="Whether what is stored survives a crash; with --settle, whether it was stored before the answer.",
    ),
    Rule(
        id="stores-fields-unchanged",
        family="acknowledge",
        level="must",
        title="Keeps every field as it was sent",
        requirement="In the guide's example recipientId is text, other ids are numbers, and created is milliseconds "
        "since 1970 (vendor's webhook guide).",
        expected="each field in the account equal to what was sent (those of --probe-fields)",
        needs=("probe events",),
        examine=_keeps_fields,
        fix="Keep the values and their types. Where fields are left out on purpose, name the kept ones with "
        "--probe-fields.",
        example="store(json.dumps(event))",
    ),
    Rule(
        id="rejects-unreadable-body",
        family="acknowledge",
        level="must",
        title="Does not acknowledge what it cannot read",
        requirement="What is answered with 200 never comes again (vendor's webhook guide): a list that arrived broken "
        "has to be refused, so that it comes again whole.",
        expected="an error status such as 400",
        examine=_refuses_unreadable,
        fix="Answer 400 when parsing fails, and never a blanket 200.",
        example="except json.JSONDecodeError: return Response(status_code=400)",
        stage=Stage.FAILURES,
    ),
)
