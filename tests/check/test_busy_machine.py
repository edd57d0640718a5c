"""A machine whose processor is taken by others changes no verdict."""

from __future__ import annotations

import pytest

from judged import checked_over_loopback, few, settings
from matrix import load

RULES = ("acknowledgement", "overlap", "once-after-lost-response", "handles-concurrent-requests", "accepts-slow-body")
"""Rules that wait for the consumer or have limits in real time."""


@pytest.mark.slow
@pytest.mark.parametrize("bug", [None, "acknowledges-before-storing", "checks-then-inserts", "reads-body-under-lock"])
def test_half_the_processor_taken_by_another_process_changes_no_outcome(bug: str | None) -> None:
    outcomes = []
    for wanted in (False, True):
        with load(wanted):
            result = checked_over_loopback(bug or "sample", settings(1, rules=RULES, **few(bug or "sample", 5)))
        outcomes.append({finding.id: finding.outcome for finding in result.rules})
    at_rest, busy = outcomes
    assert busy == at_rest
    assert ("fail" in at_rest.values()) == (bug is not None)
