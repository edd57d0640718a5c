"""A summary in Markdown, as GitHub shows it on the page of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from mockcampaign.durations import format_duration
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import (
    RunResult,
    ScenarioResult,
    ShownVerdict,
    Verdict,
    rank,
    verdict_of,
    verdict_shown,
)
from mockcampaign.report import sentences
from mockcampaign.report.advice import explaining
from mockcampaign.report.scenario_text import and_simulated, brief, seen
from mockcampaign.tables import complete
from mockcampaign.text import printable

FINDINGS_MAX = 50
"""How many findings are shown; GitHub accepts 1 MB for each step."""

_VERDICTS: Mapping[ShownVerdict, str] = complete(
    "the words for each verdict",
    (*get_args(Verdict), "skipped"),
    {
        "compliant": "✅ compliant",
        "violated": "❌ not compliant",
        "could-not-tell": "❔ inconclusive",
        "skipped": "⏭️ skipped",
    },
)
_OUTCOMES = {"fail": "❌", "warn": "⚠️", "could-not-tell": "❔"}
_MEANS_SOMETHING = re.compile(
    r"""
    [`*\[<|~$]                              # code, emphasis, links, HTML, cells, mathematics
    | \\(?=[^\w\s]|$)                       # escapes
    | (?<![a-z0-9])_ | _(?![a-z0-9])        # emphasis, which never begins or ends within a word
    | &(?=\#?[a-z0-9]+;)                    # entities
    | :(?=//|[a-z+_-][\w+-]*:)              # URLs and emoji
    | (?<=www)\. | @(?=\w) | \#(?=\d)       # host names, people and issues, which GitHub links
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MEANS_SOMETHING_AT_START = re.compile(r"(?:[-+=>#]|\d{1,9}[.)])")
"""The beginning of a heading, a list, a quotation or a line."""


def to_markdown(result: RunResult) -> str:
    """Return the summary: verdict, one row for each scenario, and the problems."""
    return "\n".join([*_head(result), *_scenarios(result), *_findings(result)]) + "\n"


def _head(result: RunResult) -> Iterator[str]:
    yield f"## mockcampaign: {_VERDICTS[verdict_of(result)]}"
    yield ""
    seed = "" if result.seed is None else f", seed {result.seed}"
    scope = "" if result.scope is None else f"; {sentences.scope(result.scope)}"
    yield f"Target {_plain(result.target)}{seed}{scope}"
    yield ""
    swept = None if result.sweep is None else f"Sweep: {sentences.sweep_summary(result.sweep)}"
    gone = (f"Gone: {one}: remove it from the baseline" for one in result.gone)
    for line in (result.headline, result.trouble, swept, *gone):
        if line is not None:
            yield _plain_line(line)
            yield ""


def _scenarios(result: RunResult) -> Iterator[str]:
    yield "| Scenario | Verdict | Virtual time | Attempts | Delivered | Discarded | Pending |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for scenario in result.scenarios:
        sums = scenario.deliveries
        cells = (
            _plain(scenario.name),
            _VERDICTS[verdict_shown(scenario)],
            format_duration(scenario.virtual_milliseconds),
            f"{sums.attempts}{and_simulated(sums)}",
            *(str(number) for number in (sums.delivered, sums.discarded, sums.pending)),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _findings(result: RunResult) -> Iterator[str]:
    wrong = [
        (scenario, finding)
        for scenario in result.scenarios
        for finding in [*scenario.expectations, *scenario.rules]
        if finding.outcome in _OUTCOMES
    ]
    wrong.sort(key=lambda pair: rank(pair[1], strict=pair[0].strict))
    for scenario in result.scenarios:
        if scenario.trouble is not None:
            yield f"- ❔ **{_plain(scenario.name)}**: inconclusive: {_plain(scenario.trouble)}"
    for scenario, finding in wrong[:FINDINGS_MAX]:
        yield from _finding(scenario, finding)
    if len(wrong) > FINDINGS_MAX:
        yield f"- … and {len(wrong) - FINDINGS_MAX} more"
    if command := explaining(finding for _, finding in wrong):
        yield ""
        yield f"`{command}` explains the rule; `--code python` shows code that violates it, and a fix."


def _finding(scenario: ScenarioResult, finding: Finding) -> Iterator[str]:
    mark = "⚠️ known:" if finding.known else _OUTCOMES[finding.outcome]
    yield f"- {mark} **{_plain(scenario.name)}**: {_plain(finding.title)}"
    if finding.place is not None:
        yield f"  - at {_plain(finding.place)}"
    yield f"  - required: {_plain(finding.requirement)}"
    yield f"  - expected: {_plain(finding.expected)}"
    yield f"  - actual: {_plain(brief(seen(finding)))}"
    if finding.fix is not None:
        yield f"  - fix: {_plain(finding.fix)}"


def _plain(text: str) -> str:
    """Escape what would be markup, HTML, a link or the end of a cell within a line, and nothing else."""
    return _MEANS_SOMETHING.sub(_escaped, printable(text))


def _plain_line(text: str) -> str:
    """Escape also what would be markup at the beginning of a line."""
    shown = _plain(text).lstrip()
    start = _MEANS_SOMETHING_AT_START.match(shown)
    return shown if start is None else f"{start[0][:-1]}&#{ord(start[0][-1])};{shown[start.end() :]}"


def _escaped(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
