"""Fields of requests: what is read, and how an error names what is wrong."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.server.app import APIS
from mockcampaign.server.http.request import VIOLATIONS_MAX, Repeated, RequestRejectedError, number_or_text, read_pairs
from mockcampaign.server.http.request_fields import (
    HINTS_MAX,
    INT32_MAX,
    CustomField,
    Direction,
    Duration,
    Id,
    SingleLine,
    TargetUrl,
    between,
    read_fields,
)
from mockcampaign.text import MESSAGE_MAX


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5


class Request(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    webhook_id: Id
    type: EventType = EventType.OPEN
    limit: Annotated[int, between(1, INT32_MAX)] = 100
    label: SingleLine | None = None
    over: Duration | None = None
    target: TargetUrl | None = None
    direction: Direction = Direction.DESC
    inner: Inner = Inner()
    like: dict[str, Any] | None = None


NAMES = [field.encode_name for field in msgspec.structs.fields(Request)]


def violations(values: object) -> list[str]:
    with pytest.raises(RequestRejectedError) as rejected:
        read_fields(Request, values)
    assert rejected.value.status == 400
    return rejected.value.violations


ENDLESS = st.builds(
    lambda text, times: text * times,
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8) | st.sampled_from(["a", "ä", "\x00", "%", ",", "{"]),
    st.sampled_from([1, 61, 5_000, 20_000]),
)
"""Text of a caller, up to as long as a body may be."""


@settings(max_examples=20)
@given(
    st.dictionaries(ENDLESS | st.sampled_from(NAMES), ENDLESS | st.integers() | st.just({"x": 1}), max_size=8),
    st.sampled_from([0, 30, 1_000]),
    ENDLESS,
)
def test_no_error_repeats_endless_text(values: dict[str, Any], more: int, text: str) -> None:
    values |= {f"unknown{number}": text for number in range(more)}
    rejections = [RequestRejectedError(400, text, violations=[text] * more)]
    for given_fields in (values, {"webhookId": text, "inner": values, "type": text, "over": text, "target": text}):
        with pytest.raises(RequestRejectedError) as rejected:
            read_fields(Request, given_fields | {"direction": ""})
        rejections.append(rejected.value)
    with pytest.raises(RequestRejectedError) as rejected:
        read_pairs(f"{text}=%ff".encode())
    for one in [*rejections, rejected.value]:
        bodies = [msgspec.json.encode(api.describe_error(one)) for api in APIS]
        assert max(map(len, bodies)) <= 6 * MESSAGE_MAX * (VIOLATIONS_MAX + 1)  # a control character takes six
    assert max(len(msgspec.json.encode(api.describe_error(rejections[1]))) for api in APIS) < 100_000


def test_an_error_names_some_wrong_fields_and_counts_the_others() -> None:
    found = violations({"webhookId": 1} | {f"unknown{number}": 1 for number in range(VIOLATIONS_MAX + 5)})
    assert [one.partition(":")[0] for one in found[-2:]] == ["unknown4", "… and 5 more wrong fields"]


def test_only_the_first_unknown_fields_get_a_hint() -> None:
    found = violations({"webhookId": 1} | {f"label{number}": "x" for number in range(HINTS_MAX + 5)})
    assert len(found) == HINTS_MAX + 5
    assert [", did you mean 'label'?" in one for one in found] == [True] * HINTS_MAX + [False] * 5


def test_fields_are_read_as_their_types() -> None:
    found = read_fields(
        Request,
        {"webhookId": 1, "type": "click", "label": "a b", "over": "1h", "direction": "asc", "inner": {"share": 1}},
    )
    assert (found.webhook_id, found.type, found.label, found.direction) == (1, EventType.CLICK, "a b", Direction.ASC)
    assert found.over is not None
    assert (found.over.value, found.inner, found.target) == (3_600_000, Inner(1), None)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "webhookId: missing, allowed: a whole number from 1 to 9223372036854775807"),
        ({"webhookId": 0}, "webhookId: 0 is not valid, allowed: a whole number from 1 to 9223372036854775807"),
        ({"webhookId": True}, "webhookId: true is not valid, allowed: a whole number from 1 to 9223372036854775807"),
        ({"webhookId": 1, "limit": "x"}, "limit: 'x' is not valid, allowed: a whole number from 1 to 2147483647"),
        ({"webhookId": 1, "direction": "up"}, "direction: 'up' is not valid, allowed: ASC, DESC"),
        ({"webhookId": 1, "over": "soon"}, "over: 'soon' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h"),
        ({"webhookId": 1, "over": 5}, f"over: 5 is not text, allowed: {Duration.allowed()}"),
        ({"webhookId": 1, "inner": {"share": 2}}, "inner.share: 2 is not valid, allowed: a number from 0 to 1"),
        ({"webhookId": 1, "inner": {"part": 2}}, "inner.part: unknown field, allowed: share"),
        ({"webhookId": 1, "inner": None}, "inner: null is not valid, allowed: an object with the fields share"),
        ({"webhookId": 1, "like": []}, "like: [] is not valid, allowed: a JSON object"),
        ({"webhookId": 1, "a\nb": 1}, f"'a\\nb': unknown field, allowed: {', '.join(NAMES)}"),
        ({"webhookId": Repeated(("1", "2", "3"))}, "webhookId: given 3 times, allowed: once"),
        ([], f"the body: [] is not valid, allowed: an object with the fields {', '.join(NAMES)}"),
    ],
)
def test_an_error_names_the_field_and_what_is_allowed(values: object, said: str) -> None:
    assert violations(values) == [said]


@pytest.mark.parametrize("text", ["s3cret\n", "s3cret\x00", "\x7fs3cret", "s3cret".ljust(2_001)])
def test_text_that_is_not_one_line_is_rejected_and_not_repeated(text: str) -> None:
    [said] = violations({"webhookId": 1, "label": text})
    assert said == "label: not valid, allowed: one line of text, up to 2000 characters"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=3), inside, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "unknown"]), JSON_VALUES))
def test_whatever_cannot_be_read_is_named(values: dict[str, Any]) -> None:
    def hook(kind: type[CustomField[Any]], raw: object) -> object:
        return kind.read(raw)

    try:
        expected = msgspec.convert(values, Request, dec_hook=hook)
    except (msgspec.ValidationError, InvalidInputError):
        said = violations(values)
        assert said
        for line in said:
            assert line.partition(":")[0].partition(".")[0] in [*NAMES, "unknown"]
            assert ", allowed: " in line
            assert "\n" not in line
    else:
        found = read_fields(Request, values)
        assert (found.webhook_id, found.label, found.inner) == (expected.webhook_id, expected.label, expected.inner)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=5))
def test_pairs_are_read_as_browsers_write_them(pairs: list[tuple[str, str]]) -> None:
    found = read_pairs(urlencode(pairs).encode())
    for name, text in pairs:
        texts = tuple(other for given, other in pairs if given == name)
        assert found.pop(name, None) in (text if len(texts) == 1 else Repeated(texts), None)
    assert not found


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-1", -1), ("007", 7), ("9" * 30, int("9" * 30))]
    + [(text, text) for text in ("9" * 31, "", "-", "--1", "+1", "1.0", "1e3", " 1", "1_0", "\u0661", "\u00b2")],
)
def test_only_plain_digits_are_a_number(text: str, value: int | str) -> None:
    assert number_or_text(text) == value


def test_every_operation_has_a_place_for_its_fields() -> None:
    for api in APIS:
        for operation in api.operations:
            in_path = operation.in_path(api)
            place = operation.place(api)
            if place == "json" and not in_path:
                continue
            names = {field.encode_name for field in msgspec.structs.fields(operation.fields)}
            assert set(in_path) <= names, f"{operation.id}: a field of the path is not read"
