"""The file by which a consumer in a process of its own follows virtual time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mockcampaign import wallclock
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.errors import CouldNotTellError
from mockcampaign.policy import DAY, HOUR, SECOND

REAL = 1_800_000_000_250


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClockFile:
    """Returns a clock on a machine whose clock stands still."""
    monkeypatch.setattr(wallclock, "real_now", lambda: REAL)
    return ClockFile(tmp_path / "clock")


@pytest.mark.parametrize(
    ("moment", "content"),
    [
        (REAL, "+0.000\n"),
        (REAL + 1, "+0.001\n"),
        (REAL - 1, "-0.001\n"),
        (REAL + 3 * DAY, "+259200.000\n"),
        (REAL - HOUR - 250, "-3600.250\n"),
    ],
)
def test_the_file_says_how_far_the_clock_is_off(clock: ClockFile, moment: int, content: str) -> None:
    clock.show(moment)
    assert clock.path.read_text() == content
    assert clock.now == moment


def test_a_clock_is_moved_like_that_of_time_machine(clock: ClockFile) -> None:
    clock.move_to(datetime.fromtimestamp((REAL - HOUR) / 1_000, UTC))
    assert clock.path.read_text() == "-3600.000\n"


def test_a_clock_that_has_run_on_does_not_go_back(clock: ClockFile, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.show(REAL)
    monkeypatch.setattr(wallclock, "real_now", lambda: REAL + 20 * SECOND)
    for moment in (REAL, REAL + 10 * SECOND, REAL + 20 * SECOND):
        clock.show(moment)
        assert clock.now == REAL + 20 * SECOND
    clock.show(REAL + 20 * SECOND + 1)
    assert clock.path.read_text() == "+0.001\n"


def test_a_clock_goes_back_to_the_beginning_of_another_campaign(clock: ClockFile) -> None:
    clock.show(REAL)
    clock.show(REAL - DAY)
    assert clock.now == REAL - DAY


def test_a_released_clock_agrees_with_the_machine(clock: ClockFile) -> None:
    clock.show(REAL - DAY)
    clock.release()
    assert clock.path.read_text() == "+0.000\n"
    assert clock.now == REAL
    clock.show(REAL - DAY)
    assert clock.now == REAL - DAY


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    clock = ClockFile(tmp_path / "nowhere" / "clock")
    with pytest.raises(CouldNotTellError, match=r"^clock file .*clock: cannot be written: No such file or directory$"):
        clock.show(0)
