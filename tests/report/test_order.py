"""Every report shows violations before hazards, and hazards before what was skipped, whatever was examined first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest

from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, run_result
from mockcampaign.report.annotations.github import annotation_lines
from mockcampaign.report.annotations.sarif import to_sarif
from mockcampaign.report.check_text import check_lines, summary_lines
from mockcampaign.report.columns import Styled
from mockcampaign.report.html import to_html
from mockcampaign.report.junit import to_junit
from mockcampaign.report.markdown import to_markdown
from mockcampaign.report.scenario_text import plain_report
from results import finding, outage, scenario

ORDER = ("violation", "unknown", "hazard", "baseline", "success", "absence")
OUTCOMES: tuple[tuple[str, dict[str, object]], ...] = (
    ("absence", {"outcome": "not-exercised"}),
    ("success", {}),
    ("hazard", {"outcome": "warn", "level": "should"}),
    ("baseline", {"outcome": "fail", "known": True}),
    ("unknown", {"outcome": "could-not-tell"}),
    ("violation", {"outcome": "fail"}),
)
"""Outcomes in the order in which rules of one family were examined: the worst last."""


def named(name: str, changes: Mapping[str, object]) -> Finding:
    shown = f"the {name}-text"
    return finding(name, **{"title": shown, "actual": shown, "family": "batch", "place": None, **changes})  # type: ignore[arg-type]


def checked(*, strict: bool = False) -> RunResult:
    """A check: the scenario of each rule in turn, without the rules about every journal."""
    journal = outage({}).journal.entries
    rules = [named(*one) for one in OUTCOMES]
    parts = [
        msgspec.structs.replace(
            scenario(name=one.id, journal=journal, findings=(), file="", strict=strict), rules=[one]
        )
        for one in rules
    ]
    return msgspec.structs.replace(run_result(parts), rules=rules, headline="one violation")


def text(lines: list[list[Styled]]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


REPORTS: dict[str, Callable[[RunResult], str]] = {
    "findings on the terminal": lambda result: text(list(check_lines(result, verbosity=1))),
    "summary on the terminal": lambda result: text(list(summary_lines(result))),
    "HTML": lambda result: to_html(result).decode().partition("<body")[2].partition('id="scenarios"')[0],
    "JUnit": lambda result: to_junit(result, "2025-01-01T00:00:00").decode(),
    "Markdown": lambda result: to_markdown(result).partition("Pending |")[2].partition("\n\n")[2],
    "SARIF": lambda result: to_sarif(result).decode(),
    "annotations of GitHub": lambda result: "\n".join(annotation_lines(result, str)),
    "a scenario's text": lambda result: plain_report(
        msgspec.structs.replace(result.scenarios[0], rules=[one for part in result.scenarios for one in part.rules])
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_the_worst_comes_first(report: str) -> None:
    written = REPORTS[report](checked())
    places = [written.find(f"the {name}-text") for name in ORDER]
    shown = [place for place in places if place >= 0]
    assert shown == sorted(shown)
    assert min(places[0], places[2]) >= 0  # each shows violations and hazards
    if report in ("HTML", "JUnit", "findings on the terminal", "a scenario's text"):
        assert len(shown) == len(ORDER)


def test_a_hazard_that_counts_as_a_violation_is_among_them() -> None:
    for report in ("findings on the terminal", "JUnit", "Markdown"):
        written = REPORTS[report](checked(strict=True))
        assert written.index("the hazard-text") < written.index("the unknown-text")
