"""An API as an ASGI application: a resource for each path carries out the operation of the request's method."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import iscoroutinefunction
from typing import Any, assert_never

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mockcampaign.errors import InvalidInputError, WebhookError
from mockcampaign.server.http.guard import API_HEADERS, adding
from mockcampaign.server.http.operation import Api, Call, Operation, Place
from mockcampaign.server.http.request import (
    Headers,
    RequestRejectedError,
    Values,
    number_or_text,
    read_form,
    read_json,
    read_pairs,
)
from mockcampaign.server.http.request_fields import is_number, read_fields, struct_fields
from mockcampaign.server.served_campaign import ServedCampaign


class ApiApplication:
    """Handles the requests of one API.

    Starlette's router would save five lines here, but takes 6 to 11 us for each request, a tenth of the whole.
    """

    def __init__(self, api: Api, served: ServedCampaign) -> None:
        self._api = api
        by_path: dict[str, list[Operation[Any]]] = {}
        for operation in api.operations:
            by_path.setdefault(api.prefix + operation.path, []).append(operation)
        self._resources = [
            (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), Resource(api, served, operations))
            for path, operations in by_path.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str, headers: Headers) -> None:
        """Handle one request. `path`: its segments, decoded one by one."""
        for pattern, resource in self._resources:
            found = pattern.fullmatch(path)
            if found is not None:
                await resource(scope, receive, send, found.groupdict(), headers)
                return
        await self.reject(send, headers, RequestRejectedError(404, "no such path; /docs lists all operations"))

    async def reject(self, send: Send, headers: Headers, error: RequestRejectedError) -> None:
        """Send a failure in the form of this API."""
        await send_error(self._api, headers, send, error)


class Resource:
    """One path of an API, with an operation for each of its methods."""

    def __init__(self, api: Api, served: ServedCampaign, operations: list[Operation[Any]]) -> None:
        self._api = api
        self._served = served
        self._performers = {operation.method: Performer(api, operation) for operation in operations}
        if "GET" in self._performers:
            self._performers["HEAD"] = self._performers["GET"]
        self._allowed = ", ".join(sorted(self._performers))

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, texts: dict[str, str], headers: Headers
    ) -> None:
        """Handle one request of this path; `texts` are the fields in it."""
        try:
            performer = self._performers.get(scope["method"])
            if performer is None:
                raise RequestRejectedError(
                    405,
                    f"method {scope['method']} is not supported, allowed: {self._allowed}",
                    headers={"Allow": self._allowed},
                )
            path: Values = {name: number_or_text(text) for name, text in texts.items()}
            result = await performer.perform(Call(self._served, scope["method"], headers), path, scope, receive)
        except RequestRejectedError as error:
            await send_error(self._api, headers, send, error)
        except ClientDisconnect:
            return
        else:
            if isinstance(result, Response):
                await result(scope, receive, adding(API_HEADERS, send))
            else:
                await send_body(send, performer.operation.success, result, self._api.choose_media_type(headers))


class Performer:
    """Reads the fields of one operation's requests, carries them out and encodes the responses."""

    def __init__(self, api: Api, operation: Operation[Any]) -> None:
        self.operation = operation
        self._admit = api.admit
        self._waits = iscoroutinefunction(operation.handle)
        self._place = operation.place(api)
        self._numbers = [field.encode_name for field in struct_fields(operation.fields) if is_number(field.type)]

    async def perform(self, call: Call, path: Values, scope: Scope, receive: Receive) -> bytes | Response | None:
        """Carry the operation out; returns the encoded body of the response, or the whole response.

        `path` has the fields in the path. Raises `RequestRejectedError`; the campaign is unchanged then.
        """
        operation, served = self.operation, call.served
        self._admit(call, path)
        place = self._place
        values = path if place is None else await self._values(place, path, call.headers, scope, receive)
        fields = read_fields(operation.fields, values)
        served.catch_up()
        try:
            result = operation.handle(call, fields)
            if self._waits:
                result = await result
        except WebhookError as error:
            raise RequestRejectedError(error.http_status_code, str(error)) from None
        except InvalidInputError as error:
            raise RequestRejectedError(400, str(error), violations=[str(error)]) from None
        finally:
            if operation.method != "GET":
                served.wake()
        if isinstance(result, Response):
            return result
        return None if operation.response is None else msgspec.json.encode(result)

    async def _values(self, place: Place, path: Values, headers: Headers, scope: Scope, receive: Receive) -> object:
        match place:
            case "json":
                return await read_json(headers, receive)
            case "query":
                values = read_pairs(scope["query_string"])
            case "form":
                values = await read_form(headers, receive)
            case _:
                assert_never(place)
        for name in self._numbers:
            text = values.get(name)
            if isinstance(text, str):
                values[name] = number_or_text(text)
        values.update(path)
        return values


async def send_error(api: Api, headers: Headers, send: Send, error: RequestRejectedError) -> None:
    """Send a failure in the form of an API."""
    body = msgspec.json.encode(api.describe_error(error))
    more = [(name.lower().encode(), text.encode()) for name, text in error.headers.items()]
    await send_body(send, error.status, body, api.choose_media_type(headers), more)


async def send_body(
    send: Send, status: int, body: bytes | None, media_type: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Send a whole response. Starlette's `Response` takes several times as long."""
    headers = [*API_HEADERS, *more]
    if body is not None:
        headers += (b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})
