"""Operations: one table row each, from which the routes, the checks of requests and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.server.fields import Kind, shortened

if TYPE_CHECKING:
    from mockcampaign.server.served import ServedCampaign

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
VENDOR_JSON = "application/vnd.optivo.broadmail.v1+json"
"""The vendor's own name of the same JSON; an answer has it when the client asks for it."""

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
    body: type | None = None
    """What a JSON body is decoded to; None where there is none."""
    success: int = 200
    success_description: str
    answer: Any = None
    """The type of the answer's body; None where it has none."""
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


async def perform(
    operation: Operation, served: ServedCampaign, request: Request, given: Mapping[str, Any]
) -> bytes | None:
    """Read the request, carry the operation out with what it says and what is `given`, and encode the answer.

    Raises `RequestRefusedError`, where nothing was changed.
    """
    values = {**await read_request(operation, request), **given}
    served.catch_up()
    try:
        answer = operation.handle(served, values)
        if isawaitable(answer):
            answer = await answer
    except WebhookError as error:
        raise RequestRefusedError(error.http_status_code, str(error)) from None
    except InvalidInputError as error:
        raise RequestRefusedError(400, str(error), (str(error),)) from None
    finally:
        served.wake()
    return None if operation.answer is None else msgspec.json.encode(answer)


async def read_request(operation: Operation, request: Request) -> dict[str, Any]:
    """All parameters by name, in their kinds; absent ones have their default, or None."""
    found: dict[str, list[str]] = {name: [str(value)] for name, value in request.path_params.items()}
    places = {parameter.place for parameter in operation.parameters}
    violations: list[str] = []
    query = request.scope["query_string"]
    if query and "query" in places:
        _collect(found, _pairs(query), "query", operation)
    if "form" in places:
        body = await read_body(request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != FORM and (body or content_type):
            raise RequestRefusedError(415, _form_hint(content_type))
        _collect(found, _pairs(body), "form", operation)
    values: dict[str, Any] = {}
    for parameter in operation.parameters:
        texts = found.get(parameter.name)
        if texts is None or (parameter.place == "form" and texts == [""]):
            values[parameter.name] = parameter.default
            if parameter.required:
                violations.append(f"{parameter.name}: missing, allowed: {_allowed(parameter)}")
            continue
        if len(texts) > 1:
            violations.append(f"{parameter.name}: given {len(texts)} times, allowed: once")
            continue
        try:
            values[parameter.name] = parameter.kind.read(texts[0])
        except InvalidInputError as error:
            violations.append(f"{parameter.name}: {error}")
    if operation.body is not None:
        values["body"] = await _json_body(operation.body, request)
    if violations:
        noun = "field" if len(violations) == 1 else "fields"
        raise RequestRefusedError(400, f"{len(violations)} {noun} cannot be accepted", tuple(violations))
    return values


async def read_body(request: Request) -> bytes:
    """The whole body. Raises `RequestRefusedError` with 413 where it is longer than `BODY_BYTES_MAX`."""
    announced = request.headers.get("content-length", "0")
    parts = []
    length = int(announced) if announced.isascii() and announced.isdigit() else 0
    if length <= BODY_BYTES_MAX:
        length = 0
        async for part in request.stream():
            parts.append(part)
            length += len(part)
            if length > BODY_BYTES_MAX:
                break
    if length > BODY_BYTES_MAX:
        raise RequestRefusedError(
            413, f"the body is longer than {BODY_BYTES_MAX} bytes, which is the limit", headers={"Connection": "close"}
        )
    return b"".join(parts)


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_MAX
        )
    except UnicodeDecodeError:
        raise RequestRefusedError(400, "the request is not percent-encoded UTF-8") from None
    except ValueError:
        raise RequestRefusedError(400, f"more than {FORM_FIELDS_MAX} fields") from None


def _collect(found: dict[str, list[str]], pairs: list[tuple[str, str]], place: str, operation: Operation) -> None:
    # Others are passed over, as servers do: a client may send what a newer version of the API knows.
    known = {parameter.name for parameter in operation.parameters if parameter.place == place}
    for name, text in pairs:
        if name in known:
            found.setdefault(name, []).append(text)


def _allowed(parameter: Parameter) -> str:
    schema = parameter.kind.schema()
    return ", ".join(schema["enum"]) if "enum" in schema else f"{schema['type']}"


def _form_hint(content_type: str) -> str:
    hint = ": send the fields as a form, not as JSON" if "json" in content_type else ""
    return f"Content-Type {shortened(content_type)} is not accepted, allowed: {FORM}{hint}"


async def _json_body(kind: type, request: Request) -> Any:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise RequestRefusedError(415, f"Content-Type {shortened(content_type)} is not accepted, allowed: {JSON}")
    body = await read_body(request)
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise RequestRefusedError(400, f"the body does not fit: {error}", (str(error),)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is not JSON: {error}") from None
