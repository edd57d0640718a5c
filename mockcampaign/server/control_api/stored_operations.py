"""The operation that shows what the consumer has stored, and how it differs, as `OPERATIONS`."""

from __future__ import annotations

from typing import Any

import msgspec

from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import events_in
from mockcampaign.report import sentences
from mockcampaign.server.consumer_probe import NO_PROBE
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.http.request_fields import NoFields
from mockcampaign.server.verdicts.store_reading import read_store


class DifferingEvent(msgspec.Struct, frozen=True):
    """An event that is missing from the store, duplicated there or altered."""

    kind: str
    """`missing`, `duplicate` or `altered`."""
    event: str
    """The fields that identify it."""
    fields: tuple[str, ...]
    """Fields whose values differ."""


class StoredView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The stored events, compared with those that the consumer has acknowledged."""

    at: int
    """Milliseconds since 1970."""
    reported: int
    """Number of events that the probe reports: the whole store, with those of earlier sessions and other senders."""
    acknowledged: int
    """Number of events that the consumer has acknowledged since the server's start or reset."""
    found: int
    """Number of acknowledged events that are stored unaltered; with `missing` and `altered`, these are all."""
    missing: int
    """Number of acknowledged events that are not stored."""
    duplicate: int
    """Number of stored events that the server has sent less often than they are stored."""
    altered: int
    """Number of acknowledged events that are stored with other values."""
    summary: str
    """The difference in one sentence, with what its events have in common; empty if there is none."""
    events: list[DifferingEvent]
    """The first events of the difference."""
    dropped: int
    """Number of journal entries that the server has dropped, whose events are not compared."""


async def _stored(call: Call, fields: NoFields) -> StoredView:
    consumer, campaign = call.served.consumer, call.campaign
    if consumer is None:
        raise RequestRejectedError(404, NO_PROBE)
    try:
        reading = await read_store(consumer, campaign)
    except CouldNotTellError as error:
        raise RequestRejectedError(502, str(error)) from None
    counts, found = reading.difference.seen(), reading.found
    return StoredView(
        at=campaign.now,
        reported=found if isinstance(found, int) else len(events_in(found)),
        acknowledged=reading.acknowledged,
        found=reading.acknowledged - counts.missing - counts.altered,
        missing=counts.missing,
        duplicate=counts.duplicate,
        altered=counts.altered,
        summary=campaign.masking.text(sentences.difference_of(counts) + reading.hint),
        events=[
            DifferingEvent(one.kind, campaign.masking.text(one.event), tuple(change.name for change in one.changes))
            for one in reading.difference.events()
        ],
        dropped=campaign.journal.dropped,
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="stored",
        title="Compare what the consumer has stored",
        description="Asks the probe that the server was started with. `acknowledged` is `found`, `missing` and "
        "`altered` together; `reported` counts the whole store, also events of earlier sessions and other senders. An "
        "event that was sent without being acknowledged may be stored or not.",
        tag=CONTROL_TAG,
        method="GET",
        path="/stored",
        fields=NoFields,
        success_description="Numbers of acknowledged, found, missing, altered and duplicate events.",
        response=StoredView,
        failures={
            404: "The server has no probe.",
            502: "The probe reports nothing that can be compared.",
            **INTERRUPTIONS,
        },
        handle=_stored,
    ),
)
