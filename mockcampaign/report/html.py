"""The HTML report: one file that asks no address, runs no script but its own, and shows a consumer's words as text.

The verdict, the findings and the timelines stand in the document itself. Plots and attempts are drawn from compressed
data beside them, so that ten thousand attempts fit into two megabytes.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.journal import Attempted, Began, WebhookChanged
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import WORST, RunResult, ScenarioResult, shown_as, verdict_of, violates
from mockcampaign.report import sentences
from mockcampaign.report.attempts import DETAILS, Attempts, Detail, attempts
from mockcampaign.report.charts import Chart, chart, pending_max
from mockcampaign.report.scenario_text import CAME_TO_MAX, and_simulated, brief, printable, seen
from mockcampaign.report.timeline import Line, timeline
from mockcampaign.shipped import assets_folder

DATA_BYTES_MAX = 1_150_000
"""Of compressed data, which takes a third more as text: two megabytes are left for nothing but the page itself."""

RAW_BYTES_MAX = 40_000_000
"""What is larger than this compresses to too much, or takes too long to find out."""

ROWS_MAX = 10_000
"""Attempts on a page, folded ones counting once."""

LINES_MAX = 400
"""Of a scenario's timeline; more are cut out of its middle."""

_PAGE = Path(__file__).parent / "page"


class _Series(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook as the page's script reads it."""

    id: int
    name: str
    type: str
    chart: Chart


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario as the page's script reads it."""

    length: int
    series: list[_Series]
    attempts: Attempts


def to_html(result: RunResult) -> bytes:
    """The page."""
    style = "\n".join(
        path.read_text(encoding="utf-8") for path in (assets_folder() / "uplot" / "uPlot.min.css", _PAGE / "report.css")
    )
    plots = assets_folder() / "uplot"
    # Whoever has the page has a copy of the library, and so must have its licence.
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
    environment.filters["seen"] = seen
    environment.filters["swept"] = sentences.swept
    environment.filters["sweep_summary"] = sentences.sweep_summary
    environment.filters["difference"] = sentences.difference
    environment.filters["block"] = _block
    environment.filters["and_simulated"] = and_simulated
    series = [list(_series(scenario)) for scenario in result.scenarios]
    data, shown = _packed(result, series)
    page = environment.get_template("report.html.jinja").render(
        result=result,
        verdict=verdict_of(result),
        counts=_counts(result),
        findings=list(_findings(result)),
        scenarios=[
            {
                "result": scenario,
                "began": format_moment(scenario.journal[0].at),
                "duration": format_duration(scenario.virtual_milliseconds),
                "figures": [_figure(scenario, one) for one in of_scenario],
                "lines": _lines(scenario),
                "left_out": left_out,
            }
            for scenario, of_scenario, left_out in zip(result.scenarios, series, shown, strict=True)
        ],
        came_to_max=CAME_TO_MAX,
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


def _plain(value: Any) -> Any:
    """What a consumer wrote is shown as it is, also where it cannot be seen."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _block(text: str) -> Markup:
    """Several lines, which stay lines."""
    return Markup("\n").join(printable(line) for line in text.split("\n"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(result: RunResult, series: list[list[_Series]]) -> tuple[str, list[int]]:
    """As much of all attempts as fits, and how many each scenario had to leave out."""
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
    """The same bytes on every machine and at any time, which `gzip` does not promise."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(raw) + packer.flush()


def _attempts(scenario: ScenarioResult, detail: Detail, scenarios: int) -> Attempts:
    evidence = frozenset(
        position
        for finding in [*scenario.expectations, *scenario.rules]
        if violates(finding, scenario)
        for position in finding.evidence
    )
    rows_max = max(ROWS_MAX // scenarios, 100)
    return attempts(scenario.journal, evidence, scenario.journal[0].at, rows_max, detail)


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
    """The plot in words."""
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
        "bands": [
            f"{band.what} (+{format_duration(band.start)} to +{format_duration(band.end)})"
            for band in series.chart.bands
        ],
    }


def _lines(scenario: ScenarioResult) -> list[Line | int]:
    """The timeline; a number stands for as many lines that were cut out."""
    assert isinstance(scenario.journal[0], Began)
    names = {webhook_id: name for name, webhook_id in scenario.webhooks.items()}
    lines = list(timeline(scenario.journal, names))
    if len(lines) <= LINES_MAX:
        return [*lines]
    half = LINES_MAX // 2
    return [*lines[:half], len(lines) - 2 * half, *lines[-half:]]


def _counts(result: RunResult) -> dict[str, int]:
    verdicts = [scenario.verdict for scenario in result.scenarios]
    return {verdict: verdicts.count(verdict) for verdict in ("compliant", "violated", "could-not-tell")}


def _findings(result: RunResult) -> Iterator[dict[str, Any]]:
    """What was wrong first. A rule stands here once, with the scenario in which it went worst."""
    pairs = [(finding, _source(result, finding)) for finding in result.rules]
    for index, scenario in enumerate(result.scenarios):
        pairs += [(finding, index) for finding in scenario.expectations]
    pairs.sort(key=lambda pair: WORST.index(shown_as(pair[0])))
    for finding, source in pairs:
        origin = None if source is None else result.scenarios[source]
        journal = [] if origin is None else origin.journal
        positions = {position for position, entry in enumerate(journal) if isinstance(entry, Attempted)}
        yield {
            "finding": finding,
            "outcome": shown_as(finding),
            "scenario": origin,
            "index": source,
            "violated": origin is not None and violates(finding, origin),
            "evidence": sorted(positions.intersection(finding.evidence)),
        }


def _source(result: RunResult, worst: Finding) -> int | None:
    """The scenario whose finding of the rule this is; None where it never came to one."""
    for index, scenario in enumerate(result.scenarios):
        for finding in scenario.rules:
            if finding.id == worst.id and shown_as(finding) == shown_as(worst):
                return index
    return None
