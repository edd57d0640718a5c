"""Lists of every size that Campaign sends, and every event in them."""

from __future__ import annotations

from collections.abc import Callable

from mockcampaign.check.bench.aftermath import advice
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.rule import Event, Examined, Rule, holds, violated
from mockcampaign.events.fields import EXAMPLE
from mockcampaign.model import TimedOut

SIZES = (1, 2, 3, 99, 100)

_LIST = "Events come as JSON lists of at most 100 (vendor's webhook guide)."


async def _every_size(bench: Bench) -> Examined:
    for size in SIZES:
        events = bench.events(size)
        delivery = await bench.deliver(events, attempts=2)
        if isinstance(delivery.last, TimedOut):
            return violated(f"a list of {size}: {delivery.describe()}", events, fix=advice(delivery.last))
        if not delivery.accepted:
            smallest = await smallest_refused(bench, events, lambda count: bench.events(count), size)
            said = f"{delivery.describe()} to a list of {size}; {len(smallest)} is the smallest that is refused"
            return violated(said, smallest, fix=advice(delivery.last))
    return holds(f"200 to lists of {', '.join(map(str, SIZES))}")


async def smallest_refused(
    bench: Bench, refused: list[Event], make: Callable[[int], list[Event]], most: int
) -> list[Event]:
    """By halving: the first list that is refused of those that `make` makes of 1, 2 … `most`, the last of which was.

    Where one of them is refused, so are all after it.
    """
    taken = 0
    while most - taken > 1:
        middle = (taken + most) // 2
        events = make(middle)
        if (await bench.deliver(events)).accepted:
            taken = middle
        else:
            refused, most = events, middle
    return refused


async def _every_event(bench: Bench) -> Examined:
    for size in SIZES:
        events = bench.events(size)
        delivery = await bench.deliver(events, attempts=2)
        if not delivery.accepted:
            continue
        difference = await bench.store.difference()
        if difference:
            return violated(f"list of {size}: {difference.describe()}{await _which(bench, events)}", events)
    return holds(f"every event of lists of {', '.join(map(str, SIZES))} was processed")


async def _which(bench: Bench, events: list[Event]) -> str:
    held = await bench.store.held()
    if isinstance(held, int):
        return ""
    mails = {event.get("mailId") for event in held}
    kept = [str(number) for number, event in enumerate(events, 1) if event["mailId"] in mails]
    return f" (of {len(events)}, kept: {', '.join(kept[:8]) or 'none'}{' …' * (len(kept) > 8)})"


_LONG_FIELDS = ("recipientId", "operatingSystem", "browser", "linkUrl")
"""Those that make events long."""


def _long_events(bench: Bench, count: int) -> list[Event]:
    """Long, but nothing out of the ordinary."""
    return [
        bench.event(
            recipientId=f"{bench.random.randrange(10**30)}.{'long-name-' * 6}@customers.example.com",
            operatingSystem="Windows Subsystem for Android, version 2204.40000.20.0, build 22621.1992",
            browser="Chrome Mobile WebView 101.0.4951.61 within an application such as a mail client",
            linkUrl=f"https://www.example.com/{'offer-' * 20}",
        )
        for _ in range(count)
    ]


async def _large_body(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(100))
    return await _takes(bench, lambda count: _long_events(bench, count))


async def _takes(bench: Bench, make: Callable[[int], list[Event]]) -> Examined:
    events = make(100)
    size = len(body_of(events))
    delivery = await bench.deliver(events, attempts=2)
    if delivery.accepted:
        return holds(f"200 to a list of 100 events and {size:,} bytes")
    if isinstance(delivery.last, TimedOut):
        return violated(
            f"a list of 100 events and {size:,} bytes: {delivery.describe()}", events, fix=advice(delivery.last)
        )
    fewest = await smallest_refused(bench, events, make, 100)

    def shorter(longest: int) -> list[Event]:
        return [
            {name: value[:longest] if name in _LONG_FIELDS else value for name, value in event.items()}
            for event in make(len(fewest))
        ]

    smallest = await smallest_refused(
        bench, fewest, shorter, max(len(fewest[0].get(name, "")) for name in _LONG_FIELDS)
    )
    return violated(
        f"{delivery.describe()} to a list of 100 events and {size:,} bytes; "
        f"from {len(smallest)} events and {len(body_of(smallest)):,} bytes on, lists like it are refused",
        smallest,
        fix=advice(delivery.last),
    )


async def _largest_list(bench: Bench) -> Examined:
    await bench.must_deliver(_long_events(bench, 100))
    local = "a" * 64
    domain = ".".join(["b" * 63, "c" * 63, "d" * 57])

    def longest_events(count: int) -> list[Event]:
        return [
            bench.event(
                recipientId=f"{local}@{domain}",
                operatingSystem="f" * bench.lengths.names,
                browser="g" * bench.lengths.names,
                linkUrl="https://www.example.com/".ljust(bench.lengths.links, "h"),
            )
            for _ in range(count)
        ]

    return await _takes(bench, longest_events)


async def _equal_events(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    event = bench.event(**{name: EXAMPLE[name] for name in ("device", "operatingSystem", "browser")})
    delivery = await bench.deliver([event, dict(event)], attempts=2)
    if not delivery.accepted:
        return violated(f"{delivery.describe()} to a list that holds one event twice", [event, event])
    return holds("200 to a list that holds one event twice")


async def _equal_events_kept(bench: Bench) -> Examined:
    await bench.must_process(4)
    first, event, last = bench.events(3)
    await bench.must_deliver([first, event, dict(event), last])
    difference = await bench.store.difference()
    if difference:
        return violated(f"a list of four, two of them equal: {difference.describe()}", [first, event, event, last])
    return holds("equal events in one list were kept, once or twice, and their neighbours with them")


async def _at_once(bench: Bench) -> Examined:
    await bench.must_process(5)
    for size in (1, 5, 40):
        lists = [bench.events(size) for _ in range(3)]
        taken = await bench.deliver_at_once(lists, attempts=5)
        if not taken:
            return violated(f"of three webhooks' lists of {size} at the same moment, not all were taken")
        difference = await bench.store.difference()
        if difference:
            return violated(f"three webhooks' lists of {size} at the same moment: {difference.describe()}")
    return holds("lists of 1, 5 and 40 of three webhooks at the same moment were all processed")


async def _mixed(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(2))
    mixed = [
        bench.event(mailingId=bench.mailing_id + 10 * number, userListId=bench.mailing_id + 10 * number % 3 + 5)
        for number in range(6)
    ]
    delivery = await bench.deliver(mixed, attempts=2)
    if not delivery.accepted:
        return violated(f"{delivery.describe()} to a list with events of six mailings and three lists", mixed)
    return holds("200 to a list with events of six mailings and three recipient lists")


async def _mixed_kept(bench: Bench) -> Examined:
    await bench.must_process(6)
    mixed = [
        bench.event(mailingId=bench.mailing_id + 10 * number, userListId=bench.mailing_id + 10 * number % 3 + 5)
        for number in range(6)
    ]
    await bench.must_deliver(mixed)
    difference = await bench.store.difference()
    if difference:
        return violated(f"six events of six mailings and three lists: {difference.describe()}", mixed)
    return holds("events of six mailings and three recipient lists in one list were all processed")


BATCH = (
    Rule(
        id="accepts-every-batch-size",
        family="batch",
        level="must",
        title="Takes lists of 1 to 100 events",
        requirement=_LIST,
        expected="200 to lists of 1, 2, 3, 99 and 100 events",
        examine=_every_size,
        assumes=("list", "retry", "parallel"),
        depends_on=("accepts-small-batch-after-full",),
        fix="Raise the limit on body size or list length: a full list of ordinary events has 35,000 bytes.",
        example="app.config['MAX_CONTENT_LENGTH'] = 1_000_000",
    ),
    Rule(
        id="stores-every-event",
        family="batch",
        level="must",
        title="Processes every event of a list",
        requirement=_LIST,
        expected="each event of lists of 1, 2, 3, 99 and 100 processed once",
        needs=("probe",),
        examine=_every_event,
        assumes=("list", "retry", "parallel"),
        fix="Loop over the whole list.",
        example="for event in request.json(): store(event)",
    ),
    Rule(
        id="accepts-large-batch",
        family="batch",
        level="must",
        title="Takes a full list of long events",
        requirement=f"{_LIST} 100 events with long but ordinary texts are some 60,000 bytes (assumed).",
        expected="200 to 100 events of the longest realistic size",
        assumes=("list", "fields"),
        examine=_large_body,
        depends_on=("accepts-every-batch-size", "accepts-small-batch-after-full"),
        fix="Raise the limit on body size, in the application and in every proxy before it.",
        example="express.json({limit: '1mb'})",
    ),
    Rule(
        id="accepts-largest-batch",
        family="batch",
        level="must",
        title="Takes 100 events with the longest legal fields",
        requirement=f"{_LIST} An address has up to 254 characters (RFC 5321); that the names of devices, systems and "
        "browsers have up to 255, and links up to 2,000, is assumed.",
        expected="200, since a list that is refused for its size blocks its webhook for three days",
        assumes=("list", "lengths", "discard"),
        examine=_largest_list,
        depends_on=("accepts-every-batch-size", "accepts-large-batch"),
        fix="Raise the limit on body size to 1 MB, in the application and in every proxy before it, and let columns "
        "hold 255 characters.",
        example="express.json({limit: '1mb'})",
    ),
    Rule(
        id="accepts-identical-events",
        family="batch",
        level="must",
        title="Takes a list that holds an event twice",
        requirement="The guide's example list holds one event twice, identical (vendor's webhook guide).",
        expected="200: there is no event id, and equal events are no error",
        examine=_equal_events,
        fix="Let a repeated event be left out or counted, but not fail the list.",
        example="INSERT INTO events … ON CONFLICT DO NOTHING",
    ),
    Rule(
        id="stores-identical-events",
        family="batch",
        level="must",
        title="Keeps at least one of two equal events, and their neighbours",
        requirement="The guide's example list holds one event twice, identical (vendor's webhook guide).",
        expected="the equal events kept once or twice, all others once",
        needs=("probe",),
        examine=_equal_events_kept,
        fix="Look for repetitions event by event, and store what is left.",
        example="INSERT INTO events … ON CONFLICT DO NOTHING",
        not_covered="Whether equal events should be counted once or twice: nobody says whether they are two acts.",
    ),
    Rule(
        id="handles-concurrent-batches",
        family="batch",
        level="must",
        title="Processes lists that come at the same moment",
        requirement="Each type has a webhook of its own (vendor's webhook guide), and no webhook waits for another "
        "(assumed).",
        expected="each event of three webhooks' lists processed once",
        needs=("probe",),
        examine=_at_once,
        assumes=("list", "retry", "parallel"),
        depends_on=("handles-new-connections", "accepts-small-batch-after-full", "stores-every-event"),
        fix="Keep nothing of a request where the next one finds it, such as in a variable of the module or the "
        "application, and let the database wait for its locks. Leave out no list because another one is in work.",
        example="events = await request.json()  # and not self.events",
        not_covered="A race that these lists happened not to hit.",
    ),
    Rule(
        id="accepts-mixed-mailings",
        family="batch",
        level="must",
        title="Takes a list with events of several mailings",
        requirement=f"{_LIST} A webhook carries one type, of all mailings and recipient lists of its client.",
        expected="200 to a list with events of six mailings and three recipient lists",
        examine=_mixed,
        fix="Take mailingId and userListId from each event, not from the first of a list.",
        example="for event in events: mailing = mailings[event['mailingId']]",
    ),
    Rule(
        id="stores-mixed-mailings",
        family="batch",
        level="must",
        title="Processes a list with events of several mailings",
        requirement=f"{_LIST} A webhook carries one type, of all mailings and recipient lists of its client.",
        expected="every event processed once, with its own mailingId and userListId",
        needs=("probe",),
        examine=_mixed_kept,
        depends_on=("stores-every-event",),
        fix="Take mailingId and userListId from each event, not from the first of a list.",
        example="for event in events: mailing = mailings[event['mailingId']]",
    ),
)
