"""No word of a finding counts: with nonsense instead, all but the words stays the same."""

from __future__ import annotations

from typing import Any

import pytest

from checks import checked
from mockcampaign.judging.earlier.baseline import Known
from mockcampaign.judging.verdict import RunResult, exit_status, shown_as
from mockcampaign.report import sentences
from mockcampaign.report.check_text import check_lines, headline_lines, next_lines, summary_lines
from mockcampaign.report.markdown import to_markdown
from mockcampaign.samples.consumer import consumer_app

RULES = ("responds-200", "batch", "identity", "redelivery", "authentication")
BUGS = ("dedup-key-mail-id", "responds-201", None)


def what_counts(result: RunResult) -> Any:
    """Everything but words: outcomes, identities, the verdict, and the styles and the number of lines."""
    lines = [*summary_lines(result, width=80), *headline_lines(result), *next_lines(result, "check")]
    first = [[style for _, style in line] for line in check_lines(result, width=80) if line[0][0] == "  "]
    return (
        [(one.id, shown_as(one), one.identity, one.facts, one.evidence) for one in result.rules],
        [(one.name, one.verdict) for one in result.scenarios],
        (exit_status(result), result.compliant, result.gone),
        ([[style for _, style in line] for line in lines], first),
        to_markdown(result).count("\n"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_nonsense_for_words_changes_nothing_else(bug: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(consumer_app(bug), rules=("responds-200", "stores-repeat-engagement"))
    known = tuple(Known(one.id, one.identity) for one in found.rules if one.outcome == "fail")
    assert len(known) == (bug is not None)
    usual = checked(consumer_app(bug), rules=RULES, known=known)
    assert sum(one.known for one in usual.rules) == len(known)
    monkeypatch.setattr(sentences, "_clause", lambda fact: "blah")
    monkeypatch.setattr(sentences, "_stimulus", lambda one: "blub")
    nonsense = checked(consumer_app(bug), rules=RULES, known=known)
    assert {one.actual for one in nonsense.rules} != {one.actual for one in usual.rules}
    assert what_counts(nonsense) == what_counts(usual)
