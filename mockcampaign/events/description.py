"""Statistics of a stream of events: numbers and a timeline, counted event by event in constant memory."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.events import field_values
from mockcampaign.events.behaviour import AUTORESPONDER
from mockcampaign.events.mailing import Mailing, MailingEvent
from mockcampaign.events.people import MACHINES, Actor
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES, NAMES
from mockcampaign.shape.field import Role
from mockcampaign.shape.moment import moment_of

SPAN_MAX = 4 * DAY
"""Maximum length of the timeline: the few later events of a mailing would compress the rest."""

BINS_MAX = 120
WIDTHS = (SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
"""Widths of a bin of the timeline, in milliseconds: the first with at most `BINS_MAX` bins is used."""

Row = tuple[str, str, str]
"""A name, a number and a remark."""


_COUNTED = (Role.TYPE, Role.DEVICE, Role.MOMENT)
_CountedFields = msgspec.defstruct(
    "_CountedFields", [(role.name, Any, msgspec.field(default=None, name=NAMES[role])) for role in _COUNTED]
)
"""The fields of an event that are counted. In captured events, each can have any type."""


class Timeline:
    """The number of events in each bin, by type and device."""

    def __init__(self, start: int) -> None:
        """The timeline starts at `start`, in milliseconds since 1970."""
        self.start = start
        self.width = WIDTHS[0]
        self.series: dict[tuple[str, str], Counter[int]] = {}
        """Number of events by index of the bin, for each type and device."""
        self.later = 0
        """Number of events after the timeline's end."""
        self.bins = 0

    def add(self, event_type: str, device: str, at: int) -> None:
        """Count an event at this time. An earlier event counts as if it were at the start."""
        if at >= self.start + SPAN_MAX:
            self.later += 1
            return
        index = max(at - self.start, 0) // self.width
        self.series.setdefault((event_type, device), Counter())[index] += 1
        self.bins = max(self.bins, index + 1)
        while self.bins > BINS_MAX and self.width != WIDTHS[-1]:
            self._coarsen()

    def _coarsen(self) -> None:
        wider = next(width for width in WIDTHS if width > self.width)
        factor = wider // self.width
        for key, counts in self.series.items():
            coarse: Counter[int] = Counter()
            for index, count in counts.items():
                coarse[index // factor] += count
            self.series[key] = coarse
        self.width, self.bins = wider, -(-self.bins // factor)


class Description:
    """Statistics of all events so far."""

    def __init__(self, start: int) -> None:
        self.timeline = Timeline(start)
        self._types: Counter[str] = Counter()
        self._devices: dict[str, Counter[str]] = {}
        self._first: int | None = None
        self._last = 0

    def add(self, payload: bytes) -> None:
        """Count an event."""
        fields = msgspec.json.decode(payload, type=_CountedFields)
        kind, device, moment = msgspec.structs.astuple(fields)
        kind, device = str(kind), "none" if device is None else str(device)
        self._types[kind] += 1
        self._devices.setdefault(device, Counter())[kind] += 1
        at = moment_of(NAMES[Role.MOMENT], moment)
        if at is not None:
            self._first = at if self._first is None else min(self._first, at)
            self._last = max(self._last, at)
            self.timeline.add(kind, device, at)

    def rows(self) -> Iterator[Row]:
        """Yield the number of events by type, and of opens and clicks by device."""
        total = self._types.total()
        spread = "" if self._first is None else f"within {format_duration((self._last - self._first) // 1_000 * 1_000)}"
        yield "events", f"{total:,}", spread
        for kind, count in self._types.most_common():
            yield f"  {kind}", f"{count:,}", _percent(count, total, "of events")
        for kind in (EventType.OPEN, EventType.CLICK):
            if of_kind := self._types[kind]:
                yield f"{kind}s by device", f"{of_kind:,}", ""
                for device, counts in sorted(self._devices.items(), key=lambda item: -item[1][kind]):
                    if counts[kind]:
                        yield f"  {device}", f"{counts[kind]:,}", _percent(counts[kind], of_kind, f"of {kind}s")


_OPENED, _READ, _CLICKED = 1, 2, 4


class Engagement:
    """Rates of a mailing: bounces, and opens and clicks by people and machines.

    They take one byte of memory for each mail, and four for each that a person opened.
    """

    def __init__(self, mailing: Mailing) -> None:
        self._mailing = mailing
        self._mails = bytearray(mailing.recipients * field_values.LISTS)
        self._delays = array("I")
        self._counts: Counter[str] = Counter()

    def add(self, event: MailingEvent) -> None:
        """Count an event. Events are counted in the mailing's order."""
        kind, person = event.type, event.actor not in MACHINES
        if kind is EventType.BOUNCE:
            self._counts[BOUNCE_CATEGORIES[event.detail]] += 1
        elif kind is EventType.OPEN:
            self._counts["opens"] += 1
            self._counts["machine opens"] += not person
            self._is_first(event, _OPENED, "opened")
            if event.actor not in (*MACHINES, Actor.FRIEND) and self._is_first(event, _READ, "read"):
                self._delays.append(event.at - self._mailing.sent_at(event.recipient))
        elif kind is EventType.CLICK:
            self._counts["clicks"] += 1
            self._counts["machine clicks"] += not person
            if person and self._is_first(event, _CLICKED, "clicked"):
                self._counts["clicked and read"] += self._mails[self._index(event)] & _READ != 0

    def rows(self) -> Iterator[Row]:
        """Yield the rates that e-mail marketers use."""
        counts, of_type = self._counts, self._mailing.counts
        sent, recipients = of_type[EventType.SENT], self._mailing.recipients
        # Whose mailbox responds automatically has the mail.
        delivered = sent - of_type[EventType.BOUNCE] + counts[BOUNCE_CATEGORIES[AUTORESPONDER]]
        yield "mails sent", f"{sent:,}", f"to {recipients:,} recipients"
        for category in BOUNCE_CATEGORIES:
            yield f"  bounced as {category}", f"{counts[category]:,}", _percent(counts[category], sent, "of sent")
        untracked = self._mailing.untracked_count()
        yield "  tracking switched off", f"{untracked:,}", _percent(untracked, recipients, "of recipients")
        for what, name in (
            ("  opened", "opened"),
            ("  visibly opened by the recipient", "read"),
            ("  clicked by the recipient", "clicked"),
        ):
            yield what, f"{counts[name]:,}", _percent(counts[name], delivered, "of delivered")
        if counts["read"]:
            both, delays = counts["clicked and read"], sorted(self._delays)
            yield "  both", f"{both:,}", _percent(both, counts["read"], "of those opened by the recipient")
            half, most = (format_duration(delays[len(delays) * tenths // 10] // MINUTE * MINUTE) for tenths in (5, 9))
            yield "  first opens", "", f"half within {half}, nine of ten within {most}"
        for kind in ("open", "click"):
            machine = counts[f"machine {kind}s"]
            yield f"  {kind}s by machines", f"{machine:,}", _percent(machine, counts[f"{kind}s"], f"of {kind}s")

    def _is_first(self, event: MailingEvent, flag: int, name: str) -> bool:
        """Return whether this is the first such event of the mail, and count it."""
        index = self._index(event)
        if self._mails[index] & flag:
            return False
        self._mails[index] |= flag
        self._counts[name] += 1
        return True

    @staticmethod
    def _index(event: MailingEvent) -> int:
        return event.recipient * field_values.LISTS + event.list_number


def _percent(part: int, whole: int, of: str) -> str:
    return f"{100 * part / whole:.1f} % {of}" if whole else ""
