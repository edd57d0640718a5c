"""Kills the process that it started before, if there is one, and starts it anew.

python tests/helpers/restarted.py FOLDER COMMAND...
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def restart(folder: Path, command: list[str]) -> None:
    """Its process id is kept in the folder."""
    end(folder)
    # A session of its own, so that it outlives this one.
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
    )
    (folder / "pid").write_text(str(process.pid))


def end(folder: Path) -> None:
    """Kill it, as a crash would."""
    path = folder / "pid"
    if path.exists():
        os.kill(int(path.read_text()), signal.SIGKILL)
        path.unlink()


if __name__ == "__main__":
    restart(Path(sys.argv[1]), sys.argv[2:])
