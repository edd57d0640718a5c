"""Hypothesis draws in a thread of its own, which ends with the search."""

from __future__ import annotations

import asyncio
import threading

import hypothesis.strategies as st
import pytest

from mockcampaign.check.shrink import find_smallest
from mockcampaign.errors import CouldNotTellError


async def _above_nine(number: int) -> str | None:
    return "large" if number > 9 else None


def test_no_thread_is_left_on_a_loop_that_continues() -> None:
    async def main() -> None:
        before = threading.enumerate()
        assert await find_smallest(st.integers(0, 99), _above_nine, examples=100, seed="1") == (10, "large")
        assert await find_smallest(st.integers(0, 9), _above_nine, examples=10, seed="1") is None
        assert threading.enumerate() == before

    asyncio.run(main())


def test_an_exception_is_raised_at_once_and_is_no_result() -> None:
    """Hypothesis alone would ask again, get a result, and call the failure flaky."""

    async def main() -> None:
        asked = 0

        async def once(_: int) -> str | None:
            nonlocal asked
            asked += 1
            if asked == 3:
                raise CouldNotTellError("gone")
            return None

        with pytest.raises(CouldNotTellError, match="gone"):
            await find_smallest(st.integers(), once, examples=100, seed="1")
        assert asked == 3

    asyncio.run(main())


def test_a_failure_found_before_an_exception_is_returned() -> None:
    async def main() -> None:
        found = 0

        async def until(number: int) -> str | None:
            nonlocal found
            if found == 2:
                raise CouldNotTellError("gone")
            found += number > 9
            return "large" if number > 9 else None

        smallest_so_far = await find_smallest(st.integers(0, 9_999), until, examples=100, seed="1")
        assert smallest_so_far is not None
        assert smallest_so_far[0] > 9

    asyncio.run(main())


def test_an_interrupted_search_leaves_no_task_and_no_thread() -> None:
    async def main() -> None:
        before = set(threading.enumerate())
        asked = asyncio.Event()

        async def never(_: int) -> str | None:
            asked.set()
            await asyncio.Event().wait()
            return None

        task = asyncio.create_task(find_smallest(st.integers(), never, examples=10, seed="1"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert set(threading.enumerate()) == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
