"""Running commands that the user gives. Each has a session of its own, so that all that it starts can be ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.consumer_store import HOW_TO_SELECT

CREDENTIAL_VARIABLES = frozenset(
    {"CHECK_BASIC_AUTH", "CHECK_KEY_AUTH"}
    | {"DRILL_BASIC_AUTH", "DRILL_KEY_AUTH", "DRILL_NEW_BASIC_AUTH", "DRILL_NEW_KEY_AUTH"}
)
"""Environment variables for the sender's credentials, which the commands need not know."""

NO_VARIABLES: Mapping[str, str] = {}

CHUNK = 64 * 1024
"""Greatest number of bytes that are read from a command at once."""

LEFT_OVER = 1_000
"""Milliseconds to wait for a killed command whose output is still held open by a process that has left its session."""


def parsed(command: str) -> list[str]:
    """Split a command into words. Raise `InvalidInputError` if there are none, or if quotes do not match."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        first, *more = command.split()
        shown = _shown(first) + " …" * bool(more)  # further words may contain a secret
        raise InvalidInputError(f"command {shown!r}: {error}, allowed: words as in a shell") from None
    if not words:
        raise InvalidInputError("an empty command, allowed: a program and its arguments")
    return words


def runnable(command: str, whose: str) -> list[str]:
    """Split a command into words as `parsed` does.

    Raise `InvalidInputError`, which begins with `whose`, also if there is no such program.
    """
    try:
        words = parsed(command)
    except InvalidInputError as error:
        raise InvalidInputError(f"{whose}: {error}") from None
    if shutil.which(words[0]) is None:
        raise InvalidInputError(f"{whose}: no program {_shown(words[0])!r}, allowed: one in PATH, or the path of one")
    return words


def _shown(word: str) -> str:
    """Return the first word of a command. Whoever writes an environment variable there expects a shell."""
    name, assigns, _ = word.partition("=")
    return f"{name}=…" if assigns else name


async def printed(
    words: list[str], whose: str, *, timeout: int, bytes_max: int, variables: Mapping[str, str] = NO_VARIABLES
) -> bytes:
    """Run a command, with more environment variables, and return its output.

    `timeout` is in milliseconds. Raise `CouldNotTellError`, which begins with `whose`, if the command fails, or prints
    more than `bytes_max`. Whatever it has started is ended with it then, and if the task is cancelled.
    """
    return await _run(words, whose, timeout, bytes_max, variables)


async def done(words: list[str], whose: str, *, timeout: int, variables: Mapping[str, str] = NO_VARIABLES) -> None:
    """Run a command whose output nobody needs, which background processes may keep open. Raise as `printed` does.

    `variables` are further environment variables.
    """
    await _run(words, whose, timeout, None, variables)


def done_regardless(words: list[str], whose: str, *, timeout: int) -> None:
    """Run a command as `done` does, but in this thread, so that no cancellation of a task ends it."""
    try:
        running = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(words, whose, error) from None
    try:
        status = running.wait(timeout / 1_000)
    except subprocess.TimeoutExpired:
        raise _too_slow(words, whose, timeout) from None
    finally:
        if running.returncode is None:
            _end(running.pid)
            running.wait()
    if status:
        raise _failed(words, whose, status)


async def outlasted(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until the future is done, however often the task is cancelled, and return the last cancellation."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


async def _run(
    words: list[str], whose: str, timeout: int, bytes_max: int | None, variables: Mapping[str, str] = NO_VARIABLES
) -> bytes:
    quiet = bytes_max is None
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL if quiet else asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL if quiet else None,
            env=_environment() | dict(variables),
            start_new_session=True,
        )
    )
    # Cancelled meanwhile, asyncio would end the command alone, which may have started others already.
    cancelled = await outlasted(starting)
    try:
        running = starting.result()
    except OSError as error:
        raise cancelled or _not_started(words, whose, error) from None
    except ValueError:
        raise cancelled or CouldNotTellError(
            f"{whose} {words[0]}: a value contains NUL, which no command gets"
        ) from None
    is_over = False
    try:
        if cancelled is not None:
            raise cancelled
        async with asyncio.timeout(timeout / 1_000):
            text = b"" if bytes_max is None else await _read(running.stdout, bytes_max + 1)
            if bytes_max is not None and len(text) > bytes_max:
                raise CouldNotTellError(f"{whose} {words[0]}: printed more than {bytes_max} bytes: {HOW_TO_SELECT}")
            status = await running.wait()
            is_over = True
    except TimeoutError:
        raise _too_slow(words, whose, timeout) from None
    finally:
        if not is_over:
            _end(running.pid)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFT_OVER / 1_000):
                    await running.wait()
    if status:
        raise _failed(words, whose, status)
    return text


async def _read(stream: asyncio.StreamReader | None, most: int) -> bytes:
    """Return what the stream contains, as far as that is no more than this many bytes."""
    text = bytearray()
    while stream is not None and (chunk := await stream.read(min(CHUNK, most - len(text)))):
        text += chunk
    return bytes(text)


def _end(pid: int) -> None:
    """Kill a command, and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)


def _not_started(words: list[str], whose: str, error: OSError) -> CouldNotTellError:
    return CouldNotTellError(f"{whose} {words[0]}: {error.strerror}")


def _too_slow(words: list[str], whose: str, timeout: int) -> CouldNotTellError:
    return CouldNotTellError(f"{whose} {words[0]}: still running after {timeout} ms")


def _failed(words: list[str], whose: str, status: int) -> CouldNotTellError:
    return CouldNotTellError(f"{whose} {words[0]}: ended with status {status}")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in CREDENTIAL_VARIABLES}
