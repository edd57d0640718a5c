"""The progress of a run, shown on a terminal while the run takes time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

from mockcampaign.durations import format_duration
from mockcampaign.wallclock import seconds

if TYPE_CHECKING:
    from rich.status import Status

    from mockcampaign.scenario.play import Player

PROGRESS_AFTER_SECONDS = 1.0
"""Seconds before progress is shown at all."""

INTERVAL_SECONDS = 0.2

COUNTED_TOGETHER = 4_096
"""Number of items between two readings of the clock."""

Item = TypeVar("Item")


class RunProgress:
    """Progress of a run: the scenarios that are being played, perhaps several at once."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._over = 0
        self._attempts_over = 0
        self._players: list[Player] = []

    @contextlib.contextmanager
    def playing(self, player: Player) -> Iterator[None]:
        """Count a scenario as being played while the context is open."""
        self._players.append(player)
        try:
            yield
        finally:
            self._players.remove(player)
            self._over += 1
            self._attempts_over += player.ledger.totals.whole.attempts

    def line(self, seconds: float) -> str:
        """Return a line about the run, `seconds` after it started."""
        attempts = self._attempts_over + sum(player.ledger.totals.whole.attempts for player in self._players)
        rate = f"{attempts / max(seconds, 0.001):,.0f} attempts/s"
        count = f"{self._over + 1}/{self._total} " if self._total > 1 else ""
        if not self._players:
            return f"{count}waiting, {rate}"
        # Numbers come first: a long name is cut off at its end.
        player = self._players[0]
        virtual = player.campaign.now - player.campaign.journal.entries[0].at
        pending = sum(
            player.campaign.pending_count(webhook) for player in self._players for webhook in player.webhooks.values()
        )
        spent = format_duration(virtual // 1_000 * 1_000)
        return f"{count}+{spent} of virtual time, {rate}, {pending:,} pending: {player.plan.scenario.name}"


@contextlib.asynccontextmanager
async def progress(total: int) -> AsyncIterator[RunProgress]:
    """Give the progress of so many scenarios, and show it on a terminal once the run takes longer than a second."""
    shown = RunProgress(total)
    if not sys.stderr.isatty():
        yield shown
        return
    task = asyncio.create_task(_show(shown))
    try:
        yield shown
    finally:
        task.cancel()
        # Not the task itself, whose cancellation would look like one of the run.
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def _show(shown: RunProgress) -> None:
    began = seconds()
    await asyncio.sleep(PROGRESS_AFTER_SECONDS)
    from rich.console import Console
    from rich.text import Text

    from mockcampaign.text import printable

    with Console(stderr=True, no_color=True).status("") as status:
        while True:
            # One line of plain text, for any width of terminal and any name of a scenario.
            line = printable(shown.line(seconds() - began))
            status.update(Text(line, no_wrap=True, overflow="ellipsis"))
            await asyncio.sleep(INTERVAL_SECONDS)


class Counting:
    """Counts items, and shows the count on a terminal once that takes longer than a second."""

    def __init__(self, what: str, stack: contextlib.ExitStack) -> None:
        """Start counting. The display ends when the stack is closed."""
        self._what = what
        self._stack = stack
        self._status: Status | None = None
        self._began = seconds()

    def show(self, line: str) -> None:
        """Show a line at once."""
        if self._status is None:
            from rich.console import Console

            self._status = self._stack.enter_context(Console(stderr=True, no_color=True).status(""))
        self._status.update(line)

    def show_later(self, line: str) -> None:
        """Show a line once the whole takes longer than a second."""
        if seconds() - self._began > PROGRESS_AFTER_SECONDS:
            self.show(line)

    def counted(self, items: Iterator[Item], total: int) -> Iterator[Item]:
        """Yield the items, and show their count."""
        for number, item in enumerate(items):
            if number % COUNTED_TOGETHER == 0:
                self.show_later(f"{number:,} of {total:,} {self._what} ({100 * number // total} %)")
            yield item
