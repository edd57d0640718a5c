"""Whether a verdict rests on what is only assumed of the sender: rules examined again, with other assumptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from mockcampaign.check.end_state import StateSource
from mockcampaign.check.examiner import Examination, Examiner
from mockcampaign.check.settings import Lengths, Settings, Variation
from mockcampaign.check.store_probe import StoreProbe
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import ContentType, Reorder
from mockcampaign.judging.finding import Finding, Judgement, Reproduce
from mockcampaign.policy import SECOND
from mockcampaign.text import counted
from mockcampaign.transport import Transport

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

    again: int = 0
    """How many examinations there were, of one rule under one other assumption each."""
    untold: int = 0
    """How many more could not be told."""
    variations: int = 0
    """How many other assumptions were made."""
    depending: tuple[str, ...] = ()
    """Which rule came to something else, and with which assumption."""
    missed: int
    """How many of the other assumptions were not come to: within the budget, or before the consumer was gone, or all
    was interrupted."""
    milliseconds: int = 0
    """How long it took, by the wall's clock."""

    def describe(self) -> str:
        """In one sentence."""
        if not self.variations:
            if self.missed:
                return f"none of {counted(self.missed, 'other assumption')} was come to"
            return "no rule that was exercised rests on what is varied"
        holds = f"depends: {'; '.join(self.depending)}" if self.depending else "holds in all"
        if (self.missed or self.untold) and not self.depending:
            holds = "holds in what was told"
        missed = f" ({self.missed} more were not come to)" if self.missed else ""
        untold = f" and {self.untold} that could not be told" if self.untold else ""
        return (
            f"under {counted(self.variations, 'other assumption')}{missed}, {counted(self.again, 'examination')}"
            f"{untold} in {self.milliseconds / 1_000:.1f} s, the verdict {holds}"
        )


async def sweep(
    examiner: Examiner,
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    source: StoreProbe | None,
    state: StateSource | None = None,
    told: Callable[[Swept], None] = lambda swept: None,
) -> Swept:
    """Examine again, in each variation, the rules that rely on the behaviour it varies, and amend their findings.

    What passes as assumed, and fails otherwise, is a hazard. Rules that generate their cases generate a quarter of them
    each time. All of it stays within the budget of the whole check. `told` is called before each variation with what
    all before came to.
    """
    began = examiner.milliseconds
    assumed = {examination.rule.id: examination.finding for examination in examiner.examinations}
    todo = [
        (number, variation, rules)
        for number, variation in enumerate(VARIATIONS, 1)
        if (rules := _relying(examiner.examinations, variation))
    ]
    swept = Swept(missed=len(todo))
    for number, variation, rules in todo:
        told(swept)
        budget = settings.budget - examiner.milliseconds
        if budget <= 0:
            break
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
            break  # the consumer is gone: what is known stands
        depending = _amend(examiner, settings, assumed, other.examinations, variation)
        outcomes = Counter(one.finding.outcome for one in other.examinations)
        swept = Swept(
            again=swept.again + sum(outcomes[one] for one in _EXERCISED),
            untold=swept.untold + outcomes["could-not-tell"],
            variations=swept.variations + 1,
            depending=(*swept.depending, *depending),
            missed=swept.missed - 1,
            milliseconds=examiner.milliseconds - began,
        )
    return swept


def _relying(examinations: Sequence[Examination], variation: Variation) -> tuple[str, ...]:
    """The rules that were exercised, and rely on what is varied."""
    return tuple(
        examination.rule.id
        for examination in examinations
        if variation.behaviour in examination.rule.assumes and examination.finding.outcome in _EXERCISED
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
            said = "kept" if varied.finding.outcome == "pass" else "violated"
            depending.append(f"{before.id} is {said} with {variation.name}")
        if before.outcome == "pass" and varied.finding.outcome == "fail":
            # It is no violation of what is assumed.
            varied = msgspec.structs.replace(varied, finding=msgspec.structs.replace(varied.finding, outcome="warn"))
        examiner.examinations[index] = msgspec.structs.replace(
            examination, finding=finding, varied=(*examination.varied, (variation.name, varied))
        )
    return depending


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
    why = f"It takes another sender than is assumed: `mockcampaign check` with --rules {before.id} --sweep shows it."
    return msgspec.structs.replace(
        finding,
        outcome="warn",
        actual=actual,
        swept=swept,
        found=found if finding.found is None else f"{finding.found}; {found}",
        fix=finding.fix or varied.fix,
        differences=finding.differences or varied.differences,
        reproduce=finding.reproduce or Reproduce(without_curl=why, without_scenario=why),
    )
