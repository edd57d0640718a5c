"""Violations of Campaign's rules in one test, found in its journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from mockcampaign.engine.journal import Entry
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.difference import BUILTIN, compare
from mockcampaign.judging.evidence import nothing_shown
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.report import sentences
from mockcampaign.shape.shape import Shape
from mockcampaign.text import printable

NOTHING_DELIVERED = "nothing-delivered"
"""Id that a test's marker allows, if the test emits events and looks at none of their deliveries on purpose."""

NOTHING_SHOWN = Finding(
    id="nothing-shown",
    title="An attempt has reached the consumer",
    level="must",
    outcome="fail",
    requirement="A verdict needs an attempt that reached the consumer.",
    expected="campaign.emit(…) and campaign.run() first",
    actual="no attempt has reached the consumer",
    evidence=(),
)


def findings(entries: Sequence[Entry], allow: Collection[str]) -> list[Finding]:
    """Return the finding of each rule. Violations of rules in `allow` are known."""
    found = [rule.judge(entries, sentences.actual) for rule in JOURNAL_RULES]
    return [
        msgspec.structs.replace(finding, known=finding.outcome in ("fail", "warn") and finding.id in allow)
        for finding in found
    ]


def stored_difference(ledger: Ledger, processed: Iterable[dict[str, Any]], shapes: Iterable[Shape]) -> list[Finding]:
    """Return a violation if the stored events differ from the delivered ones. `shapes` are the captured ones."""
    difference = compare(ledger, [canonical(event) for event in processed], shape=(*shapes, BUILTIN))
    if not difference:
        return []
    return [
        Finding(
            id="processed",
            title="Each delivered event is stored once and unaltered",
            level="must",
            outcome="fail",
            requirement="Campaign never resends a batch after 200 and resends the whole batch after anything else, so "
            "store every acknowledged event exactly once (vendor's webhook guide).",
            expected="each delivered event once, unaltered",
            actual=sentences.difference_of(difference.seen()),
            evidence=(),
        )
    ]


def nothing_delivered(ledger: Ledger, found: Iterable[Finding], how_to_allow: str) -> str | None:
    """Return why a test has shown nothing, or None if it emitted nothing or shows a violation."""
    if not ledger.happened or any(finding.outcome == "fail" for finding in found):
        return None
    why = nothing_shown(ledger)
    if why is None:
        return None
    return (
        f"{why}; the test has not looked at its deliveries (if it intends this, read campaign.delivered, discarded or "
        f"pending, or {how_to_allow.format(NOTHING_DELIVERED)})"
    )


def text_of(violations: Iterable[Finding]) -> str:
    """Return the violations as text, several lines for each."""
    return "\n".join(line for violation in violations for line in _lines(violation))


def _lines(violation: Finding) -> Iterator[str]:
    yield f"{violation.id}: {printable(violation.actual)}"
    yield f"  required  {violation.requirement}"
    yield f"  expected  {violation.expected}"
