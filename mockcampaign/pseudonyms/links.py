"""The parts of links, split without judging them: whatever is strange in a link stays in one of the parts."""

from __future__ import annotations

import re
from typing import NamedTuple

_SCHEME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-")
_SCHEME_MAX = 20
_PERSONAL = re.compile(
    r"(?<![A-Za-z0-9])(?:mailto|tel|smsto|sms|mms|callto|sips?|xmpp|skype|facetime|whatsapp|acct):", re.IGNORECASE
)
_HOST = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


class LinkParts(NamedTuple):
    """A link in its parts, whose sum is the link. A part that is missing is empty; the marks belong to the parts."""

    scheme: str
    """Such as `https://` or `mailto:`; empty for a path."""
    user: str
    """Everything before the host, with its `@`."""
    host: str
    """Host and port."""
    path: str
    query: str
    """The query with its `?`."""
    fragment: str
    """The fragment with its `#`."""


def find_link(text: str) -> int | None:
    """Return where the first link in a text without spaces begins, or None if there is none."""
    found = []
    middle = text.find("://")
    if middle > 0:
        start = middle
        while start > 0 and middle - start < _SCHEME_MAX and text[start - 1] in _SCHEME_CHARACTERS:
            start -= 1
        while start < middle and not text[start].isalpha():
            start += 1
        if start < middle:
            found.append(start)
    personal = _PERSONAL.search(text)
    if personal is not None:
        found.append(personal.start())
    return min(found, default=None)


def split_link(text: str) -> LinkParts:
    """Return the parts of a link, or of a path with a query."""
    rest, fragment = _cut(text, "#")
    rest, query = _cut(rest, "?")
    scheme, mark, after = rest.partition("://")
    if mark and not scheme.strip("".join(_SCHEME_CHARACTERS)):
        authority, path = _cut(after, "/")
        user, at, host = authority.rpartition("@")
        return LinkParts(f"{scheme}{mark}", user + at, host, path, query, fragment)
    personal = _PERSONAL.match(rest)
    start = personal.end() if personal is not None else 0
    return LinkParts(rest[:start], "", "", rest[start:], query, fragment)


def is_host(text: str) -> bool:
    """Return whether the text is a host with or without a port, and nothing else."""
    return bool(_HOST.fullmatch(text))


def _cut(text: str, mark: str) -> tuple[str, str]:
    position = text.find(mark)
    return (text, "") if position < 0 else (text[:position], text[position:])
