"""The rules of the provisioning drill, judged from what the runs of a case left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from mockcampaign.drill.cases import DrillCase
from mockcampaign.engine.journal import Called, Entry, WebhookChanged
from mockcampaign.judging.fact import DependsOn, SetUpLeft, SetUpMistake, SetUpPassed, identity_of
from mockcampaign.judging.finding import Finding
from mockcampaign.model import WebhookStatus
from mockcampaign.report import sentences

Registration = tuple[int, str, str]
"""Client, type and target of webhooks that do the same."""


class SetUpRule(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on a set-up."""

    id: str
    title: str
    mistake: SetUpMistake
    """The mistake that violates the rule."""
    requirement: str
    expected: str
    fix: str


RULES = (
    SetUpRule(
        id="registers-once",
        title="Registers each webhook once",
        mistake=SetUpMistake.DOUBLED,
        requirement="Campaign delivers each event to every activated webhook of its type (vendor's webhook guide), so "
        "a second registration delivers everything twice.",
        expected="as many activated webhooks of a type and target as after one undisturbed run",
        fix="List the webhooks first, and create one only if none has the type and target.",
    ),
    SetUpRule(
        id="leaves-no-orphans",
        title="Leaves no webhook behind that it does not use",
        mistake=SetUpMistake.ORPHANED,
        requirement="A client may have a limited number of webhooks (vendor's webhook guide), and those that nobody "
        "uses count as well.",
        expected="no further webhook in another status",
        fix="After a call without response, list the webhooks: continue with one that exists, whatever its status, "
        "instead of creating another.",
    ),
    SetUpRule(
        id="deactivates-before-deleting",
        title="Deactivates a webhook before it deletes it",
        mistake=SetUpMistake.DELETED_ACTIVE,
        requirement="Only a deactivated webhook can be deleted (vendor's webhook guide).",
        expected="deactivateWebhook before deleteWebhook",
        fix="Deactivate the webhook, and delete it after the response.",
    ),
    SetUpRule(
        id="forgets-dead-ids",
        title="Registers anew where its webhooks no longer exist",
        mistake=SetUpMistake.DEAD_IDS,
        requirement="Webhooks may be gone, and an id that was kept then names nothing, or something else.",
        expected="the webhooks of an undisturbed run, registered anew",
        fix="Ask the API which webhooks exist instead of trusting a stored id, and register anew after 404.",
    ),
    SetUpRule(
        id="converges",
        title="Reaches its goal when it is run again",
        mistake=SetUpMistake.NEVER_CONVERGES,
        requirement="A set-up that failed once is run again, and so is one that succeeded.",
        expected="exit status 0 and the webhooks of an undisturbed run",
        fix="Compare what exists with what is wanted, step by step: create what is missing, activate what is not "
        "activated, and accept what is already as it should be.",
    ),
    SetUpRule(
        id="reports-failure",
        title="Reports that it failed",
        mistake=SetUpMistake.FALSE_SUCCESS,
        requirement="A set-up that ends with status 0 is not run again, so nothing is delivered.",
        expected="another exit status than 0 unless the webhooks are as wanted",
        fix="Check the status of each response, and end with another status than 0 if one is missing or an error.",
    ),
)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the command, and what exists after it."""

    status: int | None
    """Exit status; None if the command was stopped because it ran for too long."""
    webhooks: tuple[WebhookChanged, ...]
    """The webhooks that are not deleted, each as it was changed last."""

    @property
    def succeeded(self) -> bool:
        """Whether the command ended with status 0."""
        return self.status == 0


def webhooks_of(entries: Iterable[Entry]) -> tuple[WebhookChanged, ...]:
    """Return the webhooks that exist at the end of a journal."""
    known = {entry.webhook_id: entry for entry in entries if isinstance(entry, WebhookChanged)}
    return tuple(entry for entry in known.values() if entry.status is not WebhookStatus.DELETED)


def judge_case(case: DrillCase, wanted: Run, runs: Sequence[Run], entries: Sequence[Entry]) -> list[Finding]:
    """Return the violations in a case. `wanted` is an undisturbed run, `entries` the journal of the last server."""
    mistakes = list(_mistakes(case, wanted, runs, entries))
    return [
        _finding(
            rule,
            SetUpLeft(
                mistake=rule.mistake,
                case=case.name,
                webhooks=count,
                runs=len(runs),
                statuses=tuple(run.status for run in runs),
            ),
            tuple(positions),
        )
        for mistake, count, positions in mistakes
        for rule in RULES
        if rule.mistake is mistake
    ]


def passed(rule: SetUpRule, cases: int, calls: int) -> Finding:
    """Return the finding of a rule that no case violates."""
    return _outcome(rule, SetUpPassed(cases=cases, calls=calls))


def _mistakes(
    case: DrillCase, wanted: Run, runs: Sequence[Run], entries: Sequence[Entry]
) -> Iterator[tuple[SetUpMistake, int, list[int]]]:
    deleted = list(_deleted_active(entries))
    if deleted:
        yield SetUpMistake.DELETED_ACTIVE, len(deleted), deleted
        return  # what else is wrong follows from it
    changes = [position for position, entry in enumerate(entries) if isinstance(entry, WebhookChanged)]
    missing, doubled, orphaned = _compared(wanted, runs[-1])
    if case.name.kind == "restarted":
        if missing or not runs[-1].succeeded:
            yield SetUpMistake.DEAD_IDS, missing, _called(entries)
        return
    if doubled:
        yield SetUpMistake.DOUBLED, doubled, changes
    if orphaned:
        yield SetUpMistake.ORPHANED, orphaned, changes
    if missing or not runs[-1].succeeded:
        yield SetUpMistake.NEVER_CONVERGES, missing, _called(entries)
    first_missing, *_ = _compared(wanted, runs[0])
    if case.fault is not None and runs[0].succeeded and first_missing:
        yield SetUpMistake.FALSE_SUCCESS, first_missing, _called(entries)


def _called(entries: Sequence[Entry]) -> list[int]:
    return [position for position, entry in enumerate(entries) if isinstance(entry, Called)]


def _compared(wanted: Run, run: Run) -> tuple[int, int, int]:
    """Return how many webhooks are missing, how many activated ones are too many, and how many are left unused.

    One in another status stands for one that is missing: it is only not there yet.
    """
    missing = doubled = orphaned = 0
    goal, active = Counter(_activated(wanted)), Counter(_activated(run))
    others = Counter(_of(webhook) for webhook in run.webhooks) - active
    idle = Counter(_of(webhook) for webhook in wanted.webhooks) - goal
    for key in {*goal, *active, *others, *idle}:
        lacking = max(0, goal[key] - active[key])
        missing += lacking
        doubled += max(0, active[key] - goal[key])
        orphaned += max(0, others[key] - idle[key] - lacking)
    return missing, doubled, orphaned


def _activated(run: Run) -> Iterator[Registration]:
    return (_of(webhook) for webhook in run.webhooks if webhook.status is WebhookStatus.ACTIVATED)


def _of(webhook: WebhookChanged) -> Registration:
    return webhook.client_id, webhook.type.value, webhook.target_url


def _deleted_active(entries: Sequence[Entry]) -> Iterator[int]:
    """Yield the positions of calls that tried to delete an activated webhook."""
    statuses: dict[int, WebhookStatus] = {}
    for position, entry in enumerate(entries):
        match entry:
            case WebhookChanged():
                statuses[entry.webhook_id] = entry.status
            case Called(operation="deleteWebhook", status=400, ids={"webhookId": webhook_id}):
                if statuses.get(webhook_id) is WebhookStatus.ACTIVATED:
                    yield position
            case _:
                pass


def skipped(rule: SetUpRule, violated: str) -> Finding:
    """Return the finding of a rule that was not examined, because one is violated even without a fault."""
    return msgspec.structs.replace(_outcome(rule, DependsOn(rule_id=violated)), outcome="not-exercised")


def _finding(rule: SetUpRule, fact: SetUpLeft, evidence: tuple[int, ...]) -> Finding:
    found = _outcome(rule, fact)
    return msgspec.structs.replace(
        found, outcome="fail", evidence=evidence, fix=rule.fix, identity=identity_of((fact,))
    )


def _outcome(rule: SetUpRule, fact: SetUpLeft | SetUpPassed | DependsOn) -> Finding:
    return Finding(
        id=rule.id,
        title=rule.title,
        level="must",
        outcome="pass",
        requirement=rule.requirement,
        expected=rule.expected,
        actual=sentences.actual((fact,)),
        facts=(fact,),
        evidence=(),
        family="provisioning",
    )
