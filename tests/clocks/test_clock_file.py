"""The file by which a consumer in a process of its own follows virtual time."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mockcampaign import wallclock
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.errors import ClockNotLedError, InvalidInputError
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
    for _ in range(2):
        with pytest.raises(ClockNotLedError, match=r"^clock file .*: cannot be written: No such file or directory$"):
            clock.show(0)


def test_a_clock_that_cannot_be_released_is_reported_and_raises_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "nowhere" / "clock"
    ClockFile(path, "--clock").release()
    assert caplog.messages == [
        f"mockcampaign: --clock {path}: cannot be written: No such file or directory: the consumer's clock stays where "
        "it is"
    ]


@pytest.mark.parametrize("content", [b"SQLite format 3\0", b"+0.000", b"-1.5\n", b"+0.000\n" * 20])
def test_a_file_of_something_else_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "consumer.db"
    path.write_bytes(content)
    problem = f"--clock {path}: not a clock file, allowed: a new file, or one of `mockcampaign clock run`"
    for make in (ClockFile, ClockFile.existing):
        with pytest.raises(InvalidInputError, match=f"^{re.escape(problem)}$"):
            make(path, "--clock")
    assert path.read_bytes() == content


def test_a_folder_is_no_clock_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"^--clock .*: a folder, a pipe or a device, allowed: a regular file$"):
        ClockFile(tmp_path, "--clock")


@pytest.mark.parametrize(("content", "offset"), [("", 0), ("-86400.250\n", -86_400_250), ("+0.007\n", 7)])
def test_an_existing_file_says_what_the_time_is(clock: ClockFile, content: str, offset: int) -> None:
    clock.path.write_text(content)
    existing = ClockFile.existing(clock.path)
    assert existing.offset == offset
    assert existing.now == REAL + offset


def test_a_consumer_that_restarts_keeps_its_time(clock: ClockFile) -> None:
    clock.create()
    assert clock.path.read_text() == "+0.000\n"
    clock.show(REAL - DAY)
    ClockFile(clock.path).create()
    assert clock.path.read_text() == "-86400.000\n"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything can be written")
def test_a_file_that_cannot_be_written_is_known_before_time_passes(clock: ClockFile) -> None:
    clock.create()
    clock.path.chmod(0o400)
    with pytest.raises(InvalidInputError, match=r"^clock file .*: cannot be written: Permission denied$"):
        ClockFile.existing(clock.path)
