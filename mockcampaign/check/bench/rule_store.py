"""Comparing what the consumer has stored of one rule's events with what was sent of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from mockcampaign import json_text
from mockcampaign.campaign import Campaign
from mockcampaign.check.bench.context import CheckContext
from mockcampaign.check.examined import ProbeFailedError, SkipRule
from mockcampaign.check.probes.end_state import States, StateSource
from mockcampaign.check.probes.question import Found, Question, found_or_nothing
from mockcampaign.check.probes.shown_fields import ShownFields
from mockcampaign.check.probes.sql_probe import SqlProbe
from mockcampaign.check.probes.store_probe import StoreProbe, UrlProbe
from mockcampaign.check.probes.stored_list import StoredList, events_of
from mockcampaign.engine.journal import Attempted, Probed, Requested
from mockcampaign.errors import CouldNotTellError, StoreMissingError
from mockcampaign.judging.consumer_store import Probe, canonical
from mockcampaign.judging.difference import Difference, difference
from mockcampaign.judging.fact import Needs
from mockcampaign.judging.ledger import Ledger
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.shape import Shape
from mockcampaign.wallclock import pause

SETTLE_POLL = 50
"""Wall milliseconds between two readings of a store that may still change."""

AGREEING_PART = 20
"""A store of redelivered events that agrees has to stay so for this part of the time that it may take to settle, not
for all of it: an event that is stored twice is stored once before."""


_Reported = TypeVar("_Reported")

Look = Callable[[], Awaitable[tuple[Difference, Found]]]
"""Returns how the store differs at this moment, and what is stored."""

AGREEMENT = Difference(missing=(), surplus=(), altered=())


class RuleStore:
    """The consumer's store as far as it holds one rule's events, whatever else was stored before and meanwhile."""

    def __init__(self, context: CheckContext, campaign: Campaign, ledger: Ledger, rule_id: str) -> None:
        self._rule_id = rule_id
        self.probe: StoreProbe | None = context.probe
        self._incidents = context.incidents
        self._transport = context.transport
        self.state: StateSource | None = context.state
        self.shown_fields = context.shown_fields
        self._campaign = campaign
        self._ledger = ledger
        self._settle = context.settings.settle
        # Events are created before they are stored, but for those that are ahead of the consumer's clock.
        self.question = Question(context.settings.shape, context.settings.now)
        """The events that were sent, by which the probe may select and stored ones are recognised."""
        self._count_before: int | None = None
        self.newest_difference: Difference | None = None
        """How the store differed when it was last seen to differ."""
        self._missing_before = 0
        """Number of missing events when `loss_of` last looked, if the probe reports only how many are stored."""
        self._surplus_before = 0
        """Number of surplus events when `duplicates_of` last looked, if the probe reports only how many are stored."""
        self._shown = ShownFields(self.shown_fields, self.question.shapes)
        self._sent: dict[int, bytes] = {}
        """Events in canonical form, by serial."""
        self._read = 0
        """Number of entries of the ledger's `happened` that are in `_sent`."""
        self._is_deferring = False
        self._deferred: list[Look] = []
        """How to see whether the store agrees, wherever that was assumed."""
        self._reading: Found | None = None
        """A response of the probe by which assumptions are confirmed, instead of another one."""
        self._found: Found | None = None
        """The newest response of the probe."""
        self._compared: tuple[int, Counter[bytes], Counter[bytes]] = (-1, Counter(), Counter())
        """Length of the journal, and what it required of the store and allowed in it then."""

    @property
    def has_probe(self) -> bool:
        """Whether there is a probe at all."""
        return self.probe is not None

    @property
    def reports_events(self) -> bool:
        """Whether there is a probe that reports the events, not only their number."""
        return self.probe is not None and self.probe.reports_events

    @property
    def scenario_probe(self) -> Probe | SqlProbe | None:
        """The URL or query by which a scenario can read the stored events, if there is one."""
        match self.probe:
            case UrlProbe(reports_events=True, probe=probe):
                return probe
            case SqlProbe():
                return self.probe
            case _:
                return None

    def expect_events_of(self, events: Iterable[Event], shape: Shape | None = None) -> None:
        """Count the mails of these events among the rule's own, also if they are not sent as Campaign sends them."""
        if self.question.add(events, shape):
            self._shown = ShownFields(self.shown_fields, self.question.shapes)

    def mails_of(self, events: Iterable[object]) -> set[Hashable]:
        """Return what identifies the mails of these events."""
        return self.question.mails_of(events)

    async def begin(self, nobodys: Event, *, is_settled: bool) -> None:
        """Note how many events are stored before the rule begins, if the probe reports no more than a number.

        `nobodys` is an event with the ids of the rule's own that is never sent.

        Unless the store `is_settled`, wait until what was sent before is in it.
        """
        if self.probe is None or self.probe.reports_events:
            return
        question = Question(self.question.shapes[0], self._campaign.now)
        question.add([nobodys])
        count = await self._count(self.probe, question)
        waited = self._settle if is_settled else 0
        while waited < self._settle:
            await pause(SETTLE_POLL)
            before, count = count, await self._count(self.probe, question)
            waited = waited + SETTLE_POLL if count == before else 0
        self._count_before = count
        if count:
            self.probe.selection.ignore_all()

    async def _ask(self, probe: StoreProbe, question: Question) -> Found:
        """Return what the probe reports. Raise `ProbeFailedError` if it cannot be read any more."""
        if self._reading is not None:
            return self._reading
        asked = found_or_nothing(probe.ask(question), acknowledged=self._transport.has_acknowledged)
        found = await self.noted(probe, asked)
        self._incidents.elements_read = 1 if isinstance(found, int) else len(found)
        self._found = found
        return found

    async def _newest(self, probe: StoreProbe) -> Found:
        """Return the newest response of the probe, or another one if anything was sent since."""
        if self._found is not None and self.is_settled(before=False):
            return self._found
        return await self._ask(probe, self.question)

    async def noted(self, source: object, asked: Awaitable[_Reported]) -> _Reported:
        """Return what a probe reports, and note that it does. Raise `ProbeFailedError` if it did so before."""
        try:
            found = await asked
        except CouldNotTellError as error:
            # What is missing may have been missing from the beginning: then it was treated as an empty store.
            last = self._incidents.failed_reading(source)
            if last is not None and not isinstance(error, StoreMissingError):
                raise ProbeFailedError(str(error), last) from None
            raise
        self._incidents.note_reading(source, self._rule_id)
        return found

    async def _count(self, probe: StoreProbe, question: Question) -> int:
        found = await self._ask(probe, question)
        return found if isinstance(found, int) else len(found)

    def is_settled(self, before: bool) -> bool:
        """Return whether the store was read, and had settled, after the last request; `before` if there was none."""
        entries = reversed(self._campaign.journal.entries)
        last = next((entry for entry in entries if isinstance(entry, Attempted | Requested | Probed)), None)
        return before if last is None else isinstance(last, Probed)

    def defer(self) -> None:
        """Assume from now on that the store agrees, so that one reading can confirm it for several rules."""
        self._is_deferring = True

    @property
    def is_deferring(self) -> bool:
        """Whether the store is assumed to agree, so that it is read as rarely as possible."""
        return self._is_deferring

    @property
    def has_assumed(self) -> bool:
        """Whether the store was assumed to agree, so that it has to be read yet."""
        return bool(self._deferred)

    def assume_nothing(self) -> None:
        """Forget what was assumed: the rule has ended for another reason."""
        self._deferred.clear()

    async def read(self) -> Found:
        """Return a response of the probe that has the events of this rule, and of others if it does not select."""
        assert self.probe is not None
        found = await self._ask(self.probe, self.question)
        return found if isinstance(found, StoredList | int) else StoredList(found)

    async def agrees(self, reading: Found) -> bool:
        """Return whether the store agrees wherever that was assumed, by a reading after the rule."""
        self._reading = reading
        try:
            for look in self._deferred:
                found, stored = await look()
                if found:
                    return False
            self._campaign.journal.append(self._probed(stored))
        finally:
            self._reading = None
        self.assume_nothing()
        return True

    async def stored(self) -> Found:
        """Return this rule's own stored events, or how many were stored since the rule began.

        Raise `SkipRule` if there is no probe.
        """
        if self.probe is None:
            raise SkipRule(Needs(need="probe"))
        found = await self._ask(self.probe, self.question)
        if isinstance(found, int):
            return found - (self._count_before or 0)
        return events_of(found, self.question.mails, self.question.keyed)

    async def non_events(self) -> int:
        """Return how many elements besides events are stored. No mail's key is in them, or an empty one.

        Raise `SkipRule` if the probe reports no events.
        """
        found = await self._elements()
        return sum(not any(any(shape.key(one) or ()) for shape in self.question.keyed) for one in found)

    async def _elements(self) -> list[Any]:
        found = None if self.probe is None else await self._newest(self.probe)
        if not isinstance(found, list):
            raise SkipRule(Needs(need="probe events"))
        return found

    async def contains(self, element: object) -> bool:
        """Return whether this is stored among the events. Raise as `non_events` does."""
        return element in await self._elements()

    @property
    def selects_events(self) -> bool:
        """Whether the probe selects events, so that it may not report other elements."""
        return self.probe is not None and self.probe.selection.is_partial

    @property
    def is_read(self) -> bool:
        """Whether the probe was read since the consumer has accepted events of other rules."""
        reading = self._incidents.readings.get(self.probe)
        return reading is not None and not {*reading.accepted} - {self._rule_id}

    async def states(self, wrong: Callable[[States], object]) -> States:
        """Return the consumer's end state once what `wrong` finds in it stays the same until the state has settled.

        Raise `SkipRule` if there is no state probe.
        """
        if self.state is None:
            raise SkipRule(Needs(need="state"))
        states = await self.noted(self.state, self.state.ask(self.question))
        waited = 0
        while waited < self._settle:
            await pause(SETTLE_POLL)
            before, states = states, await self.noted(self.state, self.state.ask(self.question))
            waited = waited + SETTLE_POLL if wrong(states) == wrong(before) else 0
        return states

    async def stored_events(self) -> list[Event]:
        """Return this rule's own stored events, once the store has settled.

        Raise `SkipRule` if the probe reports only their number.
        """
        _, stored = await self.settled(self.difference_now)
        if isinstance(stored, int):
            raise SkipRule(Needs(need="probe events"))
        return stored

    async def difference(self) -> Difference:
        """Return how the store differs from what was delivered, once it has settled.

        An event that was emitted repeatedly may be stored as often, and must be stored once if it was acknowledged.
        """
        if not self._is_deferring:
            return (await self.settled(self.difference_now))[0]
        mails, (required, _) = frozenset(self.question.mails), self._required_and_allowed()

        async def look() -> tuple[Difference, Found]:
            stored = await self.stored()
            assert not isinstance(stored, int), "a number is not deferred"
            # What the rule has sent since may be stored as well.
            allowed = self._required_and_allowed()[1]
            ours = Counter(map(self.shown, events_of(stored, mails, self.question.keyed)))
            return difference(required, allowed, ours, self.question.shapes[0]), stored

        return self._assume(look)

    async def difference_of(self, events: Sequence[Event]) -> Difference:
        """Return how the store differs in these events, each of which must be stored once."""
        mails = self.mails_of(events)
        required = Counter(self.shown(event) for event in {canonical(event): event for event in events}.values())
        allowed = Counter(self.shown(event) for event in events)
        if not self.question.shapes[0].has(Role.MAIL):
            # Without an id of the mail, earlier events may have the same key.
            allowed |= self._required_and_allowed()[1]

        async def look() -> tuple[Difference, Found]:
            stored = await self.stored()
            if isinstance(stored, int):
                return await self.difference_now()
            ours = Counter(map(self.shown, events_of(stored, mails, self.question.keyed)))
            if self._reading is not None:
                # Further events of these mails may have been sent since.
                sent = self._required_and_allowed()[1]
                ours -= Counter({event: times for event, times in sent.items() if event not in allowed})
            return difference(required, allowed, ours, self.question.shapes[0]), stored

        return self._assume(look) if self._is_deferring else (await self.settled(look))[0]

    def _assume(self, look: Look) -> Difference:
        self._deferred.append(look)
        return AGREEMENT

    async def loss_of(self, events: Sequence[Event]) -> Difference | None:
        """Return which of these events, the newest ones, are missing; None if all of them are stored, altered or not.

        If the probe reports only their number, count what is missing since this was last asked.
        """
        found = await self.difference_of(events)
        before, self._missing_before = self._missing_before, found.missing_count
        lost = max(0, found.missing_count - before)
        if not found.missing and not lost:
            return None
        return msgspec.structs.replace(found, surplus=(), altered=(), surplus_count=0, missing_count=lost)

    async def duplicates_of(self, events: Sequence[Event]) -> Difference:
        """Return which of these redelivered events are stored more often than they may be, and nothing else.

        If the probe reports only their number, count what is surplus since this was last asked.
        """
        found = await self.difference_of(events)
        before, self._surplus_before = self._surplus_before, found.surplus_count
        surplus = max(0, found.surplus_count - before)
        return msgspec.structs.replace(found, missing=(), altered=(), missing_count=0, surplus_count=surplus)

    async def settled(self, look: Look) -> tuple[Difference, Found]:
        """Look until the store agrees, or has differed in the same way for as long as it may take to settle."""
        waited = 0
        before: Difference | None = None
        agreeing = self._settle // AGREEING_PART if self._is_redelivered() else 0
        while True:
            # Differences are compared, not rows: rows may contain what changes by itself, such as their age.
            try:
                found, stored = await look()
            except StoreMissingError:
                # A consumer that stores later may create its table later, too.
                if waited >= self._settle:
                    raise
                waited += SETTLE_POLL
                await pause(SETTLE_POLL)
                continue
            if self._settle == 0 or (found == before and waited >= (self._settle if found else agreeing)):
                break
            waited = waited + SETTLE_POLL if found == before else 0
            before = found
            await pause(SETTLE_POLL)
        self._campaign.journal.append(self._probed(stored))
        if found:
            self.newest_difference = found
        return found, stored

    def _is_redelivered(self) -> bool:
        """Return whether anything may have been sent more than once."""
        return any(entry.faults or entry.first_number > 1 or entry.count > 1 for entry in self._ledger.attempts)

    def _probed(self, stored: Found) -> Probed:
        if isinstance(stored, int):
            return Probed(at=self._campaign.now, count=stored, events=None)
        ours = set(self._sent_events().values())
        events = self._campaign.masking.events(map(canonical, stored), ours)
        return Probed(at=self._campaign.now, count=len(stored), events=tuple(map(msgspec.Raw, events)))

    async def difference_now(self) -> tuple[Difference, Found]:
        """Return how the store differs from what was delivered at this moment, and what is stored."""
        stored = await self.stored()
        required, allowed = self._required_and_allowed()
        if isinstance(stored, int):
            return Difference.of_counts(required.total(), allowed.total(), stored), stored
        return difference(
            required, allowed, Counter(self.shown(event) for event in stored), self.question.shapes[0]
        ), stored

    def _required_and_allowed(self) -> tuple[Counter[bytes], Counter[bytes]]:
        """Return how often each event must, and how often it may be in the store. Both change with the journal only."""
        ledger = self._ledger
        length, required, allowed = self._compared
        if length == ledger.next_position:
            return required, allowed
        sent = self._sent_events()
        # Events are compared by the fields that the probe reports, but only fully equal events count as one.
        whole = Counter(sent[serial] for serial in ledger.attempted)
        acknowledged = {sent[serial] for serial in ledger.delivered()}
        required, allowed = Counter(), Counter()
        for event, times in whole.items():
            shown = self._shown.of_canonical(event)
            allowed[shown] += times
            required[shown] += event in acknowledged
        self._compared = ledger.next_position, required, allowed
        return required, allowed

    def _sent_events(self) -> dict[int, bytes]:
        """Return all events by serial. Each event is decoded once, however often somebody looks."""
        happened = self._ledger.happened
        for entry in happened[self._read :]:
            for serial, encoded in enumerate(entry.events, entry.first_serial):
                self._sent[serial] = canonical(json_text.decode(encoded))
        self._read = len(happened)
        return self._sent

    def shown(self, event: Event) -> bytes:
        """Return what is compared of an event."""
        return self._shown.of(event)
