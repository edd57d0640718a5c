"""Names of fields in files stand for one path each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.shape.field import read_path, written


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.text("ab.\\\n", max_size=4) | st.text(max_size=4), min_size=1, max_size=4).map(tuple))
def test_a_written_path_is_read_back(path: tuple[str, ...]) -> None:
    assert read_path(written(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [("user.id", ("user", "id")), ("link\\.to", ("link.to",)), ("a", ("a",)), ("", ("",)), ("a\\", ("a\\",))],
)
def test_dots_separate_names_unless_they_are_escaped(text: str, path: tuple[str, ...]) -> None:
    assert read_path(text) == path
