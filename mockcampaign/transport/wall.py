"""The wall's clock, for the few who need it: those that wait for a consumer, or bound how long a check may take."""

from __future__ import annotations

import asyncio
import time


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
