"""Values like a captured one: of the same characters, length and format, but another recipient's or mail's."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from math import prod
from random import Random

_TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d([.,]\d+)?)?")
_UUID = re.compile(r"([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})")
_HEXADECIMAL = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{16,}")
_TOKEN_GROUP = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Z0-9]{5,}")
_VERSION = re.compile(r"[0-9]+([.][0-9]+)+")
_DIGITS, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

IDENTIFIER_DIGITS_MIN = 4
"""A number or text with fewer digits counts as a code or a count and stays, unless its field is an id."""

Alphabets = tuple[str, ...]
"""The symbols that each position of a text can have."""


def alphabets_of(value: str | int, *, identity: bool, named: bool = False) -> Alphabets | None:
    """Return the symbols that each position of a similar value can have, or None if the value should stay.

    `identity` says that the value identifies somebody or something, however it looks; `named`, that its name is one of
    an id.
    """
    text = str(value)
    local, at, domain = text.partition("@")
    if at and "." in domain and (identity or is_plain(text)):
        return (*similar_symbols(local), *at, *domain)
    digits = sum(symbol in _DIGITS for symbol in text)
    if not identity:
        if not is_plain(text) or (digits < IDENTIFIER_DIGITS_MIN and not (named and _is_mixed(text))):
            return None
        if _VERSION.fullmatch(text) or _TIME_OF_DAY.fullmatch(text):
            return None
    if is_uuid(text):
        # The digits of version and variant stay.
        return tuple(one if index in (14, 19) else _hexadecimal(one) for index, one in enumerate(text))
    if _HEXADECIMAL.fullmatch(text):
        return tuple(_hexadecimal(one) for one in text)
    many = identity or digits >= IDENTIFIER_DIGITS_MIN
    if many and has_token_group(text):
        return tuple(_UPPER + _DIGITS if one in _UPPER + _DIGITS else one for one in text)
    if isinstance(value, int):
        return _whole_number(text)
    if digits < IDENTIFIER_DIGITS_MIN and not text.isdigit():
        return similar_symbols(text)
    found = [_DIGITS if one in _DIGITS else one for one in text]
    if digits == len(text):
        found[0] = "0" if text[0] == "0" else _DIGITS[1:]
    return tuple(found)


def is_plain(text: str) -> bool:
    """Return whether the text may be an id, and not a name, a sentence, a path or a URL."""
    return text.isascii() and "/" not in text and " " not in text


def is_uuid(text: str) -> bool:
    """Return whether the text is a UUID (RFC 9562)."""
    return _UUID.fullmatch(text) is not None


def has_token_group(text: str) -> bool:
    """Return whether a group between hyphens mixes capital letters and digits, as in the guide's mail ids."""
    return any(_TOKEN_GROUP.fullmatch(group) for group in text.split("-"))


def address_version(text: str) -> int | None:
    """Return 4 or 6 if the text is an IP address, or else None."""
    try:
        return ip_address(text).version
    except ValueError:
        return None


def similar_symbols(text: str) -> Alphabets:
    """Return digits for digits, letters for letters of the same case, and everything else unchanged."""
    return tuple(
        next((alphabet for alphabet in (_DIGITS, _LOWER, _UPPER) if symbol in alphabet), symbol) for symbol in text
    )


def _is_mixed(text: str) -> bool:
    """Return whether the text has letters and digits. Letters alone may be any word."""
    return any(symbol in _DIGITS for symbol in text) and any(symbol in _LOWER + _UPPER for symbol in text)


def _whole_number(text: str) -> Alphabets:
    """Return symbols for as many digits, so that the number fits into 64 bits if the captured one does."""
    sign, digits = text[: text.startswith("-")], text.removeprefix("-")
    leading = {19: ("12345678",), 20: ("1", "01234567")}.get(len(digits), (_DIGITS[1:],))
    return (*sign, *leading, *[_DIGITS] * (len(digits) - len(leading)))


def _hexadecimal(symbol: str) -> str:
    if symbol == "-":
        return symbol
    return "0123456789ABCDEF" if symbol in "ABCDEF" else "0123456789abcdef"


UNIQUE = 9 * 10**8
"""How many values an id must be able to have, so that no two mails of a check share one: nine digits, which fit into 32
bits."""


def draw_like(value: str | int, random: Random, *, unique: bool = False) -> str | int:
    """Return an id in the format of a captured one; if it has to be `unique` and is too short, with more digits."""
    draw = random.random
    text = "".join([alphabet[int(draw() * size)] for alphabet, size in _sized(value, unique)])
    return int(text) if isinstance(value, int) else text


@lru_cache(maxsize=256, typed=True)
def _sized(value: str | int, unique: bool) -> list[tuple[str, int]]:
    """Return the symbols of each position, and how many they are."""
    alphabets = alphabets_of(value, identity=True)
    assert alphabets is not None  # as it is asked for an identity
    if unique:
        alphabets = _long_enough(alphabets, is_number=isinstance(value, int))
    return [(alphabet, len(alphabet)) for alphabet in alphabets]


def _long_enough(alphabets: Alphabets, *, is_number: bool) -> Alphabets:
    missing = 0
    while prod(len(alphabet) for alphabet in alphabets) * 10**missing < UNIQUE:
        missing += 1
    if not missing:
        return alphabets
    if is_number:
        return ("123456789", *alphabets[1:], *[_DIGITS] * missing)
    at = next((index for index, alphabet in enumerate(alphabets) if alphabet == "@"), len(alphabets))
    return (*alphabets[:at], *[_DIGITS] * missing, *alphabets[at:])
