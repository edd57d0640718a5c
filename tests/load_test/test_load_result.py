"""The verdict on a load, from numbers alone."""

from __future__ import annotations

from typing import Any

import pytest

from mockcampaign.load_test.arrivals import PlannedOutage
from mockcampaign.load_test.latencies import Latencies
from mockcampaign.load_test.live_sender import Balance
from mockcampaign.load_test.load_result import Judged, LoadSample, StepResult, judged, load_result, pace_of_machine
from mockcampaign.load_test.load_text import knee_sentence, load_lines, recovered, step_lines
from mockcampaign.load_test.recoveries import Recovery

RATE, LENGTH, DRAINED, RETRY = 1_000, 60_000, 800, 10_000
NOTHING = Latencies().percentiles()


def backlog(*pending: int) -> list[LoadSample]:
    """Give a sample each ten seconds."""
    return [LoadSample(at * 10_000, at * 10_000, at * 10_000 - number, number) for at, number in enumerate(pending)]


def recovery(end: int = 20_000, *, drained_after: int | None = None) -> Recovery:
    return Recovery(outage=PlannedOutage(10_000, end), backlog=9_000, drained_after=drained_after)


def verdict(*pending: int, **changed: Any) -> Judged:
    values: dict[str, Any] = {
        "rate": RATE,
        "milliseconds": LENGTH,
        "balance": Balance(created=60_000, accepted=60_000, discarded=0, pending=0),
        "batches": 1_000,
        "late": 0,
        "samples": backlog(*pending),
        "recoveries": [],
        "drained": DRAINED,
        "retry_interval": RETRY,
    }
    return judged(**{**values, **changed})


@pytest.mark.parametrize("pending", [(0, 9_000, 9_000, 9_000, 9_000, 800, 9_000), (0, 0, 0, 0, 0, 0, 0)])
def test_a_backlog_that_comes_down_in_the_last_quarter_is_none(pending: tuple[int, ...]) -> None:
    assert verdict(*pending) == Judged("compliant", "keeps up with 1,000 events/s")


def test_a_backlog_that_grows_is_not_kept_up_with() -> None:
    found = verdict(0, 200, 400, 500, 600, 801, 900)
    assert found == Judged(
        "violated", "does not keep up with 1,000 events/s: 900 events were pending when the load ended"
    )


@pytest.mark.parametrize(
    ("pending", "accepted_after", "expected"),
    [
        (29, None, "compliant"),
        (30, None, "violated"),
        (60, None, "violated"),
        (60, 9_999, "compliant"),
        (60, 10_000, "violated"),
    ],
)
def test_few_events_do_not_hide_that_they_are_pending(pending: int, accepted_after: int | None, expected: str) -> None:
    samples = [LoadSample(LENGTH, 60, 60 - pending, pending)]
    left = pending
    if accepted_after is not None:
        samples.append(LoadSample(LENGTH + accepted_after, 60, 60, 0))
        left = 0
    balance = Balance(created=60, accepted=60 - left, discarded=0, pending=left)
    assert verdict(samples=samples, balance=balance).verdict == expected


def test_what_comes_down_only_after_the_load_does_not_count() -> None:
    assert verdict(0, 900, 900, 900, 900, 900, 900, 0).verdict == "violated"


@pytest.mark.parametrize(
    ("batches", "late", "percent_max", "expected"),
    [
        (0, 0, 0.1, "fast enough"),
        (27, 1, 0.1, "fast enough"),
        (27, 4, 0.1, "fast enough"),
        (27, 5, 0.1, "too slow"),
        (1_000, 4, 0.1, "fast enough"),
        (5_000, 5, 0.1, "fast enough"),
        (5_000, 6, 0.1, "too slow"),
        (27, 5, 20, "fast enough"),
        (1, 1, 0.1, "too few batches"),
        (4, 2, 0.1, "fast enough"),
        (4, 3, 0.1, "too few batches"),
        (4, 4, 100, "fast enough"),
        (4, 1, 0, "fast enough"),
    ],
)
def test_late_batches_tell_whether_a_machine_is_fast_enough(
    batches: int, late: int, percent_max: float, expected: str
) -> None:
    assert pace_of_machine(batches, late, percent_max) == expected


def test_a_machine_that_is_too_slow_is_named() -> None:
    assert verdict(0, 0, 0, 0, 0, 0, 0, late=5) == Judged(
        "could-not-tell",
        "0.5 % of batches started more than 5 ms late: this machine cannot keep 1,000 events/s; "
        "results are those of a smaller load",
    )
    assert verdict(0, 0, 0, 0, 0, 0, 0, late=5, late_percent_max=0.5).verdict == "compliant"


def test_a_few_late_batches_are_not_blamed_on_the_machine() -> None:
    assert verdict(0, 0, 0, 0, 0, 0, 0, batches=27, late=1).verdict == "compliant"
    assert verdict(0, 0, 0, 0, 0, 0, 0, batches=4, late=3) == Judged(
        "could-not-tell",
        "3 of 4 batches started more than 5 ms late, and these are too few to judge this machine: give a longer --for",
    )


def test_a_drained_backlog_of_an_outage_is_told_with_its_time() -> None:
    assert verdict(0, 100, 9_000, 4_000, 700, 100, 0, recoveries=[recovery(drained_after=21_500)]).reason == (
        "keeps up with 1,000 events/s, and drains the backlog of an outage within 21s500ms"
    )


@pytest.mark.parametrize("drained_after", [None, 40_001])
def test_a_backlog_that_still_drains_is_inconclusive(drained_after: int | None) -> None:
    found = verdict(0, 0, 9_000, 8_000, 7_000, 6_000, 5_000, recoveries=[recovery(drained_after=drained_after)])
    assert found.verdict == "could-not-tell"
    assert "about 42s more is needed, so give a longer --for" in found.reason
    assert verdict(0, 0, 9_000, 0, 0, 0, 0, recoveries=[recovery(drained_after=drained_after)]) == Judged(
        "could-not-tell",
        "an event that was pending at the end of an outage was still pending when the load ended, so give a longer "
        "--for",
    )


@pytest.mark.parametrize("pending", [0, 9_000, 99_000])
def test_a_load_that_ends_before_the_retries_after_an_outage_is_inconclusive(pending: int) -> None:
    assert verdict(0, 0, 0, 0, 0, pending, pending, recoveries=[recovery(55_000, drained_after=9_239)]) == Judged(
        "could-not-tell",
        "the load ended 5s after the outage, before its backlog was drained: Campaign retries a batch after 10s, so "
        "give a --for well over 1m5s",
    )


def test_a_backlog_that_grows_after_an_outage_is_not_kept_up_with() -> None:
    assert verdict(0, 0, 9_000, 9_100, 9_200, 9_300, 9_400, recoveries=[recovery()]).verdict == "violated"


@pytest.mark.parametrize(
    ("backlog", "drained_after", "said"),
    [
        (50, 900, "50 events pending at its end, drained 900ms later"),
        (50, 40_000, "50 events pending at its end, drained 40s later"),
        (50, 40_001, "50 events pending at its end, drained 40s1ms later, when the load had ended"),
        (50, None, "50 events pending at its end, not drained"),
        (None, None, "the load was over before its end"),
    ],
)
def test_an_outage_is_told_with_what_became_of_its_backlog(
    backlog: int | None, drained_after: int | None, said: str
) -> None:
    one = Recovery(outage=PlannedOutage(10_000, 20_000), backlog=backlog, drained_after=drained_after)
    assert recovered(one, LENGTH) == f"10s to 20s: {said}"


def test_a_load_that_ended_because_of_its_backlog_is_not_kept_up_with() -> None:
    balance = Balance(created=9_100, accepted=0, discarded=0, pending=9_100)
    assert verdict(0, 9_100, balance=balance, full_at=9_000) == Judged(
        "violated",
        "does not keep up with 1,000 events/s: 9,100 events were pending after 9s, and the load ended, because no more "
        "are kept (--pending-max)",
    )


def test_a_missing_event_is_our_bug() -> None:
    found = verdict(0, 0, 0, 0, 0, 0, 0, balance=Balance(created=3, accepted=1, discarded=0, pending=1))
    assert found.verdict == "could-not-tell"
    assert found.reason.endswith("this is a bug of mockcampaign")


def test_an_interrupted_load_is_inconclusive() -> None:
    assert verdict(0, 0, 0, interrupted=True) == Judged("could-not-tell", "interrupted before the load ended")


def step(rate: int, found: Judged) -> StepResult:
    return StepResult(
        events_per_second=rate,
        milliseconds=LENGTH,
        webhooks=8,
        balance=Balance(created=60_000, accepted=59_000, discarded=0, pending=1_000),
        batches=600,
        late=0,
        lateness=NOTHING,
        responses=NOTHING,
        deliveries=NOTHING,
        outcomes={"responded 200": 590, "responded 503": 10},
        samples=backlog(0, 100, 1_000),
        recoveries=[],
        pending_at_end=1_000,
        drained_after=None,
        interrupted=False,
        verdict=found.verdict,
        reason=found.reason,
    )


KEEPS, FAILS = Judged("compliant", "keeps up"), Judged("violated", "does not keep up")
UNKNOWN = Judged("could-not-tell", "this machine cannot keep the rate")


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([KEEPS, KEEPS], "The knee is above 2,000 events/s, the highest rate"),
        ([KEEPS, FAILS], "The knee is at 1,000 events/s, the highest rate that the consumer kept up with"),
        ([FAILS], "The consumer kept up with no rate; the lowest was 1,000 events/s"),
        (
            [KEEPS, UNKNOWN],
            "The consumer kept up with 1,000 events/s; whether it keeps up with 2,000 events/s is inconclusive",
        ),
        ([UNKNOWN], "Whether the consumer keeps up with 1,000 events/s is inconclusive"),
    ],
)
def test_the_knee_is_the_highest_rate_that_was_kept_up_with(steps: list[Judged], sentence: str) -> None:
    found = load_result("http://127.0.0.1/", 1, {}, [step(number * 1_000, one) for number, one in enumerate(steps, 1)])
    assert knee_sentence(found) == sentence
    assert found.verdict == steps[0].verdict


def test_the_last_line_is_about_the_highest_rate_that_was_kept_up_with() -> None:
    verdicts = [Judged(KEEPS.verdict, f"keeps up with {rate} events/s") for rate in (1, 2)]
    found = load_result("http://127.0.0.1/", 1, {}, [step(1_000, one) for one in (*verdicts, FAILS)])
    *_, last = load_lines(found)
    assert "".join(text for text, _ in last) == "Keeps up with 2 events/s"


def test_the_text_has_every_number() -> None:
    lines = ["".join(text for text, _ in line) for line in step_lines(step(1_000, FAILS))]
    assert lines[:2] == [
        "1,000 events/s for 1m, 8 webhooks",
        "  events    60,000 created = 59,000 accepted + 0 discarded + 1,000 pending",
    ]
    assert lines[5:] == [
        "  outcomes  590 responded 200, 10 responded 503",
        "  backlog   1,000 events at most, 1,000 at the end of the load, not drained",
        "  result    does not keep up",
    ]
    [last] = load_lines(load_result("http://127.0.0.1/", 1, {}, [step(1_000, FAILS)]))
    assert "".join(text for text, _ in last) == "Does not keep up: does not keep up"


def test_percentiles_are_exact_to_three_digits() -> None:
    found = Latencies()
    for value in range(1, 100_001):
        found.record(value)
    percentiles = found.percentiles()
    assert percentiles.count == 100_000
    assert percentiles.p50 == pytest.approx(50_000, rel=0.001)
    assert percentiles.p99_9 == pytest.approx(99_900, rel=0.001)
    assert percentiles.max == pytest.approx(100_000, rel=0.001)
    assert percentiles.curve[-1] == (100.0, percentiles.max)
