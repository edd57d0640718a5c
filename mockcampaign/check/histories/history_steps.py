"""The steps of a history, each with how it acts on a sender, and with the simpler steps that it can be reduced to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from mockcampaign.check.edge_cases import EdgeCase, EdgeCases, absent_fields, null_fields
from mockcampaign.judging.fact import HistoryStep
from mockcampaign.policy import MINUTE, SECOND
from mockcampaign.shape.field import Event
from mockcampaign.shape.shape import Shape

COUNTS = (1, 2, 3, 5, 120)
"""Numbers of events that occur together: few, or more than one batch takes."""

MANY = (1_200, 2_400)
"""Numbers of events that are more than some caches of deduplication keys hold."""

PAUSES = (10 * SECOND, MINUTE, 60 * MINUTE)
OUTAGES = (MINUTE, 60 * MINUTE)
"""Durations of steps, shortest first, in milliseconds."""


class HistorySender(Protocol):
    """The sender on which a history is played: a bench of the check."""

    @property
    def shape(self) -> Shape:
        """The shape of the events."""
        ...

    def event(self) -> Event:
        """Make an event of a recipient and a mail of its own."""
        ...

    def events(self, count: int) -> list[Event]:
        """Make this many of them."""
        ...

    def edge_cases(self, make: EdgeCases) -> list[EdgeCase]:
        """Return the edge cases of one kind that may be sent."""
        ...

    def emit(self, events: Sequence[Event], number: int = 0) -> None:
        """Let these events occur now, for the webhook with this number."""
        ...

    def fault(self, kind: str, **options: Any) -> object:
        """Declare a fault."""
        ...

    def outage(self, duration: int) -> None:
        """Begin an outage of this many milliseconds."""
        ...

    async def advance(self, duration: int = 0) -> None:
        """Let virtual time pass, and make every attempt that falls due meanwhile."""
        ...


class Occur(msgspec.Struct, frozen=True):
    """Events of new recipients occur."""

    count: int

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        made = sender.events(self.count)
        events += made
        sender.emit(made)
        await sender.advance()

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="events", events=self.count)

    def simpler(self) -> Iterator[Step]:
        yield from (Occur(count) for count in COUNTS if count < self.count)


class Lack(msgspec.Struct, frozen=True):
    """Events occur that lack an optional field, or have null in it. In a shape without one, they are ordinary."""

    index: int
    """Number of the field among the optional ones."""
    is_null: bool
    count: int

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        # Not a field that only we assume to be optional: whoever rejects that violates nothing.
        known = [case for case in sender.edge_cases(null_fields if self.is_null else absent_fields) if not case.guessed]
        made = sender.events(self.count)
        if known:
            made = [known[self.index % len(known)].applied(event) for event in made]
        events += made
        sender.emit(made)
        await sender.advance()

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="events", events=self.count, lacks="null" if self.is_null else "absent")

    def simpler(self) -> Iterator[Step]:
        yield Occur(self.count)
        yield from (Lack(self.index, self.is_null, count) for count in range(1, self.count))
        yield from (Lack(index, self.is_null, self.count) for index in range(self.index))


class Elsewhere(msgspec.Struct, frozen=True):
    """Events of new recipients occur for another webhook, which no fault or outage hits."""

    count: int

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        made = sender.events(self.count)
        sender.emit(made, 1)
        await sender.advance()
        # The newest of the first webhook's stay the newest: a later step repeats one of them.
        events[:0] = made

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="elsewhere", events=self.count)

    def simpler(self) -> Iterator[Step]:
        yield Occur(self.count)
        yield from (Elsewhere(count) for count in (*COUNTS, *MANY) if count < self.count)


class Repeat(msgspec.Struct, frozen=True):
    """Another event of a mail occurs."""

    index: int
    """How many mails before the newest one it is."""

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        if events:
            before = events[-1 - self.index % len(events)]
            newest = sender.shape.moment(sender.event())
            events.append(before if newest is None else sender.shape.at(before, newest))
            sender.emit(events[-1:])
            await sender.advance()

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="repeat")

    def simpler(self) -> Iterator[Step]:
        yield from (Repeat(index) for index in range(self.index))


class Inject(msgspec.Struct, frozen=True):
    """A fault hits the next attempts to which it applies."""

    kind: str
    settings: dict[str, Any]

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        sender.fault(self.kind, **{"times": 1, **self.settings})

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="fault", fault=self.kind)

    def simpler(self) -> Iterator[Step]:
        if self.kind != "lost-ack":
            yield Inject("lost-ack", {})
        if self.settings.keys() - {"times"}:
            # Commands can deliver a batch twice in a row, but not at the same moment.
            yield Inject(self.kind, {})
        if self.settings.get("times", 1) > 1:
            yield Inject(self.kind, {name: value for name, value in self.settings.items() if name != "times"})


class BeginOutage(msgspec.Struct, frozen=True):
    """The consumer cannot be reached for a while."""

    duration: int

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        sender.outage(self.duration)

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="outage", milliseconds=self.duration)

    def simpler(self) -> Iterator[Step]:
        yield from (BeginOutage(duration) for duration in OUTAGES if duration < self.duration)


class Advance(msgspec.Struct, frozen=True):
    """Virtual time passes."""

    duration: int

    async def play(self, sender: HistorySender, events: list[Event]) -> None:
        await sender.advance(self.duration)

    def seen(self) -> HistoryStep:
        return HistoryStep(kind="time", milliseconds=self.duration)

    def simpler(self) -> Iterator[Step]:
        yield from (Advance(duration) for duration in PAUSES if duration < self.duration)


Step = Occur | Lack | Elsewhere | Repeat | Inject | BeginOutage | Advance

History = tuple[Step, ...]
"""Steps of one history, in order. Everything pending is delivered after its last step."""
