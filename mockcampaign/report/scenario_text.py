"""The text report: verdict, timeline, and what was required, expected and seen."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args

from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.journal import Began
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.ledger import DeliveryCounts
from mockcampaign.judging.verdict import (
    RunResult,
    ScenarioResult,
    Shown,
    Verdict,
    is_strict,
    is_violation,
    shown_as,
    verdict_of,
    violates,
    worst_first,
)
from mockcampaign.report import sentences
from mockcampaign.report.advice import explaining
from mockcampaign.report.columns import PLAIN, Copyable, Style, Styled, cells, cut, fitted
from mockcampaign.report.timeline import Line, excerpt, folded, timeline
from mockcampaign.tables import complete
from mockcampaign.text import counted, printable

CAME_TO_MAX, ACTUAL_MAX = 200, 2_000
"""Characters shown of an outcome and of what was seen, because a consumer may send endless headers. The JSON report is
complete."""

FAILURE_MAX = 72
"""Columns that the summary spends on why a scenario failed."""

TIMELINE_LINES_MAX = 30
"""How many lines of a timeline are shown unless all are asked for."""

PASSED_LINES_MAX = 10
"""How many of them are enough for a scenario that passed."""

GOOD: Style = {"fg": "green"}
BAD: Style = {"fg": "red"}
DOUBT: Style = {"fg": "yellow"}
FAINT: Style = {"dim": True}
STRONG: Style = {"bold": True}

MARKS: Mapping[Shown, Styled] = complete(
    "the mark of each outcome",
    get_args(Shown),
    {
        "pass": ("ok  ", GOOD),
        "fail": ("FAIL", BAD),
        "known": ("known", DOUBT),
        "warn": ("warn", DOUBT),
        "not-exercised": ("skip", FAINT),
        "could-not-tell": ("?   ", DOUBT),
    },
)
VERDICTS: Mapping[Verdict, Styled] = complete(
    "the words for each verdict",
    get_args(Verdict),
    {
        "compliant": ("compliant", GOOD),
        "violated": ("NOT COMPLIANT", BAD),
        "could-not-tell": ("inconclusive", DOUBT),
    },
)

_WENT: Mapping[Verdict, str] = complete(
    "how scenarios of each verdict went, worst first",
    get_args(Verdict),
    {"violated": "failed", "could-not-tell": "inconclusive", "compliant": "passed"},
)


def scenario_lines(
    result: ScenarioResult, *, verbosity: int = 0, lines_max: int = TIMELINE_LINES_MAX
) -> Iterator[list[Styled]]:
    """Yield the report on one scenario, with at most `lines_max` lines of its timeline.

    Verbosity -1: only the verdict; 1: the whole timeline, and also what was measured of accepted batches.
    """
    yield [VERDICTS[result.verdict], ("  ", PLAIN), (printable(result.name), STRONG)]
    if verbosity < 0 and result.compliant:
        return
    if result.file:
        yield [(f"  {printable(result.file)}", FAINT)]
    began = result.journal[0]
    assert isinstance(began, Began)
    seed = f"seed {result.seed}"
    spent = f"{format_duration(result.virtual_milliseconds)} of virtual time from {format_moment(began.at)}"
    yield [(f"  {printable(result.target)}, {seed}, {spent}", FAINT)]
    if result.trouble is not None:
        # A violation outweighs it, and then it only explains what is missing.
        label = "  inconclusive: " if result.verdict == "could-not-tell" else "  "
        yield [(label, DOUBT), (printable(result.trouble), PLAIN)]
    if verbosity >= 0:
        yield from timeline_lines(result, None if verbosity > 0 else lines_max)
    for finding in [*result.expectations, *worst_first(result.rules, strict=result.strict)]:
        yield from _finding_lines(finding, verbosity)
    sums = result.deliveries
    yield [
        (
            f"  {counted(sums.attempts, 'attempt')}{and_simulated(sums)}: "
            f"{counted(sums.delivered, 'event')} delivered, {sums.discarded:,} discarded, {sums.pending:,} pending",
            FAINT,
        )
    ]
    if result.calls:
        yield [(f"  {sentences.calls(result.calls)}", FAINT)]


def and_simulated(sums: DeliveryCounts) -> str:
    """Return what follows a number of attempts: how many more were simulated instead of sent."""
    return f" and {sums.simulated:,} simulated" if sums.simulated else ""


def summary_lines(result: RunResult, *, verbosity: int = 0, width: int | None = None) -> Iterator[list[Styled]]:
    """Yield the end of a run's report: a table of several scenarios, what failed, and what to type next."""
    if len(result.scenarios) > 1 and verbosity >= 0:
        yield []
        yield from _table_lines(result, width)
        yield []
    counts = Counter(scenario.verdict for scenario in result.scenarios)
    [worst, *others] = [verdict for verdict in _WENT if counts[verdict]]
    said = [f"{counts[worst]} of {counted(len(result.scenarios), 'scenario')} {_WENT[worst]}"]
    said += [f"{counts[verdict]} {_WENT[verdict]}" for verdict in others]
    yield [(", ".join(said), {**VERDICTS[worst][1], **STRONG})]
    yield from gone_lines(result)
    wrong = [scenario for scenario in result.scenarios if not scenario.compliant]
    if verbosity >= 0:  # otherwise nothing stands between the findings and this
        for scenario in wrong:
            yield _failure_line(scenario, is_cut=width is not None)
    if wrong and verbosity == 0 and wrong[0].file:
        yield [("  what to type next", FAINT)]
        if command := explaining(finding for scenario in wrong for finding in scenario.rules):
            yield [(Copyable(f"    {command}"), PLAIN)]
        yield [(Copyable(f"    mockcampaign run {shlex.quote(wrong[0].file)} -v"), PLAIN)]


def gone_lines(result: RunResult) -> Iterator[list[Styled]]:
    """Yield a line for each violation that a baseline accepts, and that no longer occurs."""
    for one in result.gone:
        yield [("  gone", GOOD), (f"  {printable(one)}: remove it from the baseline", PLAIN)]


def _failure_line(scenario: ScenarioResult, *, is_cut: bool) -> list[Styled]:
    """Return one line that says which scenario failed, and where and why first."""
    findings = [*scenario.expectations, *scenario.rules]
    wrong = [one for one in findings if violates(one, scenario)]
    wrong += [one for one in findings if one.outcome == "could-not-tell"]
    place, why = scenario.file, scenario.trouble or ""
    if wrong and (scenario.verdict == "violated" or not why):
        place, why = wrong[0].place or place, f"{wrong[0].title}: {wrong[0].actual}"
    mark = MARKS["fail" if scenario.verdict == "violated" else "could-not-tell"]
    words = ": ".join(filter(None, (printable(scenario.name), printable(place))))
    shown = cut(printable(why), FAILURE_MAX) if is_cut else printable(why)
    return [("  ", PLAIN), mark, (f" {words}", STRONG), (f"  {shown}", PLAIN)]


def _table_lines(result: RunResult, width: int | None) -> Iterator[list[Styled]]:
    heads = ("attempts", "delivered", "discarded", "pending")
    rows = [
        [f"{sums.attempts:,}{and_simulated(sums)}", f"{sums.delivered:,}", f"{sums.discarded:,}", f"{sums.pending:,}"]
        for sums in (scenario.deliveries for scenario in result.scenarios)
    ]
    widths = [max(len(head), *(len(row[index]) for row in rows)) for index, head in enumerate(heads)]
    verdict_width = max(len(word) for word, _ in VERDICTS.values())
    names = [printable(scenario.name) for scenario in result.scenarios]
    name_width = max(len("scenario"), *map(cells, names))
    if width is not None:
        name_width = max(min(name_width, width - verdict_width - sum(widths) - 2 * (len(heads) + 1)), len("scenario"))
    numbers = "  ".join(f"{head:>{size}}" for head, size in zip(heads, widths, strict=True))
    yield [(f"{'verdict':<{verdict_width}}  {fitted('scenario', name_width)}  {numbers}", FAINT)]
    for scenario, name, row in zip(result.scenarios, names, rows, strict=True):
        word, style = VERDICTS[scenario.verdict]
        numbers = "  ".join(f"{number:>{size}}" for number, size in zip(row, widths, strict=True))
        yield [(f"{word:<{verdict_width}}", style), (f"  {fitted(name, name_width)}  {numbers}", PLAIN)]


def plain_report(result: ScenarioResult) -> str:
    """Return the report on one scenario as plain text."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in scenario_lines(result, verbosity=1))


def brief(text: str, length: int = ACTUAL_MAX) -> str:
    """Return text that may come from the consumer, printable and cut off at `length` characters."""
    text = printable(text)
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length:,} more characters)"


def seen(finding: Finding) -> str:
    """Return what was found, with the scenario if that is not obvious."""
    return finding.actual if finding.scenario is None else f"{finding.scenario}: {finding.actual}"


def timeline_lines(result: ScenarioResult, lines_max: int | None) -> Iterator[list[Styled]]:
    """Yield the timeline, or at most `lines_max` lines of it around what shows violations."""
    names = {webhook_id: printable(name) for name, webhook_id in result.webhooks.items()}
    lines = list(timeline(result.journal, names))
    if lines_max is not None:
        lines = folded(lines, result.journal)
    when_width = min(max((len(line.when) for line in lines), default=0), 32)
    who_width = max((len(line.who) for line in lines), default=0)
    for line in excerpt(lines, evidence_of(result), lines_max):
        if isinstance(line, int):
            yield [(f"    … {counted(line, 'more line')} (-v shows all)", FAINT)]
            continue
        style = {None: FAINT, True: GOOD, False: BAD}[line.accepted]
        yield [
            (f"    {line.when:<{when_width}}  {line.who:<{who_width}}  {printable(line.what)}", PLAIN),
            (f"  {_came_to(line, everything=lines_max is None)}" if line.came_to else "", style),
        ]


def evidence_of(result: ScenarioResult) -> frozenset[int]:
    """Return the positions in the journal that show violations."""
    findings = [*result.expectations, *result.rules]
    return frozenset(position for finding in findings if violates(finding, result) for position in finding.evidence)


def _came_to(line: Line, *, everything: bool) -> str:
    """Return the outcome, with what was measured if the consumer rejected the batch or `everything` is shown."""
    measured = line.measured and (everything or line.accepted is False)
    return brief(line.came_to, CAME_TO_MAX) + (f", {line.measured}" if measured else "")


def _finding_lines(finding: Finding, verbosity: int) -> Iterator[list[Styled]]:
    failed = finding.outcome in ("fail", "warn", "could-not-tell")
    if not failed and (verbosity < 0 or (finding.place is None and verbosity < 1)):
        return
    yield [("  ", PLAIN), MARKS[shown_as(finding)], (" ", PLAIN), (printable(finding.title), PLAIN)]
    if failed:
        if finding.place is not None:
            yield [("         at ", FAINT), (printable(finding.place), FAINT)]
        yield [("         required  ", FAINT), (printable(finding.requirement), FAINT)]
        yield [("         expected  ", PLAIN), (printable(finding.expected), PLAIN)]
        yield [("         actual    ", PLAIN), (brief(seen(finding)), PLAIN)]
        if finding.fix is not None:
            yield [("         fix       ", FAINT), (printable(finding.fix), PLAIN)]


def drill_lines(result: RunResult, what: str, *, verbosity: int = 0) -> Iterator[list[Styled]]:
    """Yield a line for each rule, with the fix of those that are violated, and the verdict. Verbosity -1: no rules."""
    strict = is_strict(result)
    wrong = [finding for finding in result.rules if is_violation(finding, strict=strict)]
    for finding in result.rules:
        is_wrong = finding.outcome in ("fail", "warn")
        if verbosity < 0 and not is_wrong:
            continue
        yield [MARKS[shown_as(finding)], (f" {finding.id}  ", STRONG), (printable(finding.actual), PLAIN)]
        if is_wrong:
            yield [("     required  ", FAINT), (printable(finding.requirement), FAINT)]
            if finding.fix is not None:
                yield [("     fix       ", FAINT), (printable(finding.fix), PLAIN)]
    words, style = VERDICTS[verdict_of(result)]
    sums = f"{counted(len(wrong), 'rule')} of {len(result.rules)} violated" if wrong else "no rule violated"
    yield [(words, {**style, **STRONG}), (f"  {what}: {sums}", PLAIN)]
