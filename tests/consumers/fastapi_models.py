"""FastAPI with a pydantic model and SQLite, in threads and several processes.

It keeps the fields that it knows, leaves others out, and shows absent ones as null.
"""

from __future__ import annotations

import base64
import os
import secrets
import sqlite3
from contextlib import closing
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, model_validator


class Event(BaseModel):
    type: str
    recipientId: str  # noqa: N815  (the vendor's spelling)
    userListId: int  # noqa: N815
    clientId: int  # noqa: N815
    mailingId: int  # noqa: N815
    created: int
    subscriptionId: int  # noqa: N815
    mailId: str  # noqa: N815
    remoteAddress: str | None = None  # noqa: N815
    device: str | None = None
    operatingSystem: str | None = None  # noqa: N815
    browser: str | None = None
    link: str | None = None
    category: str | None = None
    mediaTypesToAddresses: dict[str, str] | None = None  # noqa: N815

    @model_validator(mode="before")
    @classmethod
    def without_halves_of_characters(cls, given: Any) -> Any:
        """JSON may contain them, pydantic rejects them, and FastAPI cannot even write the response that says so."""
        if not isinstance(given, dict):
            return given
        return {
            name: value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if isinstance(value, str)
            else value
            for name, value in given.items()
        }


def make_app(*, user: str, password: str, store: str | None = None) -> FastAPI:
    app = FastAPI()
    path = store or os.environ["CONSUMER_STORE"]
    wanted = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    def connect() -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(path, timeout=30))

    with connect() as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE IF NOT EXISTS event (payload TEXT PRIMARY KEY)")

    def authorized(authorization: Annotated[str, Header()] = "") -> None:
        # FastAPI's own HTTPBasic takes ASCII only.
        if not secrets.compare_digest(authorization.encode(), wanted.encode()):
            raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})

    @app.post("/hook", dependencies=[Depends(authorized)])
    def hook(events: list[Event]) -> dict[str, int]:
        with connect() as database, database:
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO event VALUES (?)", [(event.model_dump_json(),) for event in events]
            )
            return {"new": database.total_changes - before}

    @app.get("/processed")
    def processed() -> Response:
        with connect() as database:
            # As they are stored, joined by SQLite with commas: a model of each would take most of the time of a check,
            # which reads them many times.
            [(payloads,)] = database.execute("SELECT group_concat(payload) FROM event").fetchall()
        return Response(f"[{payloads or ''}]", media_type="application/json")

    return app


def from_environment() -> FastAPI:
    """For uvicorn."""
    return make_app(user=os.environ["CONSUMER_USER"], password=os.environ["CONSUMER_PASSWORD"])
