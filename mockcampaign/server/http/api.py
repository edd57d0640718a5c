"""An API as a table of operations, and how a request finds its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mockcampaign.server.http.call import Call, RequestRefusedError
from mockcampaign.server.http.guard import API_HEADERS, adding
from mockcampaign.server.http.operations import Operation, Parameter, Performer
from mockcampaign.server.served_campaign import ServedCampaign


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
    admit: Callable[[ServedCampaign, Call], dict[str, Any]]
    """Refuses a request of nobody who may; returns what operations are given besides their own parameters."""
    error_body: Callable[[RequestRefusedError], bytes]
    content_type: Callable[[Call], str]


class Branch(msgspec.Struct):
    """What may follow a part of a path."""

    name: str = ""
    """Of the parameter that this segment stands for, where it is one."""
    fixed: dict[str, Branch] = {}
    named: Branch | None = None
    performers: dict[str, Performer] = {}
    """By their methods; empty where no path ends."""


class AnsweredApi:
    """Answers the requests of one API. Paths are looked up segment by segment; regular expressions take longer."""

    def __init__(self, api: Api, served: ServedCampaign) -> None:
        self._api = api
        self._served = served
        self._root = Branch()
        self.first_segment = _segments(api.prefix)[0]
        for operation in api.operations:
            performers = self._branch(_segments(api.prefix + operation.path)).performers
            performers[operation.method] = Performer(operation)
            if operation.method == "GET":
                performers["HEAD"] = performers["GET"]

    def _branch(self, segments: list[str]) -> Branch:
        branch = self._root
        for segment in segments:
            if segment.startswith("{"):
                branch.named = branch.named or Branch(segment[1:-1])
                branch = branch.named
                assert branch.name == segment[1:-1], "one place of a path has one name"
            else:
                branch = branch.fixed.setdefault(segment, Branch())
        return branch

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        segments: Sequence[str],
        headers: Mapping[bytes, bytes],
        problem: str | None,
    ) -> None:
        """Like an ASGI application, but told the path's segments, the headers, and why the guard refuses it, if so."""
        call = Call(scope, headers, receive)
        api = self._api
        try:
            if problem is not None:
                raise RequestRefusedError(403, problem)
            performer = self._performer(call, segments)
            body = await performer.perform(self._served, call, api.admit(self._served, call))
        except RequestRefusedError as refused:
            more = [(name.lower().encode(), text.encode()) for name, text in refused.headers.items()]
            await _answer(send, refused.status, api.error_body(refused), api.content_type(call), more)
        except ClientDisconnect:
            return
        else:
            if isinstance(body, Response):
                await body(scope, receive, adding(API_HEADERS, send))
            else:
                await _answer(send, performer.operation.success, body, api.content_type(call))

    def _performer(self, call: Call, segments: Sequence[str]) -> Performer:
        branch = self._root
        for segment in segments:
            following = branch.fixed.get(segment)
            if following is None and segment and branch.named is not None:
                following = branch.named
                call.path[following.name] = segment
            if following is None:
                raise _no_such_path()
            branch = following
        if not branch.performers:
            raise _no_such_path()
        performer = branch.performers.get(call.method)
        if performer is None:
            allowed = ", ".join(sorted(branch.performers))
            raise RequestRefusedError(
                405, f"method {call.method} is not supported, allowed: {allowed}", headers={"Allow": allowed}
            )
        return performer


def _no_such_path() -> RequestRefusedError:
    return RequestRefusedError(404, "no such path; all operations stand at /docs")


def _segments(path: str) -> list[str]:
    return path[1:].split("/")


async def _answer(
    send: Send, status: int, body: bytes | None, content_type: str, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers = [*API_HEADERS, *more]
    if body is not None:
        headers += (b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body or b""})
