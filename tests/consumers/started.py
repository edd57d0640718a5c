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
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import requests

import databases
from mockcampaign.policy import SECOND
from mockcampaign.transport.wire import wait_until_reachable
from mockcampaign.wallclock import ask_until, pause

FOLDER = Path(__file__).parent
USER, PASSWORD = "acme", "pä:ss wörd"

JARS = ("jackson-core", "jackson-annotations", "jackson-databind", "postgresql")

PYTHON = (sys.executable,)
GUNICORN = (sys.executable, "-m", "gunicorn", "--log-level", "error", "--bind", "fd://{fd}")
UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "error", "--fd", "{fd}", "--factory")
NODE = ("node",)
PUMA = ("env", "PUMA_INHERIT_0={fd}:tcp://127.0.0.1:{port}", "puma", "--quiet", "--bind", "tcp://127.0.0.1:{port}")
# Built once, and not at each restart. It compiles less while it runs, since it does so for seconds.
JAVA = (
    "sh",
    "-c",
    'test -e "$CONSUMER_BUILD/JavaPostgresql.class" || javac -d "$CONSUMER_BUILD" --class-path "$1" "$0" || exit; '
    'exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC --class-path "$CONSUMER_BUILD:$1" JavaPostgresql',
    "JavaPostgresql.java",
    ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS),
)
# The table is made before there are workers.
PHP = ("sh", "-c", 'php "$0" && PHP_CLI_SERVER_WORKERS=4 exec php -S 127.0.0.1:{port} "$0"')
PHP_FPM = next(iter(sorted(glob.glob("/usr/sbin/php-fpm*"), reverse=True)), "php-fpm")
PDO_MYSQL = next(iter(glob.glob("/usr/lib/php/*/pdo_mysql.so")), "pdo_mysql.so")
# `go run` would keep the listening socket to itself.
GO = (
    "sh",
    "-c",
    'test -x "$CONSUMER_BUILD/program" || go build -o "$CONSUMER_BUILD/program" "$0" && exec "$CONSUMER_BUILD/program"',
)

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
    "php-fpm-mariadb": ("sh", "php_fpm.sh", PHP_FPM, "php_mariadb.php"),
    "java-postgresql": JAVA,
    "go-redis": (*GO, "go_redis.go"),
    "ruby-sqlite-two-workers": (*PUMA, "--workers", "2", "--threads", "4:4", "--preload", "ruby_sqlite.ru"),
}
"""All of them."""

BINDS_ITSELF = frozenset({"java-postgresql", "php-fpm-mariadb", "php-mariadb-four-workers"})
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
    "php-fpm-mariadb": _mariadb,
    "java-postgresql": lambda: _postgresql("jdbc:postgresql://127.0.0.1:{port}/postgres?user=h"),
    "go-redis": _redis,
}
"""Stores that are servers; the value is what `CONSUMER_STORE` says."""

NEEDS: dict[str, tuple[str, ...]] = {
    "fastify": databases.POSTGRESQL,
    "php": ("php", PDO_MYSQL, *databases.MARIADB),
    "php-fpm-mariadb": ("php", PHP_FPM, "nginx", PDO_MYSQL, *databases.MARIADB),
    "java": ("javac", *(f"/usr/share/java/{jar}.jar" for jar in JARS), *databases.POSTGRESQL),
    "go": ("go", *databases.REDIS),
    "ruby": ("ruby", "puma", "rackup"),
}
"""Programs and files that consumers need, by their names or else by the first words of these, which are languages."""

DOWN = 300
"""Milliseconds in which connections are refused after a crash. Otherwise the new process has the socket at once, and
responds to everything that was sent in between."""

SOAKED = (*UVICORN, "--no-access-log", "--lifespan", "off", "soaked:from_environment")
"""What the soak is sent to; it is no consumer to learn from."""


class Started:
    """A consumer that answers."""

    restart: Callable[[], Awaitable[None]]
    """Kills it with all its workers, as a crash would, and starts it again at its port, with its store."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        """Without a slash at its end; `/hook` and `/processed` are below it."""
        self.process = process

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def missing(name: str) -> str | None:
    """What it needs that is not there."""
    if COMMANDS[name][0] == "node":
        if shutil.which("node") is None:
            return "no Node.js"
        if not (FOLDER / "node_modules").exists():
            return "npm install --prefix tests/consumers --no-package-lock"
    lacking = databases.missing_program(*NEEDS.get(name, NEEDS.get(name.partition("-")[0], ())))
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
    with tempfile.TemporaryDirectory() as build:
        yield from _started(command, str(store), build, binds_itself=binds_itself)


def _started(command: tuple[str, ...], store: str, build: str, *, binds_itself: bool) -> Iterator[Started]:
    # The socket listens before the process is there: nothing has to be tried again until it answers.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = _launch(command, listening, store, build, binds_itself=binds_itself)
    consumer = Started(f"http://127.0.0.1:{port}", process)

    async def restart() -> None:
        consumer.kill()
        await pause(DOWN)
        bound = await ask_until(lambda: _bind(port), lambda found: found is not None, 30 * SECOND)
        assert bound is not None, f"port {port} is still used"
        with bound:
            consumer.process = _launch(command, bound, store, build, binds_itself=binds_itself)

    consumer.restart = restart
    try:
        assert not binds_itself or asyncio.run(wait_until_reachable(consumer.url, 60 * SECOND)), command
        with requests.get(f"{consumer.url}/processed", timeout=60) as answer:
            assert answer.status_code == 200, answer.text
        yield consumer
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(consumer.process.pid, signal.SIGTERM)
        try:
            consumer.process.wait(10)
        except subprocess.TimeoutExpired:
            consumer.kill()


async def _bind(port: int) -> socket.socket | None:
    """Return a socket that listens; None while workers that were killed still hold the port."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def _launch(
    command: tuple[str, ...], listening: socket.socket, store: str, build: str, *, binds_itself: bool
) -> subprocess.Popen[bytes]:
    # asyncio does so itself, but not where uvicorn treats the socket as another kind: responses would be 40 ms late.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fd, port = listening.fileno(), listening.getsockname()[1]
    if binds_itself:
        listening.close()
    return subprocess.Popen(
        [part.format(fd=fd, port=port) for part in command],
        cwd=FOLDER,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
            "CONSUMER_USER": USER,
            "CONSUMER_PASSWORD": PASSWORD,
            "CONSUMER_STORE": store,
            "CONSUMER_BUILD": build,
            "CONSUMER_FD": str(fd),
            "CONSUMER_PORT": str(port),
        },
        pass_fds=() if binds_itself else (fd,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Its group, so that its workers end with it.
        start_new_session=True,
    )
