"""The part of events that a probe reports, by which stored events are compared with sent ones."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Collection, Iterable

import msgspec

from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.equivalents import comparable
from mockcampaign.shape.field import Event, Role, value_at, with_value
from mockcampaign.shape.shape import Shape


class ShownFields:
    """Makes what is compared of events: bytes that are equal if the events are, in the fields that the probe reports.

    A field that is null equals one that is absent, and spellings of an address equal each other: databases that have a
    type for addresses return all of them in one spelling (RFC 5952). `equivalents` says which characters no store has
    to hold.
    """

    def __init__(self, names: Collection[str], shapes: Iterable[Shape]) -> None:
        self._names = names
        self._addresses = {field.path for shape in shapes for field in shape.of(Role.NETWORK_ADDRESS)}
        self._known: dict[bytes, bytes] = {}
        """Results by the whole event, since most stored events equal a sent one."""

    def of(self, event: Event) -> bytes:
        """Return what is compared of an event."""
        return self.of_canonical(canonical(event))

    def of_canonical(self, whole: bytes) -> bytes:
        """Return what is compared of an event in canonical form."""
        known = self._known.get(whole)
        if known is None:
            known = self._known[whole] = self._made(msgspec.json.decode(whole))
        return known

    def _made(self, event: Event) -> bytes:
        fields = {name: event[name] for name in self._names if event.get(name) is not None}
        for path in self._addresses:
            address = value_at(fields, path)
            if isinstance(address, str):
                fields = with_value(fields, path, _normalized(address))
        return comparable(canonical(fields))


@functools.lru_cache(maxsize=4096)  # every reading of a store contains the same few
def _normalized(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
