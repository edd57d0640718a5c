"""Work in a thread of its own, with an event loop of its own, so that the server's loop stays free for calls."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from mockcampaign.wallclock import keep_real_time

Post = Callable[[Callable[[], object]], None]
"""Calls a function in the server's loop, soon. All state is changed there, so that nothing needs a lock."""


class BackgroundWork:
    """A coroutine in a thread, started by the server's loop."""

    def __init__(self, work: Callable[[Post], Coroutine[Any, Any, None]]) -> None:
        """Start `work(post)`, whose calls of `post` change state in the loop that is running now."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._own_loop = keep_real_time(asyncio.new_event_loop())
        self._task = self._own_loop.create_task(work(self._post))
        threading.Thread(target=self._run, name="mockcampaign background", daemon=True).start()

    async def cancel(self) -> None:
        """Cancel the work and wait until it has ended."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, because the work has ended
            self._own_loop.call_soon_threadsafe(self._task.cancel)
        await self._ended.wait()

    def _post(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._own_loop) as runner:
                runner.run(self._wait_for_task())
        finally:
            self._post(self._ended.set)

    async def _wait_for_task(self) -> None:
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()
