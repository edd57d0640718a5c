"""The engine under a load, with the time as an argument: nothing here waits, sends or reads a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial

import pytest

from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Journal
from mockcampaign.engine.outbox import Attempt
from mockcampaign.load_test.arrivals import Load, PlannedOutage
from mockcampaign.load_test.live_sender import LiveSender, streams
from mockcampaign.model import EventType, Outcome, Responded, TimedOut
from mockcampaign.policy import DEFAULT_START, Policy
from mockcampaign.transport.always_ok import AlwaysOkTransport

START = DEFAULT_START + 1_000
OK, BUSY = Responded(200), Responded(503)


def sender_of(load: Load, *, types: tuple[EventType, ...] = (EventType.OPEN,), policy: Policy = Policy()) -> LiveSender:
    campaign = Campaign(AlwaysOkTransport(), policy=policy, journal=Journal(entries_max=50, events_max=500))
    of_webhooks = streams(campaign, "http://127.0.0.1:9/hook", load.webhooks, types=types)
    return campaign.driven_by(partial(LiveSender, load=load, of_webhooks=of_webhooks, start=START))


class Simulated:
    """Plays a load in virtual microseconds, with a consumer that takes a time for each batch."""

    def __init__(
        self,
        sender: LiveSender,
        took: int,
        outcome: Callable[[Attempt], Outcome] = lambda attempt: OK,
        pause: Callable[[int], int] = lambda now: 0,
    ) -> None:
        """`pause` is how much later than asked for the sender gets its turn."""
        self.sender, self._took, self._outcome, self._pause = sender, took, outcome, pause
        self._ends: list[tuple[int, int, Attempt]] = []
        self.sent: list[tuple[int, Attempt]] = []

    def play(self, until: int) -> None:
        """Play until so many milliseconds after the load began."""
        now, last = 0, (START + until) * 1_000
        while True:
            moments = [end for end, *_ in self._ends[:1]]
            due = self.sender.next_at()
            moments += [] if due is None else [due * 1_000]
            now = max(now, min(moments, default=last + 1))
            if now > last:
                return
            now += self._pause(now - START * 1_000)
            if self._ends and self._ends[0][0] <= now:
                _, _, attempt = heapq.heappop(self._ends)
                self._send(self.sender.conclude(attempt, self._outcome(attempt), now), now)
            else:
                self._send(self.sender.due(now), now)

    def _send(self, attempts: list[Attempt], now: int) -> None:
        for attempt in attempts:
            self.sent.append((now, attempt))
            heapq.heappush(self._ends, (now + self._took, len(self.sent), attempt))


def test_every_batch_of_a_fast_consumer_starts_at_its_moment() -> None:
    load = Load(events_per_second=2_000, milliseconds=2_000, webhooks=4)
    played = Simulated(sender_of(load), took=3_000)
    played.play(4_000)
    sender = played.sender
    arrivals = [(START + arrival.at) * 1_000 for arrival in load.arrivals()]
    assert [now for now, _ in played.sent] == arrivals
    assert (sender.batches, sender.late, sender.is_idle) == (len(arrivals), 0, True)
    assert (sender.balance.created, sender.balance.accepted, sender.balance.pending) == (4_000, 4_000, 0)
    assert sender.deliveries.percentiles().max == pytest.approx(3_000, rel=0.001)
    assert sender.outcomes == {"responded 200": len(arrivals)}


def test_arrivals_keep_their_times_while_a_slow_consumer_makes_batches_wait() -> None:
    load = Load(events_per_second=1_000, milliseconds=1_000)
    played = Simulated(sender_of(load), took=250_000)
    played.play(999)
    created = {event.created for _, attempt in played.sent for event in attempt.events}
    assert created <= {START + arrival.at for arrival in load.arrivals()}
    assert played.sender.balance.created == 1_000
    assert played.sender.pending == 700  # three batches in 999 ms
    assert played.sender.late == 0  # the sender is not to blame
    assert played.sender.responses.percentiles().max == pytest.approx(250_000, rel=0.001)
    assert played.sender.deliveries.percentiles().max == pytest.approx(550_000, rel=0.001)


def test_a_sender_that_gets_its_turn_late_says_so() -> None:
    load = Load(events_per_second=1_000, milliseconds=1_000)
    played = Simulated(sender_of(load), took=1_000, pause=lambda now: 20_000 if 290_000 < now < 310_000 else 0)
    played.play(3_000)
    assert (played.sender.batches, played.sender.late) == (10, 1)
    assert played.sender.lateness.percentiles().max == pytest.approx(20_000, rel=0.001)


@pytest.mark.parametrize(("pause", "late"), [(4_999, 0), (5_000, 0), (5_001, 1)])
def test_late_is_more_than_five_milliseconds(pause: int, late: int) -> None:
    played = Simulated(sender_of(Load(events_per_second=1, milliseconds=1_000)), took=1, pause=lambda now: pause)
    played.play(1_000)
    assert played.sender.late == late


def test_a_rejected_batch_is_retried_after_ten_seconds_and_then_counts_once() -> None:
    load = Load(events_per_second=100, milliseconds=1_000)
    played = Simulated(sender_of(load), 1_000, lambda attempt: OK if attempt.number == 2 else BUSY)
    played.play(11_500)
    first, second = played.sent[:2]
    assert second[0] - first[0] == 10_000_000 + 1_000
    assert second[1].events == first[1].events
    assert played.sender.balance.accepted == 10
    assert played.sender.balance.is_exact


def test_nothing_reaches_the_consumer_in_a_planned_outage() -> None:
    load = Load(events_per_second=1_000, milliseconds=40_000, webhooks=2, outages=(PlannedOutage(5_000, 20_000),))
    played = Simulated(sender_of(load), took=1_000)
    played.play(60_000)
    moments = [now // 1_000 - START for now, _ in played.sent]
    assert not [moment for moment in moments if 5_000 < moment < 20_000]
    assert played.sender.late == 0
    assert played.sender.balance.accepted == 40_000
    assert played.sender.outcomes["connection refused (planned outage)"] == 4


def test_the_backlog_of_an_outage_is_drained_when_its_last_event_is_delivered() -> None:
    load = Load(events_per_second=50, milliseconds=4_000, outages=(PlannedOutage(1_000, 2_000),))
    played = Simulated(sender_of(load), took=1_000)
    played.play(2_000)
    [recovery] = played.sender.backlogs.recoveries()
    assert (recovery.backlog, recovery.drained_after) == (50, None)
    played.play(20_000)
    [recovery] = played.sender.backlogs.recoveries()
    last = next(now for now, one in played.sent if any(event.created == START + 2_000 for event in one.events))
    assert recovery.drained_after == last // 1_000 + 1 - START - 2_000 >= 9_000
    assert not recovery.drained_by(load.milliseconds)


def test_the_backlog_of_an_outage_is_drained_when_each_webhook_has_delivered_its_own() -> None:
    outages = (PlannedOutage(1_000, 2_000), PlannedOutage(3_000, 3_500))
    load = Load(events_per_second=1_000, milliseconds=30_000, webhooks=2, outages=outages)
    sender = sender_of(load)
    played = Simulated(sender, 1_000, lambda one: BUSY if one.webhook_id == 2 and one.number == 2 else OK)
    played.play(12_000)
    assert [one.drained_after for one in sender.backlogs.recoveries()] == [None, None]
    played.play(40_000)
    first, second = sender.backlogs.recoveries()
    assert 18_000 < (first.drained_after or 0) < 20_000
    assert 16_000 < (second.drained_after or 0) < 20_000


@pytest.mark.parametrize("took", [1_000, 1_000_000_000])
def test_a_consumer_that_hangs_makes_no_more_events_pending_than_are_allowed(took: int) -> None:
    load = Load(events_per_second=10_000, milliseconds=5_000, webhooks=3, pending_max=1_000)
    played = Simulated(sender_of(load), took=took)
    played.play(6_000)
    hangs = took > 1_000
    # The limit and one arrival more: 1,100 events have occurred after 100 ms.
    assert played.sender.pending == 1_100 * hangs
    assert played.sender.full_at == (100 if hangs else None)
    assert played.sender.balance.created == (1_100 if hangs else load.events)
    assert played.sender.balance.is_exact


def test_what_was_delivered_or_discarded_leaves_room_for_other_events() -> None:
    load = Load(events_per_second=100, milliseconds=60_000, pending_max=1_000)
    policy = Policy(event_age_max=5_000, retry_interval=4_000)
    discarding = Simulated(sender_of(load, policy=policy), 1_000, lambda attempt: BUSY)
    discarding.play(60_000)
    assert (discarding.sender.full_at, discarding.sender.balance.created) == (None, 6_000)
    assert discarding.sender.balance.discarded > 5_000


def test_events_expire_after_their_age() -> None:
    policy = Policy(event_age_max=20_000)
    played = Simulated(
        sender_of(Load(events_per_second=10, milliseconds=1_000), policy=policy), 1_000, lambda one: BUSY
    )
    played.play(60_000)
    balance = played.sender.balance
    assert (balance.created, balance.accepted, balance.discarded, balance.pending) == (10, 0, 10, 0)


def test_each_event_is_of_one_webhook_whatever_types_they_have() -> None:
    load = Load(events_per_second=1_000, milliseconds=1_000, webhooks=5)
    played = Simulated(sender_of(load, types=(EventType.OPEN, EventType.CLICK)), took=1_000)
    played.play(3_000)
    payloads = [event.encoded for _, attempt in played.sent for event in attempt.events]
    assert len(payloads) == len(set(payloads)) == 1_000


def test_after_the_stop_nothing_starts_and_what_is_under_way_counts() -> None:
    load = Load(events_per_second=1_000, milliseconds=1_000)
    sender = sender_of(load)
    [attempt] = sender.due(START * 1_000)
    sender.stop()
    assert sender.due(START * 1_000 + 500_000) == []
    assert sender.conclude(attempt, TimedOut("wait"), START * 1_000 + 600_000) == []
    assert (sender.balance.accepted, sender.balance.pending) == (0, 100)
    assert sender.balance.is_exact
    assert sender.outcomes == {"timed out": 1}


def test_equal_seeds_give_equal_events() -> None:
    load = Load(events_per_second=1_000, milliseconds=500)
    runs = []
    for _ in range(2):
        played = Simulated(sender_of(load), took=1_000)
        played.play(1_000)
        runs.append([event.encoded for _, attempt in played.sent for event in attempt.events])
    assert runs[0] == runs[1]
