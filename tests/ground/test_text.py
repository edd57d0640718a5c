"""How messages put things."""

from __future__ import annotations

from uuid import uuid4

import pytest

from mockcampaign.text import SHOWN_MAX, counted, kind_of, meant


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
