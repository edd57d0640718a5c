"""A running `mockcampaign serve`, in a process of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from commands import started
from forked_commands import ForkedCommand

END_SECONDS_MAX = 2


class Serving:
    """A running `mockcampaign serve`."""

    def __init__(self, process: subprocess.Popen[str] | ForkedCommand) -> None:
        self.process = process
        assert process.stdout is not None
        self.said: list[str] = []
        """What it says at its start, to the line about its state."""
        for line in process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("  state "):
                break
        found = re.search(r"(https?://\S+)/docs", "\n".join(self.said))
        self.url = "" if found is None else found[1]

    def end(self, number: int = signal.SIGTERM) -> str:
        """What it says at its end."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=END_SECONDS_MAX)
        return said


@contextlib.contextmanager
def serving(*arguments: str, folder: Path, **environment: str) -> Iterator[Serving]:
    process = started("serve", *arguments, folder=folder, MOCKCAMPAIGN_SERVE_PORT="0", **environment)
    try:
        yield Serving(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def control(server: Serving, path: str, body: Any, *, token: str = "") -> requests.Response:
    auth = ("", token) if token else None
    return requests.post(f"{server.url}/__mockcampaign{path}", json=body, auth=auth, timeout=20)
