"""Operations that show health, state, journal, live stream and single deliveries, as `OPERATIONS`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from mockcampaign import __version__
from mockcampaign.engine.journal import Discarded, serials_in
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.control_api.delivery_view import DeliveryView, delivery_view, payloads_of
from mockcampaign.server.control_api.entry_view import entry_view
from mockcampaign.server.control_api.state_view import StateView, state
from mockcampaign.server.control_api.stream import stream
from mockcampaign.server.http.operation import CONTROL_TAG, Call, Operation
from mockcampaign.server.http.request import header
from mockcampaign.server.http.request_fields import Duration, Id, NoFields, about, between

JOURNAL_LIMIT_MAX = 1_000


class Health(msgspec.Struct, frozen=True):
    """The server responds."""

    status: str
    version: str


class JournalPage(msgspec.Struct, frozen=True):
    """A part of the journal, in order. The server holds positions from `first` up to, not including, `next`.

    `limit` may have ended it before: `after`, with the position of its last entry, goes on.
    """

    first: int
    next: int
    dropped: int
    entries: list[dict[str, Any]]


class JournalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the journal to return."""

    after: Annotated[int, between(-1, INT64_MAX), about("Only positions above it.")] | None = None
    before: Annotated[int, between(-1, INT64_MAX), about("Only positions below it, the newest of them.")] | None = None
    limit: Annotated[int, between(1, JOURNAL_LIMIT_MAX), about("Most entries to return.")] = 200


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt to return."""

    position: Annotated[int, between(0, INT64_MAX), about("Position of the attempt's journal entry.")]
    number: Annotated[Id, about("Number of the attempt within the entry (default: the last one).")] | None = None


class DiscardedEvent(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An event that Campaign will never deliver."""

    number: int
    """Number of the event among those that were discarded, from 1 in that order."""
    webhook_id: int
    at: int
    """The moment at which the event was discarded, in milliseconds since 1970."""
    reason: str
    """`expired` or `webhook deleted`."""
    event: msgspec.Raw | None
    """The event; None if the server has dropped it."""


class DiscardedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the discarded events, in the order in which they were discarded."""

    discarded: int
    """Number of all events that were discarded, as in the state."""
    events: list[DiscardedEvent]


class DiscardedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The discarded events to return."""

    after: Annotated[int, between(0, INT64_MAX), about("Only numbers above it.")] = 0
    limit: Annotated[int, between(1, JOURNAL_LIMIT_MAX), about("Most events to return.")] = 200


class StreamQuery(msgspec.Struct, frozen=True, rename={"duration": "for"}):
    """How long to follow the journal."""

    duration: Annotated[Duration, about("Wall time until the stream ends (default: no limit).")] | None = None


def _health(call: Call, fields: NoFields) -> Health:
    return Health("ok", __version__)


def _state(call: Call, fields: NoFields) -> StateView:
    return state(call.served)


def _journal(call: Call, query: JournalQuery) -> JournalPage:
    held = call.served.hub.journal
    if query.after is not None and query.before is not None:
        raise InvalidInputError("after and before: both given, allowed: one of them")
    if query.before is None:
        first = max(held.dropped, 0 if query.after is None else query.after + 1)
        end = min(first + query.limit, held.next_position)
    else:
        end = min(query.before, held.next_position)
        first = max(end - query.limit, held.dropped)
    entries = [
        entry_view(position, held.entries[position - held.dropped]) for position in range(first, max(first, end))
    ]
    return JournalPage(held.dropped, held.next_position, held.dropped, entries)


def _discarded(call: Call, query: DiscardedQuery) -> DiscardedPage:
    hub = call.served.hub
    entries = [entry for entry in hub.journal.entries if isinstance(entry, Discarded)]
    total = hub.totals.whole.discarded
    first = total - sum(last - first + 1 for entry in entries for first, last in entry.serials) + 1
    numbered = enumerate(((entry, serial) for entry in entries for serial in serials_in(entry.serials)), first)
    wanted = [*islice((one for one in numbered if one[0] > query.after), query.limit)]
    payloads = payloads_of(hub.journal.entries, [serial for _, (_, serial) in wanted])
    events = [
        DiscardedEvent(
            number=number, webhook_id=entry.webhook_id, at=entry.at, reason=entry.reason, event=payloads.get(serial)
        )
        for number, (entry, serial) in wanted
    ]
    return DiscardedPage(discarded=total, events=events)


def _stream(call: Call, query: StreamQuery) -> Response:
    wanted = query.duration
    return stream(call.served, header(call.headers, b"last-event-id"), None if wanted is None else wanted.value)


def _delivery(call: Call, query: DeliveryQuery) -> DeliveryView:
    return delivery_view(call.served, query.position, query.number)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="health",
        title="Check that the server responds",
        tag=CONTROL_TAG,
        method="GET",
        path="/health",
        fields=NoFields,
        success_description="The server responds.",
        response=Health,
        handle=_health,
    ),
    Operation(
        id="state",
        title="Get the state",
        tag=CONTROL_TAG,
        method="GET",
        path="/state",
        fields=NoFields,
        success_description="The clock, totals, all webhooks with their queues, and then what seldom changes.",
        response=StateView,
        handle=_state,
    ),
    Operation(
        id="journal",
        title="Get the journal",
        description="Beyond its limit, the server drops the oldest entries and counts them. Equal consecutive attempts "
        "of a webhook are one entry with a count.",
        tag=CONTROL_TAG,
        method="GET",
        path="/journal",
        fields=JournalQuery,
        success_description="Entries in order.",
        response=JournalPage,
        is_long=True,
        handle=_journal,
    ),
    Operation(
        id="discarded",
        title="Get the events that were discarded",
        description="Campaign discards an event that no 200 acknowledged within three days, and what is pending when "
        "its webhook is deleted. An event that several webhooks discarded is there once for each.",
        tag=CONTROL_TAG,
        method="GET",
        path="/discarded",
        fields=DiscardedQuery,
        success_description="Events in order, without those whose journal entries the server has dropped.",
        response=DiscardedPage,
        handle=_discarded,
    ),
    Operation(
        id="stream",
        title="Follow the journal",
        description="Server-sent events. `entry`: a journal entry, its position as `id`, when it is new or has grown; "
        "`state`: the current state, from time to time; `dropped`: the number of entries skipped because the client is "
        "too slow; `reset`: the campaign starts anew. A client that reconnects with `Last-Event-ID` gets the entries "
        "after that one, or `reset` and all entries if that id comes from an earlier server.",
        tag=CONTROL_TAG,
        method="GET",
        path="/stream",
        fields=StreamQuery,
        success_description="The stream ends when the client disconnects, or after the time asked for.",
        media_type="text/event-stream",
        failures={503: "The limit of open streams is reached."},
        handle=_stream,
    ),
    Operation(
        id="delivery",
        title="Get one attempt in full",
        description="Secrets are masked.",
        tag=CONTROL_TAG,
        method="GET",
        path="/deliveries/{position}",
        fields=DeliveryQuery,
        success_description="Request and response.",
        response=DeliveryView,
        failures={404: "The position holds no attempt, or the server has dropped it."},
        handle=_delivery,
    ),
)
