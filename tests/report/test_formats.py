"""Every output of a result: kept as a file, checked against its published schema, and read back by others."""

from __future__ import annotations

import base64
import gzip
import os
import re

import jsonschema
import junitparser
import msgspec
import pytest
from lxml import etree

from builders import START, activated, exporter
from golden import check_golden
from mockcampaign.engine.journal import Called
from mockcampaign.judging.finding import Reproduce, SweptOutcome
from mockcampaign.judging.verdict import RunResult, SweepSummary, exit_status, run_result, violates
from mockcampaign.report.annotations.github import ANNOTATIONS_MAX, annotation_lines
from mockcampaign.report.html import to_html
from mockcampaign.report.json_report import json_schema, to_json
from mockcampaign.report.junit import to_junit
from mockcampaign.report.markdown import to_markdown
from mockcampaign.report.scenario_text import plain_report, scenario_lines
from places import ROOT, TESTS
from results import every_outcome, finding, outage, scenario

SCHEMAS = TESTS / "schemas"
WHEN = "2025-01-01T00:00:00"


def parsed(result: RunResult) -> list[junitparser.TestSuite]:
    return list(junitparser.JUnitXml.fromstring(to_junit(result, WHEN)))


def test_text() -> None:
    check_golden("report.txt", "".join(plain_report(one) for one in every_outcome().scenarios))


def test_what_was_measured_is_shown_in_brief_only_where_a_list_was_not_taken() -> None:
    bad = every_outcome().scenarios[1]
    shown = ["".join(text for text, _ in line) for line in scenario_lines(bad)]
    assert [line.split("  ")[-1] for line in shown if " received)" in line] == [
        "503, after 12.3 ms (31,204 bytes sent, 164 received)",
        "no response began within the time-out, after 10,000.4 ms (wait; 230 bytes sent, 0 received)",
        "the connection was closed before the response headers ended, after 0.1 ms (headers; 31,204 bytes sent, "
        "17 received)",
    ]


def test_json() -> None:
    check_golden("report.json", to_json(every_outcome()))


@pytest.mark.slow
def test_the_json_schema_is_a_schema_that_the_report_keeps_to() -> None:
    schema = msgspec.json.decode(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(msgspec.json.decode(to_json(every_outcome())), schema)
    report = msgspec.json.decode(to_json(every_outcome(), full_journal=True))
    jsonschema.validate(report, schema)
    del report["scenarios"][0]["journal"][0]["seed"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema)


def test_the_shipped_schema_is_current() -> None:
    path = ROOT / "fixtures/report.schema.json"
    if os.environ.get("GOLDEN") == "write":
        path.write_bytes(json_schema())
    assert path.read_bytes() == json_schema(), "mockcampaign schema report > fixtures/report.schema.json"


def test_the_json_report_is_read_back_as_the_same_result() -> None:
    for full in (True, False):
        report = to_json(every_outcome(), full_journal=full)
        assert to_json(msgspec.json.decode(report, type=RunResult), full_journal=full) == report


def test_junit() -> None:
    check_golden("report.junit.xml", to_junit(every_outcome(), WHEN))


@pytest.mark.parametrize("schema", ["junit-ant.xsd", "junit-jenkins.xsd"])
def test_junit_keeps_to_the_schemas_that_people_check_against(schema: str) -> None:
    etree.XMLSchema(etree.parse(SCHEMAS / schema)).assertValid(etree.fromstring(to_junit(every_outcome(), WHEN)))


def test_a_violation_is_a_failure_and_our_trouble_is_an_error() -> None:
    suites = parsed(every_outcome())
    assert [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in suites] == [
        (7, 2, 1, 1),
        (5, 0, 1, 4),
        (4, 0, 0, 0),
    ]
    outcomes = {case.name: [type(one).__name__ for one in case.result] for case in suites[0]}
    assert outcomes["consumer.processed: exactly-once"] == ["Failure"]
    assert outcomes["opens.attempts: 253"] == ["Error"]
    assert outcomes["opens.pending: 253"] == ["Skipped"]
    assert outcomes["Responds within the sender's time-out"] == []


def test_a_warning_is_a_failure_where_the_run_is_strict() -> None:
    for strict, failures, status in ((False, 0, 0), (True, 1, 1)):
        doubt, nothing = finding(outcome="warn", level="should"), exporter().journal.entries
        result = run_result([scenario(findings=(doubt,), journal=nothing, strict=strict)])
        assert parsed(result)[0].failures == failures
        assert exit_status(result) == status
        assert violates(result.scenarios[0].expectations[0], result.scenarios[0]) is strict


def test_a_known_violation_fails_nothing_and_is_shown() -> None:
    nothing = exporter().journal.entries
    result = run_result([scenario(findings=(finding(outcome="fail", known=True),), journal=nothing)])
    assert exit_status(result) == 0
    assert [(suite.failures, suite.skipped) for suite in parsed(result)] == [(0, 4)]
    assert 'message="known violation: 253"' in to_junit(result, WHEN).decode()
    assert next(annotation_lines(result, str)).startswith("::warning ")
    assert "- ⚠️ known: **" in to_markdown(result)
    page = " ".join(to_html(result).decode().split())
    assert '<tr data-outcome="known"> <td class="outcome known">' in page
    assert '<td class="outcome fail">' not in page
    assert "  known opens.delivered: 253" in plain_report(result.scenarios[0]).splitlines()


@pytest.mark.parametrize("known", [(True, False), (False, True)])
def test_what_is_known_of_one_scenario_hides_nothing_of_another(known: tuple[bool, bool]) -> None:
    nothing = exporter().journal.entries
    found = [
        msgspec.structs.replace(
            scenario(name=f"known: {one}", journal=nothing), rules=[finding(outcome="fail", known=one)]
        )
        for one in known
    ]
    [worst] = run_result(found).rules
    assert (worst.known, worst.scenario, worst.actual) == (False, "known: False", "253")


def test_annotations() -> None:
    lines = list(annotation_lines(every_outcome(), lambda path: f"tests/{path}"))
    check_golden("annotations.txt", "\n".join(lines) + "\n")


def test_github_is_told_no_more_than_it_shows() -> None:
    wrong = tuple(finding(f"opens.{number}", "fail") for number in range(20))
    doubtful = tuple(finding(f"clicks.{number}", "warn") for number in range(20))
    lines = list(annotation_lines(run_result([scenario(findings=(*wrong, *doubtful))]), str))
    assert [line.split()[0] for line in lines] == ["::error"] * ANNOTATIONS_MAX + ["::warning"] * ANNOTATIONS_MAX


def test_an_annotation_is_one_command_whatever_its_text() -> None:
    [scenario_result] = [
        scenario(name="a,b:c\n::set-env name=PATH::x", findings=(finding(actual="%0A::error::", outcome="fail"),))
    ]
    line = next(annotation_lines(run_result([scenario_result]), str))
    assert "\n" not in line
    assert "title=a%2Cb%3Ac\\n%3A%3Aset-env name=PATH%3A%3Ax%3A opens.delivered%3A 253::expected 253" in line
    assert "actual %250A::error::" in line


def test_step_summary() -> None:
    check_golden("summary.md", to_markdown(every_outcome()))


def test_a_skipped_rule_is_not_shown_as_compliant() -> None:
    skipped = finding("stores-one-mail", "not-exercised", actual="Click events say nothing about devices")
    journal = outage({}).journal.entries
    result = run_result(
        [
            msgspec.structs.replace(
                scenario(name=name, journal=journal, findings=()), rules=[finding(name) if of is None else of]
            )
            for name, of in (
                ("stores-one-mail", skipped),
                ("stores-one-mail, webhooks in turn", skipped),
                ("accepts-ipv6", None),
            )
        ]
    )
    assert [scenario.verdict for scenario in result.scenarios] == ["compliant"] * 3  # a skipped rule violates nothing
    rows = [line for line in to_markdown(result).splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[1] for row in rows] == ["⏭️ skipped", "⏭️ skipped", "✅ compliant"]
    listed = to_html(result).decode().partition("Scenarios and their verdicts")[2].partition("</table>")[0]
    assert (listed.count("</svg>skipped</td>"), listed.count("</svg>compliant</td>")) == (2, 1)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (
            "Stores one-mail events, 10:30 to 12 s (assumed): yes!",
            "Stores one-mail events, 10:30 to 12 s (assumed): yes!",
        ),
        ("mail_ref=4 and _all_ of a__b", "mail_ref=4 and &#95;all&#95; of a&#95;&#95;b"),
        ("a|b *c* `d` ~e~ [f](g) $h$", "a&#124;b &#42;c&#42; &#96;d&#96; &#126;e&#126; &#91;f](g) &#36;h&#36;"),
        ("<b> & &lt; R&D \\", "&#60;b> & &#38;lt; R&D &#92;"),
        ("http://a.test WWW.b.test c.test", "http&#58;//a.test WWW&#46;b.test c.test"),
        ("@joe a @ b #12 # 3 :smile: a: b", "&#64;joe a @ b &#35;12 # 3 &#58;smile: a: b"),
        ("a\nb", "a\\nb"),
    ],
)
def test_markdown_escapes_only_what_means_something_there(text: str, escaped: str) -> None:
    result = run_result([scenario(findings=(finding(outcome="fail", actual=text),))])
    assert f"  - actual: {escaped}\n" in to_markdown(result)


@pytest.mark.parametrize(("text", "escaped"), [("- a", "&#45; a"), ("12. a", "12&#46; a"), ("1 of 2", "1 of 2")])
def test_markdown_escapes_the_beginning_of_a_line(text: str, escaped: str) -> None:
    result = msgspec.structs.replace(run_result([scenario()]), headline=text)
    assert f"\n{escaped}\n" in to_markdown(result)


def test_the_step_summary_stays_readable_with_many_findings() -> None:
    wrong = tuple(finding(f"opens.{number}", "fail") for number in range(500))
    lines = to_markdown(run_result([scenario(findings=wrong)])).splitlines()
    assert lines[-3] == "- … and 453 more"
    assert len(lines) < 300


def test_trouble_of_the_whole_is_an_error_everywhere() -> None:
    result = msgspec.structs.replace(
        run_result([scenario(journal=outage({}).journal.entries)]), trouble="4 of 29 rules were not exercised"
    )
    assert [(suite.name, suite.errors) for suite in parsed(result)][-1] == ("mockcampaign", 1)
    assert next(annotation_lines(result, str)) == "::error title=mockcampaign::4 of 29 rules were not exercised"
    assert to_markdown(result).startswith("## mockcampaign: ❔ inconclusive\n")
    assert exit_status(result) == 3


def test_how_to_mend_it_is_said_everywhere() -> None:
    reproduce = Reproduce(curl="curl -d '[]' http://consumer/")
    result = run_result([scenario(findings=(finding(outcome="fail", fix="Compare all fields.", reproduce=reproduce),))])
    for document in (to_junit(result, WHEN).decode(), "\n".join(annotation_lines(result, str)), to_markdown(result)):
        assert "Compare all fields" in document
    assert "reproduce curl -d '[]' http://consumer/" in to_junit(result, WHEN).decode()


def test_what_a_sweep_and_a_baseline_came_to_is_said_in_documents_too() -> None:
    depends = "passed with webhooks in turn"
    swept = (SweptOutcome(variation="webhooks in turn", outcome="pass"),)
    wrong = finding(outcome="fail", swept=swept, assumes=("lists of at most 100 (documented)",))
    result = msgspec.structs.replace(
        run_result([scenario(findings=(wrong,))]),
        sweep=SweepSummary(variations=2, examinations=3, missed=0),
        gone=("accepts-ipv6: refused",),
    )
    page = to_html(result).decode()
    assert "Sweep: under 2 other assumptions" in page
    assert "Gone: accepts-ipv6: refused: remove it from the baseline" in page
    for document in (page, to_junit(result, WHEN).decode()):
        assert depends in document
    assert "lists of at most 100 (documented)" in page


def test_html() -> None:
    """But for what is other people's, or packed."""
    page = to_html(every_outcome()).decode()
    page = re.sub(r"(<(?:style|script)[^>]*>).*?(</)", r"\1…\2", page, flags=re.DOTALL)
    check_golden("report.html", re.sub(r"sha256-[\w+/=]*", "sha256-…", page))


def test_the_data_of_the_html_report() -> None:
    [packed] = re.findall('id="data">([^<]*)<', to_html(every_outcome()).decode())
    data = gzip.decompress(base64.b64decode(packed))
    check_golden("report.html.json", msgspec.json.format(data, indent=1) + b"\n")


def test_what_is_endless_is_cut_everywhere_but_in_json() -> None:
    result = run_result([scenario(findings=(finding(outcome="fail", actual="x" * 100_000),))])
    assert b"x" * 100_000 in to_json(result)
    assert "x" * 100_000 in msgspec.json.decode(to_json(result))["scenarios"][0]["expectations"][0]["actual"]
    page = to_html(result).decode()
    for document in (
        *(plain_report(result.scenarios[0]), to_markdown(result), page),
        *annotation_lines(result, str),
    ):
        assert "x" * 2_001 not in document
    assert "x… (98,000 more characters)" in page


def test_every_report_shows_calls_of_the_rest_api() -> None:
    box = exporter()
    activated(box)
    call = Called(at=START, client_id=1, method="POST", operation="activateWebhook", path="/webhooks", status=200)
    for status in (200, 200, None):
        box.journal.add_call(msgspec.structs.replace(call, status=status, faults=() if status else ("api-timeout",)))
    result = run_result([scenario(journal=box.journal.entries, findings=())])
    sums = "3 calls of the REST API: activateWebhook 200 (2), activateWebhook without response"
    text = plain_report(result.scenarios[0])
    assert sums in text
    assert "activateWebhook, 2 times  200" in text
    assert "no response (api-timeout)" in text
    page = to_html(result).decode()
    assert f'<p class="muted">{sums}</p>' in page
    assert "no response (api-timeout)" in page
    assert sums in to_junit(result, WHEN).decode()
    assert msgspec.json.decode(to_json(result))["scenarios"][0]["calls"] == [
        {"operation": "activateWebhook", "status": 200, "count": 2},
        {"operation": "activateWebhook", "status": None, "count": 1},
    ]
