"""Combining the examinations of a check into one result."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mockcampaign.check.examiner import Examination
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.check.settings import Settings
from mockcampaign.judging.earlier.baseline import gone, marked
from mockcampaign.judging.fact import AttemptsEnded, Confirmation, Confirmed, NoVerdict, Rejected, Response
from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.judging.journal_rules import JOURNAL_RULES, JournalRule
from mockcampaign.judging.ledger import NO_DELIVERIES, DeliveryCounts
from mockcampaign.judging.verdict import (
    FORMAT,
    WORST,
    Note,
    RunResult,
    ScenarioResult,
    Scope,
    SweepSummary,
    run_result,
    scenario_result,
)
from mockcampaign.masking import shown_url
from mockcampaign.report import sentences
from mockcampaign.report.advice import advice

REDELIVERY_FAMILY = "redelivery"


def check_result(
    examinations: list[Examination],
    url: str,
    settings: Settings,
    sweep: SweepSummary | None = None,
) -> RunResult:
    """Return the result of a check, with the summary of its sweep if there was one."""
    findings = {examination.rule.id: examination.finding for examination in examinations}
    # Rules that were not selected are not judged.
    judging = [rule for rule in JOURNAL_RULES if rule.id in findings]
    scenarios = [
        _scenario(part, url, settings, name, judging)
        for examination in examinations
        for name, part in (("", examination), *examination.varied)
        if part.entries
    ]
    for scenario in scenarios:
        examined, *others = scenario.rules
        for seen in others:
            known = findings[seen.id]
            if seen.outcome in ("fail", "warn") and WORST.index(seen.outcome) < WORST.index(known.outcome):
                findings[seen.id] = msgspec.structs.replace(
                    known,
                    known=seen.known,
                    outcome=seen.outcome,
                    facts=seen.facts,
                    identity=seen.identity,
                    actual=seen.actual,
                    scenario=scenario.name,
                    evidence=seen.evidence,
                    fix=advice(seen.id, _FIXES[seen.id], seen.facts),
                    reproduce=examined.reproduce or _shown_by(examined.id),
                )
    rules = list(findings.values())
    whole = (
        run_result(scenarios)
        if scenarios
        else RunResult(
            format=FORMAT,
            compliant=False,
            target=shown_url(url),
            seed=settings.seed,
            rules=[],
            deliveries=NO_DELIVERIES,
            scenarios=[],
        )
    )
    deliveries = sum((part.other_deliveries for part in _parts(examinations)), whole.deliveries)
    trouble = _trouble(rules, deliveries, settings)
    return msgspec.structs.replace(
        whole,
        compliant=whole.compliant and trouble is None,
        deliveries=deliveries,
        rules=rules,
        seed=settings.seed,
        headline=sentences.headline(rules),
        sweep=sweep,
        gone=gone(settings.known, rules, [rule.id for rule in CATALOGUE]),
        trouble=None if trouble is None else sentences.actual([trouble]),
        notes=_notes(rules, settings),
        scope=_scope(settings),
    )


def _scope(settings: Settings) -> Scope:
    names = settings.shape.top_names
    compared = {*settings.probe_fields} & {*names} if settings.probe_fields else names
    return Scope(event_type=settings.shape.event_type.value, fields=len(names), fields_compared=len(compared))


def _notes(rules: list[Finding], settings: Settings) -> tuple[Note, ...]:
    """Return what the rules that passed do not show."""
    passed = [one for one in rules if one.outcome == "pass"]
    notes: list[Note] = []
    if any(one.family == REDELIVERY_FAMILY for one in passed):
        # Without a clock file, only the sender's time is virtual. With one, nothing shows that the consumer reads it.
        notes.append("clock-assumed" if settings.leads_clock else "memory")
    confirmed = [fact.what for one in passed for fact in one.facts if isinstance(fact, Confirmed)]
    if Confirmation.FAULT_NOT_NOTICED in confirmed:
        notes.append("fault-not-noticed")
    return tuple(notes)


def _parts(examinations: list[Examination]) -> Iterator[Examination]:
    """Yield the examinations, each followed by those of the same rule under variations of the sender."""
    for examination in examinations:
        yield examination
        yield from (varied for _, varied in examination.varied)


_FIXES = {rule.id: rule.fix for rule in CATALOGUE}


def _shown_by(rule_id: str) -> Reproduce:
    """Return how to reproduce a violation that was seen while another rule was examined, which passed."""
    why = f"It was seen while {rule_id} was examined: run `mockcampaign check` with --rules {rule_id}."
    return Reproduce(without_curl=why, without_scenario=why)


def _trouble(rules: list[Finding], deliveries: DeliveryCounts, settings: Settings) -> NoVerdict | None:
    """Return why the check is no success although nothing is violated, or None."""
    outcomes = {finding.outcome for finding in rules}
    if not outcomes & {"pass", "fail", "warn"}:
        rejected = [fact for finding in rules for fact in finding.facts if isinstance(fact, Rejected)]
        statuses = {reply.status for fact in rejected for reply in fact.response.replies}
        return NoVerdict(why="nothing-examined", status=statuses.pop() if len(statuses) == 1 else None)
    inconclusive = [finding.id for finding in rules if finding.outcome == "could-not-tell"]
    if inconclusive:
        return NoVerdict(why="inconclusive", count=len(inconclusive), first=inconclusive[0])
    skipped = [finding.id for finding in rules if finding.level == "must" and finding.outcome == "not-exercised"]
    if settings.strict and skipped:
        return NoVerdict(why="must-skipped", count=len(skipped), first=skipped[0])
    if not deliveries.delivered and "fail" not in outcomes:
        return NoVerdict(why="nothing-delivered")
    return None


def _scenario(
    examination: Examination, url: str, settings: Settings, varied: str, judging: list[JournalRule]
) -> ScenarioResult:
    assert examination.entries is not None
    finding = examination.finding
    # A consumer that does not respond while the check kills it, or breaks what it needs, violates nothing.
    judging = [] if {"restart command", "break command"} & {*examination.rule.needs} else judging
    seen = [
        marked(_with_event(rule.judge(examination.entries, sentences.actual), examination), settings.known)
        for rule in judging
        if rule.id != finding.id
    ]
    return scenario_result(
        name=f"{finding.id}, {varied}" if varied else finding.id,
        file="",
        target=url,
        trouble=finding.reason if finding.outcome == "could-not-tell" else None,
        webhooks=examination.webhooks,
        rules=[finding, *seen],
        expectations=[],
        journal=examination.entries,
        strict=settings.strict,
    )


def _with_event(finding: Finding, examination: Examination) -> Finding:
    """Return the finding with the event or batch to which there was no response, if the rule knows what it sent."""
    stimulus = next((examination.stimuli[at] for at in finding.evidence if at in examination.stimuli), None)
    ended = [fact for fact in finding.facts if isinstance(fact, AttemptsEnded)]
    if stimulus is None or not ended:
        return finding
    facts = (Response(to=stimulus, replies=(ended[0].reply,)),)
    return msgspec.structs.replace(finding, facts=facts, actual=sentences.actual(facts))
