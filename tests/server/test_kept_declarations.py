"""Outages, faults and passwords outlive the server: it acts as if it had never stopped."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import CLIENT, START
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Journal, Resumed
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import ApiConflict, ApiError, Chunked, Duplicate, Latency, Refill, Refused, Reorder, Timeout
from mockcampaign.model import EventType, Fault, Responded
from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND, Policy
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings
from mockcampaign.server.state_file import StateFile
from mockcampaign.server.users import Users, users_of
from mockcampaign.transport.wire import WireTransport
from temporary import MEMORY

POLICY = Policy(batch_events_max=3)
TYPES = (EventType.OPEN, EventType.CLICK)

FAULTS = st.one_of(
    st.sampled_from([Refused(), Chunked(), Reorder(), Refill(), Timeout()]),
    st.builds(
        Duplicate, timing=st.sampled_from(["at-once", "later", "concurrent"]), delay=st.sampled_from([1, MINUTE])
    ),
    st.builds(Latency, time=st.just(3 * SECOND), distribution=st.sampled_from(["fixed", "uniform", "exponential"])),
    st.sampled_from([ApiConflict(operation="a"), ApiError()]),
)
WHEN = st.one_of(
    st.builds(When, times=st.integers(1, 3) | st.none(), every=st.integers(1, 3)),
    st.builds(When, times=st.integers(1, 3) | st.none(), probability=st.sampled_from([0.2, 0.5, 0.9])),
    st.builds(When, duration=st.sampled_from([1, 10 * SECOND, 30 * SECOND, DAY])),
)
WHOM = st.sampled_from([(), (1,), (2,)])
MOMENTS = st.sampled_from([0, 1, SECOND, 10 * SECOND, 25 * SECOND, MINUTE])
STEPS = st.one_of(
    st.tuples(st.just("fault"), FAULTS, WHEN, WHOM),
    st.tuples(st.just("outage"), MOMENTS, WHOM),
    st.tuples(st.just("end fault"), st.integers(1, 5)),
    st.tuples(st.just("end outage"), WHOM),
    st.tuples(st.just("events"), st.integers(1, 7), st.sampled_from(TYPES)),
    st.tuples(st.just("call"), st.sampled_from("ab")),
    st.tuples(st.just("advance"), MOMENTS),
    st.tuples(st.just("restart")),
)


class Sender:
    """A sender of two webhooks, with a consumer that rejects some batches once."""

    def __init__(self, path: Path | None) -> None:
        """With a path, it has a state file, and restarts with that."""
        self.path = path
        self.file: StateFile | None = None
        self.started = 0
        self.calls: list[Any] = []
        self.box = self.begun()
        for event_type in TYPES:
            self.box.activate(CLIENT, self.box.create(CLIENT, event_type, "http://consumer/").id)

    def begun(self) -> Exporter:
        file = self.file = None if self.path is None else StateFile(self.path)
        kept = None if file is None else file.load()
        journal = Journal() if kept is None else Journal(entries=kept.entries, dropped=kept.dropped)
        if file is not None:
            file.follow(journal)
        return Exporter(
            policy=POLICY,
            seed=3,
            start=START if kept is None else kept.sender.now,
            versions={"mockcampaign": "0"},
            journal=journal,
            keeper=file,
            kept=None if kept is None else kept.sender,
        )

    @property
    def is_under_way(self) -> bool:
        return self.started > sum(entry.count for entry in self.box.journal.entries if isinstance(entry, Attempted))

    def restart(self) -> None:
        if self.file is not None:
            self.file.commit(self.box.clock.now)
            self.file.close()
            self.box = self.begun()

    def advance(self, duration: int) -> None:
        box, until = self.box, self.box.clock.now + duration
        while box.move(until):
            for attempt in box.start_due():
                self.started += 1
                fails = attempt.number == 1 and attempt.batch[0].serial % 3 == 0
                outcome = box.predetermined_outcome(attempt) or Responded(500 if fails else 200)
                box.complete_attempt(attempt, outcome)

    def carry_out(self, step: tuple[Any, ...]) -> None:
        box, now = self.box, self.box.clock.now
        match step:
            case "fault", fault, when, whom:
                box.declare_fault(fault, when, () if isinstance(fault, ApiConflict | ApiError) else whom)
            case "outage", duration, whom:
                box.declare_outage("refused", now + duration, whom)
            case "end fault", number:
                box.end_fault(number)
            case "end outage", whom:
                box.end_outage(whom)
            case "events", count, event_type:
                payloads = tuple((now, b"{}") for _ in range(count))
                box.accept_events(EventsDue(client_id=CLIENT, type=event_type, payloads=payloads))
                self.advance(0)
            case "call", operation:
                self.calls.append(box.fault_table.call_hits(operation, "Webhooks", now))
            case "advance", duration:
                self.advance(duration)

    def decisions(self) -> list[Any]:
        """Everything that was decided, and what still is in force."""
        entries = [entry for entry in self.box.journal.entries if not isinstance(entry, Resumed)]
        attempts = [
            (at, entry.webhook_id, number, entry.serials, entry.redelivered, entry.faults, entry.took, entry.outcome)
            for entry in entries
            if isinstance(entry, Attempted)
            for number, at in entry.starts()
        ]
        table = self.box.fault_table
        return [
            sorted(attempts, key=lambda attempt: attempt[:3]),
            [entry for entry in entries if not isinstance(entry, Attempted)],
            self.calls,
            [(one.number, one.fault, one.hits, one.until) for one in table.in_force(self.box.clock.now)],
            [self.box.outages.current(webhook_id, self.box.clock.now) for webhook_id in (1, 2)],
        ]


IN_STEP = [("outage", 1, ()), ("events", 1, TYPES[1]), ("events", 1, TYPES[0])]
"""Both webhooks will retry at the same moment, the second one first."""


@settings(max_examples=25, deadline=None)
@example(steps=[("fault", ApiError(), When(every=2), ()), ("call", "a"), ("restart",), ("call", "a")])
@example(steps=[("fault", ApiError(), When(probability=0.5), ()), ("call", "a"), ("restart",), *[("call", "a")] * 9])
@example(steps=[*IN_STEP, ("fault", Refused(), When(times=1), ())])
@given(steps=st.lists(STEPS, max_size=25))
def test_a_server_that_restarts_decides_as_one_that_does_not(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        always, restarted = Sender(None), Sender(Path(folder, "state"))
        for step in [*steps, ("restart",), ("advance", MINUTE)]:
            if step != ("restart",):
                always.carry_out(step)
                restarted.carry_out(step)
            elif not always.is_under_way:
                restarted.restart()
        assert restarted.file is not None
        with closing(restarted.file):
            assert restarted.decisions() == always.decisions()


def test_a_duplicate_that_is_due_still_goes_out_before_the_next_batch(tmp_path: Path) -> None:
    sender = Sender(tmp_path / "state")
    sender.carry_out(("fault", Duplicate(timing="at-once"), When(times=1), ()))
    payloads = tuple((START, b"{}") for _ in range(4))
    sender.box.accept_events(EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=payloads))
    sender.box.move(START)
    [first] = sender.box.start_due()
    sender.box.complete_attempt(first, Responded(200))
    sender.restart()
    sender.box.move(START)
    [duplicate] = sender.box.start_due()
    assert (duplicate.is_duplicate, duplicate.batch) == (True, first.batch)
    sender.box.complete_attempt(duplicate, Responded(200))
    sender.box.move(START)
    [following] = sender.box.start_due()
    assert [event.serial for event in following.events] == [4]
    assert sender.file is not None
    sender.file.close()


# A whole server


class Servers:
    """One server after the other, with one state file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: StateFile | None = None

    def start(self, *faults: tuple[Fault, When]) -> ServedCampaign:
        self.stop()
        self._file = StateFile(self.path)
        users = Users({CLIENT: users_of(CLIENT, [("joe", "s3cret"), ("ann", "hidden")])})
        settings = ServerSettings(speed=0, start=START, faults=faults)
        return ServedCampaign(WireTransport(), users, settings, state_file=self._file)

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()

    def rows(self) -> list[Any]:
        self.stop()
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.execute("SELECT value FROM declared"))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path / "state")
    yield servers
    servers.stop()


def passwords(served: ServedCampaign, username: str, *candidates: str) -> list[str]:
    """Which of the candidates are valid now."""
    headers = {one: f"Basic {base64.b64encode(f'{username}:{one}'.encode()).decode()}" for one in candidates}
    return [one for one, header in headers.items() if served.users.authenticated(CLIENT, header, served.campaign.now)]


def rotate(served: ServedCampaign, username: str, password: str, after: int) -> None:
    served.campaign.rotate_user(password, username=username, client_id=CLIENT, after=after)


async def reset(served: ServedCampaign) -> None:
    async with served.running():
        await served.reset()
        served.save()


def elapse(served: ServedCampaign, duration: int) -> None:
    served.pacer.exporter.move(served.campaign.now + duration)


def test_passwords_are_rotated_over_restarts_and_are_not_in_the_file(servers: Servers) -> None:
    served = servers.start()
    rotate(served, "joe", "first-n3w", 5 * MINUTE)
    rotate(served, "joe", "third-n3w", 2 * HOUR)
    rotate(served, "joe", "second-n3w", HOUR)
    valid = []
    for duration in (5 * MINUTE - 1, 1, HOUR, HOUR, 0):
        served.save()
        written = b"".join(path.read_bytes() for path in servers.path.parent.iterdir())
        assert not any(password in written for password in (b"s3cret", b"hidden", b"n3w"))
        served = servers.start()
        elapse(served, duration)
        valid += passwords(served, "joe", "s3cret", "first-n3w", "second-n3w", "third-n3w")
        assert passwords(served, "ann", "hidden", "first-n3w") == ["hidden"]
    assert valid == ["s3cret", "first-n3w", "second-n3w", "third-n3w", "third-n3w"]
    served.save()
    assert len(servers.rows()) == 1
    served = servers.start()
    asyncio.run(reset(served))
    assert passwords(servers.start(), "joe", "s3cret", "third-n3w") == ["s3cret"]


def test_what_is_over_is_not_kept(servers: Servers) -> None:
    served = servers.start()
    campaign = served.campaign
    campaign.fault("api-error", times=1)
    campaign.fault("api-conflict", duration=SECOND)
    ended = campaign.fault("lost-ack")
    campaign.outage(SECOND)
    campaign.outage(HOUR)
    served.save()
    assert len(servers.rows()) == 5
    served = servers.start()
    elapse(served, SECOND)
    assert [fault.kind for fault in served.call_hits("createWebhook", "Webhooks")] == ["api-error"]
    served.campaign.end_fault(ended.number)
    served.campaign.end_outage()
    served.save()
    assert servers.rows() == []
    served = servers.start()
    assert served.campaign.fault("api-error").number == 4
    served.campaign.outage(SECOND)
    elapse(served, MINUTE)
    served.save()
    assert len(servers.rows()) == 2
    served = servers.start()
    served.save()
    assert len(servers.rows()) == 1


def test_faults_of_options_go_on_and_end_with_the_option(servers: Servers) -> None:
    once, other = (ApiError(), When(times=1)), (ApiConflict(), When(every=2))

    def hits(served: ServedCampaign) -> list[str]:
        return [fault.kind for fault in served.call_hits("createWebhook", "Webhooks")]

    assert hits(servers.start(once, other)) == ["api-error"]
    served = servers.start(once, other)
    assert hits(served) == ["api-conflict"]
    assert [one.number for one in served.campaign.declared_faults()] == [2]
    served = servers.start(once, once)
    assert [one.number for one in served.campaign.declared_faults()] == [3]
    assert hits(served) == ["api-error"]
    assert hits(servers.start(once, once)) == []
    assert servers.start().campaign.declared_faults() == []
    assert servers.rows() == []


def test_a_declaration_that_cannot_be_read_is_refused_in_one_line(servers: Servers) -> None:
    served = servers.start()
    served.campaign.fault("lost-ack")
    served.save()
    servers.stop()
    with closing(sqlite3.connect(servers.path)) as connection, connection:
        connection.execute("UPDATE declared SET value = ?", (b'{"type":"fault"}',))
    before = servers.path.read_bytes()
    with pytest.raises(InvalidInputError, match=r"^--state: .*state: damaged \(.*, allowed: a new file") as refused:
        servers.start()
    servers.stop()
    assert "\n" not in str(refused.value)
    assert servers.path.read_bytes() == before
