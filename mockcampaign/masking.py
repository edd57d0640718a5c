"""Hides secrets in whatever a consumer sends: it may echo a request, in any spelling.

Text is not searched for a list of spellings. Its escapes are decoded first, layer by layer, as JSON in JSON has them,
and what is found is hidden in the text as it was. Every step takes time in proportion to the text.
"""

from __future__ import annotations

import base64
import functools
import html
import re
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from mockcampaign.model import Outcome, Responded

MASK = "***"
_MASK = MASK.encode()

PREFIX_MIN = 3
"""A response that is cut off inside a secret shows fewer than this many characters of it."""

DECODED_MIN = 4
"""A secret shorter than this is hidden as it is, but not in Base64 or hex, which would be in any number."""

CLEAN_MAX = 256
"""Number of bodies and header values that are remembered because they contain no secret."""

LAYERS_MAX = 5
"""Layers of escapes that are decoded, such as two for JSON in a JSON string."""

_ESCAPE = re.compile(
    rb"%[0-9a-fA-F]{2}|(?:\\u[0-9a-fA-F]{4})+|\\x[0-9a-fA-F]{2}|\\[^ux]|&\#?[0-9a-zA-Z]{1,31};", re.DOTALL | re.VERBOSE
)
_ESCAPE_CUT_OFF = re.compile(rb"(?:%[0-9a-fA-F]?|\\(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?)?|&\#?[0-9a-zA-Z]{0,31})\Z")

_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

_FOLDED = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ+", b"abcdefghijklmnopqrstuvwxyz ")
"""Upper case is as lower case, and a plus sign may be a blank."""

_SECRET_PARAMETER = re.compile(r"token|key|secret|pass|pwd|auth|sig|code|credential|jwt|session", re.IGNORECASE)
"""Names of query parameters whose values are secrets."""

_IN_COMMAND = re.compile(
    r"token|secret|passw|pwd|credential|authorization|bearer|api.?key|jwt"  # names of secrets
    r"|(?<!\S)-u\s*[^\s:]+:\S|(?<!\S)-p\S|://[^\s/]*@",  # of curl, of MySQL's client, and of URLs
    re.IGNORECASE,
)
"""Parts of commands that secrets come with."""

_PARAMETER = re.compile(r"(?<=[?&;])([^=&;#]*)=([^&;#]*)")


_WITHOUT_CREDENTIALS = re.compile(r"([a-zA-Z]+://)?(\[[^]]*\]|[^/:@]*)(:[0-9]*)?(/.*)?")
"""A URL up to its query that has no credentials before its host, not even with an unusual password."""


@functools.lru_cache(maxsize=1_024)
def shown_url(url: str) -> str:
    """Return a URL as outputs may show it: without credentials, also in its query."""
    before, question_mark, query = url.partition("?")
    if "@" not in before and not _WITHOUT_CREDENTIALS.fullmatch(before):
        before, question_mark, query = url, "", ""  # the question mark is part of a password
    if "@" in before:
        scheme, slashes, _ = before.partition("//")
        before = f"{scheme if slashes else ''}{slashes}…@{before.rpartition('@')[2]}"
    url = f"{before}{question_mark}{query}"
    return _PARAMETER.sub(lambda found: f"{found[1]}={MASK}" if _is_secret(found[1]) else found[0], url)


def may_contain_secret(command: str, secrets: Iterable[str] = ()) -> bool:
    """Return whether a command for a shell may contain a secret: one of these, or what looks like one."""
    return (
        any(secret in command for secret in secrets if secret)
        or _IN_COMMAND.search(command) is not None
        or any(shown_url(word) != word for word in command.split() if "//" in word)
    )


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the secrets in the query of a URL."""
    if "?" not in url and "&" not in url and ";" not in url:
        return ()
    return tuple(unquote_plus(value) for name, value in _PARAMETER.findall(url) if value and _is_secret(name))


def _is_secret(name: str) -> bool:
    return _SECRET_PARAMETER.search(unquote_plus(name)) is not None


class _Layer(NamedTuple):
    """A text whose escapes have been decoded, and where its pieces were before."""

    data: bytes
    starts: list[int]
    """Beginnings of pieces in `data`: every second one is a decoded escape, the others are as they were."""
    before: list[tuple[int, int]]
    """Beginning and end of each piece before."""

    def span_before(self, start: int, end: int) -> tuple[int, int]:
        """Return where a span was before."""
        return self._at(start)[0], self._at(end - 1)[1]

    def _at(self, position: int) -> tuple[int, int]:
        index = bisect_right(self.starts, position) - 1
        start, end = self.before[index]
        if index % 2:
            return start, end
        offset = start + position - self.starts[index]
        return offset, offset + 1


def _decoded(data: bytes) -> _Layer | None:
    """Return the text with one layer of escapes decoded, or None if it has none."""
    starts, before, pieces, length, end = [0], list[tuple[int, int]](), list[bytes](), 0, 0
    for found in _ESCAPE.finditer(data):
        for piece, span in ((data[end : found.start()], (end, found.start())), (_unescaped(found[0]), found.span())):
            pieces.append(piece)
            before.append(span)
            length += len(piece)
            starts.append(length)
        end = found.end()
    if not pieces:
        return None
    before.append((end, len(data)))
    return _Layer(b"".join([*pieces, data[end:]]), starts, before)


@functools.lru_cache(maxsize=4_096)
def _unescaped(escape: bytes) -> bytes:
    kind = escape[1:2]
    if escape[:1] == b"%":
        return bytes.fromhex(escape[1:].decode("ascii"))
    if kind == b"x":
        return chr(int(escape[2:], 16)).encode()
    if escape[:1] == b"&":
        return html.unescape(escape.decode("ascii")).encode("utf-8", "surrogatepass")
    if kind == b"u":
        units = bytes.fromhex(escape.replace(b"\\u", b"").decode("ascii"))
        return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    return _CONTROLS.get(kind, kind)


def _plain(data: bytes) -> bytes:
    """Return the text with every layer of escapes decoded."""
    *_, last = _layers(data)
    return last


def _layers(data: bytes) -> Iterator[bytes]:
    """Yield the text, and then what it is without one layer of escapes more."""
    yield data
    for _ in range(LAYERS_MAX):
        data, escapes = _ESCAPE.subn(lambda found: _unescaped(found[0]), data)
        if not escapes:
            return
        yield data


@functools.lru_cache(maxsize=1_024)
def _patterns(secret: str) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return what to search for in text, and what else in bytes, which may be of another encoding; all folded."""
    texts = {secret, secret.strip(), secret.upper(), secret.lower(), secret.casefold()} - {""}
    if not secret.isascii():
        texts |= {text.encode("utf-8", "surrogatepass").decode("latin-1") for text in texts}  # read as Latin-1
    in_text = {text.encode("utf-8", "surrogatepass") for text in texts}
    bare = secret.strip().encode("utf-8", "surrogatepass")
    if len(bare) >= DECODED_MIN:
        in_text |= {base64.b64encode(bare).rstrip(b"="), base64.urlsafe_b64encode(bare).rstrip(b"=")}
        in_text.add(bare.hex().encode("ascii"))
    in_bytes = set()
    if not secret.isascii():
        for text in texts:
            encoded = text.encode("latin-1", "ignore")
            if len(encoded) == len(text) >= DECODED_MIN:
                in_bytes.add(encoded)
    return _folded(in_text), _folded(in_bytes)


def _folded(patterns: Iterable[bytes]) -> frozenset[bytes]:
    """Return the patterns as they are and without escapes, folded."""
    found = set()
    for pattern in patterns:
        found.add(pattern.translate(_FOLDED))
        plain = _plain(pattern)
        if len(plain) >= DECODED_MIN:
            found.add(plain.translate(_FOLDED))
    return frozenset(found)


class Masking:
    """Replaces secrets by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        in_text, in_bytes = set[bytes](), set[bytes]()
        for secret in secrets:
            if secret:
                of_text, of_bytes = _patterns(secret)
                in_text |= of_text
                in_bytes |= of_bytes
        # Longest first: one may be part of another.
        self._in_text = sorted(in_text, key=len, reverse=True)
        self._in_bytes = sorted(in_text | in_bytes, key=len, reverse=True)
        self._clean: set[tuple[bytes, bool]] = set()
        """Bytes without a secret. Consumers respond the same again and again."""

    @property
    def patterns(self) -> int:
        """For how many patterns every response is searched."""
        return len(self._in_bytes)

    def text(self, text: str) -> str:
        """Return the text without the secrets."""
        if not self._in_text:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans = self._spans(data, self._in_text)
        return _without(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def data(self, data: bytes, *, cut: bool = False) -> bytes:
        """Return the bytes without the secrets. `cut`: the end may be the beginning of one."""
        if not self._in_bytes or not data or (data, cut) in self._clean:
            return data
        spans = self._spans(data, self._in_bytes, cut=cut)
        if spans:
            return _without(data, spans)
        if len(self._clean) >= CLEAN_MAX:
            self._clean.clear()
        self._clean.add((data, cut))
        return data

    def value(self, value: Any) -> Any:
        """Return a value from JSON without the secrets; a number that is one becomes a text."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self.value(inner) for name, inner in value.items()}
            case list():
                return [self.value(inner) for inner in value]
            case int() | float() if self.text(str(value)) != str(value):
                return self.text(str(value))
            case _:
                return value

    def events(self, events: Iterable[bytes], ours: Container[bytes]) -> tuple[bytes, ...]:
        """Return events of a consumer without the secrets. Ours stay unchanged: a secret may be a common word."""
        return tuple(event if event in ours else self._event(event) for event in events)

    def _event(self, event: bytes) -> bytes:
        if self.data(event) == event:
            return event
        return msgspec.json.encode(self.value(msgspec.json.decode(event)), order="sorted")

    def outcome(self, outcome: Outcome) -> Outcome:
        """Return the outcome without the secrets."""
        if not isinstance(outcome, Responded) or not self._in_bytes:
            return outcome
        body = self.data(outcome.body, cut=outcome.body_bytes > len(outcome.body))
        headers = self._headers(outcome.headers)
        if body is outcome.body and headers is outcome.headers:
            return outcome
        return msgspec.structs.replace(outcome, body=body, headers=headers)

    def _headers(self, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        masked = tuple([(self._header(name), self._header(value)) for name, value in headers])
        return headers if masked == headers else masked

    def _header(self, text: str) -> str:
        """Return a name or value, which was decoded as Latin-1 whatever it was (`transport.kept_headers`)."""
        try:
            return self.data(text.encode("latin-1")).decode("latin-1")
        except UnicodeEncodeError:
            return self.text(text)

    def _spans(self, data: bytes, patterns: list[bytes], *, cut: bool = False) -> list[tuple[int, int]]:
        """Return where secrets are in any layer of the text."""
        # Most texts contain none. To find that out, nobody needs to know where the escapes were.
        if not any(_hit(layer.translate(_FOLDED), patterns, cut) for layer in _layers(data)):
            return []
        spans: list[tuple[int, int]] = []
        layers: list[_Layer] = []
        here = data
        while True:
            folded = here.translate(_FOLDED)
            found = [*_found(folded, patterns), *(_beginning(folded, patterns) if cut else ())]
            for layer in reversed(layers):
                found = [layer.span_before(*span) for span in found]
            spans += found
            decoded = _decoded(here) if len(layers) < LAYERS_MAX else None
            if decoded is None:
                return spans
            layers.append(decoded)
            here = decoded.data


def _hit(folded: bytes, patterns: list[bytes], cut: bool) -> bool:
    return any(pattern in folded for pattern in patterns) or (cut and any(_beginning(folded, patterns)))


def _found(folded: bytes, patterns: list[bytes]) -> Iterator[tuple[int, int]]:
    for pattern in patterns:
        start = folded.find(pattern)
        while start >= 0:
            yield start, start + len(pattern)
            start = folded.find(pattern, start + len(pattern))


def _beginning(folded: bytes, patterns: list[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the span at the end of a text that is the beginning of a secret, also if its last escape is cut off."""
    cut_off = _ESCAPE_CUT_OFF.search(folded)
    ends = [len(folded)] if cut_off is None else [cut_off.start(), len(folded)]
    for pattern in patterns:
        for end in ends:
            start = folded.find(pattern[:PREFIX_MIN], max(end - len(pattern) + 1, 0), end)
            while start >= 0:
                if end - start >= PREFIX_MIN and pattern.startswith(folded[start:end]):
                    yield start, len(folded)
                    break
                start = folded.find(pattern[:PREFIX_MIN], start + 1, end)


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """Return the bytes with a mask for each span; overlapping spans are one."""
    pieces, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            pieces += [data[end:start], _MASK]
        end = max(end, stop)
    return b"".join([*pieces, data[end:]])
