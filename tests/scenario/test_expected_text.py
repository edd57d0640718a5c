"""Expectations in the words of reports."""

from __future__ import annotations

import pytest

from mockcampaign.scenario.expectations.expected_text import describe_claim, listed
from mockcampaign.scenario.language.expect import (
    AttemptCount,
    AttemptExpectation,
    BatchEvents,
    Claim,
    ConsumerExpectation,
    DeliveredCount,
    DeliveredInOrder,
    DeliveredWithin,
    EveryAttempt,
    OutcomeRun,
    Outcomes,
    RecoveredWithin,
    VerifiedAs,
)
from mockcampaign.scenario.language.plain_values import Bounds, DurationBounds


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (DeliveredCount(wanted=0), "0"),
        (AttemptCount(wanted=Bounds(at_least=2, at_most=5)), "at least 2, at most 5"),
        (AttemptCount(wanted=Bounds(at_most=5)), "at most 5"),
        (BatchEvents(wanted=(100, 1)), "100, 1"),
        (BatchEvents(wanted=()), "none"),
        (DeliveredInOrder(wanted=True), "yes"),
        (Outcomes(wanted=(503, OutcomeRun(outcome="timed-out", times=2), 200)), "503, timed-out (2 times), 200"),
        (DeliveredWithin(limit=90_000), "1m30s"),
        (RecoveredWithin(limit=10_000), "10s"),
        (VerifiedAs(wanted="no-response"), "no-response"),
        (
            EveryAttempt(
                wanted=AttemptExpectation(
                    outcome=(200, 503),
                    events=Bounds(at_least=1),
                    number=1,
                    gap=10_000,
                    duration=DurationBounds(at_least=0, at_most=2_500),
                    headers={"retry-after": "5", "via": False, "date": True},
                )
            ),
            "outcome 200, 503, events at least 1, number 1, gap 10s, duration at least 0s, at most 2s500ms, "
            "headers retry-after: 5, via: no, date: yes",
        ),
        (ConsumerExpectation(processed=Bounds(at_least=3)), "at least 3"),
        (ConsumerExpectation(processed="exactly-once", fields=("mailId", "type")), "exactly-once, fields mailId, type"),
    ],
)
def test_numbers_have_their_units(claim: Claim, text: str) -> None:
    assert describe_claim(claim) == text


def test_a_long_list_is_cut() -> None:
    assert listed(range(13)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (13 in all)"
    assert listed(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
