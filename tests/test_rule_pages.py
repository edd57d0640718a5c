"""Each rule has a page, whose head agrees with its definition and whose examples do what they say."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from mockcampaign.check.rules import CATALOGUE
from rule_examples import SERVERS, assembled, missing, served, wrong_examples
from rule_pages import FENCES, README, Block, all_blocks, blocks, pages, with_head, with_index

RULES = {rule.id: rule for rule in CATALOGUE}


NOT_EXECUTED = {
    **dict.fromkeys(("handles-split-headers", "has-valid-certificate"), tuple(FENCES)),
    **dict.fromkeys(
        ("accepts-slow-body", "handles-concurrent-requests", "handles-keep-alive", "once-after-truncated-body"),
        ("PHP",),
    ),
    "ignores-header-case": ("Java",),
}
"""Languages of the examples that no handler decides: their pages give the reasons in comments."""


def lacking(language: str) -> None:
    """Skip a test without the tools of the language. In CI they have to be there."""
    tool = missing(language)
    if tool is not None:
        assert not os.environ.get("CI"), f"no {tool}"
        pytest.skip(f"no {tool}")


def of(language: str) -> list[Block]:
    return [block for block in all_blocks() if block.language == language]


def test_heads_agree_with_the_definitions() -> None:
    assert pages().keys() == RULES.keys()
    assert {page.stem for page in README.parent.glob("*.md")} == {*RULES, "README"}
    # PYTHONPATH=tests/helpers python tests/helpers/rule_pages.py --write
    texts = {rule: page.read_text(encoding="utf-8") for rule, page in pages().items()}
    assert [rule for rule, text in texts.items() if text != with_head(text, RULES[rule])] == []
    index = README.read_text(encoding="utf-8")
    assert index == with_index(index)


@pytest.mark.parametrize("rule", pages())
def test_a_page_has_examples_in_all_languages(rule: str) -> None:
    found = list(blocks(rule, pages()[rule].read_text(encoding="utf-8")))
    assert [(block.variant, block.language) for block in found] == [
        (variant, language) for variant in ("broken", "fixed") for language in FENCES
    ]
    assert {block.language for block in found if block.not_executed} == {*NOT_EXECUTED.get(rule, ())}
    for block in found:
        assert 1 <= len([line for line in block.code.splitlines() if line]) <= 14, block.path
        assert max(map(len, block.code.splitlines())) <= 120, block.path
    for language in FENCES:
        broken, fixed = (block.code for block in found if block.language == language)
        assert broken != fixed


def test_examples_in_python_compile() -> None:
    for block in of("Python"):
        compile(assembled(block), f"{block.path}.py", "exec")


def test_examples_in_javascript_compile(tmp_path: Path) -> None:
    lacking("JavaScript")
    file = tmp_path / "examples.json"
    file.write_text(json.dumps({block.path: assembled(block) for block in of("JavaScript")}))
    done = subprocess.run(
        ["node", str(SERVERS / "serve.cjs"), str(file), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_examples_in_php_compile() -> None:
    lacking("PHP")
    code = (
        "foreach (json_decode(stream_get_contents(STDIN), true) as $path => $source) {"
        "try { token_get_all($source, TOKEN_PARSE); } catch (ParseError $error) { echo $path, $error, PHP_EOL; } }"
    )
    sources = json.dumps({block.path: assembled(block) for block in of("PHP")})
    done = subprocess.run(["php", "-r", code], input=sources, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("language", FENCES)
def test_broken_examples_are_found_and_fixed_ones_pass(language: str) -> None:
    lacking(language)
    executed = [block for block in of(language) if not block.not_executed]
    with served(language, executed) as url:
        assert asyncio.run(wrong_examples(executed, url)) == []
