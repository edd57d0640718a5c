"""The live stream of server-sent events: journal entries that are new or have grown, and the state."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncGenerator

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mockcampaign.engine.journal import Attempted
from mockcampaign.server.control_api.entry_view import entry_view
from mockcampaign.server.control_api.state_view import encoded_state
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.hub import Hub
from mockcampaign.server.served_campaign import ServedCampaign

PAUSE_SECONDS = 0.1
"""Minimum time between two looks at the journal. People see no difference, and a fast run stays fast."""

STATE_PAUSE_SECONDS = 0.25
WEBHOOKS_FOR_EACH_PAUSE = 250
"""The state is sent at most once in that time, and less often if there are many webhooks."""

ENTRIES_MAX = 1_000
"""Maximum number of entries sent at once. Of more, only the newest are sent; the others count as dropped."""

PING_SECONDS = 15
"""Maximum time without any message, so that both sides notice when the other one is gone."""

SEND_SECONDS_MAX = 30
"""A client that reads nothing for so long is disconnected."""

STREAMS_MAX = 200
"""Maximum number of open streams. Ours: each gets every entry."""

RETRY_MILLISECONDS = 1_000
"""Time after which a client that lost its connection reconnects."""


def stream(served: ServedCampaign, last_event_id: str, duration: int | None = None) -> Response:
    """Return the response, endless unless it has a duration. A client that reconnects says which entry it got last.

    `duration` is in milliseconds of wall time. Raises `RequestRejectedError` with 503 if `STREAMS_MAX` streams are
    open.
    """
    if served.open_streams >= STREAMS_MAX:
        raise RequestRejectedError(503, f"{STREAMS_MAX} streams are open, which is the limit")
    return _EventStream(served, _follow(served, last_event_id, math.inf if duration is None else duration / 1_000))


Messages = AsyncGenerator[bytes, None]

_POSITION = re.compile("[0-9]{1,18}")


class _EventStream(StreamingResponse):
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


async def _follow(served: ServedCampaign, last_event_id: str, seconds: float) -> Messages:
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    generation, hub = served.generation, served.hub
    version = seen = hub.version
    position = hub.journal.next_position
    if _POSITION.fullmatch(last_event_id):
        position = int(last_event_id) + 1
        if position > hub.journal.next_position:
            generation = -1  # the id comes from an earlier server, which got further
    state_due = ping_due = clock()
    yield b"retry: %d\r\n\r\n" % RETRY_MILLISECONDS
    while not served.closing.is_set() and clock() < end:
        messages = []
        if served.generation != generation:
            generation, hub = served.generation, served.hub
            version, position = hub.version, 0
            messages.append(_message(b"reset", b"{}"))
            state_due = clock()
        if clock() >= state_due:
            served.catch_up()
            seen, state = encoded_state(served, clock())
            messages.append(_message(b"state", state))
            state_due = clock() + STATE_PAUSE_SECONDS * (1 + len(hub.totals.webhooks) // WEBHOOKS_FOR_EACH_PAUSE)
        messages += _news(hub, version, position)
        # Before sending: entries that come while a slow client reads belong to the next look.
        version, position = hub.version, hub.journal.next_position
        if messages:
            yield b"".join(messages)
            ping_due = clock() + PING_SECONDS
        elif clock() >= ping_due:
            yield b": ping\r\n\r\n"
            ping_due = clock() + PING_SECONDS
        # A change after the last state is followed by another state, even if nothing more happens.
        due = state_due if seen != version else ping_due
        await _either(hub, version, served.closing, max(0.0, min(due, end) - clock()))
        await asyncio.sleep(PAUSE_SECONDS)


def _news(hub: Hub, version: int, position: int) -> list[bytes]:
    """Return the messages for entries that have grown since `version`, and for those from `position` on."""
    journal = hub.journal
    first = max(position, journal.dropped, journal.next_position - ENTRIES_MAX)
    messages = []
    if first > position:
        messages.append(_message(b"dropped", b'{"dropped":%d}' % (first - position)))
    grown = hub.grown_since(version, first)[-ENTRIES_MAX:]
    messages += [_entry(hub, at) for at in grown if at >= journal.dropped]
    messages += [_entry(hub, at) for at in range(first, journal.next_position)]
    return messages


def _entry(hub: Hub, at: int) -> bytes:
    """Return the message of one entry, encoded once for all streams."""
    entry = hub.journal.entries[at - hub.journal.dropped]
    count = entry.count if isinstance(entry, Attempted) else 1
    known = hub.encoded_entries.get(at)
    if known is not None and known[0] == count:
        return known[1]
    message = b"id: %d\r\n" % at + _message(b"entry", msgspec.json.encode(entry_view(at, entry)))
    hub.encoded_entries[at] = count, message
    if len(hub.encoded_entries) > 2 * ENTRIES_MAX:
        hub.encoded_entries.popitem(last=False)
    return message


def _message(event: bytes, data: bytes) -> bytes:
    """Return one server-sent event (HTML standard); JSON is one line."""
    return b"event: %b\r\ndata: %b\r\n\r\n" % (event, data)


async def _either(hub: Hub, version: int, closing: asyncio.Event, seconds: float) -> None:
    """Wait until something changes, the server ends, or the time is over."""
    waits = [asyncio.ensure_future(hub.wait(version)), asyncio.ensure_future(closing.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
