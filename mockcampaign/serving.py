"""Serving an ASGI application on a real port, from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
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


@contextlib.contextmanager
def served(app: Any, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` while the context is open; gives the base URL, without a slash at its end. Port 0 picks a free one.

    Raises `InvalidInputError` where the address is taken or not ours.
    """
    listening = _listen(host, port)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = _ThreadedServer(config)
    # Started and ended here, so that the thread never outlives the context.
    thread = threading.Thread(target=_serve, args=(server, listening, config), name="mockcampaign-served")
    thread.start()
    try:
        while not server.ready.wait(0.05):
            if not thread.is_alive():
                raise InvalidInputError("the application did not start; its own message stands above")
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _serve(server: _ThreadedServer, listening: socket.socket, config: uvicorn.Config) -> None:
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listening]))


def _listen(host: str, port: int) -> socket.socket:
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
