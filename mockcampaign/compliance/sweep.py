"""Whether a verdict rests on what is only assumed of the sender: rules examined again, with other assumptions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mockcampaign.compliance.account import AccountSource
from mockcampaign.compliance.examination import Examination, Examiner
from mockcampaign.compliance.rules import Finding, Judgement
from mockcampaign.compliance.settings import Settings, Variation
from mockcampaign.errors import CouldNotTellError
from mockcampaign.policy import SECOND
from mockcampaign.transport import Transport
from mockcampaign.transport.faults import ContentType, Reorder

VARIATIONS: tuple[Variation, ...] = (
    Variation(behaviour="time-out", name="a time-out of 5 s", policy={"timeout": 5 * SECOND}),
    Variation(behaviour="time-out", name="a time-out of 30 s", policy={"timeout": 30 * SECOND}),
    Variation(behaviour="refill", name="lists that come again topped up", policy={"refill": True}),
    Variation(behaviour="order", name="later lists before earlier ones", fault=Reorder()),
    Variation(
        behaviour="charset",
        name="a Content-Type with charset=utf-8",
        fault=ContentType(value="application/json; charset=utf-8"),
    ),
)
"""What is assumed with one value, and could be another."""

_EXERCISED: tuple[Judgement, ...] = ("pass", "fail", "warn")


async def sweep(
    examiner: Examiner,
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    source: AccountSource | None,
    told: Callable[[Variation], None] = lambda variation: None,
) -> None:
    """Examine again, in each variation, the rules that rely on the behaviour it varies, and amend their findings.

    What passes as assumed, and fails otherwise, is a hazard. All of it stays within the budget of the whole check.
    """
    for number, variation in enumerate(VARIATIONS, 1):
        rules = tuple(
            examination.rule.id
            for examination in examiner.examinations
            if variation.behaviour in examination.rule.relies_on and examination.finding.outcome in _EXERCISED
        )
        budget = settings.budget - examiner.milliseconds
        if not rules or budget <= 0:
            continue
        told(variation)
        varied = msgspec.structs.replace(
            settings, seed=settings.seed + number, rules=rules, skip=(), variation=variation, budget=budget
        )
        again = Examiner(url, transport=transport, settings=varied, source=source)
        try:
            await again.run()
        except CouldNotTellError:
            # The consumer is gone: what is known stands.
            return
        _amend(examiner, again.examinations, variation)


def _amend(examiner: Examiner, again: list[Examination], variation: Variation) -> None:
    other = {examination.rule.id: examination for examination in again}
    for index, examination in enumerate(examiner.examinations):
        varied = other.get(examination.rule.id)
        if varied is not None and varied.finding.outcome in _EXERCISED:
            finding = _amended(examination.finding, varied.finding, variation.name)
            if examination.finding.outcome == "pass" and varied.finding.outcome == "fail":
                # It is no violation of what is assumed.
                varied = msgspec.structs.replace(
                    varied, finding=msgspec.structs.replace(varied.finding, outcome="warn")
                )
            examiner.examinations[index] = msgspec.structs.replace(
                examination, finding=finding, varied=(*examination.varied, (variation.name, varied))
            )


def _amended(finding: Finding, varied: Finding, name: str) -> Finding:
    swept = (*finding.swept, f"{varied.outcome} with {name}")
    if finding.outcome == varied.outcome:
        return msgspec.structs.replace(finding, swept=swept)
    outcome: Judgement = "warn" if finding.outcome == "pass" else finding.outcome
    actual = f"{finding.actual}; with {name}: {varied.actual}"
    return msgspec.structs.replace(finding, outcome=outcome, actual=actual, swept=swept, fix=finding.fix or varied.fix)
