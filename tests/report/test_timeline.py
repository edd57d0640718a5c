"""The journal as lines that a person reads: every kind of entry has its own, or is left out on purpose."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CLIENT, START, Consumer, activated, exporter, happen, run
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import Called, Requested, Verified
from mockcampaign.judging.failures import FailedAttempts, Failures, PastOutage
from mockcampaign.judging.serials import Serials
from mockcampaign.model import EventType, Measured, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.report.timeline import NOTES_MAX, OUTCOMES_MAX, Line, excerpt, failure_notes, folded, timeline


def test_what_is_sent_outside_the_delivery_rules_has_lines_too() -> None:
    box = exporter()
    activated(box)
    activated(box, EventType.CLICK)
    sample = (msgspec.Raw(b"{}"),) * 2
    box.journal.append(Verified(at=START, webhook_id=1, events=sample, outcome=Responded(200)))
    silent = NoResponse("connect", "connection refused")
    box.journal.append(Verified(at=START, webhook_id=2, events=sample[:1], outcome=silent))
    box.journal.append(Requested(at=START, method="GET", what="no body", body_bytes=0, outcome=Responded(405)))
    lines = list(timeline(box.journal.entries, {1: "opens"}))[4:]
    assert [(line.who, line.what, line.came_to, line.accepted) for line in lines] == [
        ("opens", "verify with 2 sample events", "responded 200", True),
        ("webhook 2", "verify with 1 sample event", "connection refused", False),
        ("", "GET: no body", "responded 405", None),
    ]


def test_equal_calls_of_the_rest_api_are_one_line() -> None:
    box = exporter()
    activated(box)
    listing = Called(at=START, client_id=1, method="GET", operation="selectWebhooks", path="/webhooks", status=200)
    path = "/webhooks/{webhookId}/activate"
    on_one: dict[str, Any] = {"method": "POST", "operation": "activateWebhook", "path": path}
    box.journal.add_call(listing)
    box.journal.add_call(msgspec.structs.replace(listing, at=START + 60_000))
    box.journal.add_call(Called(at=START, client_id=1, ids={"webhookId": 1}, status=None, **on_one))
    box.journal.add_call(Called(at=START, client_id=1, ids={"webhookId": 7}, status=404, **on_one))
    box.journal.add_call(Called(at=START, client_id=1, method="GET", operation="", path="/lists/…", status=501))
    lines = list(timeline(box.journal.entries, {1: "opens"}))[-4:]
    assert [(line.who, line.what, line.came_to, line.accepted) for line in lines] == [
        ("", "selectWebhooks, 2 times", "200", None),
        ("opens", "activateWebhook", "no response", None),
        ("webhook 7", "activateWebhook", "404", None),
        ("", "GET /lists/…", "501", None),
    ]
    assert lines[0].when == "+0s … +1m"


def test_an_outage_that_is_mended_says_for_whom() -> None:
    box = exporter()
    activated(box)
    box.declare_outage("refused", START + 60_000)
    happen(box)
    run(box, until=START + 10_000)
    box.end_outage((1,))
    run(box, until=START + 20_000)
    box.end_outage()
    lines = [(line.when, line.who, line.what) for line in timeline(box.journal.entries, {1: "opens"})]
    assert ("+10s", "opens", "outage ended") in lines
    assert lines[-1] == ("+20s", "", "outage ended")


ANSWERED = Responded(503, measured=Measured(31_204, 164, 12_345))


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ([ANSWERED], "503, after 12.3 ms (31,204 bytes sent, 164 received)"),
        (
            [ANSWERED, Responded(503, measured=Measured(31_204, 165, 1_001_000)), ANSWERED],
            "503, after 12.3 to 1,001.0 ms (93,612 bytes sent, 493 received in all)",
        ),
        (
            [NoResponse("headers", "cut", measured=Measured(9, 3, 50))],
            "cut, after 0.1 ms (headers; 9 bytes sent, 3 received)",
        ),
        (
            [TimedOut("connect", measured=Measured(0, 0, 10_000_000))],
            "no connection was made within the time-out, after 10,000.0 ms (connect; 0 bytes sent, 0 received)",
        ),
        ([Responded(503)], "503, "),
    ],
)
def test_an_outcome_goes_on_with_what_was_measured(outcomes: list[Outcome], sentence: str) -> None:
    box = exporter()
    activated(box)
    happen(box)
    run(box, Consumer(lambda number: outcomes[number - 1]), until=START + 10_000 * len(outcomes) - 1)
    if isinstance(outcomes[0], TimedOut):
        run(box, until=START + 10_000)
    line = list(timeline(box.journal.entries, {}))[3]
    assert f"{line.came_to}, {line.measured}" == sentence


def test_batches_in_one_line_are_measured_together() -> None:
    box = exporter()
    activated(box)
    happen(box, 200)
    run(box, Consumer(lambda number: Responded(200, measured=Measured(number, 10, number * 1_000))))
    *_, line = timeline(box.journal.entries, {})
    assert (line.what, line.measured) == ("2 batches of 100", "after 1.0 to 2.0 ms (3 bytes sent, 20 received in all)")


def test_equal_neighbours_are_one_line() -> None:
    box = exporter()
    activated(box)
    happen(box, 250)
    run(box)
    lines = [line.what for line in timeline(box.journal.entries, {})]
    assert lines[2:] == ["250 open events", "2 batches of 100", "batch of 50"]


def numbered(count: int, rejected: frozenset[int] = frozenset()) -> list[Line]:
    return [
        Line(when="", who="", what=str(n), came_to="", accepted=n not in rejected, positions=range(10 * n, 10 * n + 10))
        for n in range(count)
    ]


def shown(lines: list[Line | int]) -> list[str | int]:
    return [line if isinstance(line, int) else line.what for line in lines]


def test_an_excerpt_is_what_surrounds_the_evidence() -> None:
    part = excerpt(numbered(900), frozenset({5_007}), 30)
    assert shown(part) == [*map(str, range(5)), 491, *map(str, range(496, 505)), 395]


def test_the_last_evidence_and_changes_of_the_outcome_count_most() -> None:
    part = excerpt(numbered(900, frozenset({600})), frozenset(range(9_000)), 10)
    assert shown(part) == [598, *map(str, range(598, 603)), 292, *map(str, range(895, 900))]


def test_events_between_attempts_are_no_change_of_the_outcome() -> None:
    lines = numbered(900, frozenset(range(880)))
    lines = [msgspec.structs.replace(line, accepted=None) if n % 2 else line for n, line in enumerate(lines)]
    part = excerpt(lines, frozenset(range(9_000)), 30)
    assert shown(part) == [*map(str, range(5)), 871, *map(str, range(876, 885)), 10, *map(str, range(895, 900))]


def test_rejected_attempts_count_more_than_accepted_ones() -> None:
    evidence = frozenset({100, 2_000, 5_000, 8_990})
    part = excerpt(numbered(900, frozenset({10, 200, 500, 899})), evidence, 14)
    assert shown(part) == [6, *map(str, range(6, 15)), 880, *map(str, range(895, 900))]


def test_without_evidence_an_excerpt_is_the_beginning_and_the_end() -> None:
    assert shown(excerpt(numbered(9), frozenset(), 4)) == ["0", "1", 5, "7", "8"]


@given(
    count=st.integers(0, 60),
    lines_max=st.none() | st.integers(1, 40),
    evidence=st.frozensets(st.integers(0, 700), max_size=5),
    rejected=st.frozensets(st.integers(0, 60), max_size=5),
)
def test_an_excerpt_accounts_for_every_line(
    count: int, lines_max: int | None, evidence: frozenset[int], rejected: frozenset[int]
) -> None:
    lines = numbered(count, rejected)
    part = excerpt(lines, evidence, lines_max)
    following = 0
    for one in part:
        assert isinstance(one, int) or one == lines[following]
        following += one if isinstance(one, int) else 1
    assert following == count
    kept = sum(not isinstance(one, int) for one in part)
    assert kept <= (count if lines_max is None else min(count, lines_max))
    telling = [line for line in lines if not evidence.isdisjoint(line.positions)]
    assert not telling or any(line in part for line in telling)


def one_by_one(rejected_at: int | None = None) -> tuple[list[Line], list[Line]]:
    """Return the lines of forty events that are delivered one by one, as they are and folded."""
    box = exporter()
    activated(box)
    for index in range(40):
        payloads = ((START, b'{"n":%d}' % index),)
        box.schedule(START + index * 60_000, EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=payloads))
    run(box, Consumer(lambda number: Responded(503 if number == rejected_at else 200)))
    entries = box.journal.entries
    lines = list(timeline(entries, {1: "opens"}))
    return lines, folded(lines, entries)


def test_events_that_are_delivered_one_by_one_are_one_line() -> None:
    lines, short = one_by_one()
    assert len(lines) == 82
    assert [(line.when, line.who, line.what, line.came_to) for line in short[2:]] == [
        ("+0s … +39m", "opens", "40 open events over time, 40 batches of 1", "200")
    ]
    assert (short[2].positions.start, short[2].positions.stop) == (lines[2].positions.start, lines[-1].positions.stop)


def test_lines_around_a_failure_are_not_folded() -> None:
    _, short = one_by_one(rejected_at=21)
    assert [(line.what, line.came_to) for line in short[2:]] == [
        ("19 open events over time, 19 batches of 1", "200"),
        ("1 open event", ""),
        ("batch of 1", "200"),
        ("1 open event", ""),
        ("batch of 1", "503"),
        ("batch of 1, attempt 2", "200"),
        ("1 open event", ""),
        ("batch of 1", "200"),
        ("18 open events over time, 18 batches of 1", "200"),
    ]


HOUR = 3_600_000


def failed(**changed: Any) -> FailedAttempts:
    found = FailedAttempts(
        attempts=6,
        failed=2,
        periods=1,
        first_at=START,
        last_at=START + HOUR,
        outcomes=Counter({"the consumer responded 503": 2}),
        waiting_max=250,
    )
    return msgspec.structs.replace(found, **changed)


@pytest.mark.parametrize(
    ("attempts", "said"),
    [
        (
            failed(),
            "webhook 7: 2 of 6 attempts failed, from 2001-09-09T01:46:40.000Z to 2001-09-09T02:46:40.000Z (1h): "
            "the consumer responded 503, in 2; up to 250 events waited, and 0 are pending now",
        ),
        (
            failed(failed=1, attempts=1, last_at=START, outcomes=Counter(a=1), pending=Serials([1]), waiting_max=1),
            "webhook 7: 1 of 1 attempt failed, at 2001-09-09T01:46:40.000Z: a, in 1; "
            "up to 1 event waited, and 1 is pending now",
        ),
        (
            failed(failed=8_640, attempts=8_646, simulated=8_000, periods=3, outcomes=Counter(a=8_639, b=1)),
            "webhook 7: 8,640 of 8,646 attempts failed (8,000 simulated), in 3 periods from 2001-09-09T01:46:40.000Z "
            "to 2001-09-09T02:46:40.000Z (1h): a, in 8,639; b, in 1; up to 250 events waited, and 0 are pending now",
        ),
    ],
)
def test_failed_attempts_in_words(attempts: FailedAttempts, said: str) -> None:
    assert failure_notes(Failures(attempts={7: attempts}, outages=())) == (said,)


def test_rare_outcomes_are_counted_together() -> None:
    outcomes = Counter({f"reason {number}": 10 - number for number in range(OUTCOMES_MAX + 2)})
    [said] = failure_notes(Failures(attempts={7: failed(failed=outcomes.total(), outcomes=outcomes)}, outages=()))
    assert "reason 4, in 6; otherwise, in 9; up to" in said


@pytest.mark.parametrize(
    ("webhook_ids", "ended", "said"),
    [
        ((), {}, "of every webhook from 2001-09-09T01:46:40.000Z until 2001-09-09T02:46:40.000Z"),
        ((1, 2), {}, "of webhook 1 and webhook 2 from 2001-09-09T01:46:40.000Z until 2001-09-09T02:46:40.000Z"),
        (
            (),
            {2: START + 1},
            "of every webhook from 2001-09-09T01:46:40.000Z until 2001-09-09T02:46:40.000Z, for webhook 2 until "
            "2001-09-09T01:46:40.001Z",
        ),
        ((2,), {2: START + HOUR}, "of webhook 2 from 2001-09-09T01:46:40.000Z until 2001-09-09T02:46:40.000Z"),
    ],
)
def test_outages_in_words(webhook_ids: tuple[int, ...], ended: dict[int, int], said: str) -> None:
    outage = PastOutage(kind="refused", webhook_ids=webhook_ids, at=START, until=START + HOUR, ended=ended)
    assert failure_notes(Failures(attempts={}, outages=(outage,))) == (f"declared outage (refused) {said}",)


def test_of_many_the_newest_are_told_and_the_others_counted() -> None:
    outage = PastOutage(kind="refused", webhook_ids=(), at=START, until=START + HOUR, ended={})
    webhooks = {number: failed() for number in range(NOTES_MAX + 1)}
    said = failure_notes(Failures(attempts=webhooks, outages=(outage,) * (NOTES_MAX + 2)))
    assert len(said) == 2 * NOTES_MAX + 2
    assert said[0] == "not shown: 2 earlier outages"
    assert said[NOTES_MAX + 1] == "not shown: 1 other webhook with failed attempts"
