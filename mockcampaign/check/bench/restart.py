"""Killing and restarting the consumer, and breaking and restoring what it needs, by the user's commands."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import SETTLE_POLL
from mockcampaign.check.examined import SkipRule, StillBrokenError
from mockcampaign.check.probes.run_command import done, done_regardless, outlasted, parsed
from mockcampaign.check.settings import Operation
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import Needs
from mockcampaign.masking import shown_url
from mockcampaign.transport.wire import wait_until_reachable
from mockcampaign.wallclock import Stopwatch, pause

RESTART_TIMEOUT = 30_000
"""Milliseconds that the restart command may take, and the consumer after it until it serves requests again."""


async def restart(bench: Bench, *, after: int) -> None:
    """Kill the consumer and start it again, `after` this many wall milliseconds.

    Raise `CouldNotTellError` if the command fails, or if the consumer does not come back.
    """
    restarting = bench.settings.restart_command
    if restarting is None:
        raise SkipRule(Needs(need="restart command"))
    bench.recording.scenario.is_complete = False
    bench.is_disturbed = True
    await pause(after)
    await _carry_out(restarting, "restart command")
    if not await _is_reachable(bench) or not await _probe_responds(bench):
        raise CouldNotTellError(f"consumer {shown_url(bench.url)}: not back {RESTART_TIMEOUT} ms after its restart")


@contextlib.asynccontextmanager
async def broken(bench: Bench) -> AsyncIterator[None]:
    """Break something that the consumer needs while the context is open, by the user's commands, and restore it.

    It is restored whatever happens, also if the break command fails or the task is cancelled, however often.

    Raise `CouldNotTellError` if the break command fails, or if the consumer's probe does not respond after everything
    is restored, and `StillBrokenError` if the restore command fails.
    """
    breaking, restoring = bench.settings.break_command, bench.settings.restore_command
    if breaking is None or restoring is None:
        raise SkipRule(Needs(need="break command"))
    bench.recording.scenario.is_complete = False
    for operation in (breaking, restoring):  # before anything is broken
        if isinstance(operation, str):
            parsed(operation)
    bench.is_disturbed = True
    bench.incidents.still_broken = _still_broken("it has not run yet")
    try:
        await _carry_out(breaking, "break command")
        yield
    finally:  # a break command that fails may have broken a part
        await _restore(bench, restoring)
    if bench.incidents.still_broken:
        raise StillBrokenError(bench.incidents.still_broken)
    if not await _probe_responds(bench):
        after = f"{RESTART_TIMEOUT} ms after the restore command"
        raise CouldNotTellError(f"consumer {shown_url(bench.url)}: not back {after}")


async def _carry_out(operation: Operation, whose: str) -> None:
    """Run a command, or call a function. Raise `CouldNotTellError`, which begins with `whose`, if that fails."""
    if isinstance(operation, str):
        await done(parsed(operation), whose, timeout=RESTART_TIMEOUT)
        return
    try:
        async with asyncio.timeout(RESTART_TIMEOUT / 1_000):
            result = operation()
            if inspect.isawaitable(result):
                await result
    except TimeoutError:
        raise CouldNotTellError(f"{whose}: still running after {RESTART_TIMEOUT} ms") from None
    except Exception as error:
        raise CouldNotTellError(f"{whose}: {type(error).__name__}: {error}") from None


async def _restore(bench: Bench, operation: Operation) -> None:
    """Restore what is broken, and note whether that fails. Only then let a cancellation take effect."""
    incidents = bench.incidents
    incidents.still_broken = _still_broken("it has not ended yet")
    restoring = _begin(operation)
    cancelled = await outlasted(restoring)
    if restoring.cancelled():  # with all tasks of the loop, which is about to be closed
        restoring = _begin(operation)
        cancelled = await outlasted(restoring) or cancelled
    failure = None if restoring.cancelled() else restoring.exception()
    if restoring.cancelled() or failure is not None:
        incidents.still_broken = _still_broken(str(failure or "it was cancelled"))
    else:
        incidents.still_broken = ""
    if cancelled is not None:
        raise cancelled


def _begin(operation: Operation) -> asyncio.Future[None]:
    if not isinstance(operation, str):
        return asyncio.ensure_future(_carry_out(operation, "restore command"))
    # In a thread of its own: the second Ctrl-C cancels all tasks, and the process does not end before its threads.
    # All others may wait for the names of hosts, which what is broken has to look up.
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="restore-command")

    def restore() -> None:
        done_regardless(parsed(operation), "restore command", timeout=RESTART_TIMEOUT)

    try:
        return asyncio.get_running_loop().run_in_executor(executor, restore)
    finally:
        executor.shutdown(wait=False)


def _still_broken(why: str) -> str:
    return f"still broken: run the restore command yourself ({why})"


async def _is_reachable(bench: Bench) -> bool:
    return await wait_until_reachable(bench.url, RESTART_TIMEOUT, bench.settings.routes)


async def _probe_responds(bench: Bench) -> bool:
    """Wait until the probe responds again. A process that is being killed may still accept connections."""
    stopwatch = Stopwatch()
    while stopwatch.milliseconds < RESTART_TIMEOUT:
        try:
            await bench.store.stored()
            return True
        except CouldNotTellError:
            await pause(SETTLE_POLL)
    return False
