"""Texts inside other texts: percent-encoded, in base64 or hexadecimal. Each is read once, from left to right."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

Piece = tuple[str, str]
"""A part of a text, and what it becomes."""

_SPELLING = re.compile(r"(?:%[0-9A-Fa-f]{2})+|[^%]+|%")
ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_URL_SAFE = str.maketrans("-_", "+/")

ENCODED_BYTES_MIN = 6
"""Fewest bytes that are recognised as encoded text. Fewer may be any word."""

PADDED_BYTES_MIN = 3
"""Fewest bytes that are recognised in base64 with padding, which no word has."""


class Percent(NamedTuple):
    """A text that was percent-encoded, with the spelling of each of its characters."""

    text: str
    spellings: Sequence[str]

    def encoded(self, pieces: Sequence[Piece]) -> str:
        """Return the pieces as the text was encoded: what stays has its old spelling."""
        plain = _UNRESERVED.union(spelling for spelling in self.spellings if len(spelling) == 1)
        position = 0
        parts: list[str] = []
        for source, output in pieces:
            end = position + len(source)
            if source == output:
                parts.extend(self.spellings[position:end])
            else:
                parts.extend(symbol if symbol in plain else _escaped(symbol) for symbol in output)
            position = end
        return "".join(parts)


def percent_decoded(text: str) -> Percent:
    """Return the text without percent-encoding."""
    symbols: list[str] = []
    spellings: list[str] = []
    for match in _SPELLING.finditer(text):
        part = match[0]
        if not ESCAPE.match(part):
            symbols.extend(part)
            spellings.extend(part)
            continue
        raw = unquote_to_bytes(part)
        try:
            decoded = raw.decode()
        except UnicodeDecodeError:
            decoded = raw.decode("latin-1")
            sizes = [1] * len(decoded)
        else:
            sizes = [len(symbol.encode()) for symbol in decoded]
        symbols.extend(decoded)
        start = 0
        for size in sizes:
            spellings.append(part[3 * start : 3 * (start + size)])
            start += size
    return Percent("".join(symbols), spellings)


def _escaped(symbol: str) -> str:
    return "".join(f"%{byte:02X}" for byte in symbol.encode("utf-8", "replace"))


class Base64(NamedTuple):
    """A text that was in base64, and how."""

    text: str
    url_safe: bool
    padded: bool

    def encoded(self, text: str) -> str:
        """Return another text encoded in the same way."""
        raw = text.encode("utf-8", "replace")
        encoded = base64.urlsafe_b64encode(raw) if self.url_safe else base64.b64encode(raw)
        return encoded.decode().rstrip("=") if not self.padded else encoded.decode()


def base64_decoded(run: str, short: bool = False) -> Base64 | None:
    """Return the text that the run of characters encodes, or None if it encodes none. `short`: accept few bytes."""
    body = run.rstrip("=")
    if not body.isascii() or body in (body.lower(), body.upper()) or len(run) - len(body) > 2:
        return None
    padded = len(run) > len(body)
    if (padded and len(run) % 4) or len(body) % 4 == 1:
        return None
    standard = body.translate(_URL_SAFE)
    if standard != body and ("+" in body or "/" in body):
        return None
    try:
        raw = binascii.a2b_base64(standard + "=" * (-len(body) % 4))
    except binascii.Error:
        return None
    if len(raw) < (1 if short else PADDED_BYTES_MIN if padded else ENCODED_BYTES_MIN):
        return None
    if base64.b64encode(raw).decode().rstrip("=") != standard:
        return None  # some characters mean nothing, so it is no canonical base64
    text = _readable(raw)
    if text is None:
        return None
    url_safe = "+" not in body and "/" not in body
    return Base64(text, url_safe, padded or (len(body) % 4 == 0 and standard == body))


class Hexadecimal(NamedTuple):
    """A text that was in hexadecimal, and in which case."""

    text: str
    upper: bool

    def encoded(self, text: str) -> str:
        """Return another text encoded in the same way."""
        encoded = text.encode("utf-8", "replace").hex()
        return encoded.upper() if self.upper else encoded


def hexadecimal_decoded(word: str, short: bool = False) -> Hexadecimal | None:
    """Return the text that the word encodes, or None if it encodes none. `short`: accept few bytes."""
    if len(word) % 2 or len(word) < 2 * (1 if short else ENCODED_BYTES_MIN) or word.strip("0123456789ABCDEFabcdef"):
        return None
    if word not in (word.lower(), word.upper()):
        return None
    try:
        raw = bytes.fromhex(word)
    except ValueError:
        return None  # a digit of the middle is none
    text = _readable(raw)
    return None if text is None else Hexadecimal(text, word != word.lower())


def _readable(raw: bytes) -> str | None:
    """Return the text if the bytes are one that somebody may have written."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(symbol.isprintable() or symbol in "\t\r\n" for symbol in text) else None
