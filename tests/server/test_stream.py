"""The live stream, driven by hand: it also sends what happens while it is sending."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from builders import OK
from mockcampaign.model import Event
from mockcampaign.server.control_api.stream import ENTRIES_MAX, stream
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings
from mockcampaign.server.users import Users
from mockcampaign.transport.wire import WireTransport

Message = tuple[str, str, Any]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.control_api.stream.PAUSE_SECONDS", 0)


def watched(
    while_sending: Callable[[ServedCampaign, list[Message]], bool],
    *,
    before: Callable[[ServedCampaign], None] = lambda served: None,
    last_event_id: str = "",
) -> list[Message]:
    """Return all messages as event, id and data, until `while_sending` says that it is enough.

    That is called while the server waits for each part of its answer to be taken.
    """

    async def watch() -> list[Message]:
        served = ServedCampaign(WireTransport(), Users({1: ()}), ServerSettings(speed=0))
        before(served)
        messages: list[Message] = []

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            for part in message.get("body", b"").decode().split("\r\n\r\n"):
                fields = dict(line.split(": ", 1) for line in part.splitlines())
                if fields.get("") == "ping":
                    messages.append(("ping", "", None))
                if "data" in fields:
                    messages.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
            if message["type"] == "http.response.body" and while_sending(served, messages):
                served.closing.set()

        async def receive() -> Any:
            await asyncio.Event().wait()

        async with served.running(), asyncio.timeout(10):
            await stream(served, last_event_id)({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
        return messages

    return asyncio.run(watch())


def positions(messages: list[Message]) -> list[int]:
    return [int(number) for event, number, _ in messages if event == "entry"]


def test_entries_that_come_while_the_client_is_slow_are_sent_next() -> None:
    came: list[int] = []

    def grow(served: ServedCampaign, messages: list[Message]) -> bool:
        if messages and len(came) < 5:
            came.append(served.hub.journal.next_position)
            served.campaign.end_outage()
            return False
        return len(came) == 5

    assert positions(watched(grow)) == came


def test_an_entry_that_grows_while_the_client_is_slow_is_sent_next() -> None:
    events = (Event(1, 0, b"{}"),)
    shown: list[int] = []

    def grow(served: ServedCampaign, messages: list[Message]) -> bool:
        shown[:] = [data["count"] for event, _, data in messages if event == "entry"]
        if messages and len(shown) < 5:
            number = len(shown) + 1
            served.hub.journal.add_attempt(1, number, number * 10, 0, events, OK)
        return len(shown) == 5

    watched(grow)
    assert shown == [1, 2, 3, 4, 5]


def appended(count: int) -> Callable[[ServedCampaign], None]:
    """Append entries at the positions 1 to `count`; the first entry is at 0."""

    def append(served: ServedCampaign) -> None:
        for _ in range(count):
            served.campaign.end_outage()

    return append


def once_told(served: ServedCampaign, messages: list[Message]) -> bool:
    return bool(messages)


@pytest.mark.parametrize(
    ("last_event_id", "told"),
    [
        ("", []),
        ("0", [1, 2, 3]),
        ("2", [3]),
        ("3", []),
        ("9" * 5_000, []),
        ("-1", []),
        ("1.5", []),
        ("\u0662", []),
    ],
)
def test_a_client_that_reconnects_gets_what_it_has_not_seen(last_event_id: str, told: list[int]) -> None:
    assert positions(watched(once_told, before=appended(3), last_event_id=last_event_id)) == told


@pytest.mark.parametrize("last_event_id", ["4", "123456789"])
def test_a_client_of_an_earlier_server_gets_everything(last_event_id: str) -> None:
    messages = watched(once_told, before=appended(3), last_event_id=last_event_id)
    assert [event for event, _, _ in messages] == ["reset", "state", "entry", "entry", "entry", "entry"]
    assert positions(messages) == [0, 1, 2, 3]


@pytest.mark.parametrize("more", [0, 1])
def test_of_too_many_entries_the_newest_are_sent_and_the_others_counted(more: int) -> None:
    count = ENTRIES_MAX + more
    messages = watched(once_told, before=appended(count), last_event_id="0")
    assert positions(messages) == list(range(count - ENTRIES_MAX + 1, count + 1))
    assert [data for event, _, data in messages if event == "dropped"] == [{"dropped": 1}] * more


def test_entries_that_the_journal_dropped_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.served_campaign.JOURNAL_ENTRIES_MAX", 8)
    messages = watched(once_told, before=appended(20), last_event_id="5")
    [dropped] = [data["dropped"] for event, _, data in messages if event == "dropped"]
    told = positions(messages)
    assert 1 <= len(told) <= 8
    assert told == list(range(5 + 1 + dropped, 20 + 1))


def test_after_a_reset_positions_start_anew_and_everything_is_sent() -> None:
    resets: list[asyncio.Task[None]] = []

    def reset(served: ServedCampaign, messages: list[Message]) -> bool:
        if messages and not resets:
            resets.append(asyncio.create_task(served.reset()))
        return "reset" in [event for event, _, _ in messages]

    messages = watched(reset, before=appended(3))
    assert [event for event, _, _ in messages] == ["state", "reset", "state", "entry"]
    assert positions(messages) == [0]
    assert messages[0][2]["run"] != messages[2][2]["run"]


def test_an_entry_that_grew_and_was_dropped_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.served_campaign.JOURNAL_ENTRIES_MAX", 8)
    events = (Event(1, 0, b"{}"),)

    def failed(number: int) -> Callable[[ServedCampaign], None]:
        return lambda served: served.hub.journal.add_attempt(1, number, number * 10, 0, events, OK)

    def grow(served: ServedCampaign, messages: list[Message]) -> bool:
        if messages and not served.hub.journal.dropped:
            failed(2)(served)
            appended(20)(served)
            return False
        return bool(messages)

    messages = watched(grow, before=failed(1))
    assert len(positions(messages)) <= 8
    assert min(positions(messages)) > 1


def test_a_stream_without_news_sends_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.control_api.stream.PING_SECONDS", 0.01)
    messages = watched(lambda served, messages: len(messages) == 3)
    assert [event for event, _, _ in messages] == ["state", "ping", "ping"]


def test_encoded_entries_are_kept_as_long_as_they_may_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.control_api.stream.ENTRIES_MAX", 4)
    held: list[int] = []

    def grow(served: ServedCampaign, messages: list[Message]) -> bool:
        held.append(len(served.hub.encoded_entries))
        if messages and len(held) < 12:
            appended(1)(served)
            return False
        return len(held) == 12

    watched(grow)
    assert max(held) == 8
