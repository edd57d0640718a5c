"""Consumers that one batch leaves in a state in which they accept nothing any more."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from checks import checked
from mockcampaign.judging.fact import NotReached, Poisoned
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.report.advice import LIMITED_RATE
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store

RULES = ("responds-200", "stores-text-unchanged", "stores-control-characters", "recovers-from-failed-batch")


def finding(result: RunResult, rule: str) -> Finding:
    return next(one for one in result.rules if one.id == rule)


def test_an_aborted_transaction_is_one_finding_with_the_batch_after_which_it_began() -> None:
    result = checked(consumer_app("never-rolls-back"), rules=(*RULES, "accepts-old-events"))
    found = finding(result, "recovers-from-failed-batch")
    assert found.outcome == "fail"
    assert found.identity == "poisoned(500)"
    [fact] = found.facts
    assert isinstance(fact, Poisoned)
    assert fact.rule_id == "stores-control-characters"
    assert found.actual == (
        f"Since a batch of {fact.after.events} events (responded 500) while stores-control-characters was examined, it "
        "responded 500 to every ordinary batch, and its probe fails: probe http://app/processed: responded 500, "
        "expected 200"
    )
    assert found.fix is not None
    assert "roll back the transaction" in found.fix
    assert found.reproduce is not None
    assert found.reproduce.curl is not None
    assert found.reproduce.curl.count("curl") >= 2  # the batch, and an ordinary one
    for rule in ("stores-control-characters", "accepts-old-events"):
        assert finding(result, rule).facts == (NotReached(why="poisoned", rule_id="recovers-from-failed-batch"),)
    assert finding(result, "stores-control-characters").actual == (
        "Not reached: the consumer rejects every batch since one it could not store, see recovers-from-failed-batch"
    )


def test_the_rule_that_meets_it_fails_where_the_one_that_is_about_it_was_not_chosen() -> None:
    result = checked(consumer_app("never-rolls-back"), rules=("stores-control-characters",))
    assert finding(result, "stores-control-characters").identity == "poisoned(500)"


def test_a_pool_that_leaks_is_found_once_it_is_empty() -> None:
    result = checked(consumer_app("leaks-connection-on-error"), rules=("payload", "bad event", *RULES))
    assert finding(result, "recovers-from-failed-batch").identity == "poisoned(500)"
    assert finding(result, "stores-text-unchanged").outcome == "pass"


def test_a_probe_that_worked_and_fails_is_a_hazard_of_the_consumer() -> None:
    result = checked(consumer_app("breaks-own-probe"), rules=RULES)
    found = finding(result, "recovers-from-failed-batch")
    assert (found.outcome, found.identity) == ("warn", "poisoned(probe)")
    assert found.actual.endswith(
        "its probe fails: probe http://app/processed: responded 500, expected 200, though it worked before"
    )


class FailsWithNul(Consumer):
    """Responds with a status of its own to text with NUL, and recovers."""

    status = 500

    async def process(self, events: list[Event]) -> None:
        if any("\0" in text for event in events for text in self.shapes.texts(event)):
            raise ValueError
        await super().process(events)


def test_a_consumer_that_recovers_is_blamed_for_the_batch_alone() -> None:
    result = checked(application(FailsWithNul(Store(), None)), rules=RULES)
    assert finding(result, "recovers-from-failed-batch").outcome == "pass"
    assert (finding(result, "stores-control-characters").identity or "").startswith("500 to edge-case[")


class Limits(Consumer):
    """Responds 503 to full batches from the fiftieth on."""

    full = 0

    async def hook(self, request: Request) -> Response:
        self.full += len(await request.body()) > 20_000
        return Response(status_code=503) if self.full > 50 else await super().hook(request)


def test_a_limit_in_a_backlog_is_advised_upon_as_one_whatever_its_status() -> None:
    result = checked(application(Limits(Store(), None)), rules=("drains-backlog",))
    found = finding(result, "drains-backlog")
    assert found.identity == "503 to part-of-backlog"
    assert found.fix == LIMITED_RATE.text


@pytest.mark.parametrize("bug", ["throttles-backlog", "drops-when-queue-is-full"])
def test_a_rate_limit_and_lost_events_are_two_findings_of_a_backlog(bug: str) -> None:
    found = finding(checked(consumer_app(bug), rules=("drains-backlog",)), "drains-backlog")
    assert (found.identity or "").startswith("429" if bug == "throttles-backlog" else "missing")
    assert ("rate" in (found.fix or "")) == (bug == "throttles-backlog")
