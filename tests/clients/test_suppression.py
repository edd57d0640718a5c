"""Patterns of the blocklist."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.clients.suppression import Blocklist, BlocklistEntry, matches

TEXTS = st.text("aAb@*.", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        ("anna@example.com", "ANNA@example.com", True),
        ("anna@example.com", "anna@example.com.evil", False),
        ("*@example.com", "anna@Example.com", True),
        ("*@example.com", "anna@example.org", False),
        ("anna@*", "anna@example.com", True),
        ("*", "", True),
        ("a*a", "a", False),
        ("*.*@*", "anna.meier@example.com", True),
        ("a?c", "abc", False),
        ("[a]", "a", False),
    ],
)
def test_a_star_is_any_text(pattern: str, address: str, expected: bool) -> None:
    assert matches(pattern, address) is expected


@given(TEXTS, TEXTS)
def test_matching_agrees_with_a_regular_expression(pattern: str, address: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.lower().split("*"))
    assert matches(pattern, address) is bool(re.fullmatch(expression, address.lower(), re.DOTALL))


@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_a_blocklist_finds_what_any_entry_matches(patterns: list[str], address: str) -> None:
    blocklist = Blocklist()
    for pattern in patterns:
        blocklist.put(BlocklistEntry(pattern=pattern, created=0, modified=0))
    found = blocklist.match(address)
    assert (found is not None) is any(matches(pattern, address) for pattern in patterns)
    for pattern in patterns:
        blocklist.remove(pattern)
    assert (len(blocklist), blocklist.match(address)) == (0, None)


def test_no_pattern_takes_long() -> None:
    assert not matches("*a" * 500 + "b", "a" * 1_000)
