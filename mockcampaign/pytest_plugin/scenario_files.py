"""Scenario files as tests: each scenario of a `*.scenario.yaml` is one pytest item."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mockcampaign.double.consumer_targets import Targets
from mockcampaign.double.loops import LoopRunner
from mockcampaign.errors import InvalidInputError
from mockcampaign.pytest_plugin.campaign_settings import baseline_of, choose_seed
from mockcampaign.pytest_plugin.failure_report import how_to_repeat, result_lines
from mockcampaign.pytest_plugin.results import add_results
from mockcampaign.scenario.load import load_all
from mockcampaign.scenario.plan import Plan
from mockcampaign.scenario.run import run_plan

if TYPE_CHECKING:
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.model import Outcome, Request


class ScenarioNotCompliantError(Exception):
    """A scenario violated its expectations or Campaign's rules, or its verdict is inconclusive."""

    def __init__(self, result: ScenarioResult) -> None:
        super().__init__(result.verdict)
        self.result = result


class ScenarioFile(pytest.File):
    """A scenario file. Its matrix may make several scenarios."""

    def collect(self) -> Iterator[ScenarioItem]:
        here = Path.cwd()
        try:
            plans = load_all(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path)
        except InvalidInputError as error:
            raise self.CollectError(str(error)) from None
        for plan in plans:
            yield ScenarioItem.from_parent(self, name=plan.name, plan=plan)


class ScenarioItem(pytest.Function):
    """One scenario, played in-process or over sockets, depending on the consumer's fixture."""

    def __init__(self, *, plan: Plan, **more: Any) -> None:
        super().__init__(callobj=self._play, **more)
        self.plan = plan
        for tag in plan.scenario.tags:
            self.config.addinivalue_line("markers", f"{tag}: a tag of a scenario file")
            self.add_marker(tag)

    def _play(self, request: pytest.FixtureRequest) -> None:
        __tracebackhide__ = True
        targets = _SettlingTargets()
        consumer = self.plan.scenario.consumer
        fixture = consumer.fixture or self.config.getini("mockcampaign_consumer")
        if fixture:
            targets.reroute(consumer.url, request.getfixturevalue(fixture))
        loops = LoopRunner(targets.aclose)
        results: list[ScenarioResult] = []
        try:
            loops.run("a scenario", functools.partial(self._play_in_loop, loops, targets, results))
        finally:
            loops.leave()
        add_results(self.config, *results)
        [result] = results
        if not result.compliant:
            raise ScenarioNotCompliantError(result)

    async def _play_in_loop(self, loops: LoopRunner, targets: Targets, results: list[ScenarioResult]) -> None:
        targets.off_loop_calls = loops.off_loop_calls
        targets.watch()
        seed = choose_seed(self.config, self.nodeid, self.plan.scenario.seed)
        file = self.nodeid.partition("::")[0]
        await run_plan(self.plan, targets, seed=seed, file=file, known=baseline_of(self.config), done=results.append)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the scenario's own report, because no line of Python failed."""
        error = excinfo.value
        if not isinstance(error, ScenarioNotCompliantError):
            return super().repr_failure(excinfo)
        places = [
            f"{finding.place}: {finding.title}, got {finding.actual}"
            for finding in error.result.expectations
            if finding.outcome == "fail" and finding.place is not None
        ]
        lines = result_lines(error.result, whole=self.config.get_verbosity() > 0)
        return "\n".join([*places, *lines, *how_to_repeat(self.nodeid, error.result.seed)])

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the scenario's file, line and name."""
        return self.path, 0, self.name


class _SettlingTargets(Targets):
    """Targets that ask a consumer for its stored events only when it is idle."""

    async def send(self, request: Request) -> Outcome:
        if request.method == "GET":
            await self.settle(request.timeout)
        return await super().send(request)
