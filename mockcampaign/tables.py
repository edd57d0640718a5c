"""Tables that have an entry for every value of an enum or literal type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def complete(what: str, keys: Iterable[Key], table: Mapping[Key, Value]) -> Mapping[Key, Value]:
    """Return the table, which says something about every key.

    `keys` is an enum, or `get_args` of a literal type. Raises LookupError if an entry is missing, or is for no key:
    where the table is built, so at import, and not when somebody first looks for the entry.
    """
    keys = tuple(keys)
    missing = [str(key) for key in keys if key not in table]
    unknown = [str(key) for key in table if key not in keys]
    if missing:
        raise LookupError(f"{what}: no entry for {', '.join(missing)}")
    if unknown:
        raise LookupError(f"{what}: {', '.join(unknown)} is none of {', '.join(map(str, keys))}")
    return table
