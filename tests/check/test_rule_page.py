"""What the pages of the rules say is part of the package, and reports name the command that shows it."""

from __future__ import annotations

import pytest

from mockcampaign.check.rule_page import LANGUAGES, rule_page
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.report.advice import explaining
from places import ROOT
from results import finding


@pytest.mark.parametrize("rule_id", [rule.id for rule in CATALOGUE])
def test_every_page_has_a_story_and_code_in_each_language(rule_id: str) -> None:
    page, text = rule_page(rule_id), (ROOT / f"docs/rules/{rule_id}.md").read_text()
    assert page.story
    assert "#" not in page.story
    for codes in (page.broken, page.fixed):
        assert list(codes) == list(LANGUAGES)
        assert all(code.strip() and f"\n{code}```\n" in text for code in codes.values())


def test_every_rule_of_a_journal_is_explained() -> None:
    assert {rule.id for rule in JOURNAL_RULES} <= {rule.id for rule in CATALOGUE}


def test_the_worst_finding_is_explained_and_an_expectation_is_not() -> None:
    hazard = finding("rejects-get-and-head", "warn", family="http")
    violation = finding("once-after-an-hour", "fail", family="redelivery")
    assert explaining([finding("opens.delivered", "fail"), finding("processed", "fail")]) is None
    assert explaining([finding("responds-200")]) is None
    assert explaining([hazard, violation]) == "mockcampaign rules once-after-an-hour"
    assert explaining([hazard, finding("responds-200", "fail")]) == "mockcampaign rules responds-200"
