"""What a played plan came to: its expectations and the general rules, judged from the journal alone."""

from __future__ import annotations

from collections.abc import Sequence

from mockcampaign.engine.journal import Entry, Probed, StepReached, WebhookChanged
from mockcampaign.judging.difference import compare
from mockcampaign.judging.evidence import nothing_shown
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import tally
from mockcampaign.scenario.delivery_checks import CHECKS, Judged, verdict
from mockcampaign.scenario.expected_text import described
from mockcampaign.scenario.language.values import fits
from mockcampaign.scenario.plan import EMITTING, Expect, Expectation, Plan, WaitUntil
from mockcampaign.text import counted

PROCESSED_REQUIREMENTS = {
    "exactly-once": "What is answered with 200 never comes again, and a list that is not comes again whole: a consumer "
    "must keep every event it acknowledges, and keep it once (vendor's webhook guide).",
    "at-least-once": "What is answered with 200 never comes again: a consumer must keep every event it acknowledges "
    "(vendor's webhook guide).",
}


def judge(plan: Plan, entries: Sequence[Entry]) -> tuple[list[Finding], list[Finding]]:
    """The findings of the rules, and those of the expectations."""
    rules = [rule.judge(entries) for rule in JOURNAL_RULES]
    marks = {entry.index: position for position, entry in enumerate(entries) if isinstance(entry, StepReached)}
    findings = []
    for index, step in enumerate(plan.steps):
        seen = None
        if index in marks:
            # What is expected was to hold before its step; what is waited for, before the step after it.
            end = marks[index] if isinstance(step.action, Expect) else marks.get(index + 1, len(entries))
            seen = entries[:end]
        judged_at = index + isinstance(step.action, WaitUntil)
        now = entries[min(marks.get(judged_at, len(entries)), len(entries) - 1)].at
        findings += [finding(plan, expectation, seen, now) for expectation in step.expectations]
    return rules, findings


def finding(plan: Plan, expectation: Expectation, entries: Sequence[Entry] | None, now: int) -> Finding:
    """What became of one expectation at the moment `now`; without entries, its step was not reached."""
    if expectation.subject == "consumer":
        requirement = PROCESSED_REQUIREMENTS.get(str(expectation.wanted), PROCESSED_REQUIREMENTS["at-least-once"])
    else:
        requirement = CHECKS[expectation.field].requirement
    judged: Judged = ("not-exercised", "the run ended before this step", ())
    if entries is not None and expectation.subject == "consumer":
        judged = _judge_consumer(expectation, entries)
    elif entries is not None:
        webhook_id = plan.webhook_ids[expectation.subject]
        judged = CHECKS[expectation.field].judge(entries, webhook_id, now, expectation.wanted)
    outcome, actual, evidence = judged
    name = f"{expectation.subject}.{expectation.field}"
    wanted = described(expectation.wanted)
    if expectation.by is not None:
        wanted += f", by {', '.join(expectation.by)}"
    return Finding(
        id=name,
        title=f"{name}: {wanted}",
        level="must",
        outcome=outcome,
        requirement=requirement,
        expected=wanted,
        actual=actual,
        evidence=evidence,
        place=expectation.place,
    )


def scenario_shows_nothing(plan: Plan, entries: Sequence[Entry], idle: bool) -> str | None:
    """Why a run without a violation is still no success: it showed nothing. None where it showed something, or what is
    expected says that nothing should be delivered."""
    why = nothing_shown(entries)
    # What was expected before the last events happened says nothing about these.
    last = max((index for index, step in enumerate(plan.steps) if isinstance(step.action, EMITTING)), default=0)
    expected = [expectation for step in plan.steps[last:] for expectation in step.expectations]
    webhook_ids = {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}
    account = tally(entries, webhook_ids)
    if account.accepted and not idle and not any(expectation.field == "pending" for expectation in expected):
        were = "was" if len(account.pending) == 1 else "were"
        return (
            f"{counted(len(account.pending), 'event')} {were} still due at the end: add `run: until-idle`, or expect "
            "them as pending"
        )
    if why is None or any(_means_nothing_delivered(expectation) for expectation in expected):
        return None
    return f"{why}; expect `delivered: 0` if that is meant"


def _means_nothing_delivered(expectation: Expectation) -> bool:
    """Whether it could not be met if everything were delivered. `pending: 0` can: who expects it wants nothing lost."""
    wanted = expectation.wanted
    match expectation.field:
        case "verified":
            return True  # what is sent to verify a webhook is no event
        case "pending" | "discarded":
            return not fits(0, wanted)
        case "delivered" | "attempts" | "processed":
            return not isinstance(wanted, str) and fits(0, wanted) and not fits(1, wanted)
        case _:
            return False


def _judge_consumer(expectation: Expectation, entries: Sequence[Entry]) -> Judged:
    probes = [(position, entry) for position, entry in enumerate(entries) if isinstance(entry, Probed)]
    position, probed = probes[-1]
    events = None if probed.events is None else [bytes(event) for event in probed.events]
    if not isinstance(expectation.wanted, str):
        return verdict(fits(probed.count, expectation.wanted)), str(probed.count), (position,)
    webhook_ids = {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}
    account = tally(entries, webhook_ids)
    assert events is not None, "load refuses this"
    difference = compare(entries, account, events, expectation.by)
    wrong = bool(difference.missing or difference.altered)
    if expectation.wanted == "exactly-once":
        wrong = bool(difference)
    summary = difference.describe() if wrong else _all_delivered(len(account.delivered))
    return verdict(not wrong), summary, (*account.evidence, position)


def _all_delivered(number: int) -> str:
    return f"all {number} delivered events" if number > 1 else counted(number, "delivered event")
