"""Events as Hypothesis strategies: the values they draw and reach, and to which a failing test shrinks."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import find as find_with_settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockcampaign import strategies
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import event_schema
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, INT64_MAX, SECOND
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES, DEFAULTS, FIELDS, builtin_shape
from mockcampaign.shape.field import leaves
from mockcampaign.strategies import Event, batches, clicks, events, mailings, opens, wild_batches, wild_events

VALIDATOR = jsonschema.Draft202012Validator(event_schema(), format_checker=jsonschema.FormatChecker())
ONE_OF_EACH: dict[EventType, Callable[..., Any]] = {kind: getattr(strategies, f"{kind}s") for kind in EventType} | {
    EventType.UNSUBSCRIBE: strategies.unsubscribes,
}
SIMPLEST = {kind: builtin_shape(kind).examples[0] for kind in EventType}
QUICK = settings(max_examples=25, deadline=None, derandomize=True)


def find(strategy: SearchStrategy[Any], condition: Callable[[Any], bool] = lambda _: True) -> Any:
    """Return the simplest example. No database, because it distinguishes conditions by their source alone."""
    return find_with_settings(
        strategy, condition, settings=settings(max_examples=2_000, database=None, deadline=None, derandomize=True)
    )


def check_valid(batch: list[Event]) -> None:
    """The events arrive at a consumer unchanged."""
    VALIDATOR.validate(batch)
    assert json.loads(json.dumps(batch)) == batch


@pytest.mark.parametrize("kind", EventType)
def test_there_is_a_strategy_for_each_type(kind: EventType) -> None:
    @QUICK
    @given(ONE_OF_EACH[kind]())
    def check(event: Event) -> None:
        assert (event["type"], tuple(path for path, _ in leaves(event))) == (kind, DEFAULTS[kind])
        check_valid([event])

    check()


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in (EventType.OPEN, EventType.CLICK) else pytest.param(kind, marks=pytest.mark.slow)
        for kind in EventType
    ],
)
def test_the_simplest_event_is_the_vendors_example(kind: EventType) -> None:
    assert find(ONE_OF_EACH[kind]()) == SIMPLEST[kind]
    assert find(wild_events(kind)) == SIMPLEST[kind]


def test_events_are_of_any_type_by_default() -> None:
    for kind in (EventType.CLICK, EventType.ARCHIVE):
        assert find(events(), lambda event, kind=kind: event["type"] == kind) == SIMPLEST[kind]
        assert find(batches(type=None), lambda batch, kind=kind: batch[0]["type"] == kind) == [SIMPLEST[kind]]


@QUICK
@given(batches(min_size=2, max_size=5, type="click"))
def test_a_batch_has_the_requested_size_and_type(batch: list[Event]) -> None:
    assert 2 <= len(batch) <= 5
    assert {event["type"] for event in batch} == {"click"}
    check_valid(batch)
    assert all(earlier["created"] < later["created"] for earlier, later in pairwise(batch))


@QUICK
@given(mailings())
def test_a_mailing_is_in_order_and_its_mails_are_consistent(mailing: list[Event]) -> None:
    mails: dict[str, tuple[Any, ...]] = {}
    sent = set()
    for event in mailing:
        VALIDATOR.validate(event)
        mail = tuple(event[name] for name in ("mailingId", "userListId", "recipientId", "subscriptionId"))
        assert mails.setdefault(event["mailId"], mail) == mail
        sent |= {event["mailId"]} if event["type"] in ("sent", "filteredbyblocklist") else set()
        assert event["mailId"] in sent
    assert len(set(mails.values())) == len(mails)
    assert [event["created"] for event in mailing] == sorted(event["created"] for event in mailing)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(wild_batches(type=None) | strategies.wild_mailings(max_recipients=3))
def test_wild_events_stay_valid(batch: list[Event]) -> None:
    for event in batch:
        check_valid([event])


@pytest.mark.slow
def test_no_size_fails_a_health_check() -> None:
    """The default settings are those of users."""
    for strategy in (
        batches(100, 100),
        wild_batches(100, 100),
        batches(min_size=100, type=None),
        mailings(),
        wild_batches(100, 100, mailingId=st.integers(1, 9)),
    ):

        @settings(settings(), deadline=None, database=None)
        @given(strategy)
        def check(batch: list[Event]) -> None:
            assert batch

        assert HealthCheck.data_too_large not in settings().suppress_health_check
        check()


# A planted bug


def hook(batch: list[Event]) -> None:
    """Fail if a click comes from IPv6 and operatingSystem is absent."""
    for event in batch:
        if event["type"] == "click" and ":" in (event.get("remoteAddress") or ""):
            event["operatingSystem"]


@pytest.mark.parametrize("run", [0, *(pytest.param(run, marks=pytest.mark.slow) for run in range(1, 5))])
def test_a_planted_bug_is_found_and_shrinks_to_its_one_edge_case(run: int) -> None:
    seen: list[list[Event]] = []

    @seed(run)
    @settings(max_examples=1_000, database=None, deadline=None)
    @given(wild_batches(type="click"))
    def check(batch: list[Event]) -> None:
        seen[:] = [batch]
        hook(batch)

    with pytest.raises(KeyError):
        check()
    [[event]] = seen
    expected = SIMPLEST[EventType.CLICK] | {"remoteAddress": "2001:db8::1"}
    del expected["operatingSystem"]
    assert event == expected


# Edges that a consumer may meet

OPTIONAL = [path[0] for path in DEFAULTS[EventType.CLICK] if FIELDS[path].optional]
NUMBERS = ("userListId", "clientId", "mailingId", "subscriptionId")
NUMBER_EDGES = (0, 1, 2**31, 2**32, 2**53, 2**53 + 1, INT64_MAX)
"""Boundary numbers: 0, which is false, the limits of 32 bits and of JavaScript, and the largest of 64 bits."""
TOP_NAMES = builtin_shape(EventType.CLICK).top_names
TEXTS = ("device", "operatingSystem", "browser")
EVENT_EDGES: dict[str, Callable[[Event], bool]] = {
    **{f"{name} absent": lambda event, name=name: name not in event for name in OPTIONAL},
    **{f"{name} null": lambda event, name=name: name in event and event[name] is None for name in OPTIONAL},
    "unknown field": lambda event: any(name not in TOP_NAMES for name in event),
    "unknown device": lambda event: event.get("device") not in ("desktop", "mobile", "tablet", "unknown", None),
    "IPv6": lambda event: ":" in (event.get("remoteAddress") or ""),
    "IPv4 within IPv6": lambda event: "::ffff:" in (event.get("remoteAddress") or ""),
    **{
        f"{name} {number}": lambda event, name=name, number=number: event.get(name) == number
        for name in NUMBERS
        for number in NUMBER_EDGES
    },
    "long text": lambda event: any(len(event.get(name) or "") >= 300 for name in TEXTS),
    "another script": lambda event: any("\u0400" <= one <= "\u9fff" for name in TEXTS for one in event.get(name) or ""),
    "emoji": lambda event: any("\U0001f4f1" in (event.get(name) or "") for name in TEXTS),
    "control character": lambda event: any("\0" in (event.get(name) or "") for name in TEXTS),
    "an empty text": lambda event: any(event.get(name) == "" for name in TEXTS),
    "e-mail address as recipient": lambda event: "@" in event["recipientId"],
    "no link": lambda event: event["link"] == "",
    "a long link": lambda event: len(event["link"]) >= 300,
    "customer number as recipient": lambda event: event["recipientId"] == "KD-004711",
}
BATCH_EDGES: dict[str, Callable[[list[Event]], bool]] = {
    "equal moments": lambda batch: any(
        one["created"] == other["created"] and one != other for one, other in pairwise(batch)
    ),
    "identical events": lambda batch: any(one == other for one, other in pairwise(batch)),
    "clock going backwards": lambda batch: any(one["created"] > other["created"] for one, other in pairwise(batch)),
    "almost three days old": lambda batch: (
        max(event["created"] for event in batch) - min(event["created"] for event in batch) >= 3 * DAY - 10 * SECOND
    ),
    "a full list": lambda batch: len(batch) == 100,
    "several kinds of devices": lambda batch: len({event.get("device") for event in batch}) >= 3,
    "one mail acted on twice": lambda batch: len({event["mailId"] for event in batch}) < len(batch),
}


def reached(strategy: SearchStrategy[Any], edges: dict[str, Callable[[Any], bool]], examples: int) -> set[str]:
    found = set()

    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(strategy)
    def look(drawn: Any) -> None:
        found.update(edge for edge, holds in edges.items() if edge not in found and holds(drawn))

    look()
    return found


@pytest.mark.slow
def test_every_edge_case_of_an_event_is_reached() -> None:
    assert reached(strategies.wild_clicks(), EVENT_EDGES, 1_500) == set(EVENT_EDGES)


@pytest.mark.slow
def test_every_edge_case_of_a_batch_is_reached() -> None:
    assert reached(wild_batches(type="click"), BATCH_EDGES, 300) == set(BATCH_EDGES)


ANY_NUMBER: dict[str, Callable[[Event], bool]] = {
    f"a number of {number}": lambda event, number=number: any(event.get(name) == number for name in NUMBERS)
    for number in NUMBER_EDGES
}
USUAL = [
    *(f"{name} absent" for name in OPTIONAL),
    *("unknown field", "IPv6", "equal moments", "identical events", "clock going backwards"),
    *ANY_NUMBER,
]
"""Edge cases that nearly every run with default settings should contain."""


@pytest.mark.parametrize("run", [*range(3), *(pytest.param(run, marks=pytest.mark.slow) for run in range(3, 20))])
def test_usual_edge_cases_are_reached_within_100_examples(run: int) -> None:
    edges = BATCH_EDGES | {
        name: lambda batch, holds=holds: any(holds(event) for event in batch)
        for name, holds in (EVENT_EDGES | ANY_NUMBER).items()
    }
    missing = {name: edges[name] for name in USUAL}

    @seed(run)
    @settings(max_examples=100, database=None, deadline=None)
    @given(wild_batches(type="click"))
    def look(batch: list[Event]) -> None:
        for name in [name for name, holds in missing.items() if holds(batch)]:
            del missing[name]

    look()
    assert set(missing) == set()


def test_a_long_batch_has_a_short_repr() -> None:
    """Hypothesis prints failing examples, and warns above 30,000 characters."""
    one = SIMPLEST[EventType.CLICK]
    full = strategies.Batch({**one, "created": one["created"] + index} for index in range(100))
    assert repr(full) == f"<100 events like {one!r}; 0 of them differ in more than mail and time>"
    full[3]["device"] = "toaster"
    assert repr(full).endswith(f"; 1 of them differ in more than mail and time; 3: {full[3]!r}>")
    assert repr(strategies.Batch(full[:20])) == repr(full[:20])
    assert json.loads(json.dumps(full)) == full == json.loads(msgspec.json.encode(full))


# Pins


@QUICK
@given(wild_batches(type="click", max_size=20, device="mobile", mailingId=st.integers(1, 9), link=None))
def test_pinned_fields_are_pinned_in_every_event(batch: list[Event]) -> None:
    for event in batch:
        assert (event["device"], event["link"]) == ("mobile", None)
        assert event["mailingId"] in range(1, 10)


def test_twins_are_twins_also_where_a_field_is_pinned_to_a_strategy() -> None:
    twins = {"identical events": BATCH_EDGES["identical events"]}
    assert reached(wild_batches(2, 2, mailingId=st.integers(1, 2**40)), twins, 200) == set(twins)


def test_a_pinned_created_is_never_edited() -> None:
    @QUICK
    @given(wild_batches(3, 3, created=5))
    def check(batch: list[Event]) -> None:
        assert [event["created"] for event in batch] == [5, 5, 5]

    check()


@pytest.mark.slow
def test_a_pin_does_not_add_a_field_to_a_type_without_it() -> None:
    assert "category" not in find(mailings(category="softbounce"))[0]
    bounce = find(events(category="softbounce"), lambda event: event["type"] == "bounce")
    assert bounce["category"] == "softbounce"
    pinned = events(mediaTypesToAddresses__EMAIL="a@example.com")
    assert find(pinned, lambda event: event["type"] == "open") == SIMPLEST[EventType.OPEN]


@pytest.mark.parametrize(
    "pins",
    [
        {"mediaTypesToAddresses__EMAIL": "a@example.com"},
        {"mediaTypesToAddresses.EMAIL": st.just("a@example.com")},
        {"mediaTypesToAddresses": {"EMAIL": "a@example.com"}},
    ],
    ids=str,
)
def test_a_nested_field_is_pinned_by_its_dotted_name_or_with_its_object(pins: dict[str, Any]) -> None:
    @QUICK
    @given(wild_batches(type="click", max_size=10, **pins))
    def check(batch: list[Event]) -> None:
        assert all(event["mediaTypesToAddresses"] == {"EMAIL": "a@example.com"} for event in batch)

    check()


@pytest.mark.parametrize("category", [*BOUNCE_CATEGORIES, "blocked"])
def test_every_category_of_bounces_is_reached_and_an_unknown_one(category: str) -> None:
    assert find(wild_events("bounce"), lambda event: event["category"] == category)["category"] == category


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: events("opens"), "type 'opens' is unknown, allowed: open, click, sent, bounce, unsubscribe, "),
        (
            lambda: opens(link=1),
            "field 'link' cannot be pinned, allowed: recipientId, userListId, remoteAddress, c",
        ),
        (
            lambda: clicks(mediaTypesToAddresses__PHONE=1),
            "field 'mediaTypesToAddresses__PHONE' cannot be pinned, allowed: recipientId, ",
        ),
        (lambda: clicks(type="open"), "got multiple values for argument 'type'"),
        (lambda: events(nothing=1), "field 'nothing' cannot be pinned, allowed: recipientId, "),
        (lambda: batches(5, 4), "batches of 5 to 4 events, allowed: 0 to 100, the smaller first"),
        (lambda: batches(-1), "batches of -1 to 100 events, allowed: 0 to 100"),
        (lambda: wild_batches(max_size=101), "batches of 1 to 101 events, allowed: 0 to 100"),
        (lambda: mailings(0), "mailings to 0 recipients, allowed: 1 to 100"),
        (lambda: mailings(101), "mailings to 101 recipients, allowed: 1 to 100"),
    ],
)
def test_impossible_arguments_are_rejected_before_drawing(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((InvalidInputError, TypeError)) as refused:
        make()
    assert message in str(refused.value)


@pytest.mark.slow
def test_changing_a_drawn_value_changes_no_other_example() -> None:
    """A change to one example affects no other."""
    seen = []

    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(wild_events("open"))
    def check(event: Event) -> None:
        for value in event.values():
            if isinstance(value, dict):
                assert "mine" not in value
                value["mine"] = seen.append(event)

    check()
    assert len(seen) > 2


def test_addresses_are_addresses() -> None:
    @QUICK
    @given(wild_batches(type="unsubscribe", max_size=10))
    def check(batch: list[Event]) -> None:
        for event in batch:
            if event.get("remoteAddress") is not None:
                ip_address(event["remoteAddress"])

    check()
