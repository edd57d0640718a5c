"""Real databases, each in a folder of its own and on a free port, until the context ends."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from endpoints import unused_port


def missing_program(*programs: str) -> str | None:
    """Return the first of these programs and files that is not there."""
    return next((one for one in programs if not (Path(one).exists() or shutil.which(one))), None)


def postgresql_program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL, or its name if there is none."""
    return next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), name)


POSTGRESQL = (postgresql_program("initdb"),)
MARIADB = ("mariadb-install-db", "mariadbd")
REDIS = ("redis-server",)


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Return a folder with a short path, which sockets need, and which users of databases may enter."""
    with tempfile.TemporaryDirectory(prefix="sql") as found:
        Path(found).chmod(0o755)
        yield Path(found)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[int]:
    """Run PostgreSQL, whose user `h` needs no password, and return its port."""
    home, port = folder / "pg", unused_port()
    home.mkdir()
    options = _unprivileged("postgres", home)
    making = [*POSTGRESQL, "-D", str(home / "d"), "-A", "trust", "-U", "h", "--no-sync"]
    subprocess.run(making, check=True, capture_output=True, cwd=home, **options)
    serving = [postgresql_program("postgres"), "-D", str(home / "d"), "-p", str(port), "-k", str(home), "-F"]
    # It accepts connections before it is ready.
    with _running([*serving, "-h", "127.0.0.1"], lambda: _is_ready(home, port), cwd=home, **options):
        yield port


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[int]:
    """Run MariaDB, whose user `root` needs no password, and return its port."""
    home, port = folder / "my", unused_port()
    home.mkdir()
    options = _unprivileged("mysql", home)
    data = f"--datadir={home / 'd'}"
    making = ["mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal"]
    subprocess.run(making, check=True, capture_output=True, cwd=home, **options)
    rest = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home / 's'}", f"--pid-file={home / 'p'}"]
    serving = [shutil.which("mariadbd") or "mariadbd", "--no-defaults", data, *rest]
    with _running(serving, lambda: _accepts(socket.AF_INET, ("127.0.0.1", port)), cwd=home, **options):
        yield port


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Path]:
    """Run Redis, which writes each command to its file before it responds, and return the path of its socket."""
    path = folder / "redis"
    writing = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(folder)]
    serving = [*REDIS, "--port", "0", "--unixsocket", str(path), *writing]
    with _running(serving, lambda: _accepts(socket.AF_UNIX, str(path))):
        yield path


def _unprivileged(user: str, folder: Path) -> dict[str, Any]:
    """Return how to run a program as a user that databases accept, and give it the folder."""
    if os.getuid():
        return {}
    shutil.chown(folder, user)
    return {"user": user, "extra_groups": []}


def _is_ready(home: Path, port: int) -> bool:
    asking = [postgresql_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asking, cwd=home, check=False).returncode == 0


def _accepts(family: socket.AddressFamily, address: tuple[str, int] | str) -> bool:
    with socket.socket(family) as trying:
        return trying.connect_ex(address) == 0


@contextlib.contextmanager
def _running(command: list[str], is_ready: Callable[[], bool], **options: Any) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options) as server:
        try:
            while not is_ready():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"{command[0]} ended with status {server.wait(0.1)}")
            yield
        finally:
            server.terminate()


@contextlib.contextmanager
def all_closed() -> Iterator[None]:
    """Fail if SQLAlchemy opens no connection meanwhile, or one of them is still open at the end."""
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    opened: list[object] = []
    closed: list[object] = []
    listeners = (("connect", lambda one, _: opened.append(one)), ("close", lambda one, _: closed.append(one)))
    for name, listener in listeners:
        event.listen(Pool, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(Pool, name, listener)
    assert opened
    assert [one for one in opened if not any(one is other for other in closed)] == []
