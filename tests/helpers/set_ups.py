"""Set-ups that register two webhooks: `python set_ups.py NAME`. Two are correct, the others make one mistake each."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

TARGET = "http://127.0.0.1:9/hook"
TYPES = ("open", "click")


class FailedError(Exception):
    """A call failed: `status` is None if there was no response."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


def call(method: str, path: str, **form: str) -> Any:
    user, password = os.environ["MOCKCAMPAIGN_USER"], os.environ["MOCKCAMPAIGN_PASSWORD"]
    token = b64encode(f"{user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"{os.environ['MOCKCAMPAIGN_REST_URL']}{path}",
        urlencode(form).encode() or None,
        {"Authorization": f"Basic {token}"},
        method=method,
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


def compares(kind: str) -> None:
    """Correct: compares what exists with what is wanted."""
    found = listed(kind)
    number, status = (found[0]["id"], found[0]["status"]) if found else (created(kind), "created")
    if status != "activated":
        activate(number)


def retries(kind: str) -> None:
    """Correct: begins again after a failure, and looks first."""
    for left in (2, 1, 0):
        try:
            compares(kind)
        except FailedError as error:
            if error.status == 401 or not left:
                raise
        else:
            return


def creates_blindly(kind: str) -> None:
    """Creates a webhook in each run."""
    activate(created(kind))


def repeats_lost_creation(kind: str) -> None:
    """Creates again after a call without response, without looking."""
    found = listed(kind)
    if found and found[0]["status"] == "activated":
        return
    if found:
        activate(found[0]["id"])
        return
    try:
        number = created(kind)
    except FailedError as error:
        if error.status is not None and error.status < 500:
            raise
        number = created(kind)
    activate(number)


def sees_activated_only(kind: str) -> None:
    """Takes only activated webhooks for its own."""
    if not any(webhook["status"] == "activated" for webhook in listed(kind)):
        activate(created(kind))


def deletes_activated(kind: str) -> None:
    """Replaces its webhook, and does not deactivate the old one first."""
    for webhook in listed(kind):
        call("DELETE", f"/webhooks/{webhook['id']}")
    activate(created(kind))


def trusts_kept_ids(kind: str) -> None:
    """Keeps the id in a file, and asks nobody whether it still exists."""
    file = Path(os.environ["SET_UP_FILE"])
    kept = json.loads(file.read_text()) if file.exists() else {}
    if kind not in kept:
        kept[kind] = created(kind)
        activate(kept[kind])
        file.write_text(json.dumps(kept))


def stops_half_way(kind: str) -> None:
    """Takes a webhook that exists for one that is activated."""
    if not listed(kind):
        activate(created(kind))


def swallows_failures(kind: str) -> None:
    """Ends with status 0, whatever failed."""
    try:
        compares(kind)
    except FailedError as error:
        print(f"{kind}: {error}")


def activates_again(kind: str) -> None:
    """Activates its webhook in each run, and fails if it is activated."""
    found = listed(kind)
    activate(found[0]["id"] if found else created(kind))


SET_UPS: dict[str, Callable[[str], None]] = {
    one.__name__: one
    for one in (
        *(compares, retries),
        *(creates_blindly, repeats_lost_creation, sees_activated_only, deletes_activated),
        *(trusts_kept_ids, stops_half_way, swallows_failures, activates_again),
    )
}


def set_up(name: str) -> None:
    """Run one of them."""
    for kind in TYPES:
        SET_UPS[name](kind)


if __name__ == "__main__":
    set_up(sys.argv[1])
