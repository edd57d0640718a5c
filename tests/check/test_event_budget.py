"""A check makes no more events than it announces, and counts all that it sends."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import msgspec
import pytest

from checks import EVENTS, NOW
from mockcampaign.check.bench.context import check_context
from mockcampaign.check.bench.event_budget import BudgetReachedError, EventBudget
from mockcampaign.check.examiner import Examiner
from mockcampaign.check.histories.history_steps import Inject, Occur
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.result import check_result
from mockcampaign.check.rules import random_histories
from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS, Settings
from mockcampaign.cli import cli
from mockcampaign.judging.fact import EventBudgetReached
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import Fault, Outcome, Request
from mockcampaign.report import sentences
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.inprocess import AsgiTransport


class Counted:
    """A transport that counts the events and requests that it sends."""

    def __init__(self, bug: str | None) -> None:
        self.events: set[bytes] = set()
        """The events that were sent, each once."""
        self.whole: list[dict[str, Any]] = []
        """The events of batches that can be read."""
        self.posts = 0
        self._transport = AsgiTransport(consumer_app(bug))

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._transport.faults

    async def send(self, request: Request) -> Outcome:
        if request.method != "GET":
            self.posts += 1
        # Events of batches that are cut off or malformed count, too.
        self.events.update(re.findall(rb'\{[^{}]*"mailId"[^{}]*(?:\{[^{}]*(?:\{[^{}]*\})?\})?[^{}]*', request.body))
        with contextlib.suppress(msgspec.DecodeError):
            found = msgspec.json.decode(request.body)
            listed = found if isinstance(found, list) else []
            self.whole += [one for one in listed if isinstance(one, dict) and "mailId" in one]
        return await self._transport.send(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


def examined(bug: str | None, **settings: Any) -> tuple[RunResult, Counted, EventBudget]:
    async def run() -> tuple[RunResult, Counted, EventBudget]:
        transport = Counted(bug)
        try:
            probe = UrlProbe(EVENTS, transport, timeout=5_000)
            chosen = Settings(**({"now": NOW, "seed": 1} | settings))
            context = check_context("http://app/hook", transport=transport, settings=chosen, probe=probe)
            examiner = Examiner(context)
            await examiner.run()
            return check_result(examiner.examinations, context.url, chosen), transport, context.event_budget
        finally:
            await transport.aclose()

    return asyncio.run(run())


def test_events_that_are_spent_are_counted_until_there_are_no_more() -> None:
    budget = EventBudget(5)
    budget.spend(4)
    budget.spend(0)
    with pytest.raises(BudgetReachedError, match=r"^EventBudgetReached$") as reached:
        budget.spend(2)
    assert reached.value.facts == (EventBudgetReached(events=5),)
    assert sentences.actual(reached.value.facts) == "The check has made 5 events, which is its limit (--events)"
    with pytest.raises(BudgetReachedError):
        budget.spend(1)  # which would be left; but what needed more has not been examined
    assert budget.made == 4
    exact = EventBudget(5)
    exact.spend(5)
    assert (exact.made, exact.reached) == (5, None)


RULES = ("responds-200", "accepts-every-batch-size", "rejects-unreadable-body")


def test_one_event_too_few_skips_a_rule() -> None:
    _, _, unbounded = examined(None, rules=RULES)
    needed = unbounded.made
    for bound in (needed - 1, needed, needed + 1):
        result, sent, budget = examined(None, rules=RULES, events=bound)
        outcomes = [finding.outcome for finding in result.rules]
        assert outcomes == ["pass", "pass", "pass" if bound >= needed else "not-exercised"]
        assert len(sent.events) <= budget.made <= bound
        if bound < needed:
            assert result.rules[-1].reason == f"The check has made {bound} events, which is its limit (--events)"


@pytest.mark.parametrize("bug", [None, "takes-columns-of-first-event", "forgets-dedup-key-once-used"])
@pytest.mark.parametrize("bound", [1, 10, 99, 640, 2_000])
def test_a_check_never_makes_more_events_than_its_budget(bug: str | None, bound: int) -> None:
    result, sent, budget = examined(bug, events=bound, skip=("drains-backlog", "survives-many-requests"))
    assert len(sent.events) <= budget.made <= bound
    assert budget.reached is not None
    last = result.rules[-3:]
    assert {finding.outcome for finding in last} == {"not-exercised"}
    assert {"pass", "fail"} & {finding.outcome for finding in result.rules} or bound == 1
    reached = [finding for finding in result.rules if finding.facts == budget.reached.facts]
    assert reached
    after = result.rules[result.rules.index(reached[0]) :]
    assert {finding.outcome for finding in after} == {"not-exercised"}


@pytest.mark.parametrize(
    ("rule", "bug"),
    [
        ("accepts-generated-batches", "takes-columns-of-first-event"),
        ("survives-random-histories", "forgets-dedup-key-once-used"),
    ],
)
def test_a_failure_found_before_the_limit_is_reported_though_it_is_not_the_smallest(rule: str, bug: str) -> None:
    """A failure stays one if the event budget ends while it is reduced."""
    _, _, unbounded = examined(bug, rules=(rule,))
    found = 0
    for part in (0.9, 0.7, 0.5):
        result, _, budget = examined(bug, rules=(rule,), events=int(unbounded.made * part))
        assert budget.reached is not None
        [finding] = result.rules
        assert finding.outcome in ("fail", "not-exercised")
        if finding.outcome == "fail":
            found += 1
            assert finding.reproduce is not None
            assert (finding.reproduce.scenario is None) != (finding.reproduce.without_scenario is None)
    assert found


@pytest.mark.slow
@pytest.mark.parametrize("bug", [None, "takes-columns-of-first-event"])
def test_a_whole_check_has_room_for_reducing_what_fails(bug: str | None) -> None:
    result, sent, budget = examined(bug)
    assert budget.reached is None
    assert len(sent.events) <= budget.made <= budget.most * 0.6
    limit = EventBudgetReached(events=budget.most)
    assert not [finding.id for finding in result.rules if limit in finding.facts]


def test_more_examples_have_more_events_and_a_sweep_twice_as_many() -> None:
    assert Settings(now=0, examples=20).events_max() == 50_000
    assert Settings(now=0, examples=100).events_max() == 90_000
    assert Settings(now=0, examples=20, sweep=True).events_max() == 100_000
    assert Settings(now=0, events=7, sweep=True).events_max() == 7


def test_the_limit_is_printed_before_anything_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(consumer_app()) as url:
        arguments = ["check", f"{url}/hook", "--rules", "responds-200,accepts-every-batch-size", "--events", "50"]
        status: int = cli.main(arguments, standalone_mode=False)
    printed = capsys.readouterr().out
    assert status == 0
    assert printed.startswith(
        "2 rules, at most 2m and 50 events, with client ids from 900000000000 and mailing ids from "
    )
    assert "The check has made 50 events, which is its limit (--events)" in printed


@pytest.mark.parametrize(
    "rules",
    [("accepts-generated-batches",), ("batch", "identity", "redelivery", "order", "bad event", "cost of failure")],
)
def test_events_can_be_distinguished_from_real_ones(rules: tuple[str, ...]) -> None:
    """Events of a check have its client or mailing ids, whatever else is unusual about them."""
    _, sent, _ = examined(None, rules=rules, examples=50)
    assert len(sent.whole) > 200
    strangers = [
        one for one in sent.whole if not (one.get("clientId") in CLIENT_IDS or one.get("mailingId") in MAILING_IDS)
    ]
    assert strangers == []


def test_random_histories_are_in_the_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    # No outages, in which attempts do not reach the consumer.
    steps = (Occur(1), Inject("lost-ack", {}), Occur(3))
    monkeypatch.setattr(random_histories, "history_of", lambda seed, number: steps[: 1 + number % 3])
    result, sent, _ = examined(None, rules=("survives-random-histories",), examples=5)
    [scenario] = result.scenarios
    assert result.rules[0].outcome == "pass"
    assert sent.posts == result.deliveries.attempts > scenario.deliveries.attempts + 20
    assert result.deliveries.delivered == len(sent.events)
    assert msgspec.json.decode(msgspec.json.encode(result))["deliveries"]["attempts"] == sent.posts
