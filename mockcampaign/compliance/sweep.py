"""Whether a verdict rests on what is only assumed of the sender: rules examined again, with other assumptions."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mockcampaign.compliance.account import AccountSource
from mockcampaign.compliance.examination import Examination, Examiner
from mockcampaign.compliance.rules import Finding, Judgement
from mockcampaign.compliance.settings import Lengths, Settings, Variation
from mockcampaign.compliance.state import StateSource
from mockcampaign.errors import CouldNotTellError
from mockcampaign.policy import SECOND
from mockcampaign.transport import Transport
from mockcampaign.transport.faults import ContentType, Reorder
from mockcampaign.words import counted

VARIATIONS: tuple[Variation, ...] = (
    Variation(behaviour="time-out", name="a time-out of 5 s", policy={"timeout": 5 * SECOND}),
    Variation(behaviour="time-out", name="a time-out of 30 s", policy={"timeout": 30 * SECOND}),
    Variation(behaviour="refill", name="lists that come again topped up", policy={"refill": True}),
    Variation(behaviour="order", name="later lists before earlier ones", fault=Reorder()),
    Variation(behaviour="parallel", name="another webhook delivering at the same moment", accompanied=True),
    Variation(behaviour="parallel", name="webhooks that deliver one after the other", in_turn=True),
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
)
"""What is assumed with one value, and could be another."""

_EXERCISED: tuple[Judgement, ...] = ("pass", "fail", "warn")


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep came to."""

    again: int
    """How many examinations there were, of one rule under one other assumption each."""
    variations: int
    """How many other assumptions were made."""
    depending: tuple[str, ...]
    """Which rule came to something else, and with which assumption."""
    missed: int
    """How many of the other assumptions were not come to, within the budget or before the consumer was gone."""
    milliseconds: int
    """How long it took, by the wall's clock."""

    def describe(self) -> str:
        """In one sentence."""
        holds = f"depends: {'; '.join(self.depending)}" if self.depending else "holds in all"
        missed = f" ({self.missed} more were not come to)" if self.missed else ""
        return (
            f"under {counted(self.variations, 'other assumption')}{missed}, {counted(self.again, 'examination')} in "
            f"{self.milliseconds / 1_000:.1f} s, the verdict {holds}"
        )


async def sweep(
    examiner: Examiner,
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    source: AccountSource | None,
    state: StateSource | None = None,
    told: Callable[[Variation], None] = lambda variation: None,
) -> Swept:
    """Examine again, in each variation, the rules that rely on the behaviour it varies, and amend their findings.

    What passes as assumed, and fails otherwise, is a hazard. Rules that generate their cases generate a quarter of them
    each time. All of it stays within the budget of the whole check.
    """
    began = examiner.milliseconds
    assumed = {examination.rule.id: examination.finding for examination in examiner.examinations}
    again, variations, missed = 0, 0, 0
    depending: list[str] = []
    gone = False
    for number, variation in enumerate(VARIATIONS, 1):
        rules = tuple(
            examination.rule.id
            for examination in examiner.examinations
            if variation.behaviour in examination.rule.relies_on and assumed[examination.rule.id].outcome in _EXERCISED
        )
        if not rules:
            continue
        budget = settings.budget - examiner.milliseconds
        if gone or budget <= 0:
            missed += 1
            continue
        told(variation)
        varied = msgspec.structs.replace(
            settings,
            seed=settings.seed + number,
            rules=rules,
            skip=(),
            examples=max(1, settings.examples // 4),
            variation=variation,
            budget=budget,
        )
        other = Examiner(
            url, transport=transport, settings=varied, source=source, state=state, allowance=examiner.allowance
        )
        try:
            await other.run()
        except CouldNotTellError:
            # The consumer is gone: what is known stands.
            gone = True
            missed += 1
            continue
        variations += 1
        again += sum(examination.finding.outcome in _EXERCISED for examination in other.examinations)
        depending += _amend(examiner, settings, assumed, other.examinations, variation)
    return Swept(
        again=again,
        variations=variations,
        depending=tuple(depending),
        missed=missed,
        milliseconds=examiner.milliseconds - began,
    )


def _amend(
    examiner: Examiner,
    settings: Settings,
    assumed: dict[str, Finding],
    again: list[Examination],
    variation: Variation,
) -> list[str]:
    """Returns what came to something else than as assumed."""
    other = {examination.rule.id: examination for examination in again}
    depending = []
    for index, examination in enumerate(examiner.examinations):
        varied = other.get(examination.rule.id)
        if varied is None:
            continue
        before = assumed[examination.rule.id]
        finding = _amended(examination.finding, before, varied.finding, variation.name)
        known = finding.outcome in ("fail", "warn") and any(one.matches(finding) for one in settings.known)
        finding = msgspec.structs.replace(finding, known=known)
        if varied.finding.outcome in _EXERCISED and varied.finding.outcome != before.outcome:
            depending.append(f"{before.id} is {_WORDS[varied.finding.outcome]} with {variation.name}")
        if before.outcome == "pass" and varied.finding.outcome == "fail":
            # It is no violation of what is assumed.
            varied = msgspec.structs.replace(varied, finding=msgspec.structs.replace(varied.finding, outcome="warn"))
        examiner.examinations[index] = msgspec.structs.replace(
            examination, finding=finding, varied=(*examination.varied, (variation.name, varied))
        )
    return depending


_WORDS: dict[Judgement, str] = {"pass": "kept", "fail": "violated", "warn": "violated"}


def _amended(finding: Finding, before: Finding, varied: Finding, name: str) -> Finding:
    """The finding, with what came of the rule where another thing is assumed than it was before."""
    because = "" if varied.outcome in _EXERCISED else f" ({varied.reason})"
    swept = (*finding.swept, f"{varied.outcome} with {name}{because}")
    if varied.outcome not in _EXERCISED or varied.outcome == before.outcome:
        return msgspec.structs.replace(finding, swept=swept)
    actual = f"{finding.actual}; with {name}: {varied.actual}"
    if before.outcome != "pass":
        return msgspec.structs.replace(finding, actual=actual, swept=swept)
    found = f"with {name}: {varied.found}"
    return msgspec.structs.replace(
        finding,
        outcome="warn",
        actual=actual,
        swept=swept,
        found=found if finding.found is None else f"{finding.found}; {found}",
        fix=finding.fix or varied.fix,
    )
