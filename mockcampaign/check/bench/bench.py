"""The bench on which one rule is examined: its own sender, its own events, and the store as far as it holds them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mockcampaign.campaign import Campaign, FaultInForce
from mockcampaign.check.bench.batch_outcome import (
    BatchOutcome,
    died_of_batch,
    is_reachable,
    is_received,
    timed_out_twice,
)
from mockcampaign.check.bench.bench_webhooks import BenchWebhooks
from mockcampaign.check.bench.context import CheckContext, Incidents, Poison, RuleSlot
from mockcampaign.check.bench.events import EventFactory, Values
from mockcampaign.check.bench.recording import Recording
from mockcampaign.check.bench.rule_store import RuleStore
from mockcampaign.check.edge_cases import EdgeCase, EdgeCases
from mockcampaign.check.examined import ConsumerDiedError, PoisonedError, SkipRule
from mockcampaign.check.reproduce.curl import Endpoint
from mockcampaign.check.settings import Lengths, Settings, Variation
from mockcampaign.engine.journal import Attempted, Entry, Requested, serials_in
from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError, InvalidInputError
from mockcampaign.judging.fact import (
    Died,
    Poisoned,
    Precondition,
    ProbeFailed,
    Reply,
    Response,
    Stimulus,
    Unmet,
    replies,
)
from mockcampaign.judging.ledger import NO_DELIVERIES, Ledger
from mockcampaign.judging.situation import Situation
from mockcampaign.masking import shown_url
from mockcampaign.model import EventType, Fault, Outcome, Responded, TimedOut, Webhook
from mockcampaign.policy import Policy
from mockcampaign.report import sentences
from mockcampaign.shape.field import Event, Role, Value
from mockcampaign.shape.shape import Shape
from mockcampaign.wallclock import Stopwatch, now, pause

FROM_NOW = 1_000_000
"""Number beyond which benches from `another_from_now` are numbered; up to it, the numbers are the rule's to give."""

COUNTERS_FROM = 900_000
"""Number from which on the benches that read counters are numbered."""

AGAIN = 800_000
"""Number of the bench on which a rule is examined again."""

NO_VALUES: Values = {}

BUSY = 500
"""Wall milliseconds for which a consumer may be busy with what was sent before."""

RESTART, RESTARTS = 250, 8
"""Wall milliseconds between the attempts to reach a consumer that a supervisor may restart, and their number."""

RATE_LIMITS = frozenset({429, 503})
"""Statuses that say that the consumer has had too many batches, and not that it could not store this one."""

SLOW = 4 * BUSY
"""Wall milliseconds after which a rejected batch needs no second one to show that the consumer is not just busy."""

LIMITED = (500, 1_000, 2_000, 4_000)
"""Wall milliseconds between ordinary batches that show whether a rate limit is over: most count by the second."""

RULE_SHARE = 0.5
"""Part of the time that is left for a rule in which a series of requests should end."""

SIMULATE_AFTER = 3
"""Number of equal failures of one batch after which most further attempts are simulated."""


class Bench:
    """Makes, sends and records the events of one rule. Its virtual time moves only when the rule moves it."""

    def __init__(self, context: CheckContext, slot: RuleSlot) -> None:
        self.context = context
        self.slot = slot
        self.seconds = math.inf
        """Limit of the wall time for examining the rule, in seconds."""
        self._stopwatch = Stopwatch()
        variation = context.settings.variation
        respelled = variation is not None and variation.respelled
        self.recording = Recording(context.transport, slot.start, context.settings.shape, respelled=respelled)
        self.campaign = Campaign(
            self.recording.transcript,
            seed=context.settings.seed,
            policy=_policy(context.settings) if slot.policy is None else slot.policy,
            start=slot.start,
            clock=context.clock,
        )
        self.ledger = Ledger.following(self.campaign.journal)
        self.other_deliveries = NO_DELIVERIES
        """Deliveries of further benches of the same rule, which this bench's journal does not contain."""
        self.store = RuleStore(context, self.campaign, self.ledger, slot.rule)
        self.campaign.journal.follow(self._note_accepted)
        self.last_accepted = True
        """Whether the batch that was delivered last was accepted."""
        self.sending: Stimulus | None = None
        """Description of the request that is on its way, if anything about it is special."""
        self.unanswered: list[Response] = []
        """Special requests to which there was no response within the time-out."""
        self._stimuli: dict[int, Stimulus] = {}
        """Descriptions of special batches, by the serials of their events."""
        self.is_disturbed = False
        """Whether the check has killed the consumer, or broken what it needs: it has reasons to reject batches."""
        self._is_control = False
        """Whether it delivers nothing but an ordinary batch beside those of another bench."""
        self._from_now = 0
        """Number of benches from `another_from_now` so far."""
        self._factory = EventFactory(slot, context.settings, lambda: self.campaign.now, context.taken)
        self.random = self._factory.random
        self._webhooks = BenchWebhooks(context, self.campaign, self.recording.scenario)

    def another(self, number: int) -> Bench:
        """Return a further bench of the same rule, which starts when this one did, with other recipients and mails.

        Pass it to `count_in` when it has sent its events.
        """
        return Bench(self.context, self.slot.another(number, start=self.slot.start))

    def another_from_now(self) -> Bench:
        """Return a further bench of the same rule, which starts now, so that its events are newer than all before."""
        self._from_now += 1
        return Bench(self.context, self.slot.another(FROM_NOW + self._from_now, start=self.campaign.now))

    def by_counter(self, number: int) -> Bench:
        """Return a further bench of the same rule whose probe is the counter with this number."""
        counter = self.context.counters[number]
        context = msgspec.structs.replace(self.context, probe=counter.probe)
        other = Bench(context, self.slot.another(COUNTERS_FROM + number, start=self.slot.start))
        other.seconds = self.seconds
        return other

    def again(self, start: int) -> Bench:
        """Return a further bench of the same rule, with other events, on which it can be examined again from then."""
        other = Bench(self.context, self.slot.another(AGAIN, start=start))
        other.seconds = self.seconds
        return other

    def count_in(self, other: Bench) -> None:
        """Add the deliveries of another bench, whose journal is not kept."""
        self.other_deliveries += other.ledger.deliveries + other.other_deliveries

    @property
    def url(self) -> str:
        """The URL of the consumer's webhook endpoint."""
        return self.context.url

    @property
    def endpoint(self) -> Endpoint:
        """The webhook endpoint with everything that a command needs to send a request to it."""
        settings = self.settings
        return Endpoint(url=self.url, authentication=settings.authentication, routes=settings.routes)

    @property
    def settings(self) -> Settings:
        """The settings of the check."""
        return self.context.settings

    @property
    def incidents(self) -> Incidents:
        """Observations that the benches of all rules share."""
        return self.context.incidents

    @property
    def event_type(self) -> EventType:
        """The type of the events, unless a rule asks for another one."""
        return self.settings.shape.event_type

    @property
    def shape(self) -> Shape:
        """The shape of the events, unless a rule asks for another type."""
        return self.settings.shape

    def shape_of(self, event_type: EventType) -> Shape:
        """Return the shape of events of a type. Raise `SkipRule` if captured events do not show it."""
        shape = self.settings.shape_of(event_type)
        if shape is None:
            raise SkipRule(Unmet(why=Precondition.NO_SAMPLE_OF_TYPE, variant=event_type))
        return shape

    def require(self, *roles: Role, shape: Shape | None = None) -> None:
        """Raise `SkipRule` unless the shape has a field for each of the roles."""
        shape = self.shape if shape is None else shape
        missing = next((role for role in roles if not shape.has(role)), None)
        if missing is not None:
            raise SkipRule(Unmet(why=Precondition.NO_FIELD, variant=missing))

    @property
    def variation(self) -> Variation | None:
        """The variation of the sender under which the rule is examined, if there is one."""
        return self.settings.variation

    @property
    def lengths(self) -> Lengths:
        """The greatest lengths of texts."""
        return Lengths() if self.variation is None else self.variation.lengths

    @property
    def consumer_now(self) -> int:
        """The time that the consumer's clock reads, in milliseconds since 1970: wall time, unless it follows."""
        clock = self.context.clock
        return now() if clock is None else clock.now

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """The faults that the transport can inject."""
        return self.context.transport.faults

    def affordable(self, count: int, requests: int = 1) -> int:
        """Return how many of so many steps, of so many requests each, there is time for: at least one.

        A slow consumer gets fewer examples, and a verdict on those.
        """
        left = (self.seconds * 1_000 - self._stopwatch.milliseconds) * RULE_SHARE
        pace = self.context.transport.milliseconds * requests
        return max(1, min(count, int(left / pace))) if pace and left < math.inf else count

    # Making events

    def event(self, values: Values = NO_VALUES) -> Event:
        """Make one event of a recipient and a mail of its own, newer than all before it."""
        return self.events(1, values)[0]

    def events(self, count: int, values: Values = NO_VALUES, event_type: EventType | None = None) -> list[Event]:
        """Make this many events. `values` sets roles in all of them, if their shape has fields for these."""
        return self._factory.events(count, self.shape if event_type is None else self.shape_of(event_type), values)

    def nobodys_event(self) -> Event:
        """Return an event with the ids that the bench's own events share, of a mail that no event has."""
        return self._factory.nobodys(self.shape)

    def values_of(self, event: Event, *roles: Role, event_type: EventType | None = None) -> dict[Role, Value]:
        """Return the event's values in these roles, for other events that are to have them as well."""
        shape = self.shape if event_type is None else self.shape_of(event_type)
        found = {role: shape.moment(event) if role is Role.MOMENT else shape.get(event, role) for role in roles}
        return {role: value for role, value in found.items() if value is not None}

    def mailing(self, number: int) -> Value:
        """Return the id of another mailing of this bench."""
        return self._factory.mailing(self.shape, number)

    def recipient_list(self, number: int) -> Value:
        """Return the id of another recipient list of this bench."""
        return self._factory.recipient_list(self.shape, number)

    def edge_cases(self, make: EdgeCases) -> list[EdgeCase]:
        """Return the edge cases of one kind that may be sent to this consumer and to which it responds."""
        hanging = self.incidents.without_response
        cases = self._factory.edge_cases(make, self.shape, self.context.shown_fields)
        return [case for case in cases if not any(case.is_like(one) for one in hanging) and not self._is_hidden(case)]

    def _is_hidden(self, case: EdgeCase) -> bool:
        """Return whether the probe could not select such an event: it lacks the value by which the probe selects."""
        probe = self.context.probe
        selected = {one.role for one in probe.selection.placeholders} if probe is not None else set()
        return case.role in selected and (case.absent or case.value is None)

    def body_of(self, events: Iterable[object]) -> bytes:
        """Return the body of a batch of these events, or of whatever else stands in their place."""
        return self.shape.body.of(events)

    # Delivering

    def webhook(self, number: int = 0, event_type: EventType | None = None) -> Webhook:
        """Return the activated webhook with this number, and create it if there is none."""
        return self._webhooks.get(number, event_type)

    def emit(self, events: Sequence[Event], number: int = 0, *, created: int | None = None) -> None:
        """Let exactly these events occur, so that the webhook delivers them."""
        self._emit(self.webhook(number), events, created)
        # Not with events that are no part of what shows a violation: those show that ordinary batches are accepted.
        if self.variation is not None and self.variation.accompanied and not self.recording.is_paused:
            self._emit(self._webhooks.companion(), self.events(3), None)

    def _emit(self, webhook: Webhook, events: Sequence[Event], created: int | None) -> None:
        self.context.event_budget.spend(len(events))
        self.store.expect_events_of(events, self.settings.shape_of(webhook.type))
        self.recording.scenario.events_emitted(webhook, events)
        self.campaign.emit_events(
            webhook.type,
            events,
            client_id=webhook.client_id,
            created=created,
            shape=self.settings.shape_of(webhook.type),
        )
        if not self.recording.is_paused:
            self.recording.serials.update(self.newest_serials)

    @property
    def newest_serials(self) -> range:
        """The serials of the events that occurred last."""
        newest = self.ledger.happened[-1]
        return range(newest.first_serial, newest.first_serial + len(newest.events))

    def fault(self, kind: str, number: int = 0, **options: Any) -> FaultInForce:
        """Declare a fault as `Campaign.fault` does. Raise `SkipRule` if the transport cannot inject it."""
        webhook = self.webhook(number)
        try:
            declared = self.campaign.fault(kind, webhook, **options)
        except InvalidInputError as error:
            raise SkipRule(Unmet(why=Precondition.FAULT_NOT_SUPPORTED, variant=str(error))) from None
        self.recording.scenario.fault_declared(kind, webhook, options)
        return declared

    def outage(self, duration: int, number: int = 0) -> None:
        """Begin an outage of this many milliseconds, in which the webhook does not reach the consumer."""
        webhook = self.webhook(number)
        self.recording.scenario.outage_began(duration, webhook)
        self.campaign.outage(duration, "refused", webhook)

    async def advance(self, duration: int = 0) -> None:
        """Let virtual time pass, and make every attempt that falls due meanwhile."""
        self.recording.scenario.time_passed(duration)
        await self.campaign.advance(duration)

    async def deliver(
        self,
        events: Sequence[Event],
        *,
        attempts: int = 1,
        number: int = 0,
        created: int | None = None,
        controlled: bool = True,
        sent: Stimulus | None = None,
    ) -> BatchOutcome:
        """Emit the events and deliver them. Discard them if the consumer does not accept them in so many attempts.

        `sent` says what is special about them, for a rule that is cut short and for what others see in its journal.
        If `controlled`, an ordinary batch follows one that the consumer could not store, to see whether it recovers.

        Raise `CouldNotTellError` if the consumer cannot be reached, and `ConsumerDiedError` if it dies of them.
        """
        before = self._attempt_count(number)
        position = len(self.ledger.attempts)
        self.emit(events, number, created=created)
        self.sending = sent
        if sent is not None:
            self._stimuli |= dict.fromkeys(self.newest_serials, sent)
        delivery = await self._send(number, before, attempts)
        self.sending = None
        if sent is not None and all(isinstance(one, TimedOut) for one in delivery.outcomes):
            self.unanswered.append(delivery.response(sent))
        met_fault = any(entry.faults for entry in self.ledger.attempts[position:])
        if delivery.accepted and len(delivery.outcomes) > 1 and not met_fault:
            self.incidents.accepted_on_retry.append(tuple(events))
        accepted_before, self.incidents.accepts = self.incidents.accepts, delivery.accepted and not met_fault
        if not met_fault:
            self.incidents.works = delivery.accepted
            self.incidents.failures += sum(not _is_on_purpose(one) for one in delivery.outcomes)
        controlled = controlled and not self._is_control
        if accepted_before and not met_fault and not delivery.accepted and controlled:
            batch = Stimulus(situation=Situation.BATCH, events=len(events))
            is_ordinary = all(map(self._factory.is_as_made, events))
            await self._require_recovery(batch, delivery.outcomes, is_ordinary=is_ordinary, events=tuple(events))
        return delivery

    def stimulus_of(self, entry: Attempted) -> Stimulus | None:
        """Return what is special about the batch of an attempt, if anything is."""
        return next((self._stimuli[serial] for serial in serials_in(entry.serials) if serial in self._stimuli), None)

    async def note_request(self, sent: Stimulus, outcome: Outcome, *, controlled: bool) -> None:
        """Note how the consumer responded to a request that Campaign never sends.

        If `controlled`, raise `PoisonedError` unless it accepts an ordinary batch after one that it could not handle.
        """
        incidents = self.incidents
        is_failure = not _is_on_purpose(outcome)
        incidents.failures += is_failure
        worked, incidents.works = incidents.works, incidents.works and not is_failure
        if controlled and worked and isinstance(outcome, Responded):
            await self._require_recovery(sent, (outcome,), is_ordinary=False)

    async def _require_recovery(
        self, after: Stimulus, outcomes: Sequence[Outcome], *, is_ordinary: bool, events: tuple[Event, ...] = ()
    ) -> None:
        """Raise `PoisonedError` unless the consumer accepts an ordinary batch after these outcomes.

        What it rejects on purpose, with a status below 500, leaves nothing behind. What it rejects for its rate it
        accepts again after a while.
        """
        failures = [one for one in outcomes if not _is_on_purpose(one)]
        if not failures:
            return
        incidents = self.incidents
        failed_before = incidents.failures - len(failures)
        is_limited = all(isinstance(one, Responded) and one.status in RATE_LIMITS for one in failures)
        if is_limited and (is_ordinary or incidents.limits_rate):
            incidents.limits_rate = True
            return
        watch = Stopwatch()
        since = await self._ordinary()
        # For most consumers, hardly any time has passed; one whose pool is empty takes its time for each rejection.
        pauses = LIMITED if is_limited else (BUSY,) if watch.milliseconds < SLOW else ()
        for milliseconds in pauses:
            if since.accepted or not isinstance(since.last, Responded):
                break
            await pause(milliseconds)
            since = await self._ordinary()
            incidents.limits_rate = incidents.limits_rate or (is_limited and since.accepted)
        if since.accepted:
            incidents.accepts = incidents.works = True
            return
        commands = None if events else self.recording.transcript.commands(self.endpoint)[0]
        fact = self._poisoned(after, outcomes, since.outcomes, await self._probe_failure(), failed_before)
        incidents.poison = Poison(fact=fact, events=events, commands="\n".join(commands) if commands else None)
        raise PoisonedError

    def _note_accepted(self, position: int, entry: Entry) -> None:
        if isinstance(entry, Attempted | Requested) and entry.outcome.accepted:
            self.incidents.note_accepted(self.slot.rule)

    async def require_probe(self, failed: ProbeFailed) -> None:
        """Judge a probe that worked before and has failed as `failed` says. Raise as `deliver` does.

        Raise `PoisonedError` also if ordinary batches are no longer accepted.
        """
        newest = self.ledger.attempts[-1:]
        serials = list(serials_in(newest[0].serials)) if newest else []
        failure = failed.message
        since = await self._ordinary()
        if since.accepted:
            await pause(BUSY)
            failure = await self._probe_failure()
        if not newest or (since.accepted and not failure):
            return
        batch = Stimulus(situation=Situation.BATCH, events=len(serials))
        outcomes = () if since.accepted else since.outcomes
        fact = self._poisoned(batch, (newest[0].outcome,), outcomes, failure)
        self.incidents.poison = Poison(fact=msgspec.structs.replace(fact, last=failed.last))
        if not since.accepted:
            raise PoisonedError

    async def comes_back(self) -> bool:
        """Return whether a consumer that could no longer be reached soon accepts batches again."""
        for _ in range(RESTARTS):
            await pause(RESTART)
            with contextlib.suppress(CouldNotTellError, ConsumerDiedError, PoisonedError):
                if (await self._ordinary()).accepted:
                    return True
        return False

    def died_and_came_back(self) -> Died | None:
        """Return what ended a consumer that came back: the newest batch that it received; None if there is none."""
        received = [entry for entry in self.ledger.attempts if is_received(entry)]
        if not received:
            return None
        newest = received[-1]
        batch = Stimulus(situation=Situation.BATCH, events=len(list(serials_in(newest.serials))))
        after = self.stimulus_of(newest) or batch
        return Died(after=after, replies=(Reply.of(newest.outcome),), reason="no connection", is_back=True)

    async def _ordinary(self) -> BatchOutcome:
        """Deliver an ordinary batch of one event, which is no part of what shows a violation.

        A consumer that rejects every first attempt has recovered if it accepts the second: another rule judges it.
        """
        other = self.another_from_now()
        other._is_control = True
        delivery = await other.deliver(other.events(1, {Role.MOMENT: self.campaign.now}), attempts=2)
        self.count_in(other)
        return delivery

    async def _probe_failure(self) -> str:
        if not self.store.has_probe:
            return ""
        try:
            await self.store.stored()
        except CouldNotTellError as error:
            return str(error)
        return ""

    def _poisoned(
        self,
        after: Stimulus,
        outcomes: Sequence[Outcome],
        since: Sequence[Outcome],
        probe: str,
        failed_before: int = 0,
    ) -> Poisoned:
        return Poisoned(
            after=after,
            replies=replies(outcomes),
            failed_before=failed_before,
            rule_id=self.slot.rule,
            since=replies(since),
            probe=probe,
        )

    async def deliver_concurrently(self, batches: Sequence[Sequence[Event]], *, attempts: int = 3) -> BatchOutcome:
        """Deliver each batch by a webhook of its own at the same moment, unless the webhooks deliver in turn.

        Return the first delivery that was rejected for so many attempts, or else the last one. Raise
        `CouldNotTellError` if the consumer cannot be reached.
        """
        if self.variation is not None and self.variation.in_turn:
            deliveries = [
                await self.deliver(events, attempts=attempts, number=number) for number, events in enumerate(batches)
            ]
        else:
            for number, events in enumerate(batches):
                self.emit(events, number)
            deliveries = [await self.proceed(attempts=attempts, number=number) for number in range(len(batches))]
        return next((one for one in deliveries if not one.accepted), deliveries[-1])

    async def proceed(self, *, attempts: int = 1, number: int = 0) -> BatchOutcome:
        """Make the next attempts at what is pending, and discard it if none of them is accepted."""
        return await self._send(number, self._attempt_count(number), attempts)

    async def finish(self) -> None:
        """Let time pass until nothing is pending: everything is delivered or has expired."""
        before = self.campaign.now
        await self.campaign.run()
        self.recording.scenario.time_passed(self.campaign.now - before)

    def discard_pending(self, number: int = 0) -> None:
        """Discard everything that a webhook still has to deliver, so that no later batch waits for it."""
        self._webhooks.replace(number)

    def unrecorded(self) -> contextlib.AbstractContextManager[None]:
        """Keep what happens meanwhile out of the reproduction of a violation."""
        return self.recording.paused()

    async def _send(self, number: int, before: int, attempts: int) -> BatchOutcome:
        campaign, webhook = self.campaign, self.webhook(number)
        await self.advance()
        while campaign.pending_count(webhook) and self._attempt_count(number) - before < attempts:
            due = campaign.next_due()
            if due is None or timed_out_twice(self.ledger, webhook.id):
                break
            # Each of these few attempts is really sent: a consumer may respond differently the fifth time.
            campaign.forget_simulated_failures()
            await self.advance(due - campaign.now)
        self.last_accepted = not campaign.pending_count(webhook)
        outcomes = self.ledger.account(webhook.id).outcomes(before)
        if outcomes and not is_reachable(self.ledger, outcomes):
            raise ConsumerUnreachableError(f"consumer {shown_url(self.url)}: {sentences.outcome(outcomes[-1])}", "")
        died = died_of_batch(self.ledger, webhook.id)
        if died is not None:
            raise ConsumerDiedError(died)
        if not self.last_accepted:
            self.discard_pending(number)
        return BatchOutcome(outcomes=outcomes, accepted=self.last_accepted)

    def _attempt_count(self, number: int) -> int:
        return self.ledger.account(self.webhook(number).id).attempts


def _is_on_purpose(outcome: Outcome) -> bool:
    """Return whether the consumer rejected a request for what it is, and did not fail."""
    return isinstance(outcome, Responded) and outcome.status < 500 and outcome.status not in RATE_LIMITS


def _policy(settings: Settings) -> Policy:
    body = settings.shape.body
    policy = Policy(
        timeout=settings.timeout,
        simulate_after=0 if settings.full_fidelity else SIMULATE_AFTER,
        batch_events_max=body.events_max,
        body_prefix=body.prefix,
        body_suffix=body.suffix,
    )
    return policy if settings.variation is None else msgspec.structs.replace(policy, **settings.variation.policy)
