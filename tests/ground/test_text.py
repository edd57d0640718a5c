"""How messages put things."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign import errors
from mockcampaign.text import MESSAGE_MAX, SHOWN_MAX, bounded, counted, kind_of, meant


@pytest.mark.parametrize(("count", "said"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (2_500, "2,500 events")])
def test_one_of_it_is_singular(count: int, said: str) -> None:
    assert counted(count, "event") == said


def test_only_text_that_a_message_shows_whole_is_compared() -> None:
    longest = "a" * SHOWN_MAX
    assert meant(longest, [longest[1:]]) == f", did you mean {longest[1:]!r}?"
    assert meant(longest + "a", [longest]) == ""


def test_the_article_is_that_of_the_spoken_name() -> None:
    values = (uuid4(), 1, "", b"", [], object())
    assert [kind_of(value) for value in values] == ["a UUID", "an int", "a str", "a bytes", "a list", "an object"]
    made = [type(name, (), {})() for name in ("URL", "User", "Unknown")]
    assert [kind_of(value) for value in made] == ["a URL", "a User", "an Unknown"]


@given(st.text(max_size=30), st.integers(6, 20))
def test_a_long_message_keeps_both_ends(text: str, length: int) -> None:
    found, end = bounded(text, length), length // 3
    assert len(found) <= length
    assert found == text or found == f"{text[: length - end - 3]} … {text[-end:]}"


def test_no_error_of_ours_repeats_endless_text() -> None:
    kinds = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.MockcampaignError)
    ]
    assert len(kinds) > 10
    for kind in kinds:
        endless = "a" * 1_000_000
        error = errors.WrongFieldsError([endless]) if kind is errors.WrongFieldsError else kind(endless)
        assert len(str(error)) == MESSAGE_MAX
