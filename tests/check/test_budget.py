"""The budget of wall time: a slow consumer gets a verdict on the most telling rules, and nothing seen is hidden."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from checks import checked
from mockcampaign.check import examiner
from mockcampaign.check.bench.event_budget import Paced
from mockcampaign.check.rules import CATALOGUE, TELLING
from mockcampaign.check.rules.overlap import EVENTS_PER_SECOND_MIN
from mockcampaign.judging.fact import Capacity, Fewer, NotReached, Unfinished
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, exit_status
from mockcampaign.policy import MINUTE
from mockcampaign.report.check_text import headline_lines, next_lines
from mockcampaign.report.sentences import note
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store


def finding(result: RunResult, rule: str) -> Finding:
    return next(one for one in result.rules if one.id == rule)


class Slow(Consumer):
    """Takes a while for each batch, and serves one at a time."""

    seconds = 0.05

    def prepare(self) -> None:
        self.lock = asyncio.Lock()

    async def process(self, events: list[Event]) -> None:
        async with self.lock:
            await asyncio.sleep(self.seconds)
            await super().process(events)


class SlowAndDoubling(Slow):
    """Stores redelivered events again."""

    def by_identity(self, events: list[Event]) -> dict[tuple[bytes, int], Event]:
        self.count = getattr(self, "count", 0) + 1
        return {
            (key, number + 1_000 * self.count): event for (key, number), event in super().by_identity(events).items()
        }


@pytest.mark.slow
def test_a_slow_consumer_is_examined_by_the_most_telling_rules_first() -> None:
    result = checked(application(SlowAndDoubling(Store(), None)), budget=4_000)
    assert finding(result, "once-after-lost-response").outcome == "fail"
    assert [one.id for one in result.rules if one.id in TELLING] == list(TELLING)
    not_reached = [fact for one in result.rules for fact in one.facts if isinstance(fact, NotReached)]
    assert not_reached
    assert all((fact.enough or 0) >= 60_000 for fact in not_reached)
    assert result.headline is not None
    assert "4s was enough for " in result.headline
    assert result.headline.endswith(" would do")
    commands = ["".join(text for text, _ in line) for line in next_lines(result, "mockcampaign check URL")]
    assert any(" --budget " in line for line in commands)
    assert exit_status(result) == 1


class Full(Slow):
    """Has kept many events of earlier checks."""

    async def processed(self, request: Request) -> Response:
        own = (await super().processed(request)).body
        earlier = b'{"mailId":"another"}'
        others = b",".join([earlier] * examiner.READ_MANY)
        return Response(b"[%b%b%b" % (others, b"," if own != b"[]" else b"", own[1:]), media_type="application/json")


@pytest.mark.slow
def test_whoever_keeps_many_events_is_told_that_a_probe_can_select() -> None:
    for consumer, is_told in ((Full, True), (Slow, False)):
        result = checked(application(consumer(Store(), None)), budget=3_000)
        assert result.headline is not None
        assert ("let the probe select events by {mailIds}" in result.headline) == is_told, result.headline


def test_a_rule_cut_short_makes_do_with_fewer_requests_or_reports_what_it_has_seen() -> None:
    result = checked(application(Slow(Store(), None)), budget=3_000, rules=("responds-200", "survives-many-requests"))
    found = finding(result, "survives-many-requests")
    assert found.outcome == "pass"
    [fact] = [fact for fact in found.facts if isinstance(fact, Fewer)]
    assert 1 <= fact.done < fact.of
    assert (
        result.headline
        == f"no violation in 2 of 2 rules; 1 passed with fewer requests than usual (--budget): {found.id}"
    )
    assert found.actual.endswith(f"only {fact.done} of {fact.of}, since there was no time for more (--budget)")


class StopsAccepting(Slow):
    """Responds 500 to everything but the first batches, and takes long for that."""

    batches = 6

    async def process(self, events: list[Event]) -> None:
        self.batches -= 1
        if self.batches < 0:
            await asyncio.sleep(0.4)
            raise ConnectionError
        await super().process(events)


@pytest.mark.slow
def test_what_a_rule_has_seen_when_it_is_cut_short_is_a_suspicion_at_least() -> None:
    result = checked(application(StopsAccepting(Store(), None)), budget=2_500, skip=("recovers-from-failed-batch",))
    seen = [one for one in result.rules if one.outcome in ("fail", "warn")]
    assert seen
    assert not result.compliant
    facts = [fact for one in seen for fact in one.facts]
    assert [fact for fact in facts if not isinstance(fact, Unfinished | NotReached)]


@pytest.mark.slow
def test_capacity_is_a_finding_with_what_an_outage_costs() -> None:
    result = checked(consumer_app("recounts-after-full-batch"), rules=("keeps-up",), rate=20)
    found = finding(result, "keeps-up")
    assert (found.outcome, found.identity) == ("warn", "slow, webhooks in turn")
    [fact] = found.facts
    assert isinstance(fact, Capacity)
    assert 20 < fact.per_second < EVENTS_PER_SECOND_MIN
    assert f"Stores {fact.per_second} events in a second: the backlog of an outage of 2h at 20 events" in found.actual
    assert found.actual.endswith(" to drain; webhooks wait for each other")


@pytest.mark.parametrize(("rate", "outcome"), [(50, "pass"), (60, "pass"), (10**8, "warn")])
def test_a_consumer_has_to_store_as_many_events_as_arrive(rate: int, outcome: str) -> None:
    found = finding(checked(consumer_app(), rules=("keeps-up",), rate=rate), "keeps-up")
    assert found.outcome == outcome
    if outcome == "pass":
        assert found.actual == f"Stores at least {rate} events in a second"
    else:
        assert "at 100,000,000 events in a second (--rate) never drains" in found.actual


def test_the_most_telling_rules_exist() -> None:
    assert set(TELLING) <= {rule.id for rule in CATALOGUE}


def test_there_is_no_pace_before_the_first_request() -> None:
    class Never:
        faults = frozenset()

    assert Paced(Never()).milliseconds == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(("rules", "noted"), [(("once-after-lost-response",), True), (("responds-200",), False)])
def test_a_check_says_for_how_long_memory_was_examined(rules: tuple[str, ...], noted: bool) -> None:
    result = checked(consumer_app(), rules=rules)
    lines = ["".join(text for text, _ in line) for line in headline_lines(result, 51_980)]
    assert result.notes == (("memory",) if noted else ())
    said = "  deduplication memory longer than this check (51 s of wall time) was not examined: try "
    assert any(line.startswith(said) for line in lines) == noted


def test_without_a_time_the_note_is_the_same_in_every_run() -> None:
    assert note("memory").startswith("deduplication memory longer than this check was not examined: ")


@pytest.mark.parametrize(("memory", "outcome"), [(0, "pass"), (10 * MINUTE, "fail")])
def test_a_check_waits_once_for_keys_that_live_for_minutes_in_a_cache(
    monkeypatch: pytest.MonkeyPatch, memory: int, outcome: str
) -> None:
    waited: list[int] = []

    class Caches(Consumer):
        """Keeps deduplication keys in a cache for five minutes of wall time."""

        def key(self, event: Event) -> bytes:
            expired = sum(waited) // (5 * MINUTE)
            return super().key(event) + b"%d" % expired

    async def note(milliseconds: int) -> None:
        waited.append(milliseconds)

    monkeypatch.setattr(examiner, "pause", note)
    rules = ("once-after-lost-response", "once-at-end-of-check", "recovers-from-failed-batch")
    result = checked(application(Caches(Store(), None)), rules=rules, memory=memory, budget=MINUTE)
    assert {one.id: one.outcome for one in result.rules} == {
        "once-after-lost-response": "pass",
        "once-at-end-of-check": outcome,
        "recovers-from-failed-batch": "pass",
    }
    assert len(waited) == (memory > 0)
    assert all(memory - MINUTE < milliseconds <= memory for milliseconds in waited)
