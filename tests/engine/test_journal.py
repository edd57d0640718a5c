from __future__ import annotations

from itertools import groupby
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from builders import event, events
from journals import read_journal
from mockcampaign.engine.journal import (
    Attempted,
    Began,
    Journal,
    Requested,
    StepReached,
    Verified,
    comparable,
    serial_ranges,
    serials_in,
)
from mockcampaign.model import Measured, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.policy import Policy

OUTCOMES: list[Outcome] = [
    Responded(200),
    Responded(500),
    NoResponse("connect", "connection refused"),
    TimedOut("wait"),
]
LISTS = [tuple(events(2)), tuple(events(1)), (event(1), event(3))]


def unfolded(journal: Journal) -> list[tuple[int, int, int, int, list[int], Outcome]]:
    return [
        (entry.webhook_id, number, at, entry.took, list(serials_in(entry.serials)), entry.outcome)
        for entry in journal.entries
        if isinstance(entry, Attempted)
        for number, at in entry.starts()
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 2),
            st.integers(1, 3),
            st.sampled_from([0, 10, 20]),
            st.sampled_from([0, 10]),
            st.sampled_from(LISTS),
            st.sampled_from(OUTCOMES),
        )
    )
)
def test_folding_loses_nothing(steps: list[tuple[int, int, int, int, tuple, Outcome]]) -> None:  # type: ignore[type-arg]
    journal, at, put_in = Journal(), 0, []
    for webhook_id, number, pause, took, batch, outcome in steps:
        at += pause
        journal.add_attempt(webhook_id, number, at, took, batch, outcome)
        put_in.append((webhook_id, number, at, took, [one.serial for one in batch], outcome))
    for webhook_id in (1, 2):
        assert [one for one in unfolded(journal) if one[0] == webhook_id] == [
            one for one in put_in if one[0] == webhook_id
        ]


MEASURED = st.builds(Measured, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), surplus=st.booleans())


@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), MEASURED | st.just(UNSET)), min_size=1))
def test_folding_keeps_sums_and_extremes_of_what_was_measured(made: list[tuple[Outcome, Any]]) -> None:
    journal, batch = Journal(), tuple(events(2))
    for number, (outcome, measured) in enumerate(made):
        journal.add_attempt(1, number, number, 0, batch, msgspec.structs.replace(outcome, measured=measured))
    entries = [entry for entry in journal.entries if isinstance(entry, Attempted)]
    runs = [list(run) for _, run in groupby(made, key=lambda one: (one[0], one[1] is UNSET))]
    assert [(entry.outcome, entry.count) for entry in entries] == [(run[0][0], len(run)) for run in runs]
    for entry, run in zip(entries, runs, strict=True):
        found, parts = entry.outcome.measured, [measured for _, measured in run]
        if parts[0] is UNSET:
            assert found is UNSET
            continue
        times = [part.microseconds for part in parts]
        extremes = (min(times), max(times)) if len(run) > 1 else (0, 0)
        assert found == Measured(
            sum(part.bytes_sent for part in parts),
            sum(part.bytes_received for part in parts),
            sum(times),
            *extremes,
            surplus=any(part.surplus for part in parts),
        )


def test_what_was_measured_is_written_down_and_read_back_but_not_compared() -> None:
    journals, measured = [], Measured(31_204, 164, 12_345)
    for outcome in (Responded(503), Responded(503, measured=measured)):
        journal = Journal()
        journal.add_attempt(1, 1, 10, 0, tuple(events(1)), outcome)
        journal.append(Verified(at=10, webhook_id=1, events=(), outcome=outcome))
        journal.append(Requested(at=10, method="GET", what="no body", body_bytes=0, outcome=outcome))
        journals.append(journal)
    without, with_it = journals
    assert without.entries == with_it.entries
    assert comparable(without.entries) == comparable(with_it.entries) == without.to_json_lines()
    lines = with_it.to_json_lines().splitlines()
    assert all(b'"measured":{"bytes_sent":31204,"bytes_received":164,"microseconds":12345}' in line for line in lines)
    for entry in read_journal(with_it.to_json_lines()):
        assert isinstance(entry, Attempted | Verified | Requested)
        assert entry.outcome.measured == measured
    assert journals[1].entries[0].outcome.measured == measured  # left alone


def test_equal_attempts_are_one_entry_until_something_differs() -> None:
    journal, batch = Journal(), tuple(events(2))
    for number in range(1, 4):
        journal.add_attempt(1, number, number * 10, 0, batch, Responded(500))
    journal.add_attempt(1, 4, 40, 0, batch, Responded(503))
    assert [entry.count for entry in journal.entries if isinstance(entry, Attempted)] == [3, 1]
    assert journal.entries[0].last_at == 30  # type: ignore[union-attr]


def test_nothing_grows_over_a_mark() -> None:
    journal, batch = Journal(), tuple(events(2))
    journal.add_attempt(1, 1, 10, 0, batch, Responded(500))
    journal.append(StepReached(at=10, index=0))
    journal.add_attempt(1, 2, 20, 0, batch, Responded(500))
    assert [type(entry).__name__ for entry in journal.entries] == ["Attempted", "StepReached", "Attempted"]


def test_a_journal_is_read_back() -> None:
    journal = Journal()
    journal.append(Began(at=0, seed=1, versions={"python": "3"}, policy=Policy()))
    journal.add_attempt(1, 1, 10, 0, tuple(events(2)), Responded(500, (("a", "b"),), b"\xff\x00", 2))
    assert read_journal(journal.to_json_lines()) == journal.entries


@given(st.sets(st.integers(1, 60)))
def test_ranges_are_short_for_serials(serials: set[int]) -> None:
    ordered = sorted(serials)
    ranges = serial_ranges([event(serial) for serial in ordered])
    assert list(serials_in(ranges)) == ordered
    assert all(ranges[index][1] + 1 < ranges[index + 1][0] for index in range(len(ranges) - 1))
