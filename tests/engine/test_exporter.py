"""The sender's rules with boundaries, on the engine alone. The laws are in `test_conservation`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CLIENT, OK, START, Consumer, activated, attempts_at, entries_of, exporter, happen, run
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted, Discarded, Happened, WebhookChanged
from mockcampaign.errors import WebhookOfAnotherClientError
from mockcampaign.faults import OUTAGES
from mockcampaign.masking import Masking
from mockcampaign.model import (
    BasicAuthentication,
    EventType,
    KeyAuthentication,
    NoResponse,
    Outcome,
    Responded,
    TimedOut,
)
from mockcampaign.policy import DAY, Policy

FAILURES: list[Outcome] = [
    *(Responded(status) for status in (201, 202, 204, 301, 307, 400, 401, 404, 410, 429, 500, 503)),
    NoResponse("wait", "connection closed before a response"),
    NoResponse("body", "connection closed within the response body"),
]


def one_event() -> Exporter:
    box = exporter()
    activated(box)
    happen(box)
    return box


def test_an_event_that_is_never_accepted_gets_25920_attempts() -> None:
    box = one_event()
    run(box, Consumer(Responded(500)))
    [attempted], [discarded] = entries_of(box, Attempted), entries_of(box, Discarded)
    assert attempted.count == 25_920
    assert attempted.at == START
    assert attempted.last_at == START + 259_190_000
    assert discarded.at == START + 259_200_000


def test_the_last_attempt_can_succeed() -> None:
    box = one_event()
    run(box, Consumer(lambda number: OK if number == 25_920 else Responded(500)))
    assert [entry.outcome.status for entry in entries_of(box, Attempted)] == [500, 200]
    assert entries_of(box, Discarded) == []


def test_one_attempt_more_is_never_made() -> None:
    box = one_event()
    consumer = run(box, Consumer(lambda number: OK if number == 25_921 else Responded(500)))
    assert len(consumer.requests) == 25_920
    assert len(entries_of(box, Discarded)) == 1


@pytest.mark.parametrize("failure", FAILURES, ids=str)
def test_whatever_is_not_200_is_retried_ten_seconds_later(failure: Outcome) -> None:
    box = one_event()
    run(box, Consumer(lambda number: OK if number == 3 else failure))
    assert attempts_at(box) == [0, 10_000, 20_000]


def test_a_time_out_spends_its_time_before_the_ten_seconds() -> None:
    box = one_event()
    run(box, Consumer(lambda number: OK if number == 3 else TimedOut("wait")))
    assert attempts_at(box) == [0, 20_000, 40_000]
    assert [entry.took for entry in entries_of(box, Attempted)] == [10_000, 0]


@pytest.mark.parametrize(("count", "lists"), [(99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_batches_of_at_most_a_hundred(count: int, lists: list[int]) -> None:
    box = exporter()
    activated(box)
    happen(box, count)
    run(box)
    assert [entry.serials for entry in entries_of(box, Attempted)] == [
        ((sum(lists[:index]) + 1, sum(lists[: index + 1])),) for index in range(len(lists))
    ]


@given(st.lists(st.tuples(st.sampled_from([EventType.OPEN, EventType.CLICK]), st.integers(1, 7)), max_size=8))
def test_a_batch_never_mixes_types_or_webhooks(happenings: list[tuple[EventType, int]]) -> None:
    box = exporter(policy=Policy(batch_events_max=3))
    ids = {event_type: activated(box, event_type) for event_type in (EventType.OPEN, EventType.CLICK)}
    for event_type, count in happenings:
        happen(box, count, event_type)
    run(box)
    serials: dict[int, EventType] = {}
    for happened in entries_of(box, Happened):
        serials |= dict.fromkeys(
            range(happened.first_serial, happened.first_serial + len(happened.events)), happened.type
        )
    for attempted in entries_of(box, Attempted):
        types = {serials[serial] for first, last in attempted.serials for serial in range(first, last + 1)}
        assert [ids[event_type] for event_type in types] == [attempted.webhook_id]


def test_two_webhooks_of_one_type_both_get_the_event() -> None:
    box = exporter()
    ids = [activated(box), activated(box)]
    happen(box)
    run(box)
    assert [entry.webhook_id for entry in entries_of(box, Attempted)] == ids


def test_clients_are_worlds_of_their_own() -> None:
    box = exporter()
    ours = activated(box)
    activated(box, client_id=CLIENT + 1)
    happen(box)
    run(box)
    assert [entry.webhook_id for entry in entries_of(box, Attempted)] == [ours]
    with pytest.raises(WebhookOfAnotherClientError):
        box.deactivate(CLIENT + 1, ours)


def test_events_without_an_activated_webhook_are_in_the_journal_and_not_exported() -> None:
    box = exporter()
    box.create(CLIENT, EventType.OPEN, "http://consumer/")
    happen(box, 2)
    consumer = run(box)
    assert [(len(entry.events), entry.webhook_ids) for entry in entries_of(box, Happened)] == [(2, ())]
    assert consumer.requests == []


@pytest.mark.parametrize(("age", "sent"), [(3 * DAY - 1, 1), (3 * DAY, 0), (3 * DAY + 1, 0)])
def test_an_event_that_is_three_days_old_already_is_discarded_at_once(age: int, sent: int) -> None:
    box = exporter(start=START + 4 * DAY)
    activated(box)
    happen(box, age=age)
    assert len(run(box).requests) == sent
    assert len(entries_of(box, Discarded)) == 1 - sent


def test_a_deactivated_webhook_discards_at_the_exact_moment() -> None:
    box = exporter()
    webhook_id = activated(box)
    happen(box)
    box.deactivate(CLIENT, webhook_id)
    run(box, until=START + 4 * DAY)
    assert [entry.at for entry in entries_of(box, Discarded)] == [START + 3 * DAY]
    assert box.clock.now == START + 4 * DAY


def test_deleting_discards_pending_events() -> None:
    box = exporter()
    webhook_id = activated(box)
    happen(box, 3)
    box.deactivate(CLIENT, webhook_id)
    box.delete(CLIENT, webhook_id)
    assert [(entry.reason, entry.serials) for entry in entries_of(box, Discarded)] == [("webhook deleted", ((1, 3),))]
    assert box.idle


@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_reaches_nobody_and_ends_at_its_moment(kind: str) -> None:
    box = one_event()
    box.declare_outage(kind, START + 40_000)
    consumer = run(box)
    assert len(consumer.requests) == 1
    spent = 20_000 if kind == "connect-timeout" else 10_000
    assert attempts_at(box) == list(range(0, 40_001, spent))


def test_an_outage_can_concern_one_webhook() -> None:
    box = exporter()
    broken, fine = activated(box, url="http://broken/"), activated(box, url="http://fine/")
    happen(box)
    box.declare_outage("refused", START + 1, (broken,))
    assert [request.url for request in run(box, until=START).requests] == ["http://fine/"]
    assert [len(box.pending(one)) for one in (broken, fine)] == [1, 0]


@pytest.mark.parametrize(
    ("authentication", "header", "value"),
    [
        (BasicAuthentication("acme", "pass:wörd"), "Authorization", "Basic YWNtZTpwYXNzOnfDtnJk"),
        (KeyAuthentication("X-Token", "Bearer s3cret"), "X-Token", "Bearer s3cret"),
    ],
)
def test_credentials_go_with_every_request_and_stay_out_of_the_journal(
    authentication: BasicAuthentication | KeyAuthentication, header: str, value: str
) -> None:
    box = exporter()
    webhook = box.create(CLIENT, EventType.OPEN, "http://consumer/", authentication)
    box.activate(CLIENT, webhook.id)
    happen(box)
    echo = Responded(401, (("www-authenticate", f"not {value}"),), f"you sent {value}, pass:wörd".encode(), 40)
    consumer = run(box, Consumer(lambda number: OK if number == 2 else echo))
    assert [dict(request.headers)[header] for request in consumer.requests] == [value, value]
    written = box.journal.to_json_lines().decode()
    [refused, _] = entries_of(box, Attempted)
    for secret in authentication.secrets():
        assert secret not in written
        assert secret.encode() not in refused.outcome.body


def test_pending_events_go_to_the_new_target() -> None:
    box = exporter()
    webhook_id = activated(box, url="http://old/")
    happen(box)
    run(box, Consumer(Responded(500)), until=START)
    box.update(CLIENT, webhook_id, target_url="http://new/")
    assert [request.url for request in run(box).requests] == ["http://new/"]


def test_the_body_is_a_json_list_even_of_one() -> None:
    box = one_event()
    [request] = run(box).requests
    assert (request.method, request.body) == ("POST", b'[{"n":0}]')
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_a_full_day_between_events_is_no_work() -> None:
    box = exporter()
    activated(box)
    for _ in range(3):
        happen(box)
        run(box, until=box.clock.now + DAY)
    assert attempts_at(box) == [0, DAY, 2 * DAY]


def test_credentials_are_hidden_however_late_they_come_and_not_prepared_for_each_webhook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []

    class Counted(Masking):
        def __init__(self, secrets: Iterable[str]) -> None:
            made.append(self)
            super().__init__(secrets)

    monkeypatch.setattr("mockcampaign.engine.requests.Masking", Counted)
    box = exporter(policy=Policy(webhooks_per_client_max=100))
    for number in range(100):
        box.create(CLIENT, EventType.OPEN, "http://consumer/", BasicAuthentication("acme", f"geheim-{number:02}"))
        if number in (49, 99):
            assert box.requests.masking.text(f"geheim-00 and geheim-{number}") == "*** and ***"
    assert len(made) == 2


@pytest.mark.parametrize("after", [59_999, 60_000, 60_001])
def test_a_webhook_is_suspended_by_the_first_failure_after_the_time(after: int) -> None:
    box = exporter(policy=Policy(suspend_after=after))
    number = activated(box)
    happen(box, 2)
    run(box, Consumer(Responded(500)))
    expected = 7 if after <= 60_000 else 8  # one attempt every ten seconds, the first one at once
    assert len(attempts_at(box)) == expected
    assert box.registry.get(CLIENT, number).status == "suspended"
    assert [entry.command for entry in entries_of(box, WebhookChanged)][-1] == "suspend"
    assert box.pending_count(number) == 2
    happen(box)  # not exported
    assert box.pending_count(number) == 2
    box.activate(CLIENT, number)
    run(box)
    assert box.pending_count(number) == 0


def test_a_success_in_between_keeps_a_webhook_from_being_suspended() -> None:
    box = exporter(policy=Policy(suspend_after=30_000))
    number = activated(box)
    happen(box)
    happen(box)
    run(box, Consumer(lambda attempt: OK if attempt % 3 == 0 else Responded(500)))
    assert box.registry.get(CLIENT, number).status == "activated"
    assert box.pending_count(number) == 0


def test_nothing_is_suspended_by_itself_unless_the_policy_says_so() -> None:
    box = one_event()
    run(box, Consumer(Responded(500)))
    assert box.registry.get(CLIENT, 1).status == "activated"


def test_a_suspended_webhook_exports_nothing_until_it_is_activated() -> None:
    box = one_event()
    box.suspend(CLIENT, 1)
    consumer = run(box, until=START + DAY)
    assert consumer.requests == []
    box.activate(CLIENT, 1)
    assert len(run(box).requests) == 1
