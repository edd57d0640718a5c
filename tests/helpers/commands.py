"""The command as a user calls it, and a scenario to call it with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import forked_commands

SCENARIO = """\
name: three opens
seed: 5
consumer:
  url: ${CONSUMER_URL}/hook
  probe: {url: "${CONSUMER_URL}/processed", events: "@"}
webhooks:
  opens: {type: open, auth: {basic: {username: acme, password: "${HOOK_PASSWORD:-geheim!}"}}}
steps:
  - activate: opens
  - emit: {type: open, count: 3}
  - run: until-idle
  - expect:
      opens: {delivered: 3}
      consumer: {processed: exactly-once}
"""


def mockcampaign(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    if forked_commands.IS_SUPPORTED and not forked_commands.changes_the_interpreter(environment):
        return forked_commands.run(list(arguments), folder, {**os.environ, **environment})
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mockcampaign", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def started(*arguments: str, folder: Path, **environment: str) -> subprocess.Popen[str] | forked_commands.ForkedCommand:
    """Return the running command, with its output and errors in `stdout`."""
    if forked_commands.IS_SUPPORTED and not forked_commands.changes_the_interpreter(environment):
        return forked_commands.start(list(arguments), folder, {**os.environ, **environment})
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "mockcampaign", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = SCENARIO
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "three.scenario.yaml"
    path.write_text(text)
    return path
