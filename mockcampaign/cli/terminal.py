"""Styled lines and error messages on the terminal, and the exit statuses that go with them.

A terminal is no evidence: if it cannot be written to, the command goes on, and its exit status stays what it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, TextIO

import click

from mockcampaign.errors import InvalidInputError, MockcampaignError
from mockcampaign.text import printable

USAGE_ERROR, COULD_NOT_TELL, INTERRUPTED = 2, 3, 130


def open_streams() -> None:
    """Make sure that the standard streams exist, and can write every character.

    Call this before anything else is opened: a file or socket would get the number of a closed stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def say(text: str = "", *, err: bool = False, color: bool | None = None) -> None:
    """Print a line. If that fails, say so once on the other stream, and print no more on this one."""
    stream = sys.stderr if err else sys.stdout
    stream = getattr(stream, "rich_proxied_file", stream)  # a progress display replaces the streams by its own
    try:
        click.echo(text, stream, color=color)
    except OSError as error:
        silence(stream)
        if not err and not isinstance(error, BrokenPipeError):
            warn(f"standard output: cannot be written: {error.strerror}")


@contextlib.contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Yield the standard output of a command whose result it is. The command ends when that cannot be written.

    It ends silently if the reader has closed the pipe (`| head`), and otherwise with `InvalidInputError`.
    """
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        sys.exit(COULD_NOT_TELL)
    except OSError as error:
        silence(sys.stdout)
        raise InvalidInputError(f"standard output: cannot be written: {error.strerror}") from None


def silence(stream: TextIO) -> None:
    """Discard whatever is written to the stream from now on, and what it holds already."""
    with contextlib.suppress(OSError, ValueError):  # no stream of the system
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


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
        say("".join(styled(printable(text), style) for text, style in line).rstrip(), color=color)


def use_color(no_color: bool) -> bool | None:
    """Return False for no color, or None to let click decide by whether it writes to a terminal."""
    return False if no_color or os.environ.get("NO_COLOR") else None


def warn(text: str) -> None:
    """Print one line about something wrong."""
    say(f"mockcampaign: {printable(text)}", err=True)


def complain(error: MockcampaignError, status: int) -> int:
    """Print an error, and return the exit status."""
    warn(str(error))
    return status


def interrupted() -> int:
    """Report that Ctrl-C ended the command, and return the exit status for that."""
    warn("interrupted")
    return INTERRUPTED


def failed() -> int:
    """Report a bug of our own, and return the exit status for that. Call it where the exception is handled."""
    for line in traceback.format_exc().splitlines():
        say(printable(line), err=True)
    warn("this is a bug of mockcampaign, not a verdict on the consumer")
    return COULD_NOT_TELL
