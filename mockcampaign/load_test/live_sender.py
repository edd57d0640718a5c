"""The engine under a load. It gets the time, and returns what to send at once: nothing here waits or sends."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Discarded, Entry, Happened
from mockcampaign.engine.loop import Driver, Send
from mockcampaign.engine.outbox import Attempt
from mockcampaign.events import Generator
from mockcampaign.judging.ledger import Totals
from mockcampaign.load_test.arrivals import Load, PlannedOutage
from mockcampaign.load_test.latencies import Latencies
from mockcampaign.load_test.recoveries import Backlogs
from mockcampaign.model import Authentication, EventType, NoAuthentication, Outcome, Request, Responded, TimedOut
from mockcampaign.policy import DEFAULT_CLIENT_ID

LATE_MICROSECONDS = 5_000
"""A batch that starts later than that after its moment counts as late."""

MADE_AHEAD = 16
"""Number of arrivals whose events are made before they occur, while nothing has to be sent."""

EVENTS_MAX = 1 << 40
"""More events than a load has."""


class Stream(msgspec.Struct):
    """The events of one webhook, each made when it is asked for."""

    webhook_id: int
    client_id: int
    type: EventType
    at: int = 0
    """The `created` of the next event."""
    payloads: Iterator[bytes] = iter(())

    def moments(self) -> Iterator[int]:
        """Yield `at` for ever."""
        while True:
            yield self.at


def streams(
    campaign: Campaign,
    url: str,
    webhooks: int,
    *,
    types: Sequence[EventType] = (EventType.OPEN,),
    authentication: Authentication = NoAuthentication(),
    client_id: int = DEFAULT_CLIENT_ID,
) -> list[Stream]:
    """Create and activate webhooks for each of the types in turn, and return their events.

    No two webhooks of one client have one type, so that each event is of one webhook.
    """
    made = []
    for index in range(webhooks):
        owner, event_type = client_of(index, client_id, types), types[index % len(types)]
        webhook = campaign.activate(campaign.create(event_type, url, authentication=authentication, client_id=owner))
        stream = Stream(webhook.id, owner, event_type)
        generator = Generator(f"{campaign.seed}:{owner}:{event_type}", owner)
        stream.payloads = generator.payloads(event_type, EVENTS_MAX, stream.moments())
        made.append(stream)
    return made


def client_of(index: int, client_id: int, types: Sequence[EventType]) -> int:
    """Return the id of the client that has a webhook of `streams`."""
    return client_id + index // len(types)


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the events are. `pending` is counted in the outboxes, all else from the journal."""

    created: int
    accepted: int
    discarded: int
    pending: int

    @property
    def is_exact(self) -> bool:
        """Whether no event is missing, and none is counted twice."""
        return self.created == self.accepted + self.discarded + self.pending


class LiveSender(Driver):
    """Lets the events of a load occur, and starts attempts when they are due.

    Moments are microseconds since 1970; the engine rounds them down to milliseconds.
    """

    def __init__(
        self, exporter: Exporter, send: Send, *, load: Load, of_webhooks: Sequence[Stream], start: int
    ) -> None:
        """The load begins at `start`, in milliseconds since 1970."""
        super().__init__(exporter, send)
        self.start = start
        self.load = load
        self._streams = of_webhooks
        self._arrivals = load.arrivals()
        self._made: deque[tuple[int, EventsDue]] = deque()
        self._occurring_at: int | None = None
        """The moment of the arrival that is on the engine's clock."""
        self._all_made = False
        self._turns: deque[tuple[int, PlannedOutage]] = deque(
            [(start + moment, outage) for outage in load.outages for moment in (outage.start, outage.end)]
        )
        """When outages begin and end, in order."""
        self.backlogs = Backlogs(load.outages)
        self._free_since: dict[int, int] = {}
        """When each webhook's last attempt ended, in microseconds."""
        self._started_at: dict[int, int] = {}
        """When each webhook's attempt under way started, in microseconds."""
        self._stopped = False
        self.full_at: int | None = None
        """When more events were pending than `Load.pending_max`, in milliseconds since the load began; else None."""
        self._waiting = 0
        """`pending`, without asking every webhook."""
        self._created = 0
        self._totals = Totals()
        exporter.journal.follow(self._note)
        self._let_next_occur()
        self.batches = 0
        """Number of batches that were sent."""
        self.late = 0
        """Number of batches that started more than `LATE_MICROSECONDS` after their moment."""
        self.lateness = Latencies()
        self.responses = Latencies()
        """Durations from the start of a request to its outcome."""
        self.deliveries = Latencies()
        """Durations from the moment at which the oldest event of an accepted batch occurred to its acceptance."""
        self.outcomes: Counter[str] = Counter()
        """Outcomes of what was sent, and of attempts in an outage, in words."""

    # Time

    def next_at(self) -> int | None:
        """Return the next due moment in milliseconds, or None if nothing will be due."""
        due = self.exporter.clock.next_due()
        if self._turns and not self._stopped:
            turn = self._turns[0][0]
            return turn if due is None else min(due, turn)
        return due

    @property
    def all_occurred(self) -> bool:
        """Whether the last event has occurred."""
        return self._all_made and not self._made and self._occurring_at is None

    def request_of(self, attempt: Attempt) -> Request:
        """Return the request of an attempt."""
        return self.exporter.request_of(attempt)

    def due(self, now: int) -> list[Attempt]:
        """Do everything that is due by now, and return the attempts to send at once."""
        attempts: list[Attempt] = []
        exporter, until = self.exporter, now // 1_000
        if until < exporter.clock.now:
            return attempts
        while not self._stopped:
            turn = self._turns[0][0] if self._turns else None
            limit = until if turn is None else min(until, turn)
            self._let_next_occur()
            if exporter.move(limit):
                self._start(now, attempts)
            elif turn is not None and turn <= until:
                self._begin_or_end(*self._turns.popleft())
            else:
                break
        return attempts

    def conclude(self, attempt: Attempt, outcome: Outcome, now: int) -> list[Attempt]:
        """Take the outcome of an attempt that has ended now, and return the attempts to send at once."""
        attempts = self.due(now)
        webhook_id = attempt.webhook_id
        measured = outcome.measured
        took = now - self._started_at[webhook_id] if measured is msgspec.UNSET else measured.microseconds
        self.responses.record(max(1, took))
        self.outcomes[words(outcome)] += 1
        if outcome.accepted:
            self.deliveries.record(max(1, now - attempt.events[0].created * 1_000))
            self._waiting -= len(attempt.events)
            self.backlogs.note_left(webhook_id, len(attempt.events), now // 1_000 - self.start)
        self._free_since[webhook_id] = now
        self.exporter.complete_attempt_now(attempt, outcome)
        return attempts + self.due(now)

    def stop(self) -> None:
        """Start nothing more. Attempts under way may still be concluded."""
        self._stopped = True

    def make_ahead(self) -> None:
        """Make events that occur later. Call it when nothing has to be sent."""
        while len(self._made) < MADE_AHEAD and self._make():
            pass

    # Numbers

    @property
    def pending(self) -> int:
        """How many events are neither accepted nor discarded."""
        return sum(self.exporter.pending_count(stream.webhook_id) for stream in self._streams)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to send."""
        return self.all_occurred and self.exporter.idle

    @property
    def balance(self) -> Balance:
        """Where the events are now."""
        whole = self._totals.whole
        return Balance(created=self._created, accepted=whole.delivered, discarded=whole.discarded, pending=self.pending)

    def _note(self, position: int, entry: Entry) -> None:
        self._totals.note(position, entry)
        if isinstance(entry, Happened):
            occurred = len(entry.events) * len(entry.webhook_ids)
            self._created += occurred
            self._waiting += occurred
        elif isinstance(entry, Discarded):
            discarded = sum(last - first + 1 for first, last in entry.serials)
            self._waiting -= discarded
            self.backlogs.note_left(entry.webhook_id, discarded, entry.at - self.start)

    # Steps of `due`

    def _begin_or_end(self, moment: int, outage: PlannedOutage) -> None:
        end = self.start + outage.end
        if moment < end:
            self.exporter.declare_outage("refused", end)
        else:
            ids = [stream.webhook_id for stream in self._streams]
            self.backlogs.note_end(outage, {one: self.exporter.pending_count(one) for one in ids})

    def _make(self) -> bool:
        arrival = next(self._arrivals, None)
        if arrival is None:
            self._all_made = True
            return False
        stream = self._streams[arrival.webhook]
        stream.at = at = self.start + arrival.at
        payloads = tuple([(at, payload) for payload in islice(stream.payloads, arrival.count)])
        self._made.append((at, EventsDue(client_id=stream.client_id, type=stream.type, payloads=payloads)))
        return True

    def _let_next_occur(self) -> None:
        """Put the next arrival on the engine's clock, once the one before has occurred."""
        if self._occurring_at is not None:
            return
        if self._made or self._make():
            self._occurring_at, due = self._made.popleft()
            self.exporter.schedule(self._occurring_at, due)

    def _start(self, now: int, attempts: list[Attempt]) -> None:
        exporter = self.exporter
        if self._occurring_at is not None and self._occurring_at <= exporter.clock.now:
            self._occurring_at = None
            if self._waiting > self.load.pending_max:
                self.full_at = exporter.clock.now - self.start
                self.stop()
        for attempt in exporter.start_due():
            outcome = exporter.predetermined_outcome(attempt)
            if outcome is None:
                self._note_start(attempt, now)
                attempts.append(attempt)
            else:
                self.outcomes[f"{words(outcome)} (planned outage)"] += 1
                self._free_since[attempt.webhook_id] = attempt.started_at * 1_000
                exporter.complete_attempt(attempt, outcome)

    def _note_start(self, attempt: Attempt, now: int) -> None:
        free = self._free_since.get(attempt.webhook_id, 0)
        if attempt.number == 1:
            moment = max(attempt.events[0].created * 1_000, free)
        else:
            moment = free + self.exporter.policy.retry_interval * 1_000
        lateness = max(0, now - moment)
        self.batches += 1
        self.late += lateness > LATE_MICROSECONDS
        self.lateness.record(max(1, lateness))
        self._started_at[attempt.webhook_id] = now


def words(outcome: Outcome) -> str:
    """Return a few words for an outcome, equal for outcomes of one kind."""
    if isinstance(outcome, Responded):
        return f"responded {outcome.status}"
    return "timed out" if isinstance(outcome, TimedOut) else outcome.reason
