"""Outages, faults, duplicates to come and new passwords, in a state file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import msgspec

from mockcampaign.engine.declared_faults import Declared, When
from mockcampaign.engine.duplicates import DuplicateDelivery
from mockcampaign.engine.outages import Outage
from mockcampaign.faults import AnyFault
from mockcampaign.server.users import Rotation

DECLARED_TABLE = """
    CREATE TABLE declared (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
"""
"""One row for each, whatever it is, in the order of declaration."""


class FaultAtStart(msgspec.Struct, frozen=True, kw_only=True, tag="fault-at-start", eq=False):
    """A fault that an option declared, whether it is over or not: the next start must not declare it again."""

    number: int
    fault: AnyFault
    when: When


Declaration = Declared | Outage | DuplicateDelivery | Rotation | FaultAtStart
"""Everything that is declared. Each has a tag of its own."""

_encode = msgspec.json.Encoder().encode


@functools.cache
def _decoder() -> msgspec.json.Decoder[Declaration]:
    """Return the decoder, which takes a while to make and is needed for state files alone."""
    return msgspec.json.Decoder(Declaration)


class KeptDeclarations:
    """The rows of what was declared and is not over."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[int, Declaration]] = {}
        """Row of each by its identity, which nobody else has as long as it is here."""
        self._last_row = 0
        self._changed: dict[int, Declaration | None] = {}
        """The content that each row has to get; None for rows to delete."""

    def load(self, rows: Iterable[tuple[int, bytes]]) -> tuple[Declaration, ...]:
        """Return what the rows contain. Raises `msgspec.MsgspecError`."""
        found = []
        for row, value in rows:
            declaration = _decoder().decode(value)
            self._rows[id(declaration)] = row, declaration
            self._last_row = row
            found.append(declaration)
        return tuple(found)

    def declared(self, what: Declaration) -> None:
        """Keep something that is new or has changed."""
        known = self._rows.get(id(what))
        if known is None:
            self._last_row += 1
            known = self._rows[id(what)] = self._last_row, what
        self._changed[known[0]] = what

    def over(self, what: Declaration) -> None:
        """Keep it no longer."""
        known = self._rows.pop(id(what), None)
        if known is not None:
            self._changed[known[0]] = None

    def clear(self) -> None:
        """Forget everything, as its rows are deleted."""
        self._rows.clear()
        self._changed.clear()

    @property
    def is_saved(self) -> bool:
        """Whether the rows have every change."""
        return not self._changed

    def save(self, write: Callable[[str, tuple[object, ...]], object]) -> None:
        """Write the changes."""
        for row, what in self._changed.items():
            if what is None:
                write("DELETE FROM declared WHERE id = ?", (row,))
            else:
                write("INSERT OR REPLACE INTO declared VALUES (?, ?)", (row, _encode(what)))
        self._changed.clear()
