"""What a person sees: lines in colour, progress, complaints; and the exit statuses that go with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import traceback
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

import click

from mockcampaign.durations import format_duration
from mockcampaign.errors import MockcampaignError

if TYPE_CHECKING:
    from mockcampaign.scenario.play import Player

USAGE_ERROR, COULD_NOT_TELL, INTERRUPTED = 2, 3, 130

PROGRESS_AFTER_SECONDS = 1.0
"""What is over sooner needs no progress display."""


def print_lines(lines: Iterable[list[tuple[str, dict[str, Any]]]], color: bool | None) -> None:
    """Styled lines as a report gives them; `color` as `use_color` gives it."""
    for line in lines:
        click.echo("".join(click.style(text, **style) for text, style in line).rstrip(), color=color)


def use_color(no_color: bool) -> bool | None:
    """False: never; None: click decides, by whether it writes to a terminal."""
    return False if no_color or os.environ.get("NO_COLOR") else None


def complain(error: MockcampaignError, status: int) -> int:
    """Say what is wrong, and return the status."""
    click.echo(f"mockcampaign: {error}", err=True)
    return status


def interrupted() -> int:
    """Say that Ctrl-C ended it, and return the status for that."""
    click.echo("mockcampaign: interrupted", err=True)
    return INTERRUPTED


def failed() -> int:
    """Say that we failed ourselves, and return the status for that. To be called where the exception is handled."""
    traceback.print_exc()
    click.echo("mockcampaign: this is a fault of mockcampaign itself, and no verdict on the consumer", err=True)
    return COULD_NOT_TELL


@contextlib.asynccontextmanager
async def progress(player: Player) -> AsyncIterator[None]:
    """Shows on a terminal how far the run is, once it takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    task = asyncio.create_task(_show_progress(player))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _show_progress(player: Player) -> None:
    await asyncio.sleep(PROGRESS_AFTER_SECONDS)
    from rich.console import Console

    began, start = time.monotonic(), player.campaign.exporter.journal.entries[0].at
    with Console(stderr=True).status("") as status:
        while True:
            virtual = format_duration((player.campaign.now - start) // 1000 * 1000)
            seconds = time.monotonic() - began + PROGRESS_AFTER_SECONDS
            status.update(f"{player.plan.scenario.name}: {virtual} of virtual time after {seconds:.0f} s")
            await asyncio.sleep(0.2)
