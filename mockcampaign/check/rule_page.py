"""The page of a rule: how consumers violate it in practice, and the same mistake broken and fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mockcampaign.shipped import rule_pages_folder

LANGUAGES: Mapping[str, str] = {"python": "Python", "javascript": "JavaScript", "php": "PHP", "java": "Java"}
"""Headings of the pages, by what a command calls the language."""

_END_OF_HEAD = "<!-- end of head -->"


class RulePage(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a page that the definition of its rule does not have."""

    story: str
    """How the mistake happens in practice."""
    broken: Mapping[str, str]
    """Code that violates the rule, by language."""
    fixed: Mapping[str, str]
    """Code that complies, by language."""


def rule_page(rule_id: str) -> RulePage:
    """Return the page of a rule."""
    text = (rule_pages_folder() / f"{rule_id}.md").read_text(encoding="utf-8").partition(_END_OF_HEAD)[2]
    story, broken, fixed = re.split(r"^## (?:Broken|Fixed)$", text, flags=re.MULTILINE)
    return RulePage(story=" ".join(story.split()), broken=_by_language(broken), fixed=_by_language(fixed))


def _by_language(text: str) -> dict[str, str]:
    named = {heading: language for language, heading in LANGUAGES.items()}
    _, *parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    codes = (re.findall(r"^```\w+\n(.*?)^```$", part, re.MULTILINE | re.DOTALL) for part in parts[1::2])
    return {named[heading]: "\n".join(code) for heading, code in zip(parts[::2], codes, strict=True)}
