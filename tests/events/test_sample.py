"""Events like a captured one: fields, types and formats stay, and values vary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import Consumer
from mockcampaign.campaign import Campaign
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import load_sample, read_sample
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_START, MINUTE
from mockcampaign.shape.captured import CAPTURED_BYTES_MAX
from mockcampaign.shape.infer import DEPTH_MAX
from mockcampaign.strategies import Event, wild_batches
from places import ROOT

FIXTURES = ROOT / "fixtures" / "events"
COUNT = 50


def more(*events: dict[str, Any], count: int = COUNT, seed: str = "1") -> list[dict[str, Any]]:
    sample = read_sample(events, "captured")
    return list(sample.more(seed, [DEFAULT_START + index * MINUTE for index in range(count)]))


MAIL = {"mailId": "3IHQ2XT8-38PY7WFQ-XKNQSY"}
"""What identifies an event, so that no other id has to."""


def others(value: Any, name: str = "value", count: int = COUNT) -> list[Any]:
    """Return what becomes of one value."""
    captured = {"type": "open", "created": 1_564_590_054_000, **MAIL, name: value}
    return [event[name] for event in more(captured, count=count)]


# What varies, and how


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("123456789005", r"[1-9][0-9]{11}"),
        ("0047110815", r"0[0-9]{9}"),
        ("KD-004711", r"KD-[0-9]{6}"),
        ("anna.meier@example.com", r"[a-z]{4}\.[a-z]{5}@example\.com"),
        ("Anna99+x@mail.example.org", r"[A-Z][a-z]{3}[0-9]{2}\+[a-z]@mail\.example\.org"),
        ("3IHQ2XT8-38PY7WFQ-XKNQSY", r"[A-Z0-9]{8}-[A-Z0-9]{8}-[A-Z0-9]{6}"),
        ("9f86d081884c7d659a2feaa0c55ad015", r"[0-9a-f]{32}"),
        ("order_12345_x", r"order_[0-9]{5}_x"),
    ],
)
def test_identifying_texts_vary_in_their_format(value: str, pattern: str) -> None:
    found = others(value)
    assert all(re.fullmatch(pattern, text) for text in found)
    assert len(set(found)) == COUNT


@pytest.mark.parametrize(
    "name", ["id", "_id", "ID", "ids", "orderId", "orderID", "order_id", "uuid", "orderUuid", "apiKey", "key", "token"]
)
@pytest.mark.parametrize(
    ("value", "pattern"),
    [("abc-12", r"[a-z]{3}-[0-9]{2}"), ("Ab_9", r"[A-Z][a-z]_[0-9]"), ("ORD12", r"[A-Z]{3}[0-9]{2}")],
)
def test_short_ids_vary_if_their_name_is_that_of_an_id(name: str, value: str, pattern: str) -> None:
    found = [event["order"][name] for event in more({"kind": "o", **MAIL, "order": {name: value}}, count=1_000)]
    assert all(re.fullmatch(pattern, text) for text in found)
    assert len(set(found)) == 1_000


@pytest.mark.parametrize("value", [1_234_567, 123_456_789_003, -12_345, 9_007_199_254_740_993, 2**63 - 1, 2**64 - 1])
def test_long_numbers_keep_their_digits_and_their_64_bits(value: int) -> None:
    found = others(value)
    assert {len(str(number)) for number in found} == {len(str(value))}
    assert all(isinstance(number, int) and -(2**63) <= number < (2**63 if value < 2**63 else 2**64) for number in found)
    assert len(set(found)) == COUNT


def test_uuids_stay_uuids_of_their_version() -> None:
    found = others("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    assert {UUID(text).version for text in found} == {4}
    assert len(set(found)) == COUNT


@pytest.mark.parametrize("value", ["0.0.0.0", "192.0.2.1", "::1", "2001:db8:85a3::8a2e:370:7334"])
def test_addresses_stay_addresses_of_their_version(value: str) -> None:
    found = others(value)
    assert {ip_address(text).version for text in found} == {ip_address(value).version}
    assert len(set(found)) > COUNT - 5


@pytest.mark.parametrize("name", ["recipientId", "mailId", "subscriptionId"])
@pytest.mark.parametrize("value", ["7", "a", "anna", "Kunde 12", "x/y", 7, "山田1@example.com"])
def test_identities_always_vary(name: str, value: Any) -> None:
    found = others(value, name)
    assert {type(one) for one in found} == {type(value)}
    assert {len(str(one)) for one in found} == {len(str(value))}
    assert len({str(one) for one in found}) >= 8


# What stays


@pytest.mark.parametrize(
    "value",
    [
        *("open", "desktop", "Windows 10", "Firefox 64.1", "64.1.1234.5", "de-DE", "", "10:11:12", "浏览器1234"),
        *("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "https://www.example.com/12345", "Summer sale 2024"),
        *(0, 7, 100, True, False, None, 1.5, 1e300, [], {}, [[1], {"a": None}]),
    ],
)
def test_names_codes_and_unknown_values_are_copied(value: Any) -> None:
    assert all(msgspec.json.encode(one) == msgspec.json.encode(value) for one in others(value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("id", "summer"), ("key", "de-DE"), ("token", "12"), ("orderId", 12), ("id", "Group 12"), ("key", "/a/12")),
        *(("paid", "abc-12"), ("monkey", "abc-12"), ("device", "mp3"), ("linkId", "abc-12")),
    ],
)
def test_words_counts_and_short_texts_under_other_names_are_copied(name: str, value: Any) -> None:
    assert set(others(value, name)) == {value}


@pytest.mark.parametrize("name", ["clientId", "mailingId", "userListId", "linkId"])
def test_ids_that_many_mails_share_are_copied(name: str) -> None:
    assert set(others(123_456_789_003, name)) == {123_456_789_003}


def test_values_that_several_captured_events_share_are_an_enumeration() -> None:
    events = [
        {"type": "open", "created": 1, "recipientId": f"10000{index}", "code": code, "own": f"20000{index}"}
        for index, code in enumerate(["A-10001", "A-10001", "B-20002", "B-20002"])
    ]
    made = more(*events)
    assert {event["code"] for event in made} == {"A-10001", "B-20002"}
    assert len({event["own"] for event in made}) == COUNT
    assert len({event["recipientId"] for event in made}) == COUNT


def test_related_values_stay_together() -> None:
    events = [
        {"type": "open", "os": os, "browser": browser} for os, browser in (("iOS", "Safari"), ("Linux", "Firefox"))
    ]
    assert {(event["os"], event["browser"]) for event in more(*events)} == {("iOS", "Safari"), ("Linux", "Firefox")}


def test_equal_values_of_one_event_stay_equal() -> None:
    captured = {"type": "open", "recipientId": "4711@example.com", "contact": {"email": "4711@example.com"}}
    assert all(event["contact"]["email"] == event["recipientId"] for event in more(captured))


def test_fields_keep_their_order_and_each_event_has_those_of_one_captured_event() -> None:
    events = [{"type": "open", "z": 1, "a": 2}, {"a": 1, "type": "open"}]
    assert {tuple(event) for event in more(*events)} == {("type", "z", "a"), ("a", "type")}


# Moments


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1_564_590_054_123, lambda value: value),
        ("1564590054123", int),
        (1_564_590_054, lambda value: value * 1_000),
        ("1564590054", lambda value: int(value) * 1_000),
        (1_564_590_054.5, lambda value: round(value * 1_000)),
        ("2019-07-31T16:20:54Z", lambda value: round(datetime.fromisoformat(value).timestamp() * 1_000)),
        ("2019-07-31T18:20:54.123+02:00", lambda value: round(datetime.fromisoformat(value).timestamp() * 1_000)),
        ("2019-07-31 16:20:54.123456+0000", lambda value: round(datetime.fromisoformat(value).timestamp() * 1_000)),
    ],
)
def test_times_keep_their_unit_and_format(value: Any, read: Callable[[Any], int]) -> None:
    """The requested times are whole minutes, which every unit can express."""
    for index, event in enumerate(more({"type": "open", "created": value})):
        assert type(event["created"]) is type(value)
        assert read(event["created"]) == DEFAULT_START + index * MINUTE
        if isinstance(value, str):
            assert re.sub(r"\d", "0", event["created"]) == re.sub(r"\d", "0", value)


def test_several_times_keep_their_distance() -> None:
    captured = {
        "sentAt": 1_564_590_000,
        "created": 1_564_590_054_000,
        "type": "open",
        "day": "2019-07-31",
        "inner": {"openedAt": "2019-07-31T16:20:55Z"},
    }
    for event in more(captured):
        assert event["created"] - event["sentAt"] * 1_000 == 54_000
        opened = datetime.fromisoformat(event["inner"]["openedAt"]).timestamp() * 1_000
        assert opened - event["created"] == 1_000
        assert (
            abs(datetime.fromisoformat(event["day"] + "T12:00:00Z").timestamp() * 1_000 - event["created"]) < 86_400_000
        )


def test_a_nested_time_is_the_reference_if_there_is_no_other() -> None:
    captured = {"type": "open", "payload": {"created": "2019-07-31T16:20:54Z"}}
    assert more(captured)[1]["payload"]["created"] == "2025-01-01T00:01:00Z"


def test_a_number_that_only_looks_like_a_time_stays() -> None:
    assert {len(str(number)) for number in others(1_564_590_054, "orderId")} == {10}
    assert others(1_564_590_054, "orderId")[0] != DEFAULT_START // 1_000


# The whole shape


def shape(value: Any) -> Any:
    """Return the names, types and lengths of an event's values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value), len(value) if isinstance(value, str) and not _is_address(value) else 0


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


NAMES = st.sampled_from(["recipientId", "mailId", "created", "at", "value", "ip", "email", "x"]) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.from_regex(r"[A-Za-z0-9@.:-]{1,25}", fullmatch=True)
    | st.ip_addresses().map(str)
    | st.emails()
    | st.datetimes(datetime(1971, 1, 1), datetime(2900, 1, 1)).map(
        lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}".zfill(20)
    )
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=6), min_size=1, max_size=3))
def test_events_like_any_sample_keep_its_shape(events: list[dict[str, Any]]) -> None:
    captured = [{**event, "type": "click"} for event in events]
    shapes = [shape(event) for event in captured]
    made = more(*captured, count=5)
    for event in made:
        assert any(_same_shape(shape(event), one) for one in shapes)
        assert json.loads(msgspec.json.encode(event)) == event
    assert made == more(*captured, count=5)


def _same_shape(made: Any, captured: Any) -> bool:
    """Times may have other lengths, because they are other times."""
    if isinstance(made, dict):
        return list(made) == list(captured) and all(_same_shape(made[name], captured[name]) for name in made)
    if isinstance(made, list):
        return len(made) == len(captured) and all(map(_same_shape, made, captured))
    return bool(made[0] is captured[0])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(wild_batches(type="click", max_size=10))
def test_events_like_our_own_are_valid(batch: list[Event]) -> None:
    for event in more(*batch, count=10):
        assert any(list(event) == list(one) and _same_shape(shape(event), shape(one)) for one in batch)
        assert event["type"] == "click"


# Files


@pytest.mark.parametrize(
    ("name", "content", "events"),
    [
        ("one.json", b'{"type": "open", "a": 1}', 1),
        ("list.json", b'[{"type": "open"}, {"type": "open", "b": null}]', 2),
        ("bom.json", b'\xef\xbb\xbf{"type": "open"}', 1),
        ("lines.jsonl", b'{"type": "open"}\n{"type": "open"}\n', 2),
        ("lines.ndjson", b'{"type": "open"}', 1),
    ],
)
def test_a_file_contains_one_event_or_several(tmp_path: Path, name: str, content: bytes, events: int) -> None:
    (tmp_path / name).write_bytes(content)
    sample = load_sample(tmp_path / name)
    assert (sample.event_type, len(sample.shape.examples)) == (EventType.OPEN, events)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON: Input data was truncated, allowed: an event, a list of events, o"),
        (b'{"type": "open"', "not JSON: Input data was truncated, allowed: an event, a list of events, o"),
        (b"<events/>", "not JSON: JSON is malformed: invalid character (byte 0), allowed: an event, a list"),
        (b'{"a": "\xff"}', "not JSON: "),
        (b"[]", "contains no event, allowed: an event, a list of events"),
        (b'"open"', "contains something that is no event, allowed: an event, a list of events"),
        (b'[{"type": "open"}, 5]', "contains something that is no event, allowed: an event, a list of events"),
        (b'[{"type": "open"}, {"type": "click"}]', "contains events of types open, click, allowed: one of them"),
        (b'[{"type": "open"}, {}]', "contains something that is no event, allowed: an event, a list of events"),
        (b'{"type": ["open"]}', None),
        (b'{"a": 1e999}', "not JSON: Number out of range"),
        (b'{"a": 18446744073709551616}', "contains an integer of more than 64 bits, which is the limit"),
        (b'{"a": -9223372036854775809}', "contains an integer of more than 64 bits, which is the limit"),
        (b'{"a":' * 51 + b"1" + b"}" * 51, f"nested deeper than {DEPTH_MAX} levels, which is the limit"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, None),
        (b"[" * 100_000, "not JSON: "),
    ],
)
def test_a_bad_file_is_rejected_in_one_line(tmp_path: Path, content: bytes, message: str | None) -> None:
    path = tmp_path / "captured.json"
    path.write_bytes(content)
    if message is None:
        assert load_sample(path).event_type is None
        return
    with pytest.raises(InvalidInputError) as refused:
        load_sample(path)
    assert re.sub(r":\d+:\d+: ", ": ", str(refused.value)).startswith(f"{path}: {message}")
    assert "\n" not in str(refused.value)


def test_an_unreadable_or_too_large_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"nowhere\.json: cannot be read: No such file or directory"):
        load_sample(tmp_path / "nowhere.json")
    with pytest.raises(InvalidInputError, match="not a regular file, allowed: a file of captured events"):
        load_sample(tmp_path)
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(CAPTURED_BYTES_MAX + 1)
    with pytest.raises(InvalidInputError, match="larger than 16777216 bytes, which is the limit"):
        load_sample(large)


# In a campaign


def test_a_sample_is_for_its_own_type_or_for_any_if_it_has_none() -> None:
    campaign = Campaign(Consumer())  # type: ignore[arg-type]
    clicks = read_sample([{"type": "click"}], "captured")
    with pytest.raises(InvalidInputError, match="like: the sample is of type click, allowed: open"):
        campaign.emit(EventType.OPEN, like=clicks)
    campaign.emit(EventType.OPEN, like=read_sample([{"type": "seen by somebody"}], "captured"))


def test_events_like_the_vendors_example_have_its_fields() -> None:
    sample = load_sample(FIXTURES / "opens-guide.json")
    made = list(sample.more("1", repeat(DEFAULT_START, COUNT)))
    assert len({event["mailId"] for event in made}) == COUNT
    for event in made:
        assert list(event) == list(sample.shape.examples[0])
        assert event["created"] == DEFAULT_START
        assert (event["clientId"], event["device"], event["browser"]) == (123456789001, "desktop", "Firefox 64.1")
