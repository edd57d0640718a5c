"""Which operation a path leads to, against patterns that say the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.server.app import APIS
from mockcampaign.server.http.paths import Paths

TEMPLATES = sorted({api.prefix + operation.path for api in APIS for operation in api.operations})
PATHS = Paths[str]()
for template in TEMPLATES:
    PATHS.setdefault(template, template)


def by_pattern(path: str) -> list[tuple[str, dict[str, str]]]:
    found = {one: re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", one), path) for one in TEMPLATES}
    return [(one, match.groupdict()) for one, match in found.items() if match is not None]


@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.sampled_from(["1", "a\n", "count", "", "webhooks", "é"]), min_size=4, max_size=4),
    st.sampled_from(["", "/", "x", "/x"]),
)
def test_a_path_leads_where_its_pattern_does(template: str, texts: list[str], surplus: str) -> None:
    path = re.sub(r"{\w+}", lambda _: texts.pop(), template) + surplus
    found, expected = PATHS.find(path), by_pattern(path)
    assert found in expected if expected else found is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/b", ("fixed", {})),
        ("/a/c", ("any", {"one": "c"})),
        ("/a/b/d", ("deep", {"one": "b"})),
        ("/x/y/z", ("both", {"two": "x", "three": "z"})),
        *((path, None) for path in ("", "/", "/a", "/a/", "/a//d", "/a/b/", "/a/b/e", "a/b", "/x/y/", "//y/z")),
    ],
)
def test_a_segment_that_stands_in_a_path_itself_wins(path: str, found: tuple[str, dict[str, str]] | None) -> None:
    paths = Paths[str]()
    for one, value in {"/a/{one}": "any", "/a/b": "fixed", "/a/{one}/d": "deep", "/{two}/y/{three}": "both"}.items():
        assert paths.setdefault(one, value) == value
        assert paths.setdefault(one, "another") == value
    assert paths.find(path) == found
