"""Delivering ordinary batches, so that a rejection is attributed only to what is special about another batch."""

from __future__ import annotations

from collections.abc import Sequence

from mockcampaign.check.bench.batch_outcome import BatchOutcome
from mockcampaign.check.bench.bench import BUSY, Bench
from mockcampaign.check.bench.context import Rejection
from mockcampaign.check.examined import SkipRule
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import NotStored, Precondition, Rejected, Response, Stimulus, Unmet, replies
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Responded, TimedOut
from mockcampaign.report import sentences
from mockcampaign.shape.field import Event, Role
from mockcampaign.wallclock import pause

SMALL = 5
"""Number of events in a batch up to which processing takes no consumer long."""


async def must_deliver(bench: Bench, events: Sequence[Event], *, number: int = 0) -> BatchOutcome:
    """Deliver a batch that must be accepted before a rule can examine what follows.

    Raise `SkipRule` if it is rejected, and `CouldNotTellError` if there is no response to it.
    """
    delivery = await bench.deliver(events, number=number, attempts=3)
    if not delivery.accepted:
        count = len(events)
        response = delivery.response(Stimulus(situation=Situation.ORDINARY_BATCH, events=count))
        if isinstance(delivery.last, Responded):
            await accepts_ordinary(bench)
            raise SkipRule(Rejected(response=response))
        if isinstance(delivery.last, TimedOut) and count <= SMALL:
            _note_rejection(bench, delivery)  # without another batch, which would take as long again
        raise CouldNotTellError(sentences.actual([response]))
    return delivery


async def must_store(bench: Bench, count: int) -> None:
    """Deliver an ordinary batch of this many events. Raise `SkipRule` unless it is accepted and stored correctly."""
    with bench.unrecorded():
        await must_deliver(bench, bench.events(count))
    difference = await bench.store.difference()
    if difference:
        ordinary = Stimulus(situation=Situation.ORDINARY_BATCH, events=count)
        raise SkipRule(NotStored(difference=difference.seen(ordinary)))


async def must_distinguish(bench: Bench) -> None:
    """Raise `SkipRule` if the consumer merges two events of one mail, or two of one recipient in different mails."""
    first = bench.event()
    second = bench.shape.later(first, 40_001)
    third = bench.event(bench.values_of(first, Role.RECIPIENT))
    with bench.unrecorded():
        for event in (first, second, third):
            await must_deliver(bench, [event])
    if await bench.store.difference():
        raise SkipRule(Unmet(why=Precondition.DIFFERENT_EVENTS_MERGED))


async def must_accept_ordinary(bench: Bench, rejected: Response) -> None:
    """Raise `SkipRule` with this response unless an ordinary batch is accepted at this moment.

    If it is not, the other batch was rejected for a reason that has nothing to do with what is special about it.
    """
    if not await accepts_ordinary(bench):
        raise SkipRule(Rejected(response=rejected, ordinary_too=True))


async def accepts_ordinary(bench: Bench) -> bool:
    """Return whether the consumer accepts one ordinary event at this moment, and note the rejection if it does not.

    Raise `CouldNotTellError` if the consumer cannot be reached.
    """
    delivery = await _deliver_ordinary(bench)
    if not delivery.accepted and isinstance(delivery.last, Responded):
        # It may only have been busy: for the consumer, hardly any time passes between attempts.
        await pause(BUSY)
        delivery = await _deliver_ordinary(bench)
    if not delivery.accepted:
        _note_rejection(bench, delivery)
    return delivery.accepted


async def _deliver_ordinary(bench: Bench) -> BatchOutcome:
    other = bench.another_from_now()
    delivery = await other.deliver(other.events(1, {Role.MOMENT: bench.campaign.now}), attempts=3)
    bench.count_in(other)
    return delivery


def _note_rejection(bench: Bench, delivery: BatchOutcome) -> None:
    responded = isinstance(delivery.last, Responded)
    rejection = Rejection(rule_id=bench.slot.rule, replies=replies(delivery.outcomes), responded=responded)
    bench.incidents.rejections.append(rejection)
