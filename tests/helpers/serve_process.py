"""A running `mockcampaign serve`, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

END_SECONDS_MAX = 2


class Serving:
    """A running `mockcampaign serve`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self._output = process.stdout
        self.said = self.lines(7)
        found = re.search(r"(https?://\S+)/docs", "\n".join(self.said))
        self.url = "" if found is None else found[1]

    def lines(self, count: int) -> list[str]:
        """Return the next lines that it says."""
        return [self._output.readline().rstrip("\n") for _ in range(count)]

    def end(self, number: int = signal.SIGTERM) -> str:
        """What it says at its end."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=END_SECONDS_MAX)
        return said


@contextlib.contextmanager
def serving(*arguments: str, folder: Path, **environment: str) -> Iterator[Serving]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", "serve", *arguments],
        cwd=folder,
        env={**os.environ, "MOCKCAMPAIGN_SERVE_PORT": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Serving(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def control(server: Serving, path: str, body: Any, *, token: str = "") -> requests.Response:
    auth = ("", token) if token else None
    return requests.post(f"{server.url}/__mockcampaign{path}", json=body, auth=auth, timeout=20)
