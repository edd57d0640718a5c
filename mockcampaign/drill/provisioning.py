"""The provisioning drill: runs a set-up in each case, and collects what it does wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from mockcampaign.drill.case_scenario import reproduce
from mockcampaign.drill.cases import CALLS_MAX, RESTARTED, RUNS, UNDISTURBED, DrillCase, fault_cases
from mockcampaign.drill.command import SetUpCommand
from mockcampaign.drill.server import DrillServer
from mockcampaign.drill.set_up_rules import RULES, Run, judge_case, passed, skipped, webhooks_of
from mockcampaign.engine.journal import Called, Entry
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, ScenarioResult, run_result, scenario_result
from mockcampaign.model import WebhookStatus
from mockcampaign.report import sentences
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.judge_journal import webhook_names
from mockcampaign.scenario.language.steps import AdvanceStep, RunStep, SetUpStep
from mockcampaign.scenario.load import load
from mockcampaign.scenario.plan import Expect, Plan, PlannedStep, WaitUntil
from mockcampaign.scenario.play import Player
from mockcampaign.server.served_campaign import ServerSettings
from mockcampaign.server.vendor_api.api import API

OPERATIONS = tuple(operation.id for operation in API.operations)
"""Names of the operations of the REST API."""

UNTIL_SUCCESS = "until-success"
"""The step `set_up` that runs the set-up until it succeeds."""

OnCase = Callable[[int, int], object]
"""Receives the number of a case before it begins, and how many cases there are."""


class Drill:
    """One drill of a set-up."""

    def __init__(
        self, server: DrillServer, command: SetUpCommand, clean: SetUpCommand | None, *, on_case: OnCase
    ) -> None:
        """`clean` runs before each case."""
        self._server = server
        self._command = command
        self._clean = clean
        self._on_case = on_case
        self._scenarios: list[ScenarioResult] = []
        self._violated: dict[str, Finding] = {}
        self._wanted = Run(status=0, webhooks=())
        self._calls: list[Called] = []
        """Calls of the first run without a fault."""

    def result(self) -> RunResult:
        """Run the set-up in each case, and return what it does wrong.

        What goes wrong without a fault would go wrong in every case, so then no call fails.

        Raises `CouldNotTellError` if the set-up activates no webhook even if nothing fails.
        """
        self._on_case(1, 0)
        runs, entries = self._play(UNDISTURBED)
        self._judge(UNDISTURBED, runs, entries)
        undisturbed = entries
        if not self._violated:
            self._on_case(2, 0)
            self._judge(RESTARTED, *self._play(RESTARTED))
        basics, cases = next(iter(self._violated), None), 2
        if basics is None:
            failing = list(fault_cases(self._calls))
            for cases, case in enumerate(failing, 3):
                self._on_case(cases, 2 + len(failing))
                self._judge(case, *self._play(case))
        others = [
            passed(rule, cases, len(self._calls)) if basics is None else skipped(rule, basics)
            for rule in RULES
            if rule.id not in self._violated
        ]
        if not self._scenarios or self._scenarios[0].name != _name(UNDISTURBED):
            self._scenarios.insert(0, _scenario_result(_name(UNDISTURBED), self._server.url, [], undisturbed))
        first, *rest = self._scenarios
        return run_result([msgspec.structs.replace(first, rules=[*first.rules, *others]), *rest])

    def _play(self, case: DrillCase) -> tuple[list[Run], list[Entry]]:
        """Run the set-up as often as a case needs, and return the runs and the journal of the last server."""
        server = self._server
        server.forget()
        if self._clean is not None and self._clean.run(server.values()) != 0:
            raise CouldNotTellError(f"clean command {self._clean.words[0]}: failed{_said(self._clean)}")
        server.declare(case)
        runs = [self._run()]
        if case is UNDISTURBED:
            self._calls = [entry for entry in server.entries() if isinstance(entry, Called)]
            self._check_usable(runs[0])
        server.end_faults()
        if case is RESTARTED:
            server.forget()
            runs.append(self._run())
        else:
            runs += [self._run() for _ in range(RUNS - 1)]
        return runs, server.entries()

    def _run(self) -> Run:
        status = self._command.run(self._server.values())
        return Run(status=status, webhooks=webhooks_of(self._server.entries()))

    def _check_usable(self, run: Run) -> None:
        """Raise `CouldNotTellError` if an undisturbed run does not show what the set-up is for."""
        if run.status is None:
            raise CouldNotTellError(f"{self._command.words[0]}: still running although nothing failed: see --timeout")
        if run.status:
            raise CouldNotTellError(
                f"{self._command.words[0]}: exit status {run.status} although nothing failed{_said(self._command)}"
            )
        if not any(webhook.status is WebhookStatus.ACTIVATED for webhook in run.webhooks):
            made = f"{len(self._calls)} calls" if self._calls else "no call"
            raise CouldNotTellError(
                f"{self._command.words[0]}: activated no webhook ({made} of {self._server.values()['rest_url']}): the "
                "command learns the server's URL from MOCKCAMPAIGN_REST_URL, or from --env NAME={url}"
            )
        if len(self._calls) > CALLS_MAX:
            raise CouldNotTellError(f"{self._command.words[0]}: {len(self._calls)} calls, allowed: up to {CALLS_MAX}")
        self._wanted = run

    def _judge(self, case: DrillCase, runs: Sequence[Run], entries: Sequence[Entry]) -> None:
        """Keep the first violation of each rule, with the journal of its case."""
        found = [
            finding for finding in judge_case(case, self._wanted, runs, entries) if finding.id not in self._violated
        ]
        found = [msgspec.structs.replace(finding, reproduce=reproduce(case, finding, self._calls)) for finding in found]
        if found:
            self._violated |= {finding.id: finding for finding in found}
            self._scenarios.append(_scenario_result(_name(case), self._server.url, found, entries))


def _name(case: DrillCase) -> str:
    return sentences.set_up_case(case.name)


def _said(command: SetUpCommand) -> str:
    return f": {command.output}" if command.output else ""


def _scenario_result(
    name: str, url: str, rules: list[Finding], entries: Sequence[Entry], expectations: Sequence[Finding] = ()
) -> ScenarioResult:
    return scenario_result(
        name=name,
        file="",
        target=url,
        trouble=None,
        webhooks=webhook_names(None, entries),
        rules=rules,
        expectations=list(expectations),
        journal=list(entries),
        strict=False,
    )


def drill_plan(path: Path) -> Plan:
    """Return the plan of a scenario that a drill can play.

    Raises `InvalidInputError` as `load` does, if a step lets time pass, and if nothing is run or nothing expected.
    """
    plan = load(path, must_emit=False, operations=OPERATIONS, has_set_up=True)
    for step in plan.steps:
        if isinstance(step.action, AdvanceStep | RunStep | WaitUntil):
            raise InvalidInputError(f"{step.place}: time stands still in a drill, allowed: steps that let none pass")
    if not any(isinstance(step.action, SetUpStep) for step in plan.steps):
        raise InvalidInputError(f"{path}: runs no set-up, allowed: a step `set_up`")
    if not any(isinstance(step.action, Expect) or _must_succeed(step) for step in plan.steps):
        raise InvalidInputError(f"{path}: expects nothing, allowed: a last step `expect`")
    return plan


def _must_succeed(step: PlannedStep) -> bool:
    return isinstance(step.action, SetUpStep) and step.action.runs == UNTIL_SUCCESS


def settings_of(plan: Plan) -> ServerSettings:
    """Return the settings of a server that plays the plan."""
    scenario = plan.scenario
    return ServerSettings(speed=0, seed=scenario.seed or 0, policy=scenario.policy.policy(), start=scenario.start)


def drilled_scenario(server: DrillServer, plan: Plan, command: SetUpCommand, clean: SetUpCommand | None) -> RunResult:
    """Play the steps, with the set-up where they run it, and judge the expectations."""
    if clean is not None and clean.run(server.values()) != 0:
        raise CouldNotTellError(f"clean command {clean.words[0]}: failed{_said(clean)}")
    plan = msgspec.structs.replace(plan, first_webhook_id=server.campaign.next_webhook_id)
    ended: list[list[int | None]] = []

    async def run(step: SetUpStep) -> None:
        statuses: list[int | None] = []
        ended.append(statuses)
        is_over = False
        while not is_over:
            # In a thread, since the server has to respond to it meanwhile.
            statuses.append(await asyncio.to_thread(command.run, server.values()))
            if step.runs == UNTIL_SUCCESS:
                is_over = statuses[-1] == 0 or len(statuses) == RUNS
            else:
                is_over = len(statuses) == step.runs

    server.run(Player(plan, server.campaign, run).play())
    entries = server.entries()
    _, expectations = judge(plan, entries)
    runs = [step for step in plan.steps if isinstance(step.action, SetUpStep)]
    succeeded = [_succeeded(step, statuses) for step, statuses in zip(runs, ended, strict=True) if _must_succeed(step)]
    result = _scenario_result(plan.name, server.url, [], entries, [*succeeded, *expectations])
    return run_result([msgspec.structs.replace(result, file=str(plan.path))])


def _succeeded(step: PlannedStep, statuses: Sequence[int | None]) -> Finding:
    """Return whether a set-up that was run until it succeeds has succeeded."""
    return Finding(
        id="set_up.status",
        title=f"set_up.status: 0 within {RUNS} runs",
        level="must",
        outcome="pass" if statuses[-1] == 0 else "fail",
        requirement="A set-up that failed is run again until it succeeds (this scenario).",
        expected=f"0 within {RUNS} runs",
        actual=sentences.exit_statuses(statuses),
        evidence=(),
        place=step.place,
    )
