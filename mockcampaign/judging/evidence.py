"""A run that delivered nothing where something was due is never a success, at whichever door.

A consumer that takes nothing keeps every rule, and shows nothing by that. Each door lets those off who say that they
mean it: a scenario by what it expects, a test by what it looks at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import Responded


def nothing_shown(ledger: Ledger) -> str | None:
    """Return why a journal shows nothing of its consumer, or None if an event was delivered."""
    accounts = ledger.accounts.values()
    if any(account.delivered_count for account in accounts):
        return None
    if not any(account.accepted for account in accounts):
        why = "no webhook of its type was activated" if ledger.happened else "none happened"
        return f"no event was exported: {why}"
    return f"nothing was delivered, so that nothing was shown: {why_undelivered(ledger.attempts)}"


def why_undelivered(attempts: Iterable[Attempted]) -> str:
    """Return the most frequent outcome of attempts that delivered nothing, and how frequent it was."""
    times: Counter[str] = Counter()
    for entry in attempts:
        if not entry.simulated:
            what = entry.outcome.describe()
            if entry.faults:
                what += f" (declared: {', '.join(dict.fromkeys(entry.faults))})"
            elif isinstance(entry.outcome, Responded):
                what = f"the consumer {what}"
            times[what] += entry.count
    if not times:
        return "no attempt was made"
    [(what, most)] = times.most_common(1)
    total = times.total()
    if total == 1:
        return f"{what}, in the only attempt"
    return f"{what}, in {'all' if most == total else f'{most:,} of'} {total:,} attempts"
