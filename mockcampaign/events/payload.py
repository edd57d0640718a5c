"""From an act to the event that tells of it, as JSON bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.events import values
from mockcampaign.events.fields import TYPES
from mockcampaign.events.people import Audience, Traces
from mockcampaign.model import EventType

BOUNCES = ("hardbounce", "softbounce")

_encode = msgspec.json.Encoder().encode
_TRACELESS = "", ("", "", "")
_TYPE_NAMES = {kind: kind.value for kind in EventType}
_LINK_URLS = tuple(values.LINK_URL + path for path in values.LINKS)

SHOWING_TRACES = frozenset(kind for kind, names in TYPES.items() if "remoteAddress" in names)
"""Types whose events say where somebody acted, and with what."""


class Mails:
    """The mails of one mailing."""

    def __init__(self, audience: Audience, client_id: int, mailing_id: int) -> None:
        self.audience = audience
        self.mailing_id = mailing_id
        self.client_id = client_id
        self._ids = audience.mail_ids(mailing_id)
        self._list_ids = [audience.user_list_id(number) for number in range(values.LISTS)]

    def payload(
        self,
        event_type: EventType,
        created: int,
        list_number: int,
        recipient: int,
        traces: Traces | None = None,
        detail: int = 0,
    ) -> bytes:
        """The event as JSON. `detail` is the index of a link, or of a kind of bounce."""
        return _encode(self.event(event_type, created, list_number, recipient, traces, detail))

    def event(
        self,
        event_type: EventType,
        created: int,
        list_number: int,
        recipient: int,
        traces: Traces | None = None,
        detail: int = 0,
    ) -> dict[str, Any]:
        """The event's fields in their order."""
        audience = self.audience
        address, (device, operating_system, browser) = _TRACELESS if traces is None else (traces.address, traces.client)
        known = {
            "type": _TYPE_NAMES[event_type],
            "recipientId": audience.recipient_id(recipient),
            "userListId": self._list_ids[list_number],
            "remoteAddress": address,
            "clientId": self.client_id,
            "mailingId": self.mailing_id,
            "created": created,
            "subscriptionId": audience.subscription_id(list_number, recipient),
            "mailId": self._ids.mail_id(list_number, recipient),
            "device": device,
            "operatingSystem": operating_system,
            "browser": browser,
            "linkId": self.mailing_id + detail + 1,
            "linkUrl": _LINK_URLS[detail],
            "bounceType": BOUNCES[detail & 1],
        }
        return {name: known[name] for name in TYPES[event_type]}
