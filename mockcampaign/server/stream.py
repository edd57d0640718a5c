"""The live stream of server-sent events: journal entries as they come and grow, and the state now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
from starlette.responses import Response

from mockcampaign.server import views
from mockcampaign.server.hub import Hub
from mockcampaign.server.operations import RequestRefusedError
from mockcampaign.server.served import ServedCampaign

PAUSE_SECONDS = 0.1
"""Least time between two looks at what changed. Someone who looks on sees no difference, and a fast run stays fast."""

STATE_PAUSE_SECONDS = 0.25
WEBHOOKS_FOR_EACH_PAUSE = 250
"""The state is sent at most once in that time, and more rarely where it holds many webhooks."""

ENTRIES_MAX = 1_000
"""Most entries sent at once. Of more than that the newest are sent, and the rest is counted as dropped."""

PING_SECONDS = 15
SEND_SECONDS_MAX = 30
"""A watcher that takes nothing for so long is let go."""

WATCHERS_MAX = 200
"""Most watchers at once. Ours: each is sent everything that happens."""

RETRY_MILLISECONDS = 1_000
"""How soon a watcher that lost its connection is to come back."""


def stream(served: ServedCampaign, last_event_id: str | None) -> Response:
    """The answer that goes on until the watcher leaves; one that comes back says what it saw last.

    Raises `RequestRefusedError` with 503 where as many watch as may.
    """
    if served.watchers >= WATCHERS_MAX:
        raise RequestRefusedError(503, f"{WATCHERS_MAX} watch already, which is the limit")
    # Imported late: a fifth of the time that the server takes to be ready.
    from sse_starlette import EventSourceResponse

    return EventSourceResponse(
        _counted(served, _follow(served, last_event_id)),
        ping=PING_SECONDS,
        send_timeout=SEND_SECONDS_MAX,
        headers={"Cache-Control": "no-store"},
    )


async def _counted(
    served: ServedCampaign, messages: AsyncGenerator[dict[str, Any], None]
) -> AsyncIterator[dict[str, Any]]:
    served.watchers += 1
    try:
        async with contextlib.aclosing(messages):
            async for message in messages:
                yield message
    finally:
        served.watchers -= 1


async def _follow(served: ServedCampaign, last_event_id: str | None) -> AsyncGenerator[dict[str, Any], None]:
    clock = asyncio.get_running_loop().time
    generation, hub = served.generation, served.hub
    version = hub.version
    known = last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit()
    position = min(int(last_event_id or 0) + 1, hub.journal.next_position) if known else hub.journal.next_position
    state_due = clock()
    yield {"retry": RETRY_MILLISECONDS}
    while not served.closing.is_set():
        if served.generation != generation:
            generation, hub = served.generation, served.hub
            version, position = hub.version, 0
            yield _message("reset", b"{}")
            state_due = clock()
        if clock() >= state_due:
            served.catch_up()
            yield _message("state", views.encoded_state(served))
            state_due = clock() + STATE_PAUSE_SECONDS * (1 + len(hub.totals_of_webhook) // WEBHOOKS_FOR_EACH_PAUSE)
            seen = hub.version
        for message in _news(hub, version, position):
            yield message
        version, position = hub.version, hub.journal.next_position
        # What changed after the last state is followed by another one, also if nothing more happens.
        unseen = seen != version
        await _either(hub, version, served.closing, max(0.0, state_due - clock()) if unseen else None)
        await asyncio.sleep(PAUSE_SECONDS)


def _news(hub: Hub, version: int, position: int) -> list[dict[str, str]]:
    """Entries that have grown since `version`, and those from `position` on."""
    journal = hub.journal
    first = max(position, journal.dropped, journal.next_position - ENTRIES_MAX)
    messages = []
    if first > position:
        messages.append(_message("dropped", b'{"dropped":%d}' % (first - position)))
    grown = hub.grown_since(version, first)[-ENTRIES_MAX:]
    for at in [*(at for at in grown if at >= journal.dropped), *range(first, journal.next_position)]:
        encoded = msgspec.json.encode(views.entry(at, journal.entries[at - journal.dropped]))
        messages.append(_message("entry", encoded, at))
    return messages


async def _either(hub: Hub, version: int, closing: asyncio.Event, seconds: float | None) -> None:
    """Until something changed, the server ends, or the time is over."""
    waits = [asyncio.ensure_future(hub.wait(version)), asyncio.ensure_future(closing.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await wait


def _message(event: str, data: bytes, number: int | None = None) -> dict[str, str]:
    message = {"event": event, "data": data.decode()}
    return message if number is None else message | {"id": str(number)}
