"""A wait ends when its expectations are met, and checking them does not get slower as the journal grows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import HISTORIES, SECOND, SOME, play
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Called, Journal
from mockcampaign.judging.ledger import Ledger
from mockcampaign.scenario.expectations.api_calls import ApiCondition
from mockcampaign.scenario.expectations.claims import judge_api, judge_claim
from mockcampaign.scenario.expectations.wait_condition import Condition, condition
from mockcampaign.scenario.language.expect import (
    AnyAttempt,
    ApiExpectation,
    AttemptCount,
    AttemptExpectation,
    BatchEvents,
    DeliveredCount,
    DeliveredInOrder,
    DeliveredWithin,
    DiscardedCount,
    EveryAttempt,
    LatestAttempt,
    OutcomeRun,
    Outcomes,
    PendingCount,
    RecoveredWithin,
    VerifiedAs,
    WebhookClaim,
)
from mockcampaign.scenario.language.plain_values import Bounds, DurationBounds
from mockcampaign.transport.always_ok import AlwaysOkTransport
from plays import own_plan, played

NUMBERS = (
    st.integers(0, 8) | st.builds(Bounds, at_least=st.integers(0, 8)) | st.builds(Bounds, at_most=st.integers(0, 8))
)
SPANS = st.sampled_from([0, 1 * SECOND, 10 * SECOND, 30 * SECOND, 90 * SECOND])
OUTCOMES = st.sampled_from([200, 500, 503, "timed-out", "no-response", "not-connected"])
ATTEMPTS = st.one_of(
    st.builds(AttemptExpectation, outcome=OUTCOMES),
    st.builds(AttemptExpectation, number=st.integers(1, 4) | st.builds(Bounds, at_most=st.integers(1, 4))),
    st.builds(AttemptExpectation, events=st.integers(1, 3)),
    st.builds(AttemptExpectation, gap=SPANS | st.builds(DurationBounds, at_most=SPANS)),
)
CLAIMS: st.SearchStrategy[WebhookClaim] = st.one_of(
    st.builds(DeliveredCount, NUMBERS),
    st.builds(DiscardedCount, NUMBERS),
    st.builds(PendingCount, NUMBERS),
    st.builds(AttemptCount, NUMBERS),
    st.builds(BatchEvents, NUMBERS | st.lists(st.integers(1, 3), max_size=3).map(tuple)),
    st.builds(DeliveredInOrder, st.booleans()),
    st.builds(
        Outcomes,
        st.lists(OUTCOMES | st.builds(OutcomeRun, outcome=OUTCOMES, times=NUMBERS), max_size=4).map(tuple),
    ),
    st.builds(LatestAttempt, ATTEMPTS),
    st.builds(AnyAttempt, ATTEMPTS),
    st.builds(EveryAttempt, ATTEMPTS),
    st.builds(DeliveredWithin, SPANS),
    st.builds(RecoveredWithin, SPANS),
    st.builds(VerifiedAs, OUTCOMES),
)


@SOME
@given(HISTORIES, st.lists(CLAIMS, min_size=4, max_size=12), st.integers(1, 3))
def test_a_condition_holds_whenever_its_claim_would_be_judged_true(
    history: Any, claims: list[WebhookClaim], seldom: int
) -> None:
    """It does not matter how often the condition was checked before."""
    journal = Journal()
    ledger = Ledger.following(journal)
    conditions: list[tuple[WebhookClaim, int, Condition]] = [
        (claim, webhook_id, condition(claim, ledger, webhook_id)) for claim in claims for webhook_id in (1, 2)
    ]

    def ask(number: int, box: Exporter) -> None:
        if number % seldom == 0:
            whole, now = Ledger.of(journal.entries), box.clock.now
            for claim, webhook_id, holds in conditions:
                judged, shown, _ = judge_claim(claim, whole, webhook_id, now)
                assert holds(now) == (judged == "pass"), (claim, shown)

    play(history, journal, ask)


CALLS = st.builds(
    Called,
    at=st.just(0),
    client_id=st.sampled_from([1, 2]),
    method=st.just("POST"),
    operation=st.sampled_from(["createWebhook", "activateWebhook", ""]),
    path=st.just("/webhooks"),
    status=st.sampled_from([200, 500, None]),
)
API_CLAIMS = st.builds(
    ApiExpectation,
    operation=st.sampled_from(["createWebhook", "activateWebhook", None]),
    status=st.sampled_from([200, 500, "no-response", None]),
    client=st.sampled_from([1, 2, None]),
    count=NUMBERS,
)


@SOME
@given(st.lists(CALLS, max_size=12), st.lists(API_CLAIMS, min_size=4, max_size=8), st.integers(1, 3))
def test_a_condition_of_calls_holds_whenever_its_claim_would_be_judged_true(
    calls: list[Called], claims: list[ApiExpectation], seldom: int
) -> None:
    journal = Journal()
    ledger = Ledger.following(journal)
    conditions = [(claim, ApiCondition(ledger, claim)) for claim in claims]
    for number, call in enumerate(calls):
        journal.add_call(call)
        if number % seldom == 0:
            for claim, holds in conditions:
                judged, shown, _ = judge_api(claim, Ledger.of(journal.entries))
                assert holds(0) == (judged == "pass"), (claim, shown)


def calls_of(folder: Path, *steps: str) -> int:
    """Return the number of function calls to load, play and judge a scenario with an accepting consumer."""
    plan, calls = own_plan(folder, "http://x.test", *steps, probe=False), 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        played(plan, AlwaysOkTransport())
    finally:
        sys.setprofile(before)
    return calls


def emit(count: int, hours: int) -> str:
    return f"emit: {{type: open, count: {count}, over: {hours}h}}"


@pytest.mark.parametrize(
    "expected",
    [
        "delivered: {at_least: COUNT}",
        "attempts: {at_least: COUNT}, pending: 0",
        "batch_events: {at_most: 100}, in_order: true, delivered: {at_least: COUNT}",
        "all: {outcome: 200}, delivered: {at_least: COUNT}",
        "any: {outcome: 500}",
        "latest: {outcome: 500}",
        "outcomes: [{outcome: 200, times: {at_least: COUNT}}]",
        "outcomes: [{outcome: 200, times: {at_least: 1}}, 500]",
        "delivered_within: 1ms, delivered: {at_least: COUNT}",
    ],
)
def test_a_wait_costs_about_as_much_as_to_advance_and_expect(tmp_path: Path, expected: str) -> None:
    count = 100
    expected = expected.replace("COUNT", str(count))
    waiting = calls_of(tmp_path, emit(count, 10), f"wait: {{until: {{opens: {{{expected}}}}}, for: 11h}}")
    advancing = calls_of(tmp_path, emit(count, 10), "advance: 11h", f"expect: {{opens: {{{expected}}}}}")
    assert waiting < 2 * advancing


def test_a_wait_for_ten_times_the_events_costs_about_ten_times_as_much(tmp_path: Path) -> None:
    few, many = (
        calls_of(tmp_path, emit(count, 10), f"wait: {{until: {{opens: {{delivered: {count}, pending: 0}}}}, for: 11h}}")
        for count in (50, 500)
    )
    assert many < 12 * few
