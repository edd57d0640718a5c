"""Standard streams that are closed, cannot encode a character, or meet what others wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import mockcampaign, written
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.text import printable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the streams are those of POSIX")

COMMAND = f'"{sys.executable}" -W error -m mockcampaign'


@pytest.fixture
def broken_url() -> Iterator[str]:
    with serve_in_thread(consumer_app("stores-first-event-only")) as url:
        yield url


def shell(line: str, folder: Path, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "CONSUMER_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("run . --seed 6 -v --junit r.xml", 1),
        ("run . --seed 6 --junit r.xml", 1),
        ("judge j --junit r.xml", 1),
        ("replay j --junit r.xml", 0),
        ("check $CONSUMER_URL/hook --rules responds-200 --junit r.xml", 0),
        ("generate --count 5000", 3),
        ("schema scenario", 3),
    ],
)
def test_a_reader_may_close_the_pipe(tmp_path: Path, broken_url: str, line: str, status: int) -> None:
    written(tmp_path)
    if " j " in line:
        shell(f"{COMMAND} run . --journal j", tmp_path, broken_url)
    done = shell(f"{COMMAND} {line} | true; exit ${{PIPESTATUS[0]}}", tmp_path, broken_url)
    assert (done.returncode, done.stderr) == (status, "")
    assert (tmp_path / "r.xml").exists() is ("--junit" in line)


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_verdict(tmp_path: Path, broken_url: str, closed: str) -> None:
    written(tmp_path)
    line = "run . --journal j --junit r.xml"
    done = shell(f"{COMMAND} {line} {closed}", tmp_path, broken_url)
    assert (done.returncode, done.stderr) == (1, "")
    assert (tmp_path / "r.xml").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "j").read_bytes().startswith(b'{"journal":1,"entry":"heading"')


def test_a_full_disk_behind_standard_output_is_mentioned_once(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path)
    for line, status in (("run . -v", 1), ("generate", 2), ("schema events", 2)):
        done = shell(f"{COMMAND} {line} >/dev/full", tmp_path, broken_url)
        assert done.stderr == "mockcampaign: standard output: cannot be written: No space left on device\n"
        assert done.returncode == status


@pytest.mark.slow
def test_a_stream_that_cannot_encode_a_character_gets_its_number(tmp_path: Path, broken_url: str) -> None:
    written(tmp_path, ("three opens", "três opens 名"))
    for line in ("run . -v", "run . --dry-run", "rules", "schema reference", "check --help"):
        done = shell(f"{COMMAND} {line}", tmp_path, broken_url, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert (done.returncode, done.stderr) == (1 if line == "run . -v" else 0, "")
        assert ("tr\\xeas opens \\u540d" in done.stdout) is line.startswith("run")


async def _controls_the_terminal(scope: dict[str, object], receive: object, send: object) -> None:
    headers = [(b"content-type", b"text/\x9b31mhtml\x9d"), (b"content-length", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"{"})  # type: ignore[operator]


def test_control_characters_of_a_consumer_reach_no_terminal(tmp_path: Path) -> None:
    with serve_in_thread(_controls_the_terminal) as url:
        done = mockcampaign("check", f"{url}/hook", "--probe", f"{url}/probe", folder=tmp_path)
    assert done.returncode == 3
    assert "\\x9b31mhtml" in done.stderr
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


def test_control_characters_of_names_reach_no_terminal(tmp_path: Path) -> None:
    name = "a\x1b[31m\x9b\n\u202eb"
    done = mockcampaign("run", name, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"mockcampaign: {printable(name)}: does not exist, allowed: a scenario file, or a folder of *.scenario.yaml "
        "files\n"
    )
    for arguments in (("judge", name), (name,), ("run", f"--{name}"), ("check", name)):
        done = mockcampaign(*arguments, folder=tmp_path)
        assert done.returncode == 2
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


def test_a_number_of_many_digits_is_one_short_line(tmp_path: Path) -> None:
    done = mockcampaign("run", ".", "--seed", "1" * 5_000, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mockcampaign run: --seed: '{'1' * 60}…', allowed: a number from 0 to ")
    assert len(done.stderr) < 200
