"""Conditions of a `wait` step, which are checked at every due moment and therefore have to be cheap.

Each condition is true if and only if `claims.judge_claim` would pass the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from mockcampaign.judging.ledger import Account, Ledger
from mockcampaign.scenario.expectations.attempt_groups import (
    AttemptGroup,
    Run,
    attempts,
    label,
    latest,
    matching,
    outcome_runs,
    runs_fit,
)
from mockcampaign.scenario.expectations.delivery_times import Times, recoveries
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
from mockcampaign.scenario.language.plain_values import Bounds, fits

Condition = Callable[[int], bool]
"""Function that returns whether a claim is true at a moment. The moments never go back."""


def condition(claim: WebhookClaim, ledger: Ledger, webhook_id: int) -> Condition:
    """Return a condition that says whether a claim about a webhook is true, however the journal grows."""
    account = ledger.account(webhook_id)
    match claim:
        case DeliveredCount(wanted=wanted):
            return lambda _: fits(account.delivered_count, wanted)
        case DiscardedCount(wanted=wanted):
            return lambda _: fits(len(account.discarded), wanted)
        case PendingCount(wanted=wanted):
            return lambda _: fits(len(account.pending), wanted)
        case AttemptCount(wanted=wanted):
            return lambda _: fits(account.attempts, wanted)
        case BatchEvents(wanted=sizes):
            return lambda _: _sizes_fit(account, sizes)
        case DeliveredInOrder(wanted=in_order):
            return lambda _: account.delivered_count > 0 and (not account.overtakings) == in_order
        case Outcomes(wanted=outcomes):
            return _OutcomesInOrder(account, outcomes)
        case LatestAttempt(wanted=attempt):
            return lambda _: _latest_meets(account, attempt)
        case AnyAttempt(wanted=attempt):
            return _AnyAttempt(account, attempt)
        case EveryAttempt(wanted=attempt):
            return _EveryAttempt(account, attempt)
        case DeliveredWithin(limit=limit):
            return lambda _: _all_delivered_within(account, limit)
        case RecoveredWithin(limit=limit):
            return _RecoveredWithin(ledger, account, limit)
        case VerifiedAs(wanted=outcome):
            return lambda _: account.verified is not None and label(account.verified[1].outcome) == outcome
        case _:
            assert_never(claim)


def _sizes_fit(account: Account, wanted: int | Bounds | tuple[int, ...]) -> bool:
    if isinstance(wanted, tuple):
        return len(account.batches) == len(wanted) and tuple(account.batch_events) == wanted
    return bool(account.batch_sizes) and all(fits(size, wanted) for size in account.batch_sizes)


def _count_fits(account: Account, wanted: Iterable[int | str | OutcomeRun]) -> bool:
    """Return whether the number of attempts fits the outcomes. This decides most cases cheaply."""
    times = [run.times if isinstance(run, OutcomeRun) else 1 for run in wanted]
    least = sum(one if isinstance(one, int) else one.at_least or 0 for one in times)
    most = [one if isinstance(one, int) else one.at_most for one in times]
    limits = [one for one in most if one is not None]
    return least <= account.attempts and (len(limits) < len(most) or account.attempts <= sum(limits))


def _latest_meets(account: Account, wanted: AttemptExpectation) -> bool:
    last = latest(account.entries)
    return last is not None and matching(last, wanted) == 1


def _all_delivered_within(account: Account, limit: int) -> bool:
    if account.pending or account.discarded or account.slowest is None:
        return False
    return account.slowest <= limit


class _Unseen:
    """Attempts of a webhook's account that were not returned before, and those of its newest entry, which may grow."""

    def __init__(self, account: Account) -> None:
        self._entries = account.entries
        self._examined = 0

    def __iter__(self) -> Iterator[AttemptGroup]:
        first, self._examined = self._examined, max(0, len(self._entries) - 1)
        return attempts(self._entries, first)


class _OutcomesInOrder:
    """Whether the outcomes of all attempts are the wanted ones, in order."""

    def __init__(self, account: Account, wanted: tuple[int | str | OutcomeRun, ...]) -> None:
        self._account = account
        self._wanted = wanted
        self._examined = 0
        self._runs: list[Run] = []
        """Outcomes of the examined entries. The newest entry is not among them, because it may grow."""

    def __call__(self, now: int) -> bool:
        if not _count_fits(self._account, self._wanted):
            return False
        entries = [entry for _, entry in self._account.entries[self._examined :]]
        self._runs = outcome_runs(entries[:-1], self._runs)
        self._examined += len(entries[:-1])
        return runs_fit(outcome_runs(entries[-1:], self._runs), self._wanted)


class _AnyAttempt:
    """Condition that any attempt meets an expectation. Once true, it stays true."""

    def __init__(self, account: Account, wanted: AttemptExpectation) -> None:
        self._unseen = _Unseen(account)
        self._wanted = wanted
        self._is_met = False

    def __call__(self, now: int) -> bool:
        self._is_met = self._is_met or any(matching(group, self._wanted) for group in self._unseen)
        return self._is_met


class _EveryAttempt:
    """Condition that there are attempts and all of them meet an expectation. Once violated, it stays false."""

    def __init__(self, account: Account, wanted: AttemptExpectation) -> None:
        self._unseen = _Unseen(account)
        self._wanted = wanted
        self._is_exercised = False
        self._is_violated = False

    def __call__(self, now: int) -> bool:
        for group in self._unseen:
            if self._wanted.gap is None or group.gap is not None:
                self._is_exercised = True
                self._is_violated = self._is_violated or matching(group, self._wanted) < group.count
        return self._is_exercised and not self._is_violated


class _RecoveredWithin:
    """Condition that events pending at the end of an outage were delivered in time."""

    def __init__(self, ledger: Ledger, account: Account, limit: int) -> None:
        self._ledger = ledger
        self._account = account
        self._limit = limit
        self._known: tuple[list[int], bool] | None = None

    def __call__(self, now: int) -> bool:
        ends = recoveries(self._ledger, self._account.webhook_id, now)
        if not ends:
            return False
        oldest = self._account.oldest_pending
        if oldest is not None and oldest <= max(ends):
            return False
        if self._known is None or self._known[0] != ends or max(ends) == now:
            # No event that was pending then is pending now, so the result is final until another outage ends.
            is_late = Times(self._ledger, self._account, now).late_after_outages(self._limit) is not None
            self._known = ends, not is_late
        return self._known[1]
