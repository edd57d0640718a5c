"""Bugs in HTTP: how a body may arrive, and what to do with other requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event

NOTHING = b"[]"
"""The body of a request without length, whatever shape events have."""


class RejectsCharsetParameter(Consumer):
    async def read_body(self, request: Request) -> bytes:
        if request.headers.get("content-type", "application/json") != "application/json":
            raise HTTPException(415, "allowed: application/json")
        return await super().read_body(request)


class RequiresContentLength(Consumer):
    async def read_body(self, request: Request) -> bytes:
        if "content-length" not in request.headers:
            raise HTTPException(411, "no Content-Length")
        return await super().read_body(request)


class IgnoresBodyWithoutLength(Consumer):
    """Reads as many bytes as `Content-Length` states, and none without it."""

    async def read_body(self, request: Request) -> bytes:
        body = await super().read_body(request)
        return body if "content-length" in request.headers else NOTHING

    def parse(self, body: bytes) -> list[Event]:
        return [] if body is NOTHING else super().parse(body)


class ReadsBodyOnce(Consumer):
    """Treats the first piece as the whole body."""

    async def read_body(self, request: Request) -> bytes:
        async for piece in request.stream():
            return piece
        return b""


class RejectsExpectContinue(Consumer):
    async def read_body(self, request: Request) -> bytes:
        if "expect" in request.headers:
            raise HTTPException(417, "Expect is not supported")
        return await super().read_body(request)


class AcceptsAnyMethod(Consumer):
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Responds200ToGet(Consumer):
    """Serves a page at the same URL, for people who look whether the webhook is there."""

    methods = ("GET", "POST")

    async def handle(self, request: Request) -> Response:
        if request.method != "POST":
            return Response("This is the webhook of Acme.")
        return await super().handle(request)


class ReadsBodyUnderLock(Consumer):
    """Handles one request at a time, from its first byte on."""

    def prepare(self) -> None:
        self.lock = asyncio.Lock()

    async def handle(self, request: Request) -> Response:
        async with self.lock:
            return await super().handle(request)


class TimesOutSlowBody(Consumer):
    body_timeout_seconds = 0.1

    async def read_body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self.body_timeout_seconds):
                return await super().read_body(request)
        except TimeoutError:
            raise HTTPException(408, "the body is too slow") from None


class StandsBehindLimit(Consumer):
    """Stands behind a proxy that allows small bodies alone, and responds with a page of its own to others."""

    body_bytes_max = 50_000
    page = b"<html><body><center><h1>413 Request Entity Too Large</h1></center><hr><center>nginx</center></body></html>"

    async def hook(self, request: Request) -> Response:
        if len(await request.body()) > self.body_bytes_max:
            return Response(self.page, 413, media_type="text/html")
        return await super().hook(request)


BUGS: Mapping[str, Bug] = {
    "stands-behind-body-limit": Bug(
        "Stands behind a proxy that rejects bodies of more than 50 kB with a page of its own.", StandsBehindLimit
    ),
    "rejects-charset-parameter": Bug(
        "Responds 415 to application/json;charset=UTF-8, because it allows only application/json.",
        RejectsCharsetParameter,
    ),
    "requires-content-length": Bug("Responds 411 to a body without Content-Length.", RequiresContentLength),
    "ignores-body-without-length": Bug(
        "Treats a body without Content-Length as empty, and acknowledges it.", IgnoresBodyWithoutLength
    ),
    "reads-body-once": Bug(
        "Treats the first piece of a body as the whole, and responds 400 if there are more.", ReadsBodyOnce
    ),
    "rejects-expect-continue": Bug("Responds 417 to Expect: 100-continue.", RejectsExpectContinue),
    "accepts-any-method": Bug("Accepts batches by GET, PUT, PATCH and DELETE as well as by POST.", AcceptsAnyMethod),
    "responds-200-to-get": Bug(
        "Responds 200 with a page to GET, for people who look whether the webhook is there.", Responds200ToGet
    ),
    "reads-body-under-lock": Bug(
        "Holds a lock while a body arrives, so a slow body blocks all other requests.", ReadsBodyUnderLock
    ),
    "times-out-slow-body": Bug("Responds 408 if a body takes longer than 0.1 s.", TimesOutSlowBody),
}
