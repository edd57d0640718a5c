"""The compliance check: the whole catalogue against one consumer, as one result.

    transport = WireTransport()
    settings = Settings(now=wall.now(), seed=1)
    source = UrlProbe(Probe(url="http://127.0.0.1:8000/processed", events="@"), transport, timeout=10_000)
    result = await check("http://127.0.0.1:8000/hook", transport=transport, settings=settings, source=source)

The consumer needs no reset before, and none between rules: each rule sends events of mailings and recipients of its
own, and looks for just these in the account. Client and mailing ids are from `settings.CLIENT_IDS` and `MAILING_IDS`.

`source` tells what the consumer has processed: `UrlProbe`, `CommandProbe` or `CallableProbe` of
`compliance.account`; without one, the rules that need it are not exercised.
`state` tells what it takes for the newest: `UrlState` or `CallableState` of `compliance.state`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from mockcampaign.check.baseline import essence, gone
from mockcampaign.check.bench.event_budget import EventBudget
from mockcampaign.check.end_state import StateSource
from mockcampaign.check.examiner import Examination, Examiner
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.check.settings import Settings
from mockcampaign.check.store_probe import StoreProbe
from mockcampaign.check.sweep import Swept, sweep
from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.judging.journal_rules import JOURNAL_RULES, JournalRule
from mockcampaign.judging.ledger import NO_DELIVERIES, Deliveries
from mockcampaign.judging.verdict import (
    FORMAT,
    WORST,
    RunResult,
    ScenarioResult,
    run_result,
    scenario_result,
)
from mockcampaign.text import counted
from mockcampaign.transport import Transport


async def check(
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    source: StoreProbe | None = None,
    state: StateSource | None = None,
    told: Callable[[Finding], None] = lambda finding: None,
    swept: bool = False,
) -> RunResult:
    """Examine the consumer at the URL. `told` is called with each rule's finding as soon as there is one.

    With `swept`, what rests on assumptions about the sender is examined again with others.

    Whatever the consumer does is in the result, never an exception. Raises `CouldNotTellError` where it cannot be
    reached at the start, or its account not be read, and `InvalidInputError` for rules that do not exist.
    """
    examiner = Examiner(
        url,
        transport=transport,
        settings=settings,
        source=source,
        state=state,
        allowance=EventBudget(settings.events_max(swept=swept)),
        told=lambda examination: told(examination.finding),
    )
    await examiner.run()
    came_to = (
        await sweep(examiner, url, transport=transport, settings=settings, source=source, state=state)
        if swept
        else None
    )
    return check_result(examiner.examinations, url, settings, came_to)


def check_result(
    examinations: list[Examination], url: str, settings: Settings, swept: Swept | None = None
) -> RunResult:
    """What the examinations came to, all together; `swept` is what a sweep came to."""
    findings = {examination.rule.id: examination.finding for examination in examinations}
    # What nobody asked for is not looked at.
    judging = [rule for rule in JOURNAL_RULES if rule.id in findings]
    scenarios = [
        _scenario(part, url, settings, name, judging)
        for examination in examinations
        for name, part in (("", examination), *examination.varied)
        if part.entries
    ]
    for scenario in scenarios:
        examined, *others = scenario.rules
        for seen in others:
            known = findings[seen.id]
            if seen.outcome in ("fail", "warn") and WORST.index(seen.outcome) < WORST.index(known.outcome):
                findings[seen.id] = msgspec.structs.replace(
                    known,
                    known=seen.known,
                    outcome=seen.outcome,
                    found=seen.found,
                    actual=f"{scenario.name}: {seen.actual}",
                    evidence=seen.evidence,
                    reason=None,
                    fix=_FIXES[seen.id],
                    reproduce=examined.reproduce or _shown_by(examined.id),
                )
    rules = list(findings.values())
    whole = (
        run_result(scenarios)
        if scenarios
        else RunResult(
            format=FORMAT,
            compliant=False,
            target=url,
            seed=settings.seed,
            rules=[],
            deliveries=NO_DELIVERIES,
            scenarios=[],
        )
    )
    deliveries = sum((part.besides for part in _parts(examinations)), whole.deliveries)
    trouble = _trouble(rules, deliveries, settings)
    return msgspec.structs.replace(
        whole,
        compliant=whole.compliant and trouble is None,
        deliveries=deliveries,
        rules=rules,
        seed=settings.seed,
        headline=headline(rules),
        swept=None if swept is None else swept.describe(),
        gone=gone(settings.known, rules, [rule.id for rule in CATALOGUE]),
        trouble=trouble,
    )


def _parts(examinations: list[Examination]) -> Iterator[Examination]:
    """Yield the examinations, each followed by those under other assumptions about the sender."""
    for examination in examinations:
        yield examination
        yield from (varied for _, varied in examination.varied)


def headline(rules: list[Finding]) -> str:
    """What was examined, what was violated, and what the rest would need."""
    counts = Counter(finding.outcome for finding in rules if not finding.known)
    known = sum(finding.known for finding in rules)
    exercised = counts["pass"] + counts["fail"] + counts["warn"] + known
    hazards = f"{counts['warn']} hazard{'s' * (counts['warn'] != 1)}" if counts["warn"] else ""
    if counts["fail"]:
        parts = [f"{counts['fail']} of {counted(exercised, 'rule')} violated" + (f", {hazards}" if hazards else "")]
    else:
        parts = [
            f"no violation in {exercised} of {counted(len(rules), 'rule')}" + (f", but {hazards}" if hazards else "")
        ]
    reasons = Counter(
        finding.reason or ""
        for finding in rules
        if finding.outcome == "not-exercised" and (finding.reason or "").startswith("needs ")
    )
    parts += [
        f"{count} need{'s' * (count == 1)} {reason.removeprefix('needs ').partition(' (')[0]}"
        for reason, count in reasons.items()
    ]
    others = counts["not-exercised"] - reasons.total()
    if others:
        parts.append(f"{others} not exercised")
    if known:
        parts.append(f"{known} known violation{'s' * (known != 1)} accepted")
    if counts["could-not-tell"]:
        parts.append(f"{counts['could-not-tell']} could not be told")
    return "; ".join(parts)


_FIXES = {rule.id: rule.fix for rule in CATALOGUE}


def _shown_by(rule_id: str) -> Reproduce:
    """Of what was seen while that rule was examined, which itself was kept."""
    why = f"It was seen while {rule_id} was examined: `mockcampaign check` with --rules {rule_id} shows it again."
    return Reproduce(without_curl=why, without_scenario=why)


def _trouble(rules: list[Finding], deliveries: Deliveries, settings: Settings) -> str | None:
    outcomes = {finding.outcome for finding in rules}
    if not outcomes & {"pass", "fail", "warn"}:
        return "no rule was exercised"
    untold = [finding.id for finding in rules if finding.outcome == "could-not-tell"]
    if untold:
        return f"{counted(len(untold), 'rule')} could not be told, first {untold[0]}"
    open_musts = [finding.id for finding in rules if finding.level == "must" and finding.outcome == "not-exercised"]
    if settings.strict and open_musts:
        return f"--strict, and {counted(len(open_musts), 'must-rule')} not exercised, first {open_musts[0]}"
    if not deliveries.delivered and "fail" not in outcomes:
        return "nothing was delivered, so that nothing was shown"
    return None


def _seen(judged: Finding, settings: Settings) -> Finding:
    """What a rule saw that looks at all attempts, whoever made them."""
    if judged.outcome not in ("fail", "warn"):
        return judged
    found = msgspec.structs.replace(judged, found=essence(judged.actual.partition(" (")[0]))
    return msgspec.structs.replace(found, known=any(one.matches(found) for one in settings.known))


def _scenario(
    examination: Examination, url: str, settings: Settings, varied: str, judging: list[JournalRule]
) -> ScenarioResult:
    assert examination.entries is not None
    finding = examination.finding
    # That a consumer gives no response while the check itself kills it accuses nobody.
    judging = [] if "restart command" in examination.rule.needs else judging
    seen = [_seen(rule.judge(examination.entries), settings) for rule in judging if rule.id != finding.id]
    return scenario_result(
        name=f"{finding.id}, {varied}" if varied else finding.id,
        file="",
        target=url,
        trouble=finding.reason if finding.outcome == "could-not-tell" else None,
        webhooks=examination.webhooks,
        rules=[finding, *seen],
        expectations=[],
        journal=examination.entries,
        strict=settings.strict,
    )
