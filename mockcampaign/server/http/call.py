"""One call of an operation: its headers, its body, and its fields as text."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from mockcampaign.server.http.fields import shortened

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
VENDOR_JSON = "application/vnd.optivo.broadmail.v1+json"
"""The vendor's own name of the same JSON; an answer has it when the client asks for it."""

FIELDS_MAX = 200
BODY_BYTES_MAX = 1_048_576
"""Longest request body. Ours: nobody documents one, and no form of the API comes near it."""

Pairs = list[tuple[str, str]]
"""Names and values, in order."""


class RequestRefusedError(Exception):
    """A request that is answered with an error status."""

    def __init__(
        self, status: int, message: str, violations: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.violations = violations
        self.headers = headers or {}


class Call:
    """What a client asks for. Starlette's `Request` takes several times as long for the same."""

    __slots__ = ("_receive", "headers", "method", "path", "query")

    def __init__(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.headers = headers
        """By their names, in lower case."""
        self.path: dict[str, str] = {}
        """What stands where the operation's path has names."""
        self.query: bytes = scope["query_string"]
        self._receive = receive

    def header(self, name: bytes) -> str:
        """The header of that name, which is in lower case; empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        """The media type of the body, in lower case and without parameters; empty where none is named."""
        sent = self.header(b"content-type")
        return sent if sent in (FORM, JSON) else sent.partition(";")[0].strip().lower()

    async def body(self) -> bytes:
        """The whole body. Raises `RequestRefusedError` with 413 where it is longer than `BODY_BYTES_MAX`."""
        announced = self.headers.get(b"content-length", b"")
        length = int(announced) if announced.isdigit() else 0
        parts: list[bytes] = []
        if length <= BODY_BYTES_MAX:
            length, more = 0, True
            while more and length <= BODY_BYTES_MAX:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part = message.get("body", b"")
                parts.append(part)
                length += len(part)
                more = message.get("more_body", False)
        if length > BODY_BYTES_MAX:
            wrong = f"the body is longer than {BODY_BYTES_MAX} bytes, which is the limit"
            raise RequestRefusedError(413, wrong, headers={"Connection": "close"})
        return b"".join(parts)

    async def form(self) -> Pairs:
        """The fields of a form that are not empty. Raises `RequestRefusedError` with 413, 415 or 400."""
        body = await self.body()
        sent = self.content_type
        if sent != FORM and (body or sent):
            hint = ": send the fields as a form, not as JSON" if "json" in sent else ""
            raise RequestRefusedError(415, f"Content-Type {shortened(sent)} is not accepted, allowed: {FORM}{hint}")
        return [pair for pair in read_pairs(body) if pair[1]]


def read_pairs(encoded: bytes) -> Pairs:
    """What a query string or a form says; `urllib.parse.parse_qsl` takes five times as long.

    Raises `RequestRefusedError` with 400 where it is not percent-encoded UTF-8, or holds too many fields.
    """
    if not encoded:
        return []
    fields = str(encoded, "latin-1").replace("+", " ").split("&")
    if len(fields) > FIELDS_MAX:
        raise RequestRefusedError(400, f"{len(fields)} fields, allowed: up to {FIELDS_MAX}")
    pairs = []
    for field in fields:
        name, _, text = field.partition("=")
        if "%" in field or not field.isascii():
            name, text = _unquoted(name, name), _unquoted(text, name)
        if field:
            pairs.append((name, text))
    return pairs


def _unquoted(text: str, name: str) -> str:
    try:
        text.encode("ascii")
        return unquote(text, errors="strict")
    except UnicodeError:
        wrong = f"{unquote(name)}: is not percent-encoded UTF-8"
        raise RequestRefusedError(400, "1 field cannot be accepted", (wrong,)) from None
