"""Flask with SQLite, as several processes of gunicorn run it; an event is known by a hash of all its fields."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import closing

from flask import Flask, Response, abort, request


def make_app(*, user: str, password: str, store: str | None = None) -> Flask:
    app = Flask(__name__)
    path = store or os.environ["CONSUMER_STORE"]

    def connect() -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(path, timeout=30))

    with connect() as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE IF NOT EXISTS event (hash TEXT PRIMARY KEY, payload TEXT NOT NULL)")

    @app.before_request
    def check_credentials() -> Response | None:
        given = request.authorization
        if request.path == "/processed" or (given and (given.username, given.password) == (user, password)):
            return None
        return Response("credentials needed", 401, {"WWW-Authenticate": 'Basic realm="hooks"'})

    @app.route("/hook", methods=["POST"])
    def hook() -> str:
        events = request.get_json(force=True)
        if not isinstance(events, list):
            abort(400, "expected a list")
        rows = []
        for event in events:
            if not isinstance(event, dict):
                abort(400, "expected a list of objects")
            payload = json.dumps(event, sort_keys=True)
            rows.append((hashlib.sha256(payload.encode()).hexdigest(), payload))
        with connect() as database, database:
            database.executemany("INSERT OR IGNORE INTO event VALUES (?, ?)", rows)
        return "OK"

    @app.route("/processed")
    def processed() -> Response:
        with connect() as database:
            # Joined by SQLite, with commas.
            [(payloads,)] = database.execute("SELECT group_concat(payload) FROM event").fetchall()
        return Response(f"[{payloads or ''}]", mimetype="application/json")

    return app


def from_environment() -> Flask:
    """For gunicorn."""
    return make_app(user=os.environ["CONSUMER_USER"], password=os.environ["CONSUMER_PASSWORD"])
