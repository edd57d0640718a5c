"""A pytest plugin that fails the run if a test has left anything behind, whether it passed or failed.

It looks at everything that is alive in the process: threads, descriptors (files and sockets, therefore ports), open
event loops, unfinished tasks and asynchronous generators. It also collects what asyncio only logs, such as a task that
was destroyed while pending.
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
    """Collects messages that asyncio logs instead of raising errors."""

    def emit(self, record: logging.LogRecord) -> None:
        complaints.append(f"asyncio says: {record.getMessage()}")


def alive() -> Counter[str]:
    """Return the objects that are alive now, by description. A server that outlives tests makes new tasks for each
    test."""
    gc.collect()
    found = [*complaints, *(f"thread {thread.name}" for thread in threading.enumerate())]
    for number in os.listdir(DESCRIPTORS) if DESCRIPTORS.exists() else ():
        if int(number) <= 2:
            continue  # pytest and its plugins capture output there
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
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
    """Return the objects that were not there before."""
    return sorted((alive() - before).elements())


def pytest_configure(config: pytest.Config) -> None:
    logging.getLogger("asyncio").addHandler(Complaints(logging.ERROR))
    config.stash[AT_THE_BEGINNING] = alive()


AT_THE_BEGINNING = pytest.StashKey[Counter[str]]()


def pytest_collection_finish() -> None:
    # When Hypothesis is imported, trio gives it its random number generator, and Hypothesis looks for other references
    # to it. It would not find frozen ones.
    if "trio" in sys.modules:
        import hypothesis  # noqa: F401

    gc.freeze()  # nothing has run yet, and imported objects need not be scanned each time


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
        time.sleep(0.05)  # the other side of a connection needs a moment to notice that it was closed
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
    if item.config.getoption("forked", False):  # each test has its own process, which ends with the teardown
        found = left(item.stash[AT_THE_BEGINNING])
        assert not found, f"{item.nodeid} has left {found}"
    return result


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    names = [name for name in left(config.stash.get(AT_THE_BEGINNING, Counter())) if not name.startswith("descriptor")]
    print("LEFT AT THE END:", names)
