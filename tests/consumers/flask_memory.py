"""Flask, in memory, threaded; events are kept as they came, and equal ones of one list counted."""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections import Counter

from flask import Flask, Response, abort, request


def make_app(*, user: str, password: str, store: str | None = None) -> Flask:
    app = Flask(__name__)
    lock = threading.Lock()
    events: list[str] = []
    times: Counter[str] = Counter()

    def authorized() -> bool:
        given = request.authorization
        return (
            given is not None
            and given.type == "basic"
            and hmac.compare_digest((given.username or "").encode(), user.encode())
            and hmac.compare_digest((given.password or "").encode(), password.encode())
        )

    @app.post("/hook")
    def hook() -> Response:
        if not authorized():
            return Response(status=401, headers={"WWW-Authenticate": "Basic"})
        batch = request.get_json()
        if not isinstance(batch, list) or not all(isinstance(event, dict) for event in batch):
            abort(400)
        with lock:
            in_batch: Counter[str] = Counter()
            for event in batch:
                key = json.dumps(event, sort_keys=True)
                in_batch[key] += 1
                if in_batch[key] > times[key]:
                    times[key] += 1
                    events.append(key)
        return Response(status=200)

    @app.get("/processed")
    def processed() -> Response:
        with lock:
            return Response(f"[{','.join(events)}]", mimetype="application/json")

    return app


if __name__ == "__main__":
    import logging

    from werkzeug.serving import make_server

    app = make_app(user=os.environ["CONSUMER_USER"], password=os.environ["CONSUMER_PASSWORD"])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_server("127.0.0.1", 0, app, threaded=True, fd=int(os.environ["CONSUMER_FD"])).serve_forever()
