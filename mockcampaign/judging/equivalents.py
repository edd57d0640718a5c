"""Characters that some stores cannot hold at all, and what may be in the store in their place.

| sent | may be stored as | because |
|---|---|---|
| NUL (U+0000) | nothing, or U+FFFD | PostgreSQL's text and jsonb cannot contain it |
| half a surrogate pair | nothing, or U+FFFD | UTF-8 cannot encode it |

Every comparison of stored events with sent ones goes by this list. A consumer that replaces these characters does what
the check itself advises; one that loses what stands beside them does not.
"""

from __future__ import annotations

import functools
import re

_NOTHING = re.compile(rb"(\\\\)|\\u0000|\xef\xbf\xbd")
r"""An escaped backslash, which stays, or what stands in canonical JSON for a character of the list: `\u0000` for NUL,
and U+FFFD for the others, since no lone surrogate is read as such."""

_NO_STORE_HAS_TO_HOLD = re.compile("[\0\ufffd\ud800-\udfff]")
"""The characters of the list, and what stands in their place, in text."""

KEYS_REMEMBERED = 65_536
"""How many unusual keys `comparable_key` remembers: a store is read often, and its events have the same keys."""


def comparable(event: bytes) -> bytes:
    """Return the canonical form of an event without any character that no store has to hold."""
    if rb"\u0000" not in event and b"\xef\xbf\xbd" not in event:
        return event
    return _NOTHING.sub(rb"\1", event)


def comparable_key(key: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return what identifies the mail of an event without any character that no store has to hold."""
    if len(key) == 1 and is_comparable(key[0]):
        return key  # as nearly all of them are, and a store may have more than are remembered
    return _without(key)


def is_comparable(value: object) -> bool:
    """Return whether a value is text that every store can hold; of other values, `comparable_key` knows."""
    return isinstance(value, str) and value.isascii() and "\0" not in value


@functools.lru_cache(maxsize=KEYS_REMEMBERED, typed=True)
def _without(key: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return tuple(_NO_STORE_HAS_TO_HOLD.sub("", one) if isinstance(one, str) else one for one in key)
