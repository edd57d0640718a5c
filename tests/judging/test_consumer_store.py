"""Reading what a consumer has stored."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import PROBE_BYTES_MAX, Probe, _paths, check_jmespath, found_in, searched
from mockcampaign.model import NoResponse, Outcome, Responded


@pytest.mark.parametrize(
    ("body", "why"),
    [('["ä"]'.encode("latin-1"), "it is not UTF-8"), (b"[" * 10_000 + b"]" * 10_000, "it is nested too deeply")],
)
def test_a_response_that_is_no_json_is_one_line(body: bytes, why: str) -> None:
    responded = Responded(status=200, headers=(), body=body, body_bytes=len(body))
    with pytest.raises(
        CouldNotTellError, match=f"^probe http://x/: expected JSON, got no content type that .*: {why}$"
    ):
        Probe(url="http://x/", events="@").found(responded)


@pytest.mark.parametrize(
    ("expression", "why"),
    [("(" * 5_000 + "@" + ")" * 5_000, "nested too deeply"), (f"a[{'1' * 5_000}]", "a number with too many digits")],
)
def test_an_absurd_jmespath_is_one_line(expression: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^'.{{1,61}}' is not JMESPath: {why}$"):
        check_jmespath(expression)


def test_a_jmespath_that_cannot_be_evaluated_says_whose_it_is() -> None:
    with pytest.raises(CouldNotTellError, match=r"^probe: 'max\(@\)' does not fit the response: "):
        searched([1, "a"], "probe", "max(@)")


@pytest.mark.parametrize(
    ("response", "asked", "said"),
    [
        (
            {"events": [1]},
            {},
            'the response is {"events":[1]}, expected a list of events; lists in it: events (EVENTS)',
        ),
        ({"events": []}, {"events": "x"}, "'x' selects null, expected a list of events; lists in it: events (EVENTS)"),
        (
            {"data": {"my items": [], "n": 1}, "b": []},
            {"events": "data.n"},
            "'data.n' selects 1, expected a list of events; lists in it: b and data.\"my items\" (EVENTS)",
        ),
        ("a text", {}, 'the response is "a text", expected a list of events'),
        (
            {"total": 3, "ok": True},
            {"count": "@"},
            'the response is {"total":3,"ok":true}, expected a whole number; numbers in it: total (COUNT)',
        ),
        (
            {"click": 3},
            {"count": "open"},
            "'open' selects null, expected a whole number; if null stands for 0: open || `0`; numbers in it: click "
            "(COUNT)",
        ),
        ({}, {"count": "open"}, "'open' selects null, expected a whole number; if null stands for 0: open || `0`"),
        (None, {"count": "@"}, "the response is null, expected a whole number"),
    ],
)
def test_a_response_with_the_events_inside_is_an_error_that_says_where(
    response: Any, asked: dict[str, str], said: str
) -> None:
    advice = "name one as {} of the probe, a JMESPath; default: the whole response"
    said = said.replace("EVENTS", advice.format("events")).replace("COUNT", advice.format("count"))
    with pytest.raises(CouldNotTellError, match=f"^probe: {re.escape(said)}$"):
        found_in(response, "probe", **asked)


def test_a_number_that_is_null_before_the_first_event_can_be_selected_as_the_error_says() -> None:
    with pytest.raises(CouldNotTellError) as refused:
        found_in({"sums": None}, "probe", count="sums.open")
    count = str(refused.value).partition("0: ")[2]
    assert found_in({"sums": None}, "probe", count=count) == 0
    assert found_in({"sums": {"open": 3}}, "probe", count=count) == 3


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=70), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_a_path_that_an_error_names_selects_what_it_says(response: dict[str, Any]) -> None:
    for path in _paths(response, lambda found: isinstance(found, list)):
        assert isinstance(searched(response, "probe", path), list)
    with pytest.raises(CouldNotTellError) as refused:
        found_in(response, "probe")
    assert len(str(refused.value)) < 2_000
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "outcome",
    [
        Responded(200, (), b"[1", PROBE_BYTES_MAX + 1),
        NoResponse("body", f"response longer than {PROBE_BYTES_MAX} bytes"),
    ],
)
def test_a_response_that_is_too_long_says_how_the_probe_can_select(outcome: Outcome) -> None:
    probe = Probe(url="http://consumer.test/processed", events="@")
    assert probe.request(1_000).response_body_bytes_kept == PROBE_BYTES_MAX
    with pytest.raises(CouldNotTellError) as refused:
        probe.read(outcome)
    assert str(refused.value) == (
        "probe http://consumer.test/processed: response longer than 256 MiB: "
        "let the probe select events by placeholders, such as {mailingId} (documentation, “Write a probe”)"
    )
