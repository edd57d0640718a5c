"""An API as an ASGI application: find the operation of a request, read its fields, carry it out, respond."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, assert_never
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mockcampaign.errors import ClockNotLedError, InvalidInputError, RejectedError, WrongFieldsError
from mockcampaign.faults import ApiCutResponse, ApiTimeout, CallFault, RejectedCall
from mockcampaign.policy import INT64_MAX, Policy
from mockcampaign.server.http.guard import API_HEADERS, adding
from mockcampaign.server.http.injected import (
    Ending,
    drop,
    ending_of,
    hold,
    is_carried_out,
    is_silent,
    pause_of,
    rejection_of,
)
from mockcampaign.server.http.operation import Api, Call, Operation, OtherSuccess, Place
from mockcampaign.server.http.paths import Paths
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
from mockcampaign.server.state_file import StateLostError
from mockcampaign.serving.client_connection import ClientConnection, connection_of
from mockcampaign.wallclock import pause

INDENT = 2
"""Spaces by which indented JSON is indented."""

CLIENT_ID = "clientId"
"""Name of the client's id in a path."""


class _Reply(NamedTuple):
    """A whole response."""

    status: int
    body: bytes | None
    media_type: str
    headers: Mapping[str, str] = {}


class _Handled:
    """How far a call got: what is known of it for the journal, and which faults hit it."""

    __slots__ = ("client_id", "counted", "ending", "faults", "ids", "performer")

    def __init__(self) -> None:
        self.performer: Performer | None = None
        self.client_id: int | None = None
        self.counted: Hashable = None
        """Kind of call that a client may make only so often at once; None if the call is of none."""
        self.ids: dict[str, int] = {}
        self.faults: tuple[CallFault, ...] = ()
        self.ending: Ending | None = None


class ApiApplication:
    """Handles the requests of one API.

    Starlette's router would save five lines here, but takes 6 to 11 us for each request, a tenth of the whole.
    """

    def __init__(self, api: Api, served: ServedCampaign) -> None:
        self._api = api
        self._served = served
        self._is_noted = api.describe_path is not None
        self._operations = Paths[dict[str, Operation[Any]]]()
        # Each is made at the first call of its operation: all of them would be a tenth of a server's start.
        self._performers: dict[str, Performer] = {}
        for operation in api.operations:
            operations = self._operations.setdefault(api.prefix + operation.path, {})
            operations[operation.method] = operation
            if operation.method == "GET":
                operations["HEAD"] = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str, headers: Headers) -> None:
        """Handle one request. `path`: its segments, decoded one by one."""
        handled = _Handled()
        try:
            await self._respond(self._call(scope, headers), path, scope, receive, send, handled)
        finally:
            if handled.counted is not None:
                self._served.calls_at_once.end(handled.counted)

    async def _respond(
        self, call: Call, path: str, scope: Scope, receive: Receive, send: Send, handled: _Handled
    ) -> None:
        """Carry a call out, note it, and send its response."""
        status: int | None = 500  # of uvicorn, unless something else is known
        try:
            reply = await self._reply(call, path, scope, receive, handled)
            if isinstance(reply, _Reply):
                status = None if is_silent(handled.ending) else reply.status
        except ClientDisconnect:
            status = None
            return
        finally:
            # Before the response: who has it finds the call in the journal, also after a restart.
            self._note(call, path, handled, status)
        if self._is_noted:
            try:
                self._served.save()
            except CallInterruptedError as error:
                reply = self._rejection(call.headers, RequestRejectedError(error.status, str(error)))
        match handled.ending:
            case ApiTimeout(hold=milliseconds):
                await hold(scope, receive, milliseconds, self._served.closing)
            case ApiCutResponse():
                await _send_half(send, reply)
                await drop(scope, receive)
            case _:
                await _send(scope, receive, send, reply)

    def _call(self, scope: Scope, headers: Headers) -> Call:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        return Call(
            self._served,
            self._served.campaign,
            scope["method"],
            headers,
            scheme=scope.get("scheme", "http"),
            path=raw.decode("latin-1"),
            query=scope["query_string"],
        )

    async def _reply(
        self, call: Call, path: str, scope: Scope, receive: Receive, handled: _Handled
    ) -> _Reply | Response:
        """Carry a call out, unless a fault prevents that, and return the response. Note in `handled` how far it got."""
        try:
            performer, texts = self._find(call, path)
            handled.performer, operation = performer, performer.operation
            in_path = performer.read_path(texts)
            if self._is_noted:
                handled.client_id, handled.ids = performer.ids_in(in_path)
                connection = connection_of(scope)
                if connection is not None and handled.client_id not in connection.clients:
                    self._admit_connection(call, handled.client_id, connection)
                if performer.operation.at_once_max is not None:
                    self._count(call, performer.operation.at_once_max, handled)
                faults = self._served.call_hits(operation.id, operation.tag)
                if faults:
                    handled.faults, handled.ending = faults, ending_of(faults)
                    if pause_of(faults):
                        await self._served.until_interrupted(pause(pause_of(faults)))
                    if not is_carried_out(handled.ending):
                        return self._failed(call, handled.ending)
            result = await performer.perform(call, in_path, scope, receive)
        except RequestRejectedError as error:
            return self._rejection(call.headers, error)
        except CallInterruptedError as error:
            return self._rejection(call.headers, RequestRejectedError(error.status, str(error)))
        if isinstance(handled.ending, RejectedCall):
            return self._failed(call, handled.ending)
        if isinstance(result, Response):
            return result
        media_type = self._api.choose_media_type(call.headers)
        if isinstance(result, OtherSuccess):
            return _Reply(result.status, performer.encoded(result.body), media_type)
        return _Reply(operation.success, result, media_type)

    def _admit_connection(self, call: Call, client_id: int | None, connection: ClientConnection) -> None:
        """Raise `RequestRejectedError` with 429 if the client has too many connections (assumed)."""
        connections_max = call.campaign.policy.connections_per_client_max
        if client_id is not None and not self._served.connections.admit(client_id, connection, connections_max):
            raise RequestRejectedError(
                429, f"more than {connections_max} parallel connections of this client, which is the limit"
            )

    def _count(self, call: Call, at_once_max: Callable[[Policy], int], handled: _Handled) -> None:
        """Count a call from here to its end. Raise `RequestRejectedError` with 429 if the client makes too many."""
        calls_max = at_once_max(call.campaign.policy)
        kind = (at_once_max, handled.client_id)
        if not self._served.calls_at_once.begin(kind, calls_max):
            raise RequestRejectedError(
                429, f"more than {calls_max} calls of this kind by this client at once, which is the limit"
            )
        handled.counted = kind

    def _failed(self, call: Call, ending: Ending | None) -> _Reply:
        """Return the response of a call that a fault lets fail; nobody gets it if the fault is silent."""
        if isinstance(ending, RejectedCall):
            return self._rejection(call.headers, rejection_of(ending))
        return _Reply(500, None, self._api.choose_media_type(call.headers))

    async def reject(
        self, scope: Scope, receive: Receive, send: Send, path: str, headers: Headers, error: RequestRejectedError
    ) -> None:
        """Reject a request before it is looked at."""
        call = self._call(scope, headers)
        self._note(call, path, _Handled(), error.status)
        await _send(scope, receive, send, self._rejection(headers, error))

    def _rejection(self, headers: Headers, error: RequestRejectedError) -> _Reply:
        """Return a failure in the form of this API."""
        body = msgspec.json.encode(self._api.describe_error(error))
        return _Reply(error.status, body, self._api.choose_media_type(headers), error.headers)

    def _note(self, call: Call, path: str, handled: _Handled, status: int | None) -> None:
        """Add the call to the journal, if calls of this API are noted."""
        describe, performer = self._api.describe_path, handled.performer
        if describe is None:
            return
        if performer is None:
            unknown = describe(path)
            call.campaign.note_call(call.method, "", unknown.client_id, unknown.shown, {}, status)
        else:
            operation = performer.operation
            kinds = tuple([fault.kind for fault in handled.faults]) if handled.faults else ()
            call.campaign.note_call(
                call.method, operation.id, handled.client_id, operation.path, handled.ids, status, kinds
            )

    def _find(self, call: Call, path: str) -> tuple[Performer, dict[str, str]]:
        method = call.method
        found = self._operations.find(path)
        if found is None:
            raise self._api.find_missing(call, path)
        operations, texts = found
        operation = operations.get(method)
        if operation is None:
            allowed = ", ".join(sorted(operations))
            message = f"method {method} is not supported, allowed: {allowed}"
            raise RequestRejectedError(405, message, headers={"Allow": allowed})
        performer = self._performers.get(operation.id)
        if performer is None:
            performer = self._performers[operation.id] = Performer(self._api, operation)
        return performer, texts


class Performer:
    """Reads the fields of one operation's requests, carries them out and encodes the responses."""

    def __init__(self, api: Api, operation: Operation[Any]) -> None:
        self.operation = operation
        self._admit = api.admit
        self._indents = api.indents and not operation.is_long
        self._waits = iscoroutinefunction(operation.handle)
        self._place = operation.place(api)
        in_path, names = operation.in_path(api), [field.encode_name for field in struct_fields(operation.fields)]
        self._parameters = [name for name in names if name not in in_path] if self._place == "query" else []
        self._ignores_unknown_parameters = api.ignores_unknown_parameters
        self._attributes = attribute_fields(operation.fields)
        self._numbers = [field.encode_name for field in struct_fields(operation.fields) if is_number(field.type)]
        # Text in a path may be a person, and so are digits where text is expected.
        self._ids = [name for name in in_path if name in self._numbers and name != CLIENT_ID]

    def ids_in(self, path: Values) -> tuple[int | None, dict[str, int]]:
        """Return the id of the client and the other ids in a path, without those that are no numbers."""
        client_id, ids = path.get(CLIENT_ID), {}
        for name in self._ids:
            value = path[name]
            if isinstance(value, int) and 0 < value <= INT64_MAX:
                ids[name] = value
        return client_id if isinstance(client_id, int) and 0 < client_id <= INT64_MAX else None, ids

    def read_path(self, texts: Mapping[str, str]) -> Values:
        """Return the fields in the path, decoded: numbers where the operation has numbers."""
        values: Values = {}
        for name, text in texts.items():
            if "%" in text:
                text = unquote(text)
            values[name] = number_or_text(text) if name in self._numbers else text
        return values

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
        except StateLostError as error:
            served.end(error)
            raise RequestRejectedError(503, str(error)) from None
        except ClockNotLedError as error:
            raise RequestRejectedError(503, str(error)) from None
        except CallInterruptedError as error:
            raise RequestRejectedError(error.status, str(error)) from None
        except RejectedError as error:
            raise RequestRejectedError(error.http_status_code, str(error)) from None
        except WrongFieldsError as error:
            raise wrong_fields(error.violations) from None
        except InvalidInputError as error:
            raise RequestRejectedError(400, str(error), violations=[str(error)]) from None
        finally:
            if operation.method != "GET":
                served.wake()
        if isinstance(result, Response | OtherSuccess):
            return result
        return None if operation.response is None else self.encoded(result)

    def encoded(self, result: object) -> bytes:
        """Return the body of a response."""
        body = msgspec.json.encode(result)
        return msgspec.json.format(body, indent=INDENT) + b"\n" if self._indents else body

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


def _start(reply: _Reply) -> Message:
    headers = [*API_HEADERS]
    if reply.headers:
        headers += [(name.lower().encode(), text.encode()) for name, text in reply.headers.items()]
    if reply.body is not None:
        headers += (b"content-type", reply.media_type.encode()), (b"content-length", b"%d" % len(reply.body))
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send(scope: Scope, receive: Receive, send: Send, reply: _Reply | Response) -> None:
    """Send a whole response. Starlette's `Response` takes several times as long."""
    if isinstance(reply, Response):
        await reply(scope, receive, adding(API_HEADERS, send))
        return
    await send(_start(reply))
    await send({"type": "http.response.body", "body": reply.body or b""})


async def _send_half(send: Send, reply: _Reply | Response) -> None:
    """Send a response up to the middle of its body; nothing of one without a body."""
    if isinstance(reply, _Reply) and reply.body:
        await send(_start(reply))
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
