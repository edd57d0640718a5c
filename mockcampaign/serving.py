"""Serving an ASGI application on a real port, from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from mockcampaign.errors import InvalidInputError


class _ThreadedServer(uvicorn.Server):
    """Leaves signals to whoever owns the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _SignalledServer(uvicorn.Server):
    """Ends on a signal, without raising it again afterwards: to be ended is the normal end of a server."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
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


@contextlib.contextmanager
def served(app: Any, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` while the context is open; gives the base URL, without a slash at its end. Port 0 picks a free one.

    Raises `InvalidInputError` where the address is taken or not ours.
    """
    listening = listen(host, port)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = _ThreadedServer(config)
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
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    name = f"[{shown}]" if ":" in shown else shown
    return f"{scheme}://{name}:{listening.getsockname()[1]}"


async def serve_until_signalled(
    app: Any, listening: socket.socket, *, tls_files: tuple[str, str] | None, ready: Callable[[], None]
) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends without grace. `tls_files`: certificate chain and key.

    `ready` is called once requests are answered. Needs the main thread, whose signals it takes.
    """
    certificate, key = tls_files or (None, None)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = _SignalledServer(config, ready)
    await server.serve(sockets=[listening])


def _serve(server: _ThreadedServer, listening: socket.socket, config: uvicorn.Config) -> None:
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listening]))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `InvalidInputError` where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it, a port stays taken for a minute after the last connection on it; it does not share a live one.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise InvalidInputError(
            f"cannot listen on {host} port {port}: {error.strerror or error}, allowed: a free port, or 0 to pick one"
        ) from None
    return listening
