"""The progress of a run, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

from mockcampaign.cli import progress


def test_a_run_that_is_cancelled_while_its_progress_ends_stays_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ending = asyncio.Event()

    async def show(shown: progress.RunProgress) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        ending.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(progress, "_show", show)
    went_on = False

    async def run() -> None:
        nonlocal went_on
        async with progress.progress(1):
            await asyncio.sleep(0)
        went_on = True

    async def main() -> None:
        running = asyncio.create_task(run())
        await ending.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert not went_on


def test_trouble_with_the_display_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    async def show(shown: progress.RunProgress) -> None:
        raise OSError("the terminal is gone")

    monkeypatch.setattr(progress, "_show", show)

    async def run() -> None:
        async with progress.progress(1):
            await asyncio.sleep(0)

    with pytest.raises(OSError, match="the terminal is gone"):
        asyncio.run(run())
