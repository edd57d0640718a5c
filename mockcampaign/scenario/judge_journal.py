"""Judges a recorded journal without a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mockcampaign.engine.journal import Entry, StepReached, WebhookChanged
from mockcampaign.judging.evidence import nothing_shown, still_rejected
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import WebhookStatus
from mockcampaign.report import sentences
from mockcampaign.scenario.judge import judge, scenario_shows_nothing
from mockcampaign.scenario.plan import Plan

Judged = tuple[list[Finding], list[Finding], str | None]
"""Findings of the rules, findings of the expectations, and why the journal is inconclusive."""


def judge_journal(plan: Plan | None, entries: Sequence[Entry]) -> Judged:
    """Judge a journal by the plan of its scenario, or by the general rules alone."""
    if plan is None:
        ledger = Ledger.of(entries)
        rules = [rule.judge(entries, sentences.actual) for rule in JOURNAL_RULES]
        return rules, [], nothing_shown(ledger) or still_rejected(ledger)
    reached = max((entry.index for entry in entries if isinstance(entry, StepReached)), default=-1)
    last = len(plan.steps) - 1
    rules, expectations = judge(plan, entries)
    if reached < last:
        where = f"before step {reached + 2} of {last + 1} ({plan.steps[reached + 1].place})"
        return (
            rules,
            expectations,
            f"the journal ends {where}: the run was interrupted, or the scenario has more steps now",
        )
    return rules, expectations, scenario_shows_nothing(plan, entries, _idle(entries))


def webhook_names(plan: Plan | None, entries: Sequence[Entry]) -> dict[str, int]:
    """Return the ids of the created webhooks by name, or by type without a plan."""
    created = {entry.webhook_id: entry.type.value for entry in entries if isinstance(entry, WebhookChanged)}
    if plan is None:
        alike = Counter(created.values())
        return {kind if alike[kind] == 1 else f"{kind} {number}": number for number, kind in created.items()}
    return {name: webhook_id for name, webhook_id in plan.webhook_ids.items() if webhook_id in created}


def _idle(entries: Sequence[Entry]) -> bool:
    """Return whether nothing was left to send on activated webhooks."""
    accounts = Ledger.of(entries).accounts.values()
    return not any(account.pending for account in accounts if account.status is WebhookStatus.ACTIVATED)
