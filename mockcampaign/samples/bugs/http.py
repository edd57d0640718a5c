"""Mistakes with HTTP: how a body may come, and what other requests are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store


class WantsBareContentType(Consumer):
    async def read(self, request: Request) -> bytes:
        if request.headers.get("content-type", "application/json") != "application/json":
            raise HTTPException(415, "allowed: application/json")
        return await super().read(request)


class WantsContentLength(Consumer):
    async def read(self, request: Request) -> bytes:
        if "content-length" not in request.headers:
            raise HTTPException(411, "no Content-Length")
        return await super().read(request)


class ReadsAsManyBytesAsStated(Consumer):
    """Reads what `Content-Length` says; where it says nothing, there is no body, and so nothing to refuse."""

    async def read(self, request: Request) -> bytes:
        body = await super().read(request)
        return body if "content-length" in request.headers else b"[]"


class ReadsOnce(Consumer):
    """Takes for the body what one reading gives."""

    async def read(self, request: Request) -> bytes:
        async for piece in request.stream():
            return piece
        return b""


class RefusesExpect(Consumer):
    async def read(self, request: Request) -> bytes:
        if "expect" in request.headers:
            raise HTTPException(417, "no expectations here")
        return await super().read(request)


class AcceptsAnyMethod(Consumer):
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")


class ShowsAPage(Consumer):
    """For those who look whether it is there, at the same address."""

    methods = ("GET", "POST")

    async def take(self, request: Request) -> Response:
        if request.method != "POST":
            return Response("This is the webhook of Acme.")
        return await super().take(request)


class ReadsUnderALock(Consumer):
    """One list at a time, from its first byte on."""

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        super().__init__(store, basic_authentication)
        self.lock = asyncio.Lock()

    async def take(self, request: Request) -> Response:
        async with self.lock:
            return await super().take(request)


class Impatient(Consumer):
    seconds_for_a_body = 0.1

    async def read(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(self.seconds_for_a_body):
                return await super().read(request)
        except TimeoutError:
            raise HTTPException(408, "too slow") from None


BUGS: Mapping[str, Bug] = {
    "wants-bare-content-type": Bug(
        "answers 415 to application/json;charset=UTF-8, since it is not application/json", WantsBareContentType
    ),
    "wants-content-length": Bug("answers 411 to bodies whose length is not stated", WantsContentLength),
    "reads-as-many-bytes-as-stated": Bug(
        "takes a body whose length is not stated for none at all, and acknowledges it", ReadsAsManyBytesAsStated
    ),
    "reads-once": Bug("takes for the body what one reading gives, and answers 400 where that is a part", ReadsOnce),
    "refuses-expect": Bug("answers 417 to Expect: 100-continue", RefusesExpect),
    "accepts-any-method": Bug("takes lists from GET, PUT, PATCH and DELETE as well", AcceptsAnyMethod),
    "shows-a-page": Bug("answers 200 to GET, for those who look whether it is there", ShowsAPage),
    "reads-under-a-lock": Bug(
        "holds a lock while a body comes, so that a slow one holds up all others", ReadsUnderALock
    ),
    "impatient": Bug("answers 408 where a body takes longer than 0.1 s", Impatient),
}
