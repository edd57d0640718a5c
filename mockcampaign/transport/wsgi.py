"""Calls a WSGI application where the caller says, such as in a test's own thread, so that both see one database."""

from __future__ import annotations

import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mockcampaign.transport.inprocess import AsgiApp, AsgiTransport

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class DirectWsgiTransport(AsgiTransport):
    """Calls a WSGI application like a server with one thread, one request after the other.

    An application that takes longer than the time-out is not interrupted; the attempt times out anyway.
    """

    def __init__(
        self, app: WsgiApp, call_there: Callable[[Callable[[], WsgiResponse]], Awaitable[WsgiResponse]]
    ) -> None:
        """`call_there` calls a function in the application's thread."""
        super().__init__(_as_asgi(app, call_there), lifespan=False)


class WsgiResponse:
    """The response of a WSGI application."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """Serve as `start_response`, which the application may repeat with `exc_info` until the response ends."""
        if self.status and exc_info is None:
            raise RuntimeError("start_response was called twice")
        self.status = int(status.partition(" ")[0])
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.body.extend


def _as_asgi(app: WsgiApp, call_there: Callable[[Callable[[], WsgiResponse]], Awaitable[WsgiResponse]]) -> AsgiApp:
    async def call(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        response = await call_there(lambda: _call(app, _environ(scope, body)))
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": bytes(response.body)})

    return call


def _call(app: WsgiApp, environ: dict[str, Any]) -> WsgiResponse:
    response = WsgiResponse()
    pieces = app(environ, response.start)
    try:
        for piece in pieces:
            response.body += piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    if not response.status:
        raise RuntimeError("start_response was never called")
    return response


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    """Return the request as PEP 3333 describes it."""
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("ascii"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,  # it ends with the body, also without a Content-Length
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        # The body is complete here, since PEP 3333 has no bodies without a length.
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ
