"""Reading what a consumer has stored."""

from __future__ import annotations

import pytest

from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import Probe, check_jmespath, searched
from mockcampaign.model import Responded


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
