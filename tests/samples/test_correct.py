"""The sample consumer without a bug is correct, as seen from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from called import RIGHT, WRONG, CalledConsumer, event, some_events
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.consumer import consumer_app
from places import ROOT

GUIDE = json.loads((ROOT / "fixtures/events/opens-guide.json").read_text())
GARBAGE = [
    b"",
    b"{}",
    b"null",
    b"[1]",
    b"[[]]",
    b'[{"type":"open"}',
    b'[{"type":"open"}] []',
    b'[{"type":"\xff"}]',
    b"[" * 100_000,
    b'[{"type":' + b"[" * 50_000 + b"]" * 50_000 + b"}]",
    b"type=open&created=1",
]


def test_an_unknown_bug_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInputError) as refused:
        consumer_app("dedup-key-mailid")
    assert str(refused.value) == (
        "unknown bug 'dedup-key-mailid', did you mean 'dedup-key-mail-id' or 'dedup-key-mail-id-type' or "
        "'dedup-key-mail-id-second'? (allowed: those that 'mockcampaign consumer --list' lists)"
    )
    with pytest.raises(InvalidInputError, match=r"^unknown bug '' \(allowed: those that "):
        consumer_app("")


def test_a_batch_is_acknowledged_and_stored_field_by_field() -> None:
    consumer = CalledConsumer()
    sent = [
        event(1, recipientId="0042", createdBy=None, ünlisted=[{"ids": [2**63, -1, 0.5]}]),
        event(2, browser="Ωmega\u0000\U0001f600"),
        {},
    ]
    assert consumer.send(body=json.dumps(sent).encode()).body == b'{"received":3}'
    assert consumer.processed == sent


def test_nothing_is_stored_at_first_and_by_an_empty_batch() -> None:
    consumer = CalledConsumer()
    assert consumer.processed == []
    assert (consumer.post(), consumer.processed) == (200, [])


def test_two_consumers_share_nothing() -> None:
    one, other = CalledConsumer(), CalledConsumer()
    one.post(event())
    assert (len(one.processed), other.processed) == (1, [])


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:30]))
def test_anything_but_a_list_of_events_gets_400_and_stores_nothing(body: bytes) -> None:
    consumer = CalledConsumer()
    answer = consumer.send(body=body)
    assert (answer.status, answer.body) == (400, b'{"error":"not a JSON list of events"}')
    assert consumer.processed == []
    assert consumer.post(event()) == 200


def test_a_truncated_request_does_no_harm_and_stores_nothing() -> None:
    consumer = CalledConsumer(basic_authentication=None)
    scope = {"type": "http", "method": "POST", "path": "/hook", "query_string": b"", "headers": []}
    coming = iter([{"type": "http.request", "body": b"[{}", "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(consumer.app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert consumer.processed == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/hook"), ("PUT", "/hook"), ("POST", "/processed")])
def test_other_methods_are_rejected(method: str, path: str) -> None:
    consumer = CalledConsumer()
    assert consumer.send(method, path, json.dumps([event()]).encode()).status == 405
    assert consumer.processed == []


def test_valid_credentials_are_accepted_however_the_scheme_is_spelled() -> None:
    [(name, value)] = RIGHT
    for header in [(name, value), (name, value.replace("Basic", "bASIC"))]:
        consumer = CalledConsumer()
        assert (consumer.post(event(), headers=[header]), len(consumer.processed)) == (200, 1)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        WRONG,
        BasicAuthentication("acm", "päss:wörd").headers(),
        BasicAuthentication("acme", "päss:wörd ").headers(),
        BasicAuthentication("acme:päss", "wörd ").headers(),
        BasicAuthentication("", "").headers(),
        [("Authorization", "")],
        [("Authorization", "Basic")],
        [("Authorization", "Basic !!!")],
        [("Authorization", "Basic YWNtZQ")],
        [("Authorization", "Basic \xe4\xf6")],
        [("Authorization", RIGHT[0][1].replace("Basic", "Bearer"))],
        [("Authorization", f"{RIGHT[0][1]}!")],
        [("X-Authorization", RIGHT[0][1])],
    ],
)
def test_other_credentials_get_401_and_store_nothing(headers: Sequence[tuple[str, str]]) -> None:
    consumer = CalledConsumer()
    answer = consumer.send(body=json.dumps([event()]).encode(), headers=headers)
    assert (answer.status, dict(answer.headers)["www-authenticate"]) == (401, 'Basic realm="webhooks"')
    assert consumer.processed == []


def test_without_credentials_it_accepts_batches_from_anyone() -> None:
    consumer = CalledConsumer(basic_authentication=None)
    assert [consumer.post(event(), headers=headers) for headers in ((), RIGHT, WRONG)] == [200, 200, 200]


def test_a_redelivered_batch_is_stored_once() -> None:
    consumer = CalledConsumer()
    for _ in range(3):
        assert consumer.post(*some_events(3)) == 200
    assert consumer.processed == some_events(3)


def test_events_redelivered_in_a_shorter_or_longer_batch_are_stored_once() -> None:
    consumer = CalledConsumer()
    for part in (some_events(4)[:3], some_events(4)[1:3], some_events(4)[1:]):
        assert consumer.post(*part) == 200
    assert consumer.processed == some_events(4)


def test_events_that_differ_in_one_field_are_stored_both() -> None:
    consumer = CalledConsumer()
    whole = event(1, linkId=1)
    others = [whole | {name: value} for name, value in (("linkId", "1"), ("linkId", None), ("created", 1), ("x", None))]
    consumer.post(whole, *others)
    assert consumer.processed == [whole, *others]


def test_the_order_of_fields_does_not_matter() -> None:
    consumer = CalledConsumer()
    consumer.post(event())
    consumer.post(dict(reversed(event().items())))
    assert consumer.processed == [event()]


def test_the_identical_events_of_the_guides_batch_are_stored_both_however_often_it_arrives() -> None:
    assert GUIDE[0] == GUIDE[1]
    consumer = CalledConsumer()
    for _ in range(2):
        assert consumer.post(*GUIDE) == 200
    assert consumer.processed == GUIDE


@given(sent=st.lists(st.integers(0, 3), max_size=8), times=st.integers(1, 3))
def test_every_batch_is_stored_once_with_all_its_identical_events(sent: list[int], times: int) -> None:
    consumer = CalledConsumer()
    for _ in range(times):
        assert consumer.post(*map(event, sent)) == 200
    assert consumer.processed == [event(number) for number in sent]


def test_a_store_has_after_a_restart_what_was_acknowledged_and_no_partial_batch(tmp_path: Path) -> None:
    path = tmp_path / "events"
    for number in range(3):
        consumer = CalledConsumer(store=path)
        assert consumer.post(event(number), event(number), event(0)) == 200
    assert consumer.processed == [event(0), event(0), event(0), event(1), event(1), event(2), event(2)]
    whole = path.read_bytes()
    for cut in (1, 10, 100):
        path.write_bytes(whole[:-cut])
        consumer = CalledConsumer(store=path)
        assert consumer.post(event(2), event(2)) == 200
        assert consumer.processed == [event(0), event(0), event(0), event(1), event(1), event(2), event(2)]
        assert path.read_bytes() == whole


def test_a_file_that_is_no_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear all,\n")
    with pytest.raises(InvalidInputError, match=r"^store .*letter: not written by a sample consumer, allowed: a new"):
        consumer_app(store=tmp_path / "letter")
    with pytest.raises(InvalidInputError, match=r"allowed: a file that can be written$"):
        consumer_app(store=tmp_path)
