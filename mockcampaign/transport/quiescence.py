"""When an application that was called in this process has nothing left to do, although it has answered already.

Asyncio does not say what a task waits for, but its coroutines do: one that waits for the next item of a queue has
nothing to do, one that waits for a thread, a timer or a socket has. A task from the application's start has nothing to
do either where it rested before the first request, such as in a pause or at a socket that it reads from for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

CALM_TURNS = 3
"""So many turns of the loop in a row there must be nothing to do: what one task hands on, another takes up the next."""

POLL_SECONDS = 0.001

# What waits for other tasks is here as well: they are watched themselves.
_RESTING = frozenset(
    function.__code__
    for function in (
        asyncio.Queue.get,
        asyncio.Event.wait,
        asyncio.Condition.wait,
        asyncio.wait_for,
        asyncio.wait,
        asyncio.TaskGroup.__aexit__,
    )
) | {asyncio.tasks._wait.__code__}  # type: ignore[attr-defined]

_Place = tuple[tuple[Any, int], ...]


class Watch:
    """Watches the tasks that an application has started."""

    def __init__(self) -> None:
        self._others: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._rests: WeakKeyDictionary[asyncio.Task[Any], _Place] = WeakKeyDictionary()

    def begin(self) -> None:
        """From now on, tasks that come into being are the application's."""
        self._others = WeakSet(task for task in asyncio.all_tasks() if task not in self._tasks)

    async def rested(self) -> None:
        """The application has started: where its tasks are now, they rest."""
        for _ in range(CALM_TURNS):
            await asyncio.sleep(0)
        for task in self._found():
            self._rests[task] = _place(task)

    async def settle(self, calls: set[asyncio.Task[None]], seconds: float) -> None:
        """Wait until no call is under way and all tasks rest, for so many seconds at most."""
        calm = 0
        try:
            async with asyncio.timeout(seconds):
                while calm < (CALM_TURNS if self._tasks else 1):
                    busy = [task for task in {*calls, *self._found()} if task in calls or not self._rests_now(task)]
                    if busy:
                        calm = 0
                        # Whether a task has come to rest is nowhere announced.
                        await asyncio.wait(busy, timeout=POLL_SECONDS)
                    else:
                        calm += 1
                        await asyncio.sleep(0)
        except TimeoutError:
            return

    def _found(self) -> WeakSet[asyncio.Task[Any]]:
        current = asyncio.current_task()
        self._tasks.update(task for task in asyncio.all_tasks() if task is not current and task not in self._others)
        return self._tasks

    def _rests_now(self, task: asyncio.Task[Any]) -> bool:
        if task.done():
            return True
        place = _place(task)
        return bool(place) and (place[-1][0] in _RESTING or self._rests.get(task) == place)


def _place(task: asyncio.Task[Any]) -> _Place:
    """Where the task's coroutines wait, the innermost last."""
    place = []
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        place.append((frame.f_code, frame.f_lasti))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return tuple(place)
