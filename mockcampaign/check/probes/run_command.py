"""Running commands that the user gives."""

from __future__ import annotations

import asyncio
import os
import shlex

from mockcampaign.errors import CouldNotTellError, InvalidInputError

CREDENTIAL_VARIABLES = frozenset({"CHECK_BASIC_AUTH", "CHECK_KEY_AUTH"})
"""Environment variables for the sender's credentials, which the commands need not know."""


def parsed(command: str) -> list[str]:
    """Split a command into words. Raise `InvalidInputError` if there are none, or if quotes do not match."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InvalidInputError(f"command {command!r}: {error}, allowed: words as in a shell") from None
    if not words:
        raise InvalidInputError("an empty command, allowed: a program and its arguments")
    return words


async def printed(words: list[str], whose: str, *, timeout: int, output: bool = True) -> bytes:
    """Run a command and return its output, or nothing without `output`, which background processes may keep open.

    `timeout` is in milliseconds. Raise `CouldNotTellError`, which begins with `whose`, if the command fails.
    """
    stdout = asyncio.subprocess.PIPE if output else asyncio.subprocess.DEVNULL
    stderr = None if output else asyncio.subprocess.DEVNULL
    try:
        running = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=_environment()
        )
    except OSError as error:
        raise CouldNotTellError(f"{whose} {words[0]}: {error.strerror}") from None
    try:
        async with asyncio.timeout(timeout / 1_000):
            text, _ = await running.communicate()
    except TimeoutError:
        raise CouldNotTellError(f"{whose} {words[0]}: still running after {timeout} ms") from None
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    if running.returncode:
        raise CouldNotTellError(f"{whose} {words[0]}: ended with status {running.returncode}")
    return text or b""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in CREDENTIAL_VARIABLES}
