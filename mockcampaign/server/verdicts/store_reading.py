"""Asks the server's probe what the consumer has stored, and compares it with the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from mockcampaign import json_text
from mockcampaign.campaign import Campaign
from mockcampaign.check.probes.question import Found, Question, found_or_nothing
from mockcampaign.engine.journal import Attempted, Entry, Happened, serial_ranges
from mockcampaign.engine.outbox import Attempt
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import canonical, events_in
from mockcampaign.judging.diagnosis import fields_not_stored
from mockcampaign.judging.difference import BUILTIN, Difference, compare, selected_with, unrecognised
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import INTERRUPTED, EventType
from mockcampaign.report.advice import of_fields_not_stored, probe_fields_option
from mockcampaign.server.consumer_probe import ConsumerProbe
from mockcampaign.shape.shape import Shape

HOW_TO_SELECT = selected_with("--probe-events", "--probe-count")
"""Says how to select the events of a server's probe."""


class StoreReading(msgspec.Struct, frozen=True, kw_only=True):
    """The stored events, and how they differ from those that the journal shows."""

    entries: list[Entry]
    """The journal with which they are compared: see `_as_asked`."""
    found: Found
    acknowledged: int
    """Number of acknowledged events in the journal."""
    difference: Difference
    hint: str = ""
    """How to compare only the fields that the consumer keeps, after the description of a difference; may be empty."""

    unrecognised: str | None = None
    """Why the stored events cannot be compared with the delivered ones, if no other fields are compared."""

    @property
    def may_count_others(self) -> bool:
        """Whether the probe reports a number that others, or the time before this server, may have contributed to."""
        return isinstance(self.found, int) and self.difference.surplus_count > 0


async def read_store(consumer: ConsumerProbe, campaign: Campaign) -> StoreReading:
    """Ask the probe, and compare its response. Raises `CouldNotTellError` if it cannot be compared."""
    asked, position = list(campaign.journal.entries), campaign.journal.next_position
    try:
        selects = bool(consumer.probe.selection.placeholders)
        question = await asyncio.to_thread(_question, asked, campaign) if selects else None
        found = await found_or_nothing(consumer.probe.ask(question), acknowledged=_any_acknowledged(asked, campaign))
    except CouldNotTellError as error:
        # The message may quote the consumer, and so a secret.
        raise CouldNotTellError(campaign.masking.text(str(error))) from None
    entries = _as_asked(asked, position, campaign)
    return await asyncio.to_thread(_compared, entries, found, consumer.fields, campaign)


def _any_acknowledged(asked: Iterable[Entry], campaign: Campaign) -> bool:
    """Return whether the consumer may have acknowledged events, as far as the journal still shows."""
    return campaign.journal.dropped > 0 or any(isinstance(one, Attempted) and one.outcome.accepted for one in asked)


def _as_asked(asked: list[Entry], position: int, campaign: Campaign) -> list[Entry]:
    """Return the journal as it was when the probe was asked, at a position, and what was sent since or is on its way.

    The response may contain that or not, as if nobody had acknowledged it.
    """
    journal = campaign.journal
    since = journal.entries[max(0, position - journal.dropped) :]
    states = map(campaign.delivery_state, campaign.webhooks.all())
    return [
        *asked,
        *(entry for entry in since if isinstance(entry, Happened)),
        *(
            msgspec.structs.replace(entry, outcome=INTERRUPTED)
            for entry in since
            if isinstance(entry, Attempted) and not entry.simulated
        ),
        *(_unacknowledged(state) for state in states if isinstance(state, Attempt)),
    ]


def _unacknowledged(attempt: Attempt) -> Attempted:
    return Attempted(
        at=attempt.started_at,
        webhook_id=attempt.webhook_id,
        serials=serial_ranges(attempt.events),
        first_number=attempt.number,
        count=1,
        interval=0,
        took=0,
        outcome=INTERRUPTED,
        redelivered=serial_ranges(attempt.redelivered),
    )


def shapes_of(campaign: Campaign) -> tuple[Shape, ...]:
    """Return the shapes by which stored events are recognised."""
    return tuple(map(campaign.shape, EventType)) if campaign.shapes else (BUILTIN,)


def _question(entries: Sequence[Entry], campaign: Campaign) -> Question:
    """Return the question about all events in the journal."""
    question = Question(shapes_of(campaign)[0], campaign.now)
    for entry in entries:
        if isinstance(entry, Happened):
            question.add(map(json_text.decode, entry.events), campaign.shape(entry.type))
    return question


def _compared(entries: list[Entry], found: Found, fields: Sequence[str], campaign: Campaign) -> StoreReading:
    ledger, shapes = Ledger.of(entries), shapes_of(campaign)
    held = {
        serial
        for entry in ledger.happened
        for serial in range(entry.first_serial, entry.first_serial + len(entry.events))
    }
    delivered, hint, why = held.intersection(ledger.delivered()), "", None
    if isinstance(found, int):
        difference = Difference.of_counts(len(delivered), len(held & ledger.attempted), found)
    else:
        stored = list(map(canonical, events_in(found)))
        difference = compare(ledger, stored, tuple(fields) or None, shapes)
        why = unrecognised(ledger, stored, tuple(fields) or None, shapes, HOW_TO_SELECT)
        if difference.altered and not fields:
            hint = of_fields_not_stored(fields_not_stored(ledger, stored), _probed_fields)
    return StoreReading(
        entries=entries,
        found=found,
        acknowledged=len(delivered),
        difference=difference,
        hint=hint,
        unrecognised=None if why is None else f"probe: {campaign.masking.text(why)}",
    )


def _probed_fields(fields: Sequence[str]) -> str:
    return f"start the server with {probe_fields_option(fields)}"
