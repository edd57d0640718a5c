"""SARIF: valid, and a result for each violation at its line."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema
import msgspec
import pytest

from builders import exporter
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, run_result
from mockcampaign.report.annotations.sarif import to_sarif
from places import TESTS
from results import every_outcome, finding, scenario


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    schema = msgspec.json.decode((TESTS / "schemas/sarif-subset.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def written(result: RunResult) -> dict[str, Any]:
    """Return the one run of a valid document."""
    document = msgspec.json.decode(to_sarif(result))
    validator().validate(document)
    [run] = document["runs"]
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
    return dict(run)


def played(*findings: Finding, file: str = "scenarios/outage.scenario.yaml", strict: bool = False) -> RunResult:
    nothing = exporter().journal.entries
    return run_result([scenario(findings=findings, journal=nothing, file=file, strict=strict)])


def test_every_violation_and_doubt_is_a_result() -> None:
    run = written(every_outcome())
    assert [(one["ruleId"], one["kind"], one["level"]) for one in run["results"]] == [
        ("consumer.processed", "fail", "error"),
        ("responds-200", "fail", "error"),
        ("opens.attempts", "open", "none"),
        ("responds-in-time", "fail", "warning"),
        ("sends-complete-response", "fail", "warning"),
    ]
    [invocation] = run["invocations"]
    assert not invocation["executionSuccessful"]
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == [
        "Nobody there: consumer http://consumer/opens: connection refused"
    ]


def test_a_result_is_at_the_line_of_its_expectation() -> None:
    wrong = finding("opens.delivered", "fail", identity="253", place="my scenarios/#1.scenario.yaml:14:9")
    rule = finding("responds-200", "fail", identity="204", place=None, fix="Respond 200.")
    first, second = written(played(wrong, rule))["results"]
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "my%20scenarios/%231.scenario.yaml"},
                "region": {"startLine": 14, "startColumn": 9},
            },
            "logicalLocations": [{"fullyQualifiedName": "An outage, then all is well"}],
        }
    ]
    assert first["partialFingerprints"] == {"violation/v1": "An outage, then all is well: opens.delivered: 253"}
    region = second["locations"][0]["physicalLocation"]["region"]
    assert (region, second["message"]["text"].splitlines()[-1]) == ({"startLine": 1, "startColumn": 1}, "Respond 200.")


@pytest.mark.parametrize(
    ("file", "uri"),
    [("a/b\udcff.yaml", "a/b%FF.yaml"), ("/a b/c.yaml", "file:///a%20b/c.yaml"), ("ü.yaml", "%C3%BC.yaml")],
)
def test_a_path_is_a_uri(file: str, uri: str) -> None:
    [one] = written(played(finding(outcome="fail", place=None), file=file))["results"]
    assert one["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


def test_the_rules_of_a_check_are_at_its_consumer() -> None:
    wrong = finding("responds-200", "fail", identity="204", place=None)
    checked = msgspec.structs.replace(played(wrong, wrong), rules=[wrong], headline="1 of 1 rule violated")
    [one] = written(checked)["results"]
    assert one["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "http://consumer/opens"}]}]
    assert one["partialFingerprints"] == {"violation/v1": "responds-200: 204"}


@pytest.mark.parametrize(("known", "suppressed"), [(True, ["external"]), (False, [])])
def test_what_is_accepted_is_suppressed(known: bool, suppressed: list[str]) -> None:
    [one] = written(played(finding(outcome="fail", known=known)))["results"]
    assert (one["level"], [each["kind"] for each in one.get("suppressions", [])]) == ("error", suppressed)


def test_a_hazard_is_an_error_where_the_run_is_strict() -> None:
    levels = [
        written(played(finding(outcome="warn", level="should"), strict=strict))["results"][0]["level"]
        for strict in (False, True)
    ]
    assert levels == ["warning", "error"]


def test_a_run_without_violations_has_no_results_and_cannot_be_read_as_one_that_failed() -> None:
    run = written(played(finding()))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_text_of_a_consumer_stays_text() -> None:
    [one] = written(played(finding(outcome="fail", actual="\x1b[2J \ud800")))["results"]
    assert "actual \\x1b[2J \\ud800\n" in one["message"]["text"]
