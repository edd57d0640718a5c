"""Batches: every size that Campaign sends is accepted, and every event is stored."""

from __future__ import annotations

import string
from collections.abc import Awaitable, Callable

from mockcampaign import json_text
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.examined import Examined, failed, passed
from mockcampaign.check.rule import Rule
from mockcampaign.judging.fact import (
    Reply,
    Response,
    SmallestRejected,
    Stimulus,
    StoreAgrees,
    StoredPositions,
    replies,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import TimedOut
from mockcampaign.shape.field import TRAITS, Event, EventField, Role, value_at, with_value

SIZES = (1, 2, 3, 99, 100)

_BATCH = "Events arrive in batches, JSON lists of at most 100 (vendor's webhook guide)."

_ALL_SIZES = Stimulus(situation=Situation.BATCH_SIZES, sizes=SIZES)


def _of(events: list[Event]) -> Stimulus:
    return Stimulus(situation=Situation.BATCH, events=len(events))


async def _accepts_every_size(bench: Bench) -> Examined:
    sizes: dict[tuple[Reply, ...], list[int]] = {}
    for size in SIZES:
        events = bench.events(size)
        delivery = await bench.deliver(events, attempts=2)
        response = delivery.response(_of(events))
        if isinstance(delivery.last, TimedOut):
            return failed(response, batches=[events])
        if not delivery.accepted:
            smallest = await _smallest(bench, events, lambda count: bench.events(count), size, _is_rejected)
            return failed(response, SmallestRejected(events=len(smallest)), batches=[smallest])
        sizes.setdefault(replies(delivery.outcomes), []).append(size)
    # Those that only a retry got through first: the rule must not claim that they were accepted at once.
    return passed(
        *(
            Response(to=Stimulus(situation=Situation.BATCH_SIZES, sizes=tuple(some)), replies=replied)
            for replied, some in sorted(sizes.items(), key=lambda item: -len(item[0]))
        )
    )


async def _is_rejected(bench: Bench, events: list[Event]) -> bool:
    return not (await bench.deliver(events)).accepted


async def _is_lost(bench: Bench, events: list[Event]) -> bool:
    accepted = (await bench.deliver(events, attempts=2)).accepted
    return accepted and await bench.store.loss_of(events) is not None


async def _smallest(
    bench: Bench,
    wrong: list[Event],
    make: Callable[[int], list[Event]],
    most: int,
    is_wrong: Callable[[Bench, list[Event]], Awaitable[bool]],
) -> list[Event]:
    """Return the first batch that goes wrong among those that `make` makes of 1, 2 … `most` events; the last one does.

    Halves the range: where one of them goes wrong, so do all after it.
    """
    right = 0
    while most - right > 1:
        middle = (right + most) // 2
        events = make(middle)
        if await is_wrong(bench, events):
            wrong, most = events, middle
        else:
            right = middle
    return wrong


ACCEPTS_EVERY_BATCH_SIZE = Rule(
    id="accepts-every-batch-size",
    family="batch",
    level="must",
    title="Accepts batches of 1 to 100 events",
    requirement=_BATCH,
    expected="200 to batches of 1, 2, 3, 99 and 100 events",
    needs=("batches",),
    examine=_accepts_every_size,
    assumes=("batch", "retry", "parallel"),
    depends_on=("accepts-small-batch-after-full",),
    fix="Raise the limit on body size or on the number of events: a full batch of ordinary events has 35,000 bytes.",
    example="app.config['MAX_CONTENT_LENGTH'] = 1_000_000",
)


async def _stores_every_event(bench: Bench) -> Examined:
    for size in SIZES:
        events = bench.events(size)
        delivery = await bench.deliver(events, attempts=2)
        if not delivery.accepted:
            continue
        difference = await bench.store.difference()
        if difference:
            return failed(
                delivery.response(_of(events)),
                difference.seen(_of(events)),
                *await _stored_positions(bench, events),
                batches=[events],
            )
    return passed(StoreAgrees(after=_ALL_SIZES))


async def _stored_positions(bench: Bench, events: list[Event]) -> list[StoredPositions]:
    """Return which of the events were stored, if the probe reports that."""
    stored = await bench.store.stored()
    if isinstance(stored, int):
        return []
    mails = {bench.shape.key(event) for event in stored}
    positions = tuple(number for number, event in enumerate(events, 1) if bench.shape.key(event) in mails)
    return [StoredPositions(events=len(events), stored=positions)] if len(positions) < len(events) else []


STORES_EVERY_EVENT = Rule(
    id="stores-every-event",
    family="batch",
    level="must",
    title="Stores every event of a batch",
    requirement=_BATCH,
    expected="each event of batches of 1, 2, 3, 99 and 100 events stored once",
    needs=("probe", "batches"),
    examine=_stores_every_event,
    assumes=("batch", "retry", "parallel"),
    fix="Store every element of the batch: look for a return inside the loop, a limit, a slice or a bound that is off "
    "by one.",
    example="for event in request.json(): store(event)",
)


_LONG = (Role.RECIPIENT, Role.OPERATING_SYSTEM, Role.BROWSER, Role.TEXT, Role.LINK)
"""Roles of text that make events long."""


def _long_fields(bench: Bench) -> list[EventField]:
    return [field for field in bench.shape.of(*_LONG) if field.is_text]


def _with_texts(bench: Bench, texts: dict[Role, str]) -> Event:
    """Return an event whose text fields contain these texts."""
    event = bench.event()
    for field in _long_fields(bench):
        event = with_value(event, field.path, texts[field.role])
    return event


def _long_events(bench: Bench, count: int) -> list[Event]:
    """Return events that are long, but not unusual."""
    return [
        _with_texts(
            bench,
            {
                Role.RECIPIENT: f"{bench.random.randrange(10**30)}.{'long-name-' * 6}@customers.example.com",
                Role.OPERATING_SYSTEM: "Windows Subsystem for Android, version 2204.40000.20.0, build 22621.1992",
                Role.BROWSER: "Chrome Mobile WebView 101.0.4951.61 within an application such as a mail client",
                Role.TEXT: "A subject of ordinary length, as people write it for a newsletter in autumn",
                Role.LINK: f"https://www.example.com/{'offer-' * 20}",
            },
        )
        for _ in range(count)
    ]


async def _accepts_large(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(100))
    if bench.store.has_probe:
        await must_store(bench, 3)
    return await _accepts(bench, lambda count: _long_events(bench, count))


async def _accepts(bench: Bench, make: Callable[[int], list[Event]], count: int = 100) -> Examined:
    """Return whether the consumer accepts a batch of so many events and stores them, or from which size on not."""
    events = make(count)
    delivery = await bench.deliver(events, attempts=2)
    size = Stimulus(situation=Situation.LONG_EVENTS, events=count, body_bytes=len(bench.body_of(events)))
    response = delivery.response(size)
    loss = await bench.store.loss_of(events) if delivery.accepted and bench.store.has_probe else None
    if delivery.accepted and loss is None:
        return passed(response)
    if isinstance(delivery.last, TimedOut):
        return failed(response, batches=[events])
    is_wrong = _is_rejected if loss is None else _is_lost
    fewest = await _smallest(bench, events, make, count, is_wrong)

    fields = _long_fields(bench)

    def shorter(longest: int) -> list[Event]:
        return [
            bench.shape.put_all(event, [(field, str(value_at(event, field.path))[:longest]) for field in fields])
            for event in make(len(fewest))
        ]

    most = max((len(str(value_at(fewest[0], field.path))) for field in fields), default=1)
    smallest = await _smallest(bench, fewest, shorter, most, is_wrong)
    field, characters = await _too_long(bench, smallest, is_wrong)
    reduced = SmallestRejected(
        events=len(smallest),
        body_bytes=len(bench.body_of(smallest)),
        lost=loss is not None,
        field=field,
        characters=characters,
    )
    return failed(response, *(() if loss is None else (loss.seen(size),)), reduced, batches=[smallest])


async def _too_long(
    bench: Bench, smallest: list[Event], is_wrong: Callable[[Bench, list[Event]], Awaitable[bool]]
) -> tuple[str, int]:
    """Return the name of the field whose text alone makes an event go wrong, and its length; "" if none does."""
    if len(smallest) == 1:
        for field in _long_fields(bench):
            text = str(value_at(smallest[0], field.path))
            if await is_wrong(bench, [with_value(bench.event(), field.path, text)]):
                return field.name, len(text)
    return "", 0


ACCEPTS_LARGE_BATCH = Rule(
    id="accepts-large-batch",
    family="batch",
    level="must",
    title="Accepts a full batch of long events",
    requirement=f"{_BATCH} 100 events with long but ordinary texts take about 60,000 bytes (assumed).",
    expected="200 to 100 events of the longest realistic size, and each of them stored",
    assumes=("batch", "fields"),
    needs=("batches",),
    is_counted=True,
    examine=_accepts_large,
    depends_on=("accepts-every-batch-size", "accepts-small-batch-after-full"),
    fix="Raise the limit on body size, in the application and in every proxy before it.",
    example="express.json({limit: '1mb'})",
)


_HOST_LETTERS = string.ascii_lowercase + string.digits
_LETTERS = string.ascii_letters + string.digits

_WIDE = "".join(map(chr, (*range(0x4E00, 0x9FA6), *range(0xAC00, 0xD7A4))))
"""Characters that take three bytes each: Chinese and Korean, without any that normal forms change."""

BODY_LIMITS = (2**16, 2**20)
"""Bytes at which columns, buffers and proxies end, such as MySQL's TEXT."""

SHORTEST = 30
"""Characters that stay of a text that is shortened."""

WIDE_EVENTS = 3
"""Number of events whose texts take the most bytes."""


def _drawn(bench: Bench, letters: str, length: int) -> str:
    """Return text that no compression shortens much: databases compress what one letter repeated would hide."""
    return "".join(bench.random.choices(letters, k=length))


def _longest_events(bench: Bench, count: int, letters: str = _LETTERS) -> list[Event]:
    """Return events with the longest legal texts; `letters` are those of names."""
    names = (Role.OPERATING_SYSTEM, Role.BROWSER, Role.TEXT)

    def texts() -> dict[Role, str]:
        domain = ".".join(_drawn(bench, _HOST_LETTERS, length) for length in (63, 63, 57))
        link = "https://www.example.com/"
        return {
            Role.RECIPIENT: f"{_drawn(bench, _LETTERS, 64)}@{domain}",
            **{role: _drawn(bench, letters, bench.lengths.names) for role in names},
            Role.LINK: link + _drawn(bench, _LETTERS, bench.lengths.links - len(link)),
        }

    return [_with_texts(bench, texts()) for _ in range(count)]


def _of_size(bench: Bench, body_bytes: int) -> list[Event] | None:
    """Return events whose body has exactly so many bytes, or None if no batch is that large, or every event larger."""
    events: list[Event] = []
    size = len(bench.body_of([]))
    while size < body_bytes:
        if len(events) == bench.shape.body.events_max:
            return None
        events += _longest_events(bench, 1)
        size += len(json_text.encode(events[-1])) + (len(events) > 1)
    surplus = size - body_bytes
    for index, event in enumerate(events):
        for field in _long_fields(bench):
            text = str(value_at(event, field.path))
            # What is cut off is ASCII, and the beginning of a link stays.
            kept = max(len(text) - surplus, min(len(text), SHORTEST))
            surplus -= len(text) - kept
            event = with_value(event, field.path, text[:kept])
        events[index] = event
        if not surplus:
            return events
    return None


async def _accepts_largest(bench: Bench) -> Examined:
    await must_deliver(bench, _long_events(bench, 100))
    if bench.store.has_probe:
        await must_store(bench, 3)
    examined = await _accepts(bench, lambda count: _longest_events(bench, count))
    if not examined.holds:
        return examined
    widest = await _accepts(bench, lambda count: _longest_events(bench, count, _WIDE), WIDE_EVENTS)
    if not widest.holds:
        return widest
    largest = len(bench.body_of(_longest_events(bench, 1))) * bench.shape.body.events_max
    for body_bytes in (size for limit in BODY_LIMITS if limit < largest for size in (limit - 1, limit)):
        events = _of_size(bench, body_bytes)
        if events is None:
            continue
        delivery = await bench.deliver(events, attempts=2)
        stimulus = Stimulus(situation=Situation.LONG_EVENTS, events=len(events), body_bytes=body_bytes)
        loss = await bench.store.loss_of(events) if delivery.accepted and bench.store.has_probe else None
        if not delivery.accepted or loss is not None:
            seen = () if loss is None else (loss.seen(stimulus),)
            return failed(delivery.response(stimulus), *seen, batches=[events])
    return examined


ACCEPTS_LARGEST_BATCH = Rule(
    id="accepts-largest-batch",
    family="batch",
    level="must",
    title="Accepts 100 events with the longest legal fields",
    requirement=f"{_BATCH} An address has up to 254 characters (RFC 5321). That names of devices, systems and browsers "
    "have up to 255 characters and links up to 2,000 is assumed.",
    expected="200 and each event stored, since a batch that is rejected for its size blocks its webhook for three days",
    assumes=("batch", "lengths", "discard"),
    needs=("batches",),
    is_counted=True,
    examine=_accepts_largest,
    depends_on=("accepts-every-batch-size", "accepts-large-batch"),
    fix="Raise the limit on body size to 1 MB, in the application and in every proxy before it, and make columns 255 "
    "characters wide. Store whole batches in a column without a limit (LONGTEXT), and put a unique index on a hash of "
    "the event, not on its texts.",
    example="express.json({limit: '1mb'})",
)


async def _accepts_identical(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    event = bench.event(bench.values_of(bench.shape.examples[0], *TRAITS))
    delivery = await bench.deliver([event, dict(event)], attempts=2)
    response = delivery.response(Stimulus(situation=Situation.IDENTICAL_EVENTS))
    return passed(response) if delivery.accepted else failed(response, batches=[[event, event]])


ACCEPTS_IDENTICAL_EVENTS = Rule(
    id="accepts-identical-events",
    family="batch",
    level="must",
    title="Accepts a batch that contains two identical events",
    requirement="The guide's example batch contains one event twice, identical (vendor's webhook guide).",
    expected="200: there is no event id, and identical events are no error",
    needs=("batches",),
    examine=_accepts_identical,
    fix="Skip a repeated event, or store it twice, but do not fail the batch: a unique index must not raise an error.",
    example="INSERT INTO events … ON CONFLICT DO NOTHING",
    about="responses",
)


async def _stores_identical(bench: Bench) -> Examined:
    await must_store(bench, 4)
    first, event, last = bench.events(3)
    await must_deliver(bench, [first, event, dict(event), last])
    among = Stimulus(situation=Situation.IDENTICAL_EVENTS_AMONG_OTHERS)
    difference = await bench.store.difference()
    if difference:
        return failed(difference.seen(among), batches=[[first, event, event, last]])
    return passed(StoreAgrees(after=among))


STORES_IDENTICAL_EVENTS = Rule(
    id="stores-identical-events",
    family="batch",
    level="must",
    title="Stores identical events at least once, and their neighbours",
    requirement="The guide's example batch contains one event twice, identical (vendor's webhook guide).",
    expected="the identical events stored once or twice, all others once",
    needs=("probe", "batches"),
    examine=_stores_identical,
    fix="Deduplicate event by event, and store the rest of the batch.",
    example="INSERT INTO events … ON CONFLICT DO NOTHING",
    not_covered="Whether identical events should be stored once or twice: no source says whether they are two opens.",
)


async def _handles_concurrent(bench: Bench) -> Examined:
    await must_store(bench, 5)
    sizes = (1, 5, 40)
    for size in sizes:
        batches = [bench.events(size) for _ in range(3)]
        concurrent = Stimulus(situation=Situation.CONCURRENT_BATCHES, sizes=(size,))
        delivery = await bench.deliver_concurrently(batches, attempts=5)
        if not delivery.accepted:
            return failed(delivery.response(concurrent))
        difference = await bench.store.difference()
        if difference:
            return failed(difference.seen(concurrent))
    return passed(StoreAgrees(after=Stimulus(situation=Situation.CONCURRENT_BATCHES, sizes=sizes)))


HANDLES_CONCURRENT_BATCHES = Rule(
    id="handles-concurrent-batches",
    family="batch",
    level="must",
    title="Handles batches that arrive at the same moment",
    requirement="Each type has a webhook of its own (vendor's webhook guide), and no webhook waits for another "
    "(assumed).",
    expected="each event of three webhooks' batches stored once",
    needs=("probe",),
    examine=_handles_concurrent,
    assumes=("batch", "retry", "parallel"),
    depends_on=("handles-new-connections", "accepts-small-batch-after-full", "stores-every-event"),
    fix="Do not keep request data in global, module-level or application-level variables: parallel requests overwrite "
    "it. Use one database connection and transaction for each request, and wait for locks instead of skipping a "
    "batch.",
    example="events = await request.json()  # and not self.events",
    not_covered="A race that these batches happened not to hit.",
)


def _of_several_mailings(bench: Bench) -> list[Event]:
    return [
        bench.event(
            {Role.MAILING: bench.mailing(10 * number), Role.RECIPIENT_LIST: bench.recipient_list(number % 3 + 4)}
        )
        for number in range(6)
    ]


_MIXED = Stimulus(situation=Situation.MIXED_MAILINGS)
_MIXED_REQUIREMENT = f"{_BATCH} A webhook carries one type, for all mailings and recipient lists of its client."
_MIXED_FIX = "Take mailing and recipient list from each event, not from the first one of a batch."
_MIXED_EXAMPLE = "for event in events: mailing = mailing_of(event)"


async def _accepts_mixed(bench: Bench) -> Examined:
    bench.require(Role.MAILING)
    await must_deliver(bench, bench.events(2))
    mixed = _of_several_mailings(bench)
    delivery = await bench.deliver(mixed, attempts=2)
    response = delivery.response(_MIXED)
    return passed(response) if delivery.accepted else failed(response, batches=[mixed])


ACCEPTS_MIXED_MAILINGS = Rule(
    id="accepts-mixed-mailings",
    family="batch",
    level="must",
    title="Accepts a batch with events of several mailings",
    requirement=_MIXED_REQUIREMENT,
    expected="200 to a batch with events of six mailings and three recipient lists",
    needs=("batches",),
    examine=_accepts_mixed,
    fix=_MIXED_FIX,
    example=_MIXED_EXAMPLE,
)


async def _stores_mixed(bench: Bench) -> Examined:
    bench.require(Role.MAILING)
    await must_store(bench, 6)
    mixed = _of_several_mailings(bench)
    await must_deliver(bench, mixed)
    difference = await bench.store.difference()
    return failed(difference.seen(_MIXED), batches=[mixed]) if difference else passed(StoreAgrees(after=_MIXED))


STORES_MIXED_MAILINGS = Rule(
    id="stores-mixed-mailings",
    family="batch",
    level="must",
    title="Stores every event of a batch with several mailings",
    requirement=_MIXED_REQUIREMENT,
    expected="every event stored once, with its own mailing and recipient list",
    needs=("probe", "batches"),
    examine=_stores_mixed,
    depends_on=("stores-every-event",),
    fix=_MIXED_FIX,
    example=_MIXED_EXAMPLE,
)

BATCH = (
    ACCEPTS_EVERY_BATCH_SIZE,
    STORES_EVERY_EVENT,
    ACCEPTS_LARGE_BATCH,
    ACCEPTS_LARGEST_BATCH,
    ACCEPTS_IDENTICAL_EVENTS,
    STORES_IDENTICAL_EVENTS,
    HANDLES_CONCURRENT_BATCHES,
    ACCEPTS_MIXED_MAILINGS,
    STORES_MIXED_MAILINGS,
)
