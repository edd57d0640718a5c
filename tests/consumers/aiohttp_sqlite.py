"""aiohttp with SQLite, which does its work in a thread; the occurrences of equal events of one list are counted."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

from aiohttp import web

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (payload TEXT, occurrence INTEGER, PRIMARY KEY (payload, occurrence));
"""


def add(path: str, events: list[dict[str, Any]]) -> None:
    occurrences: Counter[str] = Counter()
    rows = []
    for event in events:
        # JSON may contain halves of characters, which SQLite cannot store.
        payload = json.dumps(event, sort_keys=True, ensure_ascii=False)
        payload = payload.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        occurrences[payload] += 1
        rows.append((payload, occurrences[payload]))
    with closing(sqlite3.connect(path, timeout=30)) as database, database:
        database.executemany("INSERT INTO event VALUES (?, ?) ON CONFLICT DO NOTHING", rows)


def all_of(path: str) -> str:
    with closing(sqlite3.connect(path, timeout=30)) as database:
        # Joined by SQLite, with commas.
        [(payloads,)] = database.execute("SELECT group_concat(payload) FROM event").fetchall()
    return f"[{payloads or ''}]"


def make_app(*, user: str, password: str, store: str | None = None) -> web.Application:
    path = store or os.environ["CONSUMER_STORE"]
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)

    @web.middleware
    async def authenticate(request: web.Request, handler: Any) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if request.path != "/processed" and (scheme.lower(), given) != ("basic", token):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        answer: web.StreamResponse = await handler(request)
        return answer

    async def hook(request: web.Request) -> web.Response:
        try:
            events = await request.json()
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not (isinstance(events, list) and all(isinstance(event, dict) for event in events)):
            return web.Response(status=400)
        await asyncio.to_thread(add, path, events)
        return web.json_response({"ok": True})

    async def processed(request: web.Request) -> web.Response:
        return web.Response(text=await asyncio.to_thread(all_of, path), content_type="application/json")

    app = web.Application(middlewares=[authenticate])
    app.router.add_post("/hook", hook)
    app.router.add_get("/processed", processed)
    return app


if __name__ == "__main__":
    app = make_app(user=os.environ["CONSUMER_USER"], password=os.environ["CONSUMER_PASSWORD"])
    web.run_app(app, sock=socket.socket(fileno=int(os.environ["CONSUMER_FD"])), print=None, access_log=None)
