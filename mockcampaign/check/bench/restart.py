"""Killing and restarting the consumer by the user's command."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import SETTLE_POLL
from mockcampaign.check.examined import SkipRule
from mockcampaign.check.probes.run_command import parsed, printed
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import Needs
from mockcampaign.transport.wire import wait_until_reachable
from mockcampaign.wallclock import Stopwatch, pause

RESTART_TIMEOUT = 30_000
"""Milliseconds that the restart command may take, and the consumer after it until it serves requests again."""


async def restart(bench: Bench, *, after: int) -> None:
    """Kill the consumer and start it again, `after` this many wall milliseconds.

    Raise `CouldNotTellError` if the command fails, or if the consumer does not come back.
    """
    command = bench.settings.restart_command
    if command is None:
        raise SkipRule(Needs(need="restart command"))
    bench.recording.scenario.is_complete = False
    await pause(after)
    await printed(parsed(command), "restart command", timeout=RESTART_TIMEOUT, output=False)
    if not await wait_until_reachable(bench.url, RESTART_TIMEOUT) or not await _probe_responds(bench):
        raise CouldNotTellError(f"consumer {bench.url}: not back {RESTART_TIMEOUT} ms after its restart")


@contextlib.asynccontextmanager
async def broken(bench: Bench) -> AsyncIterator[None]:
    """Break something that the consumer needs while the context is open, by the user's commands, and restore it.

    Raise `CouldNotTellError` if a command fails, or if the consumer's probe does not respond after it is restored.
    """
    breaking, restoring = bench.settings.break_command, bench.settings.restore_command
    if breaking is None or restoring is None:
        raise SkipRule(Needs(need="break command"))
    bench.recording.scenario.is_complete = False
    words = parsed(restoring)  # before anything is broken
    try:
        await printed(parsed(breaking), "break command", timeout=RESTART_TIMEOUT, output=False)
    except CouldNotTellError:
        with contextlib.suppress(CouldNotTellError):  # it may have broken a part
            await printed(words, "restore command", timeout=RESTART_TIMEOUT, output=False)
        raise
    try:
        yield
    finally:
        await printed(words, "restore command", timeout=RESTART_TIMEOUT, output=False)
    if not await _probe_responds(bench):
        raise CouldNotTellError(f"consumer {bench.url}: not back {RESTART_TIMEOUT} ms after the restore command")


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
