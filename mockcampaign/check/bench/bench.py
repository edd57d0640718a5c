"""Where one rule is examined: a sender of its own, events that only it sends, and the account of just these."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from mockcampaign.campaign import Campaign, FaultInForce
from mockcampaign.check.bench.event_budget import EventBudget
from mockcampaign.check.bench.rule_store import SETTLE_POLL, RuleStore, body_of
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.examined import ConsumerDiedError, Event, NotExercised
from mockcampaign.check.probes.end_state import StateSource
from mockcampaign.check.probes.run_command import parsed, printed
from mockcampaign.check.probes.store_probe import StoreProbe
from mockcampaign.check.reproduce.scenario_writer import History
from mockcampaign.check.reproduce.transcript import Sent, Transcript
from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS, Lengths, Settings, Variation
from mockcampaign.engine.journal import Attempted, Happened, Requested, serials_in
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.events import field_values
from mockcampaign.events.fields import EXAMPLE, TYPES, drawn_mail_id
from mockcampaign.faults import NewConnection
from mockcampaign.judging.fact import (
    Costs,
    Died,
    Needs,
    NotStored,
    Precondition,
    Rejected,
    Reply,
    Response,
    Stimulus,
    Unmet,
    replies,
)
from mockcampaign.judging.ledger import NO_DELIVERIES, Ledger
from mockcampaign.judging.situation import Situation
from mockcampaign.model import (
    CONNECT_PHASES,
    EventType,
    Fault,
    NoResponse,
    Outcome,
    Request,
    Responded,
    TimedOut,
    Webhook,
)
from mockcampaign.policy import HOUR, MINUTE, Policy
from mockcampaign.report import sentences
from mockcampaign.transport import Transport
from mockcampaign.transport.wire import wait_until_reachable
from mockcampaign.wallclock import Stopwatch, pause

PACE = 101
"""Milliseconds from one event to the next, unless a rule says otherwise: no two are of the same moment, nor are events
of two rules, as each rule has its own remainder."""

HEAD_START = 10 * MINUTE
"""Events begin so long before the bench's start, so that many of them fit between."""

SIMULATE_AFTER = 3
"""After so many equal failures of one list, most further attempts are simulated."""

ACCOMPANYING = 99
"""Number of the webhook that delivers whenever another one does, where that is assumed."""

BUSY = 500
"""Milliseconds, by the wall's clock, that a consumer may be busy with what came before."""

SMALL = 5
"""Lists of so many events take no consumer long."""

CONTROL = 1_000_000
"""Numbers of the benches whose lists are nothing but ordinary, beside those that are compared with them."""

RESTART_TIMEOUT = 30_000
"""How long the command that restarts the consumer may take, and the consumer after it, in milliseconds."""

_IN_EACH_EVENT = b'"mailId"'

_CLIENTS = tuple(dict.fromkeys(client for _, (_, client) in field_values.MAILBOXES))


class BatchOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list."""

    outcomes: tuple[Outcome, ...]
    """Of each attempt."""
    accepted: bool
    """Whether the consumer took all of it."""

    @property
    def last(self) -> Outcome:
        """Of the last attempt."""
        return self.outcomes[-1]

    def response(self, to: Stimulus) -> Response:
        """Return how the consumer responded, as a fact; `to` says what was delivered."""
        return Response(to=to, replies=replies(self.outcomes))


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An ordinary list that the consumer did not take."""

    rule_id: str
    """Of the rule that was examined."""
    replies: tuple[Reply, ...]
    """What the consumer answered."""
    answered: bool
    """Whether it did so, be it too late."""


class Bench:
    """One rule's own. Its virtual time moves only as the rule wants."""

    def __init__(
        self,
        rule_id: str,
        *,
        url: str,
        transport: Transport,
        settings: Settings,
        start: int,
        number: int,
        source: StoreProbe | None,
        state: StateSource | None,
        shown_fields: frozenset[str],
        setbacks: list[tuple[Event, ...]],
        refusals: list[Refusal],
        allowance: EventBudget,
        policy: Policy | None = None,
    ) -> None:
        """`start` in milliseconds since 1970; `number` is the rule's own, below `PACE`.

        `setbacks` is where the benches of all rules keep the lists that the consumer took, but not at once, and
        `refusals` where they keep the ordinary ones that it did not take at all.

        `shown_fields` are those that the account shows as they were sent.
        """
        self._made_with: dict[str, Any] = {
            "url": url,
            "transport": transport,
            "settings": settings,
            "start": start,
            "number": number,
            "source": source,
            "state": state,
            "shown_fields": shown_fields,
            "setbacks": setbacks,
            "refusals": refusals,
            "allowance": allowance,
            "policy": policy,
        }
        self.rule_id = rule_id
        self.url = url
        self.settings = settings
        self.type = settings.event_type
        self.transcript = Transcript(transport)
        self.campaign = Campaign(
            self.transcript,
            seed=settings.seed,
            policy=_policy(settings) if policy is None else policy,
            start=start,
        )
        self.random = random.Random(f"check:{settings.seed}:{rule_id}")
        self.setbacks = setbacks
        self.refusals = refusals
        self._controls = 0
        self.ledger = Ledger.following(self.campaign.journal)
        self.besides = NO_DELIVERIES
        """Deliveries of other benches like this one, which this bench's journal does not contain."""
        self._allowance = allowance
        self._transport = transport
        self.store = RuleStore(
            self.campaign, self.ledger, source, state, shown_fields=shown_fields, settle=settings.settle
        )
        digest = int.from_bytes(hashlib.sha256(f"{settings.seed}:{rule_id}".encode()).digest()[:8])
        self.client_id = settings.client_id or CLIENT_IDS[digest % len(CLIENT_IDS)]
        self.mailing_id = MAILING_IDS[digest % len(MAILING_IDS)]
        self.seconds = math.inf
        """So long may examining the rule take, by the wall's clock."""
        self._webhooks: list[Webhook] = []
        self._companion: Webhook | None = None
        self.recorded: set[int] = set()
        """Serials of the events in the history."""
        self._made = 0
        self.history = History(start)
        self.last_accepted = True
        """Whether the list that was delivered last was taken."""
        self._newest = start - HEAD_START
        self._remainder = number

    def another(self, number: int) -> Bench:
        """A bench like this one at its start, with recipients and mails of its own. `count_in` what it has sent."""
        return Bench(f"{self.rule_id}:{number}", **self._made_with)

    def count_in(self, other: Bench) -> None:
        """What another one has sent counts as well, though no journal is kept of it."""
        self.besides += other.ledger.deliveries + other.besides

    @property
    def variation(self) -> Variation | None:
        """What is assumed of the sender otherwise than usual."""
        return self.settings.variation

    @property
    def lengths(self) -> Lengths:
        """How long texts may be."""
        return Lengths() if self.variation is None else self.variation.lengths

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """Those that the transport can carry out."""
        return self._transport.faults

    # Events

    def event(self, **changes: Any) -> Event:
        """One event of a recipient and a mail of its own, later than all before."""
        return self.events(1, **changes)[0]

    def events(self, count: int, event_type: EventType | None = None, **changes: Any) -> list[Event]:
        """The same, several. `changes` sets fields in all of them, if their type has these."""
        kind = self.type if event_type is None else event_type
        return [self._event(kind, changes) for _ in range(count)]

    def _event(self, kind: EventType, changes: dict[str, Any]) -> Event:
        self._made += 1
        moment = max(self._newest + PACE, self.campaign.now - HEAD_START)
        # Counted from the check's own moment, so that another check makes the same ones at another time.
        since = moment - self.settings.now
        self._newest = min(moment + (self._remainder - since) % PACE, self.campaign.now)
        device, system, browser = self.random.choice(_CLIENTS)
        known = {
            **EXAMPLE,
            "type": kind.value,
            "recipientId": str(self.random.randrange(10**11, 10**12)),
            "userListId": self.mailing_id + 1,
            "remoteAddress": f"198.51.100.{self.random.randrange(1, 255)}",
            "clientId": self.client_id,
            "mailingId": self.mailing_id,
            "created": self._newest,
            "subscriptionId": self.random.randrange(10**6, 10**9),
            "mailId": self.mail_id(),
            "device": device,
            "operatingSystem": system,
            "browser": browser,
            "linkId": self.mailing_id + 2,
        }
        return {name: changes.get(name, known[name]) for name in TYPES[kind]}

    def odd(self, make: Callable[[EventType], list[EdgeCase]]) -> list[EdgeCase]:
        """Of one kind, those that are to be sent. Who names the client may have a consumer that takes no other's."""
        named = self.settings.client_id is not None
        return [oddity for oddity in make(self.type) if not (named and oddity.field == "clientId")]

    def mail_id(self) -> str:
        """A new one, in the shape of the guide's example."""
        return drawn_mail_id(self.random)

    # Delivering

    def webhook(self, number: int = 0, event_type: EventType | None = None) -> Webhook:
        """An activated webhook, the same one for the same number. Each belongs to a client of its own."""
        while len(self._webhooks) <= number:
            self._webhooks.append(self._new_webhook(len(self._webhooks), event_type or self.type))
        return self._webhooks[number]

    def _new_webhook(self, number: int, event_type: EventType) -> Webhook:
        webhook = self.campaign.create(
            event_type, self.url, self.settings.authentication, client_id=CLIENT_IDS[0] + number
        )
        activated = self.campaign.activate(webhook)
        self.history.webhook(activated)
        varied = None if self.variation is None else self.variation.fault
        if varied is not None:
            try:
                self.campaign.fault(varied, activated)
            except InvalidInputError as error:
                raise NotExercised(Unmet(why=Precondition.FAULT_NOT_SUPPORTED, variant=str(error))) from None
        return activated

    @property
    def webhook_ids(self) -> dict[str, int]:
        """Of all that there ever were, by the names that the scenario gives them."""
        return {name: webhook_id for webhook_id, name in self.history.names.items()}

    def give_up(self, number: int = 0) -> None:
        """Discard what a webhook still has to deliver, so that nothing waits behind it."""
        webhook = self.campaign.deactivate(self._webhooks[number])
        self.campaign.delete(webhook)
        self.history.discarded(webhook)
        self._webhooks[number] = self._new_webhook(number, webhook.type)

    def emit(self, events: Sequence[Event], number: int = 0, *, created: int | None = None) -> None:
        """Let these events happen, exactly."""
        webhook = self.webhook(number)
        self._allowance.take(len(events))
        self.store.expect_events_of(events)
        self.history.emitted(webhook, events)
        self.campaign.emit_events(webhook.type, events, client_id=webhook.client_id, created=created)
        self._record_last()
        # By what is not part of what shows a violation, one knows that it is not ordinary lists that go wrong.
        if self.variation is not None and self.variation.accompanied and not self.history.paused:
            self._accompany()

    def _accompany(self) -> None:
        """Let a few other events happen, of which another webhook tells at the same moment."""
        if self._companion is None:
            self._companion = self._new_webhook(ACCOMPANYING, self.type)
        events = self.events(3)
        self._allowance.take(len(events))
        self.store.expect_events_of(events)
        self.history.emitted(self._companion, events)
        self.campaign.emit_events(self.type, events, client_id=self._companion.client_id)
        self._record_last()

    def _record_last(self) -> None:
        if not self.history.paused:
            self.recorded.update(_serials_of(self._last_happened()))

    async def deliver_at_once(self, batches: Sequence[Sequence[Event]], *, attempts: int = 3) -> BatchOutcome:
        """Send each batch by a webhook of its own at the same moment, unless webhooks deliver in turn.

        Return the first delivery that was rejected for so many attempts, or else the last one. Raise
        `CouldNotTellError` where the consumer cannot be reached.
        """
        if self.variation is not None and self.variation.in_turn:
            deliveries = [
                await self.deliver(events, attempts=attempts, number=number) for number, events in enumerate(batches)
            ]
            return next((one for one in deliveries if not one.accepted), deliveries[-1])
        for number, events in enumerate(batches):
            self.emit(events, number)
        deliveries = [await self.proceed(attempts=attempts, number=number) for number in range(len(batches))]
        return next((one for one in deliveries if not one.accepted), deliveries[-1])

    async def advance(self, duration: int = 0) -> None:
        """Let virtual time pass, and do all that falls due meanwhile."""
        self.history.advanced(duration)
        await self.campaign.advance(duration)

    def outage(self, duration: int, number: int = 0) -> None:
        """From now on, for so long, nothing of the webhook reaches the consumer."""
        webhook = self.webhook(number)
        self.history.outage(duration, webhook)
        self.campaign.outage(duration, "refused", webhook)

    async def deliver(
        self, events: Sequence[Event], *, attempts: int = 1, number: int = 0, created: int | None = None
    ) -> BatchOutcome:
        """Emit and send them. What the consumer does not take within so many attempts is given up.

        Raises `CouldNotTellError` where the consumer cannot be reached, and `ConsumerDiedError` where it dies of them.
        """
        self.webhook(number)
        before = self._attempts(number)
        position = len(self.ledger.attempts)
        self.emit(events, number, created=created)
        delivery = await self._send(number, before, attempts, give_up=True)
        is_setback = delivery.accepted and len(delivery.outcomes) > 1
        if is_setback and not any(entry.faults for entry in self.ledger.attempts[position:]):
            self.setbacks.append(tuple(events))
        return delivery

    async def proceed(self, *, attempts: int = 1, number: int = 0, give_up: bool = True) -> BatchOutcome:
        """Make the next attempts at what is pending."""
        return await self._send(number, self._attempts(number), attempts, give_up=give_up)

    async def finish(self) -> None:
        """Let time pass until nothing is left to deliver, if only because it has expired."""
        before = self.campaign.now
        await self.campaign.run()
        self.history.advanced(self.campaign.now - before)

    async def _send(self, number: int, before: int, attempts: int, *, give_up: bool) -> BatchOutcome:
        campaign, webhook = self.campaign, self._webhooks[number]
        await self.advance()
        while campaign.pending_count(webhook) and self._attempts(number) - before < attempts:
            due = campaign.next_due()
            if due is None or self._timed_out_twice(number):
                break
            # So few are really sent: a consumer may do something else the fifth time.
            campaign.forget_simulated_failures()
            await self.advance(due - campaign.now)
        accepted = self.last_accepted = not campaign.pending_count(webhook)
        outcomes = self.ledger.account(webhook.id).outcomes(before)
        if outcomes and not self._touched(outcomes):
            raise CouldNotTellError(f"consumer {self.url}: {sentences.reply(Reply.of(outcomes[-1]))}")
        self._must_live(number)
        if not accepted and give_up:
            self.give_up(number)
        return BatchOutcome(outcomes=outcomes, accepted=accepted)

    def _must_live(self, number: int) -> None:
        """Raises `ConsumerDiedError` where the newest list reached it without an answer, and it takes no connection
        since. Who hung up does not matter: it has to survive either."""
        match self._newest_attempts(number):
            case [
                Attempted(outcome=NoResponse() as fatal) as attempt,
                Attempted(outcome=NoResponse() as gone, faults=()),
            ]:
                if fatal.phase not in CONNECT_PHASES and gone.phase in CONNECT_PHASES:
                    count = len(list(serials_in(attempt.serials)))
                    died_of = Stimulus(situation=Situation.BATCH, events=count)
                    raise ConsumerDiedError(Died(after=died_of, replies=(Reply.of(fatal),), reason=gone.reason))

    def _timed_out_twice(self, number: int) -> bool:
        """Whether the consumer itself took too long for the last two attempts.

        One late answer may be the machine's fault. Waiting once more than twice would only cost the same again.
        """
        newest = self._newest_attempts(number)
        return len(newest) == 2 and all(isinstance(one.outcome, TimedOut) and not one.faults for one in newest)

    def _newest_attempts(self, number: int) -> list[Attempted]:
        """The last two attempts of all, as far as they were this webhook's: the older one first."""
        webhook = self._webhooks[number]
        return [entry for entry in self.ledger.attempts[-2:] if entry.webhook_id == webhook.id]

    def _touched(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether any attempt reached the consumer, or was not meant to."""
        return bool(self.ledger.attempts[-1].faults) or any(
            isinstance(outcome, Responded) or outcome.phase not in CONNECT_PHASES for outcome in outcomes
        )

    def _attempts(self, number: int) -> int:
        return self.ledger.account(self.webhook(number).id).attempts

    async def must_deliver(self, events: Sequence[Event], *, number: int = 0) -> BatchOutcome:
        """`deliver`, where the rule is about what comes afterwards.

        Raises `NotExercised` where it is refused, and `CouldNotTellError` where it is not even answered.
        """
        delivery = await self.deliver(events, number=number, attempts=3)
        if not delivery.accepted:
            count = len(events)
            response = delivery.response(Stimulus(situation=Situation.ORDINARY_BATCH, events=count))
            if isinstance(delivery.last, Responded):
                await self.accepts_ordinary()
                raise NotExercised(Rejected(response=response))
            if isinstance(delivery.last, TimedOut) and count <= SMALL:
                self._refused_ordinary(delivery)  # without asking once more, as that would take as long again
            raise CouldNotTellError(sentences.actual([response]))
        return delivery

    async def accepts_ordinary(self) -> bool:
        """Whether the consumer takes one ordinary event at this moment. Where it refuses that, it is a refusal.

        Raises `CouldNotTellError` where the consumer cannot be reached.
        """
        delivery = await self._control()
        if not delivery.accepted and isinstance(delivery.last, Responded):
            # It may only have been busy: for the consumer, next to no time passes between attempts.
            await pause(BUSY)
            delivery = await self._control()
        if not delivery.accepted:
            self._refused_ordinary(delivery)
        return delivery.accepted

    async def _control(self) -> BatchOutcome:
        self._controls += 1
        # Its event is newer than all before it.
        other = Bench(f"{self.rule_id}:{CONTROL + self._controls}", **{**self._made_with, "start": self.campaign.now})
        delivery = await other.deliver(other.events(1, created=self.campaign.now), attempts=3)
        self.count_in(other)
        return delivery

    def _refused_ordinary(self, delivery: BatchOutcome) -> None:
        rule_id = self.rule_id.partition(":")[0]
        answered = isinstance(delivery.last, Responded)
        self.refusals.append(Refusal(rule_id=rule_id, replies=replies(delivery.outcomes), answered=answered))

    async def must_accept_ordinary(self, rejected: Response) -> None:
        """Raise `NotExercised` with this response unless an ordinary batch is accepted at this moment.

        Otherwise it is not for what is special about a batch that it was rejected.
        """
        if not await self.accepts_ordinary():
            raise NotExercised(Rejected(response=rejected, ordinary_too=True))

    async def must_store(self, count: int) -> None:
        """An ordinary list of so many events, by which to know that it is not that which goes wrong.

        Raises `NotExercised` unless it is accepted and processed as it should be.
        """
        with self.unrecorded():
            await self.must_deliver(self.events(count))
        difference = await self.store.difference()
        if difference:
            ordinary = Stimulus(situation=Situation.ORDINARY_BATCH, events=count)
            raise NotExercised(NotStored(difference=difference.seen(ordinary)))

    async def must_distinguish(self) -> None:
        """Raises `NotExercised` where two acts on one mail, or one recipient's of two mailings, are taken for one."""
        first = self.event()
        second = {**first, "created": first["created"] + 40_001}
        third = self.event(recipientId=first["recipientId"])
        with self.unrecorded():
            for event in (first, second, third):
                await self.must_deliver([event])
        if await self.store.difference():
            raise NotExercised(Unmet(why=Precondition.DIFFERENT_EVENTS_MERGED))

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """What is done meanwhile is not part of what shows a violation."""
        self.history.paused = self.transcript.paused = True
        try:
            yield
        finally:
            self.history.paused = self.transcript.paused = False

    def fault(self, kind: str, number: int = 0, **options: Any) -> FaultInForce:
        """Declare a fault as `Campaign.fault` does. Raises `NotExercised` where the transport cannot carry it out."""
        webhook = self.webhook(number)
        try:
            declared = self.campaign.fault(kind, webhook, **options)
        except InvalidInputError as error:
            raise NotExercised(Unmet(why=Precondition.FAULT_NOT_SUPPORTED, variant=str(error))) from None
        self.history.fault(kind, webhook, options)
        return declared

    async def request(
        self,
        what: Stimulus,
        body: bytes,
        *,
        method: str = "POST",
        headers: Iterable[tuple[str, str]] | None = None,
        authenticated: bool = True,
        credentials: str | None = None,
        faults: tuple[Fault, ...] = (),
        own_connection: bool = True,
        transport: Transport | None = None,
    ) -> Outcome:
        """Send something that Campaign never sends; `what` says what is special about it.

        `credentials` are arguments of curl that stand for those in the headers.

        It has a connection of its own where there are connections, unless the rule is about what follows on the same
        one: a consumer that refuses it without reading its body would take the rest of it for the next request.
        """
        self._allowance.take(body.count(_IN_EACH_EVENT))
        self.history.complete = False
        timeout = self.settings.timeout if faults else self._allowance.timeout(self.settings.timeout)
        sent = Sent(body=body, faults=faults, timeout=timeout, method=method, credentials=credentials)
        self.transcript.note(sent)
        if own_connection and NewConnection in self.faults:
            faults = (*faults, NewConnection())
        sent_headers = [("Content-Type", "application/json")] if headers is None else list(headers)
        if authenticated:
            sent_headers += self.settings.authentication.headers()
        request = Request(
            method=method,
            url=self.url,
            headers=tuple(sent_headers),
            body=body,
            timeout=timeout,
            response_body_bytes_kept=self.campaign.policy.response_body_bytes_kept,
            faults=faults,
        )
        outcome = await (transport or self._transport).send(request)
        sent.outcome = outcome
        self._allowance.unanswered += isinstance(outcome, TimedOut) and not sent.faults
        self.webhook()  # whose credentials the consumer may echo
        self.campaign.journal.append(
            Requested(
                at=self.campaign.now,
                method=method,
                what=sentences.stimulus(what),
                body_bytes=len(body),
                outcome=self.campaign.masking.outcome(outcome),
            )
        )
        return outcome

    async def restart(self, *, after: int) -> None:
        """Kill the consumer and start it again, so many milliseconds from now by the wall's clock.

        Raises `CouldNotTellError` where the command fails, or the consumer does not come back.
        """
        command = self.settings.restart_command
        if command is None:
            raise NotExercised(Needs(need="restart command"))
        self.history.complete = False
        await pause(after)
        await printed(parsed(command), "restart command", timeout=RESTART_TIMEOUT, output=False)
        if not await wait_until_reachable(self.url, RESTART_TIMEOUT) or not await self._answers():
            raise CouldNotTellError(f"consumer {self.url}: not back {RESTART_TIMEOUT} ms after its restart")

    async def _answers(self) -> bool:
        """Whether the consumer gives its account again. A process that is being killed may still take connections."""
        stopwatch = Stopwatch()
        while stopwatch.milliseconds < RESTART_TIMEOUT:
            try:
                await self.store.held()
                return True
            except CouldNotTellError:
                await pause(SETTLE_POLL)
        return False

    async def price(
        self,
        events: Sequence[Event],
        *,
        of: Stimulus | None = None,
        reply: Reply | None = None,
        behind: Sequence[Event] = (),
    ) -> Costs:
        """Return what it costs that the consumer rejects this batch: it is sent for three days, mostly simulated.

        Those `behind` happen an hour later; `waited` tells what it costs them.
        """
        webhook = self.webhook()
        with self.unrecorded():
            self.emit(events, created=self.campaign.now)
            serials = _serials_of(self._last_happened())
            if behind:
                await self.advance(HOUR)
                self.emit(behind, created=self.campaign.now)
            await self.campaign.run()
        account = self.ledger.account(webhook.id)
        requests = sum(
            entry.count
            for _, entry in account.entries
            if any(serial in serials for serial in serials_in(entry.serials))
        )
        return Costs(
            of=of,
            reply=reply,
            requests=requests,
            body_bytes=requests * len(body_of(events)),
            events_lost=sum(serial in account.discarded for serial in serials),
        )

    def waited(self) -> int | None:
        """How long what happened last waited until all of it was taken, in virtual milliseconds; None if it was not."""
        happened = self._last_happened()
        left = set(_serials_of(happened))
        for entry in self.ledger.attempts:
            if entry.outcome.accepted:
                left.difference_update(serials_in(entry.serials))
                if not left:
                    return entry.last_at - happened.at
        return None

    def _last_happened(self) -> Happened:
        return self.ledger.happened[-1]


def _serials_of(happened: Happened) -> range:
    return range(happened.first_serial, happened.first_serial + len(happened.events))


def _policy(settings: Settings) -> Policy:
    policy = Policy(timeout=settings.timeout, simulate_after=0 if settings.full_fidelity else SIMULATE_AFTER)
    return policy if settings.variation is None else msgspec.structs.replace(policy, **settings.variation.policy)
