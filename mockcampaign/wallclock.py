"""Wall time, for the few callers that wait for a consumer or limit how long a check may take."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_SECONDS = 0.05

if hasattr(time, "clock_gettime"):

    def seconds() -> float:
        """Return the seconds of a clock that never goes back, and that no library for tests freezes or moves.

        A consumer may take as long as the time-out allows in real time, whatever time a test pretends it is.
        """
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:  # Windows

    class _Real:
        """Keeps the clock where libraries that replace the functions of modules do not look."""

        clock = staticmethod(time.monotonic)

    def seconds() -> float:
        """Return the seconds of a clock that never goes back, and that no library for tests freezes or moves."""
        return _Real.clock()


def keep_real_time(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """Let an event loop of ours measure its timers in real time, and return it. uvloop does so anyway."""
    with contextlib.suppress(AttributeError):
        loop.time = seconds  # type: ignore[method-assign]
    return loop


Reply = TypeVar("Reply")

REAL_TIME_OFF_MAX = 1_000
"""Milliseconds by which the kernel's time and that of `seconds` may differ before the former wins."""


class _RealTime:
    """Real time to the millisecond: that of the kernel's files, which is coarse, and between them that of `seconds`."""

    def __init__(self) -> None:
        self._since: int | None = None
        """Milliseconds since 1970 at which `seconds` was 0; None: not measured yet."""

    def now(self) -> int:
        written, elapsed = _written_now(), int(seconds() * 1_000)
        # The clock of `seconds` stops while the machine sleeps, and nobody sets it.
        if self._since is None or abs(self._since + elapsed - written) > REAL_TIME_OFF_MAX:
            self._since = written - elapsed
        return self._since + elapsed


def _written_now() -> int:
    """Return the time of a file that is new, in milliseconds since 1970: libraries for tests do not replace it."""
    try:
        with tempfile.TemporaryFile() as file:
            return os.fstat(file.fileno()).st_mtime_ns // 1_000_000
    except OSError:  # nowhere to write
        return now()


_REAL_TIME = _RealTime()


def now() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def real_now() -> int:
    """Return the milliseconds since 1970 by a clock that no library for tests freezes or moves."""
    return _REAL_TIME.now()


async def pause(milliseconds: int) -> None:
    """Let wall time pass."""
    await asyncio.sleep(milliseconds / 1_000)


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._began = seconds()

    @property
    def microseconds(self) -> int:
        """Whole microseconds so far."""
        return int((seconds() - self._began) * 1_000_000)

    @property
    def milliseconds(self) -> int:
        """Whole milliseconds so far."""
        return self.microseconds // 1_000


async def ask_until(ask: Callable[[], Awaitable[Reply]], enough: Callable[[Reply], bool], patience: int) -> Reply:
    """Return the first response that is enough, or the last one within `patience` milliseconds."""
    deadline = seconds() + patience / 1_000
    while True:
        reply = await ask()
        if seconds() >= deadline or enough(reply):
            return reply
        await asyncio.sleep(POLL_SECONDS)
