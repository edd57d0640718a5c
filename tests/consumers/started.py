"""The table of correct consumers, and how each is started on a free loopback port and ended."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

import databases
from mockcampaign.policy import SECOND
from mockcampaign.transport.wire import wait_until_reachable

FOLDER = Path(__file__).parent
USER, PASSWORD = "acme", "pä:ss wörd"

JARS = ("jackson-core", "jackson-annotations", "jackson-databind", "postgresql")

PYTHON = (sys.executable,)
GUNICORN = (sys.executable, "-m", "gunicorn", "--log-level", "error", "--bind", "fd://{fd}")
UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "error", "--fd", "{fd}", "--factory")
NODE = ("node",)
PUMA = ("env", "PUMA_INHERIT_0={fd}:tcp://127.0.0.1:{port}", "puma", "--quiet", "--bind", "tcp://127.0.0.1:{port}")
# It compiles less, since it runs for seconds.
JAVA = (
    "java",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "--class-path",
    ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS),
)
# The table is made before there are workers.
PHP = ("sh", "-c", 'php "$0" && PHP_CLI_SERVER_WORKERS=4 exec php -S 127.0.0.1:{port} "$0"')
PDO_MYSQL = next(iter(glob.glob("/usr/lib/php/*/pdo_mysql.so")), "pdo_mysql.so")
# `go run` would keep the listening socket to itself.
GO = ("sh", "-c", 'go build -o "$CONSUMER_STORE.program" "$0" && exec "$CONSUMER_STORE.program"')

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
    "fastify-postgresql": (*NODE, "fastify_postgresql.mjs"),
    "php-mariadb-four-workers": (*PHP, "php_mariadb.php"),
    "java-postgresql": (*JAVA, "JavaPostgresql.java"),
    "go-redis": (*GO, "go_redis.go"),
    "ruby-sqlite-two-workers": (*PUMA, "--workers", "2", "--threads", "4:4", "--preload", "ruby_sqlite.ru"),
}
"""All of them."""

BINDS_ITSELF = frozenset({"java-postgresql", "php-mariadb-four-workers"})
"""Those that cannot be given a socket that listens already, and bind the port `CONSUMER_PORT`."""


@contextlib.contextmanager
def _postgresql(url: str) -> Iterator[str]:
    with databases.short_folder() as folder, databases.postgresql(folder) as port:
        yield url.format(port=port)


@contextlib.contextmanager
def _mariadb() -> Iterator[str]:
    with databases.short_folder() as folder, databases.mariadb(folder) as port:
        yield f"mysql:host=127.0.0.1;port={port};dbname=test;charset=utf8mb4"


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    with databases.short_folder() as folder, databases.redis(folder) as path:
        yield str(path)


SERVED: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "fastify-postgresql": lambda: _postgresql("postgresql://h@127.0.0.1:{port}/postgres"),
    "php-mariadb-four-workers": _mariadb,
    "java-postgresql": lambda: _postgresql("jdbc:postgresql://127.0.0.1:{port}/postgres?user=h"),
    "go-redis": _redis,
}
"""Stores that are servers; the value is what `CONSUMER_STORE` says."""

NEEDS: dict[str, tuple[str, ...]] = {
    "fastify": databases.POSTGRESQL,
    "php": ("php", PDO_MYSQL, *databases.MARIADB),
    "java": ("java", *(f"/usr/share/java/{jar}.jar" for jar in JARS), *databases.POSTGRESQL),
    "go": ("go", *databases.REDIS),
    "ruby": ("ruby", "puma", "rackup"),
}
"""Programs and files that consumers of a language need, by the first word of a consumer's name."""

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
    lacking = databases.missing_program(*NEEDS.get(name.partition("-")[0], ()))
    return lacking and f"no {lacking}"


@contextlib.contextmanager
def started(name: str, store: Path) -> Iterator[Started]:
    """The consumer of that name, with a file of that name for what it stores, if it does, until the context ends."""
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(SERVED[name]()) if name in SERVED else store
        yield stack.enter_context(started_by(COMMANDS[name], kept, binds_itself=name in BINDS_ITSELF))


@contextlib.contextmanager
def started_by(command: tuple[str, ...], store: Path | str, *, binds_itself: bool = False) -> Iterator[Started]:
    """The same for a command that is not in the table."""
    # The socket listens before the process is there: nothing has to be tried again until it answers.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd, port = listening.fileno(), listening.getsockname()[1]
        if binds_itself:
            listening.close()
        process = subprocess.Popen(
            [part.format(fd=fd, port=port) for part in command],
            cwd=FOLDER,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
                "CONSUMER_USER": USER,
                "CONSUMER_PASSWORD": PASSWORD,
                "CONSUMER_STORE": str(store),
                "CONSUMER_FD": str(fd),
                "CONSUMER_PORT": str(port),
            },
            pass_fds=() if binds_itself else (fd,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Its group, so that its workers end with it.
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        assert not binds_itself or asyncio.run(wait_until_reachable(url, 60 * SECOND)), command
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
