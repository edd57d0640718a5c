"""Links and examples of pages that are written for GitHub, as the site shows them."""

from __future__ import annotations

import posixpath
import re
import textwrap
from collections.abc import Mapping

_FENCE = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
_EXAMPLE = re.compile(
    r"^### (?P<language>[^\n]+)\n\n(?P<block>(?:<!--[^\n]*-->\n\n?)?```\w+\n.*?^```\n)", re.MULTILINE | re.DOTALL
)


def with_tabs(markdown: str) -> str:
    """Return the page of a rule with a tab for each language, where it has a heading and a block for each."""
    return _EXAMPLE.sub(
        lambda example: f'=== "{example["language"]}"\n\n{textwrap.indent(example["block"], "    ")}', markdown
    )


def with_places(markdown: str, source: str, places: Mapping[str, str]) -> str:
    """Return the page with each relative link leading to its target's place on the site, from the place of the page.

    `source` is the page's path in the repository, and `places` has the places on the site of files outside of `docs`.
    Blocks of code stay as they are.
    """
    page = _place_of(source, places)

    def moved(link: re.Match[str]) -> str:
        target = _place_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"])), places)
        return posixpath.relpath(target, posixpath.dirname(page) or ".") + (link["anchor"] or "")

    pieces, end = [], 0
    for fence in _FENCE.finditer(markdown):
        pieces += [_LINK.sub(moved, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*pieces, _LINK.sub(moved, markdown[end:])])


def _place_of(source: str, places: Mapping[str, str]) -> str:
    """Return where a file of the repository is on the site. A file that is not there gets one that leads nowhere."""
    return places.get(source, source.removeprefix("docs/") if source.startswith("docs/") else f"../{source}")
