"""A summary in Markdown, as GitHub shows it on the page of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from mockcampaign.durations import format_duration
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, ScenarioResult, Verdict, verdict_of, violates
from mockcampaign.report import sentences
from mockcampaign.report.scenario_text import and_simulated, brief, seen
from mockcampaign.tables import complete
from mockcampaign.text import printable

FINDINGS_MAX = 50
"""How many findings are shown; GitHub accepts 1 MB for each step."""

_VERDICTS: Mapping[Verdict, str] = complete(
    "the heading of each verdict",
    get_args(Verdict),
    {"compliant": "✅ compliant", "violated": "❌ not compliant", "could-not-tell": "❔ inconclusive"},
)
_OUTCOMES = {"fail": "❌", "warn": "⚠️", "could-not-tell": "❔"}
_MEANS_SOMETHING = re.compile(r"[!#$&*+.:<=>@\[\\\]^_`{|}~-]")


def to_markdown(result: RunResult) -> str:
    """Return the summary: verdict, one row for each scenario, and the problems."""
    return "\n".join([*_head(result), *_scenarios(result), *_findings(result)]) + "\n"


def _head(result: RunResult) -> Iterator[str]:
    yield f"## mockcampaign: {_VERDICTS[verdict_of(result)]}"
    yield ""
    seed = "" if result.seed is None else f", seed {result.seed}"
    yield f"Target {_plain(result.target)}{seed}"
    yield ""
    swept = None if result.sweep is None else f"Sweep: {sentences.sweep_summary(result.sweep)}"
    gone = (f"Gone: {one}: remove it from the baseline" for one in result.gone)
    for line in (result.headline, result.trouble, swept, *gone):
        if line is not None:
            yield _plain(line)
            yield ""


def _scenarios(result: RunResult) -> Iterator[str]:
    yield "| Scenario | Verdict | Virtual time | Attempts | Delivered | Discarded | Pending |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for scenario in result.scenarios:
        sums = scenario.deliveries
        cells = (
            _plain(scenario.name),
            _VERDICTS[scenario.verdict],
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
    wrong.sort(key=lambda pair: not violates(pair[1], pair[0]))
    for scenario in result.scenarios:
        if scenario.trouble is not None:
            yield f"- ❔ **{_plain(scenario.name)}**: inconclusive: {_plain(scenario.trouble)}"
    for scenario, finding in wrong[:FINDINGS_MAX]:
        yield from _finding(scenario, finding)
    if len(wrong) > FINDINGS_MAX:
        yield f"- … and {len(wrong) - FINDINGS_MAX} more"


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
    """Escape everything that is markup, HTML, a link or the end of a cell."""
    return _MEANS_SOMETHING.sub(lambda found: f"&#{ord(found[0])};", printable(text))
