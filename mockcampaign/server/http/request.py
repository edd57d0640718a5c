"""Requests as both APIs read them: headers, limits, forms, JSON, and the error that rejects a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from mockcampaign import json_text
from mockcampaign.text import bounded, counted, short

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

FIELDS_MAX = 5_200
"""Maximum number of fields of a form or query. Documented: up to 5,000 recipients unsubscribe in one call."""
BODY_BYTES_MAX = 1_048_576
"""Maximum length of a request body. Ours: the vendor documents none, and no form of the API is nearly as long."""

Headers = Mapping[bytes, bytes]
"""Request headers by name, in lower case."""
Values = dict[str, object]
"""Fields of a request by name, before they are checked."""

NESTING_MAX = 100
"""Maximum nesting of arrays and objects in a body. Ours: events have two or three levels."""

VIOLATIONS_MAX = 20
"""Maximum number of wrong fields that an error names: a body has room for hundreds of thousands."""

_DIGITS_MAX = 30


class RequestRejectedError(Exception):
    """A request that the server rejects with an error status."""

    def __init__(
        self, status: int, message: str, *, violations: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """`violations`: one for each wrong field, in the form `field: what, allowed: …`. The last one counts more."""
        message = bounded(message)
        super().__init__(message)
        self.status = status
        self.message = message
        more = len(violations) - VIOLATIONS_MAX
        self.violations = [
            *map(bounded, violations[:VIOLATIONS_MAX]),
            *([f"… and {counted(more, 'more wrong field')}"] if more > 0 else []),
        ]
        self.headers = headers or {}


class Repeated(msgspec.Struct, frozen=True):
    """The values of a field that a form or a query string contains more than once."""

    texts: tuple[str, ...]

    @property
    def times(self) -> int:
        """How often the field was given."""
        return len(self.texts)


def wrong_fields(violations: Sequence[str]) -> RequestRejectedError:
    """Return the error that names every wrong field of a request."""
    noun = "field" if len(violations) == 1 else "fields"
    return RequestRejectedError(400, f"{len(violations)} {noun} cannot be accepted", violations=violations)


def header(headers: Headers, name: bytes) -> str:
    """Return the header of that name; empty if the request has none."""
    return headers.get(name, b"").decode("latin-1")


def content_type(headers: Headers) -> str:
    """Return the body's media type in lower case and without parameters; empty if the request has none."""
    sent = header(headers, b"content-type")
    return sent if sent in (FORM, JSON) else sent.partition(";")[0].strip().lower()


def number_or_text(text: str) -> int | str:
    """Return the number that the text spells; any other text unchanged."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS_MAX else text


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """Return the whole body. Raises `RequestRejectedError` with 413 if it is longer than `BODY_BYTES_MAX`."""
    announced = headers.get(b"content-length", b"")
    length = int(announced) if announced.isdigit() else 0
    parts: list[bytes] = []
    if length <= BODY_BYTES_MAX:
        length, more = 0, True
        while more and length <= BODY_BYTES_MAX:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            parts.append(part)
            length += len(part)
            more = message.get("more_body", False)
    if length > BODY_BYTES_MAX:
        # The rest of the body is not read, so the connection cannot be used again.
        raise RequestRejectedError(
            413, f"the body is longer than {BODY_BYTES_MAX} bytes, which is the limit", headers={"Connection": "close"}
        )
    return b"".join(parts)


async def read_form(headers: Headers, receive: Receive, *, with_empty: bool = False) -> Values:
    """Return the fields of a form, as a rule those that are not empty.

    Raises `RequestRejectedError` with 400, 413 or 415.
    """
    body = await read_body(headers, receive)
    sent = content_type(headers)
    if sent != FORM and (body or sent):
        hint = ": send the fields as a form, not as JSON" if "json" in sent else ""
        raise RequestRejectedError(415, f"Content-Type {short(sent)!r} is not accepted, allowed: {FORM}{hint}")
    return read_pairs(body, with_empty=with_empty)


async def read_json(headers: Headers, receive: Receive) -> object:
    """Return the decoded body; an empty one is an empty object. Raises `RequestRejectedError` with 400, 413 or 415."""
    sent = content_type(headers)
    if sent != JSON:
        raise RequestRejectedError(415, f"Content-Type {short(sent)!r} is not accepted, allowed: {JSON}")
    body = await read_body(headers, receive)
    try:
        value: object = msgspec.json.decode(body or b"{}")
    except RecursionError:
        raise _too_deep() from None
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise RequestRejectedError(400, f"the body is not JSON: {json_text.why_not_json(body, error)}") from None
    if json_text.is_deeper(value, body, NESTING_MAX):
        raise _too_deep()
    return value


def _too_deep() -> RequestRejectedError:
    return RequestRejectedError(400, f"the body is nested too deeply, allowed: up to {NESTING_MAX} levels")


def read_pairs(encoded: bytes, *, with_empty: bool = True) -> Values:
    """Return the fields of a query string or a form; `urllib.parse.parse_qsl` takes five times as long.

    Raises `RequestRejectedError` with 400 if it is not percent-encoded UTF-8 or has too many fields.
    """
    if not encoded:
        return {}
    fields = str(encoded, "latin-1").replace("+", " ").split("&")
    if len(fields) > FIELDS_MAX:
        raise RequestRejectedError(400, f"{len(fields)} fields, allowed: up to {FIELDS_MAX}")
    values: Values = {}
    for field in fields:
        name, _, text = field.partition("=")
        if "%" in field or not field.isascii():
            name, text = _decoded(name, name), _decoded(text, name)
        if not (text or with_empty):
            continue
        if name in values:
            known = values[name]
            values[name] = Repeated((*(known.texts if isinstance(known, Repeated) else (str(known),)), text))
        else:
            values[name] = text
    return values


def _decoded(text: str, name: str) -> str:
    try:
        if not text.isascii():
            raise UnicodeError
        return unquote_to_bytes(text).decode() if "%" in text else text
    except UnicodeError:
        raise wrong_fields([f"{short(unquote(name))}: is not percent-encoded UTF-8"]) from None
