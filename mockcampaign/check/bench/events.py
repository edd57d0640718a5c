"""Making events that only one bench sends."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

from mockcampaign.check.bench.context import RuleSlot
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.examined import Event
from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS, Settings
from mockcampaign.events import field_values
from mockcampaign.events.fields import EXAMPLE, TYPES, draw_mail_id
from mockcampaign.model import EventType
from mockcampaign.policy import MINUTE

PACE = 101
"""Milliseconds between two events, unless a rule sets `created` itself.

No two events share a millisecond, not even those of two rules, since each rule has its own remainder modulo this."""

HEAD_START = 10 * MINUTE
"""Virtual milliseconds before the bench's start at which its events begin, so that many of them fit in between."""

_CLIENTS = tuple(dict.fromkeys(client for _, (_, client) in field_values.MAILBOXES))


class EventFactory:
    """Makes events, each of a recipient and a mail of its own and newer than all before it."""

    def __init__(self, slot: RuleSlot, settings: Settings, now: Callable[[], int]) -> None:
        """`now` returns the bench's virtual time; no event is newer than that."""
        self.random = random.Random(f"check:{settings.seed}:{slot.rule_id}")
        digest = int.from_bytes(hashlib.sha256(f"{settings.seed}:{slot.rule_id}".encode()).digest()[:8])
        self.client_id = settings.client_id or CLIENT_IDS[digest % len(CLIENT_IDS)]
        self.mailing_id = MAILING_IDS[digest % len(MAILING_IDS)]
        self._settings = settings
        self._remainder = slot.number
        self._now = now
        self._newest = slot.start - HEAD_START

    def events(self, count: int, event_type: EventType | None = None, **changes: Any) -> list[Event]:
        """Make this many events. `changes` sets fields in all of them, if their type has these fields."""
        kind = self._settings.event_type if event_type is None else event_type
        return [self._event(kind, changes) for _ in range(count)]

    def edge_cases(self, make: Callable[[EventType], list[EdgeCase]]) -> list[EdgeCase]:
        """Return the edge cases of one kind that may be sent.

        A consumer for which the user named a client may accept events of no other client.
        """
        client_is_named = self._settings.client_id is not None
        return [case for case in make(self._settings.event_type) if not (client_is_named and case.field == "clientId")]

    def _event(self, kind: EventType, changes: dict[str, Any]) -> Event:
        moment = max(self._newest + PACE, self._now() - HEAD_START)
        # Counted from the start of the check, so that a check at another time makes the same events.
        since = moment - self._settings.now
        self._newest = min(moment + (self._remainder - since) % PACE, self._now())
        device, system, browser = self.random.choice(_CLIENTS)
        known = {
            **EXAMPLE,
            "type": kind.value,
            "recipientId": str(self.random.randrange(10**11, 10**12)),
            "userListId": self.mailing_id + 1,
            "remoteAddress": f"198.51.100.{self.random.randrange(1, 255)}",
            "clientId": self.client_id,
            "mailingId": self.mailing_id,
            "created": self._newest,
            "subscriptionId": self.random.randrange(10**6, 10**9),
            "mailId": draw_mail_id(self.random),
            "device": device,
            "operatingSystem": system,
            "browser": browser,
            "linkId": self.mailing_id + 2,
        }
        return {name: changes.get(name, known[name]) for name in TYPES[kind]}
