"""Annotations that say more about a type than Python can. The loader, the JSON Schema and the reference read them.

A type hint itself (a class, a union, either of them annotated) is `Any` to the type checker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec


class ParsedText(msgspec.Struct, frozen=True, eq=False):
    """Annotates a value that is written as text in a form of its own, such as a duration."""

    parse: Callable[[str], object]
    """Raises `InvalidInputError`."""
    what: str
    """The expected text in a few words, for messages."""
    schema: dict[str, Any] = {}
    """JSON Schema of the text, as far as a schema can describe it."""


class Secret(msgspec.Struct, frozen=True):
    """Annotates text that no message may repeat."""


class OneOf(msgspec.Struct, frozen=True, eq=False):
    """Annotates a mapping of exactly one key. The key decides the type of the value."""

    what: str
    types: Mapping[str, Any]


class Keyed(msgspec.Struct, frozen=True, eq=False):
    """Annotates a mapping of names in which some names have a type of their own."""

    what: str
    default: Any
    types: Mapping[str, Any]


class Bounded(msgspec.Struct, frozen=True):
    """Annotates a whole number from `low` to `high`."""

    low: int
    high: int


class Decoded(msgspec.Struct, frozen=True, eq=False):
    """Annotates a mapping of plain values that a function decodes. The errors it raises may name a `key`."""

    decode: Callable[[dict[str, Any]], object]
    what: str


class Shorthand(msgspec.Struct, frozen=True):
    """Annotates a mapping that may be written as the value of one of its keys alone."""

    key: str


class Interpolated(msgspec.Struct, frozen=True):
    """Annotates a part of the document whose texts may contain `${NAME}` and `${NAME:-default}`."""


class Shared(msgspec.Struct, frozen=True):
    """Annotates a key that may be in a file of its own, which `use` names."""


class SingleValue(msgspec.Struct, frozen=True, kw_only=True):
    """Base of structs with one field. A file contains the value of the field alone, without its name."""


def value_field(struct: type[SingleValue]) -> str:
    """Return the name of the one field."""
    [name] = struct.__struct_fields__
    return name


def value_hint(struct: type[SingleValue]) -> Any:
    """Return the type hint of the one field."""
    return get_type_hints(struct, include_extras=True)[value_field(struct)]


def bare_class(hint: Any) -> type[msgspec.Struct]:
    """Return the struct of a hint without its annotations."""
    struct: type[msgspec.Struct] = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return struct
