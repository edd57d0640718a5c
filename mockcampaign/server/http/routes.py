"""An API as an ASGI application: find the operation of a request, read its fields, carry it out, respond."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any, assert_never
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mockcampaign.errors import InvalidInputError, RejectedError
from mockcampaign.server.http.guard import API_HEADERS, adding
from mockcampaign.server.http.operation import Api, Call, Operation, OtherSuccess, Place
from mockcampaign.server.http.request import (
    Headers,
    RequestRejectedError,
    Values,
    number_or_text,
    read_form,
    read_json,
    read_pairs,
    wrong_fields,
)
from mockcampaign.server.http.request_fields import attribute_fields, is_number, read_fields, shown, struct_fields
from mockcampaign.server.served_campaign import CallInterruptedError, ServedCampaign


class ApiApplication:
    """Handles the requests of one API.

    Starlette's router would save five lines here, but takes 6 to 11 us for each request, a tenth of the whole.
    """

    def __init__(self, api: Api, served: ServedCampaign) -> None:
        self._api = api
        self._served = served
        self._performers: dict[re.Pattern[str], dict[str, Performer]] = {}
        for operation in api.operations:
            pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", api.prefix + operation.path))
            performers = self._performers.setdefault(pattern, {})
            performers[operation.method] = Performer(api, operation)
            if operation.method == "GET":
                performers["HEAD"] = performers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str, headers: Headers) -> None:
        """Handle one request. `path`: its segments, decoded one by one."""
        try:
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            call = Call(
                self._served,
                scope["method"],
                headers,
                scheme=scope.get("scheme", "http"),
                path=raw.decode("latin-1"),
                query=scope["query_string"],
            )
            performer, texts = self._find(call, path)
            in_path = performer.read_path(texts)
            result = await performer.perform(call, in_path, scope, receive)
        except RequestRejectedError as error:
            await self.reject(send, headers, error)
        except ClientDisconnect:
            return
        else:
            if isinstance(result, Response):
                await result(scope, receive, adding(API_HEADERS, send))
            else:
                status, body = (
                    (result.status, msgspec.json.encode(result.body))
                    if isinstance(result, OtherSuccess)
                    else (performer.operation.success, result)
                )
                await _send(send, status, body, self._api.choose_media_type(headers), {})

    async def reject(self, send: Send, headers: Headers, error: RequestRejectedError) -> None:
        """Send a failure in the form of this API."""
        body = msgspec.json.encode(self._api.describe_error(error))
        await _send(send, error.status, body, self._api.choose_media_type(headers), error.headers)

    def _find(self, call: Call, path: str) -> tuple[Performer, dict[str, str]]:
        method = call.method
        for pattern, performers in self._performers.items():
            found = pattern.fullmatch(path)
            if found is not None:
                if method not in performers:
                    allowed = ", ".join(sorted(performers))
                    message = f"method {method} is not supported, allowed: {allowed}"
                    raise RequestRejectedError(405, message, headers={"Allow": allowed})
                return performers[method], found.groupdict()
        raise self._api.find_missing(call, path)


class Performer:
    """Reads the fields of one operation's requests, carries them out and encodes the responses."""

    def __init__(self, api: Api, operation: Operation[Any]) -> None:
        self.operation = operation
        self._admit = api.admit
        self._waits = iscoroutinefunction(operation.handle)
        self._place = operation.place(api)
        in_path, names = operation.in_path(api), [field.encode_name for field in struct_fields(operation.fields)]
        self._parameters = [name for name in names if name not in in_path] if self._place == "query" else []
        self._ignores_unknown_parameters = api.ignores_unknown_parameters
        self._attributes = attribute_fields(operation.fields)
        self._numbers = [field.encode_name for field in struct_fields(operation.fields) if is_number(field.type)]

    def read_path(self, texts: Mapping[str, str]) -> Values:
        """Return the fields in the path, decoded: numbers where the operation has numbers."""
        decoded = {name: unquote(text) if "%" in text else text for name, text in texts.items()}
        return {name: number_or_text(text) if name in self._numbers else text for name, text in decoded.items()}

    async def perform(
        self, call: Call, path: Values, scope: Scope, receive: Receive
    ) -> bytes | Response | OtherSuccess | None:
        """Carry the operation out; returns the encoded body of the response, or the whole response.

        `path` has the fields in the path. Raises `RequestRejectedError`; the campaign is unchanged then.
        """
        operation, served = self.operation, call.served
        self._admit(call, path)
        if scope["query_string"] and not self._ignores_unknown_parameters:
            self._check_parameters(read_pairs(scope["query_string"]))
        place = self._place
        values = path if place is None else await self._values(place, path, call.headers, scope, receive)
        fields = read_fields(operation.fields, values)
        served.catch_up()
        try:
            result = operation.handle(call, fields)
            if self._waits:
                result = await served.until_interrupted(result)
            if operation.method != "GET":
                served.save()
        except CallInterruptedError as error:
            raise RequestRejectedError(error.status, str(error)) from None
        except RejectedError as error:
            raise RequestRejectedError(error.http_status_code, str(error)) from None
        except InvalidInputError as error:
            raise RequestRejectedError(400, str(error), violations=[str(error)]) from None
        finally:
            if operation.method != "GET":
                served.wake()
        if isinstance(result, Response | OtherSuccess):
            return result
        return None if operation.response is None else msgspec.json.encode(result)

    def _check_parameters(self, given: Values) -> None:
        """Raise `RequestRejectedError` with 400 if a query has parameters that the operation does not know."""
        allowed = ", ".join(self._parameters) or "none"
        unknown = [name for name in given if name not in self._parameters]
        if unknown:
            raise wrong_fields([f"{shown(name)}: unknown query parameter, allowed: {allowed}" for name in unknown])

    async def _values(self, place: Place, path: Values, headers: Headers, scope: Scope, receive: Receive) -> object:
        match place:
            case "json":
                body = await read_json(headers, receive)
                return body | path if isinstance(body, dict) else body
            case "query":
                values = read_pairs(scope["query_string"])
            case "form":
                values = await read_form(headers, receive, with_empty=bool(self._attributes))
                for name in self._attributes:
                    values = _gathered(values, name)
            case _:
                assert_never(place)
        for name in self._numbers:
            text = values.get(name)
            if isinstance(text, str):
                values[name] = number_or_text(text)
        values.update(path)
        return values


def _gathered(values: Values, name: str) -> Values:
    """Return the fields with all attributes in one: an empty attribute is one, while other empty fields are none."""
    prefix = f"{name}."
    others: Values = {one: value for one, value in values.items() if not one.startswith(prefix) and value != ""}
    attributes = {one.removeprefix(prefix): value for one, value in values.items() if one.startswith(prefix)}
    return others | {name: attributes}


async def _send(send: Send, status: int, body: bytes | None, media_type: str, more: Mapping[str, str]) -> None:
    """Send a whole response. Starlette's `Response` takes several times as long."""
    headers = [*API_HEADERS, *((name.lower().encode(), text.encode()) for name, text in more.items())]
    if body is not None:
        headers += (b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})
