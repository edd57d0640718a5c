"""Journal entries as the control API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import msgspec

from mockcampaign.engine.journal import Attempted, Called, Entry, Happened, Probed, Verified
from mockcampaign.faults import FAULTS
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut
from mockcampaign.report import sentences


def entry_view(position: int, shown: Entry) -> dict[str, Any]:
    """Return a journal entry with its position, and the number of its events instead of the events."""
    fields: dict[str, Any]
    match shown:
        case Happened():
            fields = _fields(shown, "happened", "events") | {"count": len(shown.events)}
        case Attempted():
            fields = _fields(shown, "attempted", "outcome") | {
                "events": shown.events,
                "outcome": _outcome(shown.outcome),
                "status_text": sentences.outcome(shown.outcome),
                "accepted": shown.outcome.accepted,
                "simulated_failure": not shown.outcome.accepted
                and _is_simulated(shown.faults, responded=isinstance(shown.outcome, Responded)),
            }
        case Verified():
            fields = _fields(shown, "verified", "events", "outcome") | {
                "events": len(shown.events),
                "outcome": _outcome(shown.outcome),
                "accepted": shown.outcome.accepted,
            }
        case Called():
            fields = msgspec.to_builtins(shown) | {
                "ids": shown.ids,
                "faults": shown.faults,
                "path": shown.shown_path,
                "operation_text": sentences.call(shown),
                "status_text": sentences.call_outcome(shown),
                "simulated_failure": (shown.status is None or shown.status >= 400)
                and _is_simulated(shown.faults, responded=shown.status is not None),
            }
        case Probed():
            fields = _fields(shown, "probed", "events")
        case _:
            fields = msgspec.to_builtins(shown)
    return {"position": position, **fields}


_DELAYS = frozenset({"latency", "idle-connection", "api-slow"})
"""Kinds of faults after which an error status is not simulated, since they only take time."""


def _is_simulated(faults: Iterable[str], *, responded: bool) -> bool:
    """Return whether these faults, rather than the consumer or caller, account for a failure."""
    return any(not FAULTS[kind].harmless and not (responded and kind in _DELAYS) for kind in faults)


def _fields(shown: msgspec.Struct, tag: str, *but: str) -> dict[str, Any]:
    return {"entry": tag} | {
        name: msgspec.to_builtins(getattr(shown, name)) for name in shown.__struct_fields__ if name not in but
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Responded(status=status, headers=headers, body=body, body_bytes=body_bytes):
            return {
                "type": "responded",
                "status": status,
                "headers": headers,
                "body": body_text(body),
                "body_bytes": body_bytes,
            }
        case NoResponse(phase=phase, reason=reason):
            return {"type": "no-response", "phase": phase, "reason": reason}
        case TimedOut(phase=phase):
            return {"type": "timed-out", "phase": phase}
        case _:
            assert_never(outcome)


def body_text(body: bytes) -> str:
    """Return a response body as text; bytes that are not UTF-8 are replaced."""
    return body.decode("utf-8", "replace")
