"""The table of what random histories have covered."""

from __future__ import annotations

import pytest

from mockcampaign.check.histories.coverage import NO_FAULT, Coverage, Covered
from mockcampaign.cli.coverage_table import coverage_lines, history_lines

TABLE = """\
Histories: 1,234 (the last 20 not compared with the store); situations: 3; attempts in them: 2,007
Steps: events 5, events with null in one 1, thousands of those 2, faults 1,000
                                        1 event                             2 to 99                          full batch
                  first       retry redelivered       first       retry redelivered       first       retry redelivered
lost-ack              6           -           -           -           1           -           -           -           -
no fault              -           -           -           -           -           -           -           -       2,000
"""


def covered() -> Coverage:
    coverage = Coverage()
    coverage.histories, coverage.not_compared = 1_234, 20
    coverage.steps.update({"fault": 1_000, "null": 1, "events": 5, "many elsewhere": 2})
    coverage.attempts[Covered("lost-ack", "1 event", "first attempt")] = 6
    coverage.attempts[Covered("lost-ack", "2 to 99", "retry")] = 1
    coverage.attempts[Covered(NO_FAULT, "full batch", "redelivered")] = 2_000
    return coverage


def text(lines: object) -> str:
    return "".join("".join(part for part, _ in line) + "\n" for line in lines)  # type: ignore[attr-defined]


def test_the_table_has_events_by_faults_by_states() -> None:
    assert text(coverage_lines(covered())) == TABLE


def test_nothing_covered_is_one_line() -> None:
    assert text(coverage_lines(Coverage())) == "Histories: 0; situations: 0; attempts in them: 0\n"


@pytest.mark.parametrize(
    ("failed", "fingerprint", "said"),
    [
        (None, "", ""),
        (None, "ab12", "Its journal has the SHA-256 ab12\n"),
        (
            1_200,
            "ab12",
            "History 1,200 failed: `mockcampaign check` with --seed 7 --history 1200 plays it again\n"
            "Its journal has the SHA-256 ab12\n",
        ),
    ],
)
def test_a_history_is_named_with_how_to_play_it_again(failed: int | None, fingerprint: str, said: str) -> None:
    coverage = covered()
    coverage.failed, coverage.fingerprint = failed, fingerprint
    assert text(history_lines(coverage, 7)) == f"{TABLE}{said}\n"
