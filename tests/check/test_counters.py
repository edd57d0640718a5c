"""Several numbers that one consumer reports: each must agree with what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from checks import checked
from mockcampaign.check.probes.store_probe import url_and_path
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.cli import cli
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.fact import ByCounter
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


def test_a_counter_that_agrees_adds_no_finding() -> None:
    assert {one.outcome for one in found_in(None).values()} == {"pass"}


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
