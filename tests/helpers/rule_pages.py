"""The pages of the rules: their heads, which the definitions give, and their examples.

`PYTHONPATH=tests/helpers python tests/helpers/rule_pages.py --write` writes all heads, and the index in the README.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mockcampaign.check.behaviours import BEHAVIOURS
from mockcampaign.check.rule import Rule
from mockcampaign.check.rules import CATALOGUE, FAMILIES
from mockcampaign.report import sentences
from places import ROOT

FOLDER = ROOT / "docs" / "rules"
README = FOLDER / "README.md"
VARIANTS = ("broken", "fixed")
FENCES = {"Python": "python", "JavaScript": "js", "PHP": "php", "Java": "java"}
"""The languages in their order, and the words behind the fences of their code."""

_HEAD = ("<!-- head: written by tests/helpers/rule_pages.py -->\n", "<!-- end of head -->\n")
_INDEX = ("<!-- index: written by tests/helpers/rule_pages.py -->\n", "<!-- end of index -->\n")


@dataclass(frozen=True)
class Block:
    """The code of an example in one language."""

    rule: str
    variant: str
    language: str
    code: str
    not_executed: str
    """Why the code only shows something; empty for code that is executed."""

    @property
    def path(self) -> str:
        """The path below which a server has this example."""
        return f"{self.rule}/{self.variant}"


def head(rule: Rule) -> str:
    """Return the beginning of a rule's page, from its definition."""
    assumed = "; ".join(f"{BEHAVIOURS[name][1]} ({BEHAVIOURS[name][0]})" for name in rule.assumes)
    facts = {
        "Level": f"{rule.level} ({rule.family}: {FAMILIES[rule.family]})",
        "Required": rule.requirement,
        "Expected": rule.expected,
        "Needs": ", ".join(map(sentences.need, rule.needs)),
        "Depends on": ", ".join(map(_linked, rule.depends_on)),
        "Assumes": assumed,
        "Fix": rule.fix,
        "Not covered": rule.not_covered,
    }
    lines = (f"- **{name}:** {_escaped(text)}\n" for name, text in facts.items() if text)
    return f"# {rule.id}\n\n{_HEAD[0]}\n{_escaped(rule.title)}.\n\n{''.join(lines)}\n{_HEAD[1]}"


def index() -> str:
    """Return the index of all pages."""
    lines = [_INDEX[0]]
    for family, about in FAMILIES.items():
        lines.append(f"\n**{family}**: {about}\n\n")
        for rule in CATALOGUE:
            if rule.family == family and (FOLDER / f"{rule.id}.md").exists():
                lines.append(f"- [{rule.id}]({rule.id}.md): {_escaped(rule.title)} ({rule.level})\n")
    return "".join(lines) + f"\n{_INDEX[1]}"


def _linked(rule: str) -> str:
    """Return the id of a rule as a link to its page, if there is one."""
    return f"[{rule}]({rule}.md)" if (FOLDER / f"{rule}.md").exists() else f"`{rule}`"


def _escaped(text: str) -> str:
    """Return text in which Markdown finds no markup but links and code."""
    return re.sub(r"(?<!`)([*_<])(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text.replace("\n", " "))


def with_head(text: str, rule: Rule) -> str:
    """Return the page with its head as it should be."""
    return head(rule) + text.partition(_HEAD[1])[2]


def with_index(text: str) -> str:
    """Return the README with its index as it should be."""
    before, _, rest = text.partition(_INDEX[0])
    return before + index() + rest.partition(_INDEX[1])[2]


def pages() -> dict[str, Path]:
    """Return the pages that are there, by the ids of their rules, in the order of the catalogue."""
    found = {rule.id: FOLDER / f"{rule.id}.md" for rule in CATALOGUE}
    return {rule: page for rule, page in found.items() if page.exists()}


def blocks(rule: str, text: str) -> Iterator[Block]:
    """Find the examples of a page."""
    for variant in VARIANTS:
        section = re.search(rf"^## {variant.title()}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        for language, fence in FENCES.items():
            pattern = rf"^### {language}$\n\n(?:<!-- not executed: (.*?) -->\n\n)?```{fence}\n(.*?)^```$"
            found = section and re.search(pattern, section[1], re.MULTILINE | re.DOTALL)
            if found:
                yield Block(rule, variant, language, found[2], found[1] or "")


def all_blocks() -> list[Block]:
    """Return the examples of all pages."""
    return [block for rule, page in pages().items() for block in blocks(rule, page.read_text(encoding="utf-8"))]


def frame(language: str) -> str:
    """Return the consumer around the examples of a language."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^## {language}$\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


def write() -> None:
    """Write the heads of all pages, and the index."""
    rules = {rule.id: rule for rule in CATALOGUE}
    for rule, page in pages().items():
        page.write_text(with_head(page.read_text(encoding="utf-8"), rules[rule]), encoding="utf-8")
    README.write_text(with_index(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: rule_pages.py --write")
    write()
