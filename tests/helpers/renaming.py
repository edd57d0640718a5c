"""A correct consumer whose probe has its own names for fields: `python renaming.py PORT`."""

from __future__ import annotations

import sys
import threading

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import BUGS, application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread

COLUMNS = {"mail_id": "mailId", "kind": "type", "recipient_id": "recipientId", "created_ms": "created"}
"""Columns of its table, and the fields that they store."""


def renaming_app(bug: str | None = None, basic_authentication: BasicAuthentication | None = None) -> Starlette:
    """Return a sample consumer with `GET /stored`: rows of few columns, under names of its own."""
    consumer = (Consumer if bug is None else BUGS[bug].consumer)(Store(), basic_authentication)

    async def stored(request: Request) -> Response:
        rows = [{column: event.get(field) for column, field in COLUMNS.items()} for event in consumer.store.events()]
        return JSONResponse(rows)

    app = application(consumer)
    app.router.routes.append(Route("/stored", stored))
    return app


if __name__ == "__main__":
    with serve_in_thread(renaming_app(), port=int(sys.argv[1])):
        threading.Event().wait()
