"""The server of a drill: it runs in a thread, and forgets everything between two cases."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from mockcampaign.drill.cases import DrillCase
from mockcampaign.engine.journal import Entry
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_PASSWORD, DEFAULT_USER
from mockcampaign.server.app import server_app
from mockcampaign.server.served_campaign import PacedCampaign, ServedCampaign, ServerSettings
from mockcampaign.server.users import Users, users_of
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport

Made = TypeVar("Made")


class DrillServer:
    """A server whose clock stands still: a set-up takes no virtual time."""

    def __init__(self, *, client_id: int = DEFAULT_CLIENT_ID, settings: ServerSettings | None = None) -> None:
        self.client_id = client_id
        self.url = ""
        users = Users({client_id: users_of(client_id, [(DEFAULT_USER, DEFAULT_PASSWORD)])})
        self._served = ServedCampaign(WireTransport(), users, settings or ServerSettings(speed=0))
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.contextmanager
    def running(self, port: int) -> Iterator[DrillServer]:
        """Serve while the context is open; port 0 picks a free one."""
        app = server_app(self._served)

        async def noting_loop(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                self._loop = asyncio.get_running_loop()
            await app(scope, receive, send)

        with serve_in_thread(noting_loop, port=port, ending=self._served.closing.set) as self.url:
            yield self

    def values(self) -> dict[str, str]:
        """Return what a set-up has to know of the server, by name."""
        return {
            "url": self.url,
            "rest_url": f"{self.url}/rest/{self.client_id}",
            "client_id": str(self.client_id),
            "user": DEFAULT_USER,
            "password": DEFAULT_PASSWORD,
        }

    @property
    def campaign(self) -> PacedCampaign:
        """The campaign of the current case. Nobody else uses it while no command runs."""
        return self._served.campaign

    def forget(self) -> None:
        """Remove all webhooks and faults, and begin a new journal. Ids are never used again."""
        self.run(self._served.reset())

    def declare(self, case: DrillCase) -> None:
        """Let the call of a case fail."""
        if case.fault is not None:
            fault = case.fault

            async def declare() -> None:
                self.campaign.declare_fault(fault, case.when)

            self.run(declare())

    def end_faults(self) -> None:
        """End the faults that are still in force."""

        async def end() -> None:
            for declared in self.campaign.declared_faults():
                self.campaign.end_fault(declared.number)

        self.run(end())

    def entries(self) -> list[Entry]:
        """Return the journal so far."""

        async def copied() -> list[Entry]:
            return list(self.campaign.journal.entries)

        return self.run(copied())

    def run(self, coroutine: Coroutine[Any, Any, Made]) -> Made:
        """Run a coroutine in the server's loop, and return its result."""
        assert self._loop is not None, "the server runs"
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
