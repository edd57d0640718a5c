"""Starlette and SQLite under uvicorn: keeps what each webhook brought, and how often.

It commits before it answers, and then answers one list in fifty with 503, as a consumer does whose answer fails after
its commit.
"""

from __future__ import annotations

import itertools
import os
import sqlite3

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

REFUSED_EVERY = 50

TABLE = "CREATE TABLE received (webhook INTEGER, n INTEGER, times INTEGER, PRIMARY KEY (webhook, n)) WITHOUT ROWID"
KEEP = "INSERT INTO received VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET times = times + 1"


class Event(msgspec.Struct):
    n: int


def from_environment() -> Starlette:
    """The application. Its database is the file `CONSUMER_STORE`, which is new."""
    database = sqlite3.connect(os.environ["CONSUMER_STORE"])
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(TABLE)
    lists = itertools.count(1)
    decoder = msgspec.json.Decoder(list[Event])

    async def hook(request: Request) -> Response:
        try:
            events = decoder.decode(await request.body())
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        webhook = request.path_params["webhook"]
        with database:
            database.executemany(KEEP, [(webhook, event.n) for event in events])
        return Response(status_code=200 if next(lists) % REFUSED_EVERY else 503)

    async def processed(_: Request) -> Response:
        rows = database.execute("SELECT webhook, n, times FROM received ORDER BY webhook, n").fetchall()
        return Response(msgspec.json.encode(rows), media_type="application/json")

    return Starlette(
        routes=[Route("/hook/{webhook:int}", hook, methods=["POST"]), Route("/processed", processed, methods=["GET"])]
    )
