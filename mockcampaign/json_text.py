"""JSON text with lone surrogates, which RFC 8259 (8.2) allows and msgspec neither writes nor reads.

Half of a character beyond the Basic Multilingual Plane is left over where JavaScript, Java or C# cut text off in its
middle. It is sent as the escape that those write. What is read has U+FFFD in its place, as everywhere in Unicode where
something cannot be represented.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

NESTING_MAX = 500
"""Most levels of arrays and objects. Each version of Python has a limit of its own, from 998 to more than 20,000."""

LONE_SURROGATE = "\ud83d"
"""The first half of most emoji."""

_PAIR_OR_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\."
)
"""A whole pair, half of one, or any other escape, which may contain a backslash."""


def encode(value: Any, order: Literal["sorted"] | None = None) -> bytes:
    """Return the value as JSON, with lone surrogates as escapes."""
    try:
        return msgspec.json.encode(value, order=order)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=order is not None).encode()


def decode(data: bytes | msgspec.Raw) -> Any:
    """Return what JSON text says, with U+FFFD for each lone surrogate.

    Raises `msgspec.DecodeError`, and nothing else, if it is not JSON, not UTF-8, or nested deeper than `NESTING_MAX`.
    """
    try:
        return _decode(data)
    except msgspec.DecodeError:
        text = bytes(data)
        replaced = without_lone_surrogates(text)
        if replaced == text:
            raise
        return _decode(replaced)


def _decode(data: bytes | msgspec.Raw) -> Any:
    text = bytes(data)
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise msgspec.DecodeError(_TOO_DEEP) from None
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise msgspec.DecodeError(why_not_json(text, error)) from None
    if is_deeper(value, text, NESTING_MAX):
        raise msgspec.DecodeError(_TOO_DEEP)
    return value


_TOO_DEEP = "it is nested too deeply"


def is_deeper(value: object, text: bytes, levels: int) -> bool:
    """Return whether more arrays and objects than that lie within each other, in the value that the text says."""
    if not _may_be_deeper(text, levels):
        return False
    level = [value]
    for _ in range(levels + 1):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _in(one)]
        if not level:
            return False
    return True


def _in(container: dict[str, object] | list[object]) -> Iterable[object]:
    """Return what an array or an object contains; of an empty one, anything, as it is a level all the same."""
    return (container.values() if isinstance(container, dict) else container) or (None,)


def _may_be_deeper(text: bytes, levels: int) -> bool:
    """Return whether the brackets of JSON text leave it open, in a tenth of the time in which a full store is read.

    To go through the values would take as long as to read them. Brackets in texts count as well, so that texts whose
    brackets are balanced with those around them, hundreds of times, could hide levels.
    """
    if len(text) <= 2 * levels:
        return False
    brackets = text.translate(None, _NO_BRACKETS)
    for removed in range(0, levels, 2):
        if len(brackets) // 2 + removed <= levels:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")  # at most two levels, the innermost ones
    return True


_NO_BRACKETS = bytes(set(range(256)).difference(b"{}[]"))


def why_not_json(data: bytes, error: Exception) -> str:
    """Return in one line why text could not be decoded. Each version of msgspec reports other encodings differently."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8"
    return str(error)


def decode_exactly(data: str | bytes) -> Any:
    """Return what JSON text says, with lone surrogates as they are. Raises `msgspec.DecodeError` as `decode` does."""
    text = data.encode() if isinstance(data, str) else data
    try:
        return _decode(text)
    except msgspec.DecodeError:
        replaced = without_lone_surrogates(text)
        if replaced == text:
            raise
        _decode(replaced)  # which says whether it is JSON otherwise
        return json.loads(text)


def without_lone_surrogates(data: bytes) -> bytes:
    """Return JSON text with U+FFFD in place of each escape of a lone surrogate."""
    return _PAIR_OR_ESCAPE.sub(_replaced, data) if rb"\ud" in data or rb"\uD" in data else data


def _replaced(found: re.Match[bytes]) -> bytes:
    is_lone = len(found[0]) == len(rb"\ud83d")
    return rb"\ufffd" if is_lone else found[0]
