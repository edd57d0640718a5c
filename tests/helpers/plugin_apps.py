"""Consumers for tests of the pytest plugin, and the runs in which they are tested.

The inner runs get this module as their conftest: whatever a test of the plugin needs is a fixture here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest


class App:
    """An ASGI consumer that records the events it has stored, and its start and stop."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.events: list[dict[str, Any]] = []
        self.life: list[str] = []
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                self.life.append(message["type"])
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        self.scopes.append(scope)
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        if self.status == 200:
            self.events += json.loads(body)
        await self.before_response()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def before_response(self) -> None:
        """Do more before the response, in subclasses."""

    def processed(self) -> list[dict[str, Any]]:
        return list(self.events)


class WsgiApp:
    """A WSGI consumer that records the events it has stored."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        self.events += json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"thank ", b"you"]

    def processed(self) -> list[dict[str, Any]]:
        return list(self.events)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def wsgi_app() -> WsgiApp:
    return WsgiApp()
