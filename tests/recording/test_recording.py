"""Recording real deliveries: people become strangers, credentials stay out, and what was recorded can be replayed."""

from __future__ import annotations

import base64
import errno
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from commands import mockcampaign, written
from journals import read_journal
from mockcampaign.engine.journal import Attempted, Captured, Discarded, Entry, Happened, WebhookChanged
from mockcampaign.engine.journal_file import Heading, JournalWriter, read_journals
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import load_sample
from mockcampaign.model import BasicAuthentication, EventType, NoResponse, Outcome, Request, Responded, WebhookStatus
from mockcampaign.policy import DAY, Policy
from mockcampaign.recording.proxy import proxy_app
from mockcampaign.recording.recorder import EVERYTHING, NotRecordedError, Recorder
from mockcampaign.recording.sideline import Sideline
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.judge_journal import webhook_names
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.always_ok import AlwaysOkTransport
from mockcampaign.transport.wire import WireTransport
from old_fold import tally

NOW = 1_750_000_000_000
JSON = (("content-type", "application/json"),)
OK = Responded(200, (), b"ok", 2)


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "type": "open",
        "recipientId": f"joe{number}@acme.test",
        "remoteAddress": f"203.0.113.{number}",
        "mailId": f"3IHQ2XT8-38PY7WFQ-XKNQ{number:02}",
        "clientId": 123456789001,
        "created": NOW - 5,
        **changes,
    }


def body(*events: dict[str, Any]) -> bytes:
    return msgspec.json.encode(events)


def recorded(recorder: Recorder, kind: type[Any]) -> list[Any]:
    return [entry for entry in recorder.journal.entries if isinstance(entry, kind)]


def send(recorder: Recorder, content: bytes, outcome: Outcome = OK, *, at: int = NOW, headers: Any = JSON) -> None:
    recorder.complete(recorder.begin("/hook", headers, content, at), outcome, at + 3)


# The journal


def test_a_list_its_retries_and_its_success_are_one_story() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    content = body(event(1), event(2))
    for index in range(3):
        send(recorder, content, Responded(503), at=NOW + index * 10_000)
    send(recorder, content, at=NOW + 30_000)
    assert [(entry.first_number, entry.count, entry.serials) for entry in recorded(recorder, Attempted)] == [
        (1, 3, ((1, 2),)),
        (4, 1, ((1, 2),)),
    ]
    assert [len(entry.events) for entry in recorded(recorder, Happened)] == [2]
    account = tally(recorder.journal.entries, [1])
    assert (account.delivered, account.pending) == ([1, 2], set())


def test_a_list_that_comes_again_after_its_success_is_a_duplicate() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, body(event(1), event(1)))
    send(recorder, body(event(1)), at=NOW + 10_000)
    send(recorder, body(event(1), event(2)), at=NOW + 20_000)
    assert [(entry.serials, entry.redelivered) for entry in recorded(recorder, Attempted)] == [
        (((1, 2),), ()),
        ((), ((2, 2),)),
        (((3, 3),), ((2, 2),)),
    ]


def test_concurrent_copies_of_a_list_deliver_it_once() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    first = recorder.begin("/hook", JSON, body(event()), NOW)
    second = recorder.begin("/hook", JSON, body(event()), NOW)
    recorder.complete(first, OK, NOW + 1)
    recorder.complete(second, OK, NOW + 2)
    assert tally(recorder.journal.entries, [1]).delivered == [1]


def test_what_is_never_accepted_is_discarded_after_three_days() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, body(event(created=NOW)), Responded(500))
    send(recorder, body(event(2)), at=NOW + 3 * DAY)
    assert [(entry.serials, entry.reason) for entry in recorded(recorder, Discarded)] == [(((1, 1),), "expired")]


def test_each_path_and_type_is_a_webhook_of_its_own() -> None:
    recorder = Recorder("http://consumer/base/", now=NOW)
    send(recorder, body(event()))
    send(recorder, body(event(type="click")))
    recorder.begin("/", (), body(event(type="archived")), NOW)
    created = [entry for entry in recorded(recorder, WebhookChanged) if entry.command == "create"]
    assert [(entry.type, entry.target_url) for entry in created] == [
        ("open", "http://consumer/base/hook"),
        ("click", "http://consumer/base/hook"),
        ("archive", "http://consumer/base/"),
    ]


def test_credentials_and_people_stay_out_of_the_journal_even_where_the_consumer_repeats_them() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    token = base64.b64encode(b"acme:opensesame").decode()
    said = f"opensesame {token} joe1@acme.test 203.0.113.1 else@where.test +49 151 2345678 was not found"
    headers = (*JSON, ("authorization", f"Basic {token}"))
    for _ in range(2):
        send(recorder, body(event()), Responded(500, (("x", said),), said.encode(), len(said)), headers=headers)
    [attempted] = recorded(recorder, Attempted)
    body_parts = attempted.outcome.body.decode().split(" ", 4)
    [happened] = recorded(recorder, Happened)
    person = msgspec.json.decode(happened.events[0])
    assert body_parts[:4] == ["***", "***", person["recipientId"], person["remoteAddress"]]
    assert re.fullmatch(r"[a-z]{4}@recipient\.example \+\d\d \d{3} \d{7} was not found", body_parts[4])
    written_down = recorder.journal.to_json_lines().decode()
    assert not [
        secret
        for secret in ("opensesame", token, "acme.test", "203.0.113.1", "where.test", "151 2345678")
        if secret in written_down
    ]
    assert recorded(recorder, WebhookChanged)[0].authentication == "basicAuth"


def test_other_credentials_are_known_by_their_unusual_header() -> None:
    proxied = (*JSON, ("x-forwarded-for", "192.0.2.1"), ("via", "1.1 proxy"))
    for headers, kind in ((proxied, "none"), ((*proxied, ("x-a", "1"), ("x-key", "opensesame")), "keyAuth")):
        recorder = Recorder("http://consumer", now=NOW)
        send(recorder, body(event()), Responded(200, (), b"1 opensesame", 12), headers=headers)
        said = b"1 opensesame" if kind == "none" else b"*** ***"
        assert recorded(recorder, Attempted)[0].outcome.body == said
        assert recorded(recorder, WebhookChanged)[0].authentication == kind


def test_kept_names_keep_every_byte() -> None:
    recorder = Recorder("http://consumer", now=NOW, keep=[EVERYTHING])
    content = b'[ {"type" : "open", "recipientId":"joe@acme.test", "n": 1.50} ]'
    send(recorder, content, NoResponse("wait", "the connection was closed before a response"))
    assert [bytes(raw) for raw in recorded(recorder, Happened)[0].events] == [content[2:-2]]


def test_kept_events_of_several_lines_are_one_line_of_the_journal() -> None:
    recorder = Recorder("http://consumer", now=NOW, keep=[EVERYTHING])
    send(recorder, b'[{"type": "open",\r\n "n": 1.50}]')
    send(recorder, b'{"type":\n "open"}')
    assert [bytes(one) for one in recorded(recorder, Happened)[0].events] == [b'{"type":"open","n":1.50}']
    assert [bytes(one.body) for one in recorded(recorder, Captured)] == [b'{"type":"open"}']
    assert len(recorder.journal.to_json_lines().splitlines()) == len(recorder.journal.entries)


def test_kept_fields_stay_and_all_others_are_replaced() -> None:
    recorder = Recorder("http://consumer", now=NOW, keep=["recipientId", "who.city", "path"])
    send(recorder, body(event(who={"city": "Kiel", "name": "Jane"}, city="Kiel")))
    found = msgspec.json.decode(recorded(recorder, Happened)[0].events[0])
    assert (found["recipientId"], found["who"]["city"]) == ("joe1@acme.test", "Kiel")
    assert (found["city"] != "Kiel", found["who"]["name"] != "Jane") == (True, True)


@pytest.mark.parametrize("recipient", [-5, -(2**63), 2**63, 10**40, 0, "", "\u0000", None, [], {}, 1.5, True])
def test_any_recipient_is_recorded(recipient: Any) -> None:
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, json.dumps([event(recipientId=recipient)]).encode())
    [entry] = recorded(recorder, Happened)
    found = json.loads(bytes(entry.events[0]))["recipientId"]
    assert (type(found), len(str(found))) == (type(recipient), len(str(recipient)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"7", "the body is not a JSON list of events"),
        (b'[{"type":"open"}, 7]', "the body is not a JSON list of events"),
        (b"[]", "the batch is empty"),
        (b'[{"a":' + b"[" * 500 + b"]" * 500 + b"}]", "nested deeper than 200 levels, which is the limit"),
    ],
)
def test_what_contains_no_events_is_not_recorded(content: bytes, reason: str) -> None:
    recorder = Recorder("http://consumer", now=NOW)
    with pytest.raises(NotRecordedError, match=re.escape(reason)):
        recorder.begin("/hook", (), content, NOW)
    assert len(recorder.journal.entries) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"type": "forward", "who": "Jane"}], "the events are of unknown type 'forward'"),
        ([{"who": "Jane"}], "the events are of unknown type 'None'"),
        (
            [{"type": "open", "who": "Jane"}, {"type": "click"}],
            "the batch contains events of types click, open; a webhook carries one type",
        ),
        ({"events": [{"type": "open", "who": "Jane"}]}, "the body is an object, and no list of events"),
        ({"type": "open", "who": "Jane"}, "the body is an object, and no list of events"),
    ],
)
def test_what_no_webhook_of_a_known_type_sends_is_recorded_as_it_is(content: Any, why: str) -> None:
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, msgspec.json.encode(content), Responded(503))
    [entry] = recorded(recorder, Captured)
    assert (entry.why, entry.at, entry.took, entry.outcome) == (why, NOW, 3, Responded(503))
    text = bytes(entry.body).decode()
    assert "Jane" not in text
    renamed = re.search(r'"who":"([A-Z][a-z]{3})"', text)
    assert renamed is not None
    assert json.loads(text.replace(renamed[1], "Jane")) == content
    assert read_journal(recorder.journal.to_json_lines()) == recorder.journal.entries
    assert tally(recorder.journal.entries, []).delivered == []


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b'{"error": "Jane is unknown", "stored": 7}', r'\{"error":"[A-Z][a-z]{3} \w{2} \w{7}","stored":7\}'),
        (b'{"error": "Jane is unkn', r'\{"[a-z]{5}": "[A-Z][a-z]{3} \w{2} \w{4}'),
        (b"Jane is unknown", r"[A-Z][a-z]{3} is unknown"),
        (b"\xff Jane", r"\ufffd [A-Z][a-z]{3}"),
    ],
)
def test_responses_name_nobody(content: bytes, seen: str) -> None:
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, body(event(name="Jane")), Responded(400, (("x-user", "Jane"),), content, len(content)))
    outcome = recorded(recorder, Attempted)[0].outcome
    assert re.fullmatch(seen, outcome.body.decode())
    assert "Jane" not in recorder.journal.to_json_lines().decode()


def test_a_long_response_is_replaced_word_by_word() -> None:
    content = json.dumps({"seen": ["Jane Doe"] * 10_000}).encode()
    recorder = Recorder("http://consumer", now=NOW)
    send(recorder, body(event()), Responded(400, (), content, len(content)))
    outcome = recorded(recorder, Attempted)[0].outcome
    assert (len(outcome.body), outcome.body_bytes) == (Policy().response_body_bytes_kept, len(content))
    assert b"Jane" not in outcome.body


def test_an_access_token_of_a_proxy_never_reaches_the_journal() -> None:
    recorder = Recorder("http://consumer", now=NOW)
    headers = (*JSON, ("X-Forwarded-Access-Token", "opensesame"), ("X-Forwarded-For", "192.0.2.1"))
    send(recorder, body(event()), Responded(400, (), b"token opensesame", 16), headers=headers)
    assert recorded(recorder, Attempted)[0].outcome.body == b"token ***"
    assert b"opensesame" not in recorder.journal.to_json_lines()


def test_the_path_of_a_webhook_names_nobody() -> None:
    recorder = Recorder("http://consumer/jane", now=NOW)
    recorder.begin("/webhooks/v1/jane.doe%40acme.test", (), body(event()), NOW)
    target = recorded(recorder, WebhookChanged)[0].target_url
    assert re.fullmatch(r"http://consumer/jane/webhooks/v1/[a-z]{4}\.[a-z]{3}%40recipient\.example", target)


# The proxy


class FullDisk(io.BytesIO):
    """A file on a disk that gets full."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any, /) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@contextmanager
def proxied(file: io.BytesIO, said: list[str], recorder: Recorder | None = None) -> Iterator[tuple[str, Recorder]]:
    """Serve a proxy in front of a sample consumer, whose journal goes into the file."""
    with serve_in_thread(consumer_app()) as consumer:
        recorder = recorder or Recorder(consumer, now=NOW)
        follower = JournalWriter(file, lambda: 0.0).follow(recorder.journal, Heading(name="r", target=consumer))
        sideline = Sideline(recorder, said.append)
        transport = WireTransport()
        app = proxy_app(consumer, transport=transport, sideline=sideline, now=lambda: NOW, timeout=10_000)

        @asynccontextmanager
        async def closing(_: object) -> AsyncIterator[None]:
            yield
            await transport.aclose()

        app.router.lifespan_context = closing
        try:
            with serve_in_thread(app) as url:
                yield url, recorder
        finally:
            sideline.close()
            with suppress(OSError):
                follower.close()


def test_a_full_disk_is_said_once_and_every_request_is_forwarded() -> None:
    said: list[str] = []
    with proxied(FullDisk(room=1_000), said) as (url, _):
        for number in range(9):
            assert requests.post(f"{url}/hook", data=body(event(number)), timeout=10).status_code == 200
        assert len(requests.get(f"{url}/processed", timeout=10).json()) == 9
    assert said == ["nothing more is recorded: the journal cannot be written: No space left on device"]


def test_an_error_of_ours_is_said_once_without_what_was_sent_and_every_request_is_forwarded() -> None:
    class Broken(Recorder):
        def begin(self, *arguments: Any) -> Any:
            raise ValueError("joe1@acme.test")

    said: list[str] = []
    with proxied(io.BytesIO(), said, Broken("http://consumer", now=NOW)) as (url, recorder):
        for number in range(3):
            assert requests.post(f"{url}/hook", data=body(event(number)), timeout=10).status_code == 200
        assert len(requests.get(f"{url}/processed", timeout=10).json()) == 3
    assert said == ["a POST request is not recorded: this is a bug of mockcampaign (ValueError)"]
    assert recorder.attempts == 0


def test_a_request_and_its_response_do_not_wait_for_the_recording() -> None:
    released = threading.Event()

    class Waiting(Recorder):
        def begin(self, *arguments: Any) -> Any:
            assert released.wait(30)
            return super().begin(*arguments)

    said: list[str] = []
    with proxied(io.BytesIO(), said, Waiting("http://consumer", now=NOW)) as (url, recorder):
        for number in range(3):
            assert requests.post(f"{url}/hook", data=body(event(number)), timeout=10).status_code == 200
        assert recorder.attempts == 0
        released.set()
    assert (recorder.attempts, recorder.events, said) == (3, 3, [])


def test_a_request_that_cannot_be_sent_is_a_bad_gateway_and_recorded() -> None:
    class Rejecting(AlwaysOkTransport):
        async def send(self, request: Request) -> Outcome:
            raise InvalidInputError("the header contains joe1@acme.test")

    said: list[str] = []
    recorder = Recorder("http://consumer", now=NOW)
    sideline = Sideline(recorder, said.append)
    app = proxy_app("http://consumer", transport=Rejecting(), sideline=sideline, now=lambda: NOW, timeout=10_000)
    with serve_in_thread(app) as url:
        response = requests.post(f"{url}/hook", data=body(event()), timeout=10)
    sideline.close()
    assert (response.status_code, response.text) == (
        502,
        "mockcampaign record: the request cannot be sent to any consumer",
    )
    assert recorded(recorder, Attempted)[0].outcome == NoResponse("send", "the request cannot be sent to any consumer")
    assert said == []


def test_too_much_that_waits_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.recording.sideline.PENDING_BYTES_MAX", 10)
    said: list[str] = []
    sideline = Sideline(Recorder("http://consumer", now=NOW), said.append)
    assert sideline.begin("/hook", (), b"x" * 11, NOW) is None
    assert sideline.begin("/hook", (), b"x" * 10, NOW) is not None
    sideline.close()
    assert said == [
        "requests are not recorded: too many wait for that already",
        "a POST request is not recorded: the body is not JSON",
    ]


def test_unrecorded_and_captured_requests_are_said_once_each_and_forwarded() -> None:
    said: list[str] = []
    with proxied(io.BytesIO(), said) as (url, recorder):
        for content in (b"[]", b"[]", b'{"type":"open"}', b'{"type":"open"}', b'[{"type":"jane doe"}]'):
            requests.post(f"{url}/hook", data=content, timeout=10)
    assert said[:2] == [
        "a POST request is not recorded: the batch is empty",
        "a POST request is recorded as it is, and replayed by nothing: the body is an object, and no list of events",
    ]
    assert re.fullmatch(r".*: the events are of unknown type '[a-z]{4} [a-z]{3}'", said[2])
    assert "jane" not in said[2]
    assert len(recorded(recorder, Captured)) == 3


# The commands

ALL_READABLE = """everything, persons included, stays readable in r.jsonl
a POST request is not recorded: the batch is empty"""


@contextmanager
def recording(folder: Path, consumer: str, *arguments: str, said: str = "") -> Iterator[str]:
    """Run `mockcampaign record` in front of a consumer, writing `r.jsonl`; it has to say `said`."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "mockcampaign", "record", "--forward", consumer),
            *("--port", "0", "--journal", "r.jsonl", *arguments),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.splitlines() == [f"mockcampaign: {line}" for line in said.splitlines()]
    assert out.splitlines()[-1].startswith("recorded ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_what_was_recorded_is_judged_replayed_and_made_a_sample(tmp_path: Path) -> None:
    written(tmp_path, ("count: 3", "count: 250, over: 1h"), ("{delivered: 3}", "{delivered: 250}"))
    credentials = BasicAuthentication("acme", "geheim!")
    with (
        serve_in_thread(consumer_app(basic_authentication=credentials)) as url,
        recording(tmp_path, url, "--keep", said=ALL_READABLE) as before,
    ):
        assert requests.post(f"{before}/other", data=b"[]", timeout=10).status_code == 404
        run = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=before)
        processed = requests.get(f"{url}/processed", timeout=10).json()
    assert (run.returncode, run.stderr) == (0, "")
    [journal] = read_journals((tmp_path / "r.jsonl").read_bytes(), "r")
    assert "geheim!" not in (tmp_path / "r.jsonl").read_text()
    assert events_of(journal.entries) == processed
    assert len(processed) == 250

    judged = mockcampaign("judge", "r.jsonl", folder=tmp_path)
    assert (judged.returncode, judged.stderr) == (0, "")

    with serve_in_thread(consumer_app(basic_authentication=credentials)) as url:
        arguments = (
            "--target",
            f"{url}/hook",
            "--basic-auth",
            "acme:geheim!",
            "--report-json",
            "r.json",
            "--full-journal",
        )
        replayed = mockcampaign("replay", "r.jsonl", *arguments, folder=tmp_path)
        again = requests.get(f"{url}/processed", timeout=10).json()
    assert (replayed.returncode, replayed.stderr) == (0, "")
    assert again == processed

    sample = load_sample(tmp_path / "r.jsonl")
    assert (sample.event_type, len(sample.shape.examples)) == ("open", 250)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_recorded_people_are_strangers_unless_they_are_kept(tmp_path: Path) -> None:
    written(tmp_path)
    with serve_in_thread(consumer_app()) as url, recording(tmp_path, url) as before:
        assert mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=before).returncode == 0
        processed = requests.get(f"{url}/processed", timeout=10).json()
    [journal] = read_journals((tmp_path / "r.jsonl").read_bytes(), "r")
    strangers = events_of(journal.entries)
    people = ("recipientId", "remoteAddress", "mailId", "subscriptionId")
    for one, other in zip(processed, strangers, strict=True):
        assert {**one, **dict.fromkeys(people)} == {**other, **dict.fromkeys(people)}
        assert all(one[name] != other[name] for name in people)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_it_records_over_https_with_a_ca_of_its_own_or_a_given_certificate(tmp_path: Path) -> None:
    with serve_in_thread(consumer_app()) as url:
        with recording(tmp_path, url, "--tls", "--tls-ca-file", "ca.pem", "--tls-name", "hooks.test") as before:
            assert before.startswith("https://127.0.0.1:")
            post = functools.partial(requests.post, data=body(event()), timeout=10)
            assert post(f"{before}/hook", verify=str(tmp_path / "ca.pem")).status_code == 200
        [journal] = read_journals((tmp_path / "r.jsonl").read_bytes(), "r")
        assert len(events_of(journal.entries)) == 1
        for option, said in {
            ("--tls-key", "r.jsonl"): "--tls-certificate: missing, allowed: both",
            ("--tls", "--tls-name", "not a name"): "--tls-name: no certificate can be made for it: ",
            ("--tls", "--tls-ca-file", "nowhere/ca.pem"): "--tls-ca-file ",
        }.items():
            done = mockcampaign("record", "--forward", url, "--journal", "new.jsonl", *option, folder=tmp_path)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(f"mockcampaign: {said}")
            assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_what_stays_readable_is_said_on_the_terminal_and_in_the_journal(tmp_path: Path) -> None:
    written(tmp_path)
    keep = ("--keep", "recipientId", "--keep", "who.city")
    with serve_in_thread(consumer_app()) as url:
        with recording(tmp_path, url, *keep, said="recipientId, who.city stays readable in r.jsonl") as before:
            assert mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=before).returncode == 0
        processed = requests.get(f"{url}/processed", timeout=10).json()
    [journal] = read_journals((tmp_path / "r.jsonl").read_bytes(), "r")
    assert journal.heading.name == f"recorded in front of {url}, with recipientId, who.city as it is"
    found = events_of(journal.entries)
    assert [one["recipientId"] for one in found] == [one["recipientId"] for one in processed]
    assert all(one["mailId"] != other["mailId"] for one, other in zip(found, processed, strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_a_journal_with_batches_of_unknown_types_is_judged_and_replayed_without_them(tmp_path: Path) -> None:
    unknown = "a POST request is recorded as it is, and replayed by nothing: the events are of unknown type 'forward'"
    with serve_in_thread(consumer_app()) as url:
        with recording(tmp_path, url, said=unknown) as before:
            for batch in (body(event()), body({"type": "forward"}), body(event(2))):
                assert requests.post(f"{before}/hook", data=batch, timeout=10).status_code == 200
        judged = mockcampaign("judge", "r.jsonl", "-v", folder=tmp_path)
        replayed = mockcampaign("replay", "r.jsonl", folder=tmp_path)
        stored = requests.get(f"{url}/processed", timeout=10).json()
    assert (judged.returncode, replayed.returncode, judged.stderr, replayed.stderr) == (0, 0, "", "")
    assert "recorded as it is: the events are of unknown type 'forward'" in judged.stdout
    assert [one["type"] for one in stored] == ["open", "forward", "open", "open", "open"]
    assert len(load_sample(tmp_path / "r.jsonl").shape.examples) == 2


def test_a_journal_with_an_outage_and_faults_happens_again_at_the_same_moments(tmp_path: Path) -> None:
    steps = "  - outage: {for: 2h, kind: refused}\n  - fault: {kind: lost-ack, times: 1}\n  - run: until-idle\n"
    written(tmp_path, ("  - run: until-idle\n", steps))
    with serve_in_thread(consumer_app()) as url:
        run = mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    with serve_in_thread(consumer_app()) as url:
        arguments = ("--target", f"{url}/hook", "--report-json", "r.json", "--full-journal")
        replayed = mockcampaign("replay", "j.jsonl", *arguments, folder=tmp_path)
    assert (run.returncode, replayed.returncode, replayed.stderr) == (0, 0, "")
    [journal] = read_journals((tmp_path / "j.jsonl").read_bytes(), "j")
    report = msgspec.json.decode((tmp_path / "r.json").read_bytes())
    entries = msgspec.convert(report["scenarios"][0]["journal"], list[dict[str, Any]])
    kept = ("attempted", "happened", "outage-declared", "fault-declared")
    known = [msgspec.json.decode(msgspec.json.encode(entry)) for entry in journal.entries]
    for told in (entries, known):
        outcomes = [one["outcome"] for one in told if one["entry"] == "attempted"]
        assert [outcome.pop("measured", {}).keys() > {"bytes_sent"} for outcome in outcomes] == [False, True, True]
    assert [one for one in entries if one["entry"] in kept] == [one for one in known if one["entry"] in kept]


def test_recorded_events_are_a_step_of_a_scenario_with_a_time_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, ("count: 3", "count: 3, over: 1h"))
    with serve_in_thread(consumer_app()) as url:
        mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    step = ("emit: {type: open, count: 3}", "advance: 2d\n  - replay: {journal: j.jsonl}")
    written(tmp_path, step)
    with serve_in_thread(consumer_app()) as url:
        done = mockcampaign("run", ".", "--journal", "again.jsonl", folder=tmp_path, CONSUMER_URL=url)
    assert (done.returncode, done.stderr) == (0, "")
    journals = [read_journals((tmp_path / name).read_bytes(), name)[0].entries for name in ("j.jsonl", "again.jsonl")]
    before, after = ([entry for entry in entries if isinstance(entry, Happened)] for entries in journals)
    assert [entry.at - 2 * DAY for entry in after] == [entry.at for entry in before]
    moved = [{**event, "created": event["created"] - 2 * DAY} for event in events_of(list(after))]
    assert moved == events_of(list(before))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "j.jsonl: cannot be read: No such file or directory"),
        ("{}\n", "j.jsonl:1: not a line of a journal"),
    ],
)
def test_a_step_with_no_journal_is_refused_with_its_place(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "j.jsonl").write_text(content)
    written(tmp_path, ("emit: {type: open, count: 3}", "replay: {journal: j.jsonl}"))
    done = mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL="http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr == f"mockcampaign: three.scenario.yaml:10:23: {message}\n"


def test_a_replay_before_a_consumer_that_takes_nothing_shows_nothing(tmp_path: Path) -> None:
    written(tmp_path, ("seed: 5\n", "seed: 5\npolicy: {event_age_max: 1m}\n"))
    with serve_in_thread(consumer_app()) as url:
        mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    with serve_in_thread(consumer_app("always-responds-503")) as url:
        done = mockcampaign("replay", "j.jsonl", "--target", f"{url}/hook", folder=tmp_path)
    assert done.returncode == 3
    title, where, trouble, *timeline = done.stdout.splitlines()
    assert title == "inconclusive  replay of three opens"
    assert where.startswith(f"  {url}/hook, seed 5, ")
    said = "nothing was delivered, so the run shows nothing: the consumer responded 503, in all 6 attempts"
    assert trouble == f"  inconclusive: {said}"
    assert any("  open  create → created" in line for line in timeline)


def test_a_check_leaves_a_journal_for_each_rule_that_can_be_judged_and_replayed(tmp_path: Path) -> None:
    rules = ("responds-200", "stores-repeat-engagement")
    with serve_in_thread(consumer_app("dedup-key-mail-id")) as url:
        arguments = ("--probe", f"{url}/processed", "--rules", ",".join(rules), "--journal", "c.jsonl")
        checked = mockcampaign(
            "check", f"{url}/hook", *arguments, "--report-json", "r.json", "--full-journal", folder=tmp_path
        )
        replayed = mockcampaign("replay", "c.jsonl", folder=tmp_path)
    assert (checked.returncode, replayed.returncode, replayed.stderr) == (1, 0, "")
    journals = read_journals((tmp_path / "c.jsonl").read_bytes(), "c.jsonl")
    assert [(one.heading.name, one.heading.target) for one in journals] == [(rule, f"{url}/hook") for rule in rules]
    report = msgspec.json.decode((tmp_path / "r.json").read_bytes())
    written_down = [msgspec.json.decode(msgspec.json.encode(one.entries)) for one in journals]
    assert written_down == [scenario["journal"] for scenario in report["scenarios"]]
    assert all(f"replay of {rule}" in replayed.stdout for rule in rules)
    judged = mockcampaign("judge", "c.jsonl", "-q", folder=tmp_path)
    assert (judged.returncode, judged.stdout) == (
        0,
        "compliant  responds-200\ncompliant  stores-repeat-engagement\n2 of 2 scenarios passed\n",
    )


@pytest.mark.parametrize("target", [(), ("--target", "http://127.0.0.1:9/other")])
def test_a_replay_can_wait_for_its_consumer(tmp_path: Path, target: tuple[str, ...]) -> None:
    written(tmp_path)
    with serve_in_thread(consumer_app()) as url:
        mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    where = target[1] if target else f"{url}/hook"
    done = mockcampaign("replay", "j.jsonl", *target, "--wait-for-consumer", "200ms", folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"mockcampaign: consumer {where}: not reachable within 200ms\n"


def test_a_replay_without_credentials_says_where_they_belong(tmp_path: Path) -> None:
    written(tmp_path, ("seed: 5\n", "seed: 5\npolicy: {event_age_max: 2m}\n"))
    with serve_in_thread(consumer_app()) as url:
        mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as url:
        arguments = ("replay", "j.jsonl", "--target", f"{url}/hook")
        stopped, whole = [mockcampaign(*arguments, *more, folder=tmp_path) for more in ((), ("--despite-rejections",))]
    assert (stopped.returncode, whole.returncode) == (3, 3)
    assert "the replay stopped after 10 attempts" in stopped.stdout
    assert "give them (--basic-auth-file or --key-auth-file: a journal contains no credentials)" in stopped.stdout
    assert (
        "the consumer responded 401, in all 12 attempts; a journal contains no credentials: give them with "
        "--basic-auth-file or --key-auth-file\n"
    ) in whole.stdout


def test_webhooks_without_a_scenario_are_called_by_their_types() -> None:
    changes = [
        WebhookChanged(
            at=NOW,
            webhook_id=number,
            command="create",
            client_id=1,
            type=EventType(kind),
            status=WebhookStatus.CREATED,
            target_url="http://x",
            authentication="none",
        )
        for number, kind in enumerate(["open", "click", "open"], 1)
    ]
    assert webhook_names(None, changes) == {"open 1": 1, "click": 2, "open 3": 3}


def events_of(entries: list[Entry]) -> list[Any]:
    return [msgspec.json.decode(raw) for entry in entries if isinstance(entry, Happened) for raw in entry.events]


def test_where_to_record_from_is_checked_first(tmp_path: Path) -> None:
    for forward, message in {
        "ftp://x": "mockcampaign: ",
        "http://x/?token=1": "mockcampaign: --forward: 'http://x/?token=1' has a query or a fragment, allowed: ",
    }.items():
        done = mockcampaign("record", "--forward", forward, "--journal", os.devnull, folder=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(message)
        assert "Traceback" not in done.stderr


def test_what_was_recorded_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("of last week")
    done = mockcampaign("record", "--forward", "http://127.0.0.1:1", "--journal", "r.jsonl", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mockcampaign: --journal r.jsonl: exists already, allowed: the name of a new file\n"
    assert (tmp_path / "r.jsonl").read_text() == "of last week"
