"""The memory of one recording: which original has which substitute, each in the format of its original.

A substitute is drawn from all texts of the same format, without repetition, in the order in which originals are first
seen. So two originals never share one, equal recordings have equal substitutes, and a substitute says nothing about its
original but the format and that order. Where all texts of a short format are used up, the substitute is longer.
"""

from __future__ import annotations

import ipaddress
import math
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b

_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_ALPHABETS = {
    "L": _CONSONANTS,  # letters of a word that is not short: without a vowel, no name can come of them
    "S": "abcdefghijklmnopqrstuvwxyz",
    "X": "abcdef",
    "D": "0123456789",
    "N": "123456789",
    "M": "12345678",
    "O": "01234567",
    "E": "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ",
    "K": "".join(map(chr, range(0x30A1, 0x30F7))),  # katakana, for letters without case
}
"""Codes of a pattern, and the characters that each stands for. Every other character stands for itself."""

_PATTERN_OF_ASCII = {
    **{ord(letter): "L" for letter in _ALPHABETS["S"]},
    **{ord(digit): "D" for digit in _ALPHABETS["D"]},
}
_SHORT = str.maketrans("L", "S")
_HEXADECIMAL = str.maketrans("L", "X")

HEAD = 24
"""As many first characters of a long word are different for each original; the others depend on the format alone."""

SHORT_LETTERS = 4
"""A word with fewer letters is drawn from all letters: without vowels, there would be too few."""

HEXADECIMAL_MIN = 16
"""Fewest characters of a hexadecimal number that is recognised."""

ZEROS_MAX = 3
"""Most zeros in a word of nothing else that stays as it is."""

_CROWDED = 10_000
"""A format with fewer texts offers those of other originals too, or it would be used up soon."""

DOMAIN = "recipient.example"
"""The domain of all substitutes for e-mail addresses, reserved for examples (RFC 2606)."""

_NETWORKS = (
    *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),  # for documentation (RFC 5737)
    *("198.18.0.0/15", "240.0.0.0/4"),  # for benchmarks and reserved, when those are used up
)
_NETWORK_6 = ipaddress.IPv6Network("2001:db8::/32")  # for documentation (RFC 3849)


class _Drawer:
    """The texts of one format, in a shuffled order without repetition."""

    def __init__(self, pattern: str) -> None:
        self._alphabets = [_ALPHABETS.get(code, code) for code in pattern]
        self.size = math.prod(map(len, self._alphabets))
        seed = int.from_bytes(blake2b(pattern.encode("utf-8", "surrogatepass"), digest_size=64).digest(), "big")
        self._first = (seed >> 256) % self.size
        self._step = seed % self.size
        while math.gcd(self._step, self.size) != 1:
            self._step += 1
        self._next = 0
        self._spare: list[str] = []

    def draw(self, original: str, avoided: dict[str, str]) -> str | None:
        """Return the next text that is not the original itself, or None if all are used up."""
        for index, text in enumerate(self._spare):
            if text != original:
                return self._spare.pop(index)
        while self._next < self.size:
            text = self._nth(self._next)
            self._next += 1
            if text == original:
                self._spare.append(text)
            elif text.strip("0") and (self.size < _CROWDED or text not in avoided):
                return text
        return None

    def _nth(self, number: int) -> str:
        place = (self._first + number * self._step) % self.size
        symbols = []
        for alphabet in reversed(self._alphabets):
            place, index = divmod(place, len(alphabet))
            symbols.append(alphabet[index])
        return "".join(reversed(symbols))


class Substitutes:
    """Substitutes for words, numbers, e-mail addresses and network addresses. Its memory grows with each original."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._emails: dict[str, str] = {}
        self._networks: dict[str, str] = {}
        self._floats: dict[float, float] = {}
        self._floats_drawn: set[float] = set()
        self._drawers: dict[str, _Drawer] = {}
        self._networks_drawn = {4: _addresses_4(), 6: _addresses_6()}

    def knows(self, text: str) -> bool:
        """Return whether the text is a word or e-mail address that has a substitute, in any case."""
        folded = text.lower()
        return folded in self._words or folded in self._emails

    def word(self, word: str) -> str:
        """Return the substitute of a run of letters and digits: digits for digits, letters for letters of that case.

        The same word in other case has the same substitute in that case.
        """
        if len(word) <= ZEROS_MAX and not word.strip("0"):
            return word  # no number of anybody, and of no other format
        folded = _folded(word)
        base = self._words.get(folded)
        if base is None:
            base = self._words[folded] = self._draw(_word_pattern(folded), folded, self._words)
        return _in_case_of(word, base)

    def uuid(self, text: str) -> str:
        """Return a UUID of the same version and variant."""
        folded = text.lower()
        base = self._words.get(folded)
        if base is None:
            pattern = list(folded.translate(_PATTERN_OF_ASCII).translate(_HEXADECIMAL))
            pattern[14], pattern[19] = folded[14], folded[19]
            base = self._words[folded] = self._draw("".join(pattern), folded, self._words)
        return _in_case_of(text, base)

    def day(self, text: str) -> str:
        """Return another day, such as `1952-04-17`."""
        base = self._words.get(text)
        if base is None:
            base = self._words[text] = self._draw("19DD-0N-1D", text, self._words)
        return base

    def number(self, value: int) -> int:
        """Return a number with as many digits and the same sign, which fits into 64 bits if the original does."""
        if value < 0:
            return -self.number(-value)
        return int(self.word(str(value)))

    def decimal(self, value: float) -> float:
        """Return a number of about as many digits, with the same sign and exponent."""
        if value.is_integer() and abs(value) < 1e15:
            return float(self.number(int(value)))
        if value != value or value in (math.inf, -math.inf):
            return value
        if value not in self._floats:
            mantissa, mark, exponent = repr(value).partition("e")
            pattern = "".join("D" if symbol.isdigit() else symbol for symbol in mantissa)
            while True:
                drawn = float(self._draw(pattern, mantissa, {}) + mark + exponent)
                if math.isfinite(drawn) and drawn not in self._floats_drawn:
                    break
            self._floats[value] = drawn
            self._floats_drawn.add(drawn)
        return self._floats[value]

    def email(self, local: str, domain: str) -> str:
        """Return the address at a reserved domain that stands for this one, in whatever case it is written."""
        folded = f"{local}@{domain}".lower()
        base = self._emails.get(folded)
        if base is None:
            name = _folded(local)
            pattern = "".join(map(_code, name))
            base = self._emails[folded] = f"{self._draw(pattern, name, {}, room='@')}@{DOMAIN}"
        return base

    def address(self, text: str) -> str:
        """Return the network address that stands for this one; addresses of nobody stay."""
        parsed = ipaddress.ip_address(text)
        if parsed.is_unspecified or parsed.is_loopback:
            return text
        original = str(parsed)
        if original not in self._networks:
            addresses = self._networks_drawn[parsed.version]
            self._networks[original] = next(one for one in addresses if one != original)
        return self._networks[original]

    def _draw(self, pattern: str, original: str, avoided: dict[str, str], room: str = "") -> str:
        head, tail = pattern[:HEAD], pattern[HEAD:]
        while True:
            known = room + head
            if known not in self._drawers:
                self._drawers[known] = _Drawer(head)
            drawn = self._drawers[known].draw(original[:HEAD], avoided)
            if drawn is not None:
                return drawn + "".join(map(_filler, range(len(tail)), tail))
            last = head[-1]
            head += "D" if last in "0NMOD" else last if last in _ALPHABETS else "S"


def _filler(index: int, code: str) -> str:
    alphabet = _ALPHABETS.get(code, code)
    return alphabet[index * 7 % len(alphabet)]


def _word_pattern(folded: str) -> str:
    """Return the pattern of a word in lower case."""
    if not folded.isascii():
        return "".join(map(_code, folded))
    pattern = folded.translate(_PATTERN_OF_ASCII)
    letters = pattern.count("L")
    if letters == 0:
        return _number_pattern(folded)
    if len(folded) >= HEXADECIMAL_MIN and letters < len(folded) and not folded.strip("0123456789abcdef"):
        return pattern.translate(_HEXADECIMAL)
    return pattern.translate(_SHORT) if letters < SHORT_LETTERS else pattern


def _number_pattern(digits: str) -> str:
    """Return a pattern without a leading zero unless there is one, within 64 bits if the number is."""
    length = len(digits)
    if digits[0] == "0":
        return "0" + "D" * (length - 1)
    if length == 19:
        return "M" + "D" * 18
    if length == 20 and digits < "18446744073709551616":
        return "1O" + "D" * 18
    return "N" + "D" * (length - 1)


def _code(symbol: str) -> str:
    """Return the code of one character of an e-mail address or of a word in any script."""
    if symbol.isascii():
        return _PATTERN_OF_ASCII.get(ord(symbol), symbol).translate(_SHORT)
    if symbol.islower():
        return "E"
    return "K" if is_letter(symbol) else symbol


def is_letter(symbol: str) -> bool:
    """Return whether a character is part of a word: a letter or digit, or a mark on one."""
    return (
        symbol.isalnum() or symbol.islower() or symbol.isupper() or unicodedata.category(symbol) in ("Mn", "Mc", "Me")
    )


def _lower(symbol: str) -> str:
    """Return the letter in lower case, if that can be undone."""
    lower = symbol.lower()
    return lower if len(lower) == 1 and lower != symbol and lower.upper() == symbol else symbol


def _folded(word: str) -> str:
    return word.lower() if word.isascii() else "".join(map(_lower, word))


def _in_case_of(word: str, base: str) -> str:
    """Return the text in lower case with the capitals of the word."""
    if word.isascii():
        if word == word.lower():
            return base
        if word == word.upper():
            return base.upper()
    capitals = [_lower(symbol) != symbol for symbol in word]
    capitals += capitals[-1:] * (len(base) - len(word))
    return "".join(symbol.upper() if capital else symbol for symbol, capital in zip(base, capitals, strict=True))


def _addresses_4() -> Iterator[str]:
    for network in map(ipaddress.IPv4Network, _NETWORKS):
        yield from map(str, network.hosts())


def _addresses_6() -> Iterator[str]:
    return map(str, _NETWORK_6.hosts())
