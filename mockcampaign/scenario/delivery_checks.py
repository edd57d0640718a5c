"""What can be expected of a webhook's deliveries, one entry each in `CHECKS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Entry, Verified
from mockcampaign.judging.evidence import why_undelivered
from mockcampaign.judging.finding import Judgement
from mockcampaign.judging.ledger import Tally, tally
from mockcampaign.scenario.attempt_checks import Attempts, attempts, label, matching, outcome_runs, runs_fit
from mockcampaign.scenario.delivery_times import Times
from mockcampaign.scenario.expected_text import described, listed
from mockcampaign.scenario.language.expect import AttemptExpectation
from mockcampaign.scenario.language.values import fits

Judged = tuple[Judgement, str, tuple[int, ...]]
"""The outcome, what was seen, and the journal positions that show it."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How one expectation is judged, and the sentence that it rests on."""

    requirement: str
    judge: Callable[[Sequence[Entry], int, int, Any], Judged]
    """Gets the journal so far, the webhook's id, the moment, and what is wanted."""


def verdict(holds: bool) -> Judgement:
    """Pass or fail."""
    return "pass" if holds else "fail"


def _number(count: Callable[[Tally], int]) -> Callable[[Sequence[Entry], int, int, Any], Judged]:
    def judge(entries: Sequence[Entry], webhook_id: int, now: int, wanted: Any) -> Judged:
        account = tally(entries, [webhook_id])
        number = count(account)
        return verdict(fits(number, wanted)), str(number), tuple(account.evidence)

    return judge


def _delivered(entries: Sequence[Entry], webhook_id: int, now: int, wanted: Any) -> Judged:
    account = tally(entries, [webhook_id])
    number = len(account.delivered)
    outcome, shown = verdict(fits(number, wanted)), str(number)
    if outcome == "fail" and not number:
        shown += f"; {why_undelivered(entries, [webhook_id])}"
    return outcome, shown, tuple(account.evidence)


def _batch_events(entries: Sequence[Entry], webhook_id: int, now: int, wanted: Any) -> Judged:
    account = tally(entries, [webhook_id])
    sizes, evidence = account.batch_events, tuple(account.evidence)
    if not sizes and wanted != ():
        return "fail", "no list was delivered", evidence
    if isinstance(wanted, tuple):
        return verdict(tuple(sizes) == wanted), listed(sizes), evidence
    return verdict(all(fits(size, wanted) for size in sizes)), listed(sizes), evidence


def _in_order(entries: Sequence[Entry], webhook_id: int, now: int, wanted: bool) -> Judged:
    account = tally(entries, [webhook_id])
    delivered = account.delivered
    early = sum(before > after for before, after in pairwise(delivered))
    if not delivered:
        return "fail", "no event was delivered", tuple(account.evidence)
    shown = f"events overtook others {early} time{'' if early == 1 else 's'}" if early else "in order"
    return verdict((not early) == wanted), shown, tuple(account.evidence)


def _outcomes(entries: Sequence[Entry], webhook_id: int, now: int, wanted: Sequence[Any]) -> Judged:
    groups = list(attempts(entries, webhook_id))
    runs = outcome_runs(groups)
    shown = listed([f"{outcome} ({times} times)" if times > 1 else f"{outcome}" for outcome, times in runs])
    return verdict(runs_fit(runs, wanted)), shown, _positions(groups)


def _attempts(which: Literal["latest", "any", "all"]) -> Callable[[Sequence[Entry], int, int, Any], Judged]:
    def judge(entries: Sequence[Entry], webhook_id: int, now: int, wanted: AttemptExpectation) -> Judged:
        groups = list(attempts(entries, webhook_id))
        if which == "all" and wanted.gap is not None:
            groups = [group for group in groups if group.gap is not None]
            if not groups:
                return "fail", "no list came again", ()
        if not groups:
            return "fail", "no attempt was made", ()
        if which == "latest":
            last = groups[-1]
            alone = msgspec.structs.replace(last, first_number=last.last_number, count=1)
            return verdict(matching(alone, wanted) == 1), alone.describe(), (last.position,)
        meeting = [(group, matching(group, wanted)) for group in groups]
        if which == "any":
            found = [group for group, count in meeting if count]
            shown = found[0].describe() if found else f"none of {_attempts_count(groups)}"
            return verdict(bool(found)), shown, _positions(found or groups)
        others = [group for group, count in meeting if count < group.count]
        number = sum(group.count - count for group, count in meeting)
        shown = f"{number} of {_attempts_count(groups)} not, first {others[0].describe()}" if others else "all of them"
        return verdict(not others), shown, _positions(others or groups)

    return judge


def _delivered_within(entries: Sequence[Entry], webhook_id: int, now: int, wanted: int) -> Judged:
    return _in_time(Times(entries, webhook_id, now).late(wanted), entries, webhook_id, wanted)


def _recovered_within(entries: Sequence[Entry], webhook_id: int, now: int, wanted: int) -> Judged:
    return _in_time(Times(entries, webhook_id, now).late_after_outages(wanted), entries, webhook_id, wanted)


def _in_time(late: str | None, entries: Sequence[Entry], webhook_id: int, limit: int) -> Judged:
    shown = f"all within {format_duration(limit)}" if late is None else late
    return verdict(late is None), shown, tuple(tally(entries, [webhook_id]).evidence)


def _verified(entries: Sequence[Entry], webhook_id: int, now: int, wanted: int | str) -> Judged:
    found = [
        (position, label(entry.outcome))
        for position, entry in enumerate(entries)
        if isinstance(entry, Verified) and entry.webhook_id == webhook_id
    ]
    if not found:
        return "fail", "it was not verified", ()
    position, outcome = found[-1]
    return verdict(outcome == wanted), described(outcome), (position,)


def _positions(groups: Sequence[Attempts]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(group.position for group in groups))


def _attempts_count(groups: Sequence[Attempts]) -> str:
    count = sum(group.count for group in groups)
    return f"{count} attempt{'' if count == 1 else 's'}"


_RETRIED = "A failed export is retried every 10 seconds until it succeeds or expires (vendor's webhook guide)."
_ANSWERED = "The export succeeded if the answer is HTTP 200; otherwise it is retried (vendor's webhook guide)."

CHECKS = {
    "delivered": Check(
        requirement="An event is delivered once the consumer has answered its list with 200 (vendor's webhook guide).",
        judge=_delivered,
    ),
    "discarded": Check(
        requirement="What is not delivered within three days of its creation is discarded (vendor's webhook guide).",
        judge=_number(lambda account: len(account.discarded)),
    ),
    "pending": Check(
        requirement="What is not answered with 200 is sent again every 10 seconds (vendor's webhook guide).",
        judge=_number(lambda account: len(account.pending)),
    ),
    "attempts": Check(requirement=_RETRIED, judge=_number(lambda account: account.attempts)),
    "batch_events": Check(
        requirement="Events come as lists of at most 100 (vendor's webhook guide).", judge=_batch_events
    ),
    "in_order": Check(requirement="The oldest events are sent first (assumed).", judge=_in_order),
    "outcomes": Check(requirement=_ANSWERED, judge=_outcomes),
    "latest": Check(requirement=_ANSWERED, judge=_attempts("latest")),
    "any": Check(requirement=_ANSWERED, judge=_attempts("any")),
    "all": Check(requirement=_ANSWERED, judge=_attempts("all")),
    "delivered_within": Check(requirement=_RETRIED, judge=_delivered_within),
    "recovered_within": Check(requirement=_RETRIED, judge=_recovered_within),
    "verified": Check(
        requirement="A webhook can be verified: sample events go to its target at once (vendor's API description).",
        judge=_verified,
    ),
}
"""By the fields of `expectations.WebhookExpectation`."""
