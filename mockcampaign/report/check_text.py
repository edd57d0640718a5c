"""The text report of a compliance check: a line for each rule, and what is wrong in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.judging.verdict import RunResult, ScenarioResult, shown_as, verdict_of
from mockcampaign.report import sentences
from mockcampaign.report.columns import PLAIN, Styled
from mockcampaign.report.scenario_text import (
    DOUBT,
    FAINT,
    GOOD,
    MARKS,
    STRONG,
    VERDICTS,
    and_simulated,
    printable,
    seen,
    timeline_lines,
)
from mockcampaign.text import counted

COMMANDS_MAX = 4_000
"""Longer commands are not shown on a terminal, in characters."""

WIDTH = 110
"""Longer lines are no pleasure to read, however wide the terminal."""


def check_lines(
    result: RunResult,
    *,
    verbosity: int = 0,
    explain: bool = False,
    width: int | None = None,
    folder: Path | None = None,
) -> Iterator[list[Styled]]:
    """The whole report. Verbosity -1: only what is wrong; 1: every rule with what was seen. `folder` has the scenarios
    that show violations, where they are written."""
    width = WIDTH if width is None else min(width, WIDTH)
    scenarios = {scenario.name: scenario for scenario in result.scenarios}
    families: dict[str, list[Finding]] = {}
    # One reason for dozens of rules would hide what is wrong with the one before.
    unreached: dict[str, list[Finding]] = {}
    for finding in result.rules:
        if verbosity < 1 and finding.is_not_reached:
            unreached.setdefault(finding.actual, []).append(finding)
        else:
            families.setdefault(finding.family or "", []).append(finding)
    for family, findings in families.items():
        if verbosity >= 0 or any(_wrong(finding) for finding in findings):
            yield [(family, STRONG)]
        for finding, following in zip(findings, [*findings[1:], None], strict=True):
            # What holds for several in a row is said after the last of them.
            more = following is not None and following.reason is not None and following.facts == finding.facts
            yield from _finding_lines(
                finding, scenarios.get(finding.id), verbosity, explain, width, more=more, folder=folder
            )
    for reason, findings in unreached.items():
        if verbosity >= 0 or _wrong(findings[0]):
            yield [("  ", PLAIN), MARKS[shown_as(findings[0])], (f" {counted(len(findings), 'rule')}", STRONG)]
            yield from _wrapped("", printable(reason), width)


def headline_lines(result: RunResult, milliseconds: int | None = None) -> Iterator[list[Styled]]:
    """The last lines: the verdict in one sentence, and what was sent."""
    yield [VERDICTS[verdict_of(result)], (f"  {result.headline}", STRONG)]
    if result.trouble:
        yield [(f"  {printable(result.trouble)}", DOUBT)]
    for one in result.gone:
        yield [("  gone", GOOD), (f"  {printable(one)}: take it out of the baseline", PLAIN)]
    if result.sweep is not None:
        yield [(f"  swept: {printable(sentences.sweep_summary(result.sweep))}", PLAIN)]
    sums = result.deliveries
    took = "" if milliseconds is None else f" in {milliseconds / 1_000:.1f} s"
    yield [
        (
            f"  {counted(sums.attempts, 'attempt')}{and_simulated(sums)}, "
            f"{counted(sums.delivered, 'event')} delivered{took}, seed {result.seed}",
            FAINT,
        )
    ]


def _wrong(finding: Finding) -> bool:
    return finding.outcome in ("fail", "warn", "could-not-tell")


def _finding_lines(
    finding: Finding,
    scenario: ScenarioResult | None,
    verbosity: int,
    explain: bool,
    width: int,
    *,
    more: bool,
    folder: Path | None,
) -> Iterator[list[Styled]]:
    wrong = _wrong(finding)
    if verbosity < 0 and not wrong:
        return
    not_exercised = finding.outcome == "not-exercised" and not more
    said = printable(seen(finding)) if verbosity > 0 or not_exercised else ""
    yield [
        ("  ", PLAIN),
        MARKS[shown_as(finding)],
        (f" {finding.id:<30} ", STRONG if wrong else PLAIN),
        (finding.title, PLAIN if wrong else FAINT),
    ]
    if said and not wrong:
        yield from _wrapped("", said, width)
    if finding.swept and (wrong or verbosity > 0):
        yield from _wrapped("swept", "; ".join(map(sentences.swept, finding.swept)), width)
    if not wrong:
        return
    yield from _wrapped("required", finding.requirement, width)
    yield from _wrapped("expected", finding.expected, width)
    yield from _wrapped("actual", printable(seen(finding)), width)
    if finding.known and finding.identity is not None and verbosity > 0:
        yield from _wrapped("known as", printable(finding.identity), width)
    if finding.fix:
        yield from _wrapped("fix", finding.fix, width)
    if finding.reproduce is not None and (explain or verbosity > 0):
        yield from _reproduce_lines(
            finding.reproduce, width, None if folder is None else scenario_file(folder, finding)
        )
    if explain and len(finding.differences) > 1:  # of a single one, what was seen tells
        for index, difference in enumerate(finding.differences):
            yield from _wrapped("" if index else "differs", printable(sentences.difference(difference)), width)
    if explain:
        yield from _wrapped("relies on", "; ".join(finding.assumes), width)
    if explain and scenario is not None:
        yield from timeline_lines(scenario, None)


def scenario_file(folder: Path, finding: Finding) -> Path:
    """Where in the folder the scenario is that shows a violation."""
    return folder / f"{finding.id}.scenario.yaml"


def _reproduce_lines(reproduce: Reproduce, width: int, file: Path | None) -> Iterator[list[Styled]]:
    """The commands as they are to be given, or why there are none; and where the scenario is, or why nowhere."""
    if reproduce.without_curl is not None and reproduce.without_curl == reproduce.without_scenario:
        yield from _wrapped("see it", f"Neither with curl nor by a scenario. {reproduce.without_curl}", width)
        return
    if reproduce.curl is None:
        yield from _wrapped("see it", f"Not with curl. {reproduce.without_curl}", width)
    elif len(reproduce.curl) > COMMANDS_MAX:
        commands = counted(reproduce.curl.count("\n") + 1, "command")
        size = counted(len(reproduce.curl), "character")
        yield from _wrapped("see it", f"{commands} of curl with {size}: --html or --report-json writes them", width)
    else:
        for index, command in enumerate(reproduce.curl.split("\n")):
            yield [(f"         {'' if index else 'see it':<10}", FAINT), (printable(command), PLAIN)]
    said = "--scenarios FOLDER writes one that fails for this alone" if file is None else str(file)
    if reproduce.scenario is None:
        said = f"None. {reproduce.without_scenario}"
    yield from _wrapped("scenario", said, width)


def _wrapped(label: str, text: str, width: int) -> Iterator[list[Styled]]:
    lines: Sequence[str] = textwrap.wrap(text, width - 19) or [""]
    for index, line in enumerate(lines):
        yield [(f"         {label if index == 0 else '':<10}", FAINT), (line, PLAIN)]
