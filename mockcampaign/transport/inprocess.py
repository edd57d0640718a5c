"""Calling an ASGI or WSGI application in this process, without sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from mockcampaign.model import NoAnswer, Outcome, Request, Responded, TimedOut
from mockcampaign.transport import consumer_headers
from mockcampaign.transport.address import parse_address

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

_logger = logging.getLogger(__name__)


class AsgiTransport:
    """Calls an ASGI 3 application, which is started (lifespan) before its first request and stopped by `aclose`."""

    def __init__(self, app: AsgiApp, *, lifespan: bool = True) -> None:
        self._app = app
        self._lifespan = _Lifespan(app) if lifespan else None

    async def send(self, request: Request) -> Outcome:
        """What came of the request; an exception in the application is what a server makes of it: status 500."""
        if self._lifespan is not None:
            await self._lifespan.start()
        call = _Call(request)
        try:
            async with asyncio.timeout(request.timeout / 1_000):
                await self._app(call.scope(), call.receive, call.send)
        except TimeoutError:
            return TimedOut("wait")
        except Exception:
            # The traceback helps whoever wrote the application; the sender only ever learns of the 500.
            _logger.exception("the application raised while answering %s %s", request.method, request.url)
        return call.outcome()

    async def aclose(self) -> None:
        """Stop the application."""
        if self._lifespan is not None:
            await self._lifespan.stop()


class WsgiTransport(AsgiTransport):
    """Calls a WSGI application, in a thread for each request under way."""

    def __init__(self, app: Any) -> None:
        from a2wsgi import WSGIMiddleware

        self._bridge = WSGIMiddleware(app)
        super().__init__(self._bridge, lifespan=False)

    async def aclose(self) -> None:
        """Stop the threads."""
        self._bridge.executor.shutdown()


class _Call:
    """One request and its answer, as ASGI sees them."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._body_left: bytes | None = request.body
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._body_bytes = 0
        self._complete = False

    def scope(self) -> dict[str, Any]:
        request, address = self._request, parse_address(self._request.url)
        path, _, query = address.path.partition("?")
        headers = [(b"host", address.host_header.encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in request.headers]
        headers.append((b"content-length", str(len(request.body)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "https" if address.tls else "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": (address.host, address.port),
        }

    async def receive(self) -> Message:
        body, self._body_left = self._body_left, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._complete:
            # As with a real connection: the client stays until the answer is complete.
            await asyncio.get_running_loop().create_future()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        elif message["type"] == "http.response.body" and not self._complete:
            body = message.get("body", b"")
            self._body_bytes += len(body)
            self._body += body[: max(0, self._request.response_body_bytes_kept - len(self._body))]
            self._complete = not message.get("more_body", False)

    def outcome(self) -> Outcome:
        if self._status is None:
            body = b"Internal Server Error"[: self._request.response_body_bytes_kept]
            return Responded(500, (("content-type", "text/plain; charset=utf-8"),), body, 21)
        if not self._complete:
            return NoAnswer("body", "connection closed within the answer's body")
        return Responded(self._status, consumer_headers(self._headers), bytes(self._body), self._body_bytes)


class _Lifespan:
    """Starts and stops an application; one that does not know lifespan is served without."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] | None = None

    async def start(self) -> None:
        if self._started is None:
            loop = asyncio.get_running_loop()
            self._started, self._stopped = loop.create_future(), loop.create_future()
            self._events.put_nowait({"type": "lifespan.startup"})
            self._task = asyncio.create_task(self._serve())
        await asyncio.shield(self._started)

    async def stop(self) -> None:
        if self._task is not None and self._stopped is not None:
            self._events.put_nowait({"type": "lifespan.shutdown"})
            await self._stopped
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _serve(self) -> None:
        assert self._started is not None
        assert self._stopped is not None
        try:
            await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._events.get, self._send)
        except Exception:
            if self._started.done():
                _logger.exception("the application raised in its lifespan")
        finally:
            for future in (self._started, self._stopped):
                if not future.done():
                    future.set_result(None)

    async def _send(self, message: Message) -> None:
        assert self._started is not None
        assert self._stopped is not None
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set_result(None)
            case "lifespan.startup.failed":
                _logger.error("the application's start-up failed: %s", message.get("message", ""))
                self._started.set_result(None)
            case "lifespan.shutdown.complete" | "lifespan.shutdown.failed":
                self._stopped.set_result(None)
