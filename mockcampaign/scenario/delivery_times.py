"""How long deliveries took: after their events happened, and after outages."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import (
    Attempted,
    Discarded,
    Entry,
    Happened,
    OutageDeclared,
    OutageEnded,
    serials_in,
)


class Times:
    """When the events of one webhook happened, were delivered or discarded, as known at the moment `now`."""

    def __init__(self, entries: Sequence[Entry], webhook_id: int, now: int) -> None:
        self._now = now
        self._happened: dict[int, int] = {}
        self._delivered: dict[int, int] = {}
        self._discarded: dict[int, int] = {}
        outages: list[tuple[int, int]] = []
        for entry in entries:
            match entry:
                case Happened(webhook_ids=webhook_ids) if webhook_id in webhook_ids:
                    serials = range(entry.first_serial, entry.first_serial + len(entry.events))
                    self._happened |= dict.fromkeys(serials, entry.at)
                case Attempted() if entry.webhook_id == webhook_id and entry.outcome.accepted:
                    self._delivered |= dict.fromkeys(serials_in(entry.serials), entry.last_at + entry.took)
                case Discarded() if entry.webhook_id == webhook_id:
                    self._discarded |= dict.fromkeys(serials_in(entry.serials), entry.at)
                case OutageDeclared(webhook_ids=ids) if not ids or webhook_id in ids:
                    outages.append((entry.at, entry.until))
                case OutageEnded(webhook_ids=ids) if not ids or webhook_id in ids:
                    outages = [(start, min(end, entry.at)) for start, end in outages]
        self._recoveries = [
            end
            for _, end in outages
            if end <= now and not any(start <= end < other_end for start, other_end in outages)
        ]
        """Moments at which an outage ended, and no other one went on."""

    def late(self, limit: int) -> str | None:
        """What was not delivered within so long after it happened, in words; None where everything was."""
        if not self._happened:
            return "no event happened"
        return self._describe(
            self._happened, {serial: at + limit for serial, at in self._happened.items()}, "its event"
        )

    def late_after_outages(self, limit: int) -> str | None:
        """The same of what was pending when an outage ended, and after that."""
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
