"""Wall time, for the few callers that wait for a consumer or limit how long a check may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_SECONDS = 0.05

Reply = TypeVar("Reply")


def now() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def pause(milliseconds: int) -> None:
    """Let wall time pass."""
    await asyncio.sleep(milliseconds / 1_000)


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self) -> None:
        self._began = time.monotonic_ns()

    @property
    def microseconds(self) -> int:
        """Whole microseconds so far."""
        return (time.monotonic_ns() - self._began) // 1_000

    @property
    def milliseconds(self) -> int:
        """Whole milliseconds so far."""
        return self.microseconds // 1_000


async def ask_until(ask: Callable[[], Awaitable[Reply]], enough: Callable[[Reply], bool], patience: int) -> Reply:
    """Return the first response that is enough, or the last one within `patience` milliseconds."""
    deadline = time.monotonic() + patience / 1_000
    while True:
        reply = await ask()
        if time.monotonic() >= deadline or enough(reply):
            return reply
        await asyncio.sleep(POLL_SECONDS)
