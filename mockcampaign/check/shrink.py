"""Searching with Hypothesis for the smallest failing case, in a thread, while the event loop asks the consumer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import Flaky, NoSuchExample
from hypothesis.strategies import SearchStrategy

Drawn = TypeVar("Drawn")
Found = TypeVar("Found")


@contextlib.contextmanager
def nothing_written() -> Iterator[None]:
    """Keep Hypothesis from writing its cache to a folder `.hypothesis` in the current directory.

    Only for processes of our own: in a test run, that folder is the user's.
    """
    # Nothing can be created below a path that is no folder, and Hypothesis tolerates that.
    set_hypothesis_home_dir(os.devnull)
    try:
        yield
    finally:
        set_hypothesis_home_dir(None)


async def find_smallest(
    strategy: SearchStrategy[Drawn],
    ask: Callable[[Drawn], Awaitable[Found | None]],
    *,
    examples: int,
    seed: str,
) -> tuple[Drawn, Found] | None:
    """Return the smallest drawn value for which `ask` finds something, with what it finds; None if it never does.

    If the findings are flaky, return the last value for which there was one. Do the same if `ask` raises, as it does
    when the event budget is spent, and do not ask again; if nothing was found until then, raise that exception.
    """
    loop = asyncio.get_running_loop()
    trouble: Exception | None = None
    last: tuple[Drawn, Found] | None = None
    stopped = False
    asking: asyncio.Task[Any] | None = None

    async def remember(drawn: Drawn) -> bool:
        nonlocal last, trouble, stopped, asking
        if stopped:
            return False
        asking = asyncio.current_task()
        try:
            found = await ask(drawn)
        except Exception as error:
            # Hypothesis would ask until it no longer raises, and then believe that result.
            trouble, stopped = error, True
            return False
        if found is not None:
            last = drawn, found
        return found is not None

    def is_found(drawn: Drawn) -> bool:
        if stopped:
            raise _Stopped
        try:
            found = asyncio.run_coroutine_threadsafe(remember(drawn), loop).result()
        except CancelledError:
            raise _Stopped from None
        if stopped:
            raise _Stopped
        return found

    def find() -> tuple[Drawn] | None:
        try:
            found = hypothesis.find(
                strategy,
                is_found,
                settings=hypothesis.settings(
                    max_examples=examples,
                    database=None,
                    deadline=None,
                    verbosity=Verbosity.quiet,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
                random=random.Random(seed),
            )
        except (NoSuchExample, Flaky, _Stopped):
            return None
        return (found,)

    # Not the loop's own pool, whose threads stay: the loop may belong to a test, and outlive this.
    with ThreadPoolExecutor(1) as pool:
        finding = loop.run_in_executor(pool, find)
        try:
            found = await asyncio.shield(finding)
        except BaseException:
            # An interrupted check waits only for the thread, which may be waiting for the loop, and not until
            # Hypothesis has finished.
            stopped = True
            if asking is not None:
                asking.cancel()
            await asyncio.wait([finding])
            raise
    if found is not None:
        await remember(found[0])
    if trouble is not None and last is None:
        raise trouble
    return last


class _Stopped(BaseException):
    """Ends the search, whose result nobody needs any more."""
