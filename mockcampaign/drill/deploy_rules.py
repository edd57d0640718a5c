"""The rules of the deploy drill, judged from its journal, its deployments and what the probe reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mockcampaign.drill.deploy_plan import Deployment
from mockcampaign.engine.journal import Attempted
from mockcampaign.judging.difference import Difference
from mockcampaign.judging.fact import (
    AnyFact,
    DeployBalance,
    DeployEvents,
    DeployStored,
    DeployTook,
    EventDifference,
    Inconclusive,
    Needs,
    Precondition,
    Reply,
    Response,
    RotationRejected,
    Stimulus,
    Unmet,
    identity_of,
    masked,
)
from mockcampaign.judging.finding import Finding, Judgement, Level, Reproduce
from mockcampaign.judging.situation import Situation
from mockcampaign.masking import Masking
from mockcampaign.model import Responded
from mockcampaign.report import sentences
from mockcampaign.report.advice import advice

DURING_DEPLOY = Stimulus(situation=Situation.OVER_DEPLOY)

NOT_REPEATED = Reproduce(
    without_curl="a deployment is your own command",
    without_scenario="A scenario runs no commands: run the drill again with the same --seed.",
)


class DeployRule(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on a consumer that is deployed while deliveries go on."""

    id: str
    title: str
    level: Level = "must"
    requirement: str
    expected: str
    fix: str


ACCEPTS = DeployRule(
    id="accepts-everything-after-deploy",
    title="Accepts everything once it is deployed",
    requirement="Campaign retries a rejected batch every 10 seconds and discards its events after three days (vendor's "
    "webhook guide), so what is rejected during a deployment is late, and what is rejected for good is lost.",
    expected="each event accepted at the end, at the latest when the consumer is deployed and has had its --patience",
    fix="Let the new process do everything that it needs before it accepts connections, and look into its log for why "
    "it still rejects batches.",
)
STORES = DeployRule(
    id="stores-acknowledged-over-deploy",
    title="Has what it acknowledged after it was deployed",
    requirement="Campaign never resends a batch after 200 (vendor's webhook guide), so what a process has acknowledged "
    "and not stored when it ends is lost for good.",
    expected="every acknowledged event stored",
    fix="Commit a batch before you respond. If a queue in memory has to stay, empty it at SIGTERM before the process "
    "ends, and let the deployment wait for that.",
)
ONCE = DeployRule(
    id="stores-once-over-deploy",
    title="Recognises redelivered batches after it was deployed",
    requirement="Campaign retries a batch whose response was lost (vendor's webhook guide), and the retry may meet "
    "another process than the first attempt.",
    expected="each event stored once",
    fix="Keep the deduplication keys where the events are, and write both in one transaction, so that every process "
    "knows them.",
)
UNCHANGED = DeployRule(
    id="stores-unchanged-over-deploy",
    title="Stores events unchanged while it is deployed",
    requirement="Events are compared field by field with what was delivered, whichever process stored them.",
    expected="every field as it was sent",
    fix="Let the old and the new process read and write events in the same way.",
)
ROTATES = DeployRule(
    id="accepts-old-and-new-credentials",
    title="Accepts old and new credentials while they are rotated",
    level="should",
    requirement="Campaign and the consumer cannot change credentials at the same moment. What is rejected meanwhile "
    "is retried (vendor's webhook guide), so it is late, but not lost.",
    expected="old and new credentials accepted until both sides have changed, and the new ones from then on",
    fix="Accept the old credentials beside the new ones for a while after a rotation, and read the credentials at each "
    "request, or when they change.",
)

RULES = (ACCEPTS, STORES, ONCE, UNCHANGED, ROTATES)


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment that was carried out. Moments are virtual, durations wall time, both in milliseconds."""

    deployment: Deployment
    began: int
    consumer_changed: int
    """When the command had ended."""
    campaign_changed: int
    """When Campaign had the new credentials; of a restart, when the command had ended."""
    over: int
    """When nothing was pending any more, or the patience had come to its end."""
    command: int
    recovered: int | None
    rejection: Response | None = None
    """How it responded to the end, if it can be reached and has not recovered."""


class DeployEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything by which a drill is judged."""

    deployed: tuple[Deployed, ...]
    origin: int
    """The virtual moment at which the traffic began."""
    balance: DeployBalance
    attempts: Sequence[tuple[int, Attempted]]
    """Attempts, with their positions in the journal."""
    acknowledged: int
    """Number of different events that were acknowledged."""
    trouble: str | None = None
    """Why the drill ended early; None if it did not."""
    difference: Difference | None = None
    """How the store differs; None without a probe."""
    missing_at: Sequence[int] = ()
    """When the missing events were acknowledged."""
    duplicates_at: Sequence[int] = ()
    """When the events that are stored twice were first delivered."""


def took(evidence: DeployEvidence) -> tuple[DeployTook, ...]:
    """Return how long each deployment took."""
    return tuple(
        DeployTook(
            kind=one.deployment.kind,
            at=one.began - evidence.origin,
            command=one.command,
            recovered=one.recovered,
            attempts=sum(1 for _ in _starts(evidence, one.began, one.over)),
            failed=sum(not entry.outcome.accepted for _, entry, _ in _starts(evidence, one.began, one.over)),
        )
        for one in evidence.deployed
    )


def judge_deploy(evidence: DeployEvidence, masking: Masking) -> list[Finding]:
    """Return the finding of each rule."""
    found = [_accepts(evidence), *_stored(evidence), _rotates(evidence)]
    return [_finding(*judged, masking) for judged in found]


_Judged = tuple[DeployRule, Judgement, tuple[AnyFact, ...], tuple[int, ...], tuple[EventDifference, ...]]


def _accepts(evidence: DeployEvidence) -> _Judged:
    balance = evidence.balance
    rejections = [one.rejection for one in evidence.deployed if one.rejection is not None]
    facts: tuple[AnyFact, ...] = (*rejections[-1:], balance, *took(evidence))
    outcome: Judgement = "pass"
    if balance.accepted < balance.created:
        outcome = "fail" if rejections else "could-not-tell"
    positions = tuple(position for position, entry in evidence.attempts if not entry.outcome.accepted)
    return ACCEPTS, outcome, facts, positions, ()


def _stored(evidence: DeployEvidence) -> Iterator[_Judged]:
    found = evidence.difference
    if found is None:
        outcome: Judgement = "not-exercised" if evidence.trouble is None else "could-not-tell"
        why = Needs(need="probe") if evidence.trouble is None else Inconclusive(message=evidence.trouble)
        for rule in (STORES, ONCE, UNCHANGED):
            yield rule, outcome, (why,), (), ()
        return
    whole = found.seen(DURING_DEPLOY)
    stored = DeployStored(
        acknowledged=evidence.acknowledged, missing=whole.missing, duplicate=whole.duplicate, altered=whole.altered
    )
    for rule, count, kind, around in (
        (STORES, whole.missing, "missing", _around("missing", evidence.missing_at, evidence)),
        (ONCE, whole.duplicate, "duplicate", _around("duplicate", evidence.duplicates_at, evidence)),
        (UNCHANGED, whole.altered, "altered", ()),
    ):
        if not count:
            yield rule, "pass", (stored,), (), ()
            continue
        only = {"missing": 0, "duplicate": 0, "altered": 0, kind: count}
        examples = tuple(one for one in whole.examples if one.kind == kind)
        fields = whole.changed_fields if kind == "altered" else ()
        fact = msgspec.structs.replace(whole, **only, examples=examples, changed_fields=fields)
        positions = tuple(position for position, _ in evidence.attempts)
        yield rule, "fail", (fact, *around, stored), positions, tuple(one for one in found.events() if one.kind == kind)


def _around(what: str, moments: Sequence[int], evidence: DeployEvidence) -> tuple[DeployEvents, ...]:
    """Return how many of these moments were before and during each deployment, for those that have any."""
    facts, since = [], evidence.origin
    for one in evidence.deployed:
        before = sum(since <= moment <= one.began for moment in moments)
        during = sum(one.began < moment <= one.over for moment in moments)
        since = one.over + 1
        if before or during:
            kind = one.deployment.kind
            at = one.began - evidence.origin
            facts.append(
                DeployEvents(
                    what="missing" if what == "missing" else "duplicate", kind=kind, at=at, before=before, during=during
                )
            )
    return tuple(facts)


def _rotates(evidence: DeployEvidence) -> _Judged:
    rotated = [one for one in evidence.deployed if one.deployment.kind == "rotation"]
    if not rotated:
        return ROTATES, "not-exercised", (Unmet(why=Precondition.NOTHING_ROTATED),), (), ()
    facts: list[AnyFact] = []
    positions: list[int] = []
    for one in rotated:
        # Before the consumer has changed, it cannot know the new credentials: that is the order's fault.
        for first, last, after_both in (
            (one.consumer_changed, one.campaign_changed, False),
            (max(one.consumer_changed, one.campaign_changed), one.over, True),
        ):
            rejected = [
                (position, entry, start)
                for position, entry, start in _starts(evidence, first, last)
                if isinstance(entry.outcome, Responded) and not entry.outcome.accepted
            ]
            if rejected:
                positions += [position for position, _, _ in rejected]
                facts.append(
                    RotationRejected(
                        at=one.began - evidence.origin,
                        after_both=after_both,
                        reply=Reply.of(rejected[-1][1].outcome),
                        attempts=len(rejected),
                        milliseconds=rejected[-1][2] - first,
                    )
                )
    return ROTATES, "warn" if facts else "pass", (*facts, *took(evidence)), tuple(dict.fromkeys(positions)), ()


def _starts(evidence: DeployEvidence, first: int, last: int) -> Iterator[tuple[int, Attempted, int]]:
    """Yield the attempts that began after `first`, up to `last`, each with its moment."""
    for position, entry in evidence.attempts:
        for _, start in entry.starts():
            if first < start <= last:
                yield position, entry, start


def _finding(
    rule: DeployRule,
    outcome: Judgement,
    facts: tuple[AnyFact, ...],
    positions: tuple[int, ...],
    differences: tuple[EventDifference, ...],
    masking: Masking,
) -> Finding:
    facts = masked(facts, masking.text)
    is_wrong = outcome in ("fail", "warn")
    return Finding(
        id=rule.id,
        title=rule.title,
        level=rule.level,
        outcome=outcome,
        requirement=rule.requirement,
        expected=rule.expected,
        actual=sentences.actual(facts),
        facts=facts,
        identity=identity_of(facts) if is_wrong else None,
        evidence=positions if is_wrong else (),
        family="deploy",
        fix=advice(rule.id, rule.fix, facts) if is_wrong else None,
        differences=tuple(one.masked(masking.text) for one in differences),
        reproduce=NOT_REPEATED if is_wrong else None,
    )
