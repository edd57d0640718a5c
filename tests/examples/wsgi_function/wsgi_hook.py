"""A consumer in one WSGI function, which counts opens by device."""

import json
from collections import Counter
from typing import Any

opens_by_device: Counter[str] = Counter()


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    batch = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    opens_by_device.update(event["device"] for event in batch)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"thank you"]
