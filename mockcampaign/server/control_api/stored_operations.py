"""The operation that shows what the consumer has stored, and how it differs, as `OPERATIONS`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from mockcampaign import json_text
from mockcampaign.campaign import Campaign
from mockcampaign.check.probes.question import Found, Question
from mockcampaign.engine.journal import Entry, Happened
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import canonical, events_in
from mockcampaign.judging.difference import BUILTIN, Difference, Shapes, compare
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import EventType
from mockcampaign.server.http.operation import CONTROL_TAG, INTERRUPTIONS, Call, Operation
from mockcampaign.server.http.request import RequestRejectedError
from mockcampaign.server.http.request_fields import NoFields
from mockcampaign.shape.shape import Shape


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
    stored: int
    """Number of events that the probe reports, of other senders too."""
    acknowledged: int
    missing: int
    duplicate: int
    altered: int
    events: list[DifferingEvent]
    """The first events of the difference."""
    dropped: int
    """Number of journal entries that the server has dropped, whose events are not compared."""


class _Comparison(msgspec.Struct, frozen=True):
    acknowledged: int
    difference: Difference


async def _stored(call: Call, fields: NoFields) -> StoredView:
    consumer, campaign = call.served.consumer, call.campaign
    if consumer is None:
        raise RequestRejectedError(404, "the server has no probe, allowed: one given with --probe or --probe-command")
    # Compared is what the probe was asked for, so that an event that occurs meanwhile is not missed.
    asked = list(campaign.journal.entries) if consumer.probe.selection.placeholders else None
    try:
        question = None if asked is None else await asyncio.to_thread(_question, asked, campaign)
        found = await consumer.probe.ask(question)
    except CouldNotTellError as error:
        # The message may quote the consumer, and so a secret.
        raise RequestRejectedError(502, campaign.masking.text(str(error))) from None
    entries = list(campaign.journal.entries) if asked is None else asked
    compared = await asyncio.to_thread(_compared, entries, found, consumer.fields, _shapes(campaign))
    counts = compared.difference.seen()
    return StoredView(
        at=campaign.now,
        stored=found if isinstance(found, int) else len(events_in(found)),
        acknowledged=compared.acknowledged,
        missing=counts.missing,
        duplicate=counts.duplicate,
        altered=counts.altered,
        events=[
            DifferingEvent(one.kind, campaign.masking.text(one.event), tuple(change.name for change in one.changes))
            for one in compared.difference.events()
        ],
        dropped=campaign.journal.dropped,
    )


def _question(entries: Sequence[Entry], campaign: Campaign) -> Question:
    """Return the question about all events in the journal."""
    question = Question(_shapes(campaign)[0], campaign.now)
    for entry in entries:
        if isinstance(entry, Happened):
            question.add(map(json_text.decode, entry.events), campaign.shape(entry.type))
    return question


def _compared(entries: Sequence[Entry], found: Found, fields: Sequence[str], shapes: Shapes) -> _Comparison:
    ledger = Ledger.of(entries)
    held = {
        serial
        for entry in ledger.happened
        for serial in range(entry.first_serial, entry.first_serial + len(entry.events))
    }
    delivered = held.intersection(ledger.delivered())
    if isinstance(found, int):
        difference = Difference.of_counts(len(delivered), len(held & ledger.attempted), found)
    else:
        difference = compare(ledger, list(map(canonical, events_in(found))), tuple(fields) or None, shapes)
    return _Comparison(len(delivered), difference)


def _shapes(campaign: Campaign) -> tuple[Shape, ...]:
    return tuple(map(campaign.shape, EventType)) if campaign.shapes else (BUILTIN,)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        id="stored",
        title="Compare what the consumer has stored",
        description="Asks the probe that the server was started with. An event that was sent without being "
        "acknowledged may be stored or not.",
        tag=CONTROL_TAG,
        method="GET",
        path="/stored",
        fields=NoFields,
        success_description="Numbers of stored, missing, duplicate and altered events.",
        response=StoredView,
        failures={
            404: "The server has no probe.",
            502: "The probe reports nothing that can be compared.",
            **INTERRUPTIONS,
        },
        handle=_stored,
    ),
)
