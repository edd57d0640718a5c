"""Numbers of attempts in the findings about a journal are those of the journal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import given

from histories import HISTORIES, SOME, Command, play
from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.judging.fact import AllAttempts, AttemptsEnded
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import Outcome, Responded
from mockcampaign.report import sentences


def sent(entries: Sequence[Entry]) -> list[Attempted]:
    """Return an entry for each attempt that was sent."""
    return [
        entry for entry in entries if isinstance(entry, Attempted) and not entry.simulated for _ in range(entry.count)
    ]


@SOME
@given(history=HISTORIES)
def test_the_numbers_of_a_sentence_are_those_of_the_journal(
    history: tuple[list[tuple[Command, int]], list[Outcome], int],
) -> None:
    entries = play(history).entries
    attempts = sent(entries)
    assert len(attempts) == Ledger.of(entries).deliveries.attempts
    responses = [one.outcome for one in attempts if isinstance(one.outcome, Responded)]
    for rule in JOURNAL_RULES:
        found = rule.judge(entries, sentences.actual)
        for fact in found.facts:
            match fact:
                case AllAttempts():
                    assert fact.attempts + fact.others == len(attempts)
                    numbers = [int(number.replace(",", "")) for number in re.findall(r"\b[\d,]*\d\b", found.actual)]
                    if fact.rejected:
                        assert numbers[0] in (fact.attempts - fact.rejected, fact.rejected)
                    elif fact.attempts > 1:
                        assert numbers[0] == fact.attempts
                    assert not fact.others or numbers[-1] == fact.others
                    if rule.id == "responds-200":
                        assert fact.attempts == len(responses)
                        assert fact.rejected == sum(not one.accepted for one in responses)
                case AttemptsEnded():
                    assert fact.attempts <= len(attempts)
                case _:
                    assert found.outcome == "not-exercised"
