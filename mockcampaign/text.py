"""Pieces of messages and files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

SHOWN_MAX = 60
"""Maximum number of characters of a value that a message shows."""

MESSAGE_MAX = 4_000
"""Maximum number of characters of a whole message, whatever values of a caller or consumer it repeats."""


def unknown(what: str, found: str, allowed: Collection[str], *, secret: bool = False, listed_by: str = "") -> str:
    """Return the message for a word that is not allowed, with the allowed word that is most like it.

    With `secret`, a word that is not like any allowed one is not repeated: it may be a secret. Words that are too many
    for a message are those that the command `listed_by` lists; then the message has the nearest three.
    """
    hint = meant(found, allowed, most=3 if listed_by else 1)
    shown = "" if secret and not hint else f" {short(found)!r}"
    words = f"those that {listed_by!r} lists" if listed_by else ", ".join(allowed) or "none"
    return f"unknown {what}{shown}{hint} (allowed: {words})"


def meant(found: str, allowed: Collection[str], *, most: int = 1) -> str:
    """Return the question for the allowed words that are most like a wrong one; nothing if none is like it.

    Text that is longer than what a message shows is not compared, because that takes a server seconds.
    """
    if not 0 < len(found) <= SHOWN_MAX:
        return ""
    close = difflib.get_close_matches(found, allowed, n=most)
    # One word of a name of several ones is much shorter than that, and so never close to it.
    close = close or [one for one in allowed if found.lower() in re.split(r"[ -]", one.lower())][:most]
    return f", did you mean {' or '.join(map(repr, close))}?" if close else ""


def bounded(text: str, length: int = MESSAGE_MAX) -> str:
    """Return the text; of a longer one only both ends, where a message says what is wrong and what is allowed."""
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end - 3]} … {text[-end:]}"


def counted(count: int, noun: str) -> str:
    """Return number and noun, such as `1 event` or `2,500 events`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def spelling_of(name: str) -> str:
    """Return what two spellings of a name share, such as `mailid` for `mailId` and `mail_id`."""
    return re.sub(r"[^0-9a-z]", "", name.lower())


def few(names: Sequence[str], most: int = 8) -> str:
    """Return the names as a list, such as `a, b and c`; of many, only the first and how many more."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def kind_of(value: object) -> str:
    """Return the type of a value with its article, such as `a str` or `an int`."""
    name = type(value).__name__
    return f"{'an' if _VOWEL.match(name) else 'a'} {name}"


def short(text: str, length: int = SHOWN_MAX) -> str:
    """Return the text, cut off at `length` characters."""
    return text if len(text) <= length else f"{text[:length]}…"


def printable(text: str) -> str:
    """Return the text with control characters spelled out, so that a consumer cannot control the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


_VOWEL = re.compile(r"(?!U[A-Z]|[Uu](?:ser|ni[ovqt]))[AEIOUaeiou]")
"""Matches the start of a name that is spoken with a vowel first: `an int`, but `a UUID`."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z][A-Za-z0-9_-]*)*")
_RESERVED = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")


def yaml_text(text: str) -> str:
    """Return the text as YAML, in quotes if it could be something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else _escaped(one) for one in escaped) + '"'


def _escaped(symbol: str) -> str:
    code = ord(symbol)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
