"""Baselines: files of violations that are accepted, one block for each, to be reviewed like code.

A baseline is TOML and holds nothing else of a report: no events, no requests, no times.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.earlier.comparison import findings_by_scenario, is_wrong, name_with_file
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, ScenarioResult
from mockcampaign.text import printable, short
from mockcampaign.whole_files import read_whole

BASELINE_FORMAT = 1
"""Version of the format of baselines."""

SENTENCE_MAX = 300
"""How many characters of an observation a baseline quotes."""

_HEADING = """\
# Violations that are accepted, written by `mockcampaign baseline write`.
# Remove a block when its violation is fixed. The sentence only explains; rule and identity decide.
"""


class Known(msgspec.Struct, frozen=True):
    """One violation that a baseline accepts."""

    id: str
    """Id of the rule."""
    identity: str | None = None
    """Identity as in `Finding.identity`; None accepts every violation of the rule."""
    scenario: str | None = None
    """Name of the scenario, perhaps with its file; None for rules of a check."""
    sentence: str = ""
    """The violation in words, for those who read the baseline."""

    def matches(self, finding: Finding) -> bool:
        """Return whether the finding is this violation."""
        return self.id == finding.id and self.identity in (None, finding.identity)

    def describe(self) -> str:
        """Return the scenario, the rule and the identity as text."""
        return ": ".join(part for part in (self.scenario, self.id, self.identity) if part is not None)


class _Block(msgspec.Struct, forbid_unknown_fields=True):
    rule: str
    identity: str
    scenario: str | None = None
    sentence: str = ""


class _Baseline(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    accepted: list[_Block] = []


def violations_of(result: RunResult) -> tuple[Known, ...]:
    """Return every violation in a result once, in a stable order."""
    found: dict[tuple[str, str, str], Known] = {}
    for scenario, finding in findings_by_scenario(result):
        if is_wrong(finding):
            sentence = short(printable(finding.actual), SENTENCE_MAX)
            key = (scenario or "", finding.id, finding.identity or "")
            found.setdefault(key, Known(finding.id, finding.identity, scenario, sentence))
    return tuple(found[key] for key in sorted(found))


def to_baseline(known: Iterable[Known]) -> bytes:
    """Return the baseline that accepts these violations, each of which has an identity."""
    blocks = [_HEADING + f"\nformat = {BASELINE_FORMAT}\n"]
    for one in known:
        values = {"scenario": one.scenario, "rule": one.id, "identity": one.identity, "sentence": one.sentence}
        lines = [f"{key} = {_quoted(value)}\n" for key, value in values.items() if value is not None]
        blocks.append("".join(["[[accepted]]\n", *lines]))
    return "\n".join(blocks).encode()


def _quoted(text: str) -> str:
    # A string of JSON is one of TOML, but for a character that JSON need not escape.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_baseline(path: Path) -> tuple[Known, ...]:
    """Return the violations that a baseline accepts. Raise `InvalidInputError` if the file is none."""
    content = read_whole(path)
    if content.lstrip().startswith(b"{"):
        raise InvalidInputError(
            f"{path}: a report, allowed: the baseline that `mockcampaign baseline write {path} -o FILE` makes of it"
        )
    try:
        read = msgspec.convert(tomllib.loads(content.decode()), _Baseline)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        why = short(printable(str(error)), 200)
        allowed = "allowed: a file that `mockcampaign baseline write` wrote"
        raise InvalidInputError(f"{path}: no baseline: {why}, {allowed}") from None
    if read.format != BASELINE_FORMAT:
        raise InvalidInputError(f"{path}: a baseline of format {read.format}, allowed: format {BASELINE_FORMAT}")
    return tuple(Known(one.rule, one.identity, one.scenario, one.sentence) for one in read.accepted)


def of_scenario(known: Iterable[Known], name: str, file: str) -> tuple[Known, ...]:
    """Return what a baseline accepts in a scenario."""
    return tuple(one for one in known if one.scenario in (name, name_with_file(name, file)))


def of_check(known: Iterable[Known]) -> tuple[Known, ...]:
    """Return what a baseline accepts in a check, whose rules belong to no scenario."""
    return tuple(one for one in known if one.scenario is None)


def marked(finding: Finding, known: Iterable[Known]) -> Finding:
    """Return the finding, marked as known if it is a violation that the baseline accepts."""
    is_known = is_wrong(finding) and any(one.matches(finding) for one in known)
    return msgspec.structs.replace(finding, known=is_known)


def with_gone(result: RunResult, known: Iterable[Known]) -> RunResult:
    """Return the result of a run with the known violations that no longer occur in any scenario they belong to.

    Scenarios that were not played to their end show nothing of the kind.
    """
    fixed: list[str] = []
    for one in known:
        played = [scenario for scenario in result.scenarios if of_scenario([one], scenario.name, scenario.file)]
        if played and all(scenario.trouble is None and _is_gone(one, scenario) for scenario in played):
            fixed.append(one.describe())
    return msgspec.structs.replace(result, gone=tuple(fixed))


def _is_gone(one: Known, scenario: ScenarioResult) -> bool:
    findings = [*scenario.rules, *scenario.expectations]
    return bool(gone([one], findings, {finding.id for finding in findings}))


def gone(known: Iterable[Known], findings: Sequence[Finding], rules: Collection[str]) -> tuple[str, ...]:
    """Return the known violations that no longer occur although their rule was exercised, or is none of the `rules`."""
    exercised = {finding.id for finding in findings if finding.outcome in ("pass", "fail", "warn")}
    unexercised = {*rules} - exercised
    wrong = [finding for finding in findings if is_wrong(finding)]
    return tuple(
        one.describe()
        for one in known
        if one.id not in unexercised and not any(one.matches(finding) for finding in wrong)
    )
