"""Resets, failures and the end of a server, while calls wait."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.engine.journal import Attempted, Happened, Verified
from mockcampaign.errors import ClockNotLedError
from mockcampaign.model import EventType, NoResponse, Outcome, Request
from mockcampaign.policy import DAY, DEFAULT_START, HOUR, SECOND
from mockcampaign.server.app import server_app
from mockcampaign.server.pacer import Pacer
from mockcampaign.server.served_campaign import CallInterruptedError, ServedCampaign, ServerSettings
from mockcampaign.server.state_file import StateFile, StateLostError
from mockcampaign.server.users import Users
from mockcampaign.transport.wire import WireTransport

RESET = (409, "the campaign was reset before the call was carried out")
ENDS = (503, "the server ends, so the call was not carried out")
FAILED = (503, "the server failed, and time stands still: reset it")


class Silent(WireTransport):
    """Sends nothing, and waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def send(self, request: Request) -> Awaitable[Outcome]:
        self.asked.set()
        return asyncio.get_running_loop().create_future()


def with_server(check: Callable[[ServedCampaign, Silent], Coroutine[Any, Any, None]]) -> None:
    """Check a served campaign whose one webhook waits for a response."""

    async def main() -> None:
        transport = Silent()
        served = ServedCampaign(transport, Users({7: ()}), ServerSettings(speed=0))
        async with served.running():
            campaign = served.campaign
            campaign.activate(campaign.create(EventType.OPEN, "http://127.0.0.1:9/", client_id=7))
            campaign.emit(EventType.OPEN, client_id=7)
            await check(served, transport)

    asyncio.run(main())


def test_a_fault_of_calls_ends_in_time_although_nothing_moves_the_clock() -> None:
    served = ServedCampaign(WireTransport(), Users({7: ()}), ServerSettings(speed=1e6))
    served.campaign.fault("api-error", duration=1)
    assert served.call_hits("createWebhook", "Webhooks") == ()


def test_a_state_file_that_cannot_be_written_is_an_error_of_the_start(tmp_path: Path) -> None:
    stopped = []
    with closing(StateFile(tmp_path / "state")) as file:
        file._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StateLostError, match="attempt to write a readonly database"):
            ServedCampaign(
                WireTransport(),
                Users({7: ()}),
                ServerSettings(),
                state_file=file,
                stop=lambda: stopped.append("by a signal, which nobody handles yet"),
            )
    assert not stopped


def seed_and_events(served: ServedCampaign) -> tuple[int, tuple[bytes, ...]]:
    """Return the seed of a campaign, and events that it makes."""
    served.campaign.emit(EventType.OPEN, count=20, client_id=7)
    [happened] = [entry for entry in served.campaign.journal.entries if isinstance(entry, Happened)][-1:]
    return served.campaign.seed, tuple(map(bytes, happened.events))


def test_each_start_and_each_reset_draws_another_seed_unless_one_was_given() -> None:
    async def two(seed: int | None) -> list[tuple[int, tuple[bytes, ...]]]:
        settings = ServerSettings(speed=0, start=DEFAULT_START, seed=seed)
        served = ServedCampaign(WireTransport(), Users({7: ()}), settings)
        async with served.running():
            before = seed_and_events(served)
            await served.reset()
            return [before, seed_and_events(served)]

    drawn = [*asyncio.run(two(None)), *asyncio.run(two(None))]
    assert len({seed for seed, _ in drawn}) == 4
    assert len({event for _, events in drawn for event in events}) == 4 * 20
    first, second = asyncio.run(two(5))
    assert first == second
    assert first[0] == 5
    [again, _] = asyncio.run(two(drawn[0][0]))
    assert again == drawn[0]  # as `--seed` promises


def test_a_state_file_keeps_the_seed_until_a_reset_or_another_one_is_given(tmp_path: Path) -> None:
    def started(given: int | None = None, *, reset: bool = False) -> tuple[int, tuple[bytes, ...]]:
        async def main() -> tuple[int, tuple[bytes, ...]]:
            settings = ServerSettings(speed=0, start=DEFAULT_START, seed=given)
            served = ServedCampaign(WireTransport(), Users({7: ()}), settings, state_file=file)
            async with served.running():
                if reset:
                    await served.reset()
                found = seed_and_events(served)
                served.save()
                return found

        with closing(StateFile(tmp_path / "state")) as file:
            return asyncio.run(main())

    first, second, after_reset, next_start = started(), started(), started(reset=True), started()
    assert first[0] == second[0] != after_reset[0] == next_start[0]
    assert len({*first[1], *second[1], *after_reset[1], *next_start[1]}) == 4 * 20
    assert [started(9)[0], started()[0]] == [9, 9]


async def advancing(served: ServedCampaign, transport: Silent) -> asyncio.Task[None]:
    """Return a call that waits for an advance, once its request is in flight."""
    call = asyncio.create_task(served.until_interrupted(served.pacer.advance(HOUR)))
    await transport.asked.wait()
    return call


async def reason(call: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(CallInterruptedError) as caught:
        await call
    return caught.value.status, str(caught.value)


def test_a_reset_interrupts_the_calls_that_wait() -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        call = await advancing(served, transport)
        await served.reset()
        assert await reason(call) == RESET
        await served.until_interrupted(served.pacer.advance(SECOND))
        assert served.campaign.now == DEFAULT_START + SECOND

    with_server(check)


def test_the_end_of_the_server_interrupts_the_calls_that_wait() -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        call = await advancing(served, transport)
        served.closing.set()
        assert await reason(call) == ENDS

    with_server(check)


def test_resets_at_once_leave_one_campaign_and_one_pacer() -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        tasks = len(asyncio.all_tasks())
        resets = [served.until_interrupted(served.reset()) for _ in range(3)]
        assert await asyncio.gather(*resets) == [None] * 3
        assert (served.generation, len(asyncio.all_tasks())) == (3, tasks)
        await served.pacer.advance(SECOND)

    with_server(check)


def test_a_campaign_of_an_earlier_time_is_gone_as_soon_as_a_reset_begins() -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        await advancing(served, transport)
        resetting = asyncio.create_task(served.reset())
        await asyncio.sleep(0)
        assert (served.campaign.webhooks.all(), resetting.done()) == ([], False)
        await resetting

    with_server(check)


def test_a_reset_revives_a_server_whose_time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        reports: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))

        def fail(pacer: Pacer) -> bool:
            raise LookupError("lost")

        call = await advancing(served, transport)
        with monkeypatch.context() as patch:
            patch.setattr(Pacer, "halted", fail)
            served.campaign.deactivate(served.campaign.webhooks.all()[0])
            await served.reset()
            assert await reason(call) == RESET
            with pytest.raises(CallInterruptedError):
                await served.until_interrupted(served.pacer.advance(SECOND))
        assert await reason(served.until_interrupted(served.pacer.advance(SECOND))) == FAILED
        assert [str(report["exception"]) for report in reports] == ["lost"]
        await served.reset()
        await served.until_interrupted(served.pacer.advance(SECOND))

    with_server(check)


def test_trouble_while_verifying_is_the_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        async def fail(request: Request) -> Outcome:
            raise UnicodeError("no part of the sentence")

        monkeypatch.setattr(transport, "send", fail)
        outcome = await served.campaign.verify(served.campaign.webhooks.all()[0])
        assert outcome == NoResponse("connect", "mockcampaign could not send the request (UnicodeError)")

    with_server(check)


@pytest.mark.parametrize("speed", [0, 1])
def test_a_clock_file_that_breaks_ends_the_server(speed: float, tmp_path: Path) -> None:
    folder = tmp_path / "clocks"
    folder.mkdir()
    clock, stopped = ClockFile(folder / "clock", "--clock"), asyncio.Event()
    said = f"--clock {clock.path}: cannot be written: No such file or directory"

    async def main() -> None:
        settings = ServerSettings(speed=speed)
        served = ServedCampaign(Silent(), Users({7: ()}), settings, clock=clock, stop=stopped.set)
        async with served.running():
            webhook = served.campaign.create(EventType.OPEN, "http://127.0.0.1:9/", client_id=7)
            served.campaign.activate(webhook)
            folder.rename(tmp_path / "elsewhere")
            with pytest.raises(ClockNotLedError, match=f"^{said}$"):
                await served.campaign.verify(webhook)
            served.campaign.emit(EventType.OPEN, client_id=7)
            served.wake()
            await stopped.wait()
            assert str(served.clock_lost) == said
            assert await reason(served.until_interrupted(served.pacer.advance(SECOND))) == (
                503,
                f"{said}; time stands still until a reset",
            )
            assert [entry for entry in served.campaign.journal.entries if isinstance(entry, Attempted | Verified)] == []
            await served.reset()
            assert served.clock_lost is None

    asyncio.run(main())


def test_the_responses_to_interrupted_calls_are_one_line() -> None:
    async def check(served: ServedCampaign, transport: Silent) -> None:
        app = server_app(served)

        async def post(path: str, body: bytes) -> list[Any]:
            sent: list[Any] = []

            async def receive() -> Any:
                return {"type": "http.request", "body": body}

            async def send(message: Any) -> None:
                sent.append(message)

            headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
            scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
            await app(scope, receive, send)
            return [sent[0]["status"], sent[1]["body"]]

        call = asyncio.create_task(post("/__mockcampaign/clock/advance", b'{"by":"1h"}'))
        await transport.asked.wait()
        assert await post("/__mockcampaign/reset", b"") == [204, b""]
        assert await call == [409, b'{"error":"the campaign was reset before the call was carried out"}']

    with_server(check)


def test_a_mailing_whose_events_have_all_occurred_is_made_again_at_no_later_start(tmp_path: Path) -> None:
    path, kept = tmp_path / "state", []
    for sends, days_later in ((True, 0), (False, 60), (False, 0)):
        with closing(StateFile(path)) as file:
            served = ServedCampaign(WireTransport(), Users({7: ()}), ServerSettings(speed=0), state_file=file)
            if sends:
                served.campaign.put_mailing(served.campaign.prepare_mailing(20, client_id=7))
                served.save()
        with closing(sqlite3.connect(path)) as connection, connection:
            kept += connection.execute("SELECT count(*) FROM mailing").fetchall()
            connection.execute("UPDATE number SET value = value + ? WHERE name = 'now'", (days_later * DAY,))
    assert kept == [(1,), (1,), (0,)]
