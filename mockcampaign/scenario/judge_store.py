"""Judges the events that a consumer has stored by those that it has acknowledged."""

from __future__ import annotations

from mockcampaign.judging.difference import Difference
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.report import sentences
from mockcampaign.report.advice import of_stored
from mockcampaign.text import counted


def judge_store(difference: Difference, acknowledged: int, *, hint: str = "") -> Finding:
    """Return the finding about a store that differs like this from the events acknowledged.

    `hint` follows the description of a difference.
    """
    if difference:
        actual = sentences.difference_of(difference.seen()) + hint
    else:
        actual = f"{counted(acknowledged, 'acknowledged event')}, each stored once and unaltered"
    return _finding(
        "fail" if difference else "pass" if acknowledged else "not-exercised",
        actual if difference or acknowledged else "no event was acknowledged",
        # Fields that no stored event has are most likely not kept on purpose, as the hint says.
        of_stored(difference.seen()) if difference and not hint else None,
    )


def _finding(outcome: Judgement, actual: str, fix: str | None = None) -> Finding:
    return Finding(
        id="processed",
        title="Each delivered event is stored once and unaltered",
        level="must",
        outcome=outcome,
        requirement="Campaign never resends a batch after 200 and resends the whole batch after anything else, so "
        "store every acknowledged event exactly once (vendor's webhook guide).",
        expected="each delivered event once, unaltered",
        actual=actual,
        fix=fix,
        evidence=(),
    )


STORE_NOT_JUDGED = _finding(
    "not-exercised",
    "the server has no probe, so the consumer's store was not judged: start it with --probe, --probe-command or "
    "--probe-sql",
)
"""Says that a verdict is about responses alone."""
