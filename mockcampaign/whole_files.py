"""Files that are read and written as a whole: only regular ones are read, and half a new one replaces no older one."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path

from mockcampaign.errors import InvalidInputError


def why_not(error: OSError) -> str:
    """Return the reason of an error of the file system, without the path."""
    return error.strerror or str(error)


def read_whole(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises `InvalidInputError` if it cannot be read, and for anything else, such as a pipe, whose end may never come.
    """
    try:
        # A pipe that nobody writes to would already block here.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidInputError(f"{path}: a folder, a pipe or a device, allowed: a regular file")
            return file.read()
    except (OSError, ValueError) as error:  # a name with a NUL
        why = why_not(error) if isinstance(error, OSError) else str(error)
        raise InvalidInputError(f"{path}: cannot be read: {why}") from None


def check_regular(path: Path) -> None:
    """Raise `InvalidInputError` for a path that names something else than a regular file, such as a pipe."""
    try:
        if path.exists() and not path.is_file():
            raise InvalidInputError(f"{path}: a folder, a pipe or a device, allowed: a regular file")
    except (OSError, ValueError) as error:  # a name with a NUL
        why = why_not(error) if isinstance(error, OSError) else str(error)
        raise InvalidInputError(f"{path}: cannot be read: {why}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside the path and rename it, so that the path names either the older file or the whole new one.

    A device or a pipe is written to directly. Raises `OSError`.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    beside = _new_file_beside(target)
    try:
        beside.write_bytes(content)
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Raise `OSError` if `write_whole` could not write the path now. An older file stays as it is."""
    target = path.resolve()
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(0, "Permission denied")
    if not target.exists() or target.is_file():
        _new_file_beside(target).unlink()


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether both paths name one file, which need not exist."""
    with contextlib.suppress(OSError):
        if one.exists() and other.exists():
            return one.samefile(other)
    return one.resolve() == other.resolve()


def _new_file_beside(target: Path) -> Path:
    for number in itertools.count():
        path = target.parent / f".{target.name[:100]}.{os.getpid()}-{number}.new"
        with contextlib.suppress(FileExistsError):
            path.open("xb").close()
            return path
    raise AssertionError("there is always a next number")
