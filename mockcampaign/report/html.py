"""The HTML report: one file that loads nothing, runs only its own scripts, and shows text of the consumer as text.

Verdict, findings and timelines are part of the document. Plots and attempts are drawn from compressed data, so that
10,000 attempts fit into 2 MB.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.journal import Attempted, Began, WebhookChanged
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import (
    RunResult,
    ScenarioResult,
    ShownVerdict,
    is_strict,
    rank,
    shown_as,
    verdict_of,
    verdict_shown,
    violates,
)
from mockcampaign.report import sentences
from mockcampaign.report.advice import explaining
from mockcampaign.report.attempts import DETAILS, Attempts, Detail, attempts
from mockcampaign.report.charts import Chart, chart, pending_max
from mockcampaign.report.scenario_text import CAME_TO_MAX, and_simulated, brief, evidence_of, seen
from mockcampaign.report.timeline import Line, excerpt, folded, timeline
from mockcampaign.shipped import assets_folder
from mockcampaign.text import printable

DATA_BYTES_MAX = 1_150_000
"""Size of the compressed data. As text it takes a third more, and the whole page stays below 2 MB."""

RAW_BYTES_MAX = 40_000_000
"""Size of data that is not even compressed, because the result would be too large or take too long."""

ROWS_MAX = 10_000
"""Number of attempts on a page; a run of equal ones counts once."""

FEW_FINDINGS = 20
"""Number of findings up to which those that passed are shown beside problems without being asked for."""

LINES_MAX = 400
"""How many lines of a scenario's timeline are shown."""

TIMELINE_MAX = 40
"""Number of lines of a timeline that are shown without being asked for, where scripts may run."""

OVERVIEW_MAX = 12
"""Number of scenarios that the overview shows without being asked for, where scripts may run."""

OPEN_FINDINGS = 3
"""Number of violations whose details are open from the beginning."""

TARGETS_MAX = 3
"""Number of targets up to which all of them are shown."""

WORST_VERDICTS: tuple[ShownVerdict, ...] = ("violated", "could-not-tell", "compliant", "skipped")

_PAGE = Path(__file__).parent / "page"


class _Series(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook, as the page's script reads it."""

    id: int
    name: str
    type: str
    chart: Chart


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario, as the page's script reads it."""

    length: int
    series: list[_Series]
    attempts: Attempts


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a page about the demo that its scenarios lack."""

    consumers: dict[str, str]
    """Descriptions of the consumers by name."""
    scenarios: list[str]
    """Names of the scenarios. The result has all of them once for each consumer in turn."""
    checks: Sequence[tuple[str, str, list[str]]]
    """Names and descriptions of consumers that were checked, and the ids of the rules that each violates."""


def to_html(result: RunResult, demo: Demo | None = None) -> bytes:
    """Return the page: a report, or a page about the demo."""
    style = "\n".join(
        path.read_text(encoding="utf-8") for path in (assets_folder() / "uplot" / "uPlot.min.css", _PAGE / "report.css")
    )
    plots = assets_folder() / "uplot"
    # The page contains a copy of the library, so it contains its licence too.
    scripts = [
        f"/*\n{(plots / 'LICENSE').read_text(encoding='utf-8')}*/\n"
        + (plots / "uPlot.iife.min.js").read_text(encoding="utf-8"),
        (_PAGE / "report.js").read_text(encoding="utf-8"),
    ]
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, finalize=_plain, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["quoted"] = shlex.quote
    environment.filters["brief"] = brief
    # The name of the only scenario stands above everything.
    environment.filters["seen"] = seen if len(result.scenarios) > 1 else lambda finding: finding.actual
    environment.filters["scope"] = sentences.scope
    environment.filters["swept"] = sentences.swept
    environment.filters["sweep_summary"] = sentences.sweep_summary
    environment.filters["difference"] = sentences.difference
    environment.filters["calls"] = sentences.calls
    environment.filters["block"] = _block
    environment.filters["and_simulated"] = and_simulated
    series = [list(_series(scenario)) for scenario in result.scenarios]
    data, shown = _packed(result, series)
    page = environment.get_template("report.html.jinja").render(
        result=result,
        demo=demo,
        verdict=verdict_of(result),
        counts=_counts(result),
        findings=list(_findings(result)),
        scenarios=list(_scenarios(result, series, shown)),
        # The rules of a check are its overview; each has a scenario of its own.
        overview_first=not any(finding.family for finding in result.rules),
        overview_max=OVERVIEW_MAX,
        timeline_max=TIMELINE_MAX,
        targets=_targets(result),
        targets_max=TARGETS_MAX,
        came_to_max=CAME_TO_MAX,
        few_findings=FEW_FINDINGS,
        explaining=explaining(result.rules),
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        policy="; ".join(
            (
                "default-src 'none'",
                f"style-src {_hash(style)}",
                f"script-src {' '.join(map(_hash, scripts))}",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
        data=data,
    )
    return page.encode()


def _scenarios(result: RunResult, series: list[list[_Series]], left_out: list[int]) -> Iterator[dict[str, Any]]:
    """Yield what the page shows of each scenario. One is open: the first problem, or the only one."""
    verdicts = [verdict_shown(scenario) for scenario in result.scenarios]
    problems = [index for index, verdict in enumerate(verdicts) if verdict not in ("compliant", "skipped")]
    opened = 0 if len(verdicts) == 1 else next(iter(problems), None)
    for index, scenario in enumerate(result.scenarios):
        figures = [_figure(scenario, one) for one in series[index]]
        yield {
            "index": index,
            "result": scenario,
            "verdict": verdicts[index],
            "rank": WORST_VERDICTS.index(verdicts[index]),
            "is_open": index == opened,
            "began": format_moment(scenario.journal[0].at),
            "duration": format_duration(scenario.virtual_milliseconds),
            "figures": figures,
            "is_plotted": scenario.virtual_milliseconds > 0 and any(one["happened"] for one in figures),
            "lines": _lines(scenario),
            "left_out": left_out[index],
        }


def _targets(result: RunResult) -> list[str]:
    targets = list(dict.fromkeys(scenario.target for scenario in result.scenarios))
    return targets if len(targets) > 1 else [result.target]


def _plain(value: Any) -> Any:
    """Spell out characters that cannot be seen, which a consumer may send."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _block(text: str) -> Markup:
    """Return text of several lines, with its line breaks."""
    return Markup("\n").join(printable(line) for line in text.split("\n"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(result: RunResult, series: list[list[_Series]]) -> tuple[str, list[int]]:
    """Return as much of all attempts as fits, and how many each scenario leaves out."""
    for detail in DETAILS:
        scenarios = [
            _Data(length=one.virtual_milliseconds, series=of_scenario, attempts=_attempts(one, detail, len(series)))
            for one, of_scenario in zip(result.scenarios, series, strict=True)
        ]
        raw = msgspec.json.encode(scenarios)
        if len(raw) > RAW_BYTES_MAX and detail is not DETAILS[-1]:
            continue
        packed = _gzip(raw)
        if len(packed) <= DATA_BYTES_MAX or detail is DETAILS[-1]:
            return base64.b64encode(packed).decode(), [one.attempts.left_out for one in scenarios]
    raise AssertionError


def _gzip(raw: bytes) -> bytes:
    """Compress to the same bytes on every machine and at any time, which `gzip` does not promise."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(raw) + packer.flush()


def _attempts(scenario: ScenarioResult, detail: Detail, scenarios: int) -> Attempts:
    rows_max = max(ROWS_MAX // scenarios, 100)
    return attempts(scenario.journal, evidence_of(scenario), scenario.journal[0].at, rows_max, detail)


def _series(scenario: ScenarioResult) -> Iterator[_Series]:
    names = {webhook_id: name for name, webhook_id in scenario.webhooks.items()}
    start = scenario.journal[0].at
    known: dict[int, WebhookChanged] = {}
    for entry in scenario.journal:
        if isinstance(entry, WebhookChanged):
            known.setdefault(entry.webhook_id, entry)
    for webhook_id, created in known.items():
        yield _Series(
            id=webhook_id,
            name=names.get(webhook_id, f"webhook {webhook_id}"),
            type=created.type.value,
            chart=chart(scenario.journal, webhook_id, start, start + scenario.virtual_milliseconds),
        )


def _figure(scenario: ScenarioResult, series: _Series) -> dict[str, Any]:
    """Return what the plot shows, in words."""
    own = [entry for entry in scenario.journal if isinstance(entry, Attempted) and entry.webhook_id == series.id]
    accepted = sum(entry.count for entry in own if entry.outcome.accepted)
    tried = sum(entry.count for entry in own)
    return {
        "id": series.id,
        "name": series.name,
        "type": series.type,
        "accepted": accepted,
        "failed": tried - accepted,
        "simulated": sum(entry.count for entry in own if entry.simulated),
        "pending_max": pending_max(series.chart),
        "discarded": sum(count for _, count, _ in series.chart.discards),
        "happened": bool(own or series.chart.discards or pending_max(series.chart)),
        "bands": [
            f"{band.what} (+{format_duration(band.start)} to +{format_duration(band.end)})"
            for band in series.chart.bands
        ],
    }


def _lines(scenario: ScenarioResult) -> list[Line | int]:
    """Return the timeline; a number stands for that many lines left out."""
    assert isinstance(scenario.journal[0], Began)
    names = {webhook_id: name for name, webhook_id in scenario.webhooks.items()}
    return excerpt(folded(list(timeline(scenario.journal, names)), scenario.journal), evidence_of(scenario), LINES_MAX)


def _counts(result: RunResult) -> dict[str, int]:
    verdicts = [scenario.verdict for scenario in result.scenarios]
    return {verdict: verdicts.count(verdict) for verdict in ("compliant", "violated", "could-not-tell")}


def _findings(result: RunResult) -> Iterator[dict[str, Any]]:
    """Yield the findings, worst first; each rule once, with the scenario of its worst finding."""
    pairs = [(finding, _source(result, finding)) for finding in result.rules]
    for index, scenario in enumerate(result.scenarios):
        pairs += [(finding, index) for finding in scenario.expectations]
    pairs.sort(key=lambda pair: rank(pair[0], strict=is_strict(result)))
    alike = Counter((finding.title, source) for finding, source in pairs)
    opened = 0
    for finding, source in pairs:
        origin = None if source is None else result.scenarios[source]
        journal = [] if origin is None else origin.journal
        violated = origin is not None and violates(finding, origin)
        opened += violated
        positions = {position for position, entry in enumerate(journal) if isinstance(entry, Attempted)}
        yield {
            "finding": finding,
            "outcome": shown_as(finding),
            "scenario": origin,
            "index": source,
            "of": _of(finding, origin, several=len(result.scenarios) > 1, alike=alike[finding.title, source] > 1),
            "is_open": violated and opened <= OPEN_FINDINGS,
            "evidence": sorted(positions.intersection(finding.evidence)),
        }


def _of(finding: Finding, scenario: ScenarioResult | None, *, several: bool, alike: bool) -> str:
    """Return what distinguishes the finding of an expectation from others with its title; nothing for a rule."""
    if scenario is None or finding not in scenario.expectations:
        return ""
    line = finding.place.rpartition(":")[0].rpartition(":")[2] if finding.place else ""
    return ", ".join(
        part for part, is_shown in ((scenario.name, several), (f"line {line}", alike and line.isdecimal())) if is_shown
    )


def _source(result: RunResult, worst: Finding) -> int | None:
    """Return the index of the scenario with this finding of the rule; None if it has no scenario."""
    for index, scenario in enumerate(result.scenarios):
        for finding in scenario.rules:
            if finding.id == worst.id and shown_as(finding) == shown_as(worst):
                return index
    return None
