"""The store of a sample consumer: in memory, and in a file if one is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

Event = dict[str, Any]
Identity = tuple[bytes, int]
"""A deduplication key, and the number of the event among those of its batch that have this key (from 1)."""


class Store:
    """Stored events by their identity, in order of arrival.

    With a file, everything that `add` has stored is there again after the process was killed.
    """

    def __init__(self, path: Path | None = None, group: Callable[[Event], str] = lambda event: "") -> None:
        """Open the store. `group` says of an event what `of_group` finds it by.

        Raises OSError if the file cannot be read or written, and `msgspec.MsgspecError` if it is no store.
        """
        self._path = path
        self._events: dict[Identity, Event] = {}
        self._groups: dict[str, list[Identity]] = {}
        self._ungrouped: list[Identity] = []
        """Identities of the newest events, which are in no group yet."""
        self.group = group
        if path is not None:
            self._load(path)

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._events

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Mapping[Identity, Event]) -> None:
        """Store the events that are new: all of them or, if that fails, none."""
        new = {identity: event for identity, event in events.items() if identity not in self._events}
        if self._path is not None and new:
            _append(self._path, b"".join(msgspec.json.encode((*row, new[row])) + b"\n" for row in new))
        self._events |= new
        self._ungrouped += new

    def events(self) -> list[Event]:
        """Return all stored events."""
        return list(self._events.values())

    def of_group(self, group: str) -> list[Event]:
        """Return the stored events of a group."""
        for identity in self._ungrouped:
            self._groups.setdefault(self.group(self._events[identity]), []).append(identity)
        self._ungrouped.clear()
        return [self._events[identity] for identity in self._groups.get(group, ())]

    def _load(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        # A last line without its end was written when the process was killed: that batch was not acknowledged.
        if lines and not lines[-1].endswith(b"\n"):
            os.truncate(path, path.stat().st_size - len(lines.pop()))
        for line in lines:
            key, number, event = msgspec.json.decode(line, type=tuple[bytes, int, Event])
            self._events[key, number] = event
            self._ungrouped.append((key, number))
        _append(path, b"")


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
