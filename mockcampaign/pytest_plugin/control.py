"""What a test does to a campaign and sees of it, whether that runs beside the test or in a server."""

from __future__ import annotations

import asyncio
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.declared_faults import read_fault
from mockcampaign.engine.exporter import EventsDue
from mockcampaign.engine.journal import FaultDeclared
from mockcampaign.errors import ConsumerUnreachableError, MisuseError, RunNotEndedError
from mockcampaign.events import DEFAULT_RATES
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.model import Authentication, BasicAuthentication, EventType, Webhook
from mockcampaign.pytest_plugin.clock import CampaignClock
from mockcampaign.pytest_plugin.deliveries import Account, Deliveries, Events
from mockcampaign.pytest_plugin.inputs import Duration, duration_of, event_type_of, sample_of
from mockcampaign.pytest_plugin.loops import Passing
from mockcampaign.pytest_plugin.targets import Settled, Target
from mockcampaign.pytest_plugin.verdict import Violation, nothing_delivered, violations
from mockcampaign.report.text import printable
from mockcampaign.text import counted

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign, FaultInForce, MailingSent
    from mockcampaign.engine.journal import Journal
    from mockcampaign.events import Rates, Sample
    from mockcampaign.judging.finding import Finding
    from mockcampaign.policy import Policy

__tracebackhide__ = True  # a failing test shows its own line, not what goes on in here

Self = TypeVar("Self", bound="CampaignControl")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a test's campaign is made with."""

    seed: int
    start: int
    policy: Policy
    run_timeout: int
    """Milliseconds by the wall's clock that one `advance` or `run` may take."""
    allow: frozenset[str] = frozenset()
    """Rules that the consumer may violate."""


def where_it_runs(
    method: Callable[Concatenate[Self, Arguments], Result],
) -> Callable[Concatenate[Self, Arguments], Result]:
    """Carries the method out where the campaign runs."""

    @functools.wraps(method)
    def carried_out(self: Self, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._there(functools.partial(method, self, *args, **kwargs))

    return carried_out


class CampaignControl(ABC):
    """A double of Campaign with a clock of its own, which only `advance` and `run` move.

    In a test with an event loop, `await` these two; in one without, they are over when they return. Everything else
    takes no time.
    """

    engine: Campaign
    """The campaign behind it, for what is not offered here."""
    clock: CampaignClock
    """Virtual time, which can lead the consumer's."""

    _how_to_create = "campaign.webhook({!r}, target=…)"
    """Said to who needs a webhook."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closed: str | None = None
        self._passing: Passing[None] | None = None

    def _take(self, engine: Campaign) -> None:
        """From now on it is about this campaign."""
        self.engine = engine
        self.clock = CampaignClock(lambda: engine.now)
        self._account = Account(engine.journal)
        self._judged = 0
        self._looked = False
        self._allow = set(self._settings.allow)

    @contextmanager
    def example(self) -> Iterator[None]:
        """Everything is fresh in here: webhooks, events, time. For each example of a property test, by itself."""
        self._begin()
        try:
            yield
        finally:
            self.clock.release()
            self._tidy()
        unasked = self.violations()
        if unasked:
            raise AssertionError("\n".join(line for violation in unasked for line in violation.lines()))
        if nothing := self.nothing_delivered():
            raise AssertionError(nothing)
        self._judged = self.engine.journal.next_position

    # Where the campaign runs

    @abstractmethod
    def _begin(self) -> None:
        """Take a fresh campaign."""

    @abstractmethod
    def _tidy(self) -> None:
        """Give back what a campaign holds that another one follows."""

    async def leave_loop(self) -> None:
        """Give back what is held in the loop that runs now."""
        return

    @abstractmethod
    def close(self) -> None:
        """Give everything back. Raises `MisuseError` where something was never awaited."""

    @abstractmethod
    def _there(self, call: Callable[[], Result]) -> Result:
        """Make a call where the campaign runs."""

    @abstractmethod
    def _let_pass(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Passing[None]:
        """Let time pass where the campaign runs."""

    @abstractmethod
    async def _advance(self, milliseconds: int) -> None: ...

    @abstractmethod
    async def _run(self) -> None: ...

    @abstractmethod
    def _url_of(self, target: Target, path: str, lifespan: bool, settled: Settled | None) -> str: ...

    # What happens

    @where_it_runs
    def webhook(
        self,
        type: EventType | str,  # noqa: A002
        target: Target,
        path: str = "",
        *,
        auth: tuple[str, str] | Authentication | None = None,
        activate: bool = True,
        lifespan: bool = True,
        settled: Settled | None = None,
    ) -> Webhook:
        """A webhook for events of the type, created and activated.

        The target is a URL, a server with a `url`, or an ASGI or WSGI application, which is called in-process; `path`
        says where in it the hook is. An ASGI application is started before its first request and stopped after the
        test, unless `lifespan` is False. `auth` is user name and password, or one of `model.Authentication`. A consumer
        that goes on working after its answer is waited for where that can be seen; where it cannot, `settled` returns
        (or can be awaited until) it has nothing left to do.

        Raises `MisuseError` for a target that is none, and `WebhookError` at the client's creation limit.
        """
        self._check_open()
        kind = event_type_of(type)
        url = self._url_of(target, path, lifespan, settled)
        for entry in self.engine.journal.entries:
            if isinstance(entry, FaultDeclared):
                self.engine.check_fault(entry.fault)
        authentication = BasicAuthentication(*auth) if isinstance(auth, tuple) else auth
        webhook = self.engine.create(kind, url, authentication)
        return self.engine.activate(webhook) if activate else webhook

    @where_it_runs
    def activate(self, webhook: Webhook) -> Webhook:
        """Raises `WebhookCommandRefusedError` where it is activated already."""
        self._check_open()
        return self.engine.activate(webhook)

    @where_it_runs
    def deactivate(self, webhook: Webhook) -> Webhook:
        """What is pending is kept. Raises `WebhookCommandRefusedError` where it is not activated."""
        self._check_open()
        return self.engine.deactivate(webhook)

    @where_it_runs
    def delete(self, webhook: Webhook) -> Webhook:
        """What is pending is discarded. Raises `WebhookCommandRefusedError` unless it is deactivated."""
        self._check_open()
        return self.engine.delete(webhook)

    @where_it_runs
    def emit(
        self,
        to: Webhook | EventType | str,
        count: int | None = None,
        *,
        over: Duration | None = None,
        like: Mapping[str, Any] | Path | str | Sample | None = None,
        events: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Let recipients act, so that events of the webhook's type happen: `count` of them (1 if not given).

        They happen now, or spread `over` a time to come. `like` makes events of the shape of a captured one: the event,
        or a file that holds it. `events` are these very events, such as a drawn list of `mockcampaign.strategies`;
        they happen now, whatever their `created` says.

        Raises `MisuseError` where no webhook takes such events, and `InvalidInputError` where a value is out of range.
        """
        self._check_open()
        kind, client_id = self._receivers(to)
        self._looked = False  # what it has seen so far says nothing about these
        if events is not None:
            if count is not None or like is not None or over is not None:
                raise MisuseError("emit: `events` are all events, and happen now; give no count, `over` or `like` too")
            now = self.engine.now
            payloads = tuple((now, msgspec.json.encode(event)) for event in events)
            self.engine.put([(now, EventsDue(client_id=client_id, type=kind, payloads=payloads))] if payloads else [])
            return
        self.engine.emit(
            kind,
            1 if count is None else count,
            over=0 if over is None else duration_of(over, "over"),
            like=None if like is None else sample_of(like),
            client_id=client_id,
        )

    @where_it_runs
    def mailing(self, recipients: int, *, rates: Rates = DEFAULT_RATES) -> MailingSent:
        """Send a mailing now: what its recipients do falls due in the month to come.

        Raises `MisuseError` where there is no webhook yet.
        """
        self._check_open()
        self._need_webhook("mailing")
        self._looked = False
        return self.engine.mailing(recipients, rates=rates)

    @where_it_runs
    def outage(self, duration: Duration, kind: str = "refused", *webhooks: Webhook) -> None:
        """From now on, for `duration`, nothing reaches the consumers of these webhooks (none named: of all).

        Raises `InvalidInputError` for a kind that does not exist.
        """
        self._check_open()
        self.engine.outage(duration_of(duration, "duration"), kind, *webhooks)

    @where_it_runs
    def fault(
        self,
        kind: str,
        /,
        *webhooks: Webhook,
        times: int | None = None,
        duration: Duration | None = None,
        every: int | None = None,
        probability: float | None = None,
        **parameters: object,
    ) -> FaultInForce:
        """From now on, a fault hits the attempts of these webhooks (none named: of all); as a context manager, it ends
        with that. `mockcampaign.faults` explains all kinds and their parameters.

        Raises `InvalidInputError` for a kind or parameter that does not exist, and where the fault needs a socket and
        the consumer is called in-process.
        """
        self._check_open()
        self._need_webhook("fault")
        limits = {"times": times, "for": duration, "every": every, "probability": probability, **parameters}
        values = {
            name: format_duration(duration_of(value, name)) if isinstance(value, timedelta) else value
            for name, value in limits.items()
            if value is not None
        }
        return self.engine.declare_fault(*read_fault({"kind": kind, **values}), *webhooks)

    def advance(self, duration: Duration) -> Passing[None]:
        """Let time pass, and do all that falls due meanwhile. Afterwards the consumer has nothing left to do.

        Raises `ConsumerUnreachableError` where the very first attempt cannot connect, and `RunNotEndedError` where the
        consumer makes it last too long.
        """
        milliseconds = duration_of(duration, "duration")
        return self._pass("advance", lambda: self._advance(milliseconds))

    def run(self) -> Passing[None]:
        """Let time pass until nothing is left to send. It raises what `advance` raises."""
        return self._pass("run", self._run)

    # What came of it

    @property
    @where_it_runs
    def delivered(self) -> Events:
        """The events that the consumer has accepted, in order of delivery. `delivered(webhook)`: one webhook's."""
        self._look()
        return self._account.delivered

    @property
    @where_it_runs
    def discarded(self) -> Events:
        """The events that will not be delivered any more. `discarded(webhook)`: one webhook's."""
        self._look()
        return self._account.discarded

    @property
    @where_it_runs
    def pending(self) -> Events:
        """The events that are neither delivered nor discarded. `pending(webhook)`: one webhook's."""
        self._look()
        return self._account.pending

    @property
    @where_it_runs
    def deliveries(self) -> Deliveries:
        """All attempts, in order. `deliveries(webhook)`: one webhook's."""
        self._look()
        return self._account.deliveries(self.engine.exporter.webhook)

    @property
    @where_it_runs
    def webhooks(self) -> list[Webhook]:
        """All webhooks as they are now, deleted ones included, in order of creation."""
        return [self.engine.exporter.webhook(webhook_id) for webhook_id in self._account.webhook_ids]

    @where_it_runs
    def payloads(self) -> dict[int, msgspec.Raw]:
        """The events that happened, encoded, by the serial that the journal knows them by."""
        return self._account.payloads()

    @property
    def journal(self) -> Journal:
        """Everything that happened."""
        return self.engine.journal

    @property
    def seed(self) -> int:
        """What the events are made from."""
        return self._settings.seed

    @where_it_runs
    def assert_compliant(
        self,
        *,
        strict: bool = False,
        allow: Collection[str] = (),
        processed: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        """Raises AssertionError where the consumer has violated a rule, or nothing reached it.

        With `strict`, also where it should have done better; `allow` names rules that it may violate. `processed` is
        the consumer's own account: each delivered event must be in it, once and unaltered.
        """
        self._check_awaited()
        self._judged = self.engine.journal.next_position
        self._allow |= set(allow)
        found = violations(
            self.engine.journal.entries,
            allow=self._allow,
            strict=strict,
            processed=None if processed is None else [dict(event) for event in processed],
        )
        if found:
            raise AssertionError("\n".join(line for violation in found for line in violation.lines()))

    @where_it_runs
    def violations(self) -> list[Violation]:
        """The violations that nothing has asked about yet."""
        if self._judged == self.engine.journal.next_position:
            return []
        return violations(self.engine.journal.entries, allow=self._allow, needs_delivery=False)

    @where_it_runs
    def findings(self, *, passed: bool) -> list[Finding]:
        """What became of each rule. Known are violations that the test allows, or has passed and asked about."""
        asked = passed and self._judged == self.engine.journal.next_position
        return [
            msgspec.structs.replace(
                finding,
                known=(finding.outcome in ("fail", "warn") and finding.id in self._allow)
                or (finding.outcome == "fail" and asked),
            )
            for finding in (rule.judge(self.engine.journal.entries) for rule in JOURNAL_RULES)
        ]

    @where_it_runs
    def nothing_delivered(self) -> str | None:
        """Why a test that has looked at no delivery has shown nothing. None where it has shown something."""
        if self._looked or self.engine.journal.dropped:
            return None
        return nothing_delivered(self.engine.journal.entries, self._allow)

    # How time passes

    def _show_time(self) -> None:
        """Before each request. What a consumer does whose clock is led may depend on the time, so it is asked."""
        self.clock.show()
        if self.clock.leads:
            self.engine.exporter.forget_simulated_failures()

    def _pass(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Passing[None]:
        self._check_open()
        self._check_awaited()
        self._there(lambda: self._need_webhook(what))

        async def looked_at_if_it_fails() -> None:
            try:
                await work()
            except BaseException:
                self._looked = True  # the test gets to see it
                raise

        self._passing = self._let_pass(what, looked_at_if_it_fails)
        return self._passing

    async def _bounded(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Raises `RunNotEndedError` where it takes too long by the wall's clock."""
        milliseconds = self._settings.run_timeout
        began = self.engine.now
        self.engine.exporter.forget_simulated_failures()  # the test may have mended its consumer
        try:
            async with asyncio.timeout(milliseconds / 1_000) as limit:
                await work()
        except TimeoutError:
            if not limit.expired():
                raise
            raise RunNotEndedError(self._how_far(what, milliseconds, began)) from None
        except ConsumerUnreachableError as error:
            what_came = str(error).partition(": start the consumer")[0]
            raise ConsumerUnreachableError(f"{what_came}: start it before campaign.{what}(), or declare one") from None

    def _how_far(self, what: str, milliseconds: int, began: int) -> str:
        attempts = self._account.deliveries(self.engine.exporter.webhook)
        last = f", the last one: {printable(attempts[-1].outcome.describe())}" if attempts else ""
        return (
            f"campaign.{what}() did not end within {format_duration(milliseconds)}: it got "
            f"{format_duration(self.engine.now - began)} of virtual time far, with "
            f"{counted(len(attempts), 'attempt')}{last}, and {counted(len(self._account.pending), 'event')} pending; "
            "raise mockcampaign_run_timeout, or lower the policy's "
            "timeout: @pytest.mark.mockcampaign(policy=mockcampaign.Policy(timeout=…))"
        )

    # Misuse

    def _check_open(self) -> None:
        if self._closed is not None:
            raise MisuseError(self._closed)

    def _look(self) -> None:
        self._looked = True
        self._check_awaited()

    def _check_awaited(self) -> None:
        passing, self._passing = self._passing, None
        if passing is not None and passing.forgotten:
            raise MisuseError(
                f"{passing.what} was not awaited: this test has an event loop, so write `await {passing.what}`"
            )

    def _need_webhook(self, what: str) -> None:
        if not self._account.webhook_ids:
            how = self._how_to_create.format("open")
            raise MisuseError(f"{what}: there is no webhook yet, create one first: {how}")

    def _receivers(self, to: Webhook | EventType | str) -> tuple[EventType, int]:
        if isinstance(to, Webhook):
            return to.type, to.client_id
        kind = event_type_of(to)
        self._need_webhook("emit")
        webhooks = self.engine.exporter.registry.all()
        found = [webhook for webhook in webhooks if webhook.type == kind]
        if not found:
            there = ", ".join(dict.fromkeys(webhook.type for webhook in webhooks))
            raise MisuseError(
                f"emit: no webhook takes {kind.value!r} events (there are webhooks for: {there}), create one first: "
                f"{self._how_to_create.format(kind.value)}"
            )
        return kind, found[0].client_id
