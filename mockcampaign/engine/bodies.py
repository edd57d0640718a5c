"""Request bodies, encoded once for a list's retries and for all webhooks that get the same list."""

from __future__ import annotations

from mockcampaign.model import Event, encode_batch

BODIES_MAX = 16
"""How many are remembered: half a megabyte when each holds a hundred events, which a processor's cache can hold."""


class Bodies:
    """Remembers the bodies that were encoded last."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Event, ...], bytes]] = {}
        """By the first event's serial."""

    def of(self, events: tuple[Event, ...]) -> bytes:
        """What goes over the wire for a list."""
        if not events:
            return encode_batch(events)
        serial = events[0].serial
        known = self._known.get(serial)
        # Event by event, which are mostly the same objects, so that no other list that begins alike is taken for it.
        if known is not None and (known[0] is events or known[0] == events):
            return known[1]
        if known is None and len(self._known) >= BODIES_MAX:
            del self._known[next(iter(self._known))]
        body = encode_batch(events)
        self._known[serial] = events, body
        return body
