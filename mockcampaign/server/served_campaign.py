"""The campaign that a server runs: bounded, paced by wall time, and followed by live streams."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from random import Random
from typing import Any, TypeVar, cast

import msgspec

from mockcampaign.campaign import SAMPLE_MAILING_ID, Campaign, MailingSent
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clients.recipient_table import in_memory
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.engine.declared_faults import FaultInputError, When
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import Called, Happened, Journal
from mockcampaign.engine.journal_file import Heading, JournalWriter
from mockcampaign.errors import ClockNotLedError, InvalidInputError, MockcampaignError
from mockcampaign.events import Mailing
from mockcampaign.faults import AnyFault, CallFault
from mockcampaign.model import EventType, Fault, Outcome, Request, Webhook
from mockcampaign.policy import DEFAULT_START, SECOND, Policy
from mockcampaign.server.background.verdict_jobs import VerdictJobs
from mockcampaign.server.client_connections import CallsAtOnce, ClientConnections
from mockcampaign.server.consumer_probe import ConsumerProbe
from mockcampaign.server.hub import Hub
from mockcampaign.server.kept_declarations import FaultAtStart
from mockcampaign.server.kept_recipients import kept_in
from mockcampaign.server.pacer import Pacer, TimeStoppedError, outcome_of
from mockcampaign.server.state_file import KeptCampaign, KeptMailing, StateFile, StateLostError
from mockcampaign.server.users import Users
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport

JOURNAL_ENTRIES_MAX = 20_000
JOURNAL_EVENTS_MAX = 200_000
"""Maximum numbers of journal entries and of payloads in them. The server drops older ones and counts them."""


WEBHOOK_IDS = range(2**31, 10**12)
"""Range of the first webhook's id. Ids are as large as those of the vendor, and fit into the numbers of JavaScript."""

SEED_BITS = 31
"""Length of a seed that is drawn: short enough to type."""

MAILINGS_MAX = 10_000
"""Number of mailings, of those that events belong to, that are known to exist. Older ones are forgotten."""

UNSUPPORTED_MAX = 100
"""Number of distinct operations of the vendor's that are counted although the double does not have them."""


Made = TypeVar("Made")
Prologue = Callable[[Campaign], Coroutine[Any, Any, None]]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a server at its start."""

    speed: float = 1.0
    """Virtual seconds per second; at 0, only the control API moves time."""
    seed: int | None = 0
    """Seed of the events; None: a new one at the start, unless the state file has one, and at each reset."""
    start: int | None = None
    """Virtual milliseconds since 1970; None: now, or `DEFAULT_START` if the clock runs faster than wall time."""
    policy: Policy = Policy()
    shapes: Mapping[EventType, Shape] = {}
    """The shapes of captured events, by type."""
    clients: Mapping[int, ClientDefinition] = {}
    """Lists, processes and mails that clients have from the start besides the defaults."""
    faults: tuple[tuple[Fault, When], ...] = ()
    """Faults that are in force from the start, and after each reset."""

    @property
    def event_shapes(self) -> tuple[Shape, ...]:
        """The shape of the events of each type: the captured one, or Campaign's own."""
        return tuple(self.shapes.get(one) or builtin_shape(one) for one in EventType)


class CallInterruptedError(MockcampaignError):
    """A call is not carried out to its end; `status` says how the server responds, the text why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _OfMailing(msgspec.Struct, frozen=True, rename="camel"):
    """The field of an event that says which mailing it belongs to; samples may have none."""

    mailing_id: Any = None


class KnownMailings:
    """The mailings that exist because events belong to them, and that of the guide's example."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], None] = OrderedDict()

    def __contains__(self, client_and_mailing: tuple[int, int]) -> bool:
        return client_and_mailing[1] == SAMPLE_MAILING_ID or client_and_mailing in self._known

    def add_of_event(self, client_id: int, payload: bytes | msgspec.Raw) -> None:
        """Remember the mailing that an event belongs to, if it has one."""
        mailing_id = msgspec.json.decode(payload, type=_OfMailing).mailing_id
        if isinstance(mailing_id, int):
            self.add(client_id, mailing_id)

    def add(self, client_id: int, mailing_id: int) -> None:
        """Remember a mailing of a client."""
        self._known[client_id, mailing_id] = None
        if len(self._known) > MAILINGS_MAX:
            self._known.popitem(last=False)


class PacedCampaign(Campaign):
    """A campaign whose pacer moves time, so that `advance` and `run` only wait."""

    pacer: Pacer
    operations: Mapping[str, str]
    """Areas of the operations of the REST API, by name; empty if they are unknown yet."""
    on_call: Callable[[Called], object]
    """Receives each call of the REST API."""
    targets: AllowedTargets | None
    users: Users
    mailings: KnownMailings
    state_file: StateFile | None

    def check_target(self, target_url: str) -> None:
        if self.targets is not None:
            try:
                self.targets.check(target_url)
            except InvalidInputError as error:
                raise InvalidInputError(f"targetUrl: {error}") from None

    def check_fault(self, fault: Fault) -> None:
        if not isinstance(fault, CallFault):
            super().check_fault(fault)
        elif fault.operation is not None and self.operations and fault.operation not in self.operations:
            raise FaultInputError(
                f"fault {fault.kind}: {unknown('operation', fault.operation, self.operations)}", "operation"
            )

    def rotate_user(self, password: str, *, username: str | None, client_id: int, after: int) -> None:
        user = self.users.named(client_id, username)
        if user is None:
            raise InvalidInputError(f"rotate: client {client_id} has no such user")
        self.users.rotate(client_id, user, password, self.now + after)

    def put(self, prepared: list[tuple[int, EventsDue]]) -> None:
        super().put(prepared)
        for client_id in {due.client_id for _, due in prepared}:
            self._keep_position(client_id)
        for _, due in prepared[:1]:
            for _, payload in due.payloads[:1]:
                self.mailings.add_of_event(due.client_id, payload)

    def put_mailing(self, mailing: Mailing) -> MailingSent:
        self.mailings.add(mailing.client_id, mailing.mailing_id)
        if self.state_file is not None:
            self.state_file.mailing(
                KeptMailing(
                    client_id=mailing.client_id,
                    number=mailing.number,
                    recipients=mailing.recipients,
                    start=mailing.start,
                    rates=mailing.rates,
                )
            )
        self._keep_position(mailing.client_id)
        return super().put_mailing(mailing)

    def resume(self, kept: KeptCampaign) -> None:
        """Go on with the generators and mailings of the process before."""
        self.clients.resume(kept.client_rows)
        for entry in kept.entries:
            if isinstance(entry, Happened) and entry.events:
                self.mailings.add_of_event(entry.client_id, entry.events[0])
        for client_id, position in kept.generators.items():
            self.resume_generator(client_id, position)
        for mailing in kept.mailings:
            is_left = self.resume_mailing(
                mailing.recipients,
                number=mailing.number,
                start=mailing.start,
                rates=mailing.rates,
                client_id=mailing.client_id,
            )
            if not is_left and self.state_file is not None:
                self.state_file.mailing_over(mailing)

    def _keep_position(self, client_id: int) -> None:
        if self.state_file is not None:
            self.state_file.generated(client_id, self.generator_position(client_id))

    def note_call(
        self,
        method: str,
        operation: str,
        client_id: int | None,
        path: str,
        ids: dict[str, int],
        status: int | None,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Add a call of the REST API to the journal."""
        if status is None or status >= 400:
            self.pacer.catch_up()  # most of these were not carried out
        call = Called(
            at=self.now,
            client_id=client_id,
            method=method,
            operation=operation,
            path=path,
            ids=ids,
            status=status,
            faults=faults,
        )
        self.journal.add_call(call)
        self.on_call(call)
        self.pacer.called()

    async def fetch(self, request: Request) -> Outcome:
        return await outcome_of(self._transport.send, request)

    async def advance(self, duration: int) -> None:
        await self.pacer.reached(self.now + duration)

    async def run(self, halted: Callable[[], bool] = bool) -> None:
        await self.pacer.idle(halted)

    async def wait(self, duration: int, condition: Callable[[], bool]) -> None:
        end = self.now + duration
        while not condition() and self.now < end:
            # A call may meet the condition at any moment, also while only the control API moves time.
            await self.pacer.reached_or_called(min(self.now + SECOND, end))


class ServedCampaign:
    """The state that all requests to the server act on."""

    def __init__(
        self,
        transport: WireTransport,
        users: Users,
        settings: ServerSettings,
        prologue: Prologue | None = None,
        *,
        state_file: StateFile | None = None,
        clock: ClockFile | None = None,
        writer: JournalWriter | None = None,
        stop: Callable[[], object] = int,
    ) -> None:
        """`prologue` plays a scenario once, from the start of the server. What is in the state file goes on.
        `clock` leads the consumer's clock.

        `writer` writes the journal, and a further one after each reset.
        `stop` ends the server, because the state file or the clock file can no longer be written. Raises
        `InvalidInputError` if the state file is damaged, and `StateLostError` if it cannot be written from the start.
        """
        self._prologue = prologue
        self._state_file = state_file
        self.clock = clock
        """The clock file of the consumer, whose clock follows it; None if there is none."""
        self._writer = writer
        self._close_journal: Callable[[], object] = int
        self._stop = stop
        self.lost: StateLostError | None = None
        """Why the state file can no longer be written."""
        self.users = users
        self.users.keeper = state_file
        self.settings = settings
        self._transport = transport
        self._task: asyncio.Task[None] | None = None
        self.generation = 0
        """Counts resets."""
        self.operations: dict[str, str] = {}
        """Areas of the operations of the REST API, by name; empty until an application serves them."""
        self.connections = ClientConnections()
        self.calls_at_once = CallsAtOnce()
        self.open_streams = 0
        """Number of open live streams."""
        self._making = asyncio.Lock()
        self._next_webhook_id = self._next_object_id = 0
        self._waiting: dict[asyncio.Task[Any] | None, asyncio.Timeout] = {}
        """Time-outs that interrupt the calls that wait, by their tasks."""
        self.on_call: Callable[[Called], object] | None = None
        """Receives each call of the REST API, also after a reset."""
        self.consumer: ConsumerProbe | None = None
        """The probe that reports the events that the consumer has stored; None if there is none."""
        self.jobs = VerdictJobs(lambda: self.hub.changed())
        """The checks and runs that callers have started. A reset leaves them alone, as each has its own campaign."""
        self.owns_process = False
        """Whether the process is the server's own, so that a check may change settings of the whole process."""
        self.closing = asyncio.Event()
        """Set at the end of the server, so that live streams end."""
        self._begin_anew(None if state_file is None else state_file.load())
        if state_file is not None:
            state_file.commit(self.campaign.now)

    def _begin_anew(self, kept: KeptCampaign | None = None) -> None:
        self.run = secrets.token_hex(8)
        """Random name of the time since the server's start or its last reset."""
        settings = self.settings
        seed = settings.seed
        if seed is None:
            # What the consumer has stored of an earlier campaign must not pass for the events of this one.
            seed = secrets.randbits(SEED_BITS) if kept is None else kept.seed
        self._next_webhook_id = self._next_webhook_id or first_webhook_id(seed)
        self._next_object_id = self._next_object_id or first_object_id(seed)
        start = settings.start
        if start is None:
            start = int(time.time() * 1_000) if settings.speed == 1 else DEFAULT_START
        if kept is not None:
            # With wall time, the campaign has gone on meanwhile. Otherwise it goes on where it ended.
            start = max(start, kept.sender.now) if settings.speed == 1 else kept.sender.now
            self._next_webhook_id = max(self._next_webhook_id, kept.sender.next_webhook_id)
            self._next_object_id = max(self._next_object_id, kept.next_object_id)
        self.users.reset(() if kept is None else kept.rotations)
        self.clock_lost: ClockNotLedError | None = None
        """Why time stands still; None unless the consumer's clock cannot follow."""
        self.unsupported: Counter[str] = Counter()
        """Number of calls of each operation of the vendor's that the double does not have."""
        journal = Journal(
            entries_max=JOURNAL_ENTRIES_MAX,
            events_max=JOURNAL_EVENTS_MAX,
            entries=() if kept is None else kept.entries,
            dropped=0 if kept is None else kept.dropped,
        )
        if self._writer is not None:
            self._close_journal = self._writer.follow(journal, Heading(name="serve", target="")).close
        state_file = self._state_file
        if state_file is not None:
            state_file.follow(journal)
            state_file.seeded(seed)
        self.campaign = PacedCampaign(
            self._transport,
            seed=seed,
            policy=settings.policy,
            start=start,
            journal=journal,
            shapes=settings.shapes,
            first_webhook_id=self._next_webhook_id,
            clients=settings.clients,
            first_object_id=self._next_object_id,
            keeper=state_file,
            kept=None if kept is None else kept.sender,
            make_rows=in_memory if state_file is None else kept_in(state_file),
            clock=self.clock,
        )
        self.campaign.state_file = state_file
        if state_file is not None:
            state_file.follow_clients(self.campaign.clients)
        self.campaign.on_call = self._called
        self.campaign.operations = self.operations
        self.campaign.mailings = KnownMailings()
        self.campaign.users = self.users
        self.campaign.targets = self._transport.targets
        self.hub = Hub(journal)
        self.pacer = self.campaign.pacer = self.campaign.driven_by(
            functools.partial(Pacer, speed=settings.speed, is_saved=self._is_saved)
        )
        self.started = start if kept is None else kept.sender.start
        if kept is not None:
            self.campaign.resume(kept)
        self._declare_faults([] if kept is None else kept.faults_at_start)

    def _declare_faults(self, earlier: list[FaultAtStart]) -> None:
        """Declare the faults of the settings, apart from the earlier ones: these go on, used up or not.

        An earlier one that the settings no longer have ends.
        """
        file = self._state_file
        for fault, when in self.settings.faults:
            same = next((one for one in earlier if (one.fault, one.when) == (fault, when)), None)
            if same is not None:
                earlier.remove(same)
                continue
            declared = self.campaign.declare_fault(fault, when)
            if file is not None:
                file.declared(FaultAtStart(number=declared.number, fault=cast(AnyFault, fault), when=when))
        for gone in earlier:
            self.campaign.end_fault(gone.number)
            if file is not None:
                file.over(gone)

    def call_hits(self, operation: str, area: str) -> tuple[CallFault, ...]:
        """Return the faults that hit a call of an operation, once the state file has counted them.

        Raises `CallInterruptedError` as `save` does.
        """
        if not self.campaign.declared_faults():
            return ()
        self.catch_up()  # some may have ended since anything was due
        faults = self.campaign.call_hits(operation, area)
        self.save()
        return faults

    def save(self) -> None:
        """Write every change so far to the state file, before it is seen from outside.

        Raises `CallInterruptedError` if that is impossible; the server ends then.
        """
        if not self._is_saved():
            raise CallInterruptedError(503, str(self.lost))

    def _is_saved(self) -> bool:
        if self._state_file is not None and self.lost is None:
            try:
                self._state_file.commit(self.campaign.now)
            except StateLostError as error:
                self.end(error)
        return self.lost is None

    def end(self, error: StateLostError) -> None:
        """End the server, because the state file can no longer be used."""
        self.lost = error
        self._stop()

    def _called(self, call: Called) -> None:
        if self.on_call is not None:
            self.on_call(call)

    def another_transport(self) -> WireTransport:
        """Return a transport like the one of the deliveries, for another event loop."""
        return self._transport.another()

    def catch_up(self) -> None:
        """Set the clock to the present before a request reads or changes anything."""
        self.pacer.catch_up()

    def wake(self) -> None:
        """Wake the pacer and the live streams after a change."""
        self.pacer.wake()
        self.hub.changed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let time pass and play the prologue while the context is open."""
        tasks = [asyncio.create_task(self._end_calls())]
        if self._prologue is not None:
            tasks.append(asyncio.ensure_future(self._prologue(self.campaign)))
            tasks[-1].add_done_callback(functools.partial(_report_failure, "the scenario failed"))
        self._start()
        try:
            yield
        finally:
            await _cancelled(*tasks, self._task)
            await self.jobs.aclose()
            await self._transport.aclose()
            if self.consumer is not None:
                await self.consumer.aclose()
            self._close_journal()

    async def reset(self) -> None:
        """Remove all webhooks, events and scheduled events, and set the clock to its start.

        Calls that wait are interrupted. Nothing sees a campaign that is neither the old nor the new one: the new one
        takes over before the old one's requests have ended.
        """
        old, task = self.hub, self._task
        self._waiting.pop(asyncio.current_task(), None)
        self._interrupt_calls()
        self._next_webhook_id = self.campaign.next_webhook_id  # clients keep ids
        self._next_object_id = self.campaign.next_object_id
        self._close_journal()
        if self._state_file is not None:
            self._state_file.clear()
        self._begin_anew()
        self._is_saved()
        self.generation += 1
        self._start()
        old.changed()  # so that streams of the old one notice the new one
        await _cancelled(task)

    async def until_interrupted(self, waiting: Awaitable[Made]) -> Made:
        """Return the result of a call that waits.

        Raises `CallInterruptedError` if a reset or the end of the server comes first, or if time stands still because
        the pacer failed.
        """
        limit, task = asyncio.timeout(None), asyncio.current_task()
        self._waiting[task] = limit
        try:
            async with limit:
                return await waiting
        except TimeStoppedError as error:
            raise CallInterruptedError(503, str(error)) from None
        except TimeoutError:
            if not limit.expired():
                raise
            if self.closing.is_set():
                raise CallInterruptedError(503, "the server ends, so the call was not carried out") from None
            raise CallInterruptedError(409, "the campaign was reset before the call was carried out") from None
        finally:
            self._waiting.pop(task, None)

    async def in_thread(self, make: Callable[[], Made]) -> Made:
        """Generate events in a thread while the server goes on; one call at a time, as generators need it."""
        async with self._making:
            return await asyncio.to_thread(make)

    def webhook(self, webhook_id: int) -> Webhook:
        """Return a webhook of any client. Raises `WebhookNotFoundError` if it does not exist or is deleted."""
        return self.campaign.webhooks.get(self.campaign.webhook(webhook_id).client_id, webhook_id)

    def note_unsupported(self, operation: str) -> None:
        """Count a call of an operation of the vendor's that the double does not have, such as `GET /recipients/…`."""
        if operation in self.unsupported or len(self.unsupported) < UNSUPPORTED_MAX:
            self.unsupported[operation] += 1
            self.hub.changed()

    @property
    def pending(self) -> int:
        """Number of events that are neither delivered nor discarded."""
        return sum(map(self.campaign.pending_count, self.campaign.webhooks.all()))

    def _start(self) -> None:
        self._task = asyncio.create_task(self.pacer.run())
        self._task.add_done_callback(self._note_end_of_time)

    def _note_end_of_time(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ClockNotLedError):
            self.clock_lost = error
            self._stop()
        else:
            _report_failure("time has stopped", task)

    async def _end_calls(self) -> None:
        """Interrupt the calls that wait when the server ends, while it can still respond to them."""
        await self.closing.wait()
        self._interrupt_calls()

    def _interrupt_calls(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._waiting.values():
            if not limit.expired():
                limit.reschedule(now)


def first_webhook_id(seed: int) -> int:
    """Return the id of the first webhook of a server with that seed; the others follow one by one."""
    return Random(f"webhook ids of seed {seed}").choice(WEBHOOK_IDS)


def first_object_id(seed: int) -> int:
    """Return the id of the first thing that a client creates besides webhooks, in a server with that seed."""
    return Random(f"object ids of seed {seed}").choice(WEBHOOK_IDS)


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel tasks and wait until they have ended, however they end."""
    left = [task for task in tasks if task is not None]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)


def _report_failure(what: str, task: asyncio.Task[None]) -> None:
    """Report the error of a task that nobody awaits: its failure must not go unseen."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        task.get_loop().call_exception_handler({"message": what, "exception": error, "task": task})
