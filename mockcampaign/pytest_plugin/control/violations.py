"""Violations of Campaign's rules in one test, found in its journal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from mockcampaign.engine.journal import Entry, Happened
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.difference import compare
from mockcampaign.judging.evidence import nothing_shown
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.report import sentences
from mockcampaign.report.text import printable

NOTHING_DELIVERED = "nothing-delivered"
"""Id that a test's marker allows, if the test emits events and looks at none of their deliveries on purpose."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One violation: what was required, expected and seen."""

    id: str
    requirement: str
    expected: str
    actual: str

    def lines(self) -> Iterator[str]:
        """Yield the lines of a failure message."""
        yield f"{self.id}: {printable(self.actual)}"
        yield f"  required  {self.requirement}"
        yield f"  expected  {self.expected}"


def text_of(violations: Sequence[Violation]) -> str:
    """Return the violations as text, several lines for each."""
    return "\n".join(line for violation in violations for line in violation.lines())


def violations(
    entries: Sequence[Entry],
    *,
    allow: Collection[str] = (),
    strict: bool = False,
    processed: Sequence[dict[str, Any]] | None = None,
    needs_delivery: bool = True,
) -> list[Violation]:
    """Return the violations of rules that are not in `allow`.

    With `needs_delivery`, it is a violation too if no attempt has reached the consumer.
    """
    wrong = {"fail", "warn"} if strict else {"fail"}
    findings = [rule.judge(entries, sentences.actual) for rule in JOURNAL_RULES]
    found = [
        Violation(id=finding.id, requirement=finding.requirement, expected=finding.expected, actual=finding.actual)
        for finding in findings
        if finding.outcome in wrong and finding.id not in allow
    ]
    if needs_delivery and all(finding.outcome == "not-exercised" for finding in findings):
        found.append(
            Violation(
                id="nothing-shown",
                requirement="A verdict needs an attempt that reached the consumer.",
                expected="campaign.emit(…) and campaign.run() first",
                actual="no attempt has reached the consumer",
            )
        )
    if processed is not None:
        found += _processed(entries, processed)
    return found


def nothing_delivered(entries: Sequence[Entry], allow: Collection[str]) -> str | None:
    """Return why a test has shown nothing, or None if it emitted nothing or shows a violation."""
    if NOTHING_DELIVERED in allow or not any(isinstance(entry, Happened) for entry in entries):
        return None
    why = nothing_shown(Ledger.of(entries))
    if why is None or any(rule.judge(entries, sentences.actual).outcome == "fail" for rule in JOURNAL_RULES):
        return None
    return (
        f"{why}; the test has not looked at its deliveries (if it intends this, read campaign.delivered, discarded or "
        f"pending, or mark it with @pytest.mark.mockcampaign(allow=[{NOTHING_DELIVERED!r}]))"
    )


def _processed(entries: Sequence[Entry], processed: Sequence[dict[str, Any]]) -> list[Violation]:
    difference = compare(Ledger.of(entries), [canonical(event) for event in processed])
    if not difference:
        return []
    return [
        Violation(
            id="processed",
            requirement="Campaign never resends a batch after 200 and resends the whole batch after anything else, so "
            "store every acknowledged event exactly once (vendor's webhook guide).",
            expected="each delivered event once, unaltered",
            actual=sentences.difference_of(difference.seen()),
        )
    ]
