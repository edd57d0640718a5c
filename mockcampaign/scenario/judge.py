"""Judges a played plan, its expectations and the general rules, from the journal alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

import msgspec

from mockcampaign.engine.journal import Attempted, Entry, Probed, StepReached, WebhookChanged
from mockcampaign.judging.diagnosis import fields_not_stored
from mockcampaign.judging.difference import compare, unrecognised
from mockcampaign.judging.evidence import nothing_shown
from mockcampaign.judging.fact import StoreDiffers
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.judging.responses.rejections import is_misdirected
from mockcampaign.model import NoAuthentication
from mockcampaign.report import sentences
from mockcampaign.report.advice import of_fields_not_stored, of_rule, of_stored
from mockcampaign.scenario.expectations.claims import Judged, judge_api, judge_claim, verdict
from mockcampaign.scenario.expectations.expected_text import describe_claim
from mockcampaign.scenario.language.expect import (
    AnyAttempt,
    ApiExpectation,
    AttemptCount,
    BatchEvents,
    Claim,
    ConsumerExpectation,
    DeliveredCount,
    DeliveredInOrder,
    DeliveredWithin,
    DiscardedCount,
    EveryAttempt,
    LatestAttempt,
    Outcomes,
    PendingCount,
    RecoveredWithin,
    VerifiedAs,
)
from mockcampaign.scenario.language.plain_values import fits
from mockcampaign.scenario.language.steps import DESPITE_REJECTIONS, AdvanceStep, RunStep, VerifyStep
from mockcampaign.scenario.plan import (
    EMITTING,
    ApiExpected,
    ConsumerExpected,
    Expect,
    Expectation,
    Plan,
    WaitUntil,
    WebhookExpected,
)
from mockcampaign.shape.shape import Shape
from mockcampaign.text import counted


def judge(plan: Plan, entries: Sequence[Entry]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings of the general rules, and those of the expectations."""
    rules = [rule.judge(entries, sentences.actual) for rule in JOURNAL_RULES]
    marks = {entry.index: position for position, entry in enumerate(entries) if isinstance(entry, StepReached)}
    ledger, findings = Ledger(), []
    for index, step in enumerate(plan.steps):
        is_reached = index in marks
        if is_reached:
            # `expect` is about the time before its step; `wait` is about the time before the next step.
            end = marks[index] if isinstance(step.action, Expect) else marks.get(index + 1, len(entries))
            for position in range(ledger.next_position, end):
                ledger.note(position, entries[position])
        judged_at = index + isinstance(step.action, WaitUntil)
        now = entries[min(marks.get(judged_at, len(entries)), len(entries) - 1)].at
        seen = ledger if is_reached else None
        findings += [
            finding(expectation, seen, now, webhook_ids=plan.webhook_ids, shapes=plan.known_shapes)
            for expectation in step.expectations
        ]
    mistake = own_mistake(plan, entries)
    if mistake is not None:
        # The scenario or its URL is wrong, which is no failure of the consumer.
        findings = [
            msgspec.structs.replace(one, outcome="not-exercised", actual=mistake, identity=None, fix=None)
            if one.outcome == "fail"
            else one
            for one in findings
        ]
    elif any(one.outcome == "fail" for one in findings) and (rule := generated_for(plan.name)) is not None:
        findings = [
            msgspec.structs.replace(one, fix=of_rule(rule)) if one.outcome == "fail" else one for one in findings
        ]
    return rules, findings


def generated_for(name: str) -> str | None:
    """Return the id of the rule that a scenario of this name was generated for by a check, or None."""
    # Imported here because few runs fail, and the catalogue consists of all rules.
    from mockcampaign.check.rules import CATALOGUE

    before, colon, title = name.partition(": ")
    return next((rule.id for rule in CATALOGUE if colon and (rule.id, rule.title) == (before, title)), None)


def finding(
    expectation: Expectation,
    ledger: Ledger | None,
    now: int,
    *,
    webhook_ids: Mapping[str, int],
    shapes: tuple[Shape, ...],
) -> Finding:
    """Judge one expectation by the ledger at the moment `now`. Without a ledger, its step was not reached.

    `webhook_ids` are the ids of webhooks by name, and `shapes` those of the events.
    """
    outcome, actual, evidence = _judge(expectation, ledger, now, webhook_ids, shapes)
    wanted = describe_claim(expectation.claim)
    differs = _differs(expectation.claim, ledger, shapes) if outcome == "fail" and ledger is not None else None
    return Finding(
        id=expectation.name,
        title=f"{expectation.name}: {wanted}",
        level="must",
        outcome=outcome,
        requirement=expectation.claim.requirement,
        expected=wanted,
        actual=actual,
        identity=_identity(wanted, differs) if outcome == "fail" else None,
        fix=None if differs is None else of_stored(differs),
        evidence=evidence,
        place=expectation.place,
    )


def _differs(claim: Claim, ledger: Ledger, shapes: tuple[Shape, ...]) -> StoreDiffers | None:
    """Return how the stored events differ, if the claim is about them and not about their number."""
    events = None if ledger.probed is None else ledger.probed[1].events
    if not isinstance(claim, ConsumerExpectation) or not isinstance(claim.processed, str) or events is None:
        return None
    return compare(ledger, [bytes(event) for event in events], claim.fields, shapes).seen()


def _identity(wanted: str, differs: StoreDiffers | None) -> str:
    """Return the identity of a failed expectation: what was expected, and in which way the stored events differ.

    It contains no place, so that a scenario may be edited around it, and no numbers that were seen.
    """
    return wanted if differs is None else f"{wanted}: {differs.identity}"


def _judge(
    expectation: Expectation,
    ledger: Ledger | None,
    now: int,
    webhook_ids: Mapping[str, int],
    shapes: tuple[Shape, ...],
) -> Judged:
    if ledger is None:
        return "not-exercised", "the run ended before this step", ()
    match expectation:
        case WebhookExpected(webhook=name, claim=claim):
            return judge_claim(claim, ledger, webhook_ids[name], now)
        case ConsumerExpected(claim=claim):
            if ledger.probed is None:  # the player probes before it expects, so the journal is of another scenario
                return "not-exercised", "the journal contains no probe before this step", ()
            return judge_consumer(claim, ledger, *ledger.probed, shapes)
        case ApiExpected(claim=claim):
            return judge_api(claim, ledger)
        case _:
            assert_never(expectation)


def own_mistake(plan: Plan, entries: Sequence[Entry]) -> str | None:
    """Return why a scenario with events shows nothing of its consumer although it fails, or None.

    Either no step lets time pass, or each attempt was rejected for its path or credentials, which nobody expects.
    """
    attempts = [entry for entry in entries if isinstance(entry, Attempted)]
    if attempts:
        with_credentials = {
            entry.webhook_id
            for entry in entries
            if isinstance(entry, WebhookChanged) and entry.authentication != NoAuthentication.__struct_config__.tag
        }
        if expects_rejections(plan) or any(
            entry.faults or not is_misdirected(entry.outcome, has_credentials=entry.webhook_id in with_credentials)
            for entry in attempts
        ):
            return None
        if any(isinstance(entry, Probed) and entry.count for entry in entries):
            return None  # the consumer has the events, so it has the path
        return (
            f"the consumer {attempts[-1].outcome.describe()} to every attempt: most likely the path or the credentials "
            "are wrong"
        )
    emits = any(isinstance(step.action, EMITTING) and not isinstance(step.action, VerifyStep) for step in plan.steps)
    passes = any(isinstance(step.action, AdvanceStep | RunStep | WaitUntil) for step in plan.steps)
    if not emits or passes:
        return None
    return "nothing was sent, because no step lets time pass: add `run: until-idle` after the events"


def scenario_shows_nothing(plan: Plan, entries: Sequence[Entry], idle: bool) -> str | None:
    """Return why a run without violations is inconclusive: it delivered nothing, or not everything.

    Return None if it delivered events, or if the scenario expects that it delivers none.
    """
    mistake = own_mistake(plan, entries)
    if mistake is not None and not any(_means_nothing_delivered(one.claim) for one in plan.expectations):
        return mistake
    ledger = Ledger.of(entries)
    why, pending = nothing_shown(ledger), ledger.deliveries.pending
    # Expectations before the last events do not apply to these.
    last = max((index for index, step in enumerate(plan.steps) if isinstance(step.action, EMITTING)), default=0)
    expected = [expectation for step in plan.steps[last:] for expectation in step.expectations]
    is_exported = any(account.accepted for account in ledger.accounts.values())
    if is_exported and not idle and not any(isinstance(one.claim, PendingCount) for one in expected):
        were = "was" if pending == 1 else "were"
        return (
            f"{counted(pending, 'event')} {were} still due at the end: add `run: until-idle`, or expect them as pending"
        )
    return None if why is None else _unless_meant(why, expected)


def expectations_show_nothing(
    expectations: Sequence[Expectation], found: Sequence[Finding], ledger: Ledger
) -> str | None:
    """Return why expectations by themselves are inconclusive: they judge stored events, and none was delivered."""
    why = nothing_shown(ledger)
    if why is None or all(one.outcome != "not-exercised" for one in found):
        return None
    return _unless_meant(why, expectations)


def _unless_meant(why: str, expectations: Sequence[Expectation]) -> str | None:
    """Return why nothing was delivered, or None if the expectations say that nothing is."""
    if any(_means_nothing_delivered(one.claim) for one in expectations):
        return None
    return f"{why}; expect `delivered: 0` if that is meant"


def expects_rejections(plan: Plan) -> bool:
    """Return whether the scenario says that the consumer may accept nothing: by policy, step or expectation."""
    if any(isinstance(step.action, RunStep) and step.action.until == DESPITE_REJECTIONS for step in plan.steps):
        return True
    policy = plan.scenario.policy.policy()
    if policy.simulate_after or policy.suspend_after:
        return True
    return any(
        _means_nothing_delivered(one.claim) for one in plan.expectations if not isinstance(one.claim, VerifiedAs)
    )


def _means_nothing_delivered(claim: Claim) -> bool:
    """Return whether the claim is false when every event is delivered (`pending: 0` is true then)."""
    match claim:
        case VerifiedAs():
            return True  # sample events of a verification are never delivered
        case PendingCount(wanted=wanted) | DiscardedCount(wanted=wanted):
            return not fits(0, wanted)
        case DeliveredCount(wanted=wanted) | AttemptCount(wanted=wanted):
            return fits(0, wanted) and not fits(1, wanted)
        case ConsumerExpectation(processed=processed):
            return not isinstance(processed, str) and fits(0, processed) and not fits(1, processed)
        case (
            BatchEvents()
            | DeliveredInOrder()
            | Outcomes()
            | LatestAttempt()
            | AnyAttempt()
            | EveryAttempt()
            | DeliveredWithin()
            | RecoveredWithin()
            | ApiExpectation()
        ):
            return False
        case _:
            assert_never(claim)


def judge_consumer(
    claim: ConsumerExpectation, ledger: Ledger, position: int, probed: Probed, shapes: tuple[Shape, ...]
) -> Judged:
    """Judge a claim about the stored events by a probe, which is or will be at this position of the journal.

    `shapes` are those of the events.
    """
    events = None if probed.events is None else [bytes(event) for event in probed.events]
    if not isinstance(claim.processed, str):
        return verdict(fits(probed.count, claim.processed)), str(probed.count), (position,)
    if events is None:  # `load` rejects this, so the journal is of another scenario
        return "not-exercised", "the probe in the journal reports no events, only their number", (position,)
    difference = compare(ledger, events, claim.fields, shapes)
    wrong = bool(difference.missing or difference.altered)
    if claim.processed == "exactly-once":
        wrong = bool(difference)
    if not wrong and not ledger.deliveries.delivered:
        return "not-exercised", "no event was delivered", (*ledger.evidence(), position)
    summary = sentences.difference_of(difference.seen()) if wrong else _all_delivered(ledger.deliveries.delivered)
    if wrong and difference.altered and claim.fields is None:
        summary += of_fields_not_stored(fields_not_stored(ledger, events), _compared_by)
    return verdict(not wrong), summary, (*ledger.evidence(), position)


def unrecognised_for(
    claim: ConsumerExpectation,
    ledger: Ledger,
    probed: Probed,
    shapes: tuple[Shape, ...],
    how: Callable[[str, str], str],
) -> str | None:
    """Return why the stored events cannot be compared with the delivered ones as the claim says, or None.

    `how` says how to select or rename them.
    """
    if not isinstance(claim.processed, str) or probed.events is None:
        return None
    return unrecognised(ledger, [bytes(event) for event in probed.events], claim.fields, shapes, how)


def _compared_by(fields: Sequence[str]) -> str:
    return f"compare only these with fields: [{', '.join(fields)}]"


def _all_delivered(number: int) -> str:
    return f"all {number} delivered events" if number > 1 else counted(number, "delivered event")
