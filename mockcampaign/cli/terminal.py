"""Styled lines and error messages on the terminal, and the exit statuses that go with them."""

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
    """Return the width of the terminal, or None if standard output is none and lines may have any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def styled(text: str, style: Mapping[str, Any]) -> str:
    """Return the text in a style of the reports."""
    return click.style(text, **style)


def print_lines(lines: Iterable[list[tuple[str, dict[str, Any]]]], color: bool | None) -> None:
    """Print the styled lines of a report. `color` is the result of `use_color`."""
    from mockcampaign.report.columns import folded

    width = columns()
    for line in lines if width is None else (part for whole in lines for part in folded(whole, width)):
        click.echo("".join(styled(*part) for part in line).rstrip(), color=color)


def use_color(no_color: bool) -> bool | None:
    """Return False for no color, or None to let click decide by whether it writes to a terminal."""
    return False if no_color or os.environ.get("NO_COLOR") else None


def complain(error: MockcampaignError, status: int) -> int:
    """Print an error, and return the exit status."""
    click.echo(f"mockcampaign: {error}", err=True)
    return status


def interrupted() -> int:
    """Report that Ctrl-C ended the command, and return the exit status for that."""
    click.echo("mockcampaign: interrupted", err=True)
    return INTERRUPTED


def failed() -> int:
    """Report a bug of our own, and return the exit status for that. Call it where the exception is handled."""
    traceback.print_exc()
    click.echo("mockcampaign: this is a bug of mockcampaign, not a verdict on the consumer", err=True)
    return COULD_NOT_TELL
