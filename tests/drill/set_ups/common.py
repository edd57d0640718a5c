"""What all sample set-ups share: calls of the REST API by the standard library."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

REST = os.environ["MOCKCAMPAIGN_REST_URL"]
TOKEN = b64encode(f"{os.environ['MOCKCAMPAIGN_USER']}:{os.environ['MOCKCAMPAIGN_PASSWORD']}".encode()).decode()
TARGET = "http://127.0.0.1:9/hook"
TYPES = ("open", "click")
KEPT = Path(os.environ.get("SET_UP_FILE", "kept.json"))


class FailedError(Exception):
    """A call failed: `status` is None if there was no response."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


def call(method: str, path: str, **form: str) -> Any:
    request = urllib.request.Request(
        f"{REST}{path}", urlencode(form).encode() or None, {"Authorization": f"Basic {TOKEN}"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            raise FailedError(error.code) from None
    except (OSError, ValueError):
        raise FailedError(None) from None


def listed(kind: str) -> list[Any]:
    found = call("GET", "/webhooks")
    return [webhook for webhook in found if webhook["type"] == kind and webhook["targetUrl"] == TARGET]


def created(kind: str) -> int:
    return int(call("POST", "/webhooks", targetUrl=TARGET, type=kind, format="json")["id"])


def activate(number: int) -> None:
    call("POST", f"/webhooks/{number}/activate")
