"""One clock for all webhooks, events, outages and faults: what is due when, and where an outcome leads.

It decides and writes the journal; `loop.drive` asks it what to send, and gives it the outcomes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import assert_never

import msgspec

from mockcampaign.engine.clock import Clock
from mockcampaign.engine.declared_faults import NO_HITS, Declared, FaultTable, Hits, Undecided, When
from mockcampaign.engine.duplicates import (
    DuplicateDelivery,
    applies_to_duplicates,
    duplicate_of,
    is_repeated_later,
)
from mockcampaign.engine.event_streams import EventsDue, EventStream, FutureEvent, event_stream
from mockcampaign.engine.failure_runs import FailureRuns
from mockcampaign.engine.journal import (
    Began,
    Discarded,
    FaultDeclared,
    FaultEnded,
    Happened,
    Journal,
    Resumed,
    WebhookChanged,
    serial_ranges,
)
from mockcampaign.engine.keeping import Keeper, KeptSender
from mockcampaign.engine.outages import Outage, Outages
from mockcampaign.engine.outbox import Attempt, Discard, Due, Events, Idle, Outbox, age_order
from mockcampaign.engine.requests import RequestBuilder
from mockcampaign.engine.webhooks import WebhookRegistry
from mockcampaign.faults import (
    OUTAGES,
    BeforeConsumer,
    Latency,
    Timeout,
    is_acknowledgement,
    last_of,
    needs_acknowledgement,
)
from mockcampaign.masking import shown_url
from mockcampaign.model import (
    INTERRUPTED,
    Authentication,
    Event,
    EventRun,
    EventType,
    Fault,
    NoAuthentication,
    Outcome,
    Request,
    Responded,
    TimedOut,
    Webhook,
    WebhookStatus,
)
from mockcampaign.policy import Policy


class CredentialsDue(msgspec.Struct, frozen=True):
    """New credentials of a webhook, which are valid from a moment on."""

    webhook_id: int
    authentication: Authentication

    def __repr__(self) -> str:
        return f"CredentialsDue(webhook_id={self.webhook_id})"


class DelayedOutcome(msgspec.Struct, frozen=True):
    """An outcome that stands for virtual time: it takes effect when that has passed."""

    attempt: Attempt
    outcome: Outcome
    faults: tuple[Fault, ...]
    """The faults of the attempt that had an effect."""


class CertainFailure(msgspec.Struct, frozen=True):
    """A retry that fails without being sent, and so do all that follow it before a moment."""

    attempt: Attempt
    outcome: Outcome
    until: int


Scheduled = EventsDue | EventStream | DelayedOutcome | DuplicateDelivery | CredentialsDue
"""Whatever is on the clock besides outboxes."""


class Exporter:
    """The sender, sans I/O."""

    def __init__(
        self,
        *,
        policy: Policy,
        seed: int,
        start: int,
        versions: dict[str, str],
        name: str = "",
        journal: Journal | None = None,
        first_webhook_id: int = 1,
        keeper: Keeper | None = None,
        kept: KeptSender | None = None,
    ) -> None:
        """With `kept`, go on where another exporter ended, whose journal is given."""
        self.policy = policy
        self.clock: Clock[Outbox | Scheduled] = Clock(start)
        self.journal = Journal() if journal is None else journal
        self.registry = WebhookRegistry(policy.webhooks_per_client_max, first_id=first_webhook_id)
        self._outboxes: dict[int, Outbox] = {}
        self.requests = RequestBuilder(policy, f"mockcampaign/{versions.get('mockcampaign', '0')}")
        if keeper is None:
            self.outages, self.fault_table = Outages(), FaultTable(seed)
        else:
            self.outages = Outages(on_change=keeper.declared, on_end=keeper.over)
            self.fault_table = FaultTable(seed, on_change=keeper.declared, on_end=keeper.over)
        self.failure_runs = FailureRuns(policy.simulate_after)
        self._due_outboxes: list[Outbox] = []
        self._due_duplicates: list[DuplicateDelivery] = []
        self._scheduled_count = 0
        """Items on the clock other than outboxes."""
        self._last_serial = 0
        self._undecided: dict[int, tuple[Undecided, ...]] = {}
        """Faults that wait for the response to an attempt under way, by the attempt's identity. Mostly empty."""
        self._failing_since: dict[int, int] = {}
        """Start of the first of the failures in a row, for webhooks that may be suspended."""
        self._keeper = keeper
        if kept is None:
            self.journal.append(Began(at=start, seed=seed, name=name, versions=versions, policy=policy))
        else:
            self.journal.append(Resumed(at=start, versions=versions, policy=policy))
            self._resume(kept)

    # Webhooks: each command changes the registry and the outbox, and appends to the journal.

    def create(
        self,
        client_id: int,
        event_type: EventType,
        target_url: str,
        authentication: Authentication = NoAuthentication(),
        *,
        integration_id: str = "",
    ) -> Webhook:
        """Create a webhook. Raises as `WebhookRegistry.create` does; so do the other commands."""
        webhook = self.registry.create(
            client_id, event_type, target_url, authentication, integration_id=integration_id, now=self.clock.now
        )
        self._outboxes[webhook.id] = Outbox(webhook.id, self.policy)
        return self._changed(webhook, "create")

    def update(
        self,
        client_id: int,
        webhook_id: int,
        *,
        target_url: str | None = None,
        authentication: Authentication | None = None,
    ) -> Webhook:
        """Send pending and later events to another target, or with other credentials."""
        webhook = self.registry.update(
            client_id, webhook_id, now=self.clock.now, target_url=target_url, authentication=authentication
        )
        return self._changed(webhook, "update")

    def activate(self, client_id: int, webhook_id: int) -> Webhook:
        """Export events of the webhook's type from now on."""
        webhook = self.registry.activate(client_id, webhook_id, now=self.clock.now)
        outbox = self._outboxes[webhook_id]
        self._discard(outbox, outbox.activate(self.clock.now))
        return self._changed(webhook, "activate")

    def deactivate(self, client_id: int, webhook_id: int) -> Webhook:
        """Export nothing from now on; events stay pending."""
        webhook = self.registry.deactivate(client_id, webhook_id, now=self.clock.now)
        self._outboxes[webhook_id].deactivate()
        return self._changed(webhook, "deactivate")

    def suspend(self, client_id: int, webhook_id: int) -> Webhook:
        """Export nothing until the webhook is activated again; events stay pending (assumed)."""
        webhook = self.registry.suspend(client_id, webhook_id, now=self.clock.now)
        self._outboxes[webhook_id].deactivate()
        self._failing_since.pop(webhook_id, None)
        return self._changed(webhook, "suspend")

    def delete(self, client_id: int, webhook_id: int) -> Webhook:
        """Delete a webhook and discard its pending events."""
        webhook = self.registry.delete(client_id, webhook_id, now=self.clock.now)
        outbox = self._outboxes[webhook_id]
        self._changed(webhook, "delete")
        self._discard(outbox, outbox.delete())
        self._arrange(outbox)
        return webhook

    def retry(self, client_id: int, webhook_id: int) -> Webhook:
        """Make the webhook's next attempt due now, as if its ten seconds were over."""
        webhook = self.registry.get(client_id, webhook_id)
        outbox = self._outboxes[webhook_id]
        self._discard(outbox, outbox.retry(self.clock.now))
        return self._changed(webhook, "retry")

    def pending(self, webhook_id: int) -> list[Event]:
        """Return the events that the webhook still has to deliver, oldest first."""
        return self._outboxes[webhook_id].pending

    def pending_count(self, webhook_id: int) -> int:
        """Return how many events the webhook still has to deliver."""
        return self._outboxes[webhook_id].pending_count

    def outbox_state(self, webhook_id: int) -> Idle | Due | Attempt:
        """Return whether the webhook is idle, waits for its next attempt, or makes one."""
        return self._outboxes[webhook_id].state

    # Events

    def _resume(self, kept: KeptSender) -> None:
        now = self.clock.now
        self._last_serial = kept.last_serial
        self.outages.resume([declared for declared in kept.declared if isinstance(declared, Outage)], now)
        faults = [declared for declared in kept.declared if isinstance(declared, Declared)]
        self.fault_table.resume(faults, kept.last_fault, now)
        duplicates = [declared for declared in kept.declared if isinstance(declared, DuplicateDelivery)]
        delayed = {duplicate.webhook_id for duplicate in duplicates if duplicate.fault.delays_others}
        for one in kept.webhooks:
            webhook = one.webhook
            self.registry.restore(webhook)
            self.requests.update(webhook)
            outbox = self._outboxes[webhook.id] = Outbox(webhook.id, self.policy)
            self._discard(outbox, outbox.resume(one.pending, one.retry, now, delayed=webhook.id in delayed))
            if webhook.status is WebhookStatus.ACTIVATED:
                self._discard(outbox, outbox.activate(now))
            elif webhook.status is WebhookStatus.DELETED:  # while an attempt was under way
                self._discard(outbox, outbox.delete())
        for one in sorted(kept.webhooks, key=lambda one: (one.retry.at if one.retry else now, one.turn)):
            self._arrange(self._outboxes[one.webhook.id])
        for at, due in kept.scheduled:
            self._schedule(max(at, now), due)
        for duplicate in duplicates:
            self._schedule(max(duplicate.at, now), duplicate)

    def accept_events(self, due: EventsDue) -> None:
        """Let events occur now: they are pending with every activated webhook of their client and type."""
        first_serial = self._last_serial + 1
        self._last_serial += len(due.payloads)
        ordered = _in_order(due.payloads, first_serial)
        # Cut once, so that webhooks in step share their batches and the bodies of these.
        events_max = self.policy.batch_events_max
        batches = [ordered[index : index + events_max] for index in range(0, len(ordered), events_max)]
        outboxes = self._exporting(due.client_id, due.type)
        self.journal.append(
            Happened(
                at=self.clock.now,
                client_id=due.client_id,
                type=due.type,
                first_serial=first_serial,
                events=tuple([msgspec.Raw(encoded) for _, encoded in due.payloads]),
                webhook_ids=tuple(outbox.webhook_id for outbox in outboxes),
            )
        )
        if self._keeper is not None:
            self._keeper.occurred(due, ordered, [outbox.webhook_id for outbox in outboxes])
        for outbox in outboxes:
            discards = outbox.accept(batches, self.clock.now)
            if discards:
                self._discard(outbox, discards)
            self._arrange(outbox)

    def schedule(self, at: int, due: EventsDue) -> None:
        """Let events occur at a moment that is not in the past."""
        self._schedule(at, due)
        if self._keeper is not None:
            self._keeper.scheduled(at, due)

    def schedule_credentials(self, at: int, webhook_id: int, authentication: Authentication) -> None:
        """Give a webhook other credentials at a moment that is not in the past, unless it is deleted by then."""
        self._schedule(at, CredentialsDue(webhook_id, authentication))

    def schedule_stream(self, client_id: int, events: Iterator[FutureEvent]) -> None:
        """Let a client's events occur at their moments, which are in order of time.

        Each event is made when it is due, if an activated webhook exports it then; otherwise nothing is left of it.
        """
        self._continue(event_stream(client_id, events))

    def _continue(self, stream: EventStream | None) -> None:
        if stream is not None:
            self._schedule(max(stream.following.at, self.clock.now), stream)

    def _exporting(self, client_id: int, event_type: EventType) -> list[Outbox]:
        return [
            self._outboxes[webhook.id]
            for webhook in self.registry.of_client(client_id)
            if webhook.type == event_type and webhook.status is WebhookStatus.ACTIVATED
        ]

    # Outages and faults

    def declare_outage(self, kind: str, until: int, webhook_ids: tuple[int, ...] = ()) -> None:
        """Let no attempt of these webhooks (none named: of all) reach its consumer before `until`."""
        self.journal.append(self.outages.declare(kind, self.clock.now, until, webhook_ids))

    def end_outage(self, webhook_ids: tuple[int, ...] = ()) -> None:
        """End the outages of these webhooks (none named: of all) now. The next attempt keeps its moment."""
        self.journal.append(self.outages.end(self.clock.now, webhook_ids))

    def declare_fault(self, fault: Fault, when: When, webhook_ids: tuple[int, ...] = ()) -> Declared:
        """Let a fault hit the attempts of these webhooks (none named: of all) that `when` describes.

        An attempt in an outage does not reach the wire, and spends no fault.
        """
        now = self.clock.now
        declared = self.fault_table.declare(fault, when, webhook_ids, now)
        self.journal.append(
            FaultDeclared(at=now, number=declared.number, fault=declared.fault, when=when, webhook_ids=webhook_ids)
        )
        return declared

    def end_fault(self, number: int) -> None:
        """End a declared fault, which may be over already. Attempts under way that it hit stay as they are."""
        ended = self.fault_table.end(number)
        if ended is not None:
            self.journal.append(FaultEnded(at=self.clock.now, number=number, kind=ended.fault.kind))

    # Time

    @property
    def idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        return not self._scheduled_count and all(outbox.is_idle for outbox in self._outboxes.values())

    def move(self, until: int | None = None) -> bool:
        """Move to the next due moment, not after `until`, and do all that is due then short of sending.

        Returns False, with the clock moved to `until` if that is given, if nothing is due by then.
        """
        clock = self.clock
        items = clock.pop_due(until)
        if not items:
            if until is not None:
                clock.spend(until - clock.now)
            return False
        now = clock.now
        for item in items:
            if isinstance(item, Outbox):
                if item.wake(now):
                    expired = item.expire(now)
                    if expired:
                        self._discard(item, expired)
                    self._due_outboxes.append(item)
                continue
            self._scheduled_count -= 1
            match item:
                case EventsDue():
                    self.accept_events(item)
                case EventStream():
                    due, rest = item.take(now, partial(self._is_wanted, item.client_id))
                    self._continue(rest)
                    for events in due:
                        self.accept_events(events)
                case DelayedOutcome(attempt=attempt, outcome=outcome, faults=faults):
                    self._record_attempt(attempt, outcome, faults)
                case DuplicateDelivery():
                    self._due_duplicates.append(item)
                case CredentialsDue():
                    webhook = self.registry.past_or_present(item.webhook_id)
                    if webhook.status is not WebhookStatus.DELETED:
                        self.update(webhook.client_id, webhook.id, authentication=item.authentication)
                case never:
                    assert_never(never)
        return True

    def _is_wanted(self, client_id: int, event_type: EventType) -> bool:
        return bool(self._exporting(client_id, event_type))

    # Attempts

    def start_due(self) -> list[Attempt]:
        """Return the attempts that start at this moment, in the order in which they fell due."""
        now = self.clock.now
        attempts: list[Attempt] = []
        if self._due_duplicates:
            for duplicate in self._due_duplicates:
                if self._keeper is not None:
                    self._keeper.over(duplicate)
                self._start_duplicate(duplicate, attempts)
            self._due_duplicates.clear()
        for outbox in self._due_outboxes:
            hits = NO_HITS
            if (self.outages.declared or self.fault_table.declared) and outbox.is_due(now):
                hits = self._hits(outbox.webhook_id, outbox.applies)
            attempt = outbox.start(now, hits.faults)
            if attempt is not None:
                attempts.append(attempt)
                if hits.undecided:
                    self._undecided[id(attempt)] = hits.undecided
                if attempt.faults and outbox.is_delayed:
                    self._start_duplicate(duplicate_of(attempt, now), attempts)
            self._arrange(outbox)
        self._due_outboxes.clear()
        return attempts

    def predetermined_outcome(self, attempt: Attempt) -> Outcome | None:
        """Return the outcome of an attempt that is not to be sent (outage, fault or simulation), else None."""
        before = last_of(attempt.faults, BeforeConsumer) if attempt.faults else None
        if before is not None:
            return before.outcome
        if self.failure_runs.current and all(map(needs_acknowledgement, attempt.faults)):
            return self.failure_runs.simulate(attempt)
        return None

    def repeat_failures(self, until: int | None) -> None:
        """Make all retries at once that come before anything else is due, and fail without being sent.

        They leave what they leave one by one: three days without an endpoint are 25,920 attempts of each webhook.
        """
        clock, interval = self.clock, self.policy.retry_interval
        before = sys.maxsize if until is None else until + 1
        # A webhook can be on the clock twice for a moment, as after `retry`: its first place counts.
        found: dict[int, CertainFailure] = {}
        while (due := clock.next_due()) is not None and clock.now < due < before:
            failures = [self._certain_failure(item, due) for item in clock.due_next()]
            certain = [failure for failure in failures if failure is not None]
            if len(certain) < len(failures):
                before = due
                break
            before = min([before, *(failure.until for failure in certain)])
            for failure in certain:
                found.setdefault(failure.attempt.webhook_id, failure)
            clock.withdraw()
        if not found:
            return
        counted = [
            (failure, max(0, -((failure.attempt.started_at - before) // interval))) for failure in found.values()
        ]
        clock.spend(max([clock.now, *(one.attempt.started_at + (n - 1) * interval for one, n in counted)]) - clock.now)
        # First come the entries of all first attempts, as they would one by one.
        for failure, count in counted:
            if count:
                self._record_failures(failure, 0, 1)
        for failure, count in counted:
            if count > 1:
                self._record_failures(failure, 1, count - 1)
        # Those due at one moment keep their order: it decides which of them a fault hits.
        for failure, count in sorted(counted, key=lambda one: one[0].attempt.started_at + one[1] * interval):
            outbox = self._outboxes[failure.attempt.webhook_id]
            outbox.fail(count)
            if count and self._keeper is not None and isinstance(outbox.state, Due):
                self._keeper.rejected(outbox.webhook_id, outbox.state)
            self._arrange(outbox)

    def _certain_failure(self, item: Outbox | Scheduled, due: int) -> CertainFailure | None:
        """Return the failure that an outbox certainly meets at the moment for which it is on the clock, else None."""
        until = item.retries_until if isinstance(item, Outbox) else None
        if until is None or not isinstance(item, Outbox) or not isinstance(item.state, Due) or item.state.at != due:
            return None
        webhook_id, retry = item.webhook_id, item.state
        if self.policy.suspend_after:
            until = min(until, self._failing_since.get(webhook_id, due) + self.policy.suspend_after)
        outage = self.outages.current(webhook_id, due)
        faults = () if outage is None else self.outages.faults(webhook_id, due)
        if outage is not None:
            outcome, until = OUTAGES[outage.kind], min(until, outage.until)
        elif self.fault_table.concern(webhook_id):
            return None
        else:
            ahead = self.failure_runs.ahead(webhook_id, retry.events, retry.number)
            if ahead is None:
                return None
            outcome = ahead.outcome
            if ahead.count is not None:
                until = min(until, due + ahead.count * self.policy.retry_interval)
        if isinstance(outcome, TimedOut):
            return None
        return CertainFailure(Attempt(webhook_id, retry.number, due, retry.events, (), faults), outcome, until)

    def _record_failures(self, failure: CertainFailure, first: int, count: int) -> None:
        """Record some of the attempts that fail alike."""
        attempt, outcome = failure.attempt, failure.outcome
        if self.requests.has_secrets:
            outcome = self.requests.masking.outcome(outcome)
        self.journal.add_attempt(
            attempt.webhook_id,
            attempt.number + first,
            attempt.started_at + first * self.policy.retry_interval,
            0,
            attempt.events,
            outcome,
            (),
            attempt.faults,
            not attempt.faults,
            count,
            self.policy.retry_interval,
        )
        if self.policy.simulate_after:
            self.failure_runs.record(attempt, outcome, attempt.faults, count)
        if self.policy.suspend_after:
            self._failing_since.setdefault(attempt.webhook_id, attempt.started_at)

    def request_of(self, attempt: Attempt) -> Request:
        """Return the request of an attempt."""
        return self.requests.for_attempt(attempt)

    def complete_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt at the moment of its start; it takes effect when its time has passed."""
        if isinstance(outcome, TimedOut):
            faults = self._settled(attempt, outcome, outcome)
            self._record_later(attempt.started_at + self.policy.timeout, attempt, outcome, faults)
        elif attempt.faults or self._undecided:
            self.complete_attempt_now(attempt, outcome)
        else:
            self._record_attempt(attempt, outcome, ())

    def complete_attempt_now(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt whose own time has passed: only time that its faults add is to come."""
        faults, response, took = attempt.faults, outcome, 0
        if faults and not isinstance(faults[0], BeforeConsumer) and not isinstance(outcome, TimedOut):
            latency = last_of(faults, Latency)
            over = last_of(faults, Timeout) if is_acknowledgement(outcome) else None
            took = self.policy.timeout if over else latency.time if latency else 0
            if took >= self.policy.timeout and isinstance(outcome, Responded):
                took, outcome = self.policy.timeout, TimedOut("wait", measured=outcome.measured)
        faults = self._settled(attempt, response, outcome)
        if took:
            self._record_later(attempt.started_at + took, attempt, outcome, faults)
        else:
            self._record_attempt(attempt, outcome, faults)

    def interrupt(self, attempt: Attempt) -> None:
        """Abandon an attempt that may have been sent: its batch is retried, as after every failure."""
        self._record_attempt(attempt, INTERRUPTED, self._settled(attempt, INTERRUPTED, INTERRUPTED))

    def abandon(self, attempt: Attempt) -> None:
        """Take back an attempt that was never sent: its batch is due now."""
        self._settled(attempt, INTERRUPTED, INTERRUPTED)
        outbox = self._outboxes[attempt.webhook_id]
        outbox.abandon(attempt, self.clock.now)
        self._arrange(outbox)

    def _settled(self, attempt: Attempt, response: Outcome, outcome: Outcome) -> tuple[Fault, ...]:
        """Return the attempt's faults that had an effect; the others wait for the next attempt."""
        undecided = self._undecided.pop(id(attempt), ())
        if not undecided:
            return attempt.faults
        without_effect = self.fault_table.settle(undecided, response, outcome, self.clock.now)
        return tuple([fault for fault in attempt.faults if not any(fault is other for other in without_effect)])

    def _record_later(self, at: int, attempt: Attempt, outcome: Outcome, faults: tuple[Fault, ...]) -> None:
        self._schedule(max(at, self.clock.now), DelayedOutcome(attempt, outcome, faults))

    def _record_attempt(self, attempt: Attempt, outcome: Outcome, faults: tuple[Fault, ...]) -> None:
        """Record an attempt, and the faults that had an effect on it."""
        now = self.clock.now
        if self.requests.has_secrets:
            outcome = self.requests.masking.outcome(outcome)
        self.journal.add_attempt(
            attempt.webhook_id,
            attempt.number,
            attempt.started_at,
            now - attempt.started_at,
            attempt.events,
            outcome,
            attempt.redelivered,
            faults,
            attempt.webhook_id in self.failure_runs.simulated,
        )
        if self.policy.simulate_after and not attempt.is_duplicate:
            self.failure_runs.record(attempt, outcome, faults)
        outbox = self._outboxes[attempt.webhook_id]
        discards = outbox.complete(attempt, outcome.accepted, now)
        if self._keeper is not None:
            if outcome.accepted:
                self._keeper.finished(attempt.webhook_id, attempt.events)
            elif isinstance(outbox.state, Due):
                self._keeper.rejected(attempt.webhook_id, outbox.state)
        if attempt.faults and outcome.accepted and is_repeated_later(attempt):
            duplicate = duplicate_of(attempt, now)
            self._schedule(duplicate.at, duplicate)
            if self._keeper is not None:
                self._keeper.declared(duplicate)
        if discards:
            self._discard(outbox, discards)
        self._arrange(outbox)
        if self.policy.suspend_after and not attempt.is_duplicate:
            self._suspend_if_failing(attempt, outcome.accepted)

    def _suspend_if_failing(self, attempt: Attempt, accepted: bool) -> None:
        """Suspend the webhook of an attempt if it has failed for long enough (assumed: nobody documents when)."""
        webhook_id = attempt.webhook_id
        if accepted:
            self._failing_since.pop(webhook_id, None)
            return
        since = self._failing_since.setdefault(webhook_id, attempt.started_at)
        webhook = self.registry.past_or_present(webhook_id)
        if self.clock.now - since >= self.policy.suspend_after and webhook.status is WebhookStatus.ACTIVATED:
            self.suspend(webhook.client_id, webhook_id)

    def _hits(self, webhook_id: int, applies: Callable[[Fault], bool]) -> Hits:
        """Return what hits an attempt that starts now, of the faults that apply to it. An outage spends no fault."""
        now = self.clock.now
        faults = self.outages.faults(webhook_id, now) if self.outages.declared else ()
        if faults:
            return Hits(faults)
        return self.fault_table.hits(webhook_id, now, applies)

    def _start_duplicate(self, duplicate: DuplicateDelivery, attempts: list[Attempt]) -> None:
        outbox = self._outboxes[duplicate.webhook_id]
        hits = self._hits(duplicate.webhook_id, applies_to_duplicates)
        faults = (duplicate.fault, *hits.faults)
        attempt = outbox.start_duplicate(duplicate.events, duplicate.number, self.clock.now, faults)
        if attempt is None:
            self.fault_table.settle(hits.undecided, INTERRUPTED, INTERRUPTED, self.clock.now)
            self._arrange(outbox)
        else:
            attempts.append(attempt)
            if hits.undecided:
                self._undecided[id(attempt)] = hits.undecided

    # Bookkeeping

    def _schedule(self, at: int, item: Scheduled) -> None:
        self.clock.add(at, item)
        self._scheduled_count += 1

    def _arrange(self, outbox: Outbox) -> None:
        """Put the outbox on the clock if it wants to be woken at another moment than before."""
        at = outbox.next_wake(self.clock.now)
        if at is not None:
            self.clock.add(at, outbox)

    def _discard(self, outbox: Outbox, discards: tuple[Discard, ...]) -> None:
        for discard in discards:
            if self._keeper is not None:
                self._keeper.finished(outbox.webhook_id, discard.events)
                if isinstance(outbox.state, Idle):
                    self._keeper.emptied(outbox.webhook_id)
            self.journal.append(
                Discarded(
                    at=self.clock.now,
                    webhook_id=outbox.webhook_id,
                    serials=serial_ranges(discard.events),
                    reason=discard.reason,
                )
            )

    def _changed(self, webhook: Webhook, command: str) -> Webhook:
        self.requests.update(webhook)
        if self._keeper is not None:
            self._keeper.changed(webhook, self._outboxes[webhook.id].state)
        self.journal.append(
            WebhookChanged(
                at=self.clock.now,
                webhook_id=webhook.id,
                command=command,
                client_id=webhook.client_id,
                type=webhook.type,
                status=webhook.status,
                target_url=shown_url(webhook.target_url),
                authentication=str(webhook.authentication.__struct_config__.tag),
            )
        )
        self._arrange(self._outboxes[webhook.id])
        return webhook


def _in_order(payloads: Sequence[tuple[int, bytes]], first_serial: int) -> Events:
    """Return the events with these creations and payloads, oldest first."""
    if not payloads:
        return ()
    created = payloads[0][0]
    if all(moment == created for moment, _ in payloads):
        return EventRun(first_serial, created, tuple([encoded for _, encoded in payloads]))
    events = [Event(serial, moment, encoded) for serial, (moment, encoded) in enumerate(payloads, first_serial)]
    return tuple(sorted(events, key=age_order))
