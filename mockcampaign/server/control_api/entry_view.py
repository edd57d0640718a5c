"""Journal entries as the control API shows them."""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from mockcampaign.engine.journal import Attempted, Called, Entry, Happened, Probed, Verified
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
            }
        case Probed():
            fields = _fields(shown, "probed", "events")
        case _:
            fields = msgspec.to_builtins(shown)
    return {"position": position, **fields}


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
