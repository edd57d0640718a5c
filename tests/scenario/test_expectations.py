"""Expectations of `expect` and `wait`, each with a run that meets it and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError
from mockcampaign.judging.finding import Finding
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut
from mockcampaign.model import Request as Sent
from mockcampaign.report.timeline import timeline
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.transport.inprocess import AsgiTransport
from plays import own_plan, played, starlette_consumer


class Answering:
    """Responds with one outcome after another, then with 200."""

    faults: frozenset[Any] = frozenset()

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.requests: list[Sent] = []

    async def send(self, request: Sent) -> Outcome:
        self.requests.append(request)
        return self._outcomes.pop(0) if self._outcomes else Responded(200, (("content-type", "text/plain"),))

    async def aclose(self) -> None:
        pass


BUSY, CUT = Responded(503, (("retry-after", "5"),)), NoResponse("body", "connection closed within the response body")
RUN = ("emit: {type: open, count: 250}", "run: until-idle")


def findings_of(folder: Path, *steps: str, outcomes: tuple[Outcome, ...] = (), probe: bool = False) -> list[Finding]:
    _, findings = played(own_plan(folder, "http://x.test", *steps, probe=probe), Answering(*outcomes))
    return [finding for finding in findings if finding.place is not None]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("in_order: true", None),
        ("in_order: false", "in order"),
        ("outcomes: [503, timed-out, no-response, 200, 200, 200]", None),
        ("outcomes: [503, timed-out, no-response, {outcome: 200, times: 3}]", None),
        ("outcomes: [503, timed-out, no-response, {outcome: 200, times: {at_least: 2}}]", None),
        (
            "outcomes: [{outcome: 503, times: {at_most: 4}}, {outcome: 404, times: {at_most: 1}}, timed-out, "
            "no-response, 200, {outcome: 200, times: {at_least: 1, at_most: 2}}]",
            None,
        ),
        ("outcomes: [503, timed-out, no-response, 200, 200]", "503, timed-out, no-response, 200 (3 times)"),
        (
            "outcomes: [503, timed-out, {outcome: 200, times: {at_least: 3}}]",
            "503, timed-out, no-response, 200 (3 times)",
        ),
        ("outcomes: []", "503, timed-out, no-response, 200 (3 times)"),
        ("latest: {outcome: 200, events: 50, number: 1}", None),
        ("latest: {events: 100}", "attempt 1 with 50 events: 200 after 0s"),
        ("latest: {gap: 0s}", "attempt 1 with 50 events: 200 after 0s"),
        ("any: {outcome: [no-response, not-connected]}", None),
        ("any: {outcome: 503, number: 2}", "none of 6 attempts"),
        ("any: {outcome: timed-out, duration: 10s, gap: {at_least: 10s, at_most: 10s}}", None),
        ('any: {headers: {Retry-After: "5"}}', None),
        ('any: {headers: {retry-after: "6"}}', "none of 6 attempts"),
        ("all: {events: {at_most: 100}}", None),
        ("all: {events: 100}", "1 of 6 attempts not: attempt 1 with 50 events: 200 after 0s"),
        ("all: {gap: 10s}", None),
        (
            "all: {gap: {at_least: 11s}}",
            "3 of 3 attempts not: attempt 2 with 100 events, 10s after the attempt before: timed-out after 10s",
        ),
        ("all: {headers: {retry-after: false}}", "1 of 6 attempts not: attempt 1 with 100 events: 503 after 0s"),
        ("all: {headers: {x-powered-by: false}}", None),
        ("latest: {headers: {Content-Type: true}}", None),
        (
            "all: {number: {at_most: 3}}",
            "1 of 6 attempts not: attempt 4 with 100 events, 10s after the attempt before: 200 after 0s",
        ),
        ("delivered_within: 40s", None),
        ("delivered_within: 39s999ms", "250 events late, the last 40s after its event"),
        ("recovered_within: 10s", "no outage has ended"),
        ("verified: 200", "the webhook was not verified"),
    ],
)
def test_expectations_of_attempts(tmp_path: Path, expected: str, actual: str | None) -> None:
    """The first batch gets 503, a time-out of 10 s, a truncated response, and at last 200."""
    outcomes = (BUSY, TimedOut("wait"), CUT)
    [finding] = findings_of(tmp_path, *RUN, f"expect: {{opens: {{{expected}}}}}", outcomes=outcomes)
    assert finding.outcome == ("pass" if actual is None else "fail")
    if actual is not None:
        assert finding.actual == actual


@pytest.mark.parametrize("expected", ["latest: {outcome: 200}", "any: {outcome: 200}", "all: {outcome: 200}"])
def test_expectations_fail_without_attempts(tmp_path: Path, expected: str) -> None:
    [finding] = findings_of(tmp_path, "emit: {type: open}", f"expect: {{opens: {{{expected}}}}}", "run: until-idle")
    assert (finding.outcome, finding.actual) == ("fail", "no attempt was made")


@pytest.mark.parametrize(
    ("steps", "outcomes", "actual"),
    [
        (("advance: 1ms",), (CUT,), "0; connection closed within the response body, in the only attempt"),
        (("advance: 10s",), (BUSY, BUSY), "0; the consumer responded 503, in all 2 attempts"),
        (("advance: 20s",), (BUSY, CUT, BUSY), "0; the consumer responded 503, in 2 of 3 attempts"),
        (("advance: 20s",), (BUSY, BUSY), "3"),
    ],
)
def test_why_nothing_was_delivered(
    tmp_path: Path, steps: tuple[str, ...], outcomes: tuple[Outcome, ...], actual: str
) -> None:
    emitted = ("emit: {type: open, count: 3}", *steps, "expect: {opens: {delivered: 250}}")
    [finding] = findings_of(tmp_path, *emitted, outcomes=outcomes)
    assert (finding.outcome, finding.actual) == ("fail", actual)


def test_a_gap_needs_a_retry(tmp_path: Path) -> None:
    [finding] = findings_of(tmp_path, *RUN, "expect: {opens: {all: {gap: 10s}}}")
    assert (finding.outcome, finding.actual) == ("fail", "no batch was retried")


def test_a_reordered_batch_is_out_of_order(tmp_path: Path) -> None:
    steps = ("fault: {kind: reorder, times: 1}", *RUN, "expect: {opens: {in_order: true}}")
    [finding] = findings_of(tmp_path, *steps)
    assert (finding.outcome, finding.actual) == ("fail", "events overtook others 1 time")


def test_folded_attempts_of_an_outage_are_matched_one_by_one(tmp_path: Path) -> None:
    steps = (
        "outage: {for: 1h}",
        *RUN,
        "expect: {opens: {outcomes: [{outcome: not-connected, times: 360}, 200, 200, 200], all: {gap: 10s}, "
        "any: {number: 360, outcome: not-connected}, recovered_within: 1ms, delivered_within: 1h}}",
    )
    assert {finding.outcome for finding in findings_of(tmp_path, *steps)} == {"pass"}


def test_time_outs_count_before_the_gap(tmp_path: Path) -> None:
    """Folded attempts take 10 s each and start every 20 s."""
    steps = (
        "outage: {for: 1h, kind: connect-timeout}",
        *RUN,
        "expect: {opens: {all: {gap: 10s}, any: {duration: 10s, gap: 10s, number: 180}, attempts: 183}}",
    )
    assert [finding.outcome for finding in findings_of(tmp_path, *steps)] == ["pass"] * 3


def test_an_event_at_the_end_of_an_outage_was_pending(tmp_path: Path) -> None:
    steps = ("outage: {for: 1h}", "advance: 1h", *RUN, "expect: {opens: {recovered_within: 9s}}")
    [finding] = findings_of(tmp_path, *steps, outcomes=(BUSY,))
    assert (finding.outcome, finding.actual) == ("fail", "250 events late, the last 10s after the outage")


@pytest.mark.parametrize(
    ("steps", "limit", "actual"),
    [
        (("outage: {for: 1h}",), "10s", None),
        (("outage: {for: 1h5s}",), "5s", None),
        (("outage: {for: 1h5s}",), "4s999ms", "250 events late, the last 5s after the outage"),
        (("outage: {for: 1h}", "outage: {for: 2h}"), "1ms", None),
        (("outage: {for: 1h}", "advance: 2h", "outage: {for: 1h5s}"), "5s", None),
        (
            ("outage: {for: 1h}", "advance: 2h", "outage: {for: 1h5s}"),
            "4s",
            "250 events late, the last 5s after the outage",
        ),
        (("emit: {type: open}", "outage: {for: 3d1h}", "advance: 1d"), "1ms", None),
        (("outage: {for: 1h, webhook: others}",), "1h", "no outage has ended"),
    ],
)
def test_recovery(tmp_path: Path, steps: tuple[str, ...], limit: str, actual: str | None) -> None:
    outages = ("create: {others: {type: click}}", *steps)
    [finding] = findings_of(tmp_path, *outages, *RUN, f"expect: {{opens: {{recovered_within: {limit}}}}}")
    assert finding.outcome == ("pass" if actual is None else "fail")
    if actual is not None:
        assert finding.actual == actual


def test_recovery_fails_before_the_next_retry(tmp_path: Path) -> None:
    steps = (
        "emit: {type: open, count: 3}",
        "outage: {for: 5s}",
        "advance: 6s",
        "expect: {opens: {recovered_within: 1h}}",
    )
    [finding] = findings_of(tmp_path, *steps)
    assert (finding.outcome, finding.actual) == ("fail", "3 events not delivered")


def test_undelivered_events_are_late(tmp_path: Path) -> None:
    steps = ("outage: {for: 4d}", *RUN, "expect: {opens: {delivered_within: 3d}}")
    [finding] = findings_of(tmp_path, *steps)
    assert (finding.outcome, finding.actual) == ("fail", "250 events not delivered")


# wait


def test_a_wait_ends_when_its_expectation_is_met(tmp_path: Path) -> None:
    steps = (
        "emit: {type: open, count: 100, over: 100s}",
        "wait: {until: {opens: {attempts: {at_least: 5}}}, for: 1h}",
        "expect: {opens: {attempts: 5, delivered: 5}}",
        "run: until-idle",
    )
    assert [finding.outcome for finding in findings_of(tmp_path, *steps)] == ["pass"] * 3


def test_a_wait_that_is_not_met_fails_after_its_duration(tmp_path: Path) -> None:
    steps = (
        "outage: {for: 2h}",
        "emit: {type: open}",
        "wait: {until: {opens: {delivered: 1}}, for: 1h}",
        "expect: {opens: {attempts: 361}}",
        "wait: {until: {opens: {delivered: 1}}, for: 1d}",
        "expect: {opens: {attempts: 721}}",
    )
    findings = findings_of(tmp_path, *steps)
    assert [finding.outcome for finding in findings] == ["fail", "pass", "pass", "pass"]
    assert (findings[0].actual, findings[0].place is not None) == (
        "0; connection refused (declared: refused), in all 361 attempts",
        True,
    )


@pytest.mark.parametrize(
    ("status", "shown"),
    [(503, "the consumer responded 503"), (204, "the consumer responded 204")],
)
def test_what_nobody_declared_comes_before_an_outage(tmp_path: Path, status: int, shown: str) -> None:
    steps = ("outage: {for: 1h}", "emit: {type: open}", "advance: 61m", "expect: {opens: {delivered: 1}}")
    [finding] = findings_of(tmp_path, *steps, outcomes=(Responded(status),) * 99)
    assert finding.outcome == "fail"
    assert finding.actual.startswith(f"0; {shown}, in 7 attempts; connection refused (declared: refused), in ")


# verify


@pytest.mark.parametrize(
    ("step", "outcomes", "expected", "outcome", "events"),
    [
        ("verify: opens", (Responded(200),), 200, "pass", 1),
        ("verify: {webhook: opens, events: 3}", (Responded(404),), 404, "pass", 3),
        ("verify: opens", (Responded(500),), 200, "fail", 1),
        ("verify: opens", (CUT,), "no-response", "pass", 1),
    ],
)
def test_verification_outcomes(
    tmp_path: Path, step: str, outcomes: tuple[Outcome, ...], expected: object, outcome: str, events: int
) -> None:
    plan = own_plan(tmp_path, "http://x.test", step, f"expect: {{opens: {{verified: {expected}}}}}", probe=False)
    transport = Answering(*outcomes)
    player, findings = played(plan, transport)
    assert [finding.outcome for finding in findings if finding.place] == [outcome]
    [request] = transport.requests
    assert request.body.count(b'"type":"open"') == events
    assert player.campaign.is_idle


def test_an_unreachable_first_verification_is_inconclusive(tmp_path: Path) -> None:
    steps = ("verify: opens", "emit: {type: open, count: 3}", "expect: {opens: {pending: 3}}")
    gone = NoResponse("connect", "connection refused")
    with pytest.raises(ConsumerUnreachableError, match="connection refused at the first attempt"):
        findings_of(tmp_path, *steps, outcomes=(gone,))
    later = ("emit: {type: open}", "run: until-idle", "verify: opens", "expect: {opens: {verified: not-connected}}")
    plan = own_plan(tmp_path, "http://x.test", *later, probe=False)
    _, findings = played(plan, Answering(Responded(200), gone))
    assert [finding.outcome for finding in findings if finding.place] == ["pass"]


def test_a_verification_is_in_the_timeline(tmp_path: Path) -> None:
    plan = own_plan(tmp_path, "http://x.test", "verify: {webhook: opens, events: 3}", probe=False)
    player, _ = played(plan, Answering(Responded(404)))
    *_, line = timeline(player.campaign.journal.entries, {1: "opens"})
    assert (line.who, line.what) == ("opens", "verify with 3 sample events")
    assert (line.came_to, line.accepted) == ("responded 404", False)


def test_a_verification_during_an_outage_is_not_sent(tmp_path: Path) -> None:
    steps = ("outage: {for: 1h}", "verify: opens", "expect: {opens: {verified: not-connected}}")
    [finding] = findings_of(tmp_path, *steps)
    assert finding.outcome == "pass"


# The consumer


def in_background(release: Callable[[], bool]) -> tuple[Any, list[dict[str, Any]]]:
    """Consumer that responds 200 at once, and stores the events when it is released."""
    waiting: list[dict[str, Any]] = []
    done: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        waiting.extend(await request.json())
        return Response("ok")

    class Account:
        def __iter__(self) -> Any:
            if release():
                done.extend(waiting)
                waiting.clear()
            return iter(list(done))

    return starlette_consumer(hook, Account()), done


@pytest.mark.parametrize(("asked_often_enough", "outcome"), [(3, "pass"), (10**9, "fail")])
def test_settle_waits_for_a_consumer_that_stores_in_the_background(
    tmp_path: Path, asked_often_enough: int, outcome: str
) -> None:
    asked = 0

    def release() -> bool:
        nonlocal asked
        asked += 1
        return asked > asked_often_enough

    app, _ = in_background(release)
    patience = "60s" if outcome == "pass" else "60ms"
    plan = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: exactly-once}}")
    text = plan.path.read_text().replace('events: "@"', f'events: "@", settle: {patience}')
    plan.path.write_text(text)
    _, findings = played(load(plan.path), AsgiTransport(app))
    [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
    assert finding.outcome == outcome
    if outcome == "pass":
        assert asked == asked_often_enough + 1, "it is asked no more once the account is as expected"


def projecting(*fields: str, twice: bool = False) -> Any:
    account: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        for event in await request.json():
            account.extend([{name: event[name] for name in fields}] * (1 + twice))
        return Response("ok")

    return starlette_consumer(hook, account)


@pytest.mark.parametrize(
    ("app", "fields", "differs"),
    [
        (projecting("mailId", "created"), "[mailId, created]", None),
        (projecting("mailId", "created"), "[created, mailId]", None),
        (projecting("mailId", "created", "type"), "[mailId, created]", None),
        (projecting("mailId", "created", twice=True), "[mailId, created]", "duplicate"),
        (projecting("mailId"), "[mailId, created]", "altered(created)"),
        (projecting("created"), "[created]", None),
    ],
)
def test_events_are_compared_by_fields(tmp_path: Path, app: Any, fields: str, differs: str | None) -> None:
    steps = ("emit: {type: open, count: 20, over: 1h}", "run: until-idle")
    expected = f"expect: {{consumer: {{processed: exactly-once, fields: {fields}}}}}"
    plan = own_plan(tmp_path, "http://x.test", *steps, expected)
    _, findings = played(plan, AsgiTransport(app))
    [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
    assert finding.outcome == ("pass" if differs is None else "fail")
    assert finding.expected == f"exactly-once, fields {fields[1:-1]}"
    assert finding.identity == (None if differs is None else f"exactly-once, fields {fields[1:-1]}: {differs}")


def test_an_identity_contains_nothing_that_was_seen(tmp_path: Path) -> None:
    expected = "expect: {opens: {attempts: {at_most: 2}}}"
    found = [findings_of(tmp_path, *RUN, expected, outcomes=(BUSY,) * count) for count in (1, 4)]
    assert [[(one.actual, one.identity) for one in findings] for findings in found] == [
        [("4", "at most 2")],
        [("7", "at most 2")],
    ]


def test_a_number_counts_only_events_of_this_run(tmp_path: Path) -> None:
    """Another sender uses the same consumer meanwhile."""
    account: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        account.extend(await request.json())
        account.append({"type": "open", "mailId": "of somebody else"})
        return Response("ok")

    plan = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: 250}}")
    _, findings = played(plan, AsgiTransport(starlette_consumer(hook, account)))
    [finding] = [finding for finding in findings if finding.id == "consumer.processed"]
    assert (finding.outcome, finding.actual) == ("pass", "250")


def test_a_count_that_falls_is_inconclusive(tmp_path: Path) -> None:
    numbers = iter([{"n": 5}, {"n": 4}])

    async def hook(request: Request) -> Response:
        return Response("ok")

    class Shrinking(JSONResponse):
        async def __call__(self, *arguments: Any) -> None:
            await JSONResponse(next(numbers))(*arguments)

    plan_text = own_plan(tmp_path, "http://x.test", *RUN, "expect: {consumer: {processed: 4}}").path
    plan_text.write_text(plan_text.read_text().replace('events: "@"', "count: n"))
    with pytest.raises(CouldNotTellError, match="the number of stored events fell from 5 to 4"):
        played(load(plan_text), AsgiTransport(starlette_consumer(hook, Shrinking({}))))


def test_the_sample_consumer_meets_all_expectations_together(tmp_path: Path) -> None:
    steps = (
        "outage: {for: 1h5s}",
        *RUN,
        "expect: {opens: {delivered: 250, in_order: true, latest: {outcome: 200}, all: {gap: 10s}, "
        "recovered_within: 10s}, consumer: {processed: exactly-once}}",
    )
    _, findings = played(own_plan(tmp_path, "http://x.test", *steps), AsgiTransport(consumer_app()))
    assert {finding.outcome for finding in findings if finding.place} == {"pass"}
