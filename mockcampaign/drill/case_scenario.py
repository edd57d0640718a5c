"""Writes a scenario for a violation, which `drill provisioning --scenario` plays again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from mockcampaign.drill.cases import RUNS, DrillCase
from mockcampaign.engine.declared_faults import write_fault
from mockcampaign.engine.journal import Called
from mockcampaign.judging.fact import SetUpLeft, SetUpMistake
from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.report import sentences

NOT_BY_CURL = "a set-up is the team's own command"

RUN_UNTIL_SUCCESS = "set_up: until-success"
"""The step as people do it: what ends with status 0 is not run again."""


def reproduce(case: DrillCase, finding: Finding, wanted: Sequence[Called]) -> Reproduce:
    """Return how to reproduce a violation in a case. `wanted` are the calls of an undisturbed run."""
    [fact] = finding.facts
    assert isinstance(fact, SetUpLeft), "a violation of this drill"
    title = sentences.set_up_case(case.name)
    lines = [f"name: 'A set-up in which {title}'", 'consumer: {url: "http://127.0.0.1:9/"}', "webhooks: {}", "steps:"]
    if case.fault is not None:
        settings = ", ".join(f"{name}: {value}" for name, value in write_fault(case.fault, case.when).items())
        lines.append(f"  - fault: {{{settings}}}")
    lines += [f"  - {step}" for step in _steps(case, fact, wanted)]
    return Reproduce(without_curl=NOT_BY_CURL, scenario="\n".join(lines) + "\n")


def _steps(case: DrillCase, fact: SetUpLeft, wanted: Sequence[Called]) -> Iterator[str]:
    """Yield the steps that follow the fault."""
    made = Counter(call.operation for call in wanted if call.status is not None and call.status < 300)
    # A call that was carried out, but failed for its caller, has no status of success.
    hidden = case.name.operation if case.name.timing == "after-effect" else ""
    made[hidden] -= 1
    activated = made["activateWebhook"]
    match fact.mistake:
        case SetUpMistake.DOUBLED | SetUpMistake.ORPHANED:
            yield f"set_up: {RUNS}"
            yield _calls("createWebhook", 201, f"{{at_most: {made['createWebhook']}}}")
        case SetUpMistake.DELETED_ACTIVE:
            yield f"set_up: {RUNS}"
            yield _calls("deleteWebhook", 400, "0")
        case SetUpMistake.DEAD_IDS:
            yield RUN_UNTIL_SUCCESS
            yield "forget: webhooks"
            yield RUN_UNTIL_SUCCESS
            yield _calls("activateWebhook", 200, f"{{at_least: {2 * activated}}}")
        case SetUpMistake.NEVER_CONVERGES:
            yield f"set_up: {RUNS - 1}"
            yield RUN_UNTIL_SUCCESS
            yield _calls("activateWebhook", 200, f"{{at_least: {activated}}}")
        case SetUpMistake.FALSE_SUCCESS:
            yield RUN_UNTIL_SUCCESS
            yield _calls("activateWebhook", 200, f"{{at_least: {activated}}}")
        case _:
            assert_never(fact.mistake)


def _calls(operation: str, status: int, count: str) -> str:
    return f"expect: {{api: {{operation: {operation}, status: {status}, count: {count}}}}}"
