"""A campaign whose events have the shape of captured ones."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from builders import Consumer
from conventions import CONVENTIONS
from foreign_shapes import SHAPES
from mockcampaign.campaign import Campaign
from mockcampaign.engine.journal import Attempted
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import HOUR, Policy
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.field import Event, leaves
from mockcampaign.shape.infer import infer_shape
from mockcampaign.shape.shape import UNCERTAIN
from mockcampaign.transport.inprocess import AsgiTransport


def paths(event: Event) -> tuple[tuple[str, ...], ...]:
    return tuple(path for path, _ in leaves(event))


EVERY_SHAPE = {**SHAPES, **{name: infer_shape([convention.event]) for name, convention in CONVENTIONS.items()}}


@pytest.mark.parametrize("name", EVERY_SHAPE)
def test_a_strict_consumer_accepts_emitted_and_sample_events_of_every_captured_shape(name: str) -> None:
    shape = EVERY_SHAPE[name]

    async def run() -> tuple[int, int]:
        campaign = Campaign(AsgiTransport(consumer_app(shape=shape)), seed=1, shapes={shape.event_type: shape})
        webhook = campaign.create(shape.event_type, "http://127.0.0.1/hook")
        campaign.activate(webhook)
        campaign.emit(shape.event_type, 150)
        await campaign.run()
        outcome = await campaign.verify(webhook, shape.body.events_max)
        assert outcome.accepted
        attempts = [entry for entry in campaign.journal.entries if isinstance(entry, Attempted)]
        assert all(entry.outcome.accepted for entry in attempts)
        await campaign.aclose()
        return len(attempts), campaign.pending_count(webhook)

    assert asyncio.run(run()) == (2 if shape.body.has_list else 150, 0)


def test_captured_events_have_the_time_at_which_they_occur_and_distinct_mails() -> None:
    shape = SHAPES["iso-moments"]
    campaign = Campaign(Consumer(), shapes={EventType.OPEN: shape})
    prepared = campaign.prepare(EventType.OPEN, 50, over=HOUR)
    events = [(at, msgspec.json.decode(payload)) for _, due in prepared for at, payload in due.payloads]
    assert [shape.moment(event) for _, event in events] == [at for at, _ in events]
    assert len({shape.key(event) for _, event in events}) == 50
    assert {paths(event) for _, event in events} == {paths(event) for event in shape.examples}
    assert campaign.shape(EventType.OPEN) is shape
    assert campaign.shape(EventType.CLICK).is_captured is False


def test_the_body_is_as_captured_and_the_same_for_all_types() -> None:
    wrapped, single = SHAPES["wrapped-events"], SHAPES["one-event"]
    campaign = Campaign(Consumer(), shapes={EventType.CLICK: wrapped})
    assert (campaign.policy.body_prefix, campaign.policy.batch_events_max) == (wrapped.body.prefix, 100)
    uncertain = msgspec.structs.replace(wrapped, body=UNCERTAIN)
    campaign = Campaign(Consumer(), policy=Policy(batch_events_max=7), shapes={EventType.CLICK: uncertain})
    assert (campaign.policy.body_prefix, campaign.policy.batch_events_max) == ("[", 7)
    opens = msgspec.structs.replace(wrapped, event_type=EventType.OPEN)
    with pytest.raises(
        InvalidInputError, match=r"^shapes: click and open events have different bodies, allowed: one for all$"
    ):
        Campaign(Consumer(), shapes={EventType.CLICK: single, EventType.OPEN: opens})


def test_a_whole_mailing_is_refused() -> None:
    shape = SHAPES["seconds"]
    campaign = Campaign(Consumer(), shapes={shape.event_type: shape})
    with pytest.raises(InvalidInputError, match=r"^mailing: it consists of events of Campaign's own shape, .* emit$"):
        campaign.mailing(10)
