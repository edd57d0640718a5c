"""Asking again until an answer is good enough, by the wall's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_SECONDS = 0.05

Answer = TypeVar("Answer")


async def ask_until(ask: Callable[[], Awaitable[Answer]], enough: Callable[[Answer], bool], patience: int) -> Answer:
    """The first answer that is enough, or the last one within `patience` milliseconds."""
    deadline = time.monotonic() + patience / 1_000
    while True:
        answer = await ask()
        if time.monotonic() >= deadline or enough(answer):
            return answer
        await asyncio.sleep(POLL_SECONDS)
