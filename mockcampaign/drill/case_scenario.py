"""Writes a scenario for a violation, which `drill provisioning --scenario` plays again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mockcampaign.drill.cases import DrillCase
from mockcampaign.engine.declared_faults import write_fault
from mockcampaign.engine.journal import Called
from mockcampaign.judging.fact import SetUpLeft, SetUpMistake
from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.report import sentences

NOT_BY_CURL = "a set-up is the team's own command"

NO_RESTART = "A scenario does not let the server forget its webhooks."
NO_STATUS = "A scenario does not see exit statuses."


def reproduce(case: DrillCase, finding: Finding, wanted: Sequence[Called]) -> Reproduce:
    """Return how to reproduce a violation in a case. `wanted` are the calls of an undisturbed run."""
    [fact] = finding.facts
    assert isinstance(fact, SetUpLeft), "a violation of this drill"
    if fact.mistake in (SetUpMistake.DEAD_IDS, SetUpMistake.FALSE_SUCCESS):
        why = NO_RESTART if fact.mistake is SetUpMistake.DEAD_IDS else NO_STATUS
        return Reproduce(without_curl=NOT_BY_CURL, without_scenario=why)
    title = sentences.set_up_case(case.name)
    lines = [f"name: 'A set-up in which {title}'", 'consumer: {url: "http://127.0.0.1:9/"}', "webhooks: {}", "steps:"]
    if case.fault is not None:
        settings = ", ".join(f"{name}: {value}" for name, value in write_fault(case.fault, case.when).items())
        lines.append(f"  - fault: {{{settings}}}")
    lines.append(f"  - expect: {{api: {{{_expected(case, fact, wanted)}}}}}")
    return Reproduce(without_curl=NOT_BY_CURL, scenario="\n".join(lines) + "\n")


def _expected(case: DrillCase, fact: SetUpLeft, wanted: Sequence[Called]) -> str:
    made = Counter(call.operation for call in wanted if call.status is not None and call.status < 300)
    # A call that was carried out, but failed for its caller, has no status of success.
    hidden = case.name.operation if case.name.timing == "after-effect" else ""
    made[hidden] -= 1
    match fact.mistake:
        case SetUpMistake.DOUBLED | SetUpMistake.ORPHANED:
            return f"operation: createWebhook, status: 201, count: {{at_most: {made['createWebhook']}}}"
        case SetUpMistake.DELETED_ACTIVE:
            return "operation: deleteWebhook, status: 400, count: 0"
        case _ if fact.webhooks:
            return f"operation: activateWebhook, status: 200, count: {{at_least: {made['activateWebhook']}}}"
        case _:
            return "status: 400, count: 0"
