"""Letting Hypothesis draw and shrink, in a thread of its own, while the event loop asks the consumer."""

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
    """Meanwhile Hypothesis leaves no folder `.hypothesis` with what it has computed in the current directory.

    For processes of our own alone: in a test run, the folder is the user's.
    """
    # Below what is no folder nothing can be made, with which Hypothesis puts up.
    set_hypothesis_home_dir(os.devnull)
    try:
        yield
    finally:
        set_hypothesis_home_dir(None)


async def smallest(
    strategy: SearchStrategy[Drawn],
    ask: Callable[[Drawn], Awaitable[Found | None]],
    *,
    examples: int,
    seed: str,
) -> tuple[Drawn, Found] | None:
    """The smallest drawn value of which `ask` finds something, and what it finds; None where it never does.

    Where it finds something now and nothing then, the value that it found something of last will have to do; so it
    will where `ask` raises, as it does where no more events may be made: it is not asked again. Raises the same where
    nothing was found before.
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
            # Hypothesis would ask until it no longer raises, and then take that for an answer.
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

    # Not the loop's own pool, whose threads stay: the loop may be a test's, which goes on.
    with ThreadPoolExecutor(1) as pool:
        finding = loop.run_in_executor(pool, find)
        try:
            found = await asyncio.shield(finding)
        except BaseException:
            # A check that is interrupted does not wait until Hypothesis has shrunk to the end, but for its thread,
            # which may be waiting for the loop.
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


def simplest(strategy: SearchStrategy[Drawn]) -> Drawn:
    """What the strategy shrinks to."""
    return hypothesis.find(
        strategy, lambda drawn: True, settings=hypothesis.settings(database=None, verbosity=Verbosity.quiet)
    )


class _Stopped(BaseException):
    """Nobody is interested any more."""
