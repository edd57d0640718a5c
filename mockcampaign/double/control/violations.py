"""Violations of Campaign's rules in one test, found in its journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mockcampaign import json_text
from mockcampaign.engine.journal import Entry
from mockcampaign.errors import MisuseError
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.diagnosis import fields_not_stored
from mockcampaign.judging.difference import BUILTIN, Difference, compare, unrecognised
from mockcampaign.judging.earlier.baseline import Known, marked
from mockcampaign.judging.evidence import nothing_shown
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.report import sentences
from mockcampaign.report.advice import of_fields_not_stored
from mockcampaign.scenario.judge_store import judge_store
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


def findings(entries: Sequence[Entry], allow: Collection[str], known: Sequence[Known] = ()) -> list[Finding]:
    """Return the finding of each rule. Violations of rules in `allow`, and those in `known`, are known."""
    accepted = [*map(Known, allow), *known]
    return [marked(rule.judge(entries, sentences.actual), accepted) for rule in JOURNAL_RULES]


def field_names(ledger: Ledger, shapes: Iterable[Shape]) -> list[str]:
    """Return the outermost fields of the events that happened, or of those that the campaign would make."""
    events = (json_text.decode(event) for entry in ledger.happened for event in entry.events)
    sent = [name for event in events if isinstance(event, dict) for name in event]
    return list(dict.fromkeys(sent or [name for shape in (*shapes, BUILTIN) for name in shape.top_names]))


def stored_difference(
    ledger: Ledger,
    stored: Sequence[Mapping[str, Any]] | int,
    shapes: tuple[Shape, ...],
    *,
    fields: tuple[str, ...] | None = None,
    identified_by: tuple[str, ...] | None = None,
) -> list[Finding]:
    """Return a violation if the stored events differ from the delivered ones. `shapes` are the captured ones.

    Compared are `fields`, and the fields in `identified_by`, which identify an event; or all.
    """
    hint = ""
    if isinstance(stored, int):
        if fields or identified_by:
            raise MisuseError(
                "fields and identified_by need the stored events, found their number: allowed with processed=rows"
            )
        difference = Difference.of_counts(len(set(ledger.delivered())), len(ledger.attempted), stored)
    else:
        compared = tuple(dict.fromkeys((*(identified_by or ()), *(fields or ())))) or None
        rows = [canonical(event) for event in stored]
        if identified_by is None and (why := unrecognised(ledger, rows, compared, (*shapes, BUILTIN), _rename)):
            raise MisuseError(f"processed: {why}")
        difference = compare(ledger, rows, compared, (*shapes, BUILTIN), identified_by=identified_by)
        if compared is None and difference.altered:
            hint = of_fields_not_stored(fields_not_stored(ledger, rows), lambda kept: f"pass fields={list(kept)}")
    return [judge_store(difference, len(set(ledger.delivered())), hint=hint)] if difference else []


def _rename(first: str, spelled: str) -> str:
    return (
        f"rename the fields of the rows, such as processed=[{{{first!r}: row[{spelled!r}], …}} for row in rows], "
        "or name those that they have and that identify an event with identified_by=[…]"
    )


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
    if violation.fix is not None:
        yield f"  fix       {violation.fix}"
