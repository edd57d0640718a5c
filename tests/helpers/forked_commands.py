"""Commands in copies of a process that has imported `mockcampaign` already, which takes most of a command's time.

Run as a program, it is that process: for each request on the socket that is its only argument, it forks one copy,
which becomes the command, and responds with its exit status.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

PATIENCE = 120
"""Seconds until a command is killed."""
IS_SUPPORTED = sys.platform == "linux"
"""On macOS, copies of a process that has used the system's libraries may die."""

_one_at_a_time = threading.Lock()


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return how the command ended, and what it wrote."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said, _one_at_a_time:
        process = _warm_process(frozenset(_of_interpreter(os.environ).items()))
        request = json.dumps([arguments, str(folder), environment]).encode()
        process.sendall(len(request).to_bytes(4, "big"))
        socket.send_fds(process, [request[:1]], [printed.fileno(), said.fileno()])
        process.sendall(request[1:])
        status = int.from_bytes(process.recv(4, socket.MSG_WAITALL), "big", signed=True)
        return subprocess.CompletedProcess(arguments, status, _text(printed), _text(said))


def changes_the_interpreter(environment: dict[str, str]) -> bool:
    """Return whether some of it takes effect when Python starts, so that no copy shows it."""
    return bool(_of_interpreter(environment))


def _of_interpreter(environment: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


@functools.cache
def _warm_process(environment: frozenset[tuple[str, str]]) -> socket.socket:
    ours, its = socket.socketpair()
    command = [sys.executable, "-W", "error", __file__, str(its.fileno())]
    process = subprocess.Popen(command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
    its.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _import_all() -> None:
    """Import what commands import, now or when they are called."""
    for name in ("cli", "cli.commands", "check", "scenario", "report", "server", "judging", "recording", "load_test"):
        package = importlib.import_module(f"mockcampaign.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"mockcampaign.{name}."):
            importlib.import_module(module.name)
    gc.freeze()  # a copy that collected garbage would touch, and so copy, all of it


def _serve(requests: socket.socket) -> int:
    """Fork a copy for each request. Returns in the copies, with the command's exit status, and at the end."""
    while length := requests.recv(4, socket.MSG_WAITALL):
        first, streams, _, _ = socket.recv_fds(requests, 1, 2)
        request = first + requests.recv(int.from_bytes(length, "big") - 1, socket.MSG_WAITALL)
        child = os.fork()
        if not child:
            return _become(*json.loads(request), streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        requests.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    return 0


def _become(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> int:
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    signal.alarm(PATIENCE)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    sys.path[0] = folder
    try:
        runpy.run_module("mockcampaign", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        status = _serve(channel)
    sys.exit(status)
