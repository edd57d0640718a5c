"""Findings and verdicts as the control API shows them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mockcampaign.judging.finding import Finding, Judgement, Level


class FindingView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The result of one rule or one expectation."""

    id: str
    title: str
    family: str | None
    level: Level
    outcome: Judgement
    known: bool
    """Whether the violation was allowed, so that it does not count."""
    requirement: str
    expected: str
    actual: str
    identity: str | None
    """Identity of a violation among those of the same rule."""
    fix: str | None
    not_covered: str | None
    """Violations that a pass does not exclude."""
    place: str | None
    """Place of an expectation in its scenario."""
    curl: str | None
    """Shell commands that show the violation; they read credentials from the environment."""
    scenario: str | None
    """Text of a scenario file that shows the violation."""


def finding_view(finding: Finding) -> FindingView:
    """Return a finding as the control API shows it."""
    reproduce = finding.reproduce
    return FindingView(
        id=finding.id,
        title=finding.title,
        family=finding.family,
        level=finding.level,
        outcome=finding.outcome,
        known=finding.known,
        requirement=finding.requirement,
        expected=finding.expected,
        actual=finding.actual,
        identity=finding.identity,
        fix=finding.fix,
        not_covered=finding.not_covered,
        place=finding.place,
        curl=None if reproduce is None else reproduce.curl,
        scenario=None if reproduce is None else reproduce.scenario,
    )


def finding_views(findings: Iterable[Finding]) -> list[FindingView]:
    """Return findings as the control API shows them."""
    return [finding_view(finding) for finding in findings]
