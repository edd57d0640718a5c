"""Recording real deliveries: people become strangers, credentials stay out, and what was recorded can be replayed."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from commands import mockcampaign, written
from mockcampaign.engine.journal import Attempted, Discarded, Entry, Happened, WebhookChanged
from mockcampaign.engine.journal_file import read_journals
from mockcampaign.events import load_sample
from mockcampaign.model import BasicAuthentication, EventType, NoResponse, Outcome, Responded, WebhookStatus
from mockcampaign.policy import DAY
from mockcampaign.recording.pseudonyms import Pseudonyms
from mockcampaign.recording.recorder import NotRecordedError, Recorder
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.judge_journal import webhook_names
from mockcampaign.serving import serve_in_thread
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


# Pseudonyms


def test_the_same_person_is_the_same_stranger_everywhere() -> None:
    names = Pseudonyms()
    first, _ = names.event(event(linkUrl="https://shop.test/?who=joe1@acme.test&ip=203.0.113.1"))
    second, _ = names.event(event(2, note="joe1@acme.test again"))
    assert first["recipientId"] == "r1@recipient.example"
    assert first["remoteAddress"] == "10.0.0.1"
    assert first["linkUrl"] == "https://shop.test/?who=r1@recipient.example&ip=10.0.0.1"
    assert (second["recipientId"], second["remoteAddress"]) == ("r2@recipient.example", "10.0.0.2")
    assert second["note"] == "r1@recipient.example again"
    assert first["mailId"] == event()["mailId"]


@pytest.mark.parametrize(
    ("recipient", "shape"),
    [("123456789005", r"1\d{11}"), ("7", "11"), ("A-4711", r"recipient-1"), (4711, "1001"), ("", ""), (None, "None")],
)
def test_recipient_ids_keep_their_kind(recipient: Any, shape: str) -> None:
    changed, _ = Pseudonyms().event(event(recipientId=recipient))
    assert re.fullmatch(shape, str(changed["recipientId"]))
    assert type(changed["recipientId"]) is type(recipient)


def test_addresses_of_nobody_stay_and_others_keep_their_version() -> None:
    names = Pseudonyms()
    for address, wanted in {"0.0.0.0": "0.0.0.0", "::1": "::1", "2a00::1": "2001:db8::1", "no": "no"}.items():
        assert names.event(event(remoteAddress=address))[0]["remoteAddress"] == wanted


@given(st.lists(st.integers(0, 10**12).map(str), max_size=50))
def test_different_people_are_different_strangers(recipients: list[str]) -> None:
    names = Pseudonyms()
    given_out = {one: names.event(event(recipientId=one))[0]["recipientId"] for one in recipients}
    assert len(set(given_out.values())) == len(given_out)


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
    said = f"opensesame {token} joe1@acme.test 203.0.113.1 else@where.test"
    headers = (*JSON, ("authorization", f"Basic {token}"))
    for _ in range(2):
        send(recorder, body(event()), Responded(500, (("x", said),), said.encode(), len(said)), headers=headers)
    [attempted] = recorded(recorder, Attempted)
    assert attempted.outcome.body == b"*** *** r1@recipient.example 10.0.0.1 r2@recipient.example"
    written_down = recorder.journal.to_json_lines().decode()
    assert not [secret for secret in ("opensesame", token, "acme.test", "203.0.113") if secret in written_down]
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
    recorder = Recorder("http://consumer", now=NOW, keep=True)
    content = b'[ {"type" : "open", "recipientId":"joe@acme.test", "n": 1.50} ]'
    send(recorder, content, NoResponse("wait", "the connection was closed before a response"))
    assert [bytes(raw) for raw in recorded(recorder, Happened)[0].events] == [content[2:-2]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the body is not a JSON list of events"),
        (b'{"type":"open"}', "the body is not a JSON list of events"),
        (b"\xff", "the body is not a JSON list of events"),
        (b"[]", "the batch is empty"),
        (b'[{"type":"dance"}]', "the events are of unknown type 'dance'"),
        (
            b'[{"type":"open"},{"type":"click"}]',
            "the batch contains events of types click, open; a webhook carries one type",
        ),
    ],
)
def test_what_is_no_list_of_events_is_not_recorded(content: bytes, reason: str) -> None:
    recorder = Recorder("http://consumer", now=NOW)
    with pytest.raises(NotRecordedError, match=re.escape(reason)):
        recorder.begin("/hook", (), content, NOW)
    assert len(recorder.journal.entries) == 1


# The commands


@contextmanager
def recording(folder: Path, consumer: str, *arguments: str) -> Iterator[str]:
    """`mockcampaign record` in front of a consumer, writing `r.jsonl`."""
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
    assert (process.returncode, err.replace("POST '/other' is not recorded: the batch is empty", "")) in [
        (0, ""),
        (0, "mockcampaign: \n"),
    ]
    assert out.startswith("recorded ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_what_was_recorded_is_judged_replayed_and_made_a_sample(tmp_path: Path) -> None:
    written(tmp_path, ("count: 3", "count: 250, over: 1h"), ("{delivered: 3}", "{delivered: 250}"))
    credentials = BasicAuthentication("acme", "geheim!")
    with (
        serve_in_thread(consumer_app(basic_authentication=credentials)) as url,
        recording(tmp_path, url, "--keep") as before,
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
    assert (sample.event_type, len(sample.events)) == ("open", 250)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to another process")
def test_recorded_people_are_strangers_unless_they_are_kept(tmp_path: Path) -> None:
    written(tmp_path)
    with serve_in_thread(consumer_app()) as url, recording(tmp_path, url) as before:
        assert mockcampaign("run", ".", folder=tmp_path, CONSUMER_URL=before).returncode == 0
        processed = requests.get(f"{url}/processed", timeout=10).json()
    [journal] = read_journals((tmp_path / "r.jsonl").read_bytes(), "r")
    strangers = events_of(journal.entries)
    people = ("recipientId", "remoteAddress")
    for one, other in zip(processed, strangers, strict=True):
        assert {**one, **dict.fromkeys(people)} == {**other, **dict.fromkeys(people)}
        assert all(one[name] != other[name] for name in people)


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
    written(tmp_path, ("seed: 5\n", "seed: 5\npolicy: {event_age_max: 1m}\n"))
    with serve_in_thread(consumer_app()) as url:
        mockcampaign("run", ".", "--journal", "j.jsonl", folder=tmp_path, CONSUMER_URL=url)
    with serve_in_thread(consumer_app(basic_authentication=BasicAuthentication("acme", "geheim!"))) as url:
        done = mockcampaign("replay", "j.jsonl", "--target", f"{url}/hook", folder=tmp_path)
    assert done.returncode == 3
    assert (
        "the consumer responded 401, in all 6 attempts; a journal contains no credentials: give them with "
        "--basic-auth-file or --key-auth-file\n"
    ) in done.stdout


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
