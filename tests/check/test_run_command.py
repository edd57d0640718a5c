"""Commands that the user gives: all that they start ends with them, and their output is bounded."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mockcampaign.check.probes.run_command import done, done_regardless, printed
from mockcampaign.errors import CouldNotTellError
from mockcampaign.wallclock import ask_until

LASTING = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(child.pid))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
"""Starts a process that outlives it, and says which."""


def lasting(path: Path) -> list[str]:
    return [sys.executable, "-c", LASTING, str(path)]


async def is_gone(pid: int) -> bool:
    async def ask() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Nobody may be there to wait for it.
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"

    return await ask_until(ask, bool, 10_000)


async def written(path: Path) -> int:
    async def ask() -> bool:
        return path.exists()

    assert await ask_until(ask, bool, 30_000)
    return int(path.read_text())


async def _printed(words: list[str], timeout: int) -> None:
    await printed(words, "probe command", timeout=timeout, bytes_max=100)


async def _done(words: list[str], timeout: int) -> None:
    await done(words, "break command", timeout=timeout)


async def _done_regardless(words: list[str], timeout: int) -> None:
    await asyncio.to_thread(done_regardless, words, "restore command", timeout=timeout)


@pytest.mark.slow
@pytest.mark.parametrize("run", [_printed, _done, _done_regardless])
def test_a_time_out_ends_everything_that_the_command_has_started(
    run: Callable[[list[str], int], object], tmp_path: Path
) -> None:
    async def check() -> None:
        path = tmp_path / "pid"
        with pytest.raises(CouldNotTellError, match=r"command .*: still running after 3000 ms$"):
            await run(lasting(path), 3_000)  # type: ignore[misc]
        assert await is_gone(await written(path))

    asyncio.run(check())


@pytest.mark.slow
@pytest.mark.parametrize("run", [_printed, _done])
def test_a_cancellation_ends_it_too(run: Callable[[list[str], int], object], tmp_path: Path) -> None:
    async def check() -> None:
        path = tmp_path / "pid"
        task = asyncio.ensure_future(run(lasting(path), 60_000))  # type: ignore[call-overload]
        pid = await written(path)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert await is_gone(pid)

    asyncio.run(check())


@pytest.mark.slow
def test_a_cancellation_while_it_is_started_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create, path = asyncio.create_subprocess_exec, tmp_path / "pid"

    async def check() -> None:
        go_on = asyncio.Event()

        async def held_up(*words: str, **more: Any) -> asyncio.subprocess.Process:
            process = await create(*words, **more)
            await go_on.wait()
            return process

        monkeypatch.setattr(asyncio, "create_subprocess_exec", held_up)
        task = asyncio.ensure_future(_done(lasting(path), 60_000))
        pid = await written(path)
        task.cancel()
        await asyncio.wait((task,), timeout=0)
        go_on.set()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert await is_gone(pid)

    asyncio.run(check())


@pytest.mark.parametrize(("size", "is_too_long"), [(99, False), (100, False), (101, True)])
def test_the_output_may_be_so_long(size: int, is_too_long: bool) -> None:
    words = [sys.executable, "-c", f"print('x' * {size}, end='')"]
    reading = printed(words, "probe command", timeout=60_000, bytes_max=100)
    if not is_too_long:
        assert asyncio.run(reading) == b"x" * size
        return
    with pytest.raises(
        CouldNotTellError, match=r"^probe command .*: printed more than 100 bytes: let the probe select events"
    ):
        asyncio.run(reading)


def test_a_command_that_never_stops_printing_ends_at_the_limit() -> None:
    words = shlex.split(f"{sys.executable} -c 'while True: print(1)'")
    with pytest.raises(CouldNotTellError, match=r"printed more than 100000 bytes: let the probe select events"):
        asyncio.run(printed(words, "probe command", timeout=600_000, bytes_max=100_000))


def test_a_command_that_cannot_be_started_or_fails_says_so() -> None:
    for words, why in ((["/nowhere/x"], "No such file"), ([sys.executable, "-c", "exit(3)"], "ended with status 3")):
        with pytest.raises(CouldNotTellError, match=f"^restore command {words[0]}: {why}"):
            done_regardless(words, "restore command", timeout=60_000)
        with pytest.raises(CouldNotTellError, match=f"^break command {words[0]}: {why}"):
            asyncio.run(done(words, "break command", timeout=60_000))
