"""SQLite under uvicorn, without a framework: keeps what each webhook brought, and how often.

It commits before it answers, and then answers one list in fifty with 503, as a consumer does whose answer fails after
its commit.
"""

from __future__ import annotations

import itertools
import os
import sqlite3

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REFUSED_EVERY = 50

TABLE = "CREATE TABLE received (webhook INTEGER, n INTEGER, times INTEGER, PRIMARY KEY (webhook, n)) WITHOUT ROWID"
KEEP = "INSERT INTO received VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1"


class Event(msgspec.Struct):
    n: int


def from_environment() -> ASGIApp:
    """The application. Its database is the file `CONSUMER_STORE`, which is new."""
    database = sqlite3.connect(os.environ["CONSUMER_STORE"])
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(TABLE)
    lists = itertools.count(1)
    decoder = msgspec.json.Decoder(list[Event])

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        status, body = 200, b""
        if scope["path"] == "/processed":
            rows = database.execute("SELECT webhook, n, times FROM received ORDER BY webhook, n").fetchall()
            body = msgspec.json.encode(rows)
        else:
            message: Message = {"more_body": True}
            pieces = []
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                pieces.append(message["body"])
            webhook = int(scope["path"].removeprefix("/hook/"))
            events = decoder.decode(b"".join(pieces))
            with database:
                database.executemany(KEEP, [(webhook, event.n) for event in events])
            status = 200 if next(lists) % REFUSED_EVERY else 503
        length = b"%d" % len(body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body})

    return application
