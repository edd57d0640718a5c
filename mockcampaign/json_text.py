"""JSON text with lone surrogates, which RFC 8259 (8.2) allows and msgspec neither writes nor reads.

Half of a character beyond the Basic Multilingual Plane is left over where JavaScript, Java or C# cut text off in its
middle. It is sent as the escape that those write. What is read has U+FFFD in its place, as everywhere in Unicode where
something cannot be represented.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

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

    Raises `msgspec.DecodeError`, and nothing else, if it is not JSON, not UTF-8, or nested too deeply.
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
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise msgspec.DecodeError(why_not_json(bytes(data), error)) from None


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
