"""Responses of server-sent events, whose clients may come and go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.served_campaign import ServedCampaign

PING_SECONDS = 15
"""Maximum time without any message, so that both sides notice when the other one is gone."""

SEND_SECONDS_MAX = 30
"""A client that reads nothing for so long is disconnected."""

STREAMS_MAX = 200
"""Maximum number of open streams. Ours: each gets every entry."""

PING = b": ping\r\n\r\n"

Messages = AsyncGenerator[bytes, None]


def check_streams(served: ServedCampaign) -> None:
    """Raise `RequestRejectedError` with 503 if `STREAMS_MAX` streams are open."""
    if served.open_streams >= STREAMS_MAX:
        raise RequestRejectedError(503, f"{STREAMS_MAX} streams are open, which is the limit")


def message(event: bytes, data: bytes) -> bytes:
    """Return one server-sent event (HTML standard); JSON is one line."""
    return b"event: %b\r\ndata: %b\r\n\r\n" % (event, data)


async def first_of(*waits: Awaitable[object], seconds: float) -> None:
    """Wait until one of several things happens, or the time is over."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class ServerSentEvents(StreamingResponse):
    """An endless response whose client may come and go.

    sse-starlette would save some 30 lines. But its import replaces `uvicorn.Server.handle_exit`, and after a signal to
    any server of the process it ends all later streams; the tests of users run this server in their own process. It
    also formats a message for each stream (4.6 us), which here happens once for all (0.3 us).
    """

    def __init__(self, served: ServedCampaign, messages: Messages) -> None:
        super().__init__(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._served = served
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._served.open_streams += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._served.open_streams -= 1
            await self._messages.aclose()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)

        # A response without its end is cut off by the server.
        with contextlib.suppress(TimeoutError):
            await super().stream_response(send_in_time)
