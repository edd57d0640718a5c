"""A consumer that no longer responds from some request on, so that a test knows where a command is interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

Reached = Callable[[str, int], bool]
"""Returns whether a request is the one, from its path and its number among those to that path, from 1."""


def nth(path: str, number: int) -> Reached:
    return lambda asked, count: (asked, count) == (path, number)


def held_up(app: Any, reached: Reached, event: threading.Event) -> Any:
    """Respond no more once that request arrives, and set the event then."""
    counts: dict[str, int] = {}

    async def holding(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            counts[path] = counts.get(path, 0) + 1
            if event.is_set() or reached(path, counts[path]):
                event.set()
                await asyncio.Event().wait()
        await app(scope, receive, send)

    return holding
