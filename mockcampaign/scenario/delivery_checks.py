"""Judges what a scenario expects of a webhook's deliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import assert_never

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Entry, Verified
from mockcampaign.judging.evidence import why_undelivered
from mockcampaign.judging.finding import Judgement
from mockcampaign.judging.ledger import Tally, tally
from mockcampaign.scenario.attempt_checks import AttemptGroup, attempts, label, matching, outcome_runs, runs_fit
from mockcampaign.scenario.delivery_times import Times
from mockcampaign.scenario.expected_text import listed
from mockcampaign.scenario.language.expect import (
    AnyAttempt,
    AttemptCount,
    AttemptExpectation,
    BatchEvents,
    DeliveredCount,
    DeliveredInOrder,
    DeliveredWithin,
    DiscardedCount,
    EveryAttempt,
    LatestAttempt,
    OutcomeRun,
    Outcomes,
    PendingCount,
    RecoveredWithin,
    VerifiedAs,
    WebhookClaim,
)
from mockcampaign.scenario.language.values import Bounds, fits

Judged = tuple[Judgement, str, tuple[int, ...]]
"""The outcome, what was seen, and the journal positions that show it."""


def judge_claim(claim: WebhookClaim, entries: Sequence[Entry], webhook_id: int, now: int) -> Judged:
    """Judge one claim about a webhook from the journal so far, at the moment `now`."""
    match claim:
        case DeliveredCount(wanted=wanted):
            return _delivered(entries, webhook_id, wanted)
        case DiscardedCount(wanted=wanted):
            return _number(entries, webhook_id, wanted, lambda account: len(account.discarded))
        case PendingCount(wanted=wanted):
            return _number(entries, webhook_id, wanted, lambda account: len(account.pending))
        case AttemptCount(wanted=wanted):
            return _number(entries, webhook_id, wanted, lambda account: account.attempts)
        case BatchEvents(wanted=sizes):
            return _batch_events(entries, webhook_id, sizes)
        case DeliveredInOrder(wanted=in_order):
            return _in_order(entries, webhook_id, in_order)
        case Outcomes(wanted=outcomes):
            return _outcomes(entries, webhook_id, outcomes)
        case LatestAttempt(wanted=attempt):
            return _latest(entries, webhook_id, attempt)
        case AnyAttempt(wanted=attempt):
            return _any(entries, webhook_id, attempt)
        case EveryAttempt(wanted=attempt):
            return _every(entries, webhook_id, attempt)
        case DeliveredWithin(limit=limit):
            return _in_time(Times(entries, webhook_id, now).late(limit), entries, webhook_id, limit)
        case RecoveredWithin(limit=limit):
            return _in_time(Times(entries, webhook_id, now).late_after_outages(limit), entries, webhook_id, limit)
        case VerifiedAs(wanted=outcome):
            return _verified(entries, webhook_id, outcome)
        case _:
            assert_never(claim)


def verdict(holds: bool) -> Judgement:
    """Pass or fail."""
    return "pass" if holds else "fail"


def _number(entries: Sequence[Entry], webhook_id: int, wanted: int | Bounds, count: Callable[[Tally], int]) -> Judged:
    account = tally(entries, [webhook_id])
    number = count(account)
    return verdict(fits(number, wanted)), str(number), tuple(account.evidence)


def _delivered(entries: Sequence[Entry], webhook_id: int, wanted: int | Bounds) -> Judged:
    outcome, shown, evidence = _number(entries, webhook_id, wanted, lambda account: len(account.delivered))
    if outcome == "fail" and shown == "0":
        shown += f"; {why_undelivered(entries, [webhook_id])}"
    return outcome, shown, evidence


def _batch_events(entries: Sequence[Entry], webhook_id: int, wanted: int | Bounds | tuple[int, ...]) -> Judged:
    account = tally(entries, [webhook_id])
    sizes, evidence = account.batch_events, tuple(account.evidence)
    if not sizes and wanted != ():
        return "fail", "no batch was delivered", evidence
    if isinstance(wanted, tuple):
        return verdict(tuple(sizes) == wanted), listed(sizes), evidence
    return verdict(all(fits(size, wanted) for size in sizes)), listed(sizes), evidence


def _in_order(entries: Sequence[Entry], webhook_id: int, wanted: bool) -> Judged:
    account = tally(entries, [webhook_id])
    delivered = account.delivered
    early = sum(before > after for before, after in pairwise(delivered))
    if not delivered:
        return "fail", "no event was delivered", tuple(account.evidence)
    shown = f"events overtook others {early} time{'' if early == 1 else 's'}" if early else "in order"
    return verdict((not early) == wanted), shown, tuple(account.evidence)


def _outcomes(entries: Sequence[Entry], webhook_id: int, wanted: Sequence[int | str | OutcomeRun]) -> Judged:
    groups = list(attempts(entries, webhook_id))
    runs = outcome_runs(groups)
    shown = listed([f"{outcome} ({times} times)" if times > 1 else f"{outcome}" for outcome, times in runs])
    return verdict(runs_fit(runs, wanted)), shown, _positions(groups)


_NO_ATTEMPT: Judged = ("fail", "no attempt was made", ())


def _latest(entries: Sequence[Entry], webhook_id: int, wanted: AttemptExpectation) -> Judged:
    groups = list(attempts(entries, webhook_id))
    if not groups:
        return _NO_ATTEMPT
    last = groups[-1]
    alone = msgspec.structs.replace(last, first_number=last.last_number, count=1)
    return verdict(matching(alone, wanted) == 1), alone.describe(), (last.position,)


def _any(entries: Sequence[Entry], webhook_id: int, wanted: AttemptExpectation) -> Judged:
    groups = list(attempts(entries, webhook_id))
    if not groups:
        return _NO_ATTEMPT
    found = [group for group in groups if matching(group, wanted)]
    shown = found[0].describe() if found else f"none of {_attempts_count(groups)}"
    return verdict(bool(found)), shown, _positions(found or groups)


def _every(entries: Sequence[Entry], webhook_id: int, wanted: AttemptExpectation) -> Judged:
    groups = list(attempts(entries, webhook_id))
    if wanted.gap is not None:
        groups = [group for group in groups if group.gap is not None]
        if not groups:
            return "fail", "no batch was retried", ()
    if not groups:
        return _NO_ATTEMPT
    meeting = [(group, matching(group, wanted)) for group in groups]
    others = [group for group, count in meeting if count < group.count]
    number = sum(group.count - count for group, count in meeting)
    shown = f"{number} of {_attempts_count(groups)} not: {others[0].describe()}" if others else "all of them"
    return verdict(not others), shown, _positions(others or groups)


def _in_time(late: str | None, entries: Sequence[Entry], webhook_id: int, limit: int) -> Judged:
    shown = f"all within {format_duration(limit)}" if late is None else late
    return verdict(late is None), shown, tuple(tally(entries, [webhook_id]).evidence)


def _verified(entries: Sequence[Entry], webhook_id: int, wanted: int | str) -> Judged:
    found = [
        (position, label(entry.outcome))
        for position, entry in enumerate(entries)
        if isinstance(entry, Verified) and entry.webhook_id == webhook_id
    ]
    if not found:
        return "fail", "it was not verified", ()
    position, outcome = found[-1]
    return verdict(outcome == wanted), str(outcome), (position,)


def _positions(groups: Sequence[AttemptGroup]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(group.position for group in groups))


def _attempts_count(groups: Sequence[AttemptGroup]) -> str:
    count = sum(group.count for group in groups)
    return f"{count} attempt{'' if count == 1 else 's'}"
