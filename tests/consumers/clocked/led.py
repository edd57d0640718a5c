"""The table of consumers that look at the clock, and how each is started so that it follows."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

LANGUAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Python": (sys.executable, (sys.executable, "hook.py", "{port}")),
    "Node": ("node", ("node", "hook.js", "{port}")),
    "Java": ("java", ("java", "-XX:TieredStopAtLevel=1", "Hook.java", "{port}")),
    "PHP": ("php", ("php", "-d", "log_errors=0", "-S", "127.0.0.1:{port}", "hook.php")),
    "Ruby": ("ruby", ("ruby", "hook.rb", "{port}")),
    "Go": ("go", ("{folder}/hook", "{port}")),
}
"""The program that has to be installed for a language, and the command of its consumer."""


def require(language: str) -> None:
    """Skip the test where the language or libfaketime is missing, and fail instead in the CI."""
    lacking = [name for name in (LANGUAGES[language][0], "faketime") if shutil.which(name) is None]
    if lacking and "CI" not in os.environ:
        pytest.skip(f"no {' and no '.join(lacking)}")


def mockcampaign(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a command of the product."""
    return (sys.executable, "-m", "mockcampaign", *arguments)


def build_go(folder: Path, *, overlay: bool = True) -> None:
    """Compile the consumer in Go, with the overlay by which it follows."""
    options: tuple[str, ...] = ()
    if overlay:
        made = subprocess.run(
            mockcampaign("clock", "go-overlay", "--folder", str(folder)), check=True, capture_output=True, text=True
        )
        options = ("-overlay", made.stdout.strip())
    subprocess.run(("go", "build", *options, "-o", str(folder / "hook"), "hook.go"), cwd=FOLDER, check=True)


@contextlib.contextmanager
def led(command: tuple[str, ...], clock_file: Path) -> Iterator[str]:
    """Start a consumer by `clock run`, and yield its URL until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [word.format(port=port, folder=clock_file.parent) for word in command]
    process = subprocess.Popen(
        mockcampaign("clock", "run", "--clock-file", str(clock_file), "--", *words),
        cwd=FOLDER,
        env={**os.environ, "STORE": str(clock_file.parent / "store")},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # libfaketime up to 0.9.10 leaves them behind in a process that is killed.
        for name in ("sem.faketime_sem", "faketime_shm"):
            Path(f"/dev/shm/{name}_{process.pid}").unlink(missing_ok=True)
