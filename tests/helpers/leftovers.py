"""A pytest plugin that ends the run where a test has left something behind, however the test went.

It looks at everything that is alive in the process, not at what somebody has remembered to count: threads, descriptors
(files, sockets and thereby ports), open event loops, tasks and asynchronous generators that are not over; and at what
asyncio only logs, such as a task that was destroyed while pending.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

DESCRIPTORS = Path("/proc/self/fd")

complaints: list[str] = []


class Complaints(logging.Handler):
    """What asyncio logs instead of raising it."""

    def emit(self, record: logging.LogRecord) -> None:
        complaints.append(f"asyncio says: {record.getMessage()}")


def alive() -> Counter[str]:
    """What is there now, by what it is. A server that outlives tests makes its tasks anew for each of them."""
    gc.collect()
    found = [*complaints, *(f"thread {thread.name}" for thread in threading.enumerate())]
    for number in os.listdir(DESCRIPTORS) if DESCRIPTORS.exists() else ():
        if int(number) <= 2:
            continue  # where pytest and its plugins capture output
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(f"descriptor {number} {os.readlink(DESCRIPTORS / number)}")
    for one in gc.get_objects():
        kind = type(one)
        if issubclass(kind, asyncio.AbstractEventLoop) and not one.is_closed():
            found.append(f"event loop {kind.__module__}")
        elif issubclass(kind, asyncio.Task) and not one.done():
            found.append(f"task {one.get_coro().__qualname__}")
        elif kind is types.AsyncGeneratorType and one.ag_frame is not None:
            found.append(f"asynchronous generator {one.__qualname__}")
    return Counter(found)


def left(before: Counter[str]) -> list[str]:
    """What was not there before."""
    return sorted((alive() - before).elements())


def pytest_configure(config: pytest.Config) -> None:
    logging.getLogger("asyncio").addHandler(Complaints(logging.ERROR))
    config.stash[AT_THE_BEGINNING] = alive()


AT_THE_BEGINNING = pytest.StashKey[Counter[str]]()


def pytest_collection_finish() -> None:
    # Trio gives its generator of random numbers to Hypothesis when that is imported; and Hypothesis looks for who else
    # refers to it, but would not find those that are frozen.
    if "trio" in sys.modules:
        import hypothesis  # noqa: F401

    gc.freeze()  # nothing has run yet, and what was imported need not be looked at each time


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if item.name.startswith("test_warming_up") or item.config.getoption("forked", False):
        return (yield)
    before = alive()
    result = yield
    found = left(before)
    for _ in range(20):
        if not found or not all(name.startswith("descriptor") for name in found):
            break
        time.sleep(0.05)  # the other side of a connection takes a moment to see that it was closed
        found = left(before)
    assert not found, f"{item.nodeid} has left {found}"
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    if item.config.getoption("forked", False):
        item.stash[AT_THE_BEGINNING] = alive()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    result = yield
    if item.config.getoption("forked", False):  # each test has a process of its own, which ends with the teardown
        found = left(item.stash[AT_THE_BEGINNING])
        assert not found, f"{item.nodeid} has left {found}"
    return result


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    names = [name for name in left(config.stash.get(AT_THE_BEGINNING, Counter())) if not name.startswith("descriptor")]
    print("LEFT AT THE END:", names)
