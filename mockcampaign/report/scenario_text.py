"""The text report: verdict, timeline, and what was required, expected and seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from mockcampaign.durations import format_duration, format_moment
from mockcampaign.engine.journal import Began
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.ledger import DeliveryCounts
from mockcampaign.judging.verdict import RunResult, ScenarioResult, Shown, Verdict, shown_as
from mockcampaign.report.columns import PLAIN, Style, Styled, cells, fitted
from mockcampaign.report.timeline import Line, timeline
from mockcampaign.tables import complete
from mockcampaign.text import counted

CAME_TO_MAX, ACTUAL_MAX = 200, 2_000
"""Characters of an outcome and of what was seen: a header that a consumer sends may be endless. The JSON report has all
of them."""

TIMELINE_LINES_MAX = 30
"""More are cut out of the middle unless asked for."""

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
        "not-exercised": ("-   ", FAINT),
        "could-not-tell": ("?   ", DOUBT),
    },
)
VERDICTS: Mapping[Verdict, Styled] = complete(
    "the words for each verdict",
    get_args(Verdict),
    {
        "compliant": ("compliant", GOOD),
        "violated": ("NOT COMPLIANT", BAD),
        "could-not-tell": ("could not tell", DOUBT),
    },
)


def scenario_lines(result: ScenarioResult, *, verbosity: int = 0) -> Iterator[list[Styled]]:
    """The report on one scenario, line by line. Verbosity -1: the verdict only; 1: the whole timeline, and what was
    measured also of lists that were taken."""
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
        yield [("  could not tell: ", DOUBT), (printable(result.trouble), PLAIN)]
    if verbosity >= 0:
        yield from timeline_lines(result, None if verbosity > 0 else TIMELINE_LINES_MAX)
    for finding in [*result.expectations, *result.rules]:
        yield from _finding_lines(finding, verbosity)
    sums = result.deliveries
    yield [
        (
            f"  {counted(sums.attempts, 'attempt')}{and_simulated(sums)}: "
            f"{counted(sums.delivered, 'event')} delivered, {sums.discarded:,} discarded, {sums.pending:,} pending",
            FAINT,
        )
    ]


def and_simulated(sums: DeliveryCounts) -> str:
    """What is said after a number of attempts, wherever there is one: those that were not made are told apart."""
    return f" and {sums.simulated:,} simulated" if sums.simulated else ""


def summary_lines(result: RunResult, *, verbosity: int = 0, width: int | None = None) -> Iterator[list[Styled]]:
    """The end of a run: a table of several scenarios, and how they went in one line."""
    if len(result.scenarios) > 1 and verbosity >= 0:
        yield []
        yield from _table_lines(result, width)
    counts = dict.fromkeys(VERDICTS, 0)
    for scenario in result.scenarios:
        counts[scenario.verdict] += 1
    number = len(result.scenarios)
    yield [(f"{counted(number, 'scenario')}: ", STRONG)] + [
        piece
        for index, (verdict, count) in enumerate(counts.items())
        for piece in [
            (", " if index else "", PLAIN),
            (f"{count} {VERDICTS[verdict][0]}", VERDICTS[verdict][1] if count else FAINT),
        ]
    ]


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
    """The report on one scenario as plain text."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in scenario_lines(result, verbosity=1))


def brief(text: str, length: int = ACTUAL_MAX) -> str:
    """What a consumer had a hand in, printable, and cut where it is longer than anybody reads."""
    text = printable(text)
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length:,} more characters)"


def seen(finding: Finding) -> str:
    """Return what was found, with the scenario where that is not obvious."""
    return finding.actual if finding.scenario is None else f"{finding.scenario}: {finding.actual}"


def printable(text: str) -> str:
    """The text with control characters spelled out, so that a consumer cannot write to the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def timeline_lines(result: ScenarioResult, lines_max: int | None) -> Iterator[list[Styled]]:
    names = {webhook_id: printable(name) for name, webhook_id in result.webhooks.items()}
    lines = list(timeline(result.journal, names))
    when_width = min(max((len(line.when) for line in lines), default=0), 32)
    who_width = max((len(line.who) for line in lines), default=0)
    shown: list[Line | None] = list(lines)
    if lines_max is not None and len(lines) > lines_max:
        half = lines_max // 2
        shown = [*lines[:half], None, *lines[-half:]]
    for line in shown:
        if line is None:
            yield [(f"    … {len(lines) - len(shown) + 1} more lines (-v shows them)", FAINT)]
            continue
        style = {None: FAINT, True: GOOD, False: BAD}[line.accepted]
        yield [
            (f"    {line.when:<{when_width}}  {line.who:<{who_width}}  {printable(line.what)}", PLAIN),
            (f"  {_came_to(line, everything=lines_max is None)}" if line.came_to else "", style),
        ]


def _came_to(line: Line, *, everything: bool) -> str:
    """With what was measured where the consumer did not take the list; `everything`: wherever it was."""
    told = line.measured and (everything or line.accepted is False)
    return brief(line.came_to, CAME_TO_MAX) + (f", {line.measured}" if told else "")


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
