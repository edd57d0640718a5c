"""Several numbers that one consumer reports: each must agree with what was sent."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks import checked
from mockcampaign.check.bench.context import Incidents
from mockcampaign.check.probes.store_probe import url_and_path
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.cli import cli
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.judging.fact import ByCounter, LastReading, ProbeFailed
from mockcampaign.judging.finding import Finding
from mockcampaign.report.advice import COUNT_NEW_EVENTS
from mockcampaign.samples.consumer import application, consumer_app, serve_consumer
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.field import Role

COUNTER = "http://app/count#events"
RULES = ("stores-before-acknowledging", "stores-every-event", "once-after-lost-response", "stores-text-unchanged")


def found_in(bug: str | None, **more: Any) -> dict[str, Finding]:
    return {one.id: one for one in checked(consumer_app(bug), counter=COUNTER, rules=RULES, **more).rules}


def test_a_counter_that_is_raised_at_redelivery_is_a_violation_though_the_events_are_right() -> None:
    found = found_in("counts-redelivered-events")
    assert {rule: one.outcome for rule, one in found.items()} == {
        **dict.fromkeys(RULES, "pass"),
        "once-after-lost-response": "fail",
    }
    violation = found["once-after-lost-response"]
    [fact] = violation.facts
    assert isinstance(fact, ByCounter)
    assert violation.actual.startswith(f"The stored events are right, but not the number at {COUNTER}: ")
    assert "5 duplicates are in the store" in violation.actual
    assert violation.identity == f"by {COUNTER}: duplicate after redelivered"
    assert violation.fix is not None
    assert violation.fix == COUNT_NEW_EVENTS.text
    assert violation.reproduce is not None
    assert "http://app/count" in (violation.reproduce.curl or "")


class Asked:
    """A correct consumer that notes how often its counter is read, and fails from some time on."""

    def __init__(self, works: float = math.inf, response: bytes = b"") -> None:
        self._app = consumer_app()
        self._works = works
        self._response = response
        self.readings = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.readings += scope.get("path") == "/count"
        if scope.get("path") != "/count" or self.readings <= self._works:
            await self._app(scope, receive, send)
            return
        status = 200 if self._response else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": self._response})

    def found(self) -> dict[str, Finding]:
        return {one.id: one for one in checked(self, counter=COUNTER, rules=RULES).rules}


def test_a_counter_that_agrees_adds_no_finding() -> None:
    app = Asked()
    outcomes = {rule: one.outcome for rule, one in app.found().items()}
    assert outcomes == dict.fromkeys(RULES, "pass")
    assert app.readings > 2 * (len(RULES) - 1)  # before and after each rule but the one about the store


FAILURES = {"responded 404, expected 200": b"", "it is not UTF-8": '{"events": "ä"}'.encode("latin-1")}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_counter_that_cannot_be_read_is_an_error_before_any_rule(failure: str) -> None:
    with pytest.raises(CouldNotTellError, match=failure):
        Asked(0, FAILURES[failure]).found()


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("works", [1, 2, 3])
def test_a_counter_that_fails_later_leaves_rules_inconclusive(failure: str, works: int) -> None:
    found = Asked(works, FAILURES[failure]).found()
    assert found["once-after-lost-response"].outcome == "could-not-tell"
    assert failure in found["once-after-lost-response"].actual


class FailsToCountNull(Consumer):
    """Shows a number on a dashboard that fails as soon as a device is null."""

    async def counted(self, request: Request) -> Response:
        if any(event.get("device", "") is None for event in self.store.events()):
            raise HTTPException(500, "no such device")
        return await super().counted(request)


class FailsToReportNull(FailsToCountNull):
    """Fails to report its events as well."""

    async def processed(self, request: Request) -> Response:
        await self.counted(request)
        return await super().processed(request)


NULL_RULES = ("stores-every-event", "accepts-null-fields", "accepts-unknown-fields")


def test_what_was_accepted_since_a_counter_worked_is_named() -> None:
    app = application(FailsToCountNull(Store(), None))
    found = {one.id: one for one in checked(app, counter=COUNTER, rules=NULL_RULES).rules}
    for rule in ("accepts-null-fields", "accepts-unknown-fields"):
        assert (found[rule].outcome, found[rule].actual) == (
            "could-not-tell",
            "Probe http://app/count: responded 500, expected 200; since it last worked, while stores-every-event was "
            "examined, the consumer has accepted events of accepts-null-fields",
        )


def test_what_was_accepted_before_the_first_rule_belongs_to_none() -> None:
    found = {one.id: one for one in checked(Asked(1), counter=COUNTER, rules=RULES[:3]).rules}
    [fact] = found["once-after-lost-response"].facts
    assert isinstance(fact, ProbeFailed)
    assert fact.last == LastReading(accepted=("stores-before-acknowledging", "stores-every-event"))
    assert found["once-after-lost-response"].actual == (
        "Probe http://app/count: responded 404, expected 200; since it last worked, before the first rule, the "
        "consumer has accepted events of stores-before-acknowledging and stores-every-event"
    )


def test_what_was_accepted_since_the_probe_worked_is_named() -> None:
    """Without stored events to compare, no rule before it has read the store."""
    app = application(FailsToReportNull(Store(), None))
    rules = ("stores-every-event", "survives-many-requests", "bad-event-blocks-nothing", "stores-cut-characters")
    found = {one.id: one for one in checked(app, rules=rules).rules}
    assert found["stores-cut-characters"].outcome == "could-not-tell"
    assert found["stores-cut-characters"].actual == (
        "Probe http://app/processed: responded 500, expected 200; since it last worked, while stores-every-event was "
        "examined, the consumer has accepted events of bad-event-blocks-nothing, survives-many-requests and "
        "stores-cut-characters"
    )


def test_a_probe_is_not_taken_for_one_that_is_gone() -> None:
    incidents = Incidents()
    incidents.note_reading(object(), "stores-every-event")
    assert incidents.failed_reading(object()) is None


def test_a_violation_by_the_stored_events_is_not_looked_at_again() -> None:
    violation = found_in("never-deduplicates")["once-after-lost-response"]
    assert violation.outcome == "fail"
    assert not [fact for fact in violation.facts if isinstance(fact, ByCounter)]


class CountsDevices(Consumer):
    """Counts only the events whose device is known."""

    def total(self) -> int:
        return sum(self.shapes.get(event, Role.DEVICE) is not None for event in self.store.events())


class CountsNullTwice(Consumer):
    """Counts by a unique index over columns, in which no null equals another."""

    again = 0

    async def process(self, events: list[Event]) -> None:
        known = set(map(self.key, self.store.events()))
        self.again += sum(self.key(event) in known and None in event.values() for event in events)
        await super().process(events)

    def total(self) -> int:
        return super().total() + self.again


@pytest.mark.parametrize(
    ("consumer", "rule", "said"),
    [
        (CountsDevices, "accepts-absent-fields", "an event with no device; 1 event is missing from the store"),
        (CountsNullTwice, "once-for-edge-cases", "1 duplicate is in the store"),
    ],
)
def test_edge_cases_are_looked_for_in_counters_too(consumer: type[Consumer], rule: str, said: str) -> None:
    app = application(consumer(Store(), None))
    [found] = checked(app, counter=COUNTER, rules=(rule,)).rules
    assert (found.outcome, type(found.facts[0])) == ("fail", ByCounter)
    assert said in found.actual


def test_a_correct_counter_agrees_in_every_rule_about_edge_cases() -> None:
    rules = tuple(rule.id for rule in CATALOGUE if rule.is_counted)
    result = checked(consumer_app(), counter=COUNTER, rules=rules, examples=3)
    assert {one.id: one.outcome for one in result.rules} == dict.fromkeys(rules, "pass")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("http://x/a#b.c", ("http://x/a", "b.c")), ("http://x/a", ("http://x/a", "@"))],
)
def test_a_counter_is_a_url_and_a_path(text: str, expected: tuple[str, str]) -> None:
    assert url_and_path(text) == expected


def test_the_name_of_a_counter_shows_no_secret() -> None:
    found = {
        one.id: one for one in checked(consumer_app("counts-redelivered-events"), counter=SECRET, rules=RULES).rules
    }
    violation = found["once-after-lost-response"]
    assert "the number at http://app/count?token=***#events" in violation.actual
    assert "hush" not in msgspec.json.encode(violation).decode()


SECRET = "http://app/count?token=hush#events"


def command(*arguments: str) -> int:
    status: int = cli.main(["check", *arguments, "--no-color"], standalone_mode=False)
    return status


def test_the_command_takes_counters_and_suggests_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_consumer("counts-redelivered-events") as url:
        given = ("--probe", f"{url}/processed", "--probe-counter", f"{url}/count#events", "--rules", "redelivery")
        assert command(f"{url}/hook", *given, "--seed", "1") == 1
    assert f"--probe-counter '{url}/count#events'" in capsys.readouterr().out
    with pytest.raises(InvalidInputError, match="is not JMESPath"):
        command("http://127.0.0.1:9/hook", "--probe-counter", "http://127.0.0.1:9/count#[")
