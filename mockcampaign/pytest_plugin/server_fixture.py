"""The `campaign_server` fixture: the fake server on a real port, for code that registers its webhooks itself."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from mockcampaign.errors import MisuseError
from mockcampaign.policy import DEFAULT_CLIENT_ID
from mockcampaign.pytest_plugin.control import CampaignControl, Settings
from mockcampaign.pytest_plugin.loops import Passing, place
from mockcampaign.pytest_plugin.targets import recognised, url_at
from mockcampaign.server import served_campaign as serving_of_campaigns
from mockcampaign.server.app import server_app
from mockcampaign.server.vendor_api.clients import users_of
from mockcampaign.server.vendor_api.users import Users
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport

if TYPE_CHECKING:
    from mockcampaign.model import Outcome, Request
    from mockcampaign.pytest_plugin.targets import Settled, Target

__tracebackhide__ = True  # a failing test shows its own line, not what goes on in here

Result = TypeVar("Result")

USER = PASSWORD = "mockcampaign"


class _Transport(WireTransport):
    """Lets clocks that are led show virtual time before each request."""

    before_request: Callable[[], object] = staticmethod(lambda: None)

    async def send(self, request: Request) -> Outcome:
        self.before_request()
        return await super().send(request)


class LiveServer:
    """A server that tests use one after the other, in a thread of its own."""

    def __init__(self, *, client_id: int = DEFAULT_CLIENT_ID) -> None:
        self.client_id = client_id
        self.url = ""
        self.transport = _Transport()
        users = Users({client_id: users_of(client_id, [(USER, PASSWORD)])})
        self.served = serving_of_campaigns.ServedCampaign(
            self.transport, users, serving_of_campaigns.ServerSettings(speed=0)
        )
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
        """Make a call in the server's thread, where the campaign is at home."""
        if threading.current_thread() is self._thread:
            return call()

        async def carry_out() -> Result:
            return call()

        return self.wait(carry_out())

    def wait(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run in the server's loop and wait for it; who gives up waiting cancels it."""
        future = self.submit(coroutine)
        try:
            error = future.exception()
        except BaseException:
            future.cancel()
            raise
        if error is not None:
            raise error  # and not by `result()`, which a failing test would show
        return future.result()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Run in the server's loop. Raises `MisuseError` in a fork."""
        assert self._loop is not None
        if os.getpid() != self._process:
            coroutine.close()
            raise MisuseError(  # there is no thread here that would carry it out
                f"campaign_server runs in the process that started it, {self._process}, of which this is a fork: steer "
                f"it there; over HTTP, {self.url} answers here too"
            )
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def reset(self, settings: Settings) -> None:
        """Forget everything, for a test with these settings."""
        self.served.settings = serving_of_campaigns.ServerSettings(
            speed=0, seed=settings.seed, start=settings.start, policy=settings.policy
        )
        self.wait(self._reset())

    async def _reset(self) -> None:
        await self.served.reset()
        await self.transport.aclose()


class CampaignServer(CampaignControl):
    """The fake server, as one test uses it: the vendor's REST API under `rest_url`, virtual time, and nothing that an
    earlier test did."""

    _how_to_create = "let your code register one at campaign_server.url, or campaign_server.webhook({!r}, target=…)"

    def __init__(self, settings: Settings, live: LiveServer) -> None:
        super().__init__(settings)
        self._live = live
        self._begin()

    def _begin(self) -> None:
        self._live.reset(self._settings)
        self._take(self._live.served.campaign)
        self._live.transport.before_request = self._show_time

    def _tidy(self) -> None:
        self._live.transport.before_request = lambda: None
        self._live.wait(self._live.transport.aclose())

    @property
    def url(self) -> str:
        """Where the server is, without a slash at its end: what stands for https://api.campaign.episerver.net."""
        return self._live.url

    @property
    def client_id(self) -> int:
        """The client whose webhooks the API keeps."""
        return self._live.client_id

    @property
    def rest_url(self) -> str:
        """The API of the client, without a slash at its end."""
        return f"{self.url}/rest/{self.client_id}"

    @property
    def auth(self) -> tuple[str, str]:
        """User and password for the API."""
        return USER, PASSWORD

    def close(self) -> None:
        """Leave the server to the next test. Raises `MisuseError` where something was never awaited."""
        if self._closed is None:
            self._closed = "this server is another test's now: let each test use a `campaign_server` of its own"
            self.clock.release()
            self._tidy()
            self._check_awaited()

    def _there(self, call: Callable[[], Result]) -> Result:
        return self._live.call(call)

    def _url_of(self, target: Target, path: str, lifespan: bool, settled: Settled | None) -> str:
        kind, found = recognised(target)
        if kind != "url":
            raise MisuseError(
                "campaign_server sends over sockets: give it a URL or a running server, or give the application to the "
                "`campaign` fixture"
            )
        return url_at(str(found), path)

    def _let_pass(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Passing[None]:
        name = f"campaign_server.{what}()"
        if place() != "task":
            self._live.wait(self._bounded(what, work))
            return Passing(name, None)

        async def wait() -> None:
            await asyncio.wrap_future(self._live.submit(self._bounded(what, work)))

        return Passing(name, wait)

    async def _advance(self, milliseconds: int) -> None:
        await self._live.served.pacer.advance(milliseconds)
        self.clock.show()

    async def _run(self) -> None:
        exporter = self.engine.exporter
        await self._advance(0)
        while not exporter.idle:
            due = exporter.clock.next_due()
            await self._advance(0 if due is None else due - exporter.clock.now)
