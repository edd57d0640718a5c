"""The sample consumer: right as it stands, and with each bug wrong in that one way, as seen from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication, Request, Responded
from mockcampaign.samples.consumer import BUGS, consumer_app
from mockcampaign.transport.inprocess import AsgiTransport

CREDENTIALS = BasicAuthentication("acme", "päss:wörd")
RIGHT = CREDENTIALS.headers()
WRONG = BasicAuthentication("acme", "päss:wörd ").headers()
GUIDE = json.loads((Path(__file__).parent.parent / "fixtures/events/opens-guide.json").read_text())

Event = dict[str, Any]


class Consumer:
    """A sample consumer, called as over HTTP."""

    def __init__(
        self, bug: str | None = None, *, basic_authentication: BasicAuthentication | None = CREDENTIALS
    ) -> None:
        self._app = consumer_app(bug, basic_authentication=basic_authentication)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = RIGHT
    ) -> Responded:
        async def exchange() -> Any:
            transport = AsgiTransport(self._app)
            try:
                return await transport.send(
                    Request(
                        method=method,
                        url=f"http://consumer.test{path}",
                        headers=tuple(headers),
                        body=body,
                        timeout=10_000,
                        response_body_bytes_kept=1_000_000,
                    )
                )
            finally:
                await transport.aclose()

        outcome = asyncio.run(exchange())
        assert isinstance(outcome, Responded)
        assert outcome.body != b"Internal Server Error", "it fell over"
        return outcome

    def post(self, *events: Event, headers: Sequence[tuple[str, str]] = RIGHT) -> int:
        """The status that a list is answered with."""
        return self.request("POST", "/hook", json.dumps(events).encode(), headers).status

    @property
    def processed(self) -> list[Event]:
        """Its own account, which needs no credentials."""
        answer = self.request("GET", "/processed", headers=())
        assert answer.status == 200
        assert dict(answer.headers)["content-type"] == "application/json"
        events: list[Event] = json.loads(answer.body)
        return events


def event(number: int = 0, **changes: Any) -> Event:
    """An event that shares no field but its type with one of another number."""
    return {"type": "open", "recipientId": f"{number}", "mailId": f"M{number}", "created": 1_000 + number} | changes


def some_events(count: int) -> list[Event]:
    return [event(number) for number in range(count)]


def seen(*lists: Sequence[Event]) -> Callable[[Consumer], Any]:
    """Statuses of lists posted one after another, and the numbers of the events processed, in order."""

    def observe(consumer: Consumer) -> Any:
        statuses = [consumer.post(*events) for events in lists]
        return statuses, [int(processed["recipientId"]) for processed in consumer.processed]

    return observe


def seen_with(headers: Sequence[tuple[str, str]]) -> Callable[[Consumer], Any]:
    def observe(consumer: Consumer) -> Any:
        return consumer.post(event(), headers=headers), len(consumer.processed)

    return observe


# What is done to the consumer; what the right one shows, and what the one with the bug shows.
WITNESSES: dict[str, tuple[Callable[[Consumer], Any], Any, Any]] = {
    "answers-201": (seen(some_events(1)), ([200], [0]), ([201], [0])),
    "answers-202": (seen(some_events(1)), ([200], [0]), ([202], [0])),
    "answers-204": (seen(some_events(1)), ([200], [0]), ([204], [0])),
    "redirects": (seen(some_events(1)), ([200], [0]), ([307], [])),
    "first-event-only": (seen(some_events(3)), ([200], [0, 1, 2]), ([200], [0])),
    "last-event-only": (seen(some_events(3)), ([200], [0, 1, 2]), ([200], [2])),
    "forgets-odd-remainder": (
        seen(some_events(3), [event(3), event(4)]),
        ([200, 200], [0, 1, 2, 3, 4]),
        ([200, 200], [0, 1, 3, 4]),
    ),
    "refuses-full-lists": (seen(some_events(100)), ([200], list(range(100))), ([413], [])),
    "keys-on-mail-id": (seen([event(1), event(2, mailId="M1")]), ([200], [1, 2]), ([200], [1])),
    "keys-on-recipient-id": (
        seen([event(1), event(2)], [event(1, created=5_000)]),
        ([200, 200], [1, 2, 1]),
        ([200, 200], [1, 2]),
    ),
    "keys-on-created": (seen([event(1), event(2, created=1_001)]), ([200], [1, 2]), ([200], [1])),
    "drops-out-of-order": (
        seen([event(2)], [event(1), event(2, mailId="M"), event(3)]),
        ([200, 200], [2, 1, 2, 3]),
        ([200, 200], [2, 2, 3]),
    ),
    "fails-after-storing": (
        seen(some_events(2), some_events(2), some_events(1)),
        ([200, 200, 200], [0, 1]),
        ([500, 200, 500], [0, 1, 0, 1, 0]),
    ),
    "accepts-any-credentials": (seen_with(WRONG), (401, 0), (200, 1)),
    "hides-refusals": (seen_with(WRONG), (401, 0), (200, 0)),
    "never-answers-200": (seen(some_events(1)), ([200], [0]), ([503], [])),
}
REFUSES_AS_IT_SHOULD = sorted(BUGS.keys() - {"accepts-any-credentials", "hides-refusals"})
ANSWERS = {
    "answers-201": 201,
    "answers-202": 202,
    "answers-204": 204,
    "redirects": 307,
    "fails-after-storing": 500,
    "never-answers-200": 503,
}
"""To the first list of a few events, where that is not 200."""
GARBAGE = [
    b"",
    b"{}",
    b"null",
    b"[1]",
    b"[[]]",
    b'[{"type":"open"}',
    b'[{"type":"open"}] []',
    b'[{"type":"\xff"}]',
    b'[{"type":"\\ud800"}]',
    b"[" * 100_000,
    b'[{"type":' + b"[" * 50_000 + b"]" * 50_000 + b"}]",
    b"type=open&created=1",
]


def test_every_bug_has_its_witness() -> None:
    assert list(WITNESSES) == list(BUGS)
    assert all(right != broken for _, right, broken in WITNESSES.values())
    assert len({bug.description for bug in BUGS.values()}) == len(BUGS)


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_shows_outside_and_its_absence_too(bug: str) -> None:
    observe, right, broken = WITNESSES[bug]
    assert observe(Consumer()) == right
    assert observe(Consumer(bug)) == broken


@pytest.mark.parametrize("bug", REFUSES_AS_IT_SHOULD)
def test_other_bugs_leave_the_refusal_of_wrong_credentials_alone(bug: str) -> None:
    consumer = Consumer(bug)
    assert (consumer.post(event(), headers=WRONG), consumer.processed) == (401, [])


@pytest.mark.parametrize("bug", BUGS)
def test_no_bug_makes_of_garbage_anything_but_400(bug: str) -> None:
    consumer = Consumer(bug)
    assert consumer.request("POST", "/hook", b"[1]").status == 400
    assert consumer.processed == []


@pytest.mark.parametrize("bug", BUGS)
def test_no_bug_fails_at_an_event_whose_fields_are_of_odd_types(bug: str) -> None:
    consumer = Consumer(bug)
    odd: Event = {"mailId": [{}], "recipientId": [{}], "created": [{}]}
    assert consumer.post(odd, odd | {"created": None}, {}) == ANSWERS.get(bug, 200)


def test_a_redirect_leads_to_the_address_with_a_slash() -> None:
    answer = Consumer("redirects").request("POST", "/hook", b"[]")
    assert (answer.status, dict(answer.headers)["location"]) == (307, "/hook/")


@pytest.mark.parametrize(("size", "status"), [(99, 200), (100, 413), (101, 413)])
def test_the_limit_of_the_one_that_refuses_full_lists(size: int, status: int) -> None:
    assert Consumer("refuses-full-lists").post(*some_events(size)) == status


def test_an_unknown_bug_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInputError) as refused:
        consumer_app("keys-on-mailid")
    assert str(refused.value) == (
        f"unknown bug 'keys-on-mailid', did you mean 'keys-on-mail-id'? (allowed: {', '.join(BUGS)})"
    )
    with pytest.raises(InvalidInputError, match=r"^unknown bug '' \(allowed: answers-201, "):
        consumer_app("")


def test_a_list_is_answered_with_200_and_accounted_for_field_by_field() -> None:
    consumer = Consumer()
    sent = [
        event(1, recipientId="0042", createdBy=None, ünlisted=[{"ids": [2**63, -1, 0.5]}]),
        event(2, browser="Ωmega\u0000\U0001f600"),
        {},
    ]
    assert consumer.request("POST", "/hook", json.dumps(sent).encode()).body == b'{"received":3}'
    assert consumer.processed == sent


def test_nothing_is_processed_at_first_and_by_an_empty_list() -> None:
    consumer = Consumer()
    assert consumer.processed == []
    assert (consumer.post(), consumer.processed) == (200, [])


def test_two_consumers_share_nothing() -> None:
    one, other = Consumer(), Consumer()
    one.post(event())
    assert (len(one.processed), other.processed) == (1, [])


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:30]))
def test_what_is_no_list_of_events_is_answered_with_400_and_leaves_nothing_behind(body: bytes) -> None:
    consumer = Consumer()
    answer = consumer.request("POST", "/hook", body)
    assert (answer.status, answer.body) == (400, b'{"error":"not a JSON list of events"}')
    assert consumer.processed == []
    assert consumer.post(event()) == 200


def test_a_request_that_is_cut_off_is_no_trouble_and_leaves_nothing_behind() -> None:
    consumer = Consumer(basic_authentication=None)
    scope = {"type": "http", "method": "POST", "path": "/hook", "query_string": b"", "headers": []}
    coming = iter([{"type": "http.request", "body": b"[{}", "more_body": True}, {"type": "http.disconnect"}])
    sent = []

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(consumer._app(scope, receive, send))
    assert sent[0]["status"] == 400
    assert consumer.processed == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/hook"), ("PUT", "/hook"), ("POST", "/processed")])
def test_other_methods_are_refused(method: str, path: str) -> None:
    consumer = Consumer()
    assert consumer.request(method, path, json.dumps([event()]).encode()).status == 405
    assert consumer.processed == []


def test_the_right_credentials_are_let_in_however_the_scheme_is_spelled() -> None:
    [(name, value)] = RIGHT
    for header in [(name, value), (name, value.replace("Basic", "bASIC"))]:
        consumer = Consumer()
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
def test_other_credentials_are_answered_with_401_and_nothing_is_processed(headers: Sequence[tuple[str, str]]) -> None:
    consumer = Consumer()
    answer = consumer.request("POST", "/hook", json.dumps([event()]).encode(), headers)
    assert (answer.status, dict(answer.headers)["www-authenticate"]) == (401, 'Basic realm="webhooks"')
    assert consumer.processed == []


def test_without_credentials_of_its_own_it_takes_lists_from_anyone() -> None:
    consumer = Consumer(basic_authentication=None)
    assert [consumer.post(event(), headers=headers) for headers in ((), RIGHT, WRONG)] == [200, 200, 200]


def test_a_list_that_comes_again_counts_once() -> None:
    consumer = Consumer()
    for _ in range(3):
        assert consumer.post(*some_events(3)) == 200
    assert consumer.processed == some_events(3)


def test_what_comes_again_in_a_shorter_or_a_topped_up_list_counts_once() -> None:
    consumer = Consumer()
    for part in (some_events(4)[:3], some_events(4)[1:3], some_events(4)[1:]):
        assert consumer.post(*part) == 200
    assert consumer.processed == some_events(4)


def test_events_that_differ_in_one_field_are_two() -> None:
    consumer = Consumer()
    whole = event(1, linkId=1)
    others = [whole | {name: value} for name, value in (("linkId", "1"), ("linkId", None), ("created", 1), ("x", None))]
    consumer.post(whole, *others)
    assert consumer.processed == [whole, *others]


def test_the_order_of_fields_makes_no_second_event() -> None:
    consumer = Consumer()
    consumer.post(event())
    consumer.post(dict(reversed(event().items())))
    assert consumer.processed == [event()]


def test_the_guides_own_list_holds_two_equal_events_and_both_count_once_however_often_it_comes() -> None:
    assert GUIDE[0] == GUIDE[1]
    consumer = Consumer()
    for _ in range(2):
        assert consumer.post(*GUIDE) == 200
    assert consumer.processed == GUIDE


@given(sent=st.lists(st.integers(0, 3), max_size=8), times=st.integers(1, 3))
def test_every_list_counts_once_with_all_its_equal_events(sent: list[int], times: int) -> None:
    consumer = Consumer()
    for _ in range(times):
        assert consumer.post(*map(event, sent)) == 200
    assert consumer.processed == [event(number) for number in sent]
