"""Hypothesis draws in a thread of its own, which is gone when it has found what it looked for."""

from __future__ import annotations

import asyncio
import threading

import hypothesis.strategies as st
import pytest

from mockcampaign.compliance.generating import smallest


async def _above_nine(number: int) -> str | None:
    return "large" if number > 9 else None


def test_no_thread_is_left_on_a_loop_that_goes_on() -> None:
    async def main() -> None:
        before = threading.enumerate()
        assert await smallest(st.integers(0, 99), _above_nine, examples=100, seed="1") == (10, "large")
        assert await smallest(st.integers(0, 9), _above_nine, examples=10, seed="1") is None
        assert threading.enumerate() == before

    asyncio.run(main())


def test_interrupted_it_leaves_no_task_and_no_thread() -> None:
    async def main() -> None:
        before = set(threading.enumerate())
        asked = asyncio.Event()

        async def never(_: int) -> str | None:
            asked.set()
            await asyncio.Event().wait()
            return None

        task = asyncio.create_task(smallest(st.integers(), never, examples=10, seed="1"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert set(threading.enumerate()) == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
