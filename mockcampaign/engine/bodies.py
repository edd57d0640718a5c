"""Request bodies, encoded once for all retries of a batch and for all webhooks that send the same batch."""

from __future__ import annotations

from mockcampaign.model import Event, encode_batch

BODIES_MAX = 16
"""Number of bodies kept: half a megabyte if each has a hundred events, which fits into a processor's cache."""


class Bodies:
    """Cache of the bodies that were encoded last."""

    def __init__(self, prefix: str = "[", suffix: str = "]") -> None:
        """`prefix` and `suffix` are the text before the first and after the last event."""
        self._prefix, self._suffix = prefix.encode(), suffix.encode()
        self._known: dict[int, tuple[tuple[Event, ...], bytes]] = {}
        """Bodies by the serial of their first event."""

    def of(self, events: tuple[Event, ...]) -> bytes:
        """Return the request body of a batch."""
        if not events:
            return encode_batch(events, self._prefix, self._suffix)
        serial = events[0].serial
        known = self._known.get(serial)
        # Compared event by event, mostly by identity, so that a batch with the same first event is not mistaken for it.
        if known is not None and (known[0] is events or known[0] == events):
            return known[1]
        if known is None and len(self._known) >= BODIES_MAX:
            del self._known[next(iter(self._known))]
        body = encode_batch(events, self._prefix, self._suffix)
        self._known[serial] = events, body
        return body
