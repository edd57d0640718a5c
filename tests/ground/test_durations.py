from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.durations import (
    DURATION_MAX,
    DURATION_SCHEMA,
    format_duration,
    format_moment,
    parse_duration,
    parse_moment,
)
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

PUBLISHED = jsonschema.Draft202012Validator(DURATION_SCHEMA)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("90s", 90 * SECOND),
        ("10m", 10 * MINUTE),
        ("2h", 2 * HOUR),
        ("1d12h", DAY + 12 * HOUR),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@given(st.integers(0, DURATION_MAX))
def test_formatted_durations_are_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


VALIDATOR = jsonschema.Draft7Validator(DURATION_SCHEMA)


PARTS = ["1", "12", "1d", "2h", "3m", "4s", "5ms", "999999999d", "d", "h", "m", "s", "ms", " "]


@given(st.lists(st.sampled_from(PARTS), max_size=6).map("".join))
def test_schema_and_parser_have_one_grammar(text: str) -> None:
    refused = ""
    try:
        parse_duration(text)
    except InvalidInputError as error:
        refused = str(error)
    assert VALIDATOR.is_valid(text) is ("is not a duration" not in refused)


@pytest.mark.parametrize("text", ["", "90", "-5s", "1.5h", "2h1d", "5 s", "1w", "٣s", "s"])
def test_an_invalid_duration_is_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h"):
        parse_duration(text)


@given(st.lists(st.sampled_from(["", "0", "12", "1234567890", "d", "h", "m", "s", "ms", " "]), max_size=6).map("".join))
def test_the_published_schema_accepts_what_the_parser_accepts(text: str) -> None:
    try:
        parse_duration(text)
        accepted = True
    except InvalidInputError as error:
        accepted = "is too long" in str(error)
    assert PUBLISHED.is_valid(text) == accepted


@pytest.mark.parametrize("text", ["1s1d", "1s2s", ""])
def test_the_published_schema_rejects_units_out_of_order_and_repeated(text: str) -> None:
    assert not PUBLISHED.is_valid(text)


def test_the_longest_duration() -> None:
    assert parse_duration("365d23h59m59s999ms") == DURATION_MAX - 1
    assert parse_duration("366d") == DURATION_MAX
    with pytest.raises(InvalidInputError, match="'366d1s' is too long, allowed: up to 366d"):
        parse_duration("366d1s")


def test_moments_are_read_and_written() -> None:
    assert parse_moment("2019-07-31T18:20:54+02:00") == 1_564_590_054_000
    assert format_moment(1_564_590_054_007) == "2019-07-31T16:20:54.007Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [("1970-01-01T00:00:00Z", 0), ("2999-12-31T23:59:59Z", 32_503_679_999_000), ("1970-01-01T01:00:00+01:00", 0)],
)
def test_the_earliest_and_the_latest_moment(text: str, moment: int) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_moments_out_of_range_are_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is out of range, allowed: 1970-01-01T00:00:00Z to before 3000"):
        parse_moment(text)


@pytest.mark.parametrize("text", ["2025-01-01T00:00:00", "yesterday"])
def test_an_invalid_moment_is_rejected(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a moment"):
        parse_moment(text)
