"""The text report on a drill: each rule, and what to do about those that are violated."""

from __future__ import annotations

from collections.abc import Iterator

from mockcampaign.judging.verdict import RunResult, shown_as, verdict_of
from mockcampaign.report.columns import PLAIN, Styled
from mockcampaign.report.scenario_text import FAINT, MARKS, STRONG, VERDICTS
from mockcampaign.text import counted, printable


def drill_lines(result: RunResult, *, verbosity: int = 0) -> Iterator[list[Styled]]:
    """Yield a line for each rule, with the fix of those that are violated, and the verdict. Verbosity -1: no rules."""
    wrong = [finding for finding in result.rules if finding.outcome == "fail"]
    for finding in result.rules:
        if verbosity < 0 and finding.outcome != "fail":
            continue
        yield [MARKS[shown_as(finding)], (f" {finding.id}  ", STRONG), (printable(finding.actual), PLAIN)]
        if finding.outcome == "fail":
            yield [("     required  ", FAINT), (printable(finding.requirement), FAINT)]
            if finding.fix is not None:
                yield [("     fix       ", FAINT), (printable(finding.fix), PLAIN)]
    words, style = VERDICTS[verdict_of(result)]
    sums = f"{counted(len(wrong), 'rule')} of {len(result.rules)} violated" if wrong else "no rule violated"
    yield [(words, {**style, **STRONG}), (f"  provisioning drill: {sums}", PLAIN)]
