"""Set-ups that register two webhooks: `python SET_UPS NAME`. Two are correct, the others make one mistake each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from common import KEPT, TYPES, FailedError, activate, call, created, listed


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
            return compares(kind)
        except FailedError as error:
            if error.status == 401 or not left:
                raise


def creates_blindly(kind: str) -> None:
    """Creates a webhook in each run."""
    activate(created(kind))


def repeats_lost_creation(kind: str) -> None:
    """Creates again after a call without response, without looking."""
    found = listed(kind)
    if found and found[0]["status"] == "activated":
        return None
    if found:
        return activate(found[0]["id"])
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
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if kind not in kept:
        kept[kind] = created(kind)
        activate(kept[kind])
        KEPT.write_text(json.dumps(kept))


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
    set_up.__name__: set_up
    for set_up in (
        *(compares, retries),
        *(creates_blindly, repeats_lost_creation, sees_activated_only, deletes_activated),
        *(trusts_kept_ids, stops_half_way, swallows_failures, activates_again),
    )
}

if __name__ == "__main__":
    for event_type in TYPES:
        SET_UPS[sys.argv[1]](event_type)
