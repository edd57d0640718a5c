"""Operations: one table row each, from which the routes, the checks of requests and the OpenAPI document are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_plus, unquote_to_bytes

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.server.fields import Kind, shortened

if TYPE_CHECKING:
    from mockcampaign.server.served import ServedCampaign

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
VENDOR_JSON = "application/vnd.optivo.broadmail.v1+json"
"""The vendor's own name of the same JSON; an answer has it when the client asks for it."""

CONTROL_TAG = "Control"
"""Marks the double's own operations in the OpenAPI document."""

FORM_FIELDS_MAX = 200
BODY_BYTES_MAX = 1_048_576
"""Longest request body. Ours: nobody documents one, and no form of the API comes near it."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a request."""

    name: str
    kind: Kind
    description: str
    place: Literal["path", "query", "form"] = "query"
    required: bool = False
    deprecated: bool = False
    default: str | int | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    id: str
    title: str
    description: str = ""
    tag: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    """The type that a JSON body is decoded to; None where there is none."""
    body_schema: Callable[[], dict[str, Any]] | None = None
    """The body's JSON Schema, where the type says too little; asked only when the document is made."""
    success: int = 200
    success_description: str
    answer: Any = None
    """The type of the answer's body; None where it has none."""
    media_type: str | None = None
    """The answer's, where it is not that of the whole API: `handle` returns the whole response then."""
    failures: Mapping[int, str] = {}
    """Documented failures besides those of every operation of the same API."""
    handle: Callable[[ServedCampaign, dict[str, Any]], Any]
    """Told the parameters by name, and a JSON body as `body`; returns the answer's body, or an awaitable of it."""


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


class Performer:
    """Reads requests of one operation, carries them out and encodes the answers."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._waits = iscoroutinefunction(operation.handle)
        # Sorted out once, since it is asked at every request.
        self._of_place = {
            place: [parameter for parameter in operation.parameters if parameter.place == place]
            for place in ("path", "query", "form")
        }

    async def perform(
        self, served: ServedCampaign, request: Request, given: Mapping[str, Any]
    ) -> bytes | Response | None:
        """Carry the operation out with what the request says and what is `given`; returns the encoded answer.

        Raises `RequestRefusedError`, where nothing was changed.
        """
        operation = self.operation
        values = await self._read(request)
        values.update(given)
        served.catch_up()
        try:
            answer = operation.handle(served, values)
            if self._waits:
                answer = await answer
        except WebhookError as error:
            raise RequestRefusedError(error.http_status_code, str(error)) from None
        except InvalidInputError as error:
            raise RequestRefusedError(400, str(error), (str(error),)) from None
        finally:
            if operation.method != "GET":
                served.wake()
        if isinstance(answer, Response):
            return answer
        return None if operation.answer is None else msgspec.json.encode(answer)

    async def _read(self, request: Request) -> dict[str, Any]:
        """All parameters by name, in their kinds; absent ones have their default, or None."""
        values: dict[str, Any] = {}
        violations: list[str] = []
        for parameter in self._of_place["path"]:
            _read_text(parameter, request.path_params[parameter.name], values, violations)
        if self._of_place["query"]:
            _read_pairs(self._of_place["query"], _pairs(request.scope["query_string"]), values, violations)
        if self._of_place["form"]:
            body = await read_body(request)
            sent = content_type(request)
            if sent != FORM and (body or sent):
                raise RequestRefusedError(415, _form_hint(sent))
            pairs = [pair for pair in _pairs(body) if pair[1]]  # what a form leaves empty is absent
            _read_pairs(self._of_place["form"], pairs, values, violations)
        if self.operation.body is not None:
            values["body"] = await _json_body(self.operation.body, request)
        if violations:
            noun = "field" if len(violations) == 1 else "fields"
            raise RequestRefusedError(400, f"{len(violations)} {noun} cannot be accepted", tuple(violations))
        return values


def _read_text(parameter: Parameter, text: str, values: dict[str, Any], violations: list[str]) -> None:
    try:
        values[parameter.name] = parameter.kind.read(text)
    except InvalidInputError as error:
        violations.append(f"{parameter.name}: {error}")


def _read_pairs(
    parameters: list[Parameter], pairs: list[tuple[str, str]], values: dict[str, Any], violations: list[str]
) -> None:
    # Fields that nobody knows are passed over, as servers do: a client may send what a newer version of the API takes.
    found = dict(pairs)
    names = [name for name, _ in pairs]
    for parameter in parameters:
        name = parameter.name
        if name not in found:
            values[name] = parameter.default
            if parameter.required:
                violations.append(f"{name}: missing, allowed: {_allowed(parameter)}")
        elif len(found) < len(pairs) and names.count(name) > 1:
            violations.append(f"{name}: given {names.count(name)} times, allowed: once")
        else:
            _read_text(parameter, found[name], values, violations)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises `RequestRefusedError` with 413 where it is longer than `BODY_BYTES_MAX`."""
    announced = header(request, b"content-length")
    parts: list[bytes] = []
    length = int(announced) if announced and announced.isascii() and announced.isdigit() else 0
    if length <= BODY_BYTES_MAX:
        length, more = 0, True
        # Asked for by hand: `Request.stream` is a third of what reading a form takes.
        while more and length <= BODY_BYTES_MAX:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            parts.append(part)
            length += len(part)
            more = message.get("more_body", False)
    if length > BODY_BYTES_MAX:
        raise RequestRefusedError(
            413, f"the body is longer than {BODY_BYTES_MAX} bytes, which is the limit", headers={"Connection": "close"}
        )
    return b"".join(parts)


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Names and values of an encoded form, in order. `urllib.parse.parse_qsl` takes four times as long."""
    if not encoded:
        return []
    fields = encoded.split(b"&")
    if len(fields) > FORM_FIELDS_MAX:
        raise RequestRefusedError(400, f"{len(fields)} fields, allowed: up to {FORM_FIELDS_MAX}")
    pairs = []
    for name, _, text in (field.partition(b"=") for field in fields if field):
        try:
            pairs.append((_unquoted(name), _unquoted(text)))
        except UnicodeDecodeError:
            wrong = f"{unquote_plus(name.decode('latin-1'))}: is not percent-encoded UTF-8"
            raise RequestRefusedError(400, "1 field cannot be accepted", (wrong,)) from None
    return pairs


def _unquoted(encoded: bytes) -> str:
    text = encoded.decode("ascii")
    # On bytes: `urllib.parse.unquote_plus` takes twice as long.
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode() if b"%" in encoded or b"+" in encoded else text


def _allowed(parameter: Parameter) -> str:
    schema = parameter.kind.schema()
    return ", ".join(schema["enum"]) if "enum" in schema else f"{schema['type']}"


def _form_hint(sent: str) -> str:
    hint = ": send the fields as a form, not as JSON" if "json" in sent else ""
    return f"Content-Type {shortened(sent)} is not accepted, allowed: {FORM}{hint}"


def content_type(request: Request) -> str:
    """The media type of the body, in lower case and without parameters; empty where none is named."""
    sent = header(request, b"content-type") or ""
    return sent if sent in (FORM, JSON) else sent.partition(";")[0].strip().lower()


def header(request: Request, name: bytes) -> str | None:
    """The first header of that name, which is in lower case. `Request.headers` takes four times as long."""
    for key, text in request.scope["headers"]:
        if key == name:
            return str(text, "latin-1")
    return None


_UNKNOWN_WORD = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`", re.DOTALL)


def _words_allowed(kind: Any, message: str) -> str:
    """What a body's message leaves out: the words that its field may hold, where that holds another."""
    found = _UNKNOWN_WORD.fullmatch(message)
    info = msgspec.inspect.type_info(kind)
    if found is None or not isinstance(info, msgspec.inspect.StructType):
        return ""
    [allowed] = [field.type for field in info.fields if field.encode_name == found[1]]
    return f", allowed: {', '.join(allowed.cls)}" if isinstance(allowed, msgspec.inspect.EnumType) else ""


async def _json_body(kind: Any, request: Request) -> Any:
    sent = content_type(request)
    if sent != JSON:
        raise RequestRefusedError(415, f"Content-Type {shortened(sent)} is not accepted, allowed: {JSON}")
    body = await read_body(request)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        message = f"{error}{_words_allowed(kind, str(error))}"
        raise RequestRefusedError(400, f"the body does not fit: {message}", (message,)) from None
    except InvalidInputError as error:  # of values that check themselves
        raise RequestRefusedError(400, str(error), (str(error),)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is not JSON: {error}") from None
