"""Dictionaries that know which of their entries have changed, so that whoever keeps them writes only these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

Key = TypeVar("Key")
Value = TypeVar("Value")

TableName = tuple[int, str]
"""Client and name of a table."""

Row = tuple[int, str, bytes, bytes | None]
"""Client, name of the table, encoded key and value; no value for an entry that was there from the start and is gone."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that has changed, as a row is made of it."""

    key: bytes
    value: bytes | None
    """None: the entry is gone."""
    was_gone: bool
    """Whether the entry was gone at some time since the last change, so that it no longer has its place."""
    stays: bool
    """Whether a row has to say this: that an entry from the start is gone must not be forgotten."""


class Table(dict[Key, Value], Generic[Key, Value]):
    """A dictionary of values that never change themselves."""

    __slots__ = ("_changed", "_first", "_tables", "_types", "name")

    def __init__(self, name: TableName, types: tuple[Any, Any], tables: dict[TableName, Table[Any, Any]]) -> None:
        """`types` are those of a key and a value. `tables` gets this table when it changes."""
        super().__init__()
        self.name = name
        self._types = types
        self._tables = tables
        self._changed: dict[Key, bool] = {}
        """Changed keys in order, each with whether it was gone in between: then it comes behind all others."""
        self._first: frozenset[Key] = frozenset()

    def __setitem__(self, key: Key, value: Value) -> None:
        self._note(key, is_gone=False)
        super().__setitem__(key, value)

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self._note(key, is_gone=True)

    def pop(self, key: Key, default: Any = None) -> Any:
        """Remove an entry, if there is one, and return its value or the default."""
        if key not in self:
            return default
        value = self[key]
        del self[key]
        return value

    def begin(self) -> None:
        """Take the entries so far as those that are always there from the start, and not as changes."""
        self._first = frozenset(self)
        self._changed.clear()
        self._tables.pop(self.name, None)

    def resume(self, key: bytes, value: bytes | None) -> None:
        """Take over a row of an equal table, which is no change of this one."""
        key_type, value_type = self._types
        found = msgspec.msgpack.decode(key, type=key_type)
        if value is None:
            super().pop(found, None)
        else:
            super().__setitem__(found, msgspec.msgpack.decode(value, type=value_type))

    def changes(self) -> Iterator[Change]:
        """Yield each entry that has changed since the last call."""
        for key, was_gone in self._changed.items():
            value = msgspec.msgpack.encode(self[key]) if key in self else None
            stays = value is not None or key in self._first
            yield Change(key=msgspec.msgpack.encode(key), value=value, was_gone=was_gone, stays=stays)
        self._changed.clear()

    def _note(self, key: Key, *, is_gone: bool) -> None:
        if not self._changed:
            self._tables[self.name] = self
        was_gone = self._changed.pop(key, False) if is_gone else self._changed.get(key, False)
        self._changed[key] = was_gone or is_gone

    def _all_at_once(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a table changes one entry at a time")

    update = setdefault = popitem = clear = __ior__ = _all_at_once
