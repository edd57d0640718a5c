"""Characters that no store has to hold."""

from __future__ import annotations

import pytest

from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.equivalents import comparable, comparable_key


def same(sent: str, stored: str) -> bool:
    return comparable(canonical({"browser": sent})) == comparable(canonical({"browser": stored}))


def test_what_no_store_has_to_hold_may_be_replaced() -> None:
    for sent in ("a\0b", "a\ud83db", "a\ude00b", "a\ufffdb"):
        for stored in ("ab", "a\ufffdb", "a\0b", "a\ud83db"):
            assert same(sent, stored)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("a\0b", "a"),
        ("a\0b", "a b"),
        ("a\ud83db", "a"),
        ("a\\u0000b", "ab"),
        ("a\\\0b", "a"),
        ("a\nb", "ab"),
        ("a", "b"),
    ],
)
def test_what_stands_beside_it_may_not_be_lost(sent: str, stored: str) -> None:
    assert not same(sent, stored)


def test_an_escaped_backslash_stays() -> None:
    assert comparable(canonical({"a": "\\\0u0000"})) == canonical({"a": "\\u0000"})


def test_keys_are_compared_like_events() -> None:
    for sent in ("a\0b", "a\ud83db", "a\ude00b", "a\ufffdb"):
        assert {comparable_key((stored, 5)) for stored in (sent, "ab", "a\ufffdb")} == {("ab", 5)}
        assert comparable_key((f"{sent}c", 5)) != comparable_key((sent, 5))
