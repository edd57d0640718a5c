"""What a played plan came to: its expectations and the general rules, judged from the journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockcampaign.compliance.processed import compare
from mockcampaign.compliance.rules import RULES, Finding, Judgement
from mockcampaign.compliance.tally import Tally, tally
from mockcampaign.engine.journal import Entry, Happened, Probed, StepReached, WebhookChanged
from mockcampaign.scenario.language import Bounds
from mockcampaign.scenario.load import Expectation, Plan

EMITTING = ("emit", "mailing")

WEBHOOK_REQUIREMENTS = {
    "delivered": "An event is delivered once the consumer has answered its list with 200 (vendor's webhook guide).",
    "discarded": "What is not delivered within three days of its creation is discarded (vendor's webhook guide).",
    "pending": "What is not answered with 200 is sent again every 10 seconds (vendor's webhook guide).",
    "attempts": "A failed export is retried every 10 seconds until it succeeds or expires (vendor's webhook guide).",
    "batch_events": "Events come as lists of at most 100 (vendor's webhook guide).",
}
PROCESSED_REQUIREMENTS = {
    "exactly-once": "What is answered with 200 never comes again, and a list that is not comes again whole: a consumer "
    "must keep every event it acknowledges, and keep it once (vendor's webhook guide).",
    "at-least-once": "What is answered with 200 never comes again: a consumer must keep every event it acknowledges "
    "(vendor's webhook guide).",
}


def judge(plan: Plan, entries: Sequence[Entry]) -> tuple[list[Finding], list[Finding]]:
    """The findings of the rules, and those of the expectations."""
    rules = [rule.judge(entries) for rule in RULES]
    return rules, [finding for step in _reached(plan, entries) for finding in step]


def nothing_shown(plan: Plan, entries: Sequence[Entry], idle: bool) -> str | None:
    """Why a run without a violation is still no success: it showed nothing. None where it showed something."""
    webhook_ids = {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}
    account = tally(entries, webhook_ids)
    # What was expected before the last events happened says nothing about these.
    last = max((index for index, step in enumerate(plan.steps) if step.kind in EMITTING), default=0)
    expected = {expectation.field for step in plan.steps[last:] if step.kind == "expect" for expectation in step.value}
    if not any(entry.webhook_ids for entry in entries if isinstance(entry, Happened)):
        return (
            None
            if expected & {"delivered", "attempts", "pending"}
            else ("no event was exported: no webhook of the emitted type was activated")
        )
    if not idle and "pending" not in expected:
        return (
            f"{len(account.pending)} events were still due at the end: add `run: until-idle`, or expect them as pending"
        )
    if not account.delivered and not expected & {"delivered", "discarded", "pending"}:
        return "nothing was delivered, and nothing in the scenario says that nothing should be"
    return None


def _reached(plan: Plan, entries: Sequence[Entry]) -> list[list[Finding]]:
    marks = {entry.index: position for position, entry in enumerate(entries) if isinstance(entry, StepReached)}
    return [
        [_judge(plan, expectation, entries[: marks[index]] if index in marks else None) for expectation in step.value]
        for index, step in enumerate(plan.steps)
        if step.kind == "expect"
    ]


def _judge(plan: Plan, expectation: Expectation, entries: Sequence[Entry] | None) -> Finding:
    requirement = WEBHOOK_REQUIREMENTS.get(expectation.field) or PROCESSED_REQUIREMENTS.get(
        str(expectation.wanted), PROCESSED_REQUIREMENTS["at-least-once"]
    )
    judged: _Judged = ("not-exercised", "the run ended before this step", ())
    if entries is not None and expectation.subject == "consumer":
        judged = _judge_consumer(expectation, entries)
    elif entries is not None:
        judged = _judge_webhook(plan, expectation, entries)
    outcome, actual, evidence = judged
    name = f"{expectation.subject}.{expectation.field}"
    return Finding(
        id=name,
        title=f"{name}: {_described(expectation.wanted)}",
        level="must",
        outcome=outcome,
        requirement=requirement,
        expected=_described(expectation.wanted),
        actual=actual,
        evidence=evidence,
        place=expectation.place,
    )


_Judged = tuple[Judgement, str, tuple[int, ...]]


def _judge_webhook(plan: Plan, expectation: Expectation, entries: Sequence[Entry]) -> _Judged:
    webhook_id = _webhook_ids(plan)[expectation.subject]
    account = tally(entries, [webhook_id])
    evidence = tuple(account.evidence)
    if expectation.field == "batch_events":
        if not account.batch_events and expectation.wanted != ():
            return "fail", "no list was delivered", evidence
        shown = _listed(account.batch_events)
        if isinstance(expectation.wanted, tuple):
            return _verdict(tuple(account.batch_events) == expectation.wanted), shown, evidence
        return _verdict(all(_fits(size, expectation.wanted) for size in account.batch_events)), shown, evidence
    number = _number(account, expectation.field)
    return _verdict(_fits(number, expectation.wanted)), str(number), evidence


def _judge_consumer(expectation: Expectation, entries: Sequence[Entry]) -> _Judged:
    probes = [(position, entry) for position, entry in enumerate(entries) if isinstance(entry, Probed)]
    position, probed = probes[-1]
    if not isinstance(expectation.wanted, str):
        return _verdict(_fits(probed.count, expectation.wanted)), str(probed.count), (position,)
    webhook_ids = {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}
    account = tally(entries, webhook_ids)
    assert probed.events is not None, "load refuses this"
    difference = compare(entries, account, [bytes(event) for event in probed.events])
    wrong = bool(difference.missing or difference.altered)
    if expectation.wanted == "exactly-once":
        wrong = bool(difference)
    summary = difference.describe() if wrong else f"all {len(account.delivered)} delivered events"
    return _verdict(not wrong), summary, (*account.evidence, position)


def _webhook_ids(plan: Plan) -> dict[str, int]:
    """Ids are given in order of creation, which the plan knows."""
    names = list(plan.scenario.webhooks)
    for step in plan.steps:
        if step.kind == "create":
            names += step.value
    return {name: index + 1 for index, name in enumerate(names)}


def _number(account: Tally, field: str) -> int:
    number: int | list[int] | set[int] = getattr(account, field)
    return number if isinstance(number, int) else len(number)


def _fits(number: int, wanted: int | Bounds) -> bool:
    if isinstance(wanted, int):
        return number == wanted
    return (wanted.at_least is None or number >= wanted.at_least) and (
        wanted.at_most is None or number <= wanted.at_most
    )


def _verdict(holds: bool) -> Judgement:
    return "pass" if holds else "fail"


def _described(wanted: Any) -> str:
    match wanted:
        case Bounds(at_least=at_least, at_most=None):
            return f"at least {at_least}"
        case Bounds(at_least=None, at_most=at_most):
            return f"at most {at_most}"
        case Bounds(at_least=at_least, at_most=at_most):
            return f"{at_least} to {at_most}"
        case tuple():
            return _listed(wanted)
        case _:
            return str(wanted)


def _listed(sizes: Sequence[int]) -> str:
    shown = ", ".join(str(size) for size in sizes[:12])
    return f"{shown}, … ({len(sizes)} lists)" if len(sizes) > 12 else shown or "none"
