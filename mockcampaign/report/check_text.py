"""The text report of a compliance check: each violation in full, a summary, and what to type next."""

from __future__ import annotations

import itertools
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from mockcampaign.durations import format_duration
from mockcampaign.judging.fact import (
    AnyFact,
    CountsTwice,
    KeysOn,
    Need,
    Needs,
    NotReached,
    Poisoned,
    SometimesRecognised,
    Unavailable,
    Unfinished,
)
from mockcampaign.judging.finding import Finding, Judgement, Reproduce
from mockcampaign.judging.verdict import (
    RunResult,
    ScenarioResult,
    is_strict,
    is_violation,
    shown_as,
    verdict_of,
    worst_first,
)
from mockcampaign.report import sentences
from mockcampaign.report.advice import explaining, fields_kept, probe_fields_option
from mockcampaign.report.columns import PLAIN, Copyable, Styled, cut
from mockcampaign.report.scenario_text import (
    DOUBT,
    FAINT,
    MARKS,
    STRONG,
    VERDICTS,
    and_simulated,
    gone_lines,
    seen,
    timeline_lines,
)
from mockcampaign.tables import complete
from mockcampaign.text import counted, printable

COMMANDS_MAX = 4_000
"""Longer commands are not shown on a terminal, in characters."""

RULES_NEXT_MAX = 5
"""How many violated rules a suggested command names."""

WIDTH = 110
"""Longer lines are hard to read, however wide the terminal is."""

LONGER_BUDGET = 5
"""How many times the budget a suggested command allows, where the budget was used up."""


NEEDS_NEXT_MAX = 3
"""How many options for what skipped rules need are suggested: those that most must-rules need."""

_OPTIONS: Mapping[Need, str] = complete(
    "options for needs",
    get_args(Need),
    {
        "probe": "--probe URL",
        "restart command": "--restart-cmd 'sh restart.sh'",
        "break command": "--break-cmd 'sh break.sh' --restore-cmd 'sh restore.sh'",
        "state": "--probe-state URL",
        "credentials": "--basic-auth USER:PASSWORD",
        # A probe is not suggested in place of another one that reports no events.
        "probe events": "",
        **dict.fromkeys(("connection", "https", "batches"), ""),
    },
)
"""The options that give what a rule needs; empty where no option does."""

_EXPLAINING = (KeysOn, CountsTwice, SometimesRecognised)
"""Facts that say how the consumer deduplicates, which explains violations of other rules: they come first."""


def check_lines(
    result: RunResult,
    *,
    verbosity: int = 0,
    explain: bool = False,
    width: int | None = None,
    folder: Path | None = None,
) -> Iterator[list[Styled]]:
    """Yield the findings, worst first: with verbosity 1 of every rule, otherwise only of rules with a problem.

    `folder` contains the scenarios that show violations, if they are written.
    """
    width = WIDTH if width is None else min(width, WIDTH)
    scenarios = {scenario.name: scenario for scenario in result.scenarios}
    shown = [finding for finding in result.rules if verbosity > 0 or _wrong(finding)]
    named: set[str] = set()
    for family, findings in itertools.groupby(
        worst_first(shown, strict=is_strict(result)), key=lambda finding: finding.family or ""
    ):
        # A family is named again if it has violations as well as hazards.
        yield [(family, STRONG), *([(" (continued)", FAINT)] if family in named else [])]
        named.add(family)
        for finding in findings:
            yield from _finding_lines(finding, scenarios.get(finding.id), verbosity, explain, width, folder)


def summary_lines(result: RunResult, *, width: int | None = None) -> Iterator[list[Styled]]:
    """Yield one line for each violation and hazard, and the number of rules that are inconclusive, passed or skipped.

    Without a width, no line is cut.
    """
    width = sys.maxsize if width is None else min(width, WIDTH)
    wrong = [finding for finding in result.rules if finding.outcome in ("fail", "warn")]
    wrong.sort(key=lambda finding: not any(isinstance(fact, _EXPLAINING) for fact in finding.facts))
    wrong = worst_first(wrong, strict=is_strict(result))
    violations = sum(is_violation(finding, strict=is_strict(result)) for finding in wrong)
    if any(map(_wrong, result.rules)):
        yield []
    yield from (_brief_line(finding, width) for finding in wrong[:violations])
    yield from _by_reason(result, "could-not-tell", width)
    yield from (_brief_line(finding, width) for finding in wrong[violations:])
    passed = Counter(finding.family or "" for finding in result.rules if finding.outcome == "pass")
    if passed:
        families = ", ".join(f"{family} {count}".strip() for family, count in passed.items())
        yield [(f"  {f'{passed.total()} passed':<16} {families}", FAINT)]
    yield from _by_reason(result, "not-exercised", width)


def _brief_line(finding: Finding, width: int) -> list[Styled]:
    words = printable(sentences.brief(finding.facts) or finding.actual)
    mark, name = MARKS[shown_as(finding)], f" {finding.id}  "
    return [("  ", PLAIN), mark, (name, STRONG), (_cut(words, width - len(name) - 7), PLAIN)]


def _by_reason(result: RunResult, outcome: Judgement, width: int) -> Iterator[list[Styled]]:
    """Yield a line for each reason for which rules have this outcome."""
    reasons: dict[tuple[AnyFact, ...] | str, list[Finding]] = {}
    for finding in result.rules:
        if finding.outcome == outcome:
            reasons.setdefault(finding.facts or finding.actual, []).append(finding)
    for findings in reasons.values():
        count = f"{len(findings)} {sentences.OUTCOMES[outcome]}"
        names = f"{findings[0].id}: " if len(findings) == 1 else ""
        words = printable(names + findings[0].actual)
        yield [(f"  {count:<16} {_cut(words, width - 19)}", FAINT if outcome == "not-exercised" else DOUBT)]


def _cut(words: str, width: int) -> str:
    return cut(words, max(width, 24))


def headline_lines(result: RunResult, milliseconds: int | None = None) -> Iterator[list[Styled]]:
    """Yield the last lines: the verdict in one sentence, and what was sent."""
    yield [VERDICTS[verdict_of(result)], (f"  {result.headline}", STRONG)]
    if result.trouble:
        yield [(f"  {printable(result.trouble)}", DOUBT)]
    yield from gone_lines(result)
    if result.sweep is not None:
        yield [(f"  sweep: {printable(sentences.sweep_summary(result.sweep))}", PLAIN)]
    for note in result.notes:
        yield [(f"  {sentences.note(note, milliseconds)}", FAINT)]
    sums = result.deliveries
    took = "" if milliseconds is None else f" in {milliseconds / 1_000:.1f} s"
    scope = "" if result.scope is None else f"; {sentences.scope(result.scope)}"
    yield [
        (
            f"  {counted(sums.attempts, 'attempt')}{and_simulated(sums)}, "
            f"{counted(sums.delivered, 'event')} delivered{took}, seed {result.seed}{scope}",
            FAINT,
        )
    ]


def next_lines(
    result: RunResult,
    again: str,
    *,
    explain: bool = False,
    folder: Path | None = None,
    variables: Sequence[str] = (),
) -> Iterator[list[Styled]]:
    """Yield commands to go on with. `again` is the command that repeats the check, without a choice of rules.

    `variables` are the environment variables that the user has to set first.
    """
    wrong = [finding for finding in result.rules if finding.outcome in ("fail", "warn") and not finding.known]
    wrong = worst_first(wrong, strict=is_strict(result))
    commands = list(filter(None, [explaining(wrong)]))
    if wrong and not explain:
        rules = ",".join(dict.fromkeys(rule for finding in wrong[:RULES_NEXT_MAX] for rule in _needed_for(finding)))
        commands.append(f"{again} --rules {rules} --explain")
    if folder is not None and any(finding.reproduce and finding.reproduce.scenario for finding in wrong):
        commands.append(f"mockcampaign run {shlex.quote(str(folder))}")
    elif wrong:
        commands.append(f"{again} --scenarios scenarios-of-check")
    facts = [fact for finding in result.rules for fact in finding.facts]
    reasons = {
        f"{again} {option}": f"{counted(count, 'must-rule')} skipped without it"
        for option, count in _needed_options(result.rules)
    }
    commands += reasons
    cut_short = [fact for fact in facts if isinstance(fact, NotReached | Unfinished) and fact.budget]
    if cut_short:
        budget = cut_short[0].enough or LONGER_BUDGET * (cut_short[0].budget or 0)
        commands.append(f"{again} --budget {format_duration(budget)}")
    kept = fields_kept(wrong)
    if kept:
        commands.append(f"{again} {probe_fields_option(kept)}")
        reasons[commands[-1]] = "compares only the fields that the consumer stores"
    if commands:
        values = "values, which may contain secrets" if len(variables) > 1 else "value, which may contain a secret"
        before = f", after you have set {' and '.join(variables)} to the {values}" if variables else ""
        yield [(f"  what to type next{before}", FAINT)]
    for command in commands:
        why = [(f"  # {reasons[command]}", FAINT)] if command in reasons else []
        yield [(Copyable(f"    {command}"), PLAIN), *why]


def _needed_options(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    """Return the options without which must-rules were skipped, and how many were: the most important ones first."""
    skipped = [one for one in findings if one.level == "must" and one.outcome == "not-exercised"]
    needs = Counter(fact.need for finding in skipped for fact in finding.facts if isinstance(fact, Needs))
    if needs["probe"]:
        needs["probe"] += needs["probe events"]
    wanted = sorted(
        (need for need, option in _OPTIONS.items() if option and needs[need]), key=lambda need: -needs[need]
    )
    return [(_OPTIONS[need], needs[need]) for need in wanted[:NEEDS_NEXT_MAX]]


def _needed_for(finding: Finding) -> Iterator[str]:
    """Yield the rules that show a finding again: some judge only what others have seen."""
    for fact in finding.facts:
        match fact:
            case Poisoned(rule_id=str(rule_id)) | Unavailable(first_rule=str(rule_id)):
                yield rule_id
    yield finding.id


def _wrong(finding: Finding) -> bool:
    return finding.outcome in ("fail", "warn", "could-not-tell")


def _finding_lines(
    finding: Finding,
    scenario: ScenarioResult | None,
    verbosity: int,
    explain: bool,
    width: int,
    folder: Path | None,
) -> Iterator[list[Styled]]:
    wrong = _wrong(finding)
    yield [
        ("  ", PLAIN),
        MARKS[shown_as(finding)],
        (f" {finding.id:<30}  ", STRONG if wrong else PLAIN),
        (finding.title, PLAIN if wrong else FAINT),
    ]
    if not wrong:
        yield from _wrapped("", printable(seen(finding)), width)
    if finding.swept:
        yield from _wrapped("sweep", "; ".join(map(sentences.swept, finding.swept)), width)
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
    if explain and len(finding.differences) > 1:  # `actual` shows a single one
        for index, difference in enumerate(finding.differences):
            yield from _wrapped("" if index else "differs", printable(sentences.difference(difference)), width)
    if explain:
        yield from _wrapped("assumes", "; ".join(finding.assumes), width)
    if explain and scenario is not None:
        yield from timeline_lines(scenario, None)


def scenario_file(folder: Path, finding: Finding) -> Path:
    """Return the path of the scenario in the folder that shows a violation."""
    return folder / f"{finding.id}.scenario.yaml"


def _reproduce_lines(reproduce: Reproduce, width: int, file: Path | None) -> Iterator[list[Styled]]:
    """Yield the commands that show a violation, or why there are none."""
    if reproduce.without_curl is not None and reproduce.without_curl == reproduce.without_scenario:
        yield from _wrapped("reproduce", f"Neither with curl nor by a scenario. {reproduce.without_curl}", width)
        return
    if reproduce.curl is None:
        yield from _wrapped("reproduce", f"Not with curl. {reproduce.without_curl}", width)
    elif len(reproduce.curl) > COMMANDS_MAX:
        commands = counted(reproduce.curl.count("\n") + 1, "command")
        size = counted(len(reproduce.curl), "character")
        yield from _wrapped(
            "reproduce", f"with {commands} of curl ({size}), which --html and --report-json write in full", width
        )
    else:
        yield from _wrapped("reproduce", "with curl:", width)
        for command in reproduce.curl.split("\n"):
            yield [(Copyable(printable(command)), PLAIN)]
    if reproduce.scenario is None:
        yield from _wrapped("scenario", f"None. {reproduce.without_scenario}", width)
    elif file is None:
        yield from _wrapped("scenario", "--scenarios FOLDER writes one that fails only because of this", width)
    else:
        yield from _wrapped("scenario", "run it with:", width)
        yield [(Copyable(f"mockcampaign run {shlex.quote(str(file))}"), PLAIN)]


def _wrapped(label: str, text: str, width: int) -> Iterator[list[Styled]]:
    lines: Sequence[str] = textwrap.wrap(text, width - 19) or [""]
    for index, line in enumerate(lines):
        yield [(f"         {label if index == 0 else '':<10}", FAINT), (line, PLAIN)]
