"""Sample consumers, correct or with a bug, of events that look unlike ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from called import RIGHT, WRONG, CalledConsumer, Event, request
from foreign_shapes import CAPTURED, SHAPES, another, captured_events
from mockcampaign.faults import Chunked
from mockcampaign.model import EventType, Responded
from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.shape.builtin import ALTERNATIVES, builtin_shape
from mockcampaign.shape.field import EventField, Role, value_at, with_value, without_value
from mockcampaign.shape.moment import write_moment
from mockcampaign.shape.shape import Shape

each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
lists_only = pytest.mark.parametrize(
    "shape", [shape for shape in SHAPES.values() if shape.body.has_list], ids=lambda shape: shape.name(Role.MAIL)
)


def consumer_of(shape: Shape, bug: str | None = None, **more: Any) -> CalledConsumer:
    return CalledConsumer(bug, shape=shape, **more)


def batches(shape: Shape, *events: Event) -> Iterator[tuple[Event, ...]]:
    """Yield all events in one batch, or each in a body of its own if a body has no list."""
    yield from [events] if shape.body.has_list else ((event,) for event in events)


def post(consumer: CalledConsumer, shape: Shape, *events: Event) -> list[int]:
    return [consumer.post(*batch) for batch in batches(shape, *events)]


def without(shape: Shape, number: int) -> Event:
    """An event without its optional field."""
    return without_value(another(shape, number), optional(shape).path)


def optional(shape: Shape) -> EventField:
    [found] = [field for field in shape.fields if field.optional]
    return found


# The correct consumer


@pytest.mark.parametrize("name", dict(CAPTURED))
def test_a_captured_body_is_stored_once_however_often_it_arrives(name: str) -> None:
    consumer = consumer_of(SHAPES[name])
    for _ in range(3):
        answer = consumer.send(body=dict(CAPTURED)[name].encode())
        assert (answer.status, json.loads(answer.body)) == (200, {"received": len(captured_events(name))})
    assert consumer.processed == captured_events(name)


def unusual(shape: Shape) -> Iterator[Event]:
    """Yield events that every compliant consumer accepts."""
    event = another(shape, 1)
    yield {**event, "extra": {"a": [1, None]}, "größe": 1.5}
    yield without(shape, 2)
    yield with_value(event, optional(shape).path, None)
    yield shape.put(event, Role.TYPE, "something-new")
    for field in shape.fields:
        if field.is_text and field.role not in (Role.TYPE, Role.MOMENT):
            yield from (with_value(event, field.path, text) for text in ("", "x" * 300, "a\0b", "Ωmega \U0001f600"))
        elif field.is_whole_number and field.role is not Role.MOMENT:
            yield from (with_value(event, field.path, number) for number in (0, 2**63 - 1))
    for later in (-3 * 24 * 60, 60 * 24 * 365):
        yield another(shape, 3, minutes=later)


@each_shape
def test_whatever_a_compliant_consumer_accepts_is_accepted_and_stored_unchanged(shape: Shape) -> None:
    for event in unusual(shape):
        consumer = consumer_of(shape)
        assert (consumer.post(event), consumer.processed) == (200, [event])


WRONG_KINDS: dict[type, tuple[Any, ...]] = {str: (1, True, ["x"], {"x": 1}), int: ("1", True, 1.5, [1]), bool: (0,)}
WRONG_MOMENTS = (
    *("2026-03-02T09:41:27.412Z", "2026-03-02T09:41:27+01:00", "2026-03-02 09:41:27.412+01:00", "2026-03-02"),
    *("yesterday", "", "2026-13-02T09:41:27.412+01:00", "1772440887", 1772440887, 1772440887412, -1.5),
)


def misfits(shape: Shape) -> Iterator[tuple[Event, str]]:
    """Yield events that have another shape, and the name of the field in which they differ."""
    event = another(shape, 1)
    for field in shape.fields:
        for value in WRONG_KINDS[type(field.example)]:
            yield with_value(event, field.path, value), field.name
        if not field.optional:
            yield without_value(event, field.path), field.name
            yield with_value(event, field.path, None), field.name
        if len(field.path) > 1:
            yield {**event, field.path[0]: "flat"}, field.path[0]
    moment = shape.field(Role.MOMENT)
    assert moment is not None
    right = {json.dumps(write_moment(moment.example, at)) for at in (1772440887000, 1772440887412)}
    for value in WRONG_MOMENTS:
        if json.dumps(value) not in right:
            yield with_value(event, moment.path, value), moment.name


@each_shape
def test_an_event_of_another_shape_is_rejected_and_nothing_of_its_batch_is_stored(shape: Shape) -> None:
    consumer = consumer_of(shape)
    for event, name in misfits(shape):
        answer = consumer.send(body=shape.body.of([another(shape, 7), event] if shape.body.has_list else [event]))
        error = json.loads(answer.body)["error"]
        assert (answer.status, consumer.processed) == (400, []), (event, answer)
        assert error.startswith(f"event {2 if shape.body.has_list else 1}: {name}"), (event, error)
    assert consumer.post(another(shape, 7)) == 200


@each_shape
def test_events_in_another_envelope_are_rejected(shape: Shape) -> None:
    event = json.dumps(another(shape, 1))
    own = shape.body.of([another(shape, 1)]).decode().replace(" ", "")
    for body in (event, f"[{event}]", f'{{"events":[{event}]}}', f'{{"items":[{event}]}}', f'{{"events":{event}}}'):
        consumer = consumer_of(shape)
        fits = body.replace(" ", "") == own
        assert (consumer.send(body=body.encode()).status, len(consumer.processed)) == ((200, 1) if fits else (400, 0))
    for garbage in (b"", b"null", b"[1]", b'"events"', b'{"events":[1]}', shape.body.of([another(shape, 1)])[:-3]):
        consumer = consumer_of(shape)
        answer = consumer.send(body=garbage)
        assert (answer.status, consumer.processed) == (400, [])


@lists_only
def test_an_empty_batch_is_accepted(shape: Shape) -> None:
    consumer = consumer_of(shape)
    assert (consumer.send(body=shape.body.of([])).body, consumer.processed) == (b'{"received":0}', [])


@each_shape
def test_the_end_state_has_the_newest_event_of_each_mail(shape: Shape) -> None:
    consumer = consumer_of(shape)
    newest, earlier, other = another(shape, 1, minutes=9), another(shape, 1, minutes=8), another(shape, 2)
    assert set(post(consumer, shape, newest, other, earlier)) == {200}
    state = consumer.state()
    assert sorted(state.values(), key=json.dumps) == sorted([newest, other], key=json.dumps)
    key = [str(value_at(newest, field.path)) for field in shape.key_fields]
    assert state[" ".join(key)] == newest


def test_a_consumer_of_captured_events_is_served_on_a_port() -> None:
    shape = SHAPES["other-names"]
    with serve_consumer(shape=shape) as url:
        for event, status in ((another(shape, 1), 200), ({"type": "click"}, 400)):
            with requests.post(f"{url}/hook", data=shape.body.of([event]), timeout=30) as answer:
                assert answer.status_code == status


# Built-in shapes


def test_an_event_of_ours_has_the_shape_of_its_type_or_an_alternative() -> None:
    shapes = KnownShapes()
    for kind in EventType:
        assert shapes.of(builtin_shape(kind).examples[0]) is builtin_shape(kind)
        for alternative in ALTERNATIVES:
            described = builtin_shape(kind, alternative)
            assert shapes.of(described.examples[0]).fields == described.fields
    for event in ({}, {"type": "new"}, {"type": ["click"]}, {"type": None}):
        assert shapes.of(event) is builtin_shape(EventType.OPEN)


def test_built_in_shapes_require_nothing() -> None:
    for event in ({}, {"created": "yesterday"}, {"type": 1}, {"link": None}, {"mediaTypesToAddresses": "x"}):
        assert KnownShapes().misfit(event) is None


@pytest.mark.parametrize(
    ("created", "moment"),
    [(5, 5), (0, 0), (1_772_440_887_412, 1_772_440_887_412), ("5", None), (True, None), (1.5, None), (None, None)],
)
def test_created_is_a_number_of_milliseconds_however_small_it_is(created: Any, moment: int | None) -> None:
    assert KnownShapes().moment({"type": "open", "created": created}) == moment


# Consumers with a bug


def statuses_and_count(consumer: CalledConsumer, statuses: list[int]) -> Any:
    return statuses, len(consumer.processed)


def acknowledged(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return statuses_and_count(consumer, [consumer.post(another(shape, 1))])


def optional_absent(shape: Shape, bug: str | None) -> Any:
    """Observe statuses and number of stored events for an event without its optional field, and one with it."""
    consumer = consumer_of(shape, bug)
    return statuses_and_count(consumer, [consumer.post(without(shape, 1)), consumer.post(another(shape, 2))])


def at_once(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    outcomes = consumer.exchange(*(request(body=shape.body.of([another(shape, number)])) for number in (1, 2)))
    return statuses_and_count(consumer, [outcome.status for outcome in outcomes if isinstance(outcome, Responded)])


def redelivered(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return statuses_and_count(consumer, [consumer.post(without(shape, 1)) for _ in range(2)])


def of_one_mail(shape: Shape, bug: str | None) -> Any:
    """Observe how many of two events of one mail, and one of another, are stored."""
    consumer = consumer_of(shape, bug)
    events = another(shape, 1), another(shape, 1, minutes=5), another(shape, 2)
    return statuses_and_count(consumer, [consumer.post(event) for event in events])


def late(shape: Shape, bug: str | None) -> Any:
    """Observe how many of two events are stored, the later one first."""
    consumer = consumer_of(shape, bug)
    return statuses_and_count(consumer, [consumer.post(another(shape, number)) for number in (2, 1)])


def ended(shape: Shape, bug: str | None) -> Any:
    """Observe whether the end state of a mail is its newest event, if an earlier one arrives last."""
    consumer = consumer_of(shape, bug)
    newest, earlier = another(shape, 1, minutes=9), another(shape, 1, minutes=8)
    post(consumer, shape, newest, earlier)
    return list(consumer.state().values()) == [newest]


def after_bad_body(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return consumer.send(body=shape.body.of([{}])).status, consumer.post(another(shape, 1))


def unknown_field(shape: Shape, bug: str | None) -> Any:
    return consumer_of(shape, bug).post({**another(shape, 1), "extra": 1})


def unknown_type(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return consumer.post(shape.put(another(shape, 1), Role.TYPE, "new")), consumer.post(another(shape, 1))


def long_text(shape: Shape, bug: str | None) -> Any:
    """Observe the stored length of a long text."""
    field = next(one for one in shape.fields if one.is_text and one.role not in (Role.TYPE, Role.MOMENT))
    consumer = consumer_of(shape, bug)
    assert consumer.post(with_value(another(shape, 1), field.path, "x" * 60)) == 200
    return len(value_at(consumer.processed[0], field.path))


def ipv6(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return [consumer.post(shape.put(another(shape, 1), Role.NETWORK_ADDRESS, one)) for one in ("::1", "192.0.2.1")]


def wrong_credentials(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return statuses_and_count(
        consumer, [consumer.post(another(shape, number), headers=one) for number, one in enumerate((WRONG, RIGHT))]
    )


def chunked(shape: Shape, bug: str | None) -> Any:
    consumer = consumer_of(shape, bug)
    return statuses_and_count(consumer, [consumer.post(another(shape, 1), faults=(Chunked(),))])


Observe = Callable[[Shape, "str | None"], Any]

EVERYWHERE: dict[str, tuple[Observe, Any, Any]] = {
    "responds-204": (acknowledged, ([200], 1), ([204], 1)),
    "swallows-background-errors": (optional_absent, ([200, 200], 2), ([200, 200], 1)),
    "shares-batch-variable": (at_once, ([200, 200], 2), ([200, 200], 1)),
    "never-deduplicates": (redelivered, ([200, 200], 1), ([200, 200], 2)),
    "null-in-unique-index": (redelivered, ([200, 200], 1), ([200, 200], 2)),
    "dedup-key-mail-id": (of_one_mail, ([200, 200, 200], 3), ([200, 200, 200], 2)),
    "dedup-key-recipient-id": (of_one_mail, ([200, 200, 200], 3), ([200, 200, 200], 2)),
    "requires-device": (optional_absent, ([200, 200], 2), ([500, 200], 1)),
    "skips-events-without-device": (optional_absent, ([200, 200], 2), ([200, 200], 1)),
    "drops-late-events": (late, ([200, 200], 2), ([200, 200], 1)),
    "cursor-on-created": (late, ([200, 200], 2), ([200, 200], 1)),
    "last-arrival-wins": (ended, True, False),
    "fails-after-storing": (redelivered, ([200, 200], 1), ([500, 200], 2)),
    "keeps-lock-after-bad-body": (after_bad_body, (400, 200), (400, 503)),
    "rejects-unknown-fields": (unknown_field, 200, 400),
    "truncates-text-at-40": (long_text, 60, 40),
    "accepts-any-credentials": (wrong_credentials, ([401, 200], 1), ([200, 200], 2)),
    "requires-content-length": (chunked, ([200], 1), ([411], 0)),
    "ignores-body-without-length": (chunked, ([200], 1), ([200], 0)),
}
"""How a bug is observed; what the correct consumer shows, and what the one with the bug shows."""

WITH_ROLE: dict[str, tuple[Role, Observe, Any, Any]] = {
    "rejects-unknown-types": (Role.TYPE, unknown_type, (200, 200), (400, 200)),
    "rejects-ipv6": (Role.NETWORK_ADDRESS, ipv6, [200, 200], [400, 200]),
}
"""Bugs that need a field with a role."""


@each_shape
@pytest.mark.parametrize("bug", EVERYWHERE)
def test_a_bug_is_visible_in_events_of_any_shape(shape: Shape, bug: str) -> None:
    observe, right, broken = EVERYWHERE[bug]
    assert observe(shape, None) == right
    assert observe(shape, bug) == broken


@each_shape
@pytest.mark.parametrize("bug", WITH_ROLE)
def test_a_bug_with_a_field_is_visible_if_the_shape_has_this_field(shape: Shape, bug: str) -> None:
    role, observe, right, broken = WITH_ROLE[bug]
    if shape.has(role):
        assert observe(shape, None) == right
        assert observe(shape, bug) == broken


def test_a_consumer_that_rejects_unknown_types_knows_the_captured_one() -> None:
    shape = msgspec.structs.replace(SHAPES["extra-field"], event_type=EventType.BLOCKLIST)
    assert unknown_type(shape, "rejects-unknown-types") == (400, 200)


@lists_only
def test_a_truncated_batch_is_salvaged_up_to_the_last_whole_event(shape: Shape) -> None:
    whole = [another(shape, number) for number in range(3)]
    body = shape.body.of(whole)
    last = body.rindex(json.dumps(whole[2], separators=(",", ":"), ensure_ascii=False).encode())
    for cut in range(last + 1, len(body) - len(shape.body.suffix), 17):
        for bug, right in ((None, (400, [])), ("salvages-truncated-batch", (200, whole[:2]))):
            consumer = consumer_of(shape, bug)
            assert (consumer.send(body=body[:cut]).status, consumer.processed) == right


@lists_only
def test_events_are_stored_once_while_a_body_is_read_however_it_is_cut(shape: Shape) -> None:
    whole = [another(shape, number) for number in range(2)]
    for chunk_bytes in (1, 7, 50):
        consumer = consumer_of(shape, "stores-while-reading")
        assert consumer.post(*whole, faults=(Chunked(chunk_bytes=chunk_bytes),)) == 200
        assert consumer.processed == whole


@lists_only
def test_a_commit_per_event_leaves_half_a_batch_with_an_event_of_another_shape(shape: Shape) -> None:
    body = shape.body.of([another(shape, 1), shape.drop(another(shape, 2), Role.MOMENT)])
    for bug, stored in ((None, 0), ("commits-per-event", 2)):
        consumer = consumer_of(shape, bug)
        assert [consumer.send(body=body).status for _ in range(2)] == [400, 400]
        assert len(consumer.processed) == stored


@pytest.mark.parametrize("name", ["integrator", "upper-case-types", "wrapped-events", "other-names", "one-event"])
def test_a_key_without_the_link_loses_a_click(name: str) -> None:
    shape = SHAPES[name]
    one = another(shape, 1)
    other = shape.put(one, Role.LINK, "https://www.example.com/another")
    for bug, stored in ((None, 2), ("dedup-key-without-link", 1)):
        consumer = consumer_of(shape, bug)
        assert [consumer.post(event) for event in (one, other)] == [200, 200]
        assert len(consumer.processed) == stored


@each_shape
def test_a_store_in_memory_is_empty_after_a_restart(shape: Shape, tmp_path: Path) -> None:
    for bug, stored in ((None, 1), ("stores-in-memory-only", 0)):
        assert consumer_of(shape, bug, store=tmp_path / str(bug)).post(another(shape, 1)) == 200
        restarted = consumer_of(shape, bug, store=tmp_path / str(bug))
        restarted.send("GET", "/state")
        assert len(restarted.processed) == stored


def test_a_key_without_type_has_the_fields_that_an_open_and_a_click_share() -> None:
    click = builtin_shape(EventType.CLICK).examples[0]
    opened = {name: click[name] for name in builtin_shape(EventType.OPEN).top_names} | {"type": "open"}
    for bug, stored in ((None, 2), ("dedup-key-without-type", 1)):
        consumer = CalledConsumer(bug)
        assert consumer.post(opened, click) == 200
        assert len(consumer.processed) == stored
