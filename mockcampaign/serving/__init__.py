"""Serve an ASGI application on a real port, in a thread or until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import uvicorn

from mockcampaign.errors import InvalidInputError, sockets_blocked
from mockcampaign.serving.http_limits import BoundedProtocol
from mockcampaign.wallclock import keep_real_time

# Nothing here uses websockets, whose libraries are slow to import, or the headers of a proxy in front.
_SETTINGS: Mapping[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "timeout_graceful_shutdown": 1,
    "http": BoundedProtocol,
    "ws": "none",
    "proxy_headers": False,
}
_TICK_SECONDS = 0.1
"""Ten ticks are one second of the Date header."""
_POLL_SECONDS = 0.002
"""How often a server that ends looks whether its connections are closed."""


def _nothing() -> None:
    pass


class _Server(uvicorn.Server):
    """Ends without uvicorn's pauses, which add up to 0.2 s: as soon as it is asked to, and its connections are closed.

    Calls `ending` before it waits for open requests, so that endless responses can end.
    """

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()

    def ask_to_end(self) -> None:
        """Let the server end. May be called from any thread, and from a handler of a signal."""
        self.should_exit = True
        # A loop that is closed has ended the server already.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._asked.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._asked.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        state = self.server_state
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while (state.connections or state.tasks) and not self.force_exit:
                    await asyncio.sleep(_POLL_SECONDS)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            logging.getLogger("uvicorn.error").error(
                "Cancel %s running task(s), timeout graceful shutdown exceeded", len(state.tasks)
            )
            for task in state.tasks:
                task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
        if not self.force_exit:
            await self.lifespan.shutdown()


class _ThreadedServer(_Server):
    """Runs in a thread, and leaves signals to the owner of the process."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config, ending)
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # If the start fails, some versions of uvicorn exit, and others only leave this flag unset.
        if self.started:
            self.ready.set()


class _SignalledServer(_Server):
    """Ends on a signal without raising it again, because that is the normal end of this server."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config, ending)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.ask_to_end()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def import_app(where: str) -> Any:
    """Return the application that `MODULE:NAME` names, relative to the current folder.

    Raises `InvalidInputError` if it cannot be imported or is not callable.
    """
    from uvicorn.importer import ImportFromStringError, import_from_string

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        app = import_from_string(where)
    except ImportFromStringError as error:
        raise InvalidInputError(f"application {where!r}: {str(error).rstrip('.')}, allowed: MODULE:NAME") from None
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise InvalidInputError(
            f"application {where!r}: its module fails at {last.filename}:{last.lineno} with "
            f"{type(error).__name__}: {error}, allowed: MODULE:NAME"
        ) from error
    if not callable(app):
        raise InvalidInputError(f"application {where!r}: not callable: {app!r:.60}, allowed: MODULE:NAME")
    return app


@contextlib.contextmanager
def serve_in_thread(
    app: Any, *, host: str = "127.0.0.1", port: int = 0, ending: Callable[[], None] = _nothing
) -> Iterator[str]:
    """Serve `app` while the context is open; yields the base URL without a trailing slash. Port 0 picks a free port.

    Calls `ending` in the application's thread before it waits for open requests. Raises `InvalidInputError` if the
    address is taken or not of this machine, or the application fails to start.
    """
    listening = listen(host, port)
    config = uvicorn.Config(app, **_SETTINGS)
    server = _ThreadedServer(config, ending)
    # This context starts and joins the thread, so that it never outlives the context.
    thread = threading.Thread(target=_serve, args=(server, listening, config), name="mockcampaign-served")
    thread.start()
    try:
        while not server.ready.wait(0.05):
            if not thread.is_alive():
                raise InvalidInputError("the application did not start; see its own message above")
        yield base_url("http", host, listening)
    finally:
        server.ask_to_end()
        thread.join()
        listening.close()


def base_url(scheme: str, host: str, listening: socket.socket) -> str:
    """Return the URL of a listening socket without a trailing slash; loopback if it listens on all addresses."""
    address, port = listening.getsockname()[:2]
    # The socket's own address, because "all addresses" has several spellings.
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, host)
    name = f"[{shown}]" if ":" in shown else shown
    return f"{scheme}://{name}:{port}"


async def serve_until_signalled(
    app: Any,
    listening: socket.socket,
    *,
    tls_files: tuple[str, str] | None,
    ready: Callable[[], None],
    ending: Callable[[], None] = _nothing,
) -> None:
    """Serve until SIGINT or SIGTERM; a second SIGINT ends at once. `tls_files`: certificate chain and key.

    Calls `ready` when the server accepts requests, and `ending` before it waits for open requests. Works only in the
    main thread, whose signals it handles. Raises `InvalidInputError` if the TLS files are not usable.
    """
    if tls_files is not None:
        check_tls_files(*tls_files)
    certificate, key = tls_files or (None, None)
    config = uvicorn.Config(
        app,
        **_SETTINGS,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = _SignalledServer(config, ready, ending)
    await server.serve(sockets=[listening])


def _serve(server: _ThreadedServer, listening: socket.socket, config: uvicorn.Config) -> None:
    # uvicorn exits if the application fails to start, after it has logged the reason; `serve_in_thread` raises.
    new_loop = config.get_loop_factory() or asyncio.new_event_loop
    with contextlib.suppress(SystemExit), asyncio.Runner(loop_factory=lambda: keep_real_time(new_loop())) as runner:
        runner.run(server.serve(sockets=[listening]))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `InvalidInputError` if the address is taken or not of this machine."""
    # An empty host would mean all addresses, and most likely comes from an unset variable.
    if not host or not host.isprintable():
        raise _cannot_listen(repr(host), port, "not a host name")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
    except RuntimeError as error:
        raise sockets_blocked(error) or error from None
    try:
        if os.name == "posix":
            # Otherwise the port stays taken for a minute after its last connection. On Windows, the option would also
            # share a port that is in use.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError, TypeError) as error:
        listening.close()
        raise _cannot_listen(host, port, getattr(error, "strerror", None) or str(error)) from None
    return listening


def _cannot_listen(host: str, port: int, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"cannot listen on {host} port {port}: {why}, allowed: an address of this machine and a free port, "
        "or 0 to pick one"
    )


def check_tls_files(certificate: str, key: str) -> None:
    """Raises `InvalidInputError` unless the files are a certificate chain and its key, both in PEM format."""
    try:
        # Without a pass phrase here, OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise InvalidInputError(
            f"certificate {certificate} and key {key}: {why}, allowed: two PEM files that belong together, "
            "the key without a pass phrase"
        ) from None
