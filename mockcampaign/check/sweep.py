"""Examining rules again under variations of the sender, to see whether a result depends on an assumption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from mockcampaign.check.examiner import Examination, Examiner
from mockcampaign.check.settings import Lengths, Settings, Variation
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import ContentType, Reorder
from mockcampaign.judging.earlier.baseline import marked
from mockcampaign.judging.fact import Under, identity_of
from mockcampaign.judging.finding import Finding, Judgement, Reproduce, SweptOutcome
from mockcampaign.judging.verdict import Dependence, SweepSummary
from mockcampaign.model import EventType
from mockcampaign.policy import SECOND
from mockcampaign.report import sentences
from mockcampaign.shape.builtin import ALTERNATIVES, builtin_shape
from mockcampaign.shape.shape import Shape

VARIATIONS: tuple[Variation, ...] = (
    Variation(behaviour="time-out", name="a time-out of 5 s", policy={"timeout": 5 * SECOND}),
    Variation(behaviour="time-out", name="a time-out of 30 s", policy={"timeout": 30 * SECOND}),
    Variation(behaviour="refill", name="retried batches topped up with newer events", policy={"refill": True}),
    Variation(behaviour="order", name="later batches before earlier ones", fault=Reorder()),
    Variation(behaviour="parallel", name="another webhook delivering at the same moment", accompanied=True),
    Variation(behaviour="parallel", name="webhooks that deliver one after another", in_turn=True),
    Variation(
        behaviour="charset",
        name="a Content-Type with charset=utf-8",
        fault=ContentType(value="application/json; charset=utf-8"),
    ),
    Variation(
        behaviour="lengths",
        name="names of up to 64 characters and links of up to 500",
        lengths=Lengths(names=64, links=500),
    ),
    Variation(
        behaviour="lengths",
        name="names of up to 1,000 characters and links of up to 4,000",
        lengths=Lengths(names=1_000, links=4_000),
    ),
    Variation(behaviour="spelling", name="redelivered events in another order and spelling of fields", respelled=True),
    *(Variation(behaviour="shape", name=name, fields=name) for name in ALTERNATIVES),
)
"""Assumptions about the sender, each with another value than the usual one."""

_EXERCISED: tuple[Judgement, ...] = ("pass", "fail", "warn")


async def sweep(
    examiner: Examiner, *, on_progress: Callable[[SweepSummary], None] = lambda swept: None
) -> SweepSummary:
    """Examine, under each variation, the rules that assume the behaviour it varies, and amend their findings.

    A rule that passes as usual and fails under a variation is a hazard. Rules that generate their cases generate a
    quarter of them each time. The sweep stays within the budgets of the whole check. `on_progress` is called before
    each variation with the summary of all before it.
    """
    settings = examiner.context.settings
    began = examiner.milliseconds
    usual = {examination.rule.id: examination.finding for examination in examiner.examinations}
    todo = [
        (number, variation, rules)
        for number, variation in enumerate(VARIATIONS, 1)
        if _applies(variation, settings) and (rules := _assuming(examiner.examinations, variation))
    ]
    swept = SweepSummary(missed=len(todo))
    for number, variation, rules in todo:
        on_progress(swept)
        budget = settings.budget - examiner.milliseconds
        if budget <= 0:
            break
        varied = msgspec.structs.replace(
            settings,
            seed=settings.seed + number,
            shape=_varied_shape(variation, settings),
            rules=rules,
            skip=(),
            examples=max(1, settings.examples // 4),
            variation=variation,
            budget=budget,
            memory=0,
        )
        other = Examiner(examiner.context.for_part(varied))
        try:
            await other.run()
        except CouldNotTellError:
            break  # the consumer is gone; what is known so far stays valid
        depending = _amend(examiner, usual, other.examinations, variation)
        outcomes = Counter(one.finding.outcome for one in other.examinations)
        swept = SweepSummary(
            examinations=swept.examinations + sum(outcomes[one] for one in _EXERCISED),
            inconclusive=swept.inconclusive + outcomes["could-not-tell"],
            variations=swept.variations + 1,
            depending=(*swept.depending, *depending),
            missed=swept.missed - 1,
            milliseconds=examiner.milliseconds - began,
        )
    return swept


def _applies(variation: Variation, settings: Settings) -> bool:
    """Return whether a variation changes anything: captured events show their fields, and other types are not sent."""
    if variation.fields is None:
        return True
    types = {kind for kind, _ in ALTERNATIVES[variation.fields]}
    return not settings.shape.is_captured and bool(types & {settings.shape.event_type, *_SENT_BESIDES})


_SENT_BESIDES = (EventType.CLICK,)
"""Types of events that a check sends besides those of its webhook."""


def _varied_shape(variation: Variation, settings: Settings) -> Shape:
    if settings.shape.is_captured:
        return settings.shape
    return builtin_shape(settings.shape.event_type, variation.fields)


def _assuming(examinations: Sequence[Examination], variation: Variation) -> tuple[str, ...]:
    """Return the ids of the rules that were exercised and assume the behaviour that is varied."""
    return tuple(
        examination.rule.id
        for examination in examinations
        if variation.behaviour in examination.rule.assumes and examination.finding.outcome in _EXERCISED
    )


def _amend(
    examiner: Examiner, usual: dict[str, Finding], examinations: list[Examination], variation: Variation
) -> list[Dependence]:
    """Add the results under a variation to the examiner's findings, and return which outcomes differ."""
    known = examiner.context.settings.known
    other = {examination.rule.id: examination for examination in examinations}
    depending = []
    for index, examination in enumerate(examiner.examinations):
        varied = other.get(examination.rule.id)
        if varied is None:
            continue
        before = usual[examination.rule.id]
        finding = marked(_amended(examination.finding, before, varied.finding, variation.name), known)
        if varied.finding.outcome in _EXERCISED and varied.finding.outcome != before.outcome:
            depending.append(Dependence(rule_id=before.id, outcome=varied.finding.outcome, variation=variation.name))
        if before.outcome == "pass" and varied.finding.outcome == "fail":
            # The usual sender sees no violation.
            varied = msgspec.structs.replace(varied, finding=msgspec.structs.replace(varied.finding, outcome="warn"))
        examiner.examinations[index] = msgspec.structs.replace(
            examination, finding=finding, varied=(*examination.varied, (variation.name, varied))
        )
    return depending


def _amended(finding: Finding, before: Finding, varied: Finding, name: str) -> Finding:
    """Return the finding with the result under a variation; `before` is the usual one."""
    because = () if varied.outcome in _EXERCISED else varied.facts
    swept = (*finding.swept, SweptOutcome(variation=name, outcome=varied.outcome, facts=because))
    if varied.outcome not in _EXERCISED or varied.outcome == before.outcome:
        return msgspec.structs.replace(finding, swept=swept)
    facts = (*finding.facts, Under(variation=name, facts=varied.facts))
    actual = sentences.actual(facts)
    if before.outcome != "pass":
        return msgspec.structs.replace(finding, actual=actual, facts=facts, swept=swept)
    why = f"Only a variation of the sender shows it: run `mockcampaign check` with --rules {before.id} --sweep."
    return msgspec.structs.replace(
        finding,
        outcome="warn",
        actual=actual,
        facts=facts,
        swept=swept,
        identity=identity_of(facts),
        fix=finding.fix or varied.fix,
        differences=finding.differences or varied.differences,
        reproduce=finding.reproduce or Reproduce(without_curl=why, without_scenario=why),
    )
