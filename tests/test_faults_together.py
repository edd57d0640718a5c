"""Every two faults together: no event is lost, and the faults explain every duplicate."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from builders import CLIENT, START, activated, entries_of, run
from explained import received_lists
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.faults import FAULTS, LOST, CutBody, Duplicate, Latency, LostAck, Overlap, StallBody, last_of
from mockcampaign.model import EventType, Fault, NoResponse, Outcome, Request, Responded, TimedOut
from mockcampaign.policy import Policy
from mockcampaign.transport.script import cut_outcome
from old_fold import tally

LIST_MAX = 3


class Consumer:
    """Accepts batches from a transport, rejects the second one, and closes the connection of the fifth."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.received: Counter[int] = Counter()

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        cut, lost = last_of(request.faults, CutBody), last_of(request.faults, LostAck)
        if cut is not None:
            return cut_outcome(cut, len(request.body))
        if last_of(request.faults, StallBody) is not None:
            return TimedOut("send")
        if len(self.requests) == 5 and lost is None:
            return NoResponse("send", "connection closed before the request was sent")
        self.received.update(event["n"] for event in json.loads(request.body))
        if lost is not None:
            return LOST[lost.dropped]
        return Responded(503 if len(self.requests) == 2 else 200)


VARIANTS: dict[str, Fault] = {kind: fault() for kind, fault in FAULTS.items()} | {
    "duplicate later": Duplicate(timing="later", delay=3_000),
    "duplicate concurrent": Duplicate(timing="concurrent"),
    "overlap of two": Overlap(events=2),
    "latency beyond the time-out": Latency(time=10_000),
    "lost before the answer": LostAck(dropped="before-response"),
}
PAIRS = list(itertools.combinations_with_replacement(VARIANTS, 2))


def put(box: Exporter, first: int, count: int) -> None:
    payloads = tuple((box.clock.now, b'{"n":%d}' % serial) for serial in range(first, first + count))
    box.accept_events(EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=payloads))


def play(pair: tuple[str, str], when: dict[str, Any], **settings: int) -> tuple[Exporter, Consumer]:
    """Lists of one webhook, with events that come in while others are on their way or waiting for a retry."""
    box = Exporter(policy=Policy(batch_events_max=LIST_MAX, **settings), seed=1, start=START, versions={})
    activated(box)
    for name in pair:
        box.declare_fault(VARIANTS[name], When(**when))
    consumer = Consumer()
    for first, count in ((1, 8), (9, 1), (10, 1), (11, 4)):
        put(box, first, count)
        run(box, until=box.clock.now + 4_000, send=consumer.send)
    run(box, send=consumer.send)
    return box, consumer


@pytest.mark.parametrize("when", [{"times": 2}, {"every": 2, "times": 3}, {"probability": 0.5, "duration": 60_000}])
@pytest.mark.parametrize("first", VARIANTS)
def test_two_faults_lose_nothing_and_explain_duplicates(first: str, when: dict[str, Any]) -> None:
    for pair in PAIRS:
        if pair[0] != first:
            continue
        box, consumer = play(pair, when)
        account = tally(box.journal.entries, [1])
        assert sorted(account.delivered) == list(range(1, 15)), pair
        assert (account.discarded, account.pending, box.pending_count(1)) == (set(), set(), 0), pair
        assert all(1 <= entry.events <= LIST_MAX for entry in entries_of(box, Attempted)), pair
        must, _ = received_lists(box.journal.entries)
        assert consumer.received == must, pair


@pytest.mark.parametrize("first", ["lost-ack", "duplicate", "cut-body", "reorder", "overlap", "refused"])
def test_two_endless_faults_discard_the_events_that_they_stop(first: str) -> None:
    """With a fault that hits every attempt, exactly the events that are never accepted expire, in their time."""
    for name in VARIANTS:
        box, consumer = play((first, name), {}, event_age_max=120_000)
        account = tally(box.journal.entries, [1])
        assert len(account.delivered) == len(set(account.delivered)), name
        assert not account.discarded & set(account.delivered), name
        assert account.discarded | set(account.delivered) == set(range(1, 15)), name
        assert (account.pending, box.pending_count(1)) == (set(), 0), name
        must, _ = received_lists(box.journal.entries)
        assert consumer.received == must, name
