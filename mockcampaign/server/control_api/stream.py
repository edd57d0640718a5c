"""The live stream of server-sent events: journal entries as they come and grow, and the state now and then."""

from __future__ import annotations

import asyncio
import contextlib
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
"""Least time between two looks at what changed. Someone who looks on sees no difference, and a fast run stays fast."""

STATE_PAUSE_SECONDS = 0.25
WEBHOOKS_FOR_EACH_PAUSE = 250
"""The state is sent at most once in that time, and more rarely where it holds many webhooks."""

ENTRIES_MAX = 1_000
"""Most entries sent at once. Of more than that the newest are sent, and the rest is counted as dropped."""

PING_SECONDS = 15
"""How long nothing is sent at most, so that both sides notice when the other one is gone."""

SEND_SECONDS_MAX = 30
"""A watcher that takes nothing for so long is let go."""

WATCHERS_MAX = 200
"""Most watchers at once. Ours: each is sent everything that happens."""

RETRY_MILLISECONDS = 1_000
"""How soon a watcher that lost its connection is to come back."""


def stream(served: ServedCampaign, last_event_id: str) -> Response:
    """The answer that goes on until the watcher leaves; one that comes back says what it saw last.

    Raises `RequestRejectedError` with 503 where as many watch as may.
    """
    if served.watchers >= WATCHERS_MAX:
        raise RequestRejectedError(503, f"{WATCHERS_MAX} watch already, which is the limit")
    return _EventStream(served, _follow(served, last_event_id))


Messages = AsyncGenerator[bytes, None]

_POSITION = re.compile("[0-9]{1,18}")


class _EventStream(StreamingResponse):
    """Our own: sse-starlette formats each message anew for each watcher, and ends all streams of a process for good
    once any uvicorn server in it was told to exit."""

    def __init__(self, served: ServedCampaign, messages: Messages) -> None:
        super().__init__(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._served = served
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._served.watchers += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._served.watchers -= 1
            await self._messages.aclose()

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)

        # Without its end, the answer is cut off by the server.
        with contextlib.suppress(TimeoutError):
            await super().stream_response(send_in_time)


async def _follow(served: ServedCampaign, last_event_id: str) -> Messages:
    clock = asyncio.get_running_loop().time
    generation, hub = served.generation, served.hub
    version = seen = hub.version
    position = hub.journal.next_position
    if _POSITION.fullmatch(last_event_id):
        position = int(last_event_id) + 1
        if position > hub.journal.next_position:
            generation = -1  # it was told by an earlier server, which got further
    state_due = ping_due = clock()
    yield b"retry: %d\r\n\r\n" % RETRY_MILLISECONDS
    while not served.closing.is_set():
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
        # Before anything is sent: what comes while a slow watcher is waited for belongs to the next look.
        version, position = hub.version, hub.journal.next_position
        if messages:
            yield b"".join(messages)
            ping_due = clock() + PING_SECONDS
        elif clock() >= ping_due:
            yield b": ping\r\n\r\n"
            ping_due = clock() + PING_SECONDS
        # What changed after the last state is followed by another one, also if nothing more happens.
        due = state_due if seen != version else ping_due
        await _either(hub, version, served.closing, max(0.0, due - clock()))
        await asyncio.sleep(PAUSE_SECONDS)


def _news(hub: Hub, version: int, position: int) -> list[bytes]:
    """Entries that have grown since `version`, and those from `position` on."""
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
    """The message of one entry, encoded once for all who watch."""
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
    """One server-sent event (HTML standard); JSON is one line."""
    return b"event: %b\r\ndata: %b\r\n\r\n" % (event, data)


async def _either(hub: Hub, version: int, closing: asyncio.Event, seconds: float) -> None:
    """Until something changed, the server ends, or the time is over."""
    waits = [asyncio.ensure_future(hub.wait(version)), asyncio.ensure_future(closing.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wait
