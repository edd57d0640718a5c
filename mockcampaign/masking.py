"""Hides secrets in whatever a consumer sends: it may echo a request, in any spelling."""

from __future__ import annotations

import html
import json
from collections.abc import Container, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from mockcampaign.model import Outcome, Responded

MASK = "***"

PREFIX_MIN = 3
"""A response that is cut off inside a secret shows fewer than this many characters of it."""


class Masking:
    """Replaces secrets by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {
            spelling
            for secret in secrets
            if secret
            for spelling in (
                secret,
                quote(secret, safe=""),
                quote_plus(secret),
                html.escape(secret),
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            )
        }
        # Longest first: one may be part of another.
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._encoded = [spelling.encode() for spelling in self._spellings]

    def text(self, text: str) -> str:
        """Return the text without the secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def data(self, data: bytes, *, cut: bool = False) -> bytes:
        """Return the bytes without the secrets. `cut`: the end may be the beginning of one."""
        for spelling in self._encoded:
            if spelling in data:
                data = data.replace(spelling, MASK.encode())
        if cut:
            for spelling in self._encoded:
                for length in range(len(spelling) - 1, PREFIX_MIN - 1, -1):
                    if data.endswith(spelling[:length]):
                        return data[:-length] + MASK.encode()
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
        if not isinstance(outcome, Responded) or not self._spellings:
            return outcome
        body = self.data(outcome.body, cut=outcome.body_bytes > len(outcome.body))
        headers = outcome.headers
        if any(spelling in text for spelling in self._spellings for header in headers for text in header):
            headers = tuple((self.text(name), self.text(value)) for name, value in headers)
        if body is outcome.body and headers is outcome.headers:
            return outcome
        return msgspec.structs.replace(outcome, body=body, headers=headers)
