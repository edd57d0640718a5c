"""A Flask consumer that stores each event once, however often its batch is redelivered."""

import json
from collections import Counter
from typing import Any

from flask import Flask, Response, request

USER, PASSWORD = "acme", "s3cret"


class HookApp(Flask):
    processed: list[dict[str, Any]]


def create_app() -> HookApp:
    app = HookApp(__name__)
    app.processed = []
    times = Counter[str]()

    @app.post("/hook")
    def hook() -> Response:
        if request.authorization is None or (request.authorization.username, request.authorization.password) != (
            USER,
            PASSWORD,
        ):
            return Response(status=401)
        times_in_list = Counter[str]()
        for event in request.get_json():
            key = json.dumps(event, sort_keys=True)
            times_in_list[key] += 1
            if times_in_list[key] > times[key]:
                times[key] += 1
                app.processed.append(event)
        return Response(status=200)

    return app
