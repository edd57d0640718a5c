"""What the types of a scenario say beyond Python's own. Files are read, and schema and reference are made from both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Text(msgspec.Struct, frozen=True, eq=False):
    """Marks a value written as text that has a form of its own, such as a duration."""

    parse: Callable[[str], Any]
    """Raises `InvalidInputError`."""
    what: str
    schema: dict[str, Any] = {}
    """What JSON Schema can say of it."""


class Secret(msgspec.Struct, frozen=True):
    """Marks text that no message may repeat."""


class OneOf(msgspec.Struct, frozen=True, eq=False):
    """Marks a mapping of exactly one key, which decides the type of the value under it; gives `(key, value)`."""

    what: str
    types: dict[str, Any]
    docs: dict[str, str] = {}
    """What each key means, where its type does not say it."""


class Keyed(msgspec.Struct, frozen=True, eq=False):
    """Marks a mapping of names in which some names have a type of their own."""

    what: str
    default: Any
    types: dict[str, Any]


class Bounded(msgspec.Struct, frozen=True):
    """Marks a whole number from `low` up to `high`."""

    low: int
    high: int


class Decoded(msgspec.Struct, frozen=True, eq=False):
    """Marks a mapping of plain values that a function turns into one value. Its refusals may name a `key`."""

    decode: Callable[[dict[str, Any]], Any]
    what: str


class Interpolated(msgspec.Struct, frozen=True):
    """Marks a part of the document whose texts may take `${NAME}` and `${NAME:-default}` from the environment."""


class Shared(msgspec.Struct, frozen=True):
    """Marks a key that may stand in a file of its own, which `use` names."""
