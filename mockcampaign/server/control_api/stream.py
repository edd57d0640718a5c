"""The live stream of server-sent events: journal entries that are new or have grown, and the state."""

from __future__ import annotations

import asyncio
import math
import re

import msgspec
from starlette.responses import Response

from mockcampaign.engine.journal import Attempted
from mockcampaign.server.control_api.entry_view import entry_view
from mockcampaign.server.control_api.state_view import encoded_state
from mockcampaign.server.http.event_stream import (
    PING,
    PING_SECONDS,
    Messages,
    ServerSentEvents,
    check_streams,
    first_of,
    message,
)
from mockcampaign.server.hub import Hub
from mockcampaign.server.served_campaign import ServedCampaign

PAUSE_SECONDS = 0.1
"""Minimum time between two looks at the journal. People see no difference, and a fast run stays fast."""

STATE_PAUSE_SECONDS = 0.25
WEBHOOKS_FOR_EACH_PAUSE = 250
"""The state is sent at most once in that time, and less often if there are many webhooks."""

ENTRIES_MAX = 1_000
"""Maximum number of entries sent at once. Of more, only the newest are sent; the others count as dropped."""

RETRY_MILLISECONDS = 1_000
"""Time after which a client that lost its connection reconnects."""


def stream(served: ServedCampaign, last_event_id: str, duration: int | None = None) -> Response:
    """Return the response, endless unless it has a duration. A client that reconnects says which entry it got last.

    `duration` is in milliseconds of wall time. Raises `RequestRejectedError` with 503 if `STREAMS_MAX` streams are
    open.
    """
    check_streams(served)
    return ServerSentEvents(served, _follow(served, last_event_id, math.inf if duration is None else duration / 1_000))


_POSITION = re.compile("[0-9]{1,18}")


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
            messages.append(message(b"reset", b"{}"))
            state_due = clock()
        if clock() >= state_due:
            served.catch_up()
            seen, state = encoded_state(served, clock())
            messages.append(message(b"state", state))
            state_due = clock() + STATE_PAUSE_SECONDS * (1 + len(hub.totals.webhooks) // WEBHOOKS_FOR_EACH_PAUSE)
        messages += _news(hub, version, position)
        # Before sending: entries that come while a slow client reads belong to the next look.
        version, position = hub.version, hub.journal.next_position
        if messages:
            yield b"".join(messages)
            ping_due = clock() + PING_SECONDS
        elif clock() >= ping_due:
            yield PING
            ping_due = clock() + PING_SECONDS
        # A change after the last state is followed by another state, even if nothing more happens.
        due = state_due if seen != version else ping_due
        await first_of(hub.wait(version), served.closing.wait(), seconds=max(0.0, min(due, end) - clock()))
        await asyncio.sleep(PAUSE_SECONDS)


def _news(hub: Hub, version: int, position: int) -> list[bytes]:
    """Return the messages for entries that have grown since `version`, and for those from `position` on."""
    journal = hub.journal
    first = max(position, journal.dropped, journal.next_position - ENTRIES_MAX)
    messages = []
    if first > position:
        messages.append(message(b"dropped", b'{"dropped":%d}' % (first - position)))
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
    encoded = b"id: %d\r\n" % at + message(b"entry", msgspec.json.encode(entry_view(at, entry)))
    hub.encoded_entries[at] = count, encoded
    if len(hub.encoded_entries) > 2 * ENTRIES_MAX:
        hub.encoded_entries.popitem(last=False)
    return encoded
