"""Taking secrets out of what a consumer says: it may echo what it was sent, in whatever spelling."""

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
"""An answer that was cut off inside a secret shows no more than one less of its characters."""


class Masking:
    """Hides some secrets."""

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
        # The longest first: one may be part of another.
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._encoded = [spelling.encode() for spelling in self._spellings]

    def text(self, text: str) -> str:
        """The text without them."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def data(self, data: bytes, *, cut: bool = False) -> bytes:
        """The bytes without them; `cut`: there was more, so the end may be the beginning of one."""
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
        """A value that came from JSON, without them; a number that is one becomes a text."""
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
        """Events that a consumer gave back. What is one of ours stays: a secret may be as common as a word in them."""
        return tuple(event if event in ours else self._event(event) for event in events)

    def _event(self, event: bytes) -> bytes:
        if self.data(event) == event:
            return event
        return msgspec.json.encode(self.value(msgspec.json.decode(event)), order="sorted")

    def outcome(self, outcome: Outcome) -> Outcome:
        """The outcome without them."""
        if not isinstance(outcome, Responded) or not self._spellings:
            return outcome
        body = self.data(outcome.body, cut=outcome.body_bytes > len(outcome.body))
        headers = outcome.headers
        if any(spelling in text for spelling in self._spellings for header in headers for text in header):
            headers = tuple((self.text(name), self.text(value)) for name, value in headers)
        if body is outcome.body and headers is outcome.headers:
            return outcome
        return msgspec.structs.replace(outcome, body=body, headers=headers)
