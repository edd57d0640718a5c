"""The table of correct consumers, and how each is started on a free loopback port and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

FOLDER = Path(__file__).parent
USER, PASSWORD = "acme", "pä:ss wörd"

PYTHON = (sys.executable,)
GUNICORN = (sys.executable, "-m", "gunicorn", "--log-level", "error", "--bind", "fd://{fd}")
UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "error", "--fd", "{fd}", "--factory")
NODE = ("node",)

COMMANDS: dict[str, tuple[str, ...]] = {
    "flask-memory-threads": (*PYTHON, "flask_memory.py"),
    "flask-sqlite-two-workers": (
        # Made once, before there are workers: two that switch a new database to WAL at once may find it locked.
        *(*GUNICORN, "--preload", "--workers", "2", "--worker-class", "gthread", "--threads", "4"),
        "flask_sqlite:from_environment()",
    ),
    "fastapi-sqlite-two-workers": (*UVICORN, "--workers", "2", "fastapi_models:from_environment"),
    "fastapi-memory-async": (*UVICORN, "fastapi_async:from_environment"),
    "django-sqlite-two-workers": (*GUNICORN, "--workers", "2", "django_orm:wsgi()"),
    "django-sqlite-asgi": (*UVICORN, "django_orm:asgi"),
    "aiohttp-memory-async": (*PYTHON, "aiohttp_memory.py"),
    "aiohttp-sqlite-threads": (*PYTHON, "aiohttp_sqlite.py"),
    "node-http-memory": (*NODE, "node_http.mjs"),
    "express-file": (*NODE, "express_file.mjs"),
}
"""All of them."""

SOAKED = (*UVICORN, "--no-access-log", "soaked:from_environment")
"""What the soak is sent to; it is no consumer to learn from."""


@dataclass(frozen=True)
class Started:
    """A consumer that answers."""

    url: str
    """Without a slash at its end; `/hook` and `/processed` are below it."""
    process: subprocess.Popen[bytes]


def missing(name: str) -> str | None:
    """What it needs that is not there."""
    if COMMANDS[name][0] == "node":
        if shutil.which("node") is None:
            return "no Node.js"
        if not (FOLDER / "node_modules").exists():
            return "npm install --prefix tests/consumers --no-package-lock"
    return None


@contextlib.contextmanager
def started(name: str, store: Path) -> Iterator[Started]:
    """The consumer of that name, with a file of that name for what it stores, if it does, until the context ends."""
    with started_by(COMMANDS[name], store) as consumer:
        yield consumer


@contextlib.contextmanager
def started_by(command: tuple[str, ...], store: Path) -> Iterator[Started]:
    """The same for a command that is not in the table."""
    # The socket listens before the process is there: nothing has to be tried again until it answers.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        fd = listening.fileno()
        process = subprocess.Popen(
            [part.format(fd=fd) for part in command],
            cwd=FOLDER,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
                "CONSUMER_USER": USER,
                "CONSUMER_PASSWORD": PASSWORD,
                "CONSUMER_STORE": str(store),
                "CONSUMER_FD": str(fd),
            },
            pass_fds=(fd,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Its group, so that its workers end with it.
            start_new_session=True,
        )
    try:
        with requests.get(f"{url}/processed", timeout=60) as answer:
            assert answer.status_code == 200, answer.text
        yield Started(url, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
