"""What became of each violation, from two results."""

from __future__ import annotations

import msgspec
import pytest

from builders import exporter
from mockcampaign.judging.earlier.comparison import compare_results, comparison_status
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.verdict import RunResult, run_result
from results import finding, scenario

NOTHING = exporter().journal.entries


def played(*findings: Finding, name: str = "s", trouble: str | None = None, file: str = "s.yaml") -> RunResult:
    return run_result([scenario(name=name, findings=findings, journal=NOTHING, trouble=trouble, file=file)])


def checked(*findings: Finding, trouble: str | None = None) -> RunResult:
    return msgspec.structs.replace(played(), rules=list(findings), headline="29 rules", trouble=trouble)


def one(outcome: Judgement, identity: str | None = None, identifier: str = "rule") -> Finding:
    return finding(identifier, outcome, identity=identity, actual=f"seen: {outcome}")


def changes(earlier: RunResult, later: RunResult) -> list[str]:
    return [changed.change for changed in compare_results(earlier, later)]


@pytest.mark.parametrize(
    ("before", "now", "expected", "status"),
    [
        (one("fail", "a"), one("pass"), ["fixed"], 0),
        (one("pass"), one("fail", "a"), ["regressed"], 1),
        (one("pass"), one("warn", "a"), ["regressed"], 1),
        (one("fail", "a"), one("fail", "a"), ["still failing"], 0),
        (one("fail", "a"), one("warn", "a"), ["still failing"], 0),
        (one("fail", "a"), one("fail", "b"), ["new", "fixed"], 1),
        (one("not-exercised"), one("fail", "a"), ["new"], 1),
        (one("could-not-tell"), one("fail", "a"), ["new"], 1),
        (one("pass", identifier="other"), one("fail", "a"), ["new"], 1),
        (one("fail", "a"), one("not-exercised"), ["not examined"], 0),
        (one("fail", "a"), one("pass", identifier="other"), ["not examined"], 0),
        (one("fail", "a"), one("could-not-tell"), ["inconclusive", "not examined"], 3),
        (one("pass"), one("could-not-tell"), ["inconclusive"], 3),
        (one("pass"), one("pass"), [], 0),
    ],
)
@pytest.mark.parametrize("result_of", [played, checked])
def test_what_became_of_a_violation(
    result_of: type[RunResult], before: Finding, now: Finding, expected: list[str], status: int
) -> None:
    found = compare_results(result_of(before), result_of(now))
    assert sorted(changed.change for changed in found) == sorted(expected)
    assert comparison_status(found) == status


def test_an_accepted_violation_is_still_a_violation() -> None:
    known = msgspec.structs.replace(one("fail", "a"), known=True)
    assert changes(played(one("fail", "a")), played(known)) == ["still failing"]
    assert changes(played(one("pass")), played(known)) == ["regressed"]


def test_a_failure_that_is_only_reported_when_it_occurs_is_fixed_where_its_scenario_was_played() -> None:
    itself = one("fail", identifier="test")
    assert changes(played(one("pass"), itself), played(one("pass"))) == ["fixed"]
    assert changes(played(one("pass")), played(one("pass"), itself)) == ["regressed"]
    assert changes(played(itself), played(one("pass"), name="another")) == ["not examined"]
    assert changes(played(itself), played(one("pass"), trouble="interrupted")) == ["inconclusive", "not examined"]


def test_a_later_result_without_a_verdict_is_inconclusive() -> None:
    for later in (played(one("pass"), trouble="no consumer"), checked(one("pass"), trouble="no consumer")):
        found = compare_results(played(one("pass")), later)
        assert [(changed.change, changed.id, changed.sentence) for changed in found] == [
            ("inconclusive", "", "no consumer")
        ]
        assert comparison_status(found) == 3


def test_scenarios_of_one_name_are_told_apart_by_their_files() -> None:
    def both(first: Judgement, second: Judgement) -> RunResult:
        parts = [played(one(outcome, "a"), file=f"{n}.yaml") for n, outcome in enumerate((first, second))]
        return run_result([part.scenarios[0] for part in parts])

    found = compare_results(both("fail", "pass"), both("pass", "fail"))
    assert [(changed.change, changed.scenario) for changed in found] == [
        ("fixed", "s (0.yaml)"),
        ("regressed", "s (1.yaml)"),
    ]
