"""JUnit XML: a suite for each scenario, a case for each expectation and rule, and a suite for rules without a scenario.

Violations are failures; what was inconclusive is an error. The document is valid against both common schemas, that of
Ant and that of Jenkins' xUnit plugin.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from mockcampaign.durations import format_duration
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import WORST, RunResult, ScenarioResult, rank, violates, worst_first
from mockcampaign.report import sentences
from mockcampaign.report.scenario_text import brief, plain_report, seen

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain, not even escaped."""


def to_junit(result: RunResult, timestamp: str) -> bytes:
    """Return the document. `timestamp` is the time of the run, as `2025-01-01T00:00:00`: the format has no zone."""
    suites = ElementTree.Element("testsuites")
    for index, scenario in enumerate(sorted(result.scenarios, key=_rank)):
        suites.append(_suite(scenario, index, timestamp))
    examined = {finding.id for scenario in result.scenarios for finding in scenario.rules}
    others = [finding for finding in result.rules if finding.id not in examined]
    if result.trouble is not None or others:
        suites.append(_whole(result.trouble, others, len(result.scenarios), timestamp))
    ElementTree.indent(suites)
    document: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _rank(scenario: ScenarioResult) -> int:
    """Return the place of a suite: that of its worst finding."""
    ranks = [rank(finding, strict=scenario.strict) for finding in (*scenario.expectations, *scenario.rules)]
    return min([*ranks, *([WORST.index("could-not-tell")] if scenario.trouble is not None else [])], default=len(WORST))


def _suite(scenario: ScenarioResult, index: int, timestamp: str) -> ElementTree.Element:
    suite = _bare_suite(_token(scenario.name), index, timestamp)
    properties = ElementTree.SubElement(suite, "properties")
    facts = {
        "target": scenario.target,
        "seed": scenario.seed,
        "virtual time": format_duration(scenario.virtual_milliseconds),
        **scenario.versions,
    }
    for key, value in facts.items():
        ElementTree.SubElement(properties, "property", name=_token(key), value=_text(str(value)))
    cases = [
        _case(scenario.name, finding, failed=violates(finding, scenario))
        for finding in worst_first([*scenario.expectations, *scenario.rules], strict=scenario.strict)
    ]
    if scenario.trouble is not None:
        case = _bare_case(scenario.name, "the run itself")
        ElementTree.SubElement(case, "error", type="could-not-tell", message=_text(scenario.trouble))
        cases.append(case)
    _fill(suite, cases, plain_report(scenario))
    return suite


def _whole(trouble: str | None, others: list[Finding], index: int, timestamp: str) -> ElementTree.Element:
    """Return a suite for the rules without a scenario, because they were skipped, and for trouble of the whole run."""
    suite = _bare_suite("mockcampaign", index, timestamp)
    ElementTree.SubElement(suite, "properties")
    cases = [_case("mockcampaign", finding, failed=False) for finding in worst_first(others)]
    if trouble is not None:
        case = _bare_case("mockcampaign", "the run itself")
        ElementTree.SubElement(case, "error", type="could-not-tell", message=_text(trouble))
        cases.append(case)
    _fill(suite, cases, "")
    return suite


def _bare_suite(name: str, index: int, timestamp: str) -> ElementTree.Element:
    return ElementTree.Element(
        "testsuite", name=name, package=name, id=str(index), timestamp=timestamp, hostname="localhost", time="0"
    )


def _fill(suite: ElementTree.Element, cases: list[ElementTree.Element], output: str) -> None:
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for attribute, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    ElementTree.SubElement(suite, "system-out").text = _text(output)
    ElementTree.SubElement(suite, "system-err")


def _case(suite: str, finding: Finding, *, failed: bool) -> ElementTree.Element:
    case = _bare_case(suite, finding.title)
    if failed:
        kind = ElementTree.SubElement(case, "failure", type=finding.id, message=_text(_message(finding)))
    elif finding.outcome == "could-not-tell":
        kind = ElementTree.SubElement(case, "error", type="could-not-tell", message=_text(_message(finding)))
    elif finding.outcome == "not-exercised" or finding.known:
        why = "known violation: " if finding.known else ""
        ElementTree.SubElement(case, "skipped", message=_text(why + seen(finding)))
        return case
    else:
        return case
    lines = {"required": finding.requirement, "expected": finding.expected, "actual": seen(finding)}
    if finding.place is not None:
        lines = {"at": finding.place, **lines}
    if finding.swept:
        lines["sweep"] = "; ".join(map(sentences.swept, finding.swept))
    if finding.fix is not None:
        lines["fix"] = finding.fix
    if finding.reproduce is not None and finding.reproduce.curl is not None:
        lines["reproduce"] = finding.reproduce.curl
    kind.text = _text("".join(f"{key:<9} {value}\n" for key, value in lines.items()))
    return case


def _bare_case(suite: str, name: str) -> ElementTree.Element:
    # No duration: dashboards would add up days of virtual time.
    return ElementTree.Element("testcase", classname=_token(suite), name=_token(name), time="0")


def _message(finding: Finding) -> str:
    return f"expected {finding.expected}, actual {brief(seen(finding))}"


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def _token(text: str) -> str:
    """Return the text in one line, because it identifies a test across runs."""
    return " ".join(_text(text).split()) or "unnamed"
