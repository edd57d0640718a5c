"""`mockcampaign clock run`: starts a consumer whose clock follows the campaign's virtual time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from mockcampaign.cli.parameters import FOLDER, NEW_FILE, Command
from mockcampaign.cli.terminal import say, warn
from mockcampaign.cli.usage import SubCommands
from mockcampaign.errors import InvalidInputError
from mockcampaign.whole_files import why_not


@click.group(cls=SubCommands)
def clock() -> None:
    """Lead the clock of a consumer in a process of its own, in any language."""


@clock.command(cls=Command, short_help="Start a consumer that follows virtual time.")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND…")
@click.option(
    "--clock-file",
    type=NEW_FILE,
    default=".mockcampaign-clock",
    show_default=True,
    help="The file that leads the clock, for --clock of `check`, `soak`, `run` and `serve`.",
)
def run(command: tuple[str, ...], clock_file: Path) -> int:
    """Start a consumer whose wall clock follows virtual time, by libfaketime.

    The consumer takes the place of this process. Until a campaign leads it, its clock has the time that the file says:
    that of the machine if the file is new, or else the last one, so that a consumer that restarts keeps its time.
    """
    from mockcampaign.clocks.clock_file import REAL_TIME, ClockFile
    from mockcampaign.clocks.led_process import find_library, led_environment, why_not_led

    library = find_library(os.environ)
    program = shutil.which(command[0])
    if program is None:
        raise InvalidInputError(f"clock run: no program {command[0]!r}, allowed: one in PATH, or the path of one")
    unled = None if Path(program).name == "go" else why_not_led(Path(program))
    if unled is not None:
        warn(f"clock run: {command[0]} does not follow: it is {unled}")
    leading = ClockFile(clock_file, "--clock-file")
    leading.create()
    if leading.offset != REAL_TIME:
        warn(f"--clock-file {clock_file}: the consumer's clock is {leading.offset / 1_000:+.3f} s off until it is led")
    sys.stdout.flush()
    try:
        os.execve(program, command, led_environment(os.environ, library, clock_file))
    except OSError as error:
        raise InvalidInputError(f"clock run: {command[0]!r} cannot be started: {why_not(error)}") from None


@clock.command(cls=Command, short_help="Let Go programs follow, which need to be built for it.")
@click.option("--folder", type=FOLDER, default=".mockcampaign-go", show_default=True, help="Write the overlay here.")
def go_overlay(folder: Path) -> int:
    """Write an overlay for `go build -overlay`, and print its path.

    A program that is built with it follows virtual time in `mockcampaign clock run`, and real time anywhere else.
    """
    from mockcampaign.clocks.go_overlay import write_overlay

    if sys.platform != "linux":
        raise InvalidInputError(f"clock go-overlay: no overlay for {sys.platform}, allowed: Linux")
    go = shutil.which("go")
    if go is None:
        raise InvalidInputError("clock go-overlay: no program 'go', allowed: Go in PATH")
    goroot = subprocess.run([go, "env", "GOROOT"], check=False, capture_output=True, text=True).stdout.strip()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        say(str(write_overlay(folder, Path(goroot))))
    except OSError as error:
        raise InvalidInputError(f"--folder {folder}: cannot be written: {why_not(error)}") from None
    return 0
