"""A campaign in the process of the test or script that controls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mockcampaign.campaign import Campaign
from mockcampaign.double.consumer_targets import Settled, Target, Targets
from mockcampaign.double.control.campaign_control import CampaignControl
from mockcampaign.double.control.home import CampaignSettings, Home
from mockcampaign.double.loops import AwaitableResult, LoopRunner, Work

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Result = TypeVar("Result")


class InProcessHome(Home):
    """The test's own process, in which applications are called without a socket."""

    name = "campaign"
    how_to_create = "campaign.webhook({!r}, target=…)"
    how_to_give_credentials = 'auth=("user", "password") of campaign.webhook'
    closed_message = "this campaign is closed, its test is over: let each test use a `campaign` of its own"

    def __init__(self) -> None:
        super().__init__()
        self._targets = Targets()
        self._loops = LoopRunner(self._close_targets)

    def begin(self, settings: CampaignSettings, before_request: Callable[[], object]) -> Campaign:
        self._targets = Targets(before_request)
        return Campaign(
            self._targets,
            seed=settings.seed,
            policy=settings.policy,
            start=settings.start,
            shapes=settings.shapes,
            clients=settings.clients,
        )

    def url_of(self, target: Target, path: str, *, lifespan: bool, settled: Settled | None) -> str:
        return self._targets.url_of(target, path, lifespan=lifespan, settled=settled)

    def call_in_home(self, call: Callable[[], Result]) -> Result:
        return call()

    def run_in_home(self, name: str, work: Work[None]) -> AwaitableResult[None]:
        return self._loops.run(name, work)

    async def advance_and_settle(
        self,
        engine: Campaign,
        duration: int | None,
        settle_timeout: int,
        show_time: Callable[[], object],
        halted: Callable[[], bool],
    ) -> None:
        self._targets.off_loop_calls = self._loops.off_loop_calls
        self._targets.watch()
        await (engine.run(halted) if duration is None else engine.advance(duration))
        show_time()
        await self._targets.settle(settle_timeout)

    def tidy(self) -> None:
        self._loops.tidy()

    async def leave_loop(self) -> None:
        await self._loops.leave_loop()

    def close(self) -> None:
        self._loops.leave()

    async def _close_targets(self) -> None:
        await self._targets.aclose()


class CampaignFixture(CampaignControl):
    """A test double of Campaign that sends from the test's own process, and calls applications without a socket."""

    def __init__(self, settings: CampaignSettings, home: Home | None = None) -> None:
        super().__init__(home or InProcessHome(), settings)
