"""Finds out when an application in this process is idle, which may be some time after its response.

Asyncio does not say what a task waits for, but its coroutines do: a task that waits for the next item of a queue is
idle, a task that waits for a thread, a timer or a socket is not. A task from the application's start is also idle
where it waited before the first request, such as in a pause or at a socket that it reads from for ever.
"""

from __future__ import annotations

import asyncio
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

CALM_TURNS = 3
"""Idle turns of the loop in a row that are needed: what one task hands over, another takes up in the next turn."""

POLL_SECONDS = 0.001

OURS = "mockcampaign"
"""Prefix of the names of tasks that do not belong to an application."""

_RESTING = frozenset(
    function.__code__
    for function in (
        asyncio.Queue.get,
        asyncio.Event.wait,
        asyncio.Condition.wait,
        asyncio.TaskGroup.__aexit__,
    )
)
"""Functions in which a task waits only for other tasks, which are watched themselves."""

_WAITING = {asyncio.wait_for.__code__: "fut"} | {
    function.__code__: "fs" for name in ("_wait",) if (function := getattr(asyncio.tasks, name, None)) is not None
}
"""Functions in which a task waits for what a local variable names: other tasks, or futures of a busy thread."""

_Place = tuple[tuple[Any, int], ...]


class Watch:
    """Watches the tasks that an application starts."""

    def __init__(self) -> None:
        self._others: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self._idle_places: WeakKeyDictionary[asyncio.Task[Any], _Place] = WeakKeyDictionary()

    def begin(self) -> None:
        """Count tasks that start from now on as the application's."""
        self._others = WeakSet(task for task in asyncio.all_tasks() if task not in self._tasks)

    async def rested(self) -> None:
        """Note that the application has started: its tasks are idle where they wait now."""
        for _ in range(CALM_TURNS):
            await asyncio.sleep(0)
        for task in self._found():
            self._idle_places[task] = _place(task)

    async def settle(self, calls: set[asyncio.Task[None]], seconds: float) -> None:
        """Wait until no call is under way and all tasks are idle, for `seconds` at most."""
        calm = 0
        try:
            async with asyncio.timeout(seconds):
                while calm < (CALM_TURNS if self._tasks else 1):
                    busy = [task for task in {*calls, *self._found()} if task in calls or not self._is_idle_now(task)]
                    if busy:
                        calm = 0
                        # Nothing announces that a task has become idle.
                        await asyncio.wait(busy, timeout=POLL_SECONDS)
                    else:
                        calm += 1
                        await asyncio.sleep(0)
        except TimeoutError:
            return

    def _found(self) -> WeakSet[asyncio.Task[Any]]:
        current = asyncio.current_task()
        self._tasks.update(
            task
            for task in asyncio.all_tasks()
            if task is not current and task not in self._others and not task.get_name().startswith(OURS)
        )
        return self._tasks

    def _is_idle_now(self, task: asyncio.Task[Any]) -> bool:
        if task.done():
            return True
        if _is_about_to_go_on(task):
            return False
        frames = _frames(task)
        return bool(frames) and (_waits_for_tasks(frames[-1]) or self._idle_places.get(task) == _place(task))


def _is_about_to_go_on(task: asyncio.Task[Any]) -> bool:
    """Whether the task has what it waits for, so that it continues in one of the next turns."""
    awaited = getattr(task, "_fut_waiter", None)
    return awaited is None or awaited.done()


def _waits_for_tasks(frame: FrameType) -> bool:
    if frame.f_code in _RESTING:
        return True
    name = _WAITING.get(frame.f_code)
    if name is None:
        return False
    awaited = frame.f_locals.get(name)
    return all(isinstance(one, asyncio.Task) for one in (awaited if isinstance(awaited, set) else [awaited]))


def _place(task: asyncio.Task[Any]) -> _Place:
    return tuple((frame.f_code, frame.f_lasti) for frame in _frames(task))


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the frames in which the task's coroutines wait, the innermost last."""
    frames = []
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames
