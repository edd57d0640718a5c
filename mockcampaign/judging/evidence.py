"""A run that delivered nothing where something was due is never a success, at whichever door.

A consumer that takes nothing keeps every rule, and shows nothing by that. Each door lets those off who say that they
mean it: a scenario by what it expects, a test by what it looks at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mockcampaign.engine.journal import Attempted, Entry, Happened, WebhookChanged
from mockcampaign.judging.ledger import tally
from mockcampaign.model import Responded


def nothing_shown(entries: Sequence[Entry]) -> str | None:
    """Why the journal shows nothing of its consumer. None where something was delivered."""
    webhook_ids = {entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)}
    account = tally(entries, webhook_ids)
    if account.delivered:
        return None
    if not account.accepted:
        happened = any(isinstance(entry, Happened) for entry in entries)
        return f"no event was exported: {'no webhook of its type was activated' if happened else 'none happened'}"
    return f"nothing was delivered, so that nothing was shown: {why_undelivered(entries, webhook_ids)}"


def why_undelivered(entries: Sequence[Entry], webhook_ids: Iterable[int]) -> str:
    """What most of the attempts that were made came to, where none delivered anything."""
    wanted = frozenset(webhook_ids)
    times: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry, Attempted) and entry.webhook_id in wanted and not entry.simulated:
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
