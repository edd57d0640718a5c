"""Numbers and moments of what failed are those of the journal, however its attempts are folded."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from builders import START
from histories import HISTORIES, SOME, Command, play
from mockcampaign.engine.journal import Attempted, Entry, OutageDeclared, OutageEnded
from mockcampaign.judging.failures import PastOutage, failures_of
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import Outcome


@SOME
@given(history=HISTORIES)
def test_failed_attempts_are_those_of_the_journal(
    history: tuple[list[tuple[Command, int]], list[Outcome], int],
) -> None:
    entries = play(history).entries
    found = failures_of(entries).attempts
    ledger = Ledger.of(entries)
    for webhook_id, account in ledger.accounts.items():
        every = [
            (at, entry)
            for entry in entries
            if isinstance(entry, Attempted) and entry.webhook_id == webhook_id
            for _, at in entry.starts()
        ]
        failed = [(at, entry) for at, entry in every if not entry.outcome.accepted]
        if not failed:
            assert webhook_id not in found
            continue
        one = found[webhook_id]
        assert (one.attempts, one.failed) == (len(every), len(failed))
        assert one.simulated == sum(entry.simulated for _, entry in failed)
        assert (one.first_at, one.last_at) == (failed[0][0], max(at for at, _ in failed))
        assert one.outcomes.total() == len(failed)
        accepted = [True, *(entry.outcome.accepted for _, entry in every)]
        assert one.periods == sum(before and not after for before, after in itertools.pairwise(accepted))
        assert len(one.pending) == len(account.pending)
        assert one.waiting_max == most_waiting(entries, webhook_id)


@SOME
@given(history=HISTORIES, dropped=integers(0, 20))
def test_events_whose_entries_were_dropped_do_not_reduce_what_waits(
    history: tuple[list[tuple[Command, int]], list[Outcome], int], dropped: int
) -> None:
    entries = play(history).entries[dropped:]
    ledger = Ledger.of(entries)
    for webhook_id, one in failures_of(entries).attempts.items():
        assert len(one.pending) == len(ledger.account(webhook_id).pending)
        assert one.waiting_max == most_waiting(entries, webhook_id)


def most_waiting(entries: list[Entry], webhook_id: int) -> int:
    """Return the most events that were pending after any entry, while the newest attempt had failed."""
    ledger, most = Ledger(), 0
    for position, entry in enumerate(entries):
        ledger.note(position, entry)
        account = ledger.account(webhook_id)
        if account.entries and not account.entries[-1][1].outcome.accepted:
            most = max(most, len(account.pending))
    return most


def outage(at: int, until: int, *webhook_ids: int) -> OutageDeclared:
    return OutageDeclared(at=START + at, until=START + until, kind="refused", webhook_ids=webhook_ids)


def end(at: int, *webhook_ids: int) -> OutageEnded:
    return OutageEnded(at=START + at, webhook_ids=webhook_ids)


@pytest.mark.parametrize(
    ("entries", "until", "ended"),
    [
        ([outage(0, 100)], 100, {}),
        ([outage(0, 100), end(40)], 40, {}),
        ([outage(0, 100), end(100)], 100, {}),
        ([outage(0, 100, 1), end(40, 1)], 40, {1: 40}),
        ([outage(0, 100, 1, 2), end(40, 1)], 100, {1: 40}),
        ([outage(0, 100, 1, 2), end(40, 1), end(50, 2)], 50, {1: 40, 2: 50}),
        ([outage(0, 100, 1), end(40, 2)], 100, {}),
        ([outage(0, 100), end(40, 2), end(50, 2)], 100, {2: 40}),
        ([outage(0, 100), end(40, 2), end(60)], 60, {2: 40}),
    ],
)
def test_an_outage_lasts_until_its_end_or_a_command(entries: list[Entry], until: int, ended: dict[int, int]) -> None:
    [found] = failures_of(entries).outages
    assert found == PastOutage(
        kind="refused",
        webhook_ids=found.webhook_ids,
        at=START,
        until=START + until,
        ended={number: START + at for number, at in ended.items()},
    )
