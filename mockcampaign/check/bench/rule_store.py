"""What the consumer says it has processed of one rule's events, beside what was sent of them."""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.check.examined import Event, NotExercised
from mockcampaign.check.probes.end_state import States, StateSource
from mockcampaign.check.probes.store_probe import Found, StoreProbe, UrlProbe
from mockcampaign.engine.journal import Attempted, Probed, Requested
from mockcampaign.judging.consumer_store import Probe, canonical, events_in
from mockcampaign.judging.difference import Difference, difference
from mockcampaign.judging.fact import Needs
from mockcampaign.judging.ledger import Ledger
from mockcampaign.wallclock import pause

SETTLE_POLL = 50
"""Milliseconds between two looks at an account that may still change."""

AGREEING_PART = 20
"""Where nothing differs of what came again, it need not stay so for as long as the account may take to settle, but for
this part of it: what is stored twice is stored once before."""


class _Sent(NamedTuple):
    """An event in canonical form, and what the account shows of it."""

    whole: bytes
    shown: bytes


class RuleStore:
    """The account of one rule's events, whatever else the consumer has processed before and meanwhile."""

    def __init__(
        self,
        campaign: Campaign,
        ledger: Ledger,
        source: StoreProbe | None,
        state: StateSource | None,
        *,
        shown_fields: frozenset[str],
        settle: int,
    ) -> None:
        """`shown_fields` are those that the account shows as they were sent; `settle` is in milliseconds."""
        self.source = source
        self.state = state
        self.shown_fields = shown_fields
        self._campaign = campaign
        self._ledger = ledger
        self._settle = settle
        self._mail_ids: set[str] = set()
        self._count_before: int | None = None
        self.differed: Difference | None = None
        """How it was not as it should be, when that was so last."""
        self._sent: dict[int, _Sent] = {}
        self._read = 0
        """How many entries of the ledger's `happened` are in `_sent`."""
        self._compared: tuple[int, Counter[bytes], Counter[bytes]] = (-1, Counter(), Counter())
        """Length of the journal, and what it required of the store and allowed in it then."""

    @property
    def has_probe(self) -> bool:
        """Whether somebody tells what was processed."""
        return self.source is not None

    @property
    def tells_events(self) -> bool:
        """Whether somebody tells the events, not only their number."""
        return self.source is not None and self.source.tells_events

    @property
    def probe(self) -> Probe | None:
        """Where the events can be asked for by anybody, if there is such a place."""
        return self.source.probe if isinstance(self.source, UrlProbe) and self.source.tells_events else None

    def expect_events_of(self, events: Iterable[Event]) -> None:
        """Look for these in the account, too, though they were not sent as Campaign sends them."""
        self._mail_ids.update(event["mailId"] for event in events if isinstance(event.get("mailId"), str))

    async def begin(self, *, at_rest: bool) -> None:
        """Note how many events there were before, where the account is no more than a number.

        `at_rest` says that all that was sent before is in it; else that is waited for.
        """
        if self.source is None or self.source.tells_events:
            return
        count = await self._count(self.source)
        waited = self._settle if at_rest else 0
        while waited < self._settle:
            await pause(SETTLE_POLL)
            before, count = count, await self._count(self.source)
            waited = waited + SETTLE_POLL if count == before else 0
        self._count_before = count

    @staticmethod
    async def _count(source: StoreProbe) -> int:
        found = await source.ask()
        return found if isinstance(found, int) else len(found)

    def left_at_rest(self, before: bool) -> bool:
        """Whether the account was looked at, and settled, after the last request; `before` where there is none."""
        entries = reversed(self._campaign.journal.entries)
        last = next((entry for entry in entries if isinstance(entry, Attempted | Requested | Probed)), None)
        return before if last is None else isinstance(last, Probed)

    async def held(self) -> Found:
        """This rule's own events in the account, or how many came since the rule began.

        Raises `NotExercised` without a probe.
        """
        if self.source is None:
            raise NotExercised(Needs(need="probe"))
        found = await self.source.ask()
        if isinstance(found, int):
            return found - (self._count_before or 0)
        return [event for event in events_in(found) if event.get("mailId") in self._mail_ids]

    async def holds_element(self, element: int) -> bool:
        """Whether the account holds this number among its events. Raises `NotExercised` where it tells no events."""
        found = None if self.source is None else await self.source.ask()
        if not isinstance(found, list):
            raise NotExercised(Needs(need="probe events"))
        return element in found

    async def states(self, settled: Callable[[States], object]) -> States:
        """The consumer's end state, once what `settled` makes of it is the same for as long as it may take to settle.

        Raises `NotExercised` where nobody tells it.
        """
        if self.state is None:
            raise NotExercised(Needs(need="state"))
        states = await self.state.ask()
        waited = 0
        while waited < self._settle:
            await pause(SETTLE_POLL)
            before, states = states, await self.state.ask()
            waited = waited + SETTLE_POLL if settled(states) == settled(before) else 0
        return states

    async def events_held(self) -> list[Event]:
        """This rule's own events in the account, once it is settled.

        Raises `NotExercised` where it tells only their number.
        """
        found = await self.settled(self.difference_now)
        held = found[1]
        if isinstance(held, int):
            raise NotExercised(Needs(need="probe events"))
        return held

    async def difference(self) -> Difference:
        """How the account differs from what was delivered, once it is settled.

        An event that was emitted more than once may be there as often, and must be there once if it was acknowledged.
        """
        return (await self.settled(self.difference_now))[0]

    async def difference_of(self, events: Sequence[Event]) -> Difference:
        """The same of these events alone, each of which must be there once."""
        mails = {event["mailId"] for event in events}
        wanted = Counter(self.shown(event) for event in {body_of([event]): event for event in events}.values())
        may = Counter(self.shown(event) for event in events)

        async def look() -> tuple[Difference, Found]:
            held = await self.held()
            if isinstance(held, int):
                return await self.difference_now()
            ours = Counter(self.shown(event) for event in held if event.get("mailId") in mails)
            return difference(wanted, may, ours), held

        return (await self.settled(look))[0]

    async def settled(self, look: Callable[[], Awaitable[tuple[Difference, Found]]]) -> tuple[Difference, Found]:
        """Look until nothing differs, or it has differed alike for as long as it may take to settle."""
        waited = 0
        before: Difference | None = None
        patience = self._settle
        agreeing = patience // AGREEING_PART if self._came_again() else 0
        while True:
            # By how it differs, and not by what is there: rows may hold what changes by itself, such as their age.
            found, held = await look()
            if patience == 0 or (found == before and waited >= (patience if found else agreeing)):
                break
            waited = waited + SETTLE_POLL if found == before else 0
            before = found
            await pause(SETTLE_POLL)
        self._campaign.journal.append(self._probed(held))
        if found:
            self.differed = found
        return found, held

    def _came_again(self) -> bool:
        """Whether anything may have been sent more than once."""
        return any(entry.faults or entry.first_number > 1 or entry.count > 1 for entry in self._ledger.attempts)

    def _probed(self, held: Found) -> Probed:
        if isinstance(held, int):
            return Probed(at=self._campaign.now, count=held, events=None)
        ours = {event.whole for event in self._sent_events().values()}
        events = self._campaign.masking.events(map(canonical, held), ours)
        return Probed(at=self._campaign.now, count=len(held), events=tuple(map(msgspec.Raw, events)))

    async def difference_now(self) -> tuple[Difference, Found]:
        """How the account differs from what was delivered as it is now, and what it holds."""
        held = await self.held()
        required, allowed = self._required_and_allowed()
        if isinstance(held, int):
            return Difference.of_counts(required.total(), allowed.total(), held), held
        return difference(required, allowed, Counter(self.shown(event) for event in held)), held

    def _required_and_allowed(self) -> tuple[Counter[bytes], Counter[bytes]]:
        """Return how often each event must, and how often it may be in the store. Both change with the journal only."""
        ledger = self._ledger
        length, required, allowed = self._compared
        if length == ledger.next_position:
            return required, allowed
        sent = self._sent_events()
        # Events are compared by the fields that the probe reports, but only fully equal events count as one.
        whole = Counter(sent[serial] for serial in ledger.attempted)
        acknowledged = {sent[serial].whole for serial in ledger.delivered()}
        required, allowed = Counter(), Counter()
        for event, times in whole.items():
            allowed[event.shown] += times
            required[event.shown] += event.whole in acknowledged
        self._compared = ledger.next_position, required, allowed
        return required, allowed

    def _sent_events(self) -> dict[int, _Sent]:
        """Return all events by serial. Each event is decoded once, however often somebody looks."""
        happened = self._ledger.happened
        for entry in happened[self._read :]:
            for serial, encoded in enumerate(entry.events, entry.first_serial):
                event = msgspec.json.decode(encoded)
                self._sent[serial] = _Sent(canonical(event), self.shown(event))
        self._read = len(happened)
        return self._sent

    def shown(self, event: Event) -> bytes:
        """What is compared of an event: the fields that the account shows. Null and absent are the same, and so are all
        spellings of an address: databases that have a type for these give them back in one (RFC 5952)."""
        fields = {name: event[name] for name in self.shown_fields if event.get(name) is not None}
        address = fields.get("remoteAddress")
        if isinstance(address, str):
            fields["remoteAddress"] = _spelled(address)
        return msgspec.json.encode(fields, order="sorted")


@functools.lru_cache(maxsize=4096)  # the same few come again with every look at an account
def _spelled(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def body_of(events: Sequence[Event]) -> bytes:
    """The body of a list of these events."""
    return msgspec.json.encode(list(events))
