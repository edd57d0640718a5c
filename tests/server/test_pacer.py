"""Who moves a served campaign's time, and what becomes of it when it is stopped or fails."""

from __future__ import annotations

import asyncio

import pytest

from builders import CLIENT, START, Consumer, activated, exporter, happen
from mockcampaign.durations import MOMENT_MAX
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import Attempted
from mockcampaign.engine.loop import drive
from mockcampaign.errors import ClockNotLedError
from mockcampaign.model import EventType, NoResponse, Outcome, Request, Responded
from mockcampaign.policy import HOUR, SECOND
from mockcampaign.server.pacer import Pacer, TimeStoppedError

TURNS = 10
"""Turns of the loop within which a task that is not held up has reacted."""


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns_between", range(6))
@pytest.mark.parametrize("speed", [0, 1])
def test_a_cancellation_that_coincides_with_a_wake_is_not_lost(speed: float, turns_between: int) -> None:
    async def main() -> bool:
        box = exporter()
        box.schedule(START + HOUR, EventsDue(client_id=CLIENT, type=EventType.OPEN, payloads=()))
        pacer = Pacer(box, Consumer().send, speed=speed)
        running = asyncio.create_task(pacer.run())
        await turns(TURNS)
        pacer.speed = speed  # wakes the pacer
        await turns(turns_between)
        running.cancel()
        await turns(TURNS)
        stopped = running.done()
        running.cancel()
        return stopped

    assert asyncio.run(main())


@pytest.mark.parametrize("speed", [0, 1])
def test_an_error_while_sending_is_the_outcome_of_that_attempt(speed: float) -> None:
    async def send(request: Request) -> Outcome:
        raise UnicodeError("no part of the sentence")

    async def main() -> list[Outcome]:
        box = exporter()
        activated(box)
        pacer = Pacer(box, send, speed=speed)
        running = asyncio.create_task(pacer.run())
        happen(box)
        await pacer.advance(SECOND)
        running.cancel()
        return [entry.outcome for entry in box.journal.entries if isinstance(entry, Attempted)]

    assert [(outcome.phase, outcome.reason) for outcome in asyncio.run(main()) if isinstance(outcome, NoResponse)] == [
        ("connect", "mockcampaign could not send the request (UnicodeError)")
    ]


@pytest.mark.parametrize("speed", [0, 1])
def test_a_clock_file_that_cannot_be_written_is_no_failure_of_the_consumer(speed: float) -> None:
    broken = True

    async def send(request: Request) -> Outcome:
        if broken:
            raise ClockNotLedError("clock file: broken")
        return Responded(200)

    async def main() -> None:
        nonlocal broken
        box = exporter()
        activated(box)
        pacer = Pacer(box, send, speed=speed)
        running = asyncio.create_task(pacer.run())
        happen(box)
        pacer.wake()
        with pytest.raises(ClockNotLedError, match=r"^clock file: broken$"):
            await running
        with pytest.raises(TimeStoppedError, match=r"^clock file: broken; time stands still until a reset$"):
            await pacer.advance(SECOND)
        pacer.catch_up()
        assert [entry for entry in box.journal.entries if isinstance(entry, Attempted)] == []
        # The batch is still due, and number 1 is its first attempt.
        broken = False
        await drive(box, send, box.clock.now)
        [entry] = [entry for entry in box.journal.entries if isinstance(entry, Attempted)]
        assert (entry.first_number, entry.outcome) == (1, Responded(200))

    asyncio.run(main())


@pytest.mark.parametrize("number", [1, 2])
def test_a_clock_file_that_breaks_during_an_advance_ends_it(number: int) -> None:
    """Whichever attempt at a batch shows it."""
    sent = 0

    async def send(request: Request) -> Outcome:
        nonlocal sent
        sent += 1
        if sent == number:
            raise ClockNotLedError("clock file: broken")
        return Responded(503)

    async def main() -> None:
        box = exporter()
        activated(box)
        pacer = Pacer(box, send, speed=1)
        happen(box)
        advancing = asyncio.create_task(pacer.advance(HOUR))
        await turns(TURNS)
        with pytest.raises(ClockNotLedError):
            await pacer.run()
        with pytest.raises(TimeStoppedError, match=r"^clock file: broken; time stands still until a reset$"):
            await advancing
        assert len([entry for entry in box.journal.entries if isinstance(entry, Attempted)]) == number - 1

    asyncio.run(main())


def test_an_advance_fails_when_the_pacer_is_stopped_before_and_after() -> None:
    async def main() -> None:
        pacer = Pacer(exporter(), Consumer().send, speed=0)
        running = asyncio.create_task(pacer.run())
        await turns(TURNS)
        advancing = asyncio.create_task(pacer.advance(SECOND))
        await asyncio.sleep(0)
        running.cancel()
        for call in (advancing, pacer.advance(SECOND)):
            with pytest.raises(TimeStoppedError, match="the campaign has ended before the time had passed"):
                await call

    asyncio.run(main())


def test_time_ends_before_the_calendar_does() -> None:
    async def main() -> int:
        box = exporter(start=MOMENT_MAX - 1)
        pacer = Pacer(box, Consumer().send, speed=1e15)
        running = asyncio.create_task(pacer.run())
        await turns(TURNS)
        pacer.catch_up()
        running.cancel()
        return box.clock.now

    assert asyncio.run(main()) == MOMENT_MAX


def test_a_call_releases_who_waits_for_one_while_time_stands_still() -> None:
    async def main() -> None:
        box = exporter()
        pacer = Pacer(box, Consumer().send, speed=0)
        running = asyncio.create_task(pacer.run())
        waiting = asyncio.create_task(pacer.reached_or_called(START + SECOND))
        other = asyncio.create_task(pacer.reached(START + SECOND))
        await turns(TURNS)
        assert not waiting.done()
        pacer.called()
        await turns(TURNS)
        assert (waiting.done(), other.done(), box.clock.now) == (True, False, START)
        again = asyncio.create_task(pacer.reached_or_called(START + SECOND))
        await pacer.advance(SECOND)
        await turns(TURNS)
        assert (again.done(), other.done()) == (True, True)
        pacer.called()  # nobody waits any more
        running.cancel()

    asyncio.run(main())
