"""The access log: one line for each call, in order, and never in the way."""

from __future__ import annotations

import threading

import pytest

from mockcampaign.engine.journal import Called
from mockcampaign.server.access_log import AccessLog

CALL = Called(
    at=1_735_689_600_000,
    client_id=3,
    method="POST",
    operation="activateWebhook",
    path="/webhooks/{webhookId}/activate",
    ids={"webhookId": 7},
    status=200,
)
LINE = "2025-01-01T00:00:00.000Z 3 POST /webhooks/7/activate 200 activateWebhook"
UNKNOWN = Called(at=1_735_689_600_000, client_id=None, method="GET", operation="", path="/…", status=None)


def test_calls_become_lines_in_order() -> None:
    written: list[str] = []
    log = AccessLog(written.append)
    with log.running():
        for call in (CALL, UNKNOWN, CALL):
            log.note(call)
    assert "\n".join(written).split("\n") == [LINE, "2025-01-01T00:00:00.000Z - GET /… no response", LINE]


def test_without_calls_nothing_is_written() -> None:
    written: list[str] = []
    with AccessLog(written.append).running():
        pass
    assert written == []


def test_a_terminal_that_blocks_delays_no_call_and_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.access_log.WAITING_MAX", 5)
    blocked, free = threading.Event(), threading.Event()
    written: list[str] = []

    def write(lines: str) -> None:
        blocked.set()
        free.wait(10)
        written.append(lines)

    log = AccessLog(write)
    with log.running():
        log.note(CALL)
        assert blocked.wait(10)
        for _ in range(8):
            log.note(CALL)
        free.set()
    lines = "\n".join(written).split("\n")
    assert lines[:-1] == [LINE] * 6
    assert lines[-1] == "… 3 calls not shown: they came faster than they could be written"
