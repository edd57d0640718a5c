"""Explains why a run shows nothing of its consumer. Such a run is never a success.

A consumer that accepts nothing violates no rule, which proves nothing. A scenario may expect that nothing is delivered,
and a test may look at what was not delivered; only then such a run may pass.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import INTERRUPTED, Responded, WebhookStatus
from mockcampaign.text import counted


def nothing_shown(ledger: Ledger) -> str | None:
    """Return why a journal shows nothing of its consumer, or None if an event was delivered."""
    accounts = ledger.accounts.values()
    if any(account.delivered_count for account in accounts):
        return None
    if not any(account.accepted for account in accounts):
        why = "no webhook of its type was activated" if ledger.happened else "none occurred"
        return f"no event was exported: {why}"
    return f"nothing was delivered, so the run shows nothing: {why_undelivered(ledger.attempts)}"


def still_rejected(ledger: Ledger) -> str | None:
    """Return which events are pending after rejected attempts, or None if there are none.

    A rejection is legal, and Campaign retries the batch; but as long as it does, nobody knows what becomes of it.
    """
    pending, rejected = 0, list[Attempted]()
    for account in ledger.accounts.values():
        made = (entry for _, entry in reversed(account.entries) if entry.outcome != INTERRUPTED and not entry.simulated)
        newest = list(itertools.takewhile(lambda entry: not entry.outcome.accepted, made))
        if newest and account.pending and account.status is not WebhookStatus.DELETED:
            pending += len(account.pending)
            rejected += newest
    if not rejected:
        return None
    times = _times(rejected)
    [(what, most)] = (_times(entry for entry in rejected if not entry.faults) or times).most_common(1)
    total = times.total()
    last = "the last attempt" if total == 1 else f"the last {total:,} attempts"
    of = "" if most == total else f"{most:,} of "
    return f"{counted(pending, 'event')} {'is' if pending == 1 else 'are'} pending: {what}, in {of}{last}"


def why_undelivered(attempts: Iterable[Attempted]) -> str:
    """Return the most frequent outcome of attempts that delivered nothing, and how frequent it was.

    What somebody declared explains nothing that went wrong without it, so an outcome that nobody declared comes first.
    """
    made = [entry for entry in attempts if not entry.simulated]
    times, own = _times(made), _times(entry for entry in made if not entry.faults)
    if not times:
        return "no attempt was made"
    [(what, most)] = times.most_common(1)
    total = times.total()
    if own and what not in own:
        [(first, count)] = own.most_common(1)
        return f"{first}, in {counted(count, 'attempt')}; {what}, in {most:,}"
    if total == 1:
        return f"{what}, in the only attempt"
    return f"{what}, in {'all' if most == total else f'{most:,} of'} {total:,} attempts"


def _times(attempts: Iterable[Attempted]) -> Counter[str]:
    """Return how many attempts had which outcome."""
    times: Counter[str] = Counter()
    for entry in attempts:
        times[described(entry)] += entry.count
    return times


def described(entry: Attempted) -> str:
    """Return how attempts ended, and what somebody had declared for them."""
    what = entry.outcome.describe()
    if entry.faults:
        return f"{what} (declared: {', '.join(dict.fromkeys(entry.faults))})"
    return f"the consumer {what}" if isinstance(entry.outcome, Responded) else what
