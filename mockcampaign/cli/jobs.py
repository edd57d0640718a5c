"""Playing several plans at once, with results in the order of the plans.

All run in one event loop, each with a campaign and a clock of its own: what takes time is the consumer, and no plan's
journal depends on another's. Processes of their own would start more slowly than most scenarios take.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mockcampaign.errors import InvalidInputError

if TYPE_CHECKING:
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan


class OrderedResults:
    """Hands results on in the order of their plans, however they come in."""

    def __init__(self, done: Callable[[ScenarioResult], None], *, fail_fast: bool) -> None:
        self._done = done
        self._fail_fast = fail_fast
        self._waiting: dict[int, ScenarioResult] = {}
        self._next = 0
        self.last: int | None = None
        """The plan after which, by `fail_fast`, nothing more is played or told."""

    def take(self, index: int, result: ScenarioResult) -> None:
        """A plan's result."""
        if self._fail_fast and not result.compliant and (self.last is None or index < self.last):
            self.last = index
        self._waiting[index] = result
        while self._next in self._waiting and not self.beyond(self._next):
            self._done(self._waiting.pop(self._next))
            self._next += 1

    def beyond(self, index: int) -> bool:
        """Whether the plan comes after the last one."""
        return self.last is not None and index > self.last

    def flush(self) -> None:
        """Hand on what waits for plans that will not come to an end."""
        for index in sorted(self._waiting):
            if not self.beyond(index):
                self._done(self._waiting.pop(index))


async def play_all(
    plans: Sequence[Plan],
    play: Callable[[Plan, Callable[[ScenarioResult], None]], Awaitable[None]],
    done: Callable[[ScenarioResult], None],
    *,
    jobs: int,
    fail_fast: bool,
) -> None:
    """Play the plans, so many at once. Raises what `play` raises, once nothing is under way any more."""
    results = OrderedResults(done, fail_fast=fail_fast)
    numbered = iter(enumerate(plans))

    async def work() -> None:
        for index, plan in numbered:
            if results.beyond(index):
                return
            await play(plan, functools.partial(results.take, index))

    workers = [asyncio.create_task(work()) for _ in range(min(jobs, len(plans)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        results.flush()


def check_jobs(plans: Sequence[Plan], jobs: int) -> None:
    """Raises `InvalidInputError` where plans that run side by side would see each other's events."""
    for plan in plans if jobs > 1 else ():
        probe = plan.scenario.consumer.probe
        counted = [expectation for expectation in plan.expectations if expectation.subject == "consumer"]
        if probe is not None and probe.count is not None and counted:
            raise InvalidInputError(
                f"{counted[0].place}: with --jobs {jobs}, others run beside it and are counted, too, allowed: --jobs 1 "
                "or a probe with `events`"
            )
