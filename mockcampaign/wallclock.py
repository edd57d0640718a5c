"""Wall time, for the few callers that wait for a consumer or limit how long a check may take."""

from __future__ import annotations

import asyncio
import contextlib
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

_REAL_SINCE = time.time_ns() // 1_000_000 - int(seconds() * 1_000)
"""Milliseconds since 1970 at which `seconds` was 0."""


def now() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def real_now() -> int:
    """Return the milliseconds since 1970 by a clock that no library for tests freezes or moves."""
    return _REAL_SINCE + int(seconds() * 1_000)


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
