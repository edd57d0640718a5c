"""The law of the sender: whatever happens in whatever order, every accepted event is delivered once, discarded once,
or pending; and nothing is sent that must not be.

The model is as plain as possible: lists that are scanned as a whole at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from builders import CLIENT, START, exporter, happen
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Discarded, Happened
from mockcampaign.engine.outbox import Attempt
from mockcampaign.errors import WebhookError
from mockcampaign.model import EventType, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.policy import Policy
from old_fold import tally

SECOND = 1_000
AGE_MAX, INTERVAL, TIMEOUT, LIST_MAX = 60 * SECOND, 10 * SECOND, 5 * SECOND, 3
OUTCOMES: list[Outcome] = [
    Responded(200),
    Responded(204),
    Responded(500),
    NoResponse("wait", "connection closed before a response"),
    TimedOut("wait"),
]


@dataclass
class ModelWebhook:
    type: EventType
    status: str = "created"
    waiting: list[tuple[int, int]] = field(default_factory=list)
    """(created, serial) of the events that are neither delivered nor discarded nor in `out`, in any order."""
    retry: list[tuple[int, int]] = field(default_factory=list)
    retry_at: int = 0
    out: list[tuple[int, int]] = field(default_factory=list)
    out_until: int = 0
    out_accepted: bool = False
    delivered: list[int] = field(default_factory=list)
    discarded: set[int] = field(default_factory=set)


class Conservation(RuleBasedStateMachine):
    refill = False

    @initialize()
    def begin(self) -> None:
        policy = Policy(
            batch_events_max=LIST_MAX,
            retry_interval=INTERVAL,
            event_age_max=AGE_MAX,
            timeout=TIMEOUT,
            refill=self.refill,
        )
        self.box: Exporter = exporter(policy=policy)
        self.now = START
        self.serial = 0
        self.model: dict[int, ModelWebhook] = {}
        self.outcomes: list[Outcome] = []
        self.started: list[Attempt] = []

    # Commands

    @precondition(lambda self: len(self.model) < 3)
    @rule(event_type=st.sampled_from([EventType.OPEN, EventType.CLICK]), activate=st.booleans())
    def create(self, event_type: EventType, activate: bool) -> None:
        webhook_id = self.box.create(CLIENT, event_type, "http://consumer/").id
        self.model[webhook_id] = ModelWebhook(event_type)
        if activate:
            self.change(webhook_id, "activate")

    @rule(webhook_id=st.integers(1, 3), command=st.sampled_from(["activate", "deactivate", "delete"]))
    def change(self, webhook_id: int, command: str) -> None:
        webhook = self.model.get(webhook_id)
        after = {
            ("created", "activate"): "activated",
            ("activated", "deactivate"): "deactivated",
            ("deactivated", "activate"): "activated",
            ("deactivated", "delete"): "deleted",
        }.get((webhook.status if webhook else "none", command))
        if webhook is None or after is None:
            with pytest.raises(WebhookError):
                getattr(self.box, command)(CLIENT, webhook_id)
            return
        getattr(self.box, command)(CLIENT, webhook_id)
        webhook.status = after
        if after == "deleted":
            webhook.discarded |= {serial for _, serial in webhook.waiting + webhook.retry}
            webhook.waiting, webhook.retry = [], []

    @rule(
        event_type=st.sampled_from([EventType.OPEN, EventType.CLICK]),
        count=st.integers(1, 7),
        age=st.sampled_from([0, 0, 0, 1, 9 * SECOND, AGE_MAX - 1, AGE_MAX]),
    )
    def emit(self, event_type: EventType, count: int, age: int) -> None:
        happen(self.box, count, event_type, age=age)
        for _ in range(count):
            self.serial += 1
            for webhook in self.model.values():
                if webhook.type == event_type and webhook.status == "activated":
                    webhook.waiting.append((self.now - age, self.serial))
        self._expire_model()

    @rule(seconds=st.sampled_from([0, 1, 5, 9, 10, 11, 30, 59, 60, 61]), outcomes=st.lists(st.sampled_from(OUTCOMES)))
    def advance(self, seconds: int, outcomes: list[Outcome]) -> None:
        """On both sides, the n-th attempt of the span has the n-th outcome, and 500 when none is left."""
        until = self.now + seconds * SECOND
        answers = iter(outcomes)
        known = len(self.started)
        while self.box.move(until):
            for attempt in self.box.start_due():
                outcome = next(answers, Responded(500))
                self.started.append(attempt)
                self.outcomes.append(outcome)
                self.box.complete_attempt(attempt, outcome)
        self._advance_model(until, zip(self.started[known:], self.outcomes[known:], strict=True))
        self.now = until

    def _advance_model(self, until: int, coming: Iterator[tuple[Attempt, Outcome]]) -> None:
        while (moment := self._next_moment(until)) is not None:
            self.now = moment
            self._conclude_model()
            self._expire_model()
            # Attempts of one moment go out in the engine's order; the model says which events each of them delivers.
            while any(self._due(webhook) for webhook in self.model.values()):
                attempt, outcome = next(coming)
                webhook = self.model[attempt.webhook_id]
                assert self._due(webhook), "the engine sent what the model says is not due"
                assert attempt.started_at == self.now
                self._start_model(webhook, outcome)
                assert [(one.created, one.serial) for one in attempt.events] == webhook.out
                if webhook.out_until == self.now:
                    self._conclude_model()
                    self._expire_model()
        assert next(coming, None) is None, "the engine sent more than the model"

    def _next_moment(self, until: int) -> int | None:
        moments = [self.now] if any(self._due(webhook) for webhook in self.model.values()) else []
        for webhook in self.model.values():
            if webhook.out:
                moments.append(webhook.out_until)
            if (webhook.retry or webhook.waiting) and webhook.status == "activated" and not webhook.out:
                moments.append(webhook.retry_at)
            moments += [created + AGE_MAX for created, _ in webhook.waiting + webhook.retry]
        moments = [max(moment, self.now) for moment in moments]
        return min((moment for moment in moments if moment <= until), default=None)

    def _due(self, webhook: ModelWebhook) -> bool:
        if webhook.status != "activated" or webhook.out:
            return False
        return bool(webhook.retry or webhook.waiting) and webhook.retry_at <= self.now

    def _start_model(self, webhook: ModelWebhook, outcome: Outcome) -> None:
        webhook.waiting.sort()
        room = LIST_MAX - len(webhook.retry) if self.refill or not webhook.retry else 0
        webhook.out = sorted(webhook.retry + webhook.waiting[:room])
        webhook.waiting = webhook.waiting[room:]
        webhook.retry = []
        webhook.out_accepted = outcome.accepted
        webhook.out_until = self.now + (TIMEOUT if isinstance(outcome, TimedOut) else 0)

    def _conclude_model(self) -> None:
        for webhook in self.model.values():
            if not webhook.out or webhook.out_until > self.now:
                continue
            if webhook.out_accepted:
                webhook.delivered += [serial for _, serial in webhook.out]
                webhook.retry_at = 0
            elif webhook.status == "deleted":
                webhook.discarded |= {serial for _, serial in webhook.out}
            else:
                webhook.retry = webhook.out
                webhook.retry_at = self.now + INTERVAL
            webhook.out = []

    def _expire_model(self) -> None:
        for webhook in self.model.values():
            for events in (webhook.waiting, webhook.retry):
                for event in list(events):
                    if event[0] + AGE_MAX <= self.now:
                        events.remove(event)
                        webhook.discarded.add(event[1])
            if not webhook.waiting and not webhook.retry:
                webhook.retry_at = 0

    # The law

    @invariant()
    def every_event_is_delivered_once_discarded_once_or_pending(self) -> None:
        for webhook_id, webhook in getattr(self, "model", {}).items():
            account = tally(self.box.journal.entries, [webhook_id])
            assert len(account.delivered) == len(set(account.delivered)), "delivered twice"
            assert not account.discarded & set(account.delivered), "delivered and discarded"
            pending = {event.serial for event in self.box.pending(webhook_id)}
            assert pending == account.pending
            assert account.accepted == set(account.delivered) | account.discarded | pending
            assert account.delivered == webhook.delivered
            assert account.discarded == webhook.discarded
            held = webhook.waiting + webhook.retry + webhook.out
            assert pending == {serial for _, serial in held}

    @invariant()
    def nothing_is_sent_that_must_not_be(self) -> None:
        for attempt in getattr(self, "started", ()):
            ages = [attempt.started_at - event.created for event in attempt.events]
            assert 1 <= len(attempt.events) <= LIST_MAX
            assert max(ages) < AGE_MAX
            assert ages == sorted(ages, reverse=True), "oldest first"

    def teardown(self) -> None:
        if hasattr(self, "box"):
            discards = [entry for entry in self.box.journal.entries if isinstance(entry, Discarded)]
            assert all(entry.serials for entry in discards)
            assert {type(entry) for entry in self.box.journal.entries} >= ({Happened} if self.serial else set())
            attempts = [entry for entry in self.box.journal.entries if isinstance(entry, Attempted)]
            concluded = sum(entry.count for entry in attempts)
            assert len(self.started) - len(self.model) <= concluded <= len(self.started)


class RefillingConservation(Conservation):
    refill = True


TestConservation = Conservation.TestCase
TestConservation.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestRefillingConservation = RefillingConservation.TestCase
TestRefillingConservation.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestConservationForLong(Conservation.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(max_examples=400, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestRefillingConservationForLong(RefillingConservation.TestCase):  # type: ignore[misc,name-defined]
    settings = settings(max_examples=250, stateful_step_count=30, deadline=None)
