"""How far a run is, shown on a terminal while it takes its time."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

from mockcampaign.durations import format_duration

if TYPE_CHECKING:
    from rich.status import Status

    from mockcampaign.scenario.play import Player

PROGRESS_AFTER_SECONDS = 1.0
"""What is over sooner needs no display."""

INTERVAL_SECONDS = 0.2

COUNTED_TOGETHER = 4_096
"""So many items pass from one look at the clock to the next."""

Item = TypeVar("Item")


class Watch:
    """The scenarios of a run that are under way, of which there may be several at once."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._over = 0
        self._attempts_over = 0
        self._players: list[Player] = []

    @contextlib.contextmanager
    def playing(self, player: Player) -> Iterator[None]:
        """The player is under way inside."""
        self._players.append(player)
        try:
            yield
        finally:
            self._players.remove(player)
            self._over += 1
            self._attempts_over += player.ledger.totals.whole.attempts

    def line(self, seconds: float) -> str:
        """Where the run is, `seconds` after it began."""
        attempts = self._attempts_over + sum(player.ledger.totals.whole.attempts for player in self._players)
        rate = f"{attempts / max(seconds, 0.001):,.0f} attempts/s"
        count = f"{self._over + 1}/{self._total} " if self._total > 1 else ""
        if not self._players:
            return f"{count}waiting, {rate}"
        # What can be waited for comes first: a long name is cut at its end.
        player = self._players[0]
        virtual = player.campaign.now - player.campaign.journal.entries[0].at
        pending = sum(
            player.campaign.pending_count(webhook) for player in self._players for webhook in player.webhooks.values()
        )
        spent = format_duration(virtual // 1_000 * 1_000)
        return f"{count}+{spent} of virtual time, {rate}, {pending:,} pending: {player.plan.scenario.name}"


@contextlib.asynccontextmanager
async def progress(total: int) -> AsyncIterator[Watch]:
    """A watch over so many scenarios, which shows itself on a terminal once the run takes longer than a second."""
    watch = Watch(total)
    if not sys.stderr.isatty():
        yield watch
        return
    task = asyncio.create_task(_show(watch))
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _show(watch: Watch) -> None:
    began = time.monotonic()
    await asyncio.sleep(PROGRESS_AFTER_SECONDS)
    from rich.console import Console
    from rich.text import Text

    from mockcampaign.report.text import printable

    with Console(stderr=True, no_color=True).status("") as status:
        while True:
            # One line of plain text, however narrow the terminal, and whatever a scenario is called.
            line = printable(watch.line(time.monotonic() - began))
            status.update(Text(line, no_wrap=True, overflow="ellipsis"))
            await asyncio.sleep(INTERVAL_SECONDS)


class Counting:
    """Counts items as they pass, and shows that on a terminal once it takes longer than a second."""

    def __init__(self, what: str, stack: contextlib.ExitStack) -> None:
        """`stack` is left when all is over, and the display ends."""
        self._what = what
        self._stack = stack
        self._status: Status | None = None
        self._began = time.monotonic()

    def show(self, line: str) -> None:
        """What is being done, at once."""
        if self._status is None:
            from rich.console import Console

            self._status = self._stack.enter_context(Console(stderr=True, no_color=True).status(""))
        self._status.update(line)

    def show_later(self, line: str) -> None:
        """What is being done, once all takes longer than a second."""
        if time.monotonic() - self._began > PROGRESS_AFTER_SECONDS:
            self.show(line)

    def counted(self, items: Iterator[Item], total: int) -> Iterator[Item]:
        """The items."""
        for number, item in enumerate(items):
            if number % COUNTED_TOGETHER == 0:
                self.show_later(f"{number:,} of {total:,} {self._what} ({100 * number // total} %)")
            yield item
