"""How messages put things."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def unknown(what: str, found: str, allowed: Collection[str], *, secret: bool = False) -> str:
    """The message for a word that is not among the allowed ones, with the likeliest one meant.

    Where secrets belong, a word that is nothing like the allowed ones may be one, and is not repeated.
    """
    close = difflib.get_close_matches(found, allowed, n=1)
    hint = f", did you mean {close[0]!r}?" if close else ""
    shown = "" if secret and not close else f" {short(found)!r}"
    return f"unknown {what}{shown}{hint} (allowed: {', '.join(allowed) or 'none'})"


def counted(count: int, noun: str) -> str:
    """So many of it, such as `1 event` or `2,500 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def short(text: str) -> str:
    """The beginning of it, where it is long."""
    return text if len(text) <= 60 else f"{text[:60]}…"
