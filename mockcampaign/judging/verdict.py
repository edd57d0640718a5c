"""The result of runs as one value, which is the JSON report; every other report is a view of it.

This is a published format: `FORMAT` counts its versions, and fields are only ever added within one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from mockcampaign.engine.journal import Attempted, Began, Entry
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.ledger import NO_DELIVERIES, CallCount, DeliveryCounts, Ledger
from mockcampaign.masking import shown_url
from mockcampaign.tables import complete

FORMAT = 1
"""Version of the JSON report."""

Verdict = Literal["compliant", "violated", "could-not-tell"]

EXIT_STATUSES: Mapping[Verdict, int] = complete(
    "the exit status of each verdict", get_args(Verdict), {"compliant": 0, "violated": 1, "could-not-tell": 3}
)

ShownVerdict = Literal[Verdict, "skipped"]

Note = Literal["memory", "clock-assumed", "fault-not-noticed"]
"""A limit of a whole check: deduplication memory was examined for no longer than the check took in wall time, or for
longer only if the consumer really follows the clock file, or the command that should break what the consumer needs
changed none of its responses."""

Shown = Literal[Judgement, "known"]

WORST: tuple[Shown, ...] = ("fail", "could-not-tell", "warn", "known", "pass", "not-exercised")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a journal, with its position."""

    position: int
    entry: Entry


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one scenario that was played."""

    name: str
    file: str
    verdict: Verdict
    compliant: bool
    trouble: str | None
    """Why there is no verdict; None if there is one."""
    target: str
    seed: int
    versions: dict[str, str]
    virtual_milliseconds: int
    webhooks: dict[str, int]
    """Ids of the webhooks, by name."""
    rules: list[Finding]
    expectations: list[Finding]
    deliveries: DeliveryCounts
    journal: list[Entry]
    """Everything that happened; findings refer to its positions. Empty in a JSON report without --full-journal."""
    evidence: tuple[Evidence, ...] = ()
    """The entries that show violations, in a JSON report without the journal."""
    strict: bool = False
    """Whether a failed "should" rule counts as a violation."""
    calls: tuple[CallCount, ...] = ()
    """Numbers of calls of the REST API, by operation and status."""


class Dependence(msgspec.Struct, frozen=True, kw_only=True):
    """A rule whose outcome depends on an assumption about the sender."""

    rule_id: str
    outcome: Judgement
    variation: str


class SweepSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of a sweep, which examines rules again under variations of the sender."""

    examinations: int = 0
    """Number of conclusive examinations, each of one rule under one variation."""
    inconclusive: int = 0
    """Number of inconclusive examinations."""
    variations: int = 0
    """Number of variations under which rules were examined."""
    depending: tuple[Dependence, ...] = ()
    missed: int
    """Number of variations that were not tried: the budget was spent, the consumer was gone, or the check was
    interrupted."""
    milliseconds: int = 0
    """Wall time of the sweep, in milliseconds."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The events and fields of a check. Rules about others may be violated all the same."""

    event_type: str
    """Type of the events of the webhook under test."""
    fields: int
    """Number of their fields, without those within others."""
    fields_compared: int
    """Number of these that stored events were compared by, where there is a probe."""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run: all of its scenarios, and the verdict."""

    format: int
    compliant: bool
    target: str
    seed: int | None
    """The seed of all scenarios; None if they have different ones."""
    rules: list[Finding]
    """The worst finding of each rule; its evidence refers to the journal of the scenario that `actual` names."""
    deliveries: DeliveryCounts
    """Numbers of everything that was sent, including random histories of a check, whose journals are not kept."""
    scenarios: list[ScenarioResult]
    headline: str | None = None
    """The result of a compliance check in one sentence; None for runs of scenarios."""
    trouble: str | None = None
    """Why the run is no success although nothing is violated."""
    gone: tuple[str, ...] = ()
    """Findings that a baseline accepts, and that no longer occur."""
    sweep: SweepSummary | None = None
    """Summary of a sweep, if there was one."""
    notes: tuple[Note, ...] = ()
    """Limits of the whole check, which a pass does not exclude."""
    scope: Scope | None = None
    """The events and fields of a check; None for runs of scenarios."""


def scenario_result(
    *,
    name: str,
    file: str,
    target: str,
    trouble: str | None,
    webhooks: dict[str, int],
    rules: list[Finding],
    expectations: list[Finding],
    journal: list[Entry],
    strict: bool,
) -> ScenarioResult:
    """Return the result of one scenario; the verdict follows from the findings and the trouble."""
    began = journal[0]
    assert isinstance(began, Began)
    ledger = Ledger.of(journal)
    verdict = verdict_on([*rules, *expectations], trouble, strict=strict)
    return ScenarioResult(
        name=name,
        file=file,
        verdict=verdict,
        compliant=verdict == "compliant",
        trouble=trouble,
        target=shown_url(target),
        seed=began.seed,
        versions=began.versions,
        virtual_milliseconds=max(map(_last_at, journal)) - began.at,
        webhooks=webhooks,
        rules=rules,
        expectations=expectations,
        deliveries=ledger.deliveries,
        journal=journal,
        strict=strict,
        calls=tuple(ledger.totals.calls),
    )


def _last_at(entry: Entry) -> int:
    return entry.last_at if isinstance(entry, Attempted) else entry.at


def verdict_on(findings: Sequence[Finding], trouble: str | None, *, strict: bool) -> Verdict:
    """Return the verdict of findings; `trouble` says why nothing would be proven without a violation."""
    if any(is_violation(finding, strict=strict) for finding in findings):
        return "violated"
    if trouble is not None or any(finding.outcome == "could-not-tell" for finding in findings):
        return "could-not-tell"
    return "compliant"


def violates(finding: Finding, scenario: ScenarioResult) -> bool:
    """Return whether the finding makes the verdict of its scenario `violated`."""
    return is_violation(finding, strict=scenario.strict)


def shown_as(finding: Finding) -> Shown:
    """Return the outcome that reports show: `known` if a baseline accepts the finding."""
    return "known" if finding.known else finding.outcome


def verdict_shown(scenario: ScenarioResult) -> ShownVerdict:
    """Return the verdict that reports show: `skipped` for the scenario of a rule that was skipped, which shows nothing.

    Such a scenario is named after its rule, and perhaps a variation of the sender.
    """
    examined = scenario.name.partition(",")[0]
    skipped = any(finding.id == examined and finding.outcome == "not-exercised" for finding in scenario.rules)
    return "skipped" if skipped and scenario.verdict == "compliant" else scenario.verdict


def is_violation(finding: Finding, *, strict: bool = False) -> bool:
    """Return whether the finding is a violation that counts: not known, and a hazard only with `strict`."""
    return not finding.known and (finding.outcome == "fail" or (strict and finding.outcome == "warn"))


def rank(finding: Finding, *, strict: bool = False) -> int:
    """Return the place of a finding in any report: first violations, inconclusive ones, hazards, last the skipped."""
    return 0 if is_violation(finding, strict=strict) else WORST.index(shown_as(finding))


def worst_first(findings: Iterable[Finding], *, strict: bool = False) -> list[Finding]:
    """Return the findings in the order in which every report shows them; those of one rank stay in their order."""
    return sorted(findings, key=lambda finding: rank(finding, strict=strict))


def is_strict(result: RunResult) -> bool:
    """Return whether hazards of a run count as violations."""
    return any(scenario.strict for scenario in result.scenarios)


def run_result(scenarios: Sequence[ScenarioResult]) -> RunResult:
    """Return the result of a run of at least one scenario."""
    seeds = {scenario.seed for scenario in scenarios}
    worst: dict[str, Finding] = {}
    for scenario in scenarios:
        for finding in scenario.rules:
            known = worst.get(finding.id)
            if known is None or rank(finding) < rank(known):
                worst[finding.id] = msgspec.structs.replace(finding, scenario=scenario.name)
    return RunResult(
        format=FORMAT,
        compliant=all(scenario.compliant for scenario in scenarios),
        target=", ".join(dict.fromkeys(scenario.target for scenario in scenarios)),
        seed=seeds.pop() if len(seeds) == 1 else None,
        rules=list(worst.values()),
        deliveries=sum((scenario.deliveries for scenario in scenarios), NO_DELIVERIES),
        scenarios=list(scenarios),
    )


def verdict_of(result: RunResult) -> Verdict:
    """Return the worst verdict of a run; a proven violation outweighs an inconclusive result."""
    verdicts: set[Verdict] = {scenario.verdict for scenario in result.scenarios}
    if result.trouble is not None:
        verdicts.add("could-not-tell")
    return "violated" if "violated" in verdicts else "could-not-tell" if "could-not-tell" in verdicts else "compliant"


def exit_status(result: RunResult) -> int:
    """Return the exit status: 0 compliant, 1 violated, 3 inconclusive."""
    return EXIT_STATUSES[verdict_of(result)]
