"""Operations: one table row each, from which the routes, the checks of requests and the OpenAPI document are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.responses import Response

from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.server.http.call import JSON, Call, Pairs, RequestRefusedError, read_pairs
from mockcampaign.server.http.fields import Kind, shortened

if TYPE_CHECKING:
    from mockcampaign.server.served_campaign import ServedCampaign

CONTROL_TAG = "Control"
"""Marks the double's own operations in the OpenAPI document."""


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
    """The type of the response body; None where it has none."""
    media_type: str | None = None
    """The answer's, where it is not that of the whole API: `handle` returns the whole response then."""
    failures: Mapping[int, str] = {}
    """Documented failures besides those of every operation of the same API."""
    handle: Callable[[ServedCampaign, dict[str, Any]], Any]
    """Told the parameters by name, and a JSON body as `body`; returns the response body, or an awaitable of it."""


class Performer:
    """Reads calls of one operation, carries them out and encodes the answers."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._waits = iscoroutinefunction(operation.handle)
        # Sorted out once, since it is asked at every call.
        self._path, self._query, self._form = (
            [parameter for parameter in operation.parameters if parameter.place == place]
            for place in ("path", "query", "form")
        )

    async def perform(self, served: ServedCampaign, call: Call, given: Mapping[str, Any]) -> bytes | Response | None:
        """Carry the operation out with what the call says and what is `given`; returns the encoded answer.

        Raises `RequestRefusedError`, where nothing was changed.
        """
        operation = self.operation
        values: dict[str, Any] = {}
        violations: list[str] = []
        for parameter in self._path:
            _read_text(parameter, call.path[parameter.name], values, violations)
        if self._query:
            _read_pairs(self._query, read_pairs(call.query), values, violations)
        if self._form:
            _read_pairs(self._form, await call.form(), values, violations)
        if operation.body is not None:
            values["body"] = await _json_body(operation.body, call)
        if violations:
            noun = "field" if len(violations) == 1 else "fields"
            raise RequestRefusedError(400, f"{len(violations)} {noun} cannot be accepted", tuple(violations))
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


def _read_text(parameter: Parameter, text: str, values: dict[str, Any], violations: list[str]) -> None:
    try:
        values[parameter.name] = parameter.kind.read(text)
    except InvalidInputError as error:
        violations.append(f"{parameter.name}: {error}")


def _read_pairs(parameters: list[Parameter], pairs: Pairs, values: dict[str, Any], violations: list[str]) -> None:
    # Fields that nobody knows are passed over, as servers do: a client may send what a newer version of the API takes.
    found = dict(pairs)
    names = [name for name, _ in pairs] if len(found) < len(pairs) else []
    for parameter in parameters:
        name = parameter.name
        if name not in found:
            values[name] = parameter.default
            if parameter.required:
                violations.append(f"{name}: missing, allowed: {parameter.kind.allowed()}")
        elif names.count(name) > 1:
            violations.append(f"{name}: given {names.count(name)} times, allowed: once")
        else:
            _read_text(parameter, found[name], values, violations)


async def _json_body(kind: Any, call: Call) -> Any:
    sent = call.content_type
    if sent != JSON:
        raise RequestRefusedError(415, f"Content-Type {shortened(sent)} is not accepted, allowed: {JSON}")
    body = await call.body()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        message = f"{error}{_words_allowed(kind, str(error))}"
        raise RequestRefusedError(400, f"the body does not fit: {message}", (message,)) from None
    except InvalidInputError as error:  # of values that check themselves
        raise RequestRefusedError(400, str(error), (str(error),)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefusedError(400, f"the body is not JSON: {error}") from None


_UNKNOWN = re.compile(r"(Invalid enum value|Object contains unknown field) .*?(?: - at `\$((?:\.\w+)+)`)?", re.DOTALL)


def _words_allowed(kind: Any, message: str) -> str:
    """What a body's message leaves out: the words that its field may hold, or the fields that there are."""
    found = _UNKNOWN.fullmatch(message)
    if found is None:
        return ""
    info: Any = msgspec.inspect.type_info(kind)
    for name in (found[2] or "").split(".")[1:]:
        [info] = [field.type for field in info.fields if field.encode_name == name]
    if isinstance(info, msgspec.inspect.EnumType):
        return f", allowed: {', '.join(info.cls)}"
    return f", allowed: {', '.join(field.encode_name for field in info.fields)}"
