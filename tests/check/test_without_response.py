"""Consumers that never respond to what they cannot store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response

from judged import checked, settings
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import NoAuthentication
from mockcampaign.samples.bugs.bad_event import NeverRespondsToBadEvent
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.field import Role
from mockcampaign.transport.inprocess import AsgiTransport

TIMEOUT = 100


def silent_about(is_bad: Callable[[Consumer, Event], bool], hangs: list[int]) -> type[Consumer]:
    """A consumer that never responds to a batch with such an event, and counts how often it did not."""

    class Silent(Consumer):
        async def handle(self, request: Request) -> Response:
            try:
                return await super().handle(request)
            except TypeError:
                hangs.append(1)
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                return Response(status_code=500)

        async def process(self, events: list[Event]) -> None:
            if any(is_bad(self, event) for event in events):
                raise TypeError
            await super().process(events)

    return Silent


def check_of(consumer: type[Consumer], *rules: str) -> RunResult:
    app = application(consumer(Store(), None))
    chosen = settings(1, rules=rules, authentication=NoAuthentication(), timeout=TIMEOUT, examples=3)
    return checked("http://consumer.test", lambda: AsgiTransport(app), chosen)


def by_id(result: RunResult) -> dict[str, Finding]:
    return {finding.id: finding for finding in result.rules}


def lacks_device(consumer: Consumer, event: Event) -> bool:
    return consumer.shapes.lacks_expected(event)


def test_an_event_that_cannot_be_stored_and_gets_no_response_is_a_violation() -> None:
    found = by_id(check_of(NeverRespondsToBadEvent, "responds-to-unstorable-event"))["responds-to-unstorable-event"]
    assert (found.outcome, found.actual) == (
        "fail",
        "Did not respond to an event with created null: no response began within the time-out; Campaign waits for the "
        "time-out of 100ms, 25,663 times",
    )
    assert found.reproduce is not None
    assert found.reproduce.curl is not None


def test_a_consumer_that_rejects_what_it_cannot_store_responds() -> None:
    class Rejects(Consumer):
        def validate(self, events: list[Event]) -> None:
            if any(not isinstance(self.shapes.get(event, Role.MOMENT), int) for event in events):
                raise ValueError("no time")

    found = by_id(check_of(Rejects, "responds-to-unstorable-event"))["responds-to-unstorable-event"]
    assert found.outcome == "pass", found.actual


@pytest.mark.parametrize("rule", ["accepts-null-fields", "accepts-generated-batches", "bad-event-blocks-nothing"])
def test_an_edge_case_without_response_is_named_with_what_it_costs(rule: str) -> None:
    found = by_id(check_of(silent_about(lacks_device, []), rule))[rule]
    assert "did not respond to an event with " in found.actual.lower()
    assert "Campaign waits for the time-out of 100ms, 25,663 times" in found.actual


def cut_short(*rules: str) -> RunResult:
    """A check whose budget is too short for the time-outs of a consumer that never responds to null."""
    app = application(silent_about(lambda *one: lacks_device(*one) and "device" in one[1], [])(Store(), None))
    chosen = settings(1, rules=rules, authentication=NoAuthentication(), timeout=400, budget=1_500)
    return checked("http://consumer.test", lambda: AsgiTransport(app), chosen)


def test_a_rule_cut_short_says_to_what_there_was_no_response() -> None:
    found = by_id(cut_short("responds-200", "accepts-null-fields", "responds-in-time"))
    null = found["accepts-null-fields"]
    assert null.outcome == "warn", null.actual
    assert null.actual.startswith("Did not respond to ")
    assert "device null" in null.actual
    assert "no response began within the time-out" in null.actual
    assert null.fix is not None
    assert "Pass every error on" in null.fix
    assert "Store a batch in one statement" not in null.fix


def test_what_the_journal_shows_of_an_edge_case_names_it() -> None:
    found = by_id(cut_short("responds-200", "responds-in-time", "accepts-null-fields"))["responds-in-time"]
    assert found.outcome == "warn"
    assert found.actual.startswith("Did not respond to ")
    assert "device null" in found.actual
    assert found.identity == "time-out(wait)"
    assert found.fix is not None
    assert "Store a batch in one statement" not in found.fix


def test_a_rule_cut_short_says_for_which_response_it_waited() -> None:
    app = application(NeverRespondsToBadEvent(Store(), None))
    rules = ("responds-200", "responds-to-unstorable-event")
    chosen = settings(1, rules=rules, authentication=NoAuthentication(), timeout=5_000, budget=700)
    found = by_id(checked("http://consumer.test", lambda: AsgiTransport(app), chosen))["responds-to-unstorable-event"]
    assert found.outcome == "could-not-tell"
    assert found.actual.endswith(", while it waited for a response to an event with created null")


def test_one_rule_alone_waits_for_the_response_to_an_edge_case() -> None:
    hangs: list[int] = []
    result = check_of(
        silent_about(lambda *one: lacks_device(*one) and "device" in one[1], hangs), "payload", "bad event"
    )
    found = by_id(result)
    assert found["accepts-null-fields"].outcome == "fail"
    assert found["bad-event-blocks-nothing"].outcome == "warn"
    assert "no response began" in found["bad-event-blocks-nothing"].actual
    assert len(hangs) <= 4, "two attempts for all edge cases together, and two for the one"
