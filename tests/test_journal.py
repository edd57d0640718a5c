from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builders import event, events
from mockcampaign.engine.journal import (
    Attempted,
    Began,
    Journal,
    StepReached,
    read_journal,
    serial_ranges,
    serials_in,
)
from mockcampaign.model import NoAnswer, Outcome, Responded, TimedOut
from mockcampaign.policy import Policy

OUTCOMES: list[Outcome] = [Responded(200), Responded(500), NoAnswer("connect", "connection refused"), TimedOut("wait")]
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
        journal.attempted(webhook_id, number, at, took, batch, outcome)
        put_in.append((webhook_id, number, at, took, [one.serial for one in batch], outcome))
    for webhook_id in (1, 2):
        assert [one for one in unfolded(journal) if one[0] == webhook_id] == [
            one for one in put_in if one[0] == webhook_id
        ]


def test_equal_attempts_are_one_entry_until_something_differs() -> None:
    journal, batch = Journal(), tuple(events(2))
    for number in range(1, 4):
        journal.attempted(1, number, number * 10, 0, batch, Responded(500))
    journal.attempted(1, 4, 40, 0, batch, Responded(503))
    assert [entry.count for entry in journal.entries if isinstance(entry, Attempted)] == [3, 1]
    assert journal.entries[0].last_at == 30  # type: ignore[union-attr]


def test_nothing_grows_over_a_mark() -> None:
    journal, batch = Journal(), tuple(events(2))
    journal.attempted(1, 1, 10, 0, batch, Responded(500))
    journal.append(StepReached(at=10, index=0))
    journal.attempted(1, 2, 20, 0, batch, Responded(500))
    assert [type(entry).__name__ for entry in journal.entries] == ["Attempted", "StepReached", "Attempted"]


def test_a_journal_is_read_back() -> None:
    journal = Journal()
    journal.append(Began(at=0, seed=1, versions={"python": "3"}, policy=Policy()))
    journal.attempted(1, 1, 10, 0, tuple(events(2)), Responded(500, (("a", "b"),), b"\xff\x00", 2))
    assert read_journal(journal.to_json_lines()) == journal.entries


@given(st.sets(st.integers(1, 60)))
def test_ranges_are_short_for_serials(serials: set[int]) -> None:
    ordered = sorted(serials)
    ranges = serial_ranges([event(serial) for serial in ordered])
    assert list(serials_in(ranges)) == ordered
    assert all(ranges[index][1] + 1 < ranges[index + 1][0] for index in range(len(ranges) - 1))
