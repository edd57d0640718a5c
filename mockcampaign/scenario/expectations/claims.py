"""Judges what a scenario expects of a webhook's deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from mockcampaign.durations import format_duration
from mockcampaign.judging.evidence import why_undelivered
from mockcampaign.judging.finding import Judgement
from mockcampaign.judging.ledger import Account, Ledger
from mockcampaign.scenario.expectations.api_calls import describe_calls, meets
from mockcampaign.scenario.expectations.attempt_groups import (
    AttemptGroup,
    attempts,
    label,
    latest,
    matching,
    outcome_runs,
    runs_fit,
)
from mockcampaign.scenario.expectations.delivery_times import Times
from mockcampaign.scenario.expectations.expected_text import listed
from mockcampaign.scenario.language.expect import (
    AnyAttempt,
    ApiExpectation,
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
from mockcampaign.scenario.language.plain_values import Bounds, fits

Judged = tuple[Judgement, str, tuple[int, ...]]
"""Outcome, the actual value in words, and the journal positions that show it."""


def judge_claim(claim: WebhookClaim, ledger: Ledger, webhook_id: int, now: int) -> Judged:
    """Judge one claim about a webhook from the journal so far, at the moment `now`."""
    account = ledger.account(webhook_id)
    match claim:
        case DeliveredCount(wanted=wanted):
            return _delivered(account, wanted)
        case DiscardedCount(wanted=wanted):
            return _number(account, wanted, len(account.discarded))
        case PendingCount(wanted=wanted):
            return _number(account, wanted, len(account.pending))
        case AttemptCount(wanted=wanted):
            return _number(account, wanted, account.attempts)
        case BatchEvents(wanted=sizes):
            return _batch_events(account, sizes)
        case DeliveredInOrder(wanted=in_order):
            return _in_order(account, in_order)
        case Outcomes(wanted=outcomes):
            return _outcomes(account, outcomes)
        case LatestAttempt(wanted=attempt):
            return _latest(account, attempt)
        case AnyAttempt(wanted=attempt):
            return _any(account, attempt)
        case EveryAttempt(wanted=attempt):
            return _every(account, attempt)
        case DeliveredWithin(limit=limit):
            return _in_time(Times(ledger, account, now).late(limit), account, limit)
        case RecoveredWithin(limit=limit):
            return _in_time(Times(ledger, account, now).late_after_outages(limit), account, limit)
        case VerifiedAs(wanted=outcome):
            return _verified(account, outcome)
        case _:
            assert_never(claim)


def judge_api(claim: ApiExpectation, ledger: Ledger) -> Judged:
    """Judge a claim about calls of the REST API from the journal so far."""
    counted = [(position, call) for position, call in ledger.calls if meets(call, claim)]
    # Without a call that counts, the others of the operation show what happened instead.
    others = [(position, call) for position, call in ledger.calls if claim.operation in (None, call.operation)]
    shown = counted or others
    actual = (
        f"{len(counted)}: {describe_calls([call for _, call in counted])}"
        if counted
        else (f"none; {describe_calls([call for _, call in others])}")
    )
    return verdict(fits(len(counted), claim.count)), actual, tuple(position for position, _ in shown)


def verdict(holds: bool) -> Judgement:
    """Return `pass` or `fail`."""
    return "pass" if holds else "fail"


def _number(account: Account, wanted: int | Bounds, number: int) -> Judged:
    return verdict(fits(number, wanted)), str(number), tuple(account.evidence)


def _delivered(account: Account, wanted: int | Bounds) -> Judged:
    outcome, shown, evidence = _number(account, wanted, account.delivered_count)
    if outcome == "fail" and not account.delivered_count:
        shown += f"; {why_undelivered(entry for _, entry in account.entries)}"
    return outcome, shown, evidence


def _batch_events(account: Account, wanted: int | Bounds | tuple[int, ...]) -> Judged:
    sizes, evidence = account.batch_events, tuple(account.evidence)
    if not sizes and wanted != ():
        return "fail", "no batch was delivered", evidence
    if isinstance(wanted, tuple):
        return verdict(tuple(sizes) == wanted), listed(sizes), evidence
    return verdict(all(fits(size, wanted) for size in sizes)), listed(sizes), evidence


def _in_order(account: Account, wanted: bool) -> Judged:
    early = account.overtakings
    if not account.delivered_count:
        return "fail", "no event was delivered", tuple(account.evidence)
    shown = f"events overtook others {early} time{'' if early == 1 else 's'}" if early else "in order"
    return verdict((not early) == wanted), shown, tuple(account.evidence)


def _outcomes(account: Account, wanted: Sequence[int | str | OutcomeRun]) -> Judged:
    groups = list(attempts(account.entries))
    runs = outcome_runs(entry for _, entry in account.entries)
    shown = listed([f"{outcome} ({times} times)" if times > 1 else f"{outcome}" for outcome, times in runs])
    return verdict(runs_fit(runs, wanted)), shown, _positions(groups)


_NO_ATTEMPT: Judged = ("fail", "no attempt was made", ())


def _latest(account: Account, wanted: AttemptExpectation) -> Judged:
    last = latest(account.entries)
    if last is None:
        return _NO_ATTEMPT
    return verdict(matching(last, wanted) == 1), last.describe(), (last.position,)


def _any(account: Account, wanted: AttemptExpectation) -> Judged:
    groups = list(attempts(account.entries))
    if not groups:
        return _NO_ATTEMPT
    found = [group for group in groups if matching(group, wanted)]
    shown = found[0].describe() if found else f"none of {_attempts_count(groups)}"
    return verdict(bool(found)), shown, _positions(found or groups)


def _every(account: Account, wanted: AttemptExpectation) -> Judged:
    groups = list(attempts(account.entries))
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


def _in_time(late: str | None, account: Account, limit: int) -> Judged:
    shown = f"all within {format_duration(limit)}" if late is None else late
    return verdict(late is None), shown, tuple(account.evidence)


def _verified(account: Account, wanted: int | str) -> Judged:
    if account.verified is None:
        return "fail", "the webhook was not verified", ()
    position, entry = account.verified
    outcome = label(entry.outcome)
    return verdict(outcome == wanted), str(outcome), (position,)


def _positions(groups: Sequence[AttemptGroup]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(group.position for group in groups))


def _attempts_count(groups: Sequence[AttemptGroup]) -> str:
    count = sum(group.count for group in groups)
    return f"{count} attempt{'' if count == 1 else 's'}"
