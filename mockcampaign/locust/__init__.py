"""Campaign's deliveries as Locust users, for loads beyond one machine.

A locustfile subclasses `CampaignUser`. Each user is one webhook with events of its own: they occur at a constant rate,
and the engine's machine batches, retries and discards them. Locust sends the requests, collects their times from its
workers and shows them; the master adds up where the events are (`--mockcampaign-json FILE`).

Importing this module imports Locust, which replaces modules of Python's library by gevent's.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import gevent
import msgspec
from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import EventHook
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from mockcampaign import wallclock
from mockcampaign.campaign import Campaign
from mockcampaign.durations import parse_duration
from mockcampaign.engine.journal import Journal
from mockcampaign.engine.outbox import Attempt
from mockcampaign.errors import InvalidInputError
from mockcampaign.load_test.arrivals import PENDING_MAX, Load
from mockcampaign.load_test.live_sender import LiveSender, streams
from mockcampaign.load_test.load_run import ENTRIES_MAX, EVENTS_MAX
from mockcampaign.model import (
    Authentication,
    EventType,
    NoAuthentication,
    NoResponse,
    Outcome,
    Request,
    Responded,
    TimedOut,
)
from mockcampaign.policy import DEFAULT_CLIENT_ID, SECOND, Policy
from mockcampaign.transport.address import parse_address
from mockcampaign.transport.always_ok import AlwaysOkTransport
from mockcampaign.transport.targets import AllowedTargets

USERS_PER_WORKER_MAX = 100_000
"""Distance between the client ids of two workers."""

PAUSE_SECONDS_MAX = 0.5
"""Longest pause before a user looks whether it is to stop."""

_log = logging.getLogger("mockcampaign")


class UserCounts(msgspec.Struct, array_like=True):
    """Where the events of one user are, and how many of its batches were sent and started late."""

    created: int = 0
    accepted: int = 0
    discarded: int = 0
    pending: int = 0
    batches: int = 0
    late: int = 0


def _counts_of(sender: LiveSender) -> UserCounts:
    balance = sender.balance
    return UserCounts(
        created=balance.created,
        accepted=balance.accepted,
        discarded=balance.discarded,
        pending=balance.pending,
        batches=sender.batches,
        late=sender.late,
    )


class SwarmCounts:
    """Numbers of all users of a process, or of all workers on a master, by client id."""

    def __init__(self) -> None:
        self._senders: dict[int, LiveSender] = {}
        self._of_workers: dict[int, UserCounts] = {}
        self._numbers = count()

    def next_client_id(self, worker_index: int) -> int:
        """Return a client id that no other user of any worker has."""
        return DEFAULT_CLIENT_ID + max(0, worker_index) * USERS_PER_WORKER_MAX + next(self._numbers)

    def add(self, client_id: int, sender: LiveSender) -> None:
        """Count what a user of this process sends."""
        self._senders[client_id] = sender

    def by_client(self) -> dict[int, UserCounts]:
        """Return the numbers of each user."""
        own = {client_id: _counts_of(sender) for client_id, sender in self._senders.items()}
        return {**self._of_workers, **own}

    def whole(self) -> UserCounts:
        """Return the numbers of all users together."""
        rows = [msgspec.structs.astuple(one) for one in self.by_client().values()]
        return UserCounts(*map(sum, zip(*rows, strict=True))) if rows else UserCounts()

    def report_to_master(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Add this worker's numbers to a report. They are whole numbers so far, so that a lost report loses nothing."""
        data["mockcampaign"] = {str(user): msgspec.structs.astuple(counts) for user, counts in self.by_client().items()}

    def worker_report(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Note a worker's report."""
        for user, counts in data.get("mockcampaign", {}).items():
            self._of_workers[int(user)] = UserCounts(*counts)

    def finish(self, path: str | None) -> None:
        """Log the sum, and write it to a file if there is one."""
        whole = self.whole()
        _log.info(
            f"{whole.created:,} events created = {whole.accepted:,} accepted + {whole.discarded:,} discarded + "
            f"{whole.pending:,} pending; {whole.batches:,} batches sent, {whole.late:,} more than 5 ms late"
        )
        if path:
            users = {str(user): msgspec.structs.asdict(one) for user, one in self.by_client().items()}
            Path(path).write_bytes(msgspec.json.encode({"total": msgspec.structs.asdict(whole), "clients": users}))


_COUNTS: WeakKeyDictionary[Environment, SwarmCounts] = WeakKeyDictionary()


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_option(parser: LocustArgumentParser, **_: object) -> None:
    parser.add_argument(
        "--mockcampaign-json", metavar="FILE", default="", help="Write where all events are to this file as JSON."
    )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _count(environment: Environment, **_: object) -> None:
    counts = _COUNTS[environment] = SwarmCounts()
    _listen(environment.events.report_to_master, counts.report_to_master)
    _listen(environment.events.worker_report, counts.worker_report)
    if hasattr(environment.runner, "worker_state"):
        return  # the master finishes

    def finish(**_: object) -> None:
        counts.finish(getattr(environment.parsed_options, "mockcampaign_json", None))

    _listen(environment.events.quit, finish)


def _listen(hook: EventHook, listener: Callable[..., None]) -> None:
    hook.add_listener(listener)  # type: ignore[no-untyped-call]


class CampaignUser(FastHttpUser):
    """One webhook of a client of its own, whose events occur at a constant rate.

    Give the consumer's address as Locust's `host`, and its path as `path`.
    """

    abstract = True
    path: ClassVar[str] = "/"
    events_per_second: ClassVar[int] = 100
    duration: ClassVar[str] = "1m"
    """How long events occur. Afterwards the user delivers what is pending, at most for `drain`, and ends."""
    drain: ClassVar[str] = "30s"
    pending_max: ClassVar[int] = PENDING_MAX
    """The user ends when it has more events pending, so that a consumer that hangs does not take all memory."""
    event_type: ClassVar[EventType | str] = EventType.OPEN
    authentication: ClassVar[Authentication] = NoAuthentication()
    policy: ClassVar[Policy] = Policy()
    seed: ClassVar[int] = 0
    allow_targets: ClassVar[tuple[str, ...]] = ()
    """Hosts and networks to which events may be sent besides loopback and private addresses."""

    def __init__(self, environment: Environment) -> None:
        self.network_timeout = self.connection_timeout = self.policy.timeout / SECOND
        super().__init__(environment)
        url = f"{str(self.host).rstrip('/')}{self.path}"
        _check_target(url, AllowedTargets(self.allow_targets, local=True))
        load = Load(
            events_per_second=self.events_per_second,
            milliseconds=parse_duration(self.duration),
            pending_max=self.pending_max,
        )
        client_id = _COUNTS[environment].next_client_id(getattr(environment.runner, "worker_index", 0))
        campaign = Campaign(
            AlwaysOkTransport(),  # Locust sends
            seed=self.seed,
            policy=self.policy,
            start=wallclock.now(),
            journal=Journal(entries_max=ENTRIES_MAX, events_max=EVENTS_MAX),
        )
        of_webhooks = streams(
            campaign,
            url,
            1,
            types=(EventType(self.event_type),),
            authentication=self.authentication,
            client_id=client_id,
        )
        start = wallclock.now()
        self._end = start + load.milliseconds + parse_duration(self.drain)
        self._origin = wallclock.seconds() - start / SECOND
        self._sender = campaign.driven_by(partial(LiveSender, load=load, of_webhooks=of_webhooks, start=start))
        _COUNTS[environment].add(client_id, self._sender)

    @task
    def deliver(self) -> None:
        """Deliver all events, and end."""
        sender = self._sender
        while not self._is_over():
            attempts = sender.due(self._now())
            while attempts:
                attempts = self._sent(attempts[0])  # one webhook makes one attempt at a time
            sender.make_ahead()
            due = sender.next_at()
            pause = PAUSE_SECONDS_MAX if due is None else due / SECOND - self._now() / 1_000_000
            gevent.sleep(max(0.0, min(PAUSE_SECONDS_MAX, pause)))
        raise StopUser

    def _is_over(self) -> bool:
        sender = self._sender
        ended = sender.is_idle or sender.full_at is not None or self._now() >= self._end * SECOND
        return ended or self._state == LOCUST_STATE_STOPPING

    def _now(self) -> int:
        return int((wallclock.seconds() - self._origin) * 1_000_000)

    def _sent(self, attempt: Attempt) -> list[Attempt]:
        """Send an attempt, and return what is due then.

        Locust may end the user meanwhile. The outcome still counts: the consumer may have accepted the batch.
        """
        sending = gevent.spawn(self._exchange, self._sender.request_of(attempt))
        try:
            sending.join()
        except BaseException:
            self._sender.stop()
            raise
        finally:
            due = self._sender.conclude(attempt, sending.get(), self._now())
        return due

    def _exchange(self, request: Request) -> Outcome:
        with self.client.post(
            request.url,
            name=self.path,
            data=request.body,  # type: ignore[arg-type]
            headers=dict(request.headers),
            allow_redirects=False,
            catch_response=True,
        ) as response:
            status = response.status_code
            if status == 200:
                response.success()
                return Responded(200)
            if status:
                response.failure(f"responded {status}")
                return Responded(status)
            is_timeout = isinstance(response.error, TimeoutError)
            return TimedOut("wait") if is_timeout else NoResponse("connect", "no response")


def _check_target(url: str, targets: AllowedTargets) -> None:
    """Raise `InvalidInputError` for a target that is not allowed: Locust, not our transport, connects to it."""
    targets.check(url)
    address = parse_address(url)
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    if not all(targets.admits(address.host, str(one[4][0])) for one in found):
        raise InvalidInputError(f"host {address.host} is not an allowed target, allowed: {targets.describe()}")
