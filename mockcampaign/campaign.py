"""The façade over one engine: webhooks, events, outages, time and the journal, for users and all doors."""

from __future__ import annotations

import platform
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain, groupby
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

import mockcampaign
from mockcampaign import __version__, json_text
from mockcampaign.clients import Client, Clients
from mockcampaign.clients.recipient_table import in_memory
from mockcampaign.durations import format_moment
from mockcampaign.engine.declared_faults import make_fault
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Verified
from mockcampaign.engine.loop import Driver, Send, drive
from mockcampaign.engine.webhooks import commands_until_deleted
from mockcampaign.errors import CertificateError, ConsumerUnreachableError, InvalidInputError
from mockcampaign.events import DEFAULT_RATES, Generator, Mailing, Rates, Sample
from mockcampaign.faults import FAULTS, OUTAGES, CallFault, WireFault, unknown_kind
from mockcampaign.masking import shown_url
from mockcampaign.model import CONNECT_PHASES, Event, EventType, Fault, NoAuthentication, NoResponse, Responded
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, Policy, check_client_id
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.shape import common_body
from mockcampaign.transport.led import LedTransport

if TYPE_CHECKING:
    from mockcampaign.clients.definitions import ClientDefinition
    from mockcampaign.clients.recipient_table import MakeRows
    from mockcampaign.clients.sent_mail import SentMail
    from mockcampaign.clocks.clock_file import ClockFile
    from mockcampaign.engine.declared_faults import Declared, When
    from mockcampaign.engine.journal import Entry, Journal, OutageDeclared
    from mockcampaign.engine.keeping import Keeper, KeptSender
    from mockcampaign.engine.outbox import Attempt, Due, Idle
    from mockcampaign.engine.webhooks import Webhooks
    from mockcampaign.masking import Masking
    from mockcampaign.model import Authentication, Outcome, Request, Webhook
    from mockcampaign.shape.shape import Shape
    from mockcampaign.transport import Transport


class MailingSent(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing, and how many events it causes."""

    mailing_id: int
    events: int
    by_type: dict[EventType, int]


class FaultInForce:
    """A declared fault. As a context manager, it ends with the block."""

    def __init__(self, exporter: Exporter, declared: Declared) -> None:
        self._exporter = exporter
        self._declared = declared

    @property
    def number(self) -> int:
        """The fault's number in the journal."""
        return self._declared.number

    @property
    def hits(self) -> int:
        """Number of attempts or calls that the fault has hit."""
        return self._declared.hits

    def end(self) -> None:
        """End the fault, which may be over already."""
        self._exporter.end_fault(self._declared.number)

    def __enter__(self) -> FaultInForce:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


SAMPLE_MAILING_ID = 123456789004
"""Id of the mailing in the guide's example."""


NO_MAILING = (
    "mailing: it consists of events of Campaign's own shape, but this campaign has a captured one, allowed: emit"
)
"""Why a campaign with captured shapes sends no whole mailing."""

_Driver = TypeVar("_Driver", bound=Driver)


def _with_body(policy: Policy, shapes: Mapping[EventType, Shape]) -> Policy:
    """Return the policy with the body that the captured events show."""
    body = common_body(shapes)
    if body is None:
        return policy
    return msgspec.structs.replace(
        policy,
        body_prefix=body.prefix,
        body_suffix=body.suffix,
        batch_events_max=min(policy.batch_events_max, body.events_max),
    )


class _Waiting(Driver):
    """A driver that stops as soon as a condition holds."""

    def __init__(self, exporter: Exporter, send: Send, condition: Callable[[], bool], *, watches: bool) -> None:
        """`watches` says whether the condition depends on attempts that do not reach the consumer."""
        super().__init__(exporter, send)
        self._condition = condition
        self._watches = watches

    @property
    def is_watched(self) -> bool:
        return self._watches

    def halted(self) -> bool:
        return self._condition()


class Campaign:
    """One sender with a clock of its own, which only `advance` and `run` move.

    All durations and moments are whole milliseconds. Equal seeds, versions, calls and responses give equal journals.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        seed: int = 0,
        policy: Policy = Policy(),
        start: int = DEFAULT_START,
        name: str = "",
        journal: Journal | None = None,
        first_webhook_id: int = 1,
        shapes: Mapping[EventType, Shape] = {},
        clients: Mapping[int, ClientDefinition] = {},
        first_object_id: int = 1 << 31,
        keeper: Keeper | None = None,
        kept: KeptSender | None = None,
        make_rows: MakeRows = in_memory,
        clock: ClockFile | None = None,
    ) -> None:
        """Campaigns of one seed make different events if their names differ, so that consumers do not mix them up.

        Give a `journal` to bound it; by default everything is kept. Webhooks get ids from `first_webhook_id` on, in
        order of their creation. `shapes` are the shapes of captured events: all events of these types get them, and all
        requests their body. `clients` says what clients have from the start besides the defaults; what calls create
        there gets ids from `first_object_id` on. `keeper` is notified of what has to outlive the process, and
        `kept` did so; the journal is then that of the process before. `make_rows` makes the rows of recipients.
        A consumer that follows `clock` sees virtual time, and may respond differently later, so that each attempt is
        really sent. Raises `InvalidInputError` if the bodies differ, or two definitions contradict each other.
        """
        if clock is not None:
            policy = msgspec.structs.replace(policy, simulate_after=0)
        self.seed = seed
        self.name = name
        self.shapes = dict(shapes)
        """The shapes of captured events, by type."""
        self._exporter = Exporter(
            policy=_with_body(policy, self.shapes),
            seed=seed,
            start=start,
            name=name,
            versions={"mockcampaign": __version__, "python": platform.python_version()},
            journal=journal,
            first_webhook_id=first_webhook_id,
            keeper=keeper,
            kept=kept,
        )
        self._clock = clock
        self._transport = transport if clock is None else LedTransport(transport, self.show_time)
        self._generators: dict[int, Generator] = {}
        self._reached: set[str] = set()
        self._clients = Clients(
            self,
            seed=self._seed_of,
            start=start if kept is None else kept.start,
            first_id=first_object_id,
            definitions=clients,
            make_rows=make_rows,
        )

    @property
    def journal(self) -> Journal:
        """The journal of what happened so far."""
        return self._exporter.journal

    @property
    def now(self) -> int:
        """The present moment: virtual milliseconds since 1970."""
        return self._exporter.clock.now

    def show_time(self) -> None:
        """Show virtual time to the consumer that follows it, if one does, as each request does."""
        if self._clock is not None:
            self._clock.show(self.now)

    def check_clock(self) -> None:
        """Raise `ClockNotLedError` if the consumer's clock, if one follows, could not be led now."""
        if self._clock is not None:
            self._clock.check()

    @property
    def policy(self) -> Policy:
        """The limits of the sender."""
        return self._exporter.policy

    @property
    def next_webhook_id(self) -> int:
        """The id of the next webhook. No id is used twice."""
        return self._exporter.registry.next_id

    @property
    def next_object_id(self) -> int:
        """An id above those of everything that calls have created for clients."""
        return self._clients.next_id

    @property
    def webhooks(self) -> Webhooks:
        """The webhooks that are not deleted."""
        return self._exporter.registry

    @property
    def masking(self) -> Masking:
        """Hides the credentials of all webhooks, past ones included."""
        return self._exporter.requests.masking

    @property
    def is_idle(self) -> bool:
        """Whether nothing will be sent unless something new happens."""
        return self._exporter.idle

    @property
    def faults(self) -> frozenset[type[Fault]]:
        """The faults that the transport can carry out."""
        return self._transport.faults

    def shape(self, event_type: EventType) -> Shape:
        """Return the shape of events of a type: the captured one, or Campaign's own."""
        return self.shapes.get(event_type) or builtin_shape(event_type)

    def client(self, client_id: int = DEFAULT_CLIENT_ID) -> Client:
        """Return a client as it is now, with the commands on its recipients and mails."""
        return self._clients.get(client_id)

    def mails(self) -> list[SentMail]:
        """Return the mails that the clients have sent one by one, oldest first."""
        return self._clients.mails()

    def client_of_mail(self, mail_id: str) -> Client:
        """Return the client that sent a mail. Raises `NotFoundError` if nobody did."""
        return self._clients.of_mail(mail_id)

    def record(self, entry: Entry) -> None:
        """Append an entry of a client's command to the journal."""
        self.journal.append(entry)

    def let_occur(self, client_id: int, events: list[tuple[int, EventType, bytes]]) -> None:
        """Let encoded events occur at their moments: those of the present at once, and none in the past."""
        self.put(
            [
                (at, EventsDue(client_id=client_id, type=event_type, payloads=((at, payload),)))
                for at, event_type, payload in events
            ]
        )

    def next_due(self) -> int | None:
        """Return the next moment at which something is due, or None if nothing is."""
        return self._exporter.clock.next_due()

    def webhook(self, webhook_id: int) -> Webhook:
        """Return a webhook as it is now, or was when it was deleted. Raises `WebhookNotFoundError` if it never was."""
        return self._exporter.registry.past_or_present(webhook_id)

    def pending(self, webhook: Webhook) -> list[Event]:
        """Return the events that the webhook still has to deliver, oldest first."""
        return self._exporter.pending(webhook.id)

    def pending_count(self, webhook: Webhook) -> int:
        """Return how many events the webhook still has to deliver."""
        return self._exporter.pending_count(webhook.id)

    def delivery_state(self, webhook: Webhook) -> Idle | Due | Attempt:
        """Return whether the webhook is idle, waits for an attempt or makes one."""
        return self._exporter.outbox_state(webhook.id)

    def request(self, webhook: Webhook, events: Sequence[Event]) -> Request:
        """Return the request that delivers these events."""
        return self._exporter.requests.for_events(webhook.id, events)

    def create(
        self,
        event_type: EventType,
        target_url: str,
        authentication: Authentication | None = None,
        *,
        client_id: int = DEFAULT_CLIENT_ID,
        integration_id: str = "",
    ) -> Webhook:
        """Create a webhook. Raises `WebhookCommandRejectedError` at the client's creation limit."""
        self.check_target(target_url)
        return self._exporter.create(
            client_id, event_type, target_url, authentication or NoAuthentication(), integration_id=integration_id
        )

    def update(
        self, webhook: Webhook, *, target_url: str | None = None, authentication: Authentication | None = None
    ) -> Webhook:
        """Change the target or the credentials. Raises `WebhookError` if the webhook is deleted."""
        if target_url is not None:
            self.check_target(target_url)
        return self._exporter.update(
            webhook.client_id, webhook.id, target_url=target_url, authentication=authentication
        )

    def rotate(self, webhook: Webhook, authentication: Authentication, *, after: int = 0) -> None:
        """Give a webhook other credentials after a time; until then, it sends the old ones."""
        self._exporter.schedule_credentials(self.now + after, webhook.id, authentication)

    def rotate_user(self, password: str, *, username: str | None, client_id: int, after: int) -> None:
        """Give a user of the REST API another password. Raises `InvalidInputError` unless a server has users."""
        raise InvalidInputError("rotate: there are no users of the REST API here, allowed: a webhook")

    def forget_webhooks(self) -> None:
        """Delete all webhooks, whatever their status."""
        for webhook in self.webhooks.all():
            for command in commands_until_deleted(webhook.status):
                _COMMANDS[command](self, webhook)

    def check_target(self, target_url: str) -> None:
        """Raise `InvalidInputError` if webhooks may not send there. Here they may send anywhere, since the caller can
        send, too."""

    def activate(self, webhook: Webhook) -> Webhook:
        """Activate a webhook. Raises `WebhookCommandRejectedError` if it is activated already."""
        return self._exporter.activate(webhook.client_id, webhook.id)

    def deactivate(self, webhook: Webhook) -> Webhook:
        """Deactivate a webhook. Raises `WebhookCommandRejectedError` if it is not activated."""
        return self._exporter.deactivate(webhook.client_id, webhook.id)

    def suspend(self, webhook: Webhook) -> Webhook:
        """Suspend a webhook. Raises `WebhookCommandRejectedError` if it is not activated."""
        return self._exporter.suspend(webhook.client_id, webhook.id)

    def delete(self, webhook: Webhook) -> Webhook:
        """Delete a webhook and discard its pending events.

        Raises `WebhookCommandRejectedError` unless it is deactivated.
        """
        return self._exporter.delete(webhook.client_id, webhook.id)

    def retry(self, webhook: Webhook) -> Webhook:
        """Make the next attempt due now. Raises `WebhookError` if the webhook is deleted."""
        return self._exporter.retry(webhook.client_id, webhook.id)

    def emit(
        self,
        event_type: EventType,
        count: int = 1,
        *,
        over: int = 0,
        like: Sample | None = None,
        client_id: int = DEFAULT_CLIENT_ID,
    ) -> None:
        """Let `count` events occur: all at this moment, or spread `over` the time to come.

        No two events are created in the same millisecond: those that occur at this moment were created shortly before.
        `like` gives the events the shape of captured ones (default: that of `shapes`). Raises `InvalidInputError` if
        those have another type.
        """
        self.put(self.prepare(event_type, count, over=over, like=like, client_id=client_id))

    def emit_events(
        self,
        event_type: EventType,
        events: Sequence[Mapping[str, Any]],
        *,
        created: int | None = None,
        shape: Shape | None = None,
        client_id: int = DEFAULT_CLIENT_ID,
    ) -> None:
        """Let exactly these events occur now.

        They expire three days after `created`. Its default is each event's own time if that is a moment of the last
        three days, else now. `shape` says where events have their time (default: where others of the type have it).
        """
        timed = shape or self.shape(event_type)
        oldest, now = self.now - self._exporter.policy.event_age_max, self.now
        payloads = []
        for event in events:
            moment = timed.moment(dict(event)) if created is None else created
            if moment is None or not oldest < moment <= now:
                moment = now
            payloads.append((moment, json_text.encode(event)))
        self._exporter.accept_events(EventsDue(client_id=client_id, type=event_type, payloads=tuple(payloads)))

    def prepare(
        self,
        event_type: EventType,
        count: int = 1,
        *,
        over: int = 0,
        like: Sample | None = None,
        client_id: int = DEFAULT_CLIENT_ID,
    ) -> list[tuple[int, EventsDue]]:
        """Return the events that `emit` would let occur, and when.

        It changes only the client's generator, so that a server may call it in a thread, once at a time per client.
        """
        if like is not None and like.event_type not in (None, event_type):
            raise InvalidInputError(f"like: the sample is of type {like.event_type}, allowed: {event_type}")
        if count < 1 or over < 0:
            raise InvalidInputError(f"count {count} over {over} ms: allowed are a count from 1 and a duration from 0")
        generator, now = self._generator(client_id), self.now
        created = list(generator.moments(count, now, over))
        if like is None and event_type in self.shapes:
            like = Sample.of(self.shapes[event_type])
        if like is None:
            payloads = generator.payloads(event_type, count, created)
        else:
            payloads = generator.payloads_like(like, created)
        # Events that occur now were created shortly before, each at another moment. They expire together nevertheless:
        # three days after they occurred, in one line of a report instead of hundreds.
        occurring = (max(moment, now) for moment in created)
        return [
            (at, EventsDue(client_id=client_id, type=event_type, payloads=tuple(group)))
            for at, group in groupby(zip(occurring, payloads, strict=True), key=lambda pair: pair[0])
        ]

    def put(self, prepared: list[tuple[int, EventsDue]]) -> None:
        """Let prepared events occur: those of the present at once, the others in their time."""
        for at, due in prepared:
            if at > self.now:
                self._exporter.schedule(at, due)
            else:
                self._exporter.accept_events(due)

    def mailing(
        self, recipients: int, *, rates: Rates = DEFAULT_RATES, client_id: int = DEFAULT_CLIENT_ID
    ) -> MailingSent:
        """Send a mailing now: its events occur during the month to come, one by one.

        An event is not even made if no activated webhook exports it when it is due. Raises `InvalidInputError` for a
        number of recipients out of range, and if the campaign has captured shapes.
        """
        return self.put_mailing(self.prepare_mailing(recipients, rates=rates, client_id=client_id))

    def prepare_mailing(
        self, recipients: int, *, rates: Rates = DEFAULT_RATES, client_id: int = DEFAULT_CLIENT_ID
    ) -> Mailing:
        """Return what `mailing` would send. Like `prepare`, it changes only the client's generator."""
        if self.shapes:
            raise InvalidInputError(NO_MAILING)
        return self._generator(client_id).mailing(recipients, self.now, rates=rates)

    def put_mailing(self, mailing: Mailing) -> MailingSent:
        """Send a prepared mailing."""
        self._exporter.schedule_stream(mailing.client_id, iter(mailing))
        return MailingSent(mailing_id=mailing.mailing_id, events=mailing.events, by_type=dict(mailing.counts))

    @property
    def clients(self) -> Clients:
        """The clients that somebody has asked for."""
        return self._clients

    def generator_position(self, client_id: int) -> tuple[int, ...]:
        """Return how far the generator of a client has come."""
        return self._generator(client_id).position

    def resume_generator(self, client_id: int, position: tuple[int, ...]) -> None:
        """Let the generator of a client go on where an equal one has come to, so that it repeats no event."""
        self._generator(client_id).position = position

    def resume_mailing(
        self, recipients: int, *, number: int, start: int, rates: Rates, client_id: int = DEFAULT_CLIENT_ID
    ) -> bool:
        """Let the rest of an earlier mailing occur. Return whether there is any."""
        mailing = self._generator(client_id).mailing(recipients, start, rates=rates, number=number)
        left = (event for event in mailing if event.at > self.now)
        following = next(left, None)
        if following is None:
            return False
        self._exporter.schedule_stream(client_id, chain((following,), left))
        return True

    def sample_payloads(self, event_type: EventType, count: int, *, client_id: int, mailing_id: int) -> list[bytes]:
        """Return sample events of a mailing as they would be exported. Nothing becomes pending.

        Events of a captured shape keep their captured mailing.
        """
        generator = Generator(f"{self.seed}:{client_id}:{mailing_id}:{event_type}", client_id)
        created = [self.now] * count
        if event_type in self.shapes:
            return list(generator.payloads_like(Sample.of(self.shapes[event_type]), created))
        return list(generator.payloads(event_type, count, created, mailing_id=mailing_id))

    def outage(self, duration: int, kind: str = "refused", *webhooks: Webhook) -> None:
        """Let nothing reach the consumers of these webhooks (none named: of all) for a time, from now on.

        Raises `InvalidInputError` for a kind that is not in `faults.OUTAGES`.
        """
        if kind not in OUTAGES:
            raise InvalidInputError(f"outage: {unknown_kind('kind', kind, OUTAGES)}")
        self._exporter.declare_outage(kind, self.now + duration, tuple(webhook.id for webhook in webhooks))

    def end_outage(self, *webhooks: Webhook) -> None:
        """End the outages of these webhooks (none named: of all) now. The next attempt keeps its moment."""
        self._exporter.end_outage(tuple(webhook.id for webhook in webhooks))

    def current_outage(self, webhook: Webhook) -> OutageDeclared | None:
        """Return the outage that an attempt of the webhook would meet now."""
        return self._exporter.outages.current(webhook.id, self.now)

    def fault(
        self,
        fault: Fault | str,
        *webhooks: Webhook,
        times: int | None = None,
        duration: int | None = None,
        every: int | None = None,
        probability: float | None = None,
        **parameters: object,
    ) -> FaultInForce:
        """Let a fault hit the attempts of these webhooks (none named: of all) from now on.

        Give a value of `faults`, or its kind and parameters: `fault("lost-ack", times=1)`. It hits all attempts, or at
        most `times`, those within a `duration`, one of `every` n, or each with a `probability`. In a `with` statement
        it ends with the block.

        Raises `InvalidInputError`, before anything is declared, for an unknown kind or parameter, and if the transport
        cannot carry the fault out.
        """
        limits = {"times": times, "duration": duration, "every": every, "probability": probability}
        when = {name: value for name, value in limits.items() if value is not None}
        if isinstance(fault, Fault):
            parameters = {**msgspec.structs.asdict(fault), **parameters}
            fault = fault.kind
        return self.declare_fault(*make_fault(fault, **parameters, **when), *webhooks)

    def declare_fault(self, fault: Fault, when: When, *webhooks: Webhook) -> FaultInForce:
        """Let a fault hit the attempts that `when` describes, as `fault` does. One of calls concerns no webhook."""
        self.check_fault(fault)
        if webhooks and isinstance(fault, CallFault):
            raise InvalidInputError(f"fault {fault.kind}: hits calls, not webhooks, allowed: 'operation' instead")
        declared = self._exporter.declare_fault(fault, when, tuple(webhook.id for webhook in webhooks))
        return FaultInForce(self._exporter, declared)

    def declared_faults(self) -> list[Declared]:
        """Return the declared faults that are in force, in the order of their declaration."""
        return self._exporter.fault_table.in_force(self.now)

    def call_hits(self, operation: str, area: str) -> tuple[CallFault, ...]:
        """Return the faults that hit a call of an operation of the REST API, which begins now."""
        table = self._exporter.fault_table
        return table.call_hits(operation, area, self.now) if table.declared else ()

    def end_fault(self, number: int) -> None:
        """End a declared fault by its number. It may be over already."""
        self._exporter.end_fault(number)

    def forget_simulated_failures(self) -> None:
        """Send the next attempts: none is simulated before its batch has failed anew."""
        self._exporter.failure_runs.forget()

    def check_fault(self, fault: Fault) -> None:
        """Raise `InvalidInputError` if nobody here can carry the fault out."""
        if isinstance(fault, CallFault):
            allowed = [kind for kind, known in FAULTS.items() if not issubclass(known, CallFault)]
            raise InvalidInputError(
                f"fault {fault.kind} needs calls of the REST API, which only a server receives (`mockcampaign serve`, "
                f"`campaign_server`), allowed here: {', '.join(allowed)}"
            )
        possible = self._transport.faults
        if isinstance(fault, WireFault) and type(fault) not in possible:
            allowed = [
                kind
                for kind, known in FAULTS.items()
                if known in possible or not issubclass(known, WireFault | CallFault)
            ]
            raise InvalidInputError(
                f"fault {fault.kind} needs a connection, which an in-process application does not have, allowed: "
                f"{', '.join(allowed)}, or the consumer's URL as target"
            )

    def driven_by(self, make_driver: Callable[[Exporter, Send], _Driver]) -> _Driver:
        """Return a driver of this campaign's own, for callers that move its time in another way than `advance`."""
        return make_driver(self._exporter, self._transport.send)

    async def advance(self, duration: int) -> None:
        """Let time pass, and do everything that is due. Raises `ConsumerUnreachableError` as `run` does."""
        await drive(self._exporter, self._send, self.now + duration)

    async def run(self, halted: Callable[[], bool] = bool) -> None:
        """Let time pass until nothing is left to send on activated webhooks, or until `halted` says so.

        It is not asked between attempts that do not reach the consumer. The run ends, since events that are never
        accepted expire after three days. Raises `ConsumerUnreachableError` if the first attempt at a consumer cannot
        connect, since then most likely nobody has started it.
        """
        await _Waiting(self._exporter, self._send, halted, watches=False).drive(None)

    async def wait(self, duration: int, condition: Callable[[], bool]) -> None:
        """Let time pass until the condition holds, at most for `duration`. It is checked between any two due moments.

        Raises `ConsumerUnreachableError` as `run` does.
        """
        await _Waiting(self._exporter, self._send, condition, watches=True).drive(self.now + duration)

    async def verify(self, webhook: Webhook, count: int = 1, *, mailing_id: int | None = None) -> Outcome:
        """Send `count` sample events of a mailing to the webhook's target at once, whatever its status.

        Delivery rules do not apply: no event becomes pending or is retried. Raises `WebhookError` if the webhook is
        deleted.
        """
        current = self.webhooks.get(webhook.client_id, webhook.id)
        payloads = self.sample_payloads(
            current.type, count, client_id=current.client_id, mailing_id=mailing_id or SAMPLE_MAILING_ID
        )
        events = tuple(Event(0, self.now, payload) for payload in payloads)
        outage = self.current_outage(current)
        outcome = await self.fetch(self.request(current, events)) if outage is None else OUTAGES[outage.kind]
        outcome = self.masking.outcome(outcome)
        self.journal.append(
            Verified(
                at=self.now,
                webhook_id=current.id,
                events=tuple(msgspec.Raw(event.encoded) for event in events),
                outcome=outcome,
            )
        )
        return outcome

    async def fetch(self, request: Request) -> Outcome:
        """Send a request outside the sender's rules, such as to a probe, and return its outcome."""
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Release the transport's connections."""
        await self._transport.aclose()

    def _seed_of(self, client_id: int) -> str:
        return f"{self.seed}:{client_id}{self.name and f':{self.name}'}"

    def _generator(self, client_id: int) -> Generator:
        if client_id not in self._generators:
            check_client_id(client_id)
            self._generators[client_id] = Generator(self._seed_of(client_id), client_id)
        return self._generators[client_id]

    async def _first_send(self, request: Request) -> Outcome:
        outcome = await self._transport.send(request)
        if not request.faults:
            self.require_reached(request.url, outcome)
        self._reached.add(request.url)
        return outcome

    def require_reached(self, url: str, outcome: Outcome, *, in_virtual_time: bool = True) -> None:
        """Raise `ConsumerUnreachableError` if the first exchange with a consumer could not connect."""
        phase = None if isinstance(outcome, Responded) else outcome.phase
        if phase in CONNECT_PHASES and url not in self._reached:
            reason = outcome.reason if isinstance(outcome, NoResponse) else "no connection within the time-out"
            moment = f" ({format_moment(self.now)} in virtual time)" if in_virtual_time else ""
            problem = CertificateError if phase == "certificate" else ConsumerUnreachableError
            raise problem(
                f"consumer {shown_url(url)}: {reason} at the first attempt{moment}, and no outage was in force",
                ""
                if phase in ("tls", "certificate")
                else "start the consumer, or wait for it with --wait-for-consumer 30s",
            )
        self._reached.add(url)

    def _send(self, request: Request) -> Awaitable[Outcome]:
        return (self._transport.send if request.url in self._reached else self._first_send)(request)


_COMMANDS: Mapping[str, Callable[[Campaign, Webhook], Webhook]] = {
    "activate": Campaign.activate,
    "deactivate": Campaign.deactivate,
    "delete": Campaign.delete,
}


class _CallableModule(ModuleType):
    """This module, which is also `mockcampaign.campaign(…)`: once imported, it has that name in the package."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return mockcampaign.__getattr__("campaign")(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
