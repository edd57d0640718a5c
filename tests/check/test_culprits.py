"""Rules against sample bugs: each bug violates the rule that is meant for it, and correct consumers violate none."""

from __future__ import annotations

import os
from typing import Any

import pytest

from consumers import fastapi_async, flask_memory
from consumers.started import COMMANDS, PASSWORD, USER, missing
from culprits import BETWEEN, CULPRITS, FOUND, NEEDS_HTTPS, OTHERS
from judged import BUGS, SHOWN_BY_CRASHES, checked, checked_in_process, checked_over_loopback, few, judged, settings
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.judging.fact import Need
from mockcampaign.model import EventType, NoAuthentication
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport.inprocess import AsgiTransport, WsgiTransport
from variants import FOUND_BY, OF_CLICKS, VARIANTS, variant_app

BROKEN = {"stores-acknowledged-while-broken"}
"""Rules that break what the consumer needs, which `test_broken` does."""
OVER_SOCKETS = [bug for bug in BUGS if BUGS[bug].over_sockets or bug in SHOWN_BY_CRASHES]
NEED_A_CONNECTION = {rule.id for rule in CATALOGUE if "connection" in rule.needs}
IN_PROCESS = [bug for bug in BUGS if bug not in OVER_SOCKETS and FOUND[bug] not in NEED_A_CONNECTION]
SLOW_RULES = {
    "accepts-slow-body",
    "handles-concurrent-requests",
    "compares-credentials-in-constant-time",
    "drains-backlog",
    "keeps-up",
}


def test_every_rule_has_a_culprit_and_every_bug_its_rule() -> None:
    assert {rule.id for rule in CATALOGUE} == {*CULPRITS, *NEEDS_HTTPS}
    assert FOUND.keys() == BUGS.keys()
    assert len(FOUND) == len(CULPRITS) + len(OTHERS)
    assert set(FOUND.values()) <= {rule.id for rule in CATALOGUE}


@pytest.mark.parametrize("bug", [bug for bug in IN_PROCESS if FOUND[bug] not in SLOW_RULES])
def test_a_bug_is_found_in_process(bug: str) -> None:
    found = judged(
        bug, 1, checked_in_process(bug, settings(1, rules=(FOUND[bug], *BETWEEN.get(FOUND[bug], ())), **few(bug)))
    )
    assert FOUND[bug] in {*found.violated, *found.hazards}, found.said


@pytest.mark.slow
@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug not in IN_PROCESS or FOUND[bug] in SLOW_RULES])
def test_a_bug_is_found_over_sockets(bug: str) -> None:
    found = judged(bug, 1, checked_over_loopback(bug, settings(1, rules=(FOUND[bug], *BETWEEN.get(FOUND[bug], ())))))
    assert FOUND[bug] in {*found.violated, *found.hazards}, found.said


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, marks=pytest.mark.longest) if rule in SLOW_RULES else rule
        for rule in CULPRITS
        if CULPRITS[rule] in IN_PROCESS
    ],
)
def test_a_culprit_violates_its_rule_and_no_other_must_rule(rule: str) -> None:
    # Rules that take long, or that a busy machine disturbs; their own culprits examine them.
    skipped = tuple({"drains-backlog", "survives-many-requests", "compares-credentials-in-constant-time"} - {rule})
    chosen = settings(2, skip=skipped, **few(CULPRITS[rule], 5))
    # Other tests read the whole store, and what is no event has no mailing.
    query = "" if rule == "stores-only-events" else "?mailing={mailingId}"
    found = judged(rule, 2, checked_in_process(CULPRITS[rule], chosen, query=query))
    assert {*found.violated, *found.hazards} >= {rule}, found.said
    assert set(found.violated) <= {rule}, found.said


@pytest.mark.slow
@pytest.mark.parametrize("rule", [rule for rule in CULPRITS if CULPRITS[rule] not in IN_PROCESS and rule not in BROKEN])
def test_a_culprit_over_sockets_violates_no_other_must_rule(rule: str) -> None:
    chosen = settings(2, skip=("drains-backlog", "survives-many-requests"), examples=5)
    found = judged(rule, 2, checked_over_loopback(CULPRITS[rule], chosen))
    assert {*found.violated, *found.hazards} >= {rule}, found.said
    assert set(found.violated) <= {rule}, found.said


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_rules_find_bugs_for_which_they_were_not_written(name: str) -> None:
    app = variant_app(name)
    chosen = settings(1, rules=FOUND_BY[name], **few(name))
    found = judged(name, 1, checked("http://consumer.test", lambda: AsgiTransport(app), chosen))
    assert found.caught, found.said


@pytest.mark.parametrize("name", OF_CLICKS)
def test_the_rules_find_bugs_with_clicks(name: str) -> None:
    app = variant_app(name)
    chosen = settings(1, rules=("stores-text-unchanged",), shape=builtin_shape(EventType.CLICK))
    found = judged(name, 1, checked("http://consumer.test", lambda: AsgiTransport(app), chosen))
    assert found.violated == ("stores-text-unchanged",), found.said


def test_a_consumer_that_loses_ordinary_events_is_found_as_well() -> None:
    app = variant_app("hash-of-16-bits")
    # At this moment, the consumer takes two of the rule's first hundred events for other ones.
    chosen = settings(1, rules=("drains-backlog",), now=1_795_517_978_000)
    found = judged("hash-of-16-bits", 1, checked("http://consumer.test", lambda: AsgiTransport(app), chosen))
    assert found.violated == ("drains-backlog",), found.said


@pytest.mark.parametrize("seed", range(1, 6))
def test_batches_of_one_length_are_sent_whatever_is_drawn(seed: int) -> None:
    app = variant_app("recognises-lengths")
    chosen = settings(seed, rules=("stores-before-acknowledging",))
    found = judged("recognises-lengths", seed, checked("http://consumer.test", lambda: AsgiTransport(app), chosen))
    assert found.violated == ("stores-before-acknowledging",), found.said


def needing(*what: Need) -> set[str]:
    """Return the rules that cannot be examined without one of these."""
    return {rule.id for rule in CATALOGUE if {*rule.needs} & {*what}}


def in_process(name: str) -> Any:
    """Yield a transport to one of the correct consumers."""
    if name == "flask-memory":
        return WsgiTransport(flask_memory.make_app(user=USER, password=PASSWORD))
    return AsgiTransport(fastapi_async.make_app(user=USER, password=PASSWORD))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flask-memory", "fastapi-async"])
def test_a_correct_consumer_violates_nothing_in_process(name: str) -> None:
    chosen = settings(1, skip=("drains-backlog", "compares-credentials-in-constant-time"), examples=5)
    found = judged(name, 1, checked("http://consumer.test", lambda: in_process(name), chosen))
    assert (found.violated, found.inconclusive) == ((), ()), found.said
    assert set(found.not_exercised) == needing("connection", "state", "https", "restart command", "break command"), (
        found.said
    )


class OpensAlone(Consumer):
    """Responds 200 to events of other types than it was registered for, and ignores them."""

    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if event["type"] == "open"])


class ColumnsOfAnOpen(Consumer):
    """Stores the fields of an open alone, whatever arrives."""

    def stored_form(self, event: Event) -> Event:
        return {name: event.get(name) for name in builtin_shape(EventType.OPEN).top_names}


@pytest.mark.parametrize("consumer", [OpensAlone, ColumnsOfAnOpen])
def test_a_consumer_of_opens_violates_nothing_by_what_it_does_with_clicks(consumer: type[Consumer]) -> None:
    app = application(consumer(Store(), None))
    rules = ("stores-open-and-click", "stores-click-before-open", "stores-clicks-on-two-links", "payload")
    chosen = settings(1, rules=rules, authentication=NoAuthentication(), examples=5)
    found = judged(consumer.__name__, 1, checked("http://consumer.test", lambda: AsgiTransport(app), chosen))
    assert (found.violated, found.inconclusive) == ((), ()), found.said


@pytest.mark.slow
@pytest.mark.longest
@pytest.mark.parametrize("name", ["sample", *COMMANDS])
def test_a_correct_consumer_violates_nothing(name: str) -> None:
    lacking = None if name == "sample" else missing(name)
    if lacking is not None and "CI" not in os.environ:
        pytest.skip(lacking)
    found = judged(name, 1, checked_over_loopback(name, settings(1, budget=600_000, **few(name, 5))))
    assert (found.violated, found.hazards, found.inconclusive) == ((), (), ()), found.said
    lacking: tuple[Need, ...] = () if name == "sample" else ("state", "restart command", "break command")
    assert set(found.not_exercised) == needing("https", *lacking), found.said
