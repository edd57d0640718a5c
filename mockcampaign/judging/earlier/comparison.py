"""Compares two results: violations that were fixed, that are new, and that are still there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Literal

import msgspec

from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, ScenarioResult

Change = Literal["regressed", "new", "still failing", "fixed", "not examined", "inconclusive"]
"""The fate of a violation. Regressed: its rule had passed. Not examined: its rule was examined earlier only."""

_Subject = tuple[str | None, str]
"""A scenario, and a rule or expectation in it. The rules of a check belong to no scenario."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """One violation of two results, or one rule without a result, and what became of it."""

    change: Change
    scenario: str | None
    """Name of the scenario; None for a rule of a check."""
    id: str
    """Id of the rule or expectation; empty for a whole scenario."""
    sentence: str
    """The observation in words, of the later result if it has one."""


def is_wrong(finding: Finding) -> bool:
    """Return whether the consumer violates the rule or expectation, whether or not a baseline accepts that."""
    return finding.outcome in ("fail", "warn")


def findings_by_scenario(result: RunResult) -> Iterator[tuple[str | None, Finding]]:
    """Yield each finding with the name of its scenario.

    The findings of a check have none. Scenarios of one name are distinguished by their files.
    """
    if result.headline is not None:
        for finding in result.rules:
            yield None, finding
        return
    for name, scenario in _named(result):
        for finding in (*scenario.rules, *scenario.expectations):
            yield name, finding


def _named(result: RunResult) -> Iterator[tuple[str, ScenarioResult]]:
    names = Counter(scenario.name for scenario in result.scenarios)
    for scenario in result.scenarios:
        name = scenario.name
        yield (name if names[name] == 1 else name_with_file(name, scenario.file)), scenario


def name_with_file(name: str, file: str) -> str:
    """Return what distinguishes a scenario from others of its name."""
    return f"{name} ({file})"


class _Side:
    """The findings of one result, by what they are about."""

    def __init__(self, result: RunResult) -> None:
        self.wrong: dict[tuple[_Subject, str | None], Finding] = {}
        self._outcomes: defaultdict[_Subject, set[str]] = defaultdict(set)
        self.doubts: dict[_Subject, str] = {}
        for name, finding in findings_by_scenario(result):
            subject = (name, finding.id)
            self._outcomes[subject].add(finding.outcome)
            if is_wrong(finding):
                self.wrong.setdefault((subject, finding.identity), finding)
            elif finding.outcome == "could-not-tell":
                self.doubts[subject] = finding.actual
        scenarios = {} if result.headline is not None else dict(_named(result))
        self.trouble = {name: one.trouble for name, one in scenarios.items() if one.trouble is not None}
        self._finished = scenarios.keys() - self.trouble.keys()

    def examined(self, subject: _Subject, identity: str | None) -> bool:
        """Return whether the violation would be in this result if it had occurred.

        A failure without an identity, such as that of a test itself, is only reported when it occurs.
        """
        if identity is None and subject not in self._outcomes:
            return subject[0] in self._finished
        return not self._outcomes.get(subject, set()).isdisjoint(("pass", "fail", "warn"))

    def is_wrong_about(self, subject: _Subject) -> bool:
        """Return whether the result contains any violation of the rule or expectation."""
        return not self._outcomes.get(subject, set()).isdisjoint(("fail", "warn"))


def compare_results(earlier: RunResult, later: RunResult) -> list[Changed]:
    """Return what became of every violation of two results, and what the later one could not examine any more."""
    before, after = _Side(earlier), _Side(later)
    changes = [
        _changed(_began(before, subject, identity), subject, finding)
        for (subject, identity), finding in after.wrong.items()
    ]
    for (subject, identity), finding in before.wrong.items():
        if (subject, identity) not in after.wrong:
            change: Change = "fixed" if after.examined(subject, identity) else "not examined"
            changes.append(_changed(change, subject, finding))
    for (scenario, name), why in after.doubts.items():
        changes.append(Changed(change="inconclusive", scenario=scenario, id=name, sentence=why))
    for scenario, why in after.trouble.items():
        changes.append(Changed(change="inconclusive", scenario=scenario, id="", sentence=why))
    if later.trouble is not None:
        changes.append(Changed(change="inconclusive", scenario=None, id="", sentence=later.trouble))
    return sorted(changes, key=lambda one: (one.scenario or "", one.id, one.sentence))


def _began(before: _Side, subject: _Subject, identity: str | None) -> Change:
    if (subject, identity) in before.wrong:
        return "still failing"
    return "regressed" if before.examined(subject, identity) and not before.is_wrong_about(subject) else "new"


def _changed(change: Change, subject: _Subject, finding: Finding) -> Changed:
    return Changed(change=change, scenario=subject[0], id=subject[1], sentence=finding.actual)


def comparison_status(changes: list[Changed]) -> int:
    """Return the exit status: 1 if something regressed or is new, 3 if the later result is inconclusive, or else 0."""
    found = {one.change for one in changes}
    return 1 if found & {"regressed", "new"} else 3 if "inconclusive" in found else 0
