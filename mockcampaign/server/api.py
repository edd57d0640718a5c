"""An API as a table of operations, and the routes made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mockcampaign.server.operations import Operation, Parameter, Performer, RequestRefusedError
from mockcampaign.server.served import ServedCampaign


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Operations under one prefix that share who may call them and how they fail."""

    prefix: str
    operations: tuple[Operation, ...]
    parameters: tuple[Parameter, ...] = ()
    """Those of the prefix."""
    failures: Mapping[int, str]
    """Documented failures of every operation; 413 and 415 only where it has a body, 400 only where it has fields."""
    error: type
    """The form of a failure's body."""
    media_types: tuple[str, ...]
    """Of an answer."""
    secured: bool
    """Whether it asks for credentials."""
    admit: Callable[[ServedCampaign, Request], dict[str, Any]]
    """Refuses a request of nobody who may; returns what operations are given besides their own parameters."""
    error_body: Callable[[RequestRefusedError], bytes]
    content_type: Callable[[Request], str]

    def routes(self, served: ServedCampaign) -> list[Route]:
        """One for each path, and one for all others under the prefix."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        paths = [Route(self.prefix + path, _Path(self, served, methods)) for path, methods in by_path.items()]
        first = self.prefix.split("/")[1]
        return [*paths, Route(f"/{first}/{{rest:path}}", _Nothing(self))]


class _Path:
    """All methods of one path, as an ASGI application."""

    def __init__(self, api: Api, served: ServedCampaign, methods: dict[str, Operation]) -> None:
        self._api = api
        self._served = served
        performers = {method: Performer(operation) for method, operation in methods.items()}
        self._performers = performers | ({"HEAD": performers["GET"]} if "GET" in performers else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except RequestRefusedError as refused:
            response = refusal(self._api, request, refused)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        performer = self._performers.get(request.method)
        if performer is None:
            allowed = ", ".join(sorted(self._performers))
            raise RequestRefusedError(
                405, f"method {request.method} is not supported, allowed: {allowed}", headers={"Allow": allowed}
            )
        api, served = self._api, self._served
        body = await performer.perform(served, request, api.admit(served, request))
        if isinstance(body, Response):
            return body
        return Response(
            body, performer.operation.success, media_type=None if body is None else api.content_type(request)
        )


class _Nothing:
    """Paths that have no operation."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refused = RequestRefusedError(404, "no such path; all operations stand at /docs")
        await refusal(self._api, request, refused)(scope, receive, send)


def refusal(api: Api, request: Request, refused: RequestRefusedError) -> Response:
    """The answer to a request that was not carried out."""
    return Response(
        api.error_body(refused), refused.status, dict(refused.headers), media_type=api.content_type(request)
    )
