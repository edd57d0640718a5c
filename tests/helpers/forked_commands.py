"""Commands in copies of a process that has imported `mockcampaign` already, which takes most of a command's time.

Run as a program, it is that process: for each request on the socket that is its only argument, it forks one copy,
which becomes the command, and responds with its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, NoReturn

PATIENCE = 120
"""Seconds until a command that somebody waits for is killed."""
IS_SUPPORTED = sys.platform == "linux"
"""On macOS, copies of a process that has used the system's libraries may die."""

_one_at_a_time = threading.Lock()


class ForkedCommand:
    """A command that runs, with those methods of `subprocess.Popen` that tests need."""

    def __init__(self, arguments: list[str], pid: int, status: socket.socket, stdout: IO[str]) -> None:
        self.args, self.pid, self.stdout = arguments, pid, stdout
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        if (status := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end, and return what it has written."""
        said: list[str] = []
        if not self.stdout.closed:
            reader = threading.Thread(target=lambda: said.append(self.stdout.read()), daemon=True)
            reader.start()
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.stdout.close()
        self.wait(timeout)
        return "".join(said), None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            ready, _, _ = select.select([self._status], [], [], timeout)
            if ready:
                with self._status:
                    self.returncode = int.from_bytes(self._status.recv(4), "big", signed=True)
        return self.returncode


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return how the command ended, and what it wrote."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        _, status = _fork(arguments, folder, environment, printed.fileno(), said.fileno(), PATIENCE)
        with status:
            code = int.from_bytes(status.recv(4), "big", signed=True)
        return subprocess.CompletedProcess(arguments, code, _text(printed), _text(said))


def start(arguments: list[str], folder: Path, environment: dict[str, str]) -> ForkedCommand:
    """Start the command. What it prints, both to its output and as errors, is in `stdout`."""
    reader, writer = os.pipe()
    pid, status = _fork(arguments, folder, environment, writer, writer, 0)
    os.close(writer)
    return ForkedCommand(arguments, pid, status, open(reader, encoding="utf-8"))


def _fork(
    arguments: list[str], folder: Path, environment: dict[str, str], stdout: int, stderr: int, seconds: int
) -> tuple[int, socket.socket]:
    """Return the process's id, and the socket that will say how it ended."""
    ours, its = socket.socketpair()
    request = json.dumps([arguments, str(folder), environment, seconds]).encode()
    with its, _one_at_a_time:
        process = _warm_process(frozenset(_of_interpreter(os.environ).items()))
        process.sendall(len(request).to_bytes(4, "big"))
        socket.send_fds(process, [request[:1]], [stdout, stderr, its.fileno()])
        process.sendall(request[1:])
    return int.from_bytes(ours.recv(4, socket.MSG_WAITALL), "big"), ours


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
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the commands
    while length := requests.recv(4, socket.MSG_WAITALL):
        first, passed, _, _ = socket.recv_fds(requests, 1, 3)
        request = first + requests.recv(int.from_bytes(length, "big") - 1, socket.MSG_WAITALL)
        if not os.fork():
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with socket.socket(fileno=passed.pop()) as status:
                if child := os.fork():
                    _tell_how_it_ends(child, status)
            return _become(*json.loads(request), passed)
        for descriptor in passed:
            os.close(descriptor)
    return 0


def _tell_how_it_ends(child: int, status: socket.socket) -> NoReturn:
    status.sendall(child.to_bytes(4, "big"))
    _, ended = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        status.sendall(os.waitstatus_to_exitcode(ended).to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(arguments: list[str], folder: str, environment: dict[str, str], seconds: int, streams: list[int]) -> int:
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    # Those of the first process may be files, in which one can seek.
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, sys.stderr.encoding, "backslashreplace", closefd=False)  # noqa: SIM115
    signal.alarm(seconds)
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
