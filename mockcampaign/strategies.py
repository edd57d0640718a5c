"""Events as Hypothesis strategies, for property tests of consumers.

    from hypothesis import given
    from mockcampaign.strategies import batches

    @given(batches(type="click"))
    def test_my_hook(batch): ...

An event is a dict, as `json.loads` gives it. Events are realistic, from a few drawn seeds for a whole list, and shrink
to the vendor's own example. The `wild_*` variants put a drawn list of edits on top: each is one thing that a consumer
may meet and most never tried, and a failing test shrinks to the edits that matter. They stay valid against
`mockcampaign schema events`.

Any field can be pinned, to a value or a strategy: `clicks(device="mobile", mailingId=st.integers(1, 9))`. Pinned fields
are never edited. An unknown type or field raises `InvalidInputError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import values
from mockcampaign.events.dice import Dice, Mix
from mockcampaign.events.fields import BATCH_EVENTS_MAX, EXAMPLE, FIELDS, INT64_MAX, TYPES
from mockcampaign.events.generator import Generator
from mockcampaign.events.payload import BOUNCES, DETAILS, SHOWING_TRACES, Mails
from mockcampaign.events.people import Audience, person_address
from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, DEFAULT_START, HOUR, MINUTE, SECOND

Event = dict[str, Any]
Pins = dict[str, Any]

EDITS_MAX = 6
"""Most edits of one drawn list."""

RECIPIENTS_MAX = 100
"""Most recipients of a drawn mailing."""

LIVELY = Rates(opening=0.7, clicking=0.5, unsubscribing=0.05, complaining=0.05, hard_bouncing=0.05, scanned=0.05)
"""Rates of the mailings that `mailings` draws: few recipients do much. Ours."""

_SEEDS = st.integers(0, 0xFFFF)
_TYPES = st.sampled_from(EventType)
_DICE = Dice("strategies", "events")
_ADDRESSES = (EXAMPLE["remoteAddress"], "192.0.2.1", "2001:db8::1")
_CLIENTS = (
    (EXAMPLE["device"], EXAMPLE["operatingSystem"], EXAMPLE["browser"]),
    *dict.fromkeys(client for _, (_, client) in values.MAILBOXES),
    values.GOOGLE_PROXY,
    values.PRIVACY_PROXY,
)
_MIX = Mix([*[(weight, client) for weight, (_, client) in values.MAILBOXES], (4000, values.GOOGLE_PROXY)])
"""Small numbers stand for these values in all events of a list, so that a failing test shrinks to one of them."""


def events(type: EventType | str | None = None, **pins: Any) -> SearchStrategy[Event]:  # noqa: A002
    """One event, of any type unless it is named."""
    return _one(type, pins, wild=False)


def opens(**pins: Any) -> SearchStrategy[Event]:
    """One open."""
    return events(EventType.OPEN, **pins)


def clicks(**pins: Any) -> SearchStrategy[Event]:
    """One click."""
    return events(EventType.CLICK, **pins)


def sents(**pins: Any) -> SearchStrategy[Event]:
    """One mail's being sent."""
    return events(EventType.SENT, **pins)


def bounces(**pins: Any) -> SearchStrategy[Event]:
    """One bounce, hard or soft."""
    return events(EventType.BOUNCE, **pins)


def unsubscribes(**pins: Any) -> SearchStrategy[Event]:
    """One unsubscription."""
    return events(EventType.UNSUBSCRIBE, **pins)


def spamcomplaints(**pins: Any) -> SearchStrategy[Event]:
    """One complaint."""
    return events(EventType.SPAMCOMPLAINT, **pins)


def singleoptins(**pins: Any) -> SearchStrategy[Event]:
    """One single opt-in."""
    return events(EventType.SINGLEOPTIN, **pins)


def confirmedoptins(**pins: Any) -> SearchStrategy[Event]:
    """One confirmed opt-in."""
    return events(EventType.CONFIRMEDOPTIN, **pins)


def doubleoptins(**pins: Any) -> SearchStrategy[Event]:
    """One double opt-in."""
    return events(EventType.DOUBLEOPTIN, **pins)


def blocklists(**pins: Any) -> SearchStrategy[Event]:
    """One entry in the blocklist."""
    return events(EventType.BLOCKLIST, **pins)


def archives(**pins: Any) -> SearchStrategy[Event]:
    """One archived mail."""
    return events(EventType.ARCHIVE, **pins)


def filteredbyblocklists(**pins: Any) -> SearchStrategy[Event]:
    """One mail that was not sent because of the blocklist."""
    return events(EventType.FILTEREDBYBLOCKLIST, **pins)


def batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """A list as a webhook receives it: all events of one type, of any one if `type` is None."""
    return _batches(min_size, max_size, type, pins, wild=False)


def mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """All events of a small mailing in order of time, types mixed."""
    return _mailings(max_recipients, rates, pins, wild=False)


def wild_events(type: EventType | str | None = None, **pins: Any) -> SearchStrategy[Event]:  # noqa: A002
    """One event with oddities, of any type unless it is named: `wild_events("bounce")`."""
    return _one(type, pins, wild=True)


def wild_opens(**pins: Any) -> SearchStrategy[Event]:
    """One open with oddities."""
    return wild_events(EventType.OPEN, **pins)


def wild_clicks(**pins: Any) -> SearchStrategy[Event]:
    """One click with oddities."""
    return wild_events(EventType.CLICK, **pins)


def wild_batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """A list with oddities, also of one event to the next: equal and backward times, twins, events three days old."""
    return _batches(min_size, max_size, type, pins, wild=True)


def wild_mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """All events of a small mailing, with oddities."""
    return _mailings(max_recipients, rates, pins, wild=True)


# Realistic events


class _Seeds(msgspec.Struct, frozen=True):
    """What a list of events is made from. 0 stands for the vendor's example, small numbers for other constants."""

    who: int
    where: int
    client: int
    when: int
    detail: int


@lru_cache(maxsize=32)
def _mails(number: int) -> Mails:
    audience = Audience(f"strategies:{number}")
    return Mails(audience, DEFAULT_CLIENT_ID, audience.mailing_id(0))


def _event(kind: EventType, seeds: _Seeds, index: int) -> Event:
    created = EXAMPLE["created"] + index
    if seeds.when:
        moment = _DICE.throw(seeds.when << 16 | index)[0]
        created = DEFAULT_START + seeds.when * MINUTE + index * SECOND + moment % SECOND
    detail = 0
    if seeds.detail and kind in DETAILS:
        detail = _DICE.throw(1 << 32 | seeds.detail << 16 | index)[0] % DETAILS[kind]
    if seeds.who:
        # Here and there one mail is acted on twice.
        recipient = seeds.who + index - index // 6
        payloads = _mails(seeds.who % 32).payloads(kind)
        event: Event = msgspec.json.decode(
            payloads.payload(created, recipient % values.LISTS, recipient, detail=detail)
        )
    else:
        event = _like_example(kind, index, created, detail)
    if kind in SHOWING_TRACES:
        event["remoteAddress"] = _address(seeds.where, index)
        event["device"], event["operatingSystem"], event["browser"] = _client(seeds.client, index)
    return event


def _like_example(kind: EventType, index: int, created: int, detail: int) -> Event:
    event = {name: EXAMPLE[name] for name in TYPES[kind]}
    event["type"] = kind.value
    event["created"] = created
    if index:
        event["recipientId"] = str(int(EXAMPLE["recipientId"]) + index)
        event["mailId"] = f"{EXAMPLE['mailId'][:-3]}{index:03}"
    if kind is EventType.CLICK:
        event["linkId"] += detail
        event["linkUrl"] = values.LINK_URL + values.LINKS[detail]
    elif kind is EventType.BOUNCE:
        event["bounceType"] = BOUNCES[detail]
    return event


def _address(seed: int, index: int) -> str:
    if seed < len(_ADDRESSES):
        return _ADDRESSES[seed]
    return person_address(_DICE.throw(2 << 32 | seed << 16 | index))


def _client(seed: int, index: int) -> values.Client:
    if seed < len(_CLIENTS):
        return _CLIENTS[seed]
    return _MIX.choose(_DICE.throw(3 << 32 | seed << 16 | index)[0])


def _one(kind: EventType | str | None, pins: Pins, *, wild: bool) -> SearchStrategy[Event]:
    return _batches(1, 1, kind, pins, wild=wild).map(lambda batch: batch[0])


def _batches(
    min_size: int, max_size: int, kind: EventType | str | None, pins: Pins, *, wild: bool
) -> SearchStrategy[list[Event]]:
    if not 0 <= min_size <= max_size <= BATCH_EVENTS_MAX:
        raise InvalidInputError(
            f"batches of {min_size} to {max_size} events, allowed: 0 to {BATCH_EVENTS_MAX}, the smaller first"
        )
    named = None if kind is None else _kind(kind)
    return _drawn_batch(min_size, max_size, named, _pins(pins, named), wild)


@st.composite
def _drawn_batch(
    draw: DrawFn, min_size: int, max_size: int, named: EventType | None, pins: Pins, wild: bool
) -> list[Event]:
    kind = draw(_TYPES) if named is None else named
    size = min_size if min_size == max_size else draw(st.integers(min_size, max_size))
    person = kind in SHOWING_TRACES
    seeds = _Seeds(
        draw(_SEEDS),
        draw(_SEEDS) if person else 0,
        draw(_SEEDS) if person else 0,
        draw(_SEEDS),
        draw(_SEEDS) if kind in DETAILS else 0,
    )
    return _finished(draw, [_event(kind, seeds, index) for index in range(size)], pins, wild)


def _mailings(max_recipients: int, rates: Rates, pins: Pins, *, wild: bool) -> SearchStrategy[list[Event]]:
    if not 1 <= max_recipients <= RECIPIENTS_MAX:
        raise InvalidInputError(f"mailings to {max_recipients} recipients, allowed: 1 to {RECIPIENTS_MAX}")
    return _drawn_mailing(max_recipients, rates, _pins(pins, None), wild)


@st.composite
def _drawn_mailing(draw: DrawFn, max_recipients: int, rates: Rates, pins: Pins, wild: bool) -> list[Event]:
    recipients = draw(st.integers(1, max_recipients))
    seed = draw(_SEEDS)
    mailing = Generator(f"strategies:{seed}", DEFAULT_CLIENT_ID).mailing(recipients, DEFAULT_START, rates=rates)
    return _finished(draw, [msgspec.json.decode(occurrence.payload()) for occurrence in mailing], pins, wild)


def _finished(draw: DrawFn, made: list[Event], pins: Pins, wild: bool) -> list[Event]:
    for event in made:
        for name, pin in pins.items():
            if name in event:
                event[name] = draw(pin) if isinstance(pin, SearchStrategy) else pin
    if wild and made:
        for position, edit, value in draw(_edits(frozenset(pins), many=len(made) > 1)):
            edit(made, position % len(made), value)
    return made


def _kind(kind: EventType | str) -> EventType:
    if kind not in list(EventType):
        raise InvalidInputError(f"type {kind!r} is unknown, allowed: {', '.join(EventType)}")
    return EventType(kind)


def _pins(pins: Pins, kind: EventType | None) -> Pins:
    allowed = FIELDS if kind is None else TYPES[kind]
    for name in pins:
        if name not in allowed or name == "type":
            raise InvalidInputError(
                f"field {name!r} cannot be pinned, allowed: {', '.join(field for field in allowed if field != 'type')}"
            )
    return pins


# Edits: each changes one event of a list, or its relation to its neighbour.

Edit = Callable[[list[Event], int, Any], None]
Edits = SearchStrategy[list[tuple[int, Edit, Any]]]
"""A list of: which event, what to do with it, and what with."""


def _drop(made: list[Event], index: int, name: str) -> None:
    made[index].pop(name, None)


def _set(made: list[Event], index: int, value: tuple[str, Any]) -> None:
    name, content = value
    if name in made[index]:
        made[index][name] = content


def _add(made: list[Event], index: int, value: tuple[str, Any]) -> None:
    name, content = value
    made[index].setdefault(name, deepcopy(content))


def _twin(made: list[Event], index: int, value: None) -> None:
    if index:
        made[index] = dict(made[index - 1])


def _move(made: list[Event], index: int, duration: int) -> None:
    """Relative to the event before: 0 is the same millisecond, below is back in time."""
    if index:
        made[index]["created"] = made[index - 1]["created"] + duration


def _age(made: list[Event], index: int, duration: int) -> None:
    made[index]["created"] = max(event["created"] for event in made) - duration


# What the edits choose from, the simplest first.

_OPTIONAL = tuple(name for name, field in FIELDS.items() if field.optional)
_NUMBERS = ("userListId", "clientId", "mailingId", "subscriptionId", "linkId")
_NAMES = ("device", "operatingSystem", "browser")
_ODD_TEXTS = (
    *(
        "",
        " ",
        "unknown",
        "0",
        "null",
        "Windows 95",
        "Toaster 1.0",
        "x" * 300,
        "a\nb",
        "a\u0000b",
        "\ufeffa",
        "\u202eabc",
    ),
    *("<script>alert(1)</script>", "'; DROP TABLE events; --", "Ω≈ç", "Ubuntu Тихий", "浏览器", "متصفح", "cafe\u0301"),
    *("\U0001f4f1", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u2028"),
)
_ODD_RECIPIENTS = (
    *("0", "007", "anna@example.com", "anna.meier+news@example.com", "KD-004711", "9007199254740993"),
    *("anna@mañana.example", "山田@example.com", "a" * 64 + "@example.com", "\U0001f4e7", "O'Neil", " 12 "),
)
_ODD_ADDRESSES = (
    "2001:db8::1",
    "::1",
    "::",
    "::ffff:192.0.2.1",
    "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "255.255.255.255",
)
_ODD_NUMBERS = (0, 1, 2**31, 2**32, 2**53, 2**53 + 1, INT64_MAX)
_ODD_FIELDS = ("extra", "user-agent", "remoteAddress2", "__proto__", "constructor", "id", "Type", "größe", "")
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**63 - 1,
    "",
    "text",
    [],
    {},
    [1, [2, [3]]],
    {"a": {"b": None}},
)


@lru_cache(maxsize=128)
def _edits(pinned: frozenset[str], *, many: bool) -> Edits:
    """Lists of edits, none of which touches a pinned field. Simple ones first: that is where they shrink to."""
    optional = [name for name in _OPTIONAL if name not in pinned]
    names = [name for name in _NAMES if name not in pinned]
    choices: list[tuple[Edit, Sequence[Any]]] = [
        (_drop, optional),
        (_set, [(name, None) for name in optional]),
        (_set, [("remoteAddress", address) for address in _ODD_ADDRESSES if "remoteAddress" not in pinned]),
        (_set, [(name, text) for text in _ODD_TEXTS for name in names]),
        (_set, [("recipientId", text) for text in _ODD_RECIPIENTS if "recipientId" not in pinned]),
        (_set, [(name, number) for number in _ODD_NUMBERS for name in _NUMBERS if name not in pinned]),
        (_add, [(name, value) for value in _ODD_VALUES for name in _ODD_FIELDS]),
    ]
    if many:
        choices.append((_twin, [None]))
        if "created" not in pinned:
            choices += [(_move, (0, -1, -SECOND, -HOUR)), (_age, (3 * DAY - 10 * SECOND, 3 * DAY - HOUR, 2 * DAY))]
    positions = st.integers(0, BATCH_EVENTS_MAX - 1) if many else st.just(0)
    kinds = [st.tuples(positions, st.just(edit), st.sampled_from(one)) for edit, one in choices if one]
    if names:
        named = st.tuples(st.sampled_from(names), st.text(max_size=40))
        kinds.append(st.tuples(positions, st.just(_set), named))
    return st.lists(st.one_of(kinds), max_size=EDITS_MAX)
