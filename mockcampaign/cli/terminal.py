"""What a person sees: lines in colour, progress, complaints; and the exit statuses that go with them."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import click

from mockcampaign.errors import MockcampaignError

USAGE_ERROR, COULD_NOT_TELL, INTERRUPTED = 2, 3, 130


def columns() -> int | None:
    """The width of the terminal that is written to; None where it is none, and lines may be as long as they are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def styled(text: str, style: Mapping[str, Any]) -> str:
    """Return the text in a style of the reports."""
    return click.style(text, **style)


def print_lines(lines: Iterable[list[tuple[str, dict[str, Any]]]], color: bool | None) -> None:
    """Styled lines as a report gives them; `color` as `use_color` gives it."""
    from mockcampaign.report.columns import folded

    width = columns()
    for line in lines if width is None else (part for whole in lines for part in folded(whole, width)):
        click.echo("".join(styled(*part) for part in line).rstrip(), color=color)


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
