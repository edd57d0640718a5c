"""The application around a sample consumer.

`POST /hook` is the target of the webhook, `GET /processed` returns the stored events (the probe), `GET /count` their
number (a counter), and `GET /state` the newest event of each mail (the probe of the end state).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs import BUGS
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.samples.plain_server import serve_plainly
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown

__all__ = ["BUGS", "application", "consumer_app", "serve_consumer"]


@contextlib.contextmanager
def serve_consumer(
    bug: str | None = None,
    *,
    basic_authentication: BasicAuthentication | None = None,
    store: Path | None = None,
    shape: Shape | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """Serve a consumer on a port while the context is open; the context gives the base URL.

    Raises `InvalidInputError` as `consumer_app` and `serving.serve_in_thread` do.
    """
    app = consumer_app(bug, basic_authentication=basic_authentication, store=store, shape=shape)
    connection = None if bug is None else BUGS[bug].connection
    serving = (
        serve_in_thread(app, host=host, port=port)
        if connection is None
        else serve_plainly(app, connection, host=host, port=port)
    )
    with serving as url:
        yield url


def consumer_app(
    bug: str | None = None,
    *,
    basic_authentication: BasicAuthentication | None = None,
    store: Path | None = None,
    shape: Shape | None = None,
) -> Starlette:
    """Return a consumer with its own store, in memory unless a file is named; it requires the credentials if given.

    With a captured shape it accepts only bodies and events of this shape.
    Raises `InvalidInputError` for a bug that is not in `BUGS`, and for a file that cannot be a store.
    """
    if bug is not None and bug not in BUGS:
        raise InvalidInputError(unknown("bug", bug, BUGS, listed_by="mockcampaign consumer --list"))
    try:
        opened = Store(store)
    except OSError as error:
        raise InvalidInputError(f"store {store}: {error.strerror}, allowed: a file that can be written") from None
    except msgspec.MsgspecError:
        raise InvalidInputError(f"store {store}: not written by a sample consumer, allowed: a new file") from None
    made = Consumer if bug is None else BUGS[bug].consumer
    return application(made(opened, basic_authentication, *(() if shape is None else (KnownShapes(shape),))))


def application(consumer: Consumer) -> Starlette:
    """Return the application around a consumer."""
    return Starlette(
        routes=[
            Route("/hook", consumer.hook, methods=list(consumer.methods)),
            Route("/processed", consumer.processed, methods=["GET"]),
            Route("/count", consumer.counted, methods=["GET"]),
            Route("/state", consumer.state, methods=["GET"]),
        ]
    )
