"""All webhooks, outboxes, scheduled events and outages on one clock: what is due when, and what it leads to.

It decides and writes the journal; `loop.drive` asks it what to send and tells it what came of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol, cast

import msgspec

from mockcampaign.engine.bodies import Bodies
from mockcampaign.engine.clock import Clock
from mockcampaign.engine.declared_faults import Declared, FaultTable, When
from mockcampaign.engine.journal import (
    Began,
    Discarded,
    FaultDeclared,
    FaultEnded,
    Happened,
    Journal,
    OutageDeclared,
    OutageEnded,
    WebhookChanged,
    serial_ranges,
)
from mockcampaign.engine.outbox import Attempt, Due, Idle, Outbox, age_order
from mockcampaign.engine.webhooks import WebhookRegistry
from mockcampaign.errors import WebhookNotFoundError
from mockcampaign.faults import (
    FAULTS,
    OUTAGES,
    AnyFault,
    BeforeConsumer,
    Duplicate,
    Latency,
    Timeout,
    WireFault,
    last_of,
)
from mockcampaign.masking import Masking
from mockcampaign.model import (
    INTERRUPTED,
    Authentication,
    Event,
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

_OUTAGE_FAULTS: dict[str, tuple[Fault, ...]] = {kind: (FAULTS[kind](),) for kind in OUTAGES}


class EventsDue(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients of a client's mailings act: events of one type, to be exported the moment this falls due."""

    client_id: int
    type: EventType
    payloads: tuple[tuple[int, bytes], ...]
    """Creation in milliseconds, and the encoded payload."""


class FutureEvent(Protocol):
    """An event that is not made before it happens."""

    @property
    def at(self) -> int:
        """Milliseconds since 1970."""

    @property
    def type(self) -> EventType:
        """Decides which webhooks want it."""

    def payload(self) -> bytes:
        """The encoded payload."""


class EventStream(msgspec.Struct):
    """Events of one client that happen one after another. Only the next one is on the clock."""

    client_id: int
    following: FutureEvent
    rest: Iterator[FutureEvent]


class DelayedOutcome(msgspec.Struct, frozen=True):
    """An outcome that stands for virtual time, known now and effective when that has passed."""

    attempt: Attempt
    outcome: Outcome


class DuplicateDelivery(msgspec.Struct, frozen=True):
    """A list that was accepted is to be delivered once more."""

    webhook_id: int
    number: int
    events: tuple[Event, ...]
    fault: Duplicate
    holding: bool
    """Whether nothing else of the webhook goes out before."""


class Outage(msgspec.Struct):
    """A declared outage that is not over."""

    declared: OutageDeclared
    ended_ids: set[int]
    """Webhooks that it concerns no more."""

    def concerns(self, webhook_id: int, now: int) -> bool:
        """Whether an attempt of the webhook that starts now is in it."""
        ids = self.declared.webhook_ids
        return (
            self.declared.at <= now < self.declared.until
            and (not ids or webhook_id in ids)
            and webhook_id not in self.ended_ids
        )


class FailureRun(msgspec.Struct):
    """How often in a row a list of a webhook came to the same failure, and to which."""

    events: tuple[Event, ...]
    outcome: Outcome
    count: int


class Exporter:
    """The sender's side of everything, sans I/O."""

    def __init__(
        self,
        *,
        policy: Policy,
        seed: int,
        start: int,
        versions: dict[str, str],
        name: str = "",
        journal: Journal | None = None,
    ) -> None:
        self.policy = policy
        self.clock: Clock[Outbox | EventsDue | EventStream | DelayedOutcome | DuplicateDelivery] = Clock(start)
        self.journal = Journal() if journal is None else journal
        self.registry = WebhookRegistry(policy.webhooks_per_client_max)
        self._outboxes: dict[int, Outbox] = {}
        self._webhooks: dict[int, Webhook] = {}
        self._request_headers: dict[int, tuple[tuple[str, str], ...]] = {}
        self._bodies = Bodies()
        self._secrets: set[str] = set()
        # No cached property: once an object's `__dict__` is used, all its attributes are slower, for every attempt.
        self._masking: Masking | None = None
        self._outages: list[Outage] = []
        self._faults = FaultTable(seed)
        self._failures: dict[int, FailureRun] = {}
        self._simulated: set[int] = set()
        """Webhooks whose attempt under way is not really sent."""
        self._ready: list[Outbox] = []
        self._repeats: list[DuplicateDelivery] = []
        self._scheduled = 0
        self._last_serial = 0
        self._user_agent = f"mockcampaign/{versions.get('mockcampaign', '0')}"
        self.journal.append(Began(at=start, seed=seed, name=name, versions=versions, policy=policy))

    @property
    def masking(self) -> Masking:
        """Hides the credentials of all webhooks, now and before: a consumer may echo them anywhere.

        Made anew only when it is asked for after new ones came: that takes as long as there are credentials.
        """
        if self._masking is None:
            self._masking = Masking(self._secrets)
        return self._masking

    # Commands: each changes the registry, then the outbox, and writes it down.

    def create(
        self,
        client_id: int,
        event_type: EventType,
        target_url: str,
        authentication: Authentication = NoAuthentication(),
        *,
        integration_id: str = "",
    ) -> Webhook:
        """Raises as `WebhookRegistry.create` does, like all commands here."""
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
        """What is pending goes to the new target, with the new credentials."""
        webhook = self.registry.update(
            client_id, webhook_id, now=self.clock.now, target_url=target_url, authentication=authentication
        )
        return self._changed(webhook, "update")

    def activate(self, client_id: int, webhook_id: int) -> Webhook:
        """From now on, events of the webhook's type are exported."""
        webhook = self.registry.activate(client_id, webhook_id, now=self.clock.now)
        outbox = self._outboxes[webhook_id]
        self._discard(outbox, outbox.expire(self.clock.now), "expired")
        outbox.activate(self.clock.now)
        self._changed(webhook, "activate")
        self._arrange(outbox)
        return webhook

    def deactivate(self, client_id: int, webhook_id: int) -> Webhook:
        """From now on, nothing is exported; what is pending is kept."""
        webhook = self.registry.deactivate(client_id, webhook_id, now=self.clock.now)
        outbox = self._outboxes[webhook_id]
        outbox.deactivate()
        self._changed(webhook, "deactivate")
        self._arrange(outbox)
        return webhook

    def delete(self, client_id: int, webhook_id: int) -> Webhook:
        """What is pending is discarded."""
        webhook = self.registry.delete(client_id, webhook_id, now=self.clock.now)
        outbox = self._outboxes[webhook_id]
        self._changed(webhook, "delete")
        self._discard(outbox, outbox.delete(), "webhook deleted")
        self._arrange(outbox)
        return webhook

    def schedule(self, at: int, due: EventsDue) -> None:
        """Let recipients act at a moment that is not in the past."""
        self.clock.add(at, due)
        self._scheduled += 1

    def schedule_stream(self, client_id: int, coming: Iterator[FutureEvent]) -> None:
        """Let a client's recipients act at the given moments, which are in order of time.

        Each event is made when it falls due, if an activated webhook wants it by then; else nothing is left of it.
        """
        following = next(coming, None)
        if following is not None:
            self._await(EventStream(client_id, following, coming))

    def declare_outage(self, kind: str, until: int, webhook_ids: tuple[int, ...] = ()) -> None:
        """From now until then, not included, no attempt of these webhooks (none named: all) reaches its consumer.

        While several outages concern a webhook, the one declared last decides.
        """
        declared = OutageDeclared(at=self.clock.now, until=until, kind=kind, webhook_ids=webhook_ids)
        self._outages = [outage for outage in self._outages if outage.declared.until > self.clock.now]
        self._outages.append(Outage(declared, set()))
        self.journal.append(declared)

    def end_outage(self, webhook_ids: tuple[int, ...] = ()) -> None:
        """End the outages of these webhooks (none named: of all) now. A list that waits keeps its moment."""
        if webhook_ids:
            for outage in self._outages:
                outage.ended_ids.update(webhook_ids)
        else:
            self._outages.clear()
        self.journal.append(OutageEnded(at=self.clock.now, webhook_ids=webhook_ids))

    def outage(self, webhook_id: int) -> OutageDeclared | None:
        """The outage that an attempt of the webhook would meet now."""
        now = self.clock.now
        for outage in reversed(self._outages):
            if outage.concerns(webhook_id, now):
                return outage.declared
        return None

    def declare_fault(self, fault: Fault, when: When, webhook_ids: tuple[int, ...] = ()) -> Declared:
        """From now on, the fault hits what `when` says, of the attempts of these webhooks (none named: of all).

        What an outage hits does not reach the wire, and no fault is spent on it.
        """
        now = self.clock.now
        declared = self._faults.declare(fault, when, webhook_ids, now)
        self.journal.append(
            FaultDeclared(
                at=now, number=declared.number, fault=cast(AnyFault, fault), when=when, webhook_ids=webhook_ids
            )
        )
        return declared

    def faults(self) -> list[Declared]:
        """The declared faults that are not over."""
        return self._faults.in_force(self.clock.now)

    def end_fault(self, number: int) -> None:
        """Let a fault hit no more. What it did to attempts under way stays. It may be over already."""
        ended = self._faults.end(number)
        if ended is not None:
            self.journal.append(FaultEnded(at=self.clock.now, number=number, kind=ended.fault.kind))

    def retry(self, client_id: int, webhook_id: int) -> Webhook:
        """Make the list that waits due now, as if its ten seconds were over."""
        webhook = self.registry.get(client_id, webhook_id)
        outbox = self._outboxes[webhook_id]
        self._discard(outbox, outbox.expire(self.clock.now), "expired")
        outbox.retry(self.clock.now)
        self._changed(webhook, "retry")
        self._arrange(outbox)
        return webhook

    # Time

    @property
    def idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        return not self._scheduled and all(outbox.idle for outbox in self._outboxes.values())

    def move(self, until: int | None = None) -> bool:
        """Move to the next due moment, not after `until`, and do all that is due then short of sending.

        False, with the clock moved to `until` where that is given, if nothing is due by then.
        """
        clock = self.clock
        items = clock.pop_due(until)
        if not items:
            if until is not None:
                clock.spend(until - clock.now)
            return False
        now = clock.now
        for item in items:
            match item:
                case Outbox():
                    if item.wake_at == now:
                        item.wake_at = None
                        expired = item.expire(now)
                        if expired:
                            self._discard(item, expired, "expired")
                        self._ready.append(item)
                case EventsDue():
                    self._scheduled -= 1
                    self.accept_events(item)
                case EventStream():
                    self._scheduled -= 1
                    self._unfold(item)
                case DelayedOutcome(attempt=attempt, outcome=outcome):
                    self._scheduled -= 1
                    self._record_attempt(attempt, outcome)
                case DuplicateDelivery():
                    self._scheduled -= 1
                    self._repeats.append(item)
        return True

    def accept_events(self, due: EventsDue) -> None:
        """Recipients act now: the events are pending with every activated webhook of their client and type."""
        events = []
        for created, encoded in due.payloads:
            self._last_serial += 1
            events.append(Event(self._last_serial, created, encoded))
        ordered = tuple(sorted(events, key=age_order))
        # Cut once, so that webhooks in step share their lists and the lists' bodies.
        events_max = self.policy.batch_events_max
        lists = [ordered[index : index + events_max] for index in range(0, len(ordered), events_max)]
        outboxes = [
            self._outboxes[webhook.id]
            for webhook in self.registry.of_client(due.client_id)
            if webhook.type == due.type and webhook.status is WebhookStatus.ACTIVATED
        ]
        self.journal.append(
            Happened(
                at=self.clock.now,
                client_id=due.client_id,
                type=due.type,
                first_serial=self._last_serial - len(events) + 1,
                events=tuple(msgspec.Raw(event.encoded) for event in events),
                webhook_ids=tuple(outbox.webhook_id for outbox in outboxes),
            )
        )
        for outbox in outboxes:
            outbox.accept(lists, self.clock.now)
            self._discard(outbox, outbox.expire(self.clock.now), "expired")
            self._arrange(outbox)

    def _await(self, unfolding: EventStream) -> None:
        self.clock.add(max(unfolding.following.at, self.clock.now), unfolding)
        self._scheduled += 1

    def _unfold(self, unfolding: EventStream) -> None:
        """Let happen what falls due now, and put the next one on the clock."""
        now, client_id = self.clock.now, unfolding.client_id
        due: dict[EventType, list[tuple[int, bytes]]] = {}
        for coming in chain((unfolding.following,), unfolding.rest):
            if coming.at > now:
                self._await(EventStream(client_id, coming, unfolding.rest))
                break
            if self._wanted(client_id, coming.type):
                due.setdefault(coming.type, []).append((coming.at, coming.payload()))
        for kind, payloads in due.items():
            self.accept_events(EventsDue(client_id=client_id, type=kind, payloads=tuple(payloads)))

    def _wanted(self, client_id: int, event_type: EventType) -> bool:
        return any(
            webhook.type == event_type and webhook.status is WebhookStatus.ACTIVATED
            for webhook in self.registry.of_client(client_id)
        )

    # Sending

    def start_due(self) -> list[Attempt]:
        """The attempts to make at this moment, in the order in which they fell due."""
        now = self.clock.now
        attempts: list[Attempt] = []
        if self._repeats:
            for repeat in self._repeats:
                self._start_repeat(repeat, attempts)
            self._repeats.clear()
        for outbox in self._ready:
            faults: tuple[Fault, ...] = ()
            if (self._outages or self._faults.declared) and outbox.starts(now):
                faults = self._hits(outbox, outbox.applies)
            attempt = outbox.start(now, faults)
            if attempt is not None:
                attempts.append(attempt)
                if attempt.faults:
                    self._start_twin(attempt, attempts)
            self._arrange(outbox)
        self._ready.clear()
        return attempts

    def predetermined_outcome(self, attempt: Attempt) -> Outcome | None:
        """The outcome where an outage, a fault like one, or what came of the list before decides it, else None."""
        if not attempt.faults:
            return self._simulated_outcome(attempt) if self._failures else None
        fault = last_of(attempt.faults, BeforeConsumer)
        return None if fault is None else fault.outcome

    def _simulated_outcome(self, attempt: Attempt) -> Outcome | None:
        known = self._failures.get(attempt.webhook_id)
        if known is None or known.count < self.policy.simulate_after or known.events is not attempt.events:
            return None
        number = attempt.number
        # Now and then it is really asked, whether it still fails alike; but a time-out would cost its time each time.
        if isinstance(known.outcome, Responded) and number & (number - 1) == 0:
            return None
        self._simulated.add(attempt.webhook_id)
        return known.outcome

    def forget_simulated_failures(self) -> None:
        """Whatever has failed so far, take nothing to fail alike before it has failed as often again."""
        self._failures.clear()

    def _count_failure(self, attempt: Attempt, outcome: Outcome) -> None:
        webhook_id = attempt.webhook_id
        if outcome.accepted or attempt.faults:
            self._failures.pop(webhook_id, None)
            return
        known = self._failures.get(webhook_id)
        if known is not None and known.events is attempt.events and _alike(known.outcome, outcome):
            known.count += 1
        else:
            # What is taken to come to the same is not sent, and nothing is measured of it.
            self._failures[webhook_id] = FailureRun(attempt.events, outcome.unmeasured(), 1)

    def request_of(self, attempt: Attempt) -> Request:
        """What goes over the wire for an attempt, and how."""
        request = self.request(attempt.webhook_id, attempt.batch if attempt.redelivered else attempt.events)
        if not attempt.faults:
            return request
        return msgspec.structs.replace(
            request, faults=tuple([fault for fault in attempt.faults if isinstance(fault, WireFault)])
        )

    def request(self, webhook_id: int, events: tuple[Event, ...]) -> Request:
        """What goes over the wire for a list of the webhook."""
        webhook = self._webhooks[webhook_id]
        return Request(
            method="POST",
            url=webhook.target_url,
            headers=self._request_headers[webhook_id],
            body=self._bodies.of(events),
            timeout=self.policy.timeout,
            response_body_bytes_kept=self.policy.response_body_bytes_kept,
        )

    def complete_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Tell what came of an attempt, at the moment at which it started; it takes effect once its time is over."""
        if isinstance(outcome, TimedOut):
            self._record_later(attempt.started_at + self.policy.timeout, attempt, outcome)
        elif attempt.faults:
            self.complete_attempt_now(attempt, outcome)
        else:
            self._record_attempt(attempt, outcome)

    def pending(self, webhook_id: int) -> list[Event]:
        """What the webhook still has to deliver, oldest first."""
        return self._outboxes[webhook_id].pending

    def pending_count(self, webhook_id: int) -> int:
        """How many events the webhook still has to deliver."""
        return self._outboxes[webhook_id].pending_count

    def outbox_state(self, webhook_id: int) -> Idle | Due | Attempt:
        """Whether the webhook has something to send, or on its way."""
        return self._outboxes[webhook_id].state

    def webhook(self, webhook_id: int) -> Webhook:
        """The webhook as it is now, or was when it was deleted. Raises `WebhookNotFoundError` where there never was."""
        found = self._webhooks.get(webhook_id)
        if found is None:
            raise WebhookNotFoundError(f"webhook {webhook_id} does not exist")
        return found

    def complete_attempt_now(self, attempt: Attempt, outcome: Outcome) -> None:
        """Tell what came of an attempt that is over now, but for the time that its faults add."""
        if attempt.faults and not isinstance(outcome, TimedOut):
            latency, over = last_of(attempt.faults, Latency), last_of(attempt.faults, Timeout)
            took = self.policy.timeout if over else latency.time if latency else 0
            if took >= self.policy.timeout and isinstance(outcome, Responded):
                took, outcome = self.policy.timeout, TimedOut("wait", measured=outcome.measured)
            if took:
                self._record_later(attempt.started_at + took, attempt, outcome)
                return
        self._record_attempt(attempt, outcome)

    def interrupt(self, attempt: Attempt) -> None:
        """Give up an attempt that may have been sent: its list comes again, as after every failure."""
        self._record_attempt(attempt, INTERRUPTED)

    def abandon(self, attempt: Attempt) -> None:
        """Take back an attempt that was never sent: its list is due again."""
        outbox = self._outboxes[attempt.webhook_id]
        if not attempt.duplicate:
            outbox.abandon(self.clock.now)
        self._release(outbox, attempt)
        self._arrange(outbox)

    def _record_later(self, moment: int, attempt: Attempt, outcome: Outcome) -> None:
        self._scheduled += 1
        self.clock.add(max(moment, self.clock.now), DelayedOutcome(attempt, outcome))

    def _record_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        now = self.clock.now
        outbox = self._outboxes[attempt.webhook_id]
        if self._secrets:
            outcome = self.masking.outcome(outcome)
        self.journal.attempted(
            attempt.webhook_id,
            attempt.number,
            attempt.started_at,
            now - attempt.started_at,
            attempt.events,
            outcome,
            attempt.redelivered,
            attempt.faults,
            attempt.webhook_id in self._simulated,
        )
        if self.policy.simulate_after and not attempt.duplicate:
            self._simulated.discard(attempt.webhook_id)
            self._count_failure(attempt, outcome)
        if attempt.duplicate:
            self._release(outbox, attempt)
        else:
            undeliverable = outbox.finish(outcome.accepted, now)
            if undeliverable:
                self._discard(outbox, undeliverable, "webhook deleted")
            if attempt.faults and outcome.accepted:
                self._schedule_repeat(outbox, attempt)
        expired = outbox.expire(now)
        if expired:
            self._discard(outbox, expired, "expired")
        self._arrange(outbox)

    # Faults

    def _hits(self, outbox: Outbox, applies: Callable[[Fault], bool]) -> tuple[Fault, ...]:
        """What hits the attempt that the outbox is about to make, of what applies to it.

        What does not reach the consumer meets no other fault, and spends none.
        """
        now, webhook_id = self.clock.now, outbox.webhook_id
        outage = self.outage(webhook_id) if self._outages else None
        if outage is not None:
            return _OUTAGE_FAULTS[outage.kind]
        if not self._faults.concern(webhook_id):
            return ()
        before = self._faults.hits(webhook_id, now, lambda fault: isinstance(fault, BeforeConsumer))
        return before or self._faults.hits(
            webhook_id, now, lambda fault: not isinstance(fault, BeforeConsumer) and applies(fault)
        )

    def _start_twin(self, attempt: Attempt, attempts: list[Attempt]) -> None:
        duplicate = last_of(attempt.faults, Duplicate)
        if duplicate is not None and duplicate.timing == "concurrent":
            self._outboxes[attempt.webhook_id].held = True
            twin = DuplicateDelivery(attempt.webhook_id, attempt.number, attempt.batch, duplicate, holding=True)
            self._start_repeat(twin, attempts)

    def _start_repeat(self, repeat: DuplicateDelivery, attempts: list[Attempt]) -> None:
        outbox = self._outboxes[repeat.webhook_id]
        faults = (repeat.fault, *self._hits(outbox, _concerns_duplicates))
        attempt = outbox.repeat(repeat.events, repeat.number, self.clock.now, faults, holding=repeat.holding)
        if attempt is not None:
            attempts.append(attempt)
        elif repeat.holding:
            outbox.held = False
            self._arrange(outbox)

    def _schedule_repeat(self, outbox: Outbox, attempt: Attempt) -> None:
        duplicate = last_of(attempt.faults, Duplicate)
        if duplicate is None or duplicate.timing == "concurrent":
            return
        outbox.held = duplicate.timing == "at-once"
        repeat = DuplicateDelivery(attempt.webhook_id, attempt.number, attempt.batch, duplicate, holding=outbox.held)
        self._scheduled += 1
        self.clock.add(self.clock.now + (0 if repeat.holding else duplicate.delay), repeat)

    def _release(self, outbox: Outbox, attempt: Attempt) -> None:
        if attempt.holding:
            outbox.held = False

    def _arrange(self, outbox: Outbox) -> None:
        at = outbox.next_at(self.clock.now)
        # An earlier arrangement stays on the clock; it is passed over because `wake_at` no longer names its moment.
        if at is not None and at != outbox.wake_at:
            outbox.wake_at = at
            self.clock.add(at, outbox)

    def _discard(self, outbox: Outbox, events: Sequence[Event], reason: str) -> None:
        if events:
            self.journal.append(
                Discarded(at=self.clock.now, webhook_id=outbox.webhook_id, serials=serial_ranges(events), reason=reason)
            )

    def _changed(self, webhook: Webhook, command: str) -> Webhook:
        self._webhooks[webhook.id] = webhook
        self._request_headers[webhook.id] = (
            ("Content-Type", "application/json"),
            ("User-Agent", self._user_agent),
            *webhook.authentication.headers(),
        )
        secrets = webhook.authentication.secrets()
        if not self._secrets.issuperset(secrets):
            self._secrets.update(secrets)
            self._masking = None
        self.journal.append(
            WebhookChanged(
                at=self.clock.now,
                webhook_id=webhook.id,
                command=command,
                client_id=webhook.client_id,
                type=webhook.type,
                status=webhook.status,
                target_url=webhook.target_url,
                authentication=str(webhook.authentication.__struct_config__.tag),
            )
        )
        return webhook


def _alike(one: Outcome, other: Outcome) -> bool:
    """Whether they are the same failure. What an answer says beside its status may name the request, or the moment."""
    if isinstance(one, Responded) and isinstance(other, Responded):
        return one.status == other.status
    return one == other


def _concerns_duplicates(fault: Fault) -> bool:
    """A duplicate forms no list and has no duplicates of its own."""
    return isinstance(fault, WireFault | Latency | Timeout)
