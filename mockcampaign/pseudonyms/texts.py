"""Replaces whatever may name a person in a text, wherever it stands in it and however it is encoded.

A text is read once from left to right, and again for each encoding inside it, `LEVELS_MAX` times at most. Nothing is
spared because it is not recognised as an address, link or encoding: then its words are replaced one by one.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence

from mockcampaign.errors import MockcampaignError
from mockcampaign.pseudonyms import encodings
from mockcampaign.pseudonyms.encodings import Piece
from mockcampaign.pseudonyms.harmless import PLAIN_WORDS, is_plain, name_stays
from mockcampaign.pseudonyms.links import find_link, is_host, split_link
from mockcampaign.pseudonyms.substitutes import Substitutes, is_letter

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A value from JSON."""

LEVELS_MAX = 6
"""How many encodings inside each other are read."""

PHONE_DIGITS_MIN = 6
"""Fewest digits in a row, spaces and punctuation between them, that are replaced in a sentence."""

DIGITS_MIN = 4
"""Fewest digits of a word that is replaced in a sentence."""

TOKEN_MIN = 8
"""Fewest characters of a word with letters and digits that is replaced in a sentence."""

_CHUNK = re.compile(r'[^\s"<>]+')
_RUN = re.compile(
    r"(?P<six>(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{1,4})?(?![\w:]))"
    r"|(?P<four>(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w@+-]|\.\w))"
    r"|(?P<uuid>(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w@]))"
    r"|(?P<day>(?<!\w)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))"
    r"|(?P<run>[\w.+@/-]+={0,2})"
)
"""Every quantifier of this pattern is bounded or runs over characters that no other part of it could match."""

_WORD = re.compile(r"[^\W_]+")
_DOMAIN = re.compile(r"[^\W_][\w.-]*")
_BETWEEN_DIGITS = frozenset(" ()/.+-\N{NO-BREAK SPACE}")


class UnreadableError(MockcampaignError):
    """A value is too large or too deeply nested to replace the people in it; the text says why."""


class Texts:
    """Replaces persons in texts, with one memory."""

    def __init__(self, substitutes: Substitutes, structure: Callable[[Json, int], Json]) -> None:
        """`structure` replaces persons in a value from JSON that was a text at this level."""
        self._substitutes = substitutes
        self._structure = structure

    def whole(self, text: str, level: int = 0) -> str:
        """Return the text with every word replaced."""
        return "".join(output for _, output in self._pieces(_sound(text), level, strict=True))

    def sentence(self, text: str) -> str:
        """Return the text with everything replaced that is known from elsewhere, or looks personal or secret."""
        return "".join(output for _, output in self._without_phones(self._pieces(_sound(text), 0, strict=False)))

    def path(self, path: str) -> str:
        """Return a path, perhaps with a query, in which only plain words and the names of parameters stay."""
        return self._link(_sound(path), 0)

    def _pieces(self, text: str, level: int, *, strict: bool) -> list[Piece]:
        if (
            text.lstrip()[:1] in ("{", "[")
            and level < LEVELS_MAX
            and (structure := self._json(text, level)) is not None
        ):
            return [(text, structure)]
        pieces: list[Piece] = []
        end = 0
        for match in _CHUNK.finditer(text):
            pieces.append((text[end : match.start()],) * 2)
            pieces.extend(self._chunk(match[0], level, strict=strict))
            end = match.end()
        pieces.append((text[end:],) * 2)
        return pieces

    def _json(self, text: str, level: int) -> str | None:
        try:
            value = json.loads(text)
            replaced = self._structure(value, level + 1)
            separators = None if ", " in text or ": " in text else (",", ":")
            return json.dumps(replaced, separators=separators, ensure_ascii=text.isascii())
        except (ValueError, RecursionError, UnreadableError):
            return None  # then it is a text like any other

    def _chunk(self, chunk: str, level: int, *, strict: bool) -> list[Piece]:
        """Return the pieces of a text without spaces."""
        if level >= LEVELS_MAX:
            return list(self._runs(chunk, level, strict=strict))
        start = 0 if chunk[0] in "/?" and len(chunk) > 1 else find_link(chunk)
        if start is not None:
            before, link = chunk[:start], chunk[start:]
            return [*self._unlinked(before, level, strict=strict), (link, self._link(link, level + 1))]
        return self._unlinked(chunk, level, strict=strict)

    def _unlinked(self, chunk: str, level: int, *, strict: bool) -> list[Piece]:
        if encodings.ESCAPE.search(chunk) and level < LEVELS_MAX:
            return [(chunk, self._percent(chunk, level + 1, strict=strict))]
        return list(self._runs(chunk, level, strict=strict))

    def _percent(self, chunk: str, level: int, *, strict: bool) -> str:
        decoded = encodings.percent_decoded(chunk)
        return decoded.encoded(self._pieces(decoded.text, level, strict=strict))

    # Links

    def _link(self, text: str, level: int) -> str:
        link = split_link(text)
        user = self._value(link.user[:-1], level) + link.user[-1:]
        host = link.host if is_host(link.host) else self._value(link.host, level)
        path = "/".join([self._segment(segment, level) for segment in link.path.split("/")])
        query = "&".join([self._parameter(one, level) for one in link.query[1:].split("&")])
        fragment = self._value(link.fragment[1:], level)
        return f"{link.scheme}{user}{host}{path}{link.query[:1]}{query}{link.fragment[:1]}{fragment}"

    def _segment(self, segment: str, level: int) -> str:
        return segment if is_plain(segment) else self._value(segment, level)

    def _parameter(self, parameter: str, level: int) -> str:
        name, mark, value = parameter.partition("=")
        if not mark:
            return self._segment(name, level)
        shown = name if name_stays(encodings.percent_decoded(name).text) else self._value(name, level)
        return f"{shown}{mark}{self._value(value, level)}"

    def _value(self, text: str, level: int) -> str:
        if level < LEVELS_MAX and encodings.ESCAPE.search(text):
            return self._percent(text, level + 1, strict=True)
        # Without an escape, a value is read as it is: a link in it has its host, and a slash begins no path.
        start = find_link(text) if level < LEVELS_MAX else None
        if start is None:
            return "".join(output for _, output in self._runs(text, level, strict=True))
        before = "".join(output for _, output in self._runs(text[:start], level, strict=True))
        return before + self._link(text[start:], level + 1)

    # Runs of characters that may be one thing

    def _runs(self, text: str, level: int, *, strict: bool) -> Iterator[Piece]:
        end = 0
        for match in _RUN.finditer(text):
            if end < match.start():
                yield from self._words(text[end : match.start()], level, strict=strict)
            end = match.end()
            if match["run"] is not None:
                yield from self._run(match[0], level, strict=strict)
            elif match["uuid"] is not None:
                yield match[0], self._substitutes.uuid(match[0])
            elif match["day"] is not None:
                yield match[0], self._substitutes.day(match[0])
            elif _is_address(match[0]):
                yield match[0], self._substitutes.address(match[0])
            else:
                yield from self._words(match[0], level, strict=strict)
        if end < len(text):
            yield from self._words(text[end:], level, strict=strict)

    def _run(self, run: str, level: int, *, strict: bool) -> Iterator[Piece]:
        if "@" not in run:
            yield from self._unaddressed(run, level, strict=strict)
            return
        body = run.rstrip("=")
        for index, part in enumerate(body.split("/")):
            if index:
                yield "/", "/"
            yield from self._addresses(part, level, strict=strict)
        yield run[len(body) :], run[len(body) :]

    def _addresses(self, text: str, level: int, *, strict: bool) -> Iterator[Piece]:
        """Yield the pieces of a text that may contain e-mail addresses."""
        parts = text.split("@")
        index = 0
        while index < len(parts) - 1:
            local, after = parts[index].lstrip(".+-"), parts[index + 1]
            domain = _DOMAIN.match(after)
            if not local or domain is None:
                yield from self._unaddressed(parts[index], level, strict=strict)
                yield "@", "@"
                index += 1
                continue
            name = domain[0].rstrip(".-_")
            lead = parts[index][: len(parts[index]) - len(local)]
            yield lead, lead
            yield f"{local}@{name}", self._email(local, name, level)
            # What follows the address may be the local part of another.
            parts[index + 1] = after[len(name) :]
            if index + 1 < len(parts) - 1 and not parts[index + 1]:
                yield "@", "@"
                index += 1
            index += 1
        if index < len(parts):
            yield from self._unaddressed(parts[index], level, strict=strict)

    def _email(self, local: str, domain: str, level: int) -> str:
        base, plus, tag = local.partition("+")
        address = self._substitutes.email(base, domain)
        if not plus:
            return address
        tag = "".join(output for _, output in self._unaddressed(tag, level, strict=True))
        name, at, reserved = address.partition("@")
        return f"{name}{plus}{tag}{at}{reserved}"

    def _unaddressed(self, run: str, level: int, *, strict: bool) -> Iterator[Piece]:
        """Yield the pieces of a run without e-mail addresses, whose parts may be in base64."""
        parts = run.split(".")
        for index, part in enumerate(parts):
            if index:
                yield ".", "."
            decoded = encodings.base64_decoded(part) if level < LEVELS_MAX else None
            if decoded is None and len(part) < 2 * TOKEN_MIN and level < LEVELS_MAX:
                decoded = encodings.base64_decoded(part, short=True)
                if decoded is not None and not self._substitutes.knows(decoded.text):
                    decoded = None
            if decoded is None:
                yield from self._words(part, level, strict=strict)
            else:
                yield part, decoded.encoded(self.whole(decoded.text, level + 1))

    def _words(self, text: str, level: int, *, strict: bool) -> Iterator[Piece]:
        for word, is_word in _split(text):
            yield word, self._word(word, level, strict=strict) if is_word else word

    def _word(self, word: str, level: int, *, strict: bool) -> str:
        if level < LEVELS_MAX and (found := self._hexadecimal(word)) is not None:
            return found.encoded(self.whole(found.text, level + 1))
        if strict or _is_token(word) or (self._substitutes.knows(word) and not _is_common(word)):
            return self._substitutes.word(word)
        return word

    def _hexadecimal(self, word: str) -> encodings.Hexadecimal | None:
        found = None if word.isdecimal() else encodings.hexadecimal_decoded(word)
        if found is None and len(word) < 8 * TOKEN_MIN:
            # A short word, or one of digits alone, may be anything. It is encoded text only if that is known.
            found = encodings.hexadecimal_decoded(word, short=True)
            if found is not None and not self._substitutes.knows(found.text):
                return None
        return found

    def _without_phones(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """Yield the pieces of a sentence with the digits of phone numbers replaced."""
        for spaced, group in itertools.groupby(pieces, key=_is_phone_part):
            parts = list(group)
            digits = sum(sum(map(str.isdigit, source)) for source, _ in parts) if spaced else 0
            for source, output in parts:
                phone = digits >= PHONE_DIGITS_MIN and source == output and source.isalnum()
                yield source, self._substitutes.word(source) if phone else output


def _sound(text: str) -> str:
    """Return the text without halves of characters, which JSON can contain and no other text."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_phone_part(piece: Piece) -> bool:
    return piece[0].isdecimal() or _BETWEEN_DIGITS.issuperset(piece[0])


def _is_token(word: str) -> bool:
    """Return whether a word is no word of a language."""
    digits = sum(map(str.isdigit, word))
    return digits >= DIGITS_MIN or (digits > 0 and len(word) >= TOKEN_MIN) or len(word) >= 4 * TOKEN_MIN


def _is_common(word: str) -> bool:
    """Return whether a word of a sentence may mean anything, though it is known: a plain word, or a small number."""
    return word.lower() in PLAIN_WORDS or (word.isdecimal() and len(word) < DIGITS_MIN)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield words and what is between them, each with whether it is a word."""
    if text.isascii():
        end = 0
        for match in _WORD.finditer(text):
            if match.start() > end:
                yield text[end : match.start()], False
            yield match[0], True
            end = match.end()
        if end < len(text):
            yield text[end:], False
    else:
        for is_word, symbols in itertools.groupby(text, key=is_letter):
            yield "".join(symbols), is_word
