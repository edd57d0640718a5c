"""aiohttp, asynchronous and in memory."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

from aiohttp import BasicAuth, web


def make_app(*, user: str, password: str, store: str | None = None) -> web.Application:
    events: dict[frozenset[Any], str] = {}

    async def hook(request: web.Request) -> web.Response:
        try:
            given = BasicAuth.decode(request.headers.get("Authorization", ""), encoding="utf-8")
        except ValueError:
            given = None
        if given is None or (given.login, given.password) != (user, password):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Basic"})
        try:
            batch = json.loads(await request.read())
        except (ValueError, RecursionError):
            raise web.HTTPBadRequest from None
        if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
            raise web.HTTPBadRequest
        for event in batch:
            key = frozenset((name, json.dumps(value)) for name, value in event.items())
            if key not in events:
                events[key] = json.dumps(event)
        return web.Response()

    async def processed(request: web.Request) -> web.Response:
        return web.json_response(text=f"[{','.join(events.values())}]")

    app = web.Application()
    app.add_routes([web.post("/hook", hook), web.get("/processed", processed)])
    return app


if __name__ == "__main__":
    app = make_app(user=os.environ["CONSUMER_USER"], password=os.environ["CONSUMER_PASSWORD"])
    web.run_app(app, sock=socket.socket(fileno=int(os.environ["CONSUMER_FD"])), print=None, access_log=None)
