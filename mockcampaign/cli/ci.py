"""Annotations and summaries for GitHub Actions, when the command runs there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mockcampaign.cli.terminal import say, warn
from mockcampaign.whole_files import why_not

if TYPE_CHECKING:
    from mockcampaign.judging.verdict import RunResult


def on_github() -> bool:
    """Return whether GitHub Actions runs this process."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Stop GitHub from reading commands in what is printed meanwhile, which a consumer may have written."""
    if not on_github():
        yield
        return
    from mockcampaign.report.annotations.github import stop_commands

    stop, resume = stop_commands(secrets.token_hex(16))
    say(stop)
    try:
        yield
    finally:
        say(resume)


def announce(result: RunResult) -> None:
    """Print annotations at lines of scenarios, and add a summary to the page of the run."""
    if not on_github():
        return
    from mockcampaign.report.annotations.github import annotation_lines
    from mockcampaign.report.markdown import to_markdown

    for line in annotation_lines(result, _from_repository):
        say(line)
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with open(path, "a", encoding="utf-8") as summary:
                summary.write(to_markdown(result))
        except OSError as error:
            warn(f"GITHUB_STEP_SUMMARY {path}: cannot be written: {why_not(error)}")


def _from_repository(path: str) -> str:
    """Return a path relative to the checkout, as GitHub wants it, if it is inside."""
    resolved = Path(path).resolve()
    checkout = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    return resolved.relative_to(checkout).as_posix() if resolved.is_relative_to(checkout) else path
