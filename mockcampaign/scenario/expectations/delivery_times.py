"""Time from events, and from the end of outages, to deliveries."""

from __future__ import annotations

from collections.abc import Collection

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import OutageDeclared, serials_in
from mockcampaign.judging.ledger import Account, Ledger, finished_at


def recoveries(ledger: Ledger, webhook_id: int, now: int) -> list[int]:
    """Return the moments up to `now` at which an outage of the webhook ended and no other one went on."""
    outages: list[tuple[int, int]] = []
    for entry in ledger.outages:
        if entry.webhook_ids and webhook_id not in entry.webhook_ids:
            continue
        if isinstance(entry, OutageDeclared):
            outages.append((entry.at, entry.until))
        else:
            outages = [(start, min(end, entry.at)) for start, end in outages]
    return [
        end for _, end in outages if end <= now and not any(start <= end < other_end for start, other_end in outages)
    ]


class Times:
    """Moments at which the events of one webhook occurred and were delivered or discarded, as known at `now`."""

    def __init__(self, ledger: Ledger, account: Account, now: int) -> None:
        self._happened = dict(account.happened)
        self._delivered: dict[int, int] = {}
        for _, batch in account.batches:
            self._delivered |= dict.fromkeys(serials_in(batch.serials), finished_at(batch))
        self._discarded: dict[int, int] = {}
        for discard in account.discards:
            self._discarded |= dict.fromkeys(serials_in(discard.serials), discard.at)
        self._recoveries = recoveries(ledger, account.webhook_id, now)

    def late(self, limit: int) -> str | None:
        """Return in words which events were not delivered within `limit` of their occurrence; None if all were."""
        if not self._happened:
            return "no event occurred"
        return self._describe(
            self._happened, {serial: at + limit for serial, at in self._happened.items()}, "its event"
        )

    def late_after_outages(self, limit: int) -> str | None:
        """Return in words which pending events were not delivered within `limit` of an outage's end, or None."""
        if not self._recoveries:
            return "no outage has ended"
        for end in self._recoveries:
            pending = {
                serial: end
                for serial, at in self._happened.items()
                if at <= end
                and self._delivered.get(serial, end) >= end
                and (serial not in self._discarded or self._discarded[serial] > end)
            }
            late = self._describe(pending, dict.fromkeys(pending, end + limit), "the outage")
            if late is not None:
                return late
        return None

    def _describe(self, since: dict[int, int], deadlines: dict[int, int], after: str) -> str | None:
        lost = [serial for serial in deadlines if serial not in self._delivered]
        late = [serial for serial, deadline in deadlines.items() if self._delivered.get(serial, 0) > deadline]
        parts = []
        if late:
            longest = max(self._delivered[serial] - since[serial] for serial in late)
            parts.append(f"{_events(late)} late, the last {format_duration(longest)} after {after}")
        if lost:
            parts.append(f"{_events(lost)} not delivered")
        return ", ".join(parts) or None


def _events(serials: Collection[int]) -> str:
    return f"{len(serials)} event{'' if len(serials) == 1 else 's'}"
