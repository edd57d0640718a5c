"""The `campaign` fixture: one campaign for each test, in the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mockcampaign.campaign import Campaign
from mockcampaign.pytest_plugin.control import CampaignControl, Settings
from mockcampaign.pytest_plugin.loops import Errands, Passing, Surroundings
from mockcampaign.pytest_plugin.targets import Settled, Target, Targets

__tracebackhide__ = True  # a failing test shows its own line, not what goes on in here

Result = TypeVar("Result")


class CampaignFixture(CampaignControl):
    """A double of Campaign that sends from the test's own process, to applications without a socket."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._surroundings = Surroundings(self._close_targets)
        self._begin()

    def _begin(self) -> None:
        settings = self._settings
        self._targets = Targets()
        self._take(Campaign(self._targets, seed=settings.seed, policy=settings.policy, start=settings.start))

    def _tidy(self) -> None:
        self._surroundings.tidy()

    # Its life

    async def leave_loop(self) -> None:
        """Give back what is held in the loop that runs now."""
        await self._surroundings.leave_loop()

    def close(self) -> None:
        """Give everything back. Raises `MisuseError` where something was never awaited."""
        if self._closed is None:
            self._closed = "this campaign is closed, its test is over: let each test use a `campaign` of its own"
            self.clock.release()
            self._surroundings.leave()
            self._check_awaited()

    async def _close_targets(self) -> None:
        await self._targets.aclose()

    def _there(self, call: Callable[[], Result]) -> Result:
        return call()

    def _url_of(self, target: Target, path: str, lifespan: bool, settled: Settled | None) -> str:
        return self._targets.url_of(target, path, lifespan=lifespan, settled=settled)

    async def _advance(self, milliseconds: int) -> None:
        await self.engine.advance(milliseconds)

    async def _run(self) -> None:
        await self.engine.run()

    def _let_pass(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Passing[None]:
        return self._surroundings.run(f"campaign.{what}()", lambda errands: self._passed(what, work, errands))

    async def _passed(self, what: str, work: Callable[[], Coroutine[Any, Any, None]], errands: Errands | None) -> None:
        self._targets.errands = errands
        self._targets.before_request = self._show_time
        self._targets.watch()

        async def until_at_rest() -> None:
            await work()
            self.clock.show()
            await self._targets.settle(self._settings.policy.timeout)

        await self._bounded(what, until_at_rest)
