"""Retries that fail without being sent are made all at once. They leave what they leave one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from unittest.mock import create_autospec

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import CLIENT, START, OneByOne, activated, entries_of, exporter, happen, run
from counting import calls_of
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, comparable
from mockcampaign.engine.keeping import Keeper
from mockcampaign.engine.loop import Driver
from mockcampaign.engine.outbox import Due
from mockcampaign.errors import WebhookCommandRejectedError
from mockcampaign.faults import FAULTS, OUTAGES
from mockcampaign.model import EventType, NoAuthentication, NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.policy import DAY, MINUTE, SECOND, Policy

REFUSED = NoResponse("connect", "connection refused")
OUTCOMES: tuple[Outcome, ...] = (Responded(200), Responded(503), TimedOut("wait"), REFUSED)
SPANS = st.sampled_from((1, 7 * SECOND, 10 * SECOND, 25 * SECOND, MINUTE, 10 * MINUTE + 3))
SOME = st.sampled_from(((), (1,), (2,)))
COMMANDS = st.one_of(
    st.tuples(
        st.just("happen"), st.integers(1, 3), st.sampled_from((0, 5, 3 * DAY - 2 * MINUTE, 3 * DAY - 35 * SECOND))
    ),
    st.tuples(st.just("outage"), st.sampled_from(sorted(OUTAGES)), SPANS, SOME),
    st.tuples(st.just("end outage"), SOME),
    st.tuples(st.just("fault"), st.sampled_from(("refused", "lost-ack", "latency")), st.integers(1, 3), SOME),
    st.tuples(st.just("responds"), st.sampled_from(OUTCOMES)),
    st.tuples(st.sampled_from(("activate", "deactivate", "retry")), st.integers(1, 3)),
    st.tuples(st.just("later"), SPANS),
    st.tuples(st.just("advance"), SPANS),
)
POLICIES = st.builds(
    Policy,
    batch_events_max=st.sampled_from((2, 100)),
    refill=st.booleans(),
    simulate_after=st.sampled_from((0, 2, 5)),
    suspend_after=st.sampled_from((0, 0, MINUTE)),
)


class Played:
    """A sender with three webhooks that was given these commands."""

    def __init__(self, make_driver: type[Driver], policy: Policy, commands: Sequence[tuple[object, ...]]) -> None:
        self.retries: dict[int, Due] = {}
        """The last retry of each webhook that was to be kept, in the order in which they were."""
        keeper = create_autospec(Keeper, instance=True)
        keeper.rejected.side_effect = self._note_retry
        self.box = Exporter(policy=policy, seed=0, start=START, versions={}, keeper=keeper)
        self.responds: Outcome = Responded(503)
        for event_type in (EventType.OPEN, EventType.OPEN, EventType.CLICK):
            activated(self.box, event_type)
        self.driver = make_driver(self.box, self._send)
        for name, *values in commands:
            self._do(str(name), values)

    def _note_retry(self, webhook_id: int, retry: Due) -> None:
        self.retries.pop(webhook_id, None)
        self.retries[webhook_id] = retry

    async def _send(self, request: Request) -> Outcome:
        return self.responds

    def _do(self, name: str, values: list[object]) -> None:
        box = self.box
        match name, values:
            case "happen", [int(count), int(age)]:
                happen(box, count, age=age)
                happen(box, count, EventType.CLICK, age=age)
            case "outage", [str(kind), int(duration), tuple(ids)]:
                box.declare_outage(kind, box.clock.now + duration, ids)
            case "end outage", [tuple(ids)]:
                box.end_outage(ids)
            case "fault", [str(kind), int(times), tuple(ids)]:
                box.declare_fault(FAULTS[kind](), When(times=times), ids)
            case "responds", [outcome]:
                assert isinstance(outcome, Outcome)
                self.responds = outcome
            case (("activate" | "deactivate" | "retry"), [int(webhook_id)]):
                with suppress(WebhookCommandRejectedError):
                    getattr(box, name)(CLIENT, webhook_id)
            case "later", [int(duration)]:
                box.schedule_credentials(box.clock.now + duration, 3, NoAuthentication())
            case _, [int(duration)]:
                asyncio.run(self.driver.drive(box.clock.now + duration))

    @property
    def left(self) -> object:
        box = self.box
        journal = comparable(box.journal.entries).split(b"\n")
        states = [(box.outbox_state(webhook_id), box.pending(webhook_id)) for webhook_id in (1, 2, 3)]
        return journal, box.clock.now, states, [*self.retries.items()], box.failure_runs.current


OUT_OF_STEP = (("advance", 7 * SECOND), ("retry", 3))
"""The third webhook's retries are at other moments from now on."""


@pytest.mark.slow
@given(POLICIES, st.lists(COMMANDS, min_size=3, max_size=12))
@example(
    Policy(simulate_after=2),
    [
        *(("responds", REFUSED), ("advance", MINUTE), *OUT_OF_STEP, ("advance", 31 * SECOND)),
        # The next retries are the other webhooks', and theirs are simulated.
        ("fault", "latency", 2, (3,)),
    ],
)
@example(Policy(), [("advance", 10 * SECOND), ("outage", "refused", 25 * SECOND, ()), ("retry", 1)])
@example(
    Policy(suspend_after=MINUTE),
    # All are suspended, and the third webhook's first failure after that is one of many.
    [*OUT_OF_STEP, ("advance", MINUTE), ("activate", 1), ("activate", 3), ("outage", "refused", 10 * MINUTE, ())],
)
def test_all_at_once_leaves_the_same_as_one_by_one(policy: Policy, commands: list[tuple[object, ...]]) -> None:
    commands = [("happen", 2, 0), *commands, ("advance", 10 * MINUTE)]
    assert Played(Driver, policy, commands).left == Played(OneByOne, policy, commands).left


@pytest.mark.parametrize("webhooks", [1, 12])
def test_three_days_without_an_endpoint_take_a_few_calls(webhooks: int) -> None:
    def outage(duration: int) -> int:
        box = exporter()
        for _ in range(webhooks):
            activated(box)
        happen(box, 100)
        box.declare_outage("refused", START + 4 * DAY)
        calls = calls_of(lambda: run(box, until=START + duration - 1))
        assert sum(entry.count for entry in entries_of(box, Attempted)) == webhooks * -(-duration // (10 * SECOND))
        return calls

    assert outage(3 * DAY) < 2 * outage(MINUTE)
