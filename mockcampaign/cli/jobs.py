"""Plays several plans at once, and reports results in the order of the plans.

All of them run in one event loop, each with a campaign and a clock of its own. They wait for the consumer most of the
time, and no plan's journal depends on another's. Starting a process takes longer than most scenarios.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.plan import ConsumerExpected, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from mockcampaign.judging.verdict import ScenarioResult


class OrderedResults:
    """Passes results on in the order of their plans, whatever order they arrive in."""

    def __init__(self, done: Callable[[ScenarioResult], None], *, fail_fast: bool) -> None:
        self._done = done
        self._fail_fast = fail_fast
        self._waiting: dict[int, ScenarioResult] = {}
        self._next = 0
        self.last: int | None = None
        """Index of the plan after which `fail_fast` plays and reports nothing more."""

    def add(self, index: int, result: ScenarioResult) -> None:
        """Add the result of a plan."""
        if self._fail_fast and not result.compliant and (self.last is None or index < self.last):
            self.last = index
        self._waiting[index] = result
        while self._next in self._waiting and not self.is_beyond_last(self._next):
            self._done(self._waiting.pop(self._next))
            self._next += 1

    def is_beyond_last(self, index: int) -> bool:
        """Return whether `fail_fast` skips the plan."""
        return self.last is not None and index > self.last

    def flush(self) -> None:
        """Pass on results that wait for plans that will not finish."""
        for index in sorted(self._waiting):
            if not self.is_beyond_last(index):
                self._done(self._waiting.pop(index))


async def play_all(
    plans: Sequence[Plan],
    play: Callable[[Plan, Callable[[ScenarioResult], None]], Awaitable[None]],
    done: Callable[[ScenarioResult], None],
    *,
    jobs: int,
    fail_fast: bool,
) -> None:
    """Play the plans, `jobs` at once. Raises what `play` raises, after all of them have stopped."""
    results = OrderedResults(done, fail_fast=fail_fast)
    numbered = iter(enumerate(plans))

    async def work() -> None:
        for index, plan in numbered:
            if results.is_beyond_last(index):
                return
            await play(plan, functools.partial(results.add, index))

    workers = [asyncio.create_task(work()) for _ in range(min(jobs, len(plans)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        results.flush()


def check_jobs(plans: Sequence[Plan], jobs: int, *, clock_file: Path | None = None) -> None:
    """Raise `InvalidInputError` if plans that run at once would count each other's events, or lead one clock."""
    for plan in plans if jobs > 1 else ():
        if clock_file is not None or plan.clock_file is not None:
            raise InvalidInputError(
                f"{plan.path}: with --jobs {jobs}, scenarios would lead one clock to several times, allowed: --jobs 1"
            )
        probe = plan.scenario.consumer.probe
        counted = [one for one in plan.expectations if isinstance(one, ConsumerExpected)]
        if probe is not None and probe.count is not None and counted:
            raise InvalidInputError(
                f"{counted[0].place}: with --jobs {jobs}, the probe also counts events of other scenarios, allowed: "
                "--jobs 1 or a probe with `events`"
            )
