"""The ledger agrees with the plain fold of the whole journal, at any moment, however it learned of the journal."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import OK, Consumer, activated, exporter, happen, run
from histories import HISTORIES, SOME, play
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Entry, Happened, Journal, WebhookChanged
from mockcampaign.engine.journal_file import Heading, JournalWriter, read_journals
from mockcampaign.judging.difference import sent_events
from mockcampaign.judging.ledger import DeliveryCounts, Ledger, Totals, finished_at
from mockcampaign.model import Responded
from old_fold import sums, tally

HEADING = Heading(name="n", target="t")


def webhook_ids(entries: list[Entry]) -> list[int]:
    return list(dict.fromkeys(entry.webhook_id for entry in entries if isinstance(entry, WebhookChanged)))


def seen(ledger: Ledger, webhook_id: int) -> dict[str, Any]:
    account = ledger.account(webhook_id)
    return {
        "accepted": set(account.accepted),
        "delivered": account.delivered,
        "delivered_count": account.delivered_count,
        "discarded": set(account.discarded),
        "pending": set(account.pending),
        "attempted": set(account.attempted),
        "attempts": account.attempts,
        "simulated": account.simulated,
        "batch_events": account.batch_events,
        "evidence": account.evidence,
        "overtakings": account.overtakings,
        "sizes": dict(account.batch_sizes),
    }


def folded(entries: list[Entry], webhook_id: int, first_position: int = 0) -> dict[str, Any]:
    account = tally(entries, [webhook_id])
    delivered, sizes = account.delivered, account.batch_events
    return {
        "accepted": account.accepted,
        "delivered": delivered,
        "delivered_count": len(delivered),
        "discarded": account.discarded,
        "pending": account.pending,
        "attempted": account.attempted,
        "attempts": account.attempts,
        "simulated": account.simulated,
        "batch_events": sizes,
        "evidence": [first_position + position for position in account.evidence],
        "overtakings": sum(one > other for one, other in pairwise(delivered)),
        "sizes": {size: sizes.count(size) for size in set(sizes)},
    }


def check(ledger: Ledger, entries: list[Entry]) -> None:
    """Compare with the fold of a whole journal."""
    found = webhook_ids(entries)
    assert list(ledger.accounts) == found
    for webhook_id in found:
        assert seen(ledger, webhook_id) == folded(entries, webhook_id)
    assert ledger.deliveries == DeliveryCounts(**sums(entries))
    assert ledger.delivered(found) == tally(entries, found).delivered
    assert ledger.evidence() == tally(entries, found).evidence
    assert ledger.next_position == len(entries)


@SOME
@given(HISTORIES)
def test_a_ledger_agrees_with_the_fold_at_every_moment(history: Any) -> None:
    journal = Journal()
    ledger = Ledger.following(journal)
    play(history, journal, lambda _, __: check(ledger, journal.entries))
    check(ledger, journal.entries)
    check(Ledger.of(journal.entries), journal.entries)


@SOME
@given(HISTORIES, st.lists(st.integers(0, 30), max_size=3))
def test_any_number_of_listeners_is_told_everything_however_late(history: Any, when: list[int]) -> None:
    journal, ledgers = Journal(), [Ledger(), Ledger()]
    for ledger in ledgers:
        journal.follow(ledger.note)

    def join(number: int, box: Exporter) -> None:
        ledgers.extend(Ledger.following(box.journal) for wanted in when if wanted == number)

    play(history, journal, join)
    for ledger in ledgers:
        check(ledger, journal.entries)


class Told:
    """What a listener of a bounded journal was told: the journal as it would be if nothing had been dropped."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __call__(self, position: int, entry: Entry) -> None:
        if position == len(self.entries):
            self.entries.append(entry)
        assert self.entries[position] is entry


@SOME
@given(HISTORIES, st.integers(1, 12), st.integers(1, 20))
def test_a_ledger_outlives_what_a_bounded_journal_drops(history: Any, entries_max: int, events_max: int) -> None:
    whole, bounded = Journal(), Journal(entries_max=entries_max, events_max=events_max)
    ledger, totals, told = Ledger.following(bounded), Totals(), Told()
    bounded.follow(totals.note)
    bounded.follow(told)
    play(history, bounded)
    check(ledger, told.entries)
    # A run of attempts goes on in a new entry once the old one was dropped; nothing else tells the journals apart.
    assert ledger.deliveries == Ledger.of(play(history, whole).entries).deliveries
    for webhook_id, account in ledger.accounts.items():
        assert account.delivered == Ledger.of(whole.entries).account(webhook_id).delivered
        assert totals.webhook(webhook_id) == ledger.totals.webhook(webhook_id)


@SOME
@given(HISTORIES, st.integers(1, 12), st.integers(0, 30))
def test_a_ledger_that_joins_a_bounded_journal_late_knows_what_is_held_and_what_follows(
    history: Any, entries_max: int, when: int
) -> None:
    bounded, told = Journal(entries_max=entries_max), Told()
    bounded.follow(told)
    joined: list[tuple[Ledger, int]] = []

    def join(number: int, box: Exporter) -> None:
        if number == when and not joined:
            joined.append((Ledger.following(box.journal), box.journal.dropped))

    play(history, bounded, join)
    for ledger, first in joined:
        for webhook_id in webhook_ids(told.entries):
            assert seen(ledger, webhook_id) == folded(told.entries[first:], webhook_id, first)


@SOME
@given(HISTORIES, st.sampled_from([0.0, 0.04, 10.0]))
def test_a_ledger_of_a_file_agrees_with_that_of_the_run(history: Any, step: float) -> None:
    file, now = io.BytesIO(), 0.0

    def clock() -> float:
        nonlocal now
        now += step
        return now

    journal = Journal()
    follower = JournalWriter(file, clock).follow(journal, HEADING)
    play(history, journal)
    follower.close()
    [recorded] = read_journals(file.getvalue(), "j")
    check(Ledger.of(recorded.entries), journal.entries)


@SOME
@given(HISTORIES)
def test_times_and_payloads_are_those_of_the_entries(history: Any) -> None:
    journal = play(history)
    ledger, entries = Ledger.of(journal.entries), journal.entries
    for webhook_id in webhook_ids(entries):
        account = ledger.account(webhook_id)
        happened = {
            serial: entry.at
            for entry in entries
            if isinstance(entry, Happened) and webhook_id in entry.webhook_ids
            for serial in range(entry.first_serial, entry.first_serial + len(entry.events))
        }
        assert dict(account.happened) == happened
        assert {serial: account.happened_at(serial) for serial in happened} == happened
        assert account.happened_at(max(happened, default=0) + 1) is None
        took = [
            finished_at(entry) - happened[serial]
            for _, entry in account.batches
            for first, last in entry.serials
            for serial in range(first, last + 1)
        ]
        assert account.slowest == max(took, default=None)
    assert {serial: ledger.payload(serial) for serial in sent_events(ledger.happened)} == {
        serial: event
        for entry in entries
        if isinstance(entry, Happened)
        for serial, event in enumerate(entry.events, entry.first_serial)
    }
    with pytest.raises(KeyError):
        ledger.payload(0)


def test_nobody_is_told_anything_after_they_left() -> None:
    box, told, others = exporter(), [], []

    def listener(position: int, entry: Entry) -> None:
        told.append(position)

    box.journal.follow(listener)
    box.journal.follow(lambda position, _: others.append(position))
    activated(box)
    box.journal.unfollow(listener)
    count = len(told)
    happen(box, 3)
    assert len(told) == count
    assert len(others) > count


def test_equal_attempts_are_told_one_by_one_and_kept_as_one_entry() -> None:
    box = exporter()
    ledger, told = Ledger.following(box.journal), 0

    def listener(_: int, entry: Entry) -> None:
        nonlocal told
        told += isinstance(entry, Attempted)

    box.journal.follow(listener)
    webhook_id = activated(box)
    happen(box, 2)
    run(box, Consumer(lambda number: OK if number > 250 else Responded(503)))
    account = ledger.account(webhook_id)
    assert told == account.attempts == 251
    assert [entry.count for _, entry in account.entries] == [250, 1]
