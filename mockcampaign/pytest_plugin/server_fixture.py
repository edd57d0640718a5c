"""The `campaign_server` fixture: the fake server on a real port, for code that registers its webhooks itself."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pytest

from mockcampaign.double.arguments import check_values
from mockcampaign.double.consumer_targets import recognise, url_with_path
from mockcampaign.double.control.campaign_control import CampaignControl
from mockcampaign.double.control.deliveries import ApiRequests
from mockcampaign.double.control.home import CampaignSettings, Home
from mockcampaign.double.control.session import in_home
from mockcampaign.double.inputs import ClientContents, Duration, clients_of, duration_of
from mockcampaign.double.loops import AwaitableResult, Work, place
from mockcampaign.errors import ClockNotLedError, MisuseError
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.pytest_plugin.campaign_settings import settings_for
from mockcampaign.server.app import server_app
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings
from mockcampaign.server.users import Users, users_of
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign
    from mockcampaign.double.consumer_targets import Settled, Target
    from mockcampaign.model import Outcome, Request

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Result = TypeVar("Result")

USER = PASSWORD = "mockcampaign"


class _Transport(WireTransport):
    """A transport that calls `before_request` before each request."""

    before_request: Callable[[], object] = staticmethod(lambda: None)

    async def send(self, request: Request) -> Outcome:
        try:
            self.before_request()
        except ClockNotLedError:
            raise
        except Exception as error:
            raise ClockNotLedError(f"clock.lead: a clock cannot be set: {type(error).__name__}: {error}") from error
        return await super().send(request)


class LiveServer:
    """A server in its own thread, which tests use one after the other."""

    def __init__(self, *, client_id: int = DEFAULT_CLIENT_ID) -> None:
        self.client_id = client_id
        self.url = ""
        self.transport = _Transport()
        users = Users({client_id: users_of(client_id, [(USER, PASSWORD)])})
        self.served = ServedCampaign(self.transport, users, ServerSettings(speed=0))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    @contextlib.contextmanager
    def running(self) -> Iterator[LiveServer]:
        """Serve on a free port while this is open."""
        app = server_app(self.served)

        async def noting_loop(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                self._loop, self._thread = asyncio.get_running_loop(), threading.current_thread()
            await app(scope, receive, send)

        with serve_in_thread(noting_loop, ending=self.served.closing.set) as self.url:
            yield self

    def call(self, call: Callable[[], Result]) -> Result:
        """Make a call in the server's thread, which owns the campaign."""
        if threading.current_thread() is self._thread:
            return call()

        async def carry_out() -> Result:
            return call()

        return self.wait(carry_out())

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run in the server's loop and wait for the result. Interrupting the wait cancels the coroutine."""
        future = self.submit(coroutine)
        try:
            error = future.exception()
        except BaseException:
            future.cancel()
            raise
        if error is not None:
            raise error  # not by `result()`, whose lines a failing test would show
        return future.result()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Start a coroutine in the server's loop. Raises `MisuseError` in a fork of the process."""
        assert self._loop is not None
        if os.getpid() != self._process:
            coroutine.close()
            raise MisuseError(  # the fork has no thread that would run it
                f"campaign_server runs in process {self._process}, and this is a fork of it: call the fixture there; "
                f"over HTTP, {self.url} works here too"
            )
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the server has ended, and with it the loop
            coroutine.close()
            raise

    def reset(self, settings: CampaignSettings) -> None:
        """Reset the server, for a test with these settings."""
        self.served.settings = ServerSettings(
            speed=0,
            seed=settings.seed,
            start=settings.start,
            policy=settings.policy,
            shapes=settings.shapes,
            clients=settings.clients,
        )
        self.wait(self._reset())

    async def _reset(self) -> None:
        await self.served.reset()
        await self.transport.aclose()


class ServerHome(Home):
    """The fake server's thread, in which the campaign of one test runs after the other."""

    name = "campaign_server"
    how_to_create = "let your code register one at campaign_server.url, or campaign_server.webhook({!r}, target=…)"
    how_to_give_credentials = "the field `authentication` of createWebhook, or auth= of campaign_server.webhook"
    closed_message = "this server is another test's now: let each test use a `campaign_server` of its own"

    def __init__(self, live: LiveServer) -> None:
        super().__init__()
        self._live = live

    def begin(self, settings: CampaignSettings, before_request: Callable[[], object]) -> Campaign:
        self._live.reset(settings)
        self._live.transport.before_request = before_request
        return self._live.served.campaign

    def url_of(self, target: Target, path: str, *, lifespan: bool, settled: Settled | None) -> str:
        kind, found = recognise(target)
        if kind != "url":
            raise MisuseError(
                "campaign_server sends over sockets: give it a URL or a running server, or give the application to the "
                "`campaign` fixture"
            )
        if settled is not None:
            raise MisuseError(
                "campaign_server.webhook: settled has no effect, because the server waits for no background work, "
                "allowed: settled with the `campaign` fixture"
            )
        return url_with_path(str(found), path)

    def call_in_home(self, call: Callable[[], Result]) -> Result:
        return self._live.call(call)

    def run_in_home(self, name: str, work: Work[None]) -> AwaitableResult[None]:
        if place() == "task":
            return AwaitableResult(name, functools.partial(self._run_and_await, work))
        self._live.wait(work())
        return AwaitableResult(name, None)

    async def _run_and_await(self, work: Work[None]) -> None:
        await asyncio.wrap_future(self._live.submit(work()))

    async def advance_and_settle(
        self,
        engine: Campaign,
        duration: int | None,
        settle_timeout: int,
        show_time: Callable[[], object],
        halted: Callable[[], bool],
    ) -> None:
        pacer = self._live.served.pacer
        await pacer.advance(duration or 0)
        show_time()
        while duration is None and not engine.is_idle and not halted():
            due = engine.next_due()
            await pacer.advance(0 if due is None else due - engine.now)
            show_time()

    def tidy(self) -> None:
        self._live.transport.before_request = lambda: None
        self._live.wait(self._live.transport.aclose())

    def close(self) -> None:
        self.tidy()


class CampaignServerFactory:
    """Starts servers that several tests share, each on a port of its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @contextlib.contextmanager
    def __call__(
        self,
        *,
        allow: Collection[str] = (),
        seed: int | None = None,
        start: str | datetime | None = None,
        policy: Policy | None = None,
        clients: ClientContents | None = None,
    ) -> Iterator[CampaignServer]:
        """Serve until the `with` block ends, for a fixture of any scope. All tests in between share one campaign.

        The arguments are those of the marker `mockcampaign`. At the end, raise AssertionError for a violation of
        Campaign's rules that no test has asked about.
        """
        given = {"allow": allow, "seed": seed, "start": start, "policy": policy}
        check_values("campaign_server_factory", given)
        settings = settings_for(
            self._config, "campaign_server_factory", allow=allow, seed=seed, start=start, policy=policy
        )
        if clients is not None:
            settings = msgspec.structs.replace(settings, clients=clients_of(clients))
        with LiveServer().running() as live:
            server = CampaignServer(settings, live)
            try:
                yield server
                server.check_end()
            finally:
                server.release()


class CampaignServer(CampaignControl):
    """The fake server during one test: the vendor's REST API at `rest_url`, on virtual time, empty at the start."""

    def __init__(self, settings: CampaignSettings, live: LiveServer) -> None:
        self._live = live
        super().__init__(ServerHome(live), settings)

    @property
    def url(self) -> str:
        """URL of the server, without a trailing slash. It takes the place of https://api.campaign.episerver.net."""
        return self._live.url

    @property
    def client_id(self) -> int:
        """Id of the client whose webhooks the API manages."""
        return self._live.client_id

    @property
    def rest_url(self) -> str:
        """URL of the client's REST API, without a trailing slash."""
        return f"{self.url}/rest/{self.client_id}"

    @property
    @in_home
    def requests(self) -> ApiRequests:
        """Calls of the REST API during this test, in order. `requests("createWebhook")` is for one operation."""
        return ApiRequests(self._session.view.requests, self._live.served.operations)

    @in_home
    def rotate_password(self, password: str, after: Duration = "5m") -> None:
        """Give the API's user another password, which is valid after some virtual time. Until then the old one is.

        `auth` keeps the password of the start.
        """
        served = self._live.served
        user = served.users.named(self.client_id)
        assert user is not None, "the client has a user from the start"
        served.users.rotate(self.client_id, user, password, served.campaign.now + duration_of(after, "after"))

    @property
    def auth(self) -> tuple[str, str]:
        """User name and password for the API."""
        return USER, PASSWORD
