"""`run --watch`: runs again whenever a file changes that the run has read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from watchfiles import watch

from mockcampaign.cli.terminal import USAGE_ERROR, complain, say
from mockcampaign.errors import MockcampaignError

STEP_MILLISECONDS = 50
"""Time to wait for more changes, so that saving several files counts as one change."""

READY_MILLISECONDS = 100
"""Time after which the files are certainly being watched."""


def watching(paths: Sequence[Path], once: Callable[[], tuple[int, Sequence[Path]]], suffix: str) -> int:
    """Run `once`, then again after each change until Ctrl-C. Return the status of the last run.

    `once` returns a status and the files that it read. A change is one of these files, or of a file in the folders with
    a name that ends in `suffix`.
    """
    read: Sequence[Path] = ()
    status = USAGE_ERROR
    try:
        while True:
            before = _stamps(paths, read, suffix)
            try:
                status, read = once()
            except MockcampaignError as error:
                status = complain(error, USAGE_ERROR)
            # Files that were read for the first time count as unchanged.
            _wait_for_change(paths, read, suffix, _stamps(paths, read, suffix) | before)
    except KeyboardInterrupt:
        return status


def _wait_for_change(paths: Sequence[Path], read: Sequence[Path], suffix: str, before: dict[Path, int]) -> None:
    known = {path.resolve() for path in (*read, *paths) if not path.is_dir()}
    said = False
    for changes in watch(
        *_folders(paths, known),
        watch_filter=lambda _, path: Path(path).resolve() in known or path.endswith(suffix),
        step=STEP_MILLISECONDS,
        rust_timeout=READY_MILLISECONDS,
        yield_on_timeout=True,
        recursive=False,
        raise_interrupt=True,
    ):
        # From the first turn without a change, none is missed. Until then, one may have been.
        if changes or (not said and _stamps(paths, read, suffix) != before):
            return
        if not said:
            say("waiting for changes; Ctrl-C stops", err=True)
            said = True


def _stamps(paths: Sequence[Path], read: Sequence[Path], suffix: str) -> dict[Path, int]:
    inside = [file for path in paths if path.is_dir() for file in path.rglob(f"*{suffix}")]
    files = {path.resolve() for path in (*read, *paths, *inside) if path.is_file()}
    return {file: file.stat().st_mtime_ns for file in files}


def _folders(paths: Sequence[Path], files: set[Path]) -> Iterator[Path]:
    folders = {file.parent for file in files if file.parent.is_dir()}
    for path in paths:
        if path.is_dir():
            folders |= {path, *(inside for inside in path.rglob("*") if inside.is_dir())}
    yield from sorted(folders)
