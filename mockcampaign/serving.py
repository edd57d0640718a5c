"""Serving an ASGI application on a real port, from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn

from mockcampaign.errors import InvalidInputError

# Nothing here speaks over websockets, whose libraries take their time to be imported, or asks what a proxy in front
# says of its clients.
_SETTINGS: Mapping[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "timeout_graceful_shutdown": 1,
    "ws": "none",
    "proxy_headers": False,
}


def _nothing() -> None:
    pass


class _Server(uvicorn.Server):
    """Tells when it ends, so that answers without an end come to theirs before they are waited for."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


class _ThreadedServer(_Server):
    """Leaves signals to whoever owns the process."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config, ending)
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Not started: some versions of uvicorn say so by exiting, others by this alone.
        if self.started:
            self.ready.set()


class _SignalledServer(_Server):
    """Ends on a signal, without raising it again afterwards: to be ended is the normal end of a server."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config, ending)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def import_app(where: str) -> Any:
    """The application that `MODULE:NAME` names, as seen from the current folder.

    Raises `InvalidInputError` where it cannot be imported, or is nothing that can be called.
    """
    from uvicorn.importer import ImportFromStringError, import_from_string

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        app = import_from_string(where)
    except ImportFromStringError as error:
        raise InvalidInputError(f"application {where!r}: {error}, allowed: MODULE:NAME") from None
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise InvalidInputError(
            f"application {where!r}: its module fails at {last.filename}:{last.lineno} with "
            f"{type(error).__name__}: {error}, allowed: MODULE:NAME"
        ) from error
    if not callable(app):
        raise InvalidInputError(f"application {where!r}: no application, but {app!r:.60}, allowed: MODULE:NAME")
    return app


@contextlib.contextmanager
def serve_in_thread(
    app: Any, *, host: str = "127.0.0.1", port: int = 0, ending: Callable[[], None] = _nothing
) -> Iterator[str]:
    """Serve `app` while the context is open; gives the base URL, without a slash at its end. Port 0 picks a free one.

    `ending` is called in the application's own thread before requests under way are waited for.

    Raises `InvalidInputError` where the address is taken or not ours, or the application fails at its start.
    """
    listening = listen(host, port)
    config = uvicorn.Config(app, **_SETTINGS)
    server = _ThreadedServer(config, ending)
    # Started and ended here, so that the thread never outlives the context.
    thread = threading.Thread(target=_serve, args=(server, listening, config), name="mockcampaign-served")
    thread.start()
    try:
        while not server.ready.wait(0.05):
            if not thread.is_alive():
                raise InvalidInputError("the application did not start; its own message stands above")
        yield base_url("http", host, listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def base_url(scheme: str, host: str, listening: socket.socket) -> str:
    """The URL of a listening socket, without a slash at its end; loopback for one that listens everywhere."""
    address, port = listening.getsockname()[:2]
    # By the socket's own address, since everywhere has several spellings.
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
    """Serve until SIGINT or SIGTERM; a second SIGINT ends without grace. `tls_files`: certificate chain and key.

    `ready` is called once requests are answered, `ending` before those under way are waited for. Needs the main thread,
    whose signals it takes. Raises `InvalidInputError` as `check_tls_files` does.
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
    # By that uvicorn says, after the reason, that the application failed at its start; `serve_in_thread` raises.
    with contextlib.suppress(SystemExit), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listening]))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `InvalidInputError` where the address is taken or not ours."""
    # An empty host would mean everywhere, and is most likely a variable that nobody set.
    if not host or not host.isprintable():
        raise _cannot_listen(repr(host), port, "no name of a host")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Without it, a port stays taken for a minute after the last connection on it. It does not share a live one;
            # on Windows it would.
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
    """Raises `InvalidInputError` unless the paths lead to a certificate chain and its key, both PEM."""
    try:
        # With a pass phrase of our own: without one, OpenSSL would ask for it at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise InvalidInputError(
            f"certificate {certificate} and key {key}: {why}, allowed: two PEM files that belong together, "
            "the key without a pass phrase"
        ) from None
