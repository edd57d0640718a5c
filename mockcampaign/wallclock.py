"""The wall's clock, for the few who need it: those that wait for a consumer, or bound how long a check may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_SECONDS = 0.05

Answer = TypeVar("Answer")


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


async def pause(milliseconds: int) -> None:
    """Let so much time pass."""
    await asyncio.sleep(milliseconds / 1_000)


class Stopwatch:
    """Time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic_ns()

    @property
    def microseconds(self) -> int:
        """So far."""
        return (time.monotonic_ns() - self._began) // 1_000

    @property
    def milliseconds(self) -> int:
        """So far."""
        return self.microseconds // 1_000


async def ask_until(ask: Callable[[], Awaitable[Answer]], enough: Callable[[Answer], bool], patience: int) -> Answer:
    """The first answer that is enough, or the last one within `patience` milliseconds."""
    deadline = time.monotonic() + patience / 1_000
    while True:
        answer = await ask()
        if time.monotonic() >= deadline or enough(answer):
            return answer
        await asyncio.sleep(POLL_SECONDS)
