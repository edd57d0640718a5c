"""Consumers that one batch leaves in a state in which they accept nothing any more."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks import checked
from mockcampaign.check.bench import bench
from mockcampaign.judging.fact import NotReached, Poisoned
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.report.advice import LIMITED_RATE
from mockcampaign.report.check_text import next_lines
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


class NeverRecovers(Consumer):
    """Responds with a failure to everything once it could not store so many events without a mail."""

    status = 500
    failures_max = 1
    failures = 0

    def parse(self, body: bytes) -> list[Event]:
        if self.failures >= self.failures_max:
            raise HTTPException(self.status)
        return super().parse(body)

    def validate(self, events: list[Event]) -> None:
        if not all(self.shapes.of(event).key(event) for event in events):
            self.failures += 1
            raise HTTPException(self.status)
        super().validate(events)


def test_a_request_that_campaign_never_sends_is_named_too() -> None:
    rules = ("responds-200", "responds-to-unstorable-event", "recovers-from-failed-batch", "stays-available")
    result = checked(application(NeverRecovers(Store(), None)), rules=rules)
    found = finding(result, "recovers-from-failed-batch")
    assert (found.outcome, found.identity) == ("fail", "poisoned(500)")
    assert found.actual == (
        "Since an event with mailId null (responded 500) while responds-to-unstorable-event was examined, it responded "
        "500 to every ordinary batch"
    )
    assert found.reproduce is not None
    assert (found.reproduce.curl or "").splitlines()[-2].count('"mailId":null') == 1
    assert [finding(result, rule).outcome for rule in rules[1::2]] == ["not-exercised"] * 2
    commands = ["".join(text for text, _ in line).strip() for line in next_lines(result, "check")]
    # The rule that judges it sees nothing without the one that caused it.
    assert "check --rules responds-to-unstorable-event,recovers-from-failed-batch --explain" in commands


def test_failures_that_use_something_up_are_counted() -> None:
    class Leaks(NeverRecovers):
        failures_max = 2

    result = checked(application(Leaks(Store(), None)), rules=("responds-to-unstorable-event",))
    [found] = result.rules
    assert found.actual.startswith("Since an event with no mailId (responded 500, after 1 other failure) while ")


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


class BreaksCircuit(FailsWithNul):
    """Responds with a status of rate limits to text with NUL, and to the next batches, however many."""

    status = 503
    left = 0
    rejected = 1_000_000

    async def process(self, events: list[Event]) -> None:
        if self.left:
            self.left -= 1
            raise HTTPException(self.status)
        try:
            await super().process(events)
        except ValueError:
            self.left = self.rejected
            raise HTTPException(self.status) from None


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the pauses that a bench makes, and make none."""
    made: list[int] = []

    async def note(milliseconds: int) -> None:
        made.append(milliseconds)

    monkeypatch.setattr(bench, "pause", note)
    return made


@pytest.mark.parametrize("status", sorted(bench.RATE_LIMITS))
def test_a_status_of_rate_limits_for_ever_after_one_batch_is_no_rate_limit(pauses: list[int], status: int) -> None:
    class Breaks(BreaksCircuit):
        pass

    Breaks.status = status
    result = checked(application(Breaks(Store(), None)), rules=RULES)
    found = finding(result, "recovers-from-failed-batch")
    assert (found.outcome, found.identity) == ("fail", f"poisoned({status})")
    assert pauses == list(bench.LIMITED)


def test_a_rate_limit_that_ends_is_none_of_a_batch(pauses: list[int]) -> None:
    class Limits(BreaksCircuit):
        rejected = 7

    result = checked(application(Limits(Store(), None)), rules=RULES)
    assert finding(result, "recovers-from-failed-batch").outcome == "pass"
    assert pauses == list(bench.LIMITED[:2])


def test_ordinary_batches_that_are_limited_poison_nothing(pauses: list[int]) -> None:
    class Limits(Consumer):
        batches = 0

        async def process(self, events: list[Event]) -> None:
            self.batches += 1
            if self.batches > 20:
                raise HTTPException(429)
            await super().process(events)

    result = checked(application(Limits(Store(), None)), rules=("survives-many-requests", "recovers-from-failed-batch"))
    assert finding(result, "survives-many-requests").outcome == "fail"
    assert finding(result, "recovers-from-failed-batch").outcome == "pass"
    assert pauses == []


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
