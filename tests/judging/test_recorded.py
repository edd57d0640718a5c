"""A journal that no run can have written is rejected with its line and field, before anything acts on it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from counting import calls_of
from mockcampaign.engine.journal import Called
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.recorded import load_journals
from places import ROOT

RECORDED = ROOT / "tests/golden/journal.jsonl"

BIG = 2**62
REASONS: dict[str, tuple[str, dict[str, Any], str]] = {
    # An entry of this kind gets these values.
    "a moment before 1970": ("began", {"at": -1}, "at: -1 is out of range, allowed: 0 to 32503680000000"),
    "a moment beyond the calendar": (
        "happened",
        {"at": BIG},
        f"at: {BIG} is out of range, allowed: up to 36600d after the beginning",
    ),
    "a policy no scenario can have": (
        "began",
        {"policy": {"retry_interval": 0}},
        "not an entry of a journal: policy.retry_interval: 0 is out of range, allowed: 1 or more",
    ),
    "an unknown command": (
        "webhook-changed",
        {"command": "explode"},
        "command: unknown word 'explode' (allowed: create, update, activate, deactivate, suspend, delete, retry)",
    ),
    "a command before its webhook": (
        "webhook-changed",
        {"command": "delete"},
        "webhook: webhook 1 was not created before this line",
    ),
    "events of an unknown webhook": (
        "happened",
        {"webhook_ids": [1, 9]},
        "webhook: webhook 9 was not created before this line",
    ),
    "attempts of an unknown webhook": (
        "attempted",
        {"webhook_id": 9},
        "webhook: webhook 9 was not created before this line",
    ),
    "events that did not occur": (
        "attempted",
        {"serials": [[1, BIG]]},
        f"serials: 1 to {BIG} are no events of this journal, or some of them twice",
    ),
    "an event twice in a batch": (
        "attempted",
        {"serials": [[1, 2], [2, 3]]},
        "serials: 2 to 3 are no events of this journal, or some of them twice",
    ),
    "more attempts than three days have room for": (
        "attempted",
        {"count": BIG},
        f"count: {BIG} is out of range, allowed: 1 to 10000000",
    ),
    "an unknown phase": (
        "attempted",
        {"outcome": {"type": "timed-out", "phase": "nowhere"}},
        "outcome.phase: unknown word 'nowhere' "
        "(allowed: resolve, connect, tls, certificate, send, wait, headers, body)",
    ),
    "a status that HTTP does not have": (
        "attempted",
        {"outcome": {"type": "responded", "status": 7}},
        "outcome.status: 7 is out of range, allowed: 100 to 999",
    ),
    "an unknown fault": ("attempted", {"faults": ["gremlins"]}, "faults: unknown word 'gremlins' (allowed: refused, "),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_no_run_can_have_written_is_rejected(tmp_path: Path, reason: str) -> None:
    kind, values, message = REASONS[reason]
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    numbers = [index for index, line in enumerate(lines) if line["entry"] == kind]
    number = numbers[-1 if kind == "attempted" else 0]  # earlier lines of a growing entry do not count
    lines[number] |= values
    path = tmp_path / "j"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InvalidInputError) as refused:
        load_journals(path)
    assert str(refused.value).startswith(f"{path}:{number + 1}: {message}")
    assert "\n" not in str(refused.value)


MAIL = {
    "journal": 1,
    "entry": "mail-sent",
    "at": 1_735_689_600_000,
    "client_id": 7,
    "mail_id": "AAAAAAAA-AAAAAAAA-AAAAAA",
    "mailing_id": 8,
    "recipient_list_id": 9,
    "result": "sent",
}
CHANGE = {"journal": 1, "entry": "client-changed", "at": 1_735_689_600_000, "client_id": 7} | {
    "what": "recipient",
    "command": "add",
}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([MAIL], None),
        ([CHANGE], None),
        ([MAIL, MAIL], "mail_id: the mail was sent already, allowed: a new one"),
        ([{**MAIL, "result": "lost"}], "result: unknown word 'lost'"),
        ([{**CHANGE, "what": "weather"}], "what: unknown word 'weather'"),
        ([{**CHANGE, "command": "explode"}], "command: unknown word 'explode'"),
        ([{**CHANGE, "count": -1}], "count: -1 is out of range"),
    ],
)
def test_what_clients_did_is_checked_too(tmp_path: Path, entries: list[dict[str, Any]], message: str | None) -> None:
    path = tmp_path / "j"
    recorded = RECORDED.read_text()
    path.write_text(recorded + "".join(json.dumps(entry) + "\n" for entry in entries))
    if message is None:
        load_journals(path)
        return
    with pytest.raises(InvalidInputError) as refused:
        load_journals(path)
    assert str(refused.value).startswith(f"{path}:{recorded.count(chr(10)) + len(entries)}: {message}")


CALLED: dict[str, Any] = {
    "journal": 1,
    "entry": "called",
    "at": 1_735_689_600_000,
    "client_id": 3,
    "method": "POST",
    "operation": "activateWebhook",
    "path": "/webhooks/{webhookId}/activate",
    "ids": {"webhookId": 1},
    "status": 200,
}


def with_call(folder: Path, values: dict[str, Any]) -> Path:
    path = folder / "j"
    path.write_text(RECORDED.read_text() + json.dumps(CALLED | values) + "\n")
    return path


def test_a_call_of_the_rest_api_is_read_back(tmp_path: Path) -> None:
    [journal] = load_journals(with_call(tmp_path, {}))
    called = journal.entries[-1]
    assert isinstance(called, Called)
    assert called.shown_path == "/webhooks/1/activate"
    assert json.loads(msgspec.json.encode(called)) == {name: CALLED[name] for name in CALLED if name != "journal"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"client_id": 0}, "client_id: 0 is out of range, allowed: 1 to"),
        ({"status": 600}, "status: 600 is out of range, allowed: 100 to 599"),
        ({"ids": {"webhookId": BIG * 2}}, "ids.webhookId: "),
        ({"ids": {"x": 1}}, "ids.x: is not in the path, allowed: names in braces"),
        ({"faults": ["gremlins"]}, "faults: unknown word 'gremlins' (allowed: refused, "),
        ({"at": -1}, "at: -1 is out of range"),
    ],
)
def test_a_call_that_no_server_can_have_received_is_rejected(
    tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    path = with_call(tmp_path, values)
    number = len(path.read_text().splitlines())
    with pytest.raises(InvalidInputError) as refused:
        load_journals(path)
    assert str(refused.value).startswith(f"{path}:{number}: {message}")


def test_a_recorded_journal_is_accepted() -> None:
    [journal] = load_journals(RECORDED)
    assert len(journal.entries) > 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInputError, match="a folder, a pipe or a device, allowed: a regular file"):
        load_journals(tmp_path / "pipe")


def journal_of(folder: Path, count: int, *, missing: int | None = None) -> Path:
    """A journal with so many entries of one event each, and as many attempts to deliver all of them."""
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    begin = next(index for index, line in enumerate(lines) if line["entry"] == "happened")
    happened = {**lines[begin], "events": lines[begin]["events"][:1]}
    attempted = next(line for line in reversed(lines) if line["entry"] == "attempted")
    attempt = {**attempted, "serials": [[0, count - 1]], "redelivered": []}
    written = [
        *lines[:begin],
        *({**happened, "first_serial": serial} for serial in range(count) if serial != missing),
        *[attempt] * count,
    ]
    path = folder / f"{count}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in written))
    return path


def test_the_work_grows_with_the_number_of_events_and_attempts(tmp_path: Path) -> None:
    few, many = (journal_of(tmp_path, count) for count in (100, 200))
    assert calls_of(lambda: load_journals(many)) <= 2.2 * calls_of(lambda: load_journals(few))


@pytest.mark.parametrize("missing", [0, 2, 4])
def test_an_event_between_others_that_did_not_occur_is_found(tmp_path: Path, missing: int) -> None:
    with pytest.raises(InvalidInputError, match=r"serials: 0 to 4 are no events of this journal"):
        load_journals(journal_of(tmp_path, 5, missing=missing))


def test_a_byte_order_mark_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lines = RECORDED.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"\xef\xbb\xbf" + b"\n \r\n".join(lines) + b"\n\n")
    [journal], [original] = load_journals(path), load_journals(RECORDED)
    assert journal.entries == original.entries
