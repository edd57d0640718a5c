"""Files that are read and written as a whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mockcampaign.errors import InvalidInputError
from mockcampaign.whole_files import check_writable, is_same_file, read_whole, write_whole


def test_a_new_file_replaces_the_older_one_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "report"
    write_whole(path, b"one")
    path.chmod(0o640)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == (0o666 if sys.platform == "win32" else 0o640)
    assert os.listdir(tmp_path) == ["report"]


def test_a_file_that_cannot_be_completed_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:1])
        raise OSError(28, "No space left on device")

    path = tmp_path / "report"
    path.write_bytes(b"older")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"newer")
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["report"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("report")
    write_whole(tmp_path / "link", b"text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "report").read_bytes() == b"text"
    assert is_same_file(tmp_path / "link", tmp_path / "report")


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "report")
    assert os.listdir(tmp_path) == []
    (tmp_path / "report").write_bytes(b"older")
    check_writable(tmp_path / "report")
    assert (tmp_path / "report").read_bytes() == b"older"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(InvalidInputError):
            read_whole(tmp_path / name)
    with pytest.raises(InvalidInputError, match="cannot be read: embedded null byte"):
        read_whole(Path("a\0b"))
