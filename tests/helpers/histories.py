"""Campaigns in which anything may happen, for properties of their journals."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from builders import CLIENT, START, happen
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Journal, StepReached
from mockcampaign.engine.loop import drive
from mockcampaign.errors import WebhookError
from mockcampaign.faults import Duplicate, Fault, Latency, LostAck, Overlap, Reorder
from mockcampaign.model import EventType, NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.policy import Policy

SECOND = 1_000

SOME = settings(max_examples=60, deadline=None)
"""As many examples as a test has time for that plays a whole history."""

OUTCOMES: list[Outcome] = [
    Responded(200),
    Responded(500),
    Responded(503),
    NoResponse("wait", "connection closed before a response"),
    TimedOut("wait"),
]
TYPES = [EventType.OPEN, EventType.CLICK]
FAULTS: list[Fault] = [
    LostAck(),
    Duplicate(timing="later", delay=3_000),
    Duplicate(timing="concurrent"),
    Overlap(events=2),
    Reorder(),
    Latency(time=2_000),
]

Command = Callable[[Exporter], Any]


def _change(name: str, webhook_id: int) -> Command:
    def change(box: Exporter) -> None:
        with contextlib.suppress(WebhookError):
            getattr(box, name)(CLIENT, webhook_id)

    return change


def _create(event_type: EventType) -> Command:
    def create(box: Exporter) -> None:
        webhook = box.create(CLIENT, event_type, "http://consumer/")
        box.activate(CLIENT, webhook.id)

    return create


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(_create, st.sampled_from(TYPES)),
    st.builds(_change, st.sampled_from(["activate", "deactivate", "deactivate", "delete", "retry"]), st.integers(1, 3)),
    st.builds(
        lambda count, event_type: lambda box: happen(box, count, event_type), st.integers(1, 7), st.sampled_from(TYPES)
    ),
    st.builds(
        lambda seconds: lambda box: box.declare_outage("refused", box.clock.now + seconds * SECOND),
        st.integers(1, 60),
    ),
    st.builds(
        lambda fault, times: lambda box: box.declare_fault(fault, When(times=times)),
        st.sampled_from(FAULTS),
        st.integers(1, 3),
    ),
    st.builds(lambda index: lambda box: box.journal.append(StepReached(at=box.clock.now, index=index)), st.just(0)),
)
"""What may happen at one moment."""

HISTORIES = st.tuples(
    st.lists(st.tuples(COMMANDS, st.sampled_from([0, 0, 1, 10, 45, 200])), min_size=1, max_size=30),
    st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=6),
    st.sampled_from([0, 0, 2]),
)
"""Commands, each with the seconds that pass after it; the outcomes, which repeat; and `Policy.simulate_after`."""


def play(
    history: tuple[list[tuple[Command, int]], list[Outcome], int],
    journal: Journal | None = None,
    meanwhile: Callable[[int, Exporter], object] = lambda _, __: None,
) -> Journal:
    """Play a history on three webhooks and return its journal; `meanwhile` is called after each command."""
    commands, outcomes, simulate_after = history
    journal = Journal() if journal is None else journal
    policy = Policy(
        batch_events_max=3,
        event_age_max=120 * SECOND,
        timeout=5 * SECOND,
        simulate_after=simulate_after,
        webhooks_per_client_max=100,
    )
    box = Exporter(policy=policy, seed=1, start=START, versions={}, journal=journal)
    following = itertools.cycle(outcomes)

    async def send(_: Request) -> Outcome:
        return next(following)

    async def act() -> None:
        for event_type in (*TYPES, EventType.OPEN):
            _create(event_type)(box)
        happen(box, 5)
        for number, (command, seconds) in enumerate(commands):
            command(box)
            meanwhile(number, box)
            await drive(box, send, box.clock.now + seconds * SECOND)
            meanwhile(number, box)

    asyncio.run(act())
    return journal
