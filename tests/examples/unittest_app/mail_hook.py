"""A consumer in one WSGI function, which stores each event once."""

import json
from typing import Any

stored: dict[str, dict[str, Any]] = {}


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    for event in json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))):
        stored[json.dumps(event, sort_keys=True)] = event
    start_response("200 OK", [])
    return []
