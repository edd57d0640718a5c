"""Reasons that keep mails from recipients: blocklist entries and unsubscribes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class BlocklistEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the blocklist. Its text form shows nobody."""

    pattern: str
    """An address, or a pattern of addresses in which `*` is any text."""
    reason: str = ""
    created: int
    modified: int

    def __repr__(self) -> str:
        return "BlocklistEntry(…)"


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the internal unsubscribe list. Its text form shows nobody."""

    recipient_id: str
    list_id: int | None = None
    mailing_id: int | None = None
    reason: str = ""
    created: int

    def __repr__(self) -> str:
        return "Unsubscribe(…)"


def matches(pattern: str, address: str) -> bool:
    """Return whether a pattern matches an address, in upper or lower case and in linear time."""
    first, *rest = pattern.lower().split("*")
    text = address.lower()
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


class Blocklist:
    """The blocklist of a client. Finding an address looks at each pattern once, and at addresses not at all."""

    def __init__(self) -> None:
        self._entries: dict[str, BlocklistEntry] = {}
        self._patterns: dict[str, None] = {}

    def __iter__(self) -> Iterator[BlocklistEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, pattern: str) -> BlocklistEntry | None:
        """Return the entry with exactly this pattern, in upper or lower case."""
        return self._entries.get(pattern.lower())

    def put(self, entry: BlocklistEntry) -> None:
        """Add an entry, or replace the one with this pattern."""
        key = entry.pattern.lower()
        self._entries[key] = entry
        if "*" in key:
            self._patterns[key] = None

    def remove(self, pattern: str) -> bool:
        """Remove an entry; returns whether there was one."""
        self._patterns.pop(pattern.lower(), None)
        return self._entries.pop(pattern.lower(), None) is not None

    def match(self, address: str) -> BlocklistEntry | None:
        """Return an entry that matches the address, or None."""
        exact = self._entries.get(address.lower())
        if exact is not None:
            return exact
        return next((self._entries[key] for key in self._patterns if matches(key, address)), None)
