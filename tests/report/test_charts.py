"""What a plot shows, moment by moment, and how much of a run's attempts a page has room for."""

from __future__ import annotations

import pytest

from attempts import many_attempts
from builders import OK, START, Consumer, activated, exporter, happen, run
from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.journal import Attempted
from mockcampaign.faults import LOST, LostAck
from mockcampaign.model import EventType, Responded
from mockcampaign.policy import Policy
from mockcampaign.report.attempts import DETAILS, Detail, attempts
from mockcampaign.report.charts import POINTS_MAX, Band, Chart, chart, pending_max

MINUTE = 60_000


def charted(box: Exporter, webhook_id: int = 1) -> Chart:
    return chart(box.journal.entries, webhook_id, START, box.clock.now)


def test_what_is_pending_rises_with_events_and_falls_with_deliveries() -> None:
    box = exporter()
    activated(box)
    happen(box, 150)
    run(box, Consumer(lambda number: OK if number > 1 else Responded(500)))
    assert charted(box).pending == [(0, 0), (0, 150), (10_000, 50), (10_000, 0)]
    assert pending_max(charted(box)) == 150


def test_what_is_discarded_is_pending_no_more() -> None:
    box = exporter(policy=Policy(event_age_max=20_000))
    activated(box)
    happen(box, 3)
    run(box, Consumer(Responded(500)))
    shown = charted(box)
    assert shown.pending[-1] == (20_000, 0)
    assert shown.discards == [(20_000, 3, "expired")]


def test_each_webhook_has_its_own_plot() -> None:
    box = exporter()
    activated(box)
    activated(box, EventType.CLICK)
    happen(box, 2)
    happen(box, 5, EventType.CLICK)
    box.declare_outage("refused", START + MINUTE, (2,))
    run(box)
    assert (pending_max(charted(box, 1)), pending_max(charted(box, 2))) == (2, 5)
    assert (charted(box, 1).bands, len(charted(box, 2).bands)) == ([], 1)


@pytest.mark.parametrize(("mended", "end"), [(None, 60_000), ((), 30_000), ((1,), 30_000), ((2,), 60_000)])
def test_an_outage_is_a_band_until_it_ends_or_is_mended(mended: tuple[int, ...] | None, end: int) -> None:
    box = exporter()
    activated(box)
    activated(box, EventType.CLICK)
    box.declare_outage("refused", START + MINUTE)
    happen(box)
    run(box, until=START + 30_000)
    if mended is not None:
        box.end_outage(mended)
    run(box, until=START + 2 * MINUTE)
    assert charted(box).bands == [Band(start=0, end=end, what="outage for 1m: refused", kind="outage")]


@pytest.mark.parametrize(
    ("when", "ended", "end"),
    [
        (When(), None, 60_000),
        (When(duration=20_000), None, 20_000),
        (When(times=2), None, 10_000),
        (When(times=9), None, 60_000),
        (When(), 1, 25_000),
    ],
)
def test_a_fault_is_a_band_until_it_can_hit_no_more(when: When, ended: int | None, end: int) -> None:
    box = exporter()
    activated(box)
    box.declare_fault(LostAck(), when)
    happen(box)
    consumer = Consumer(LOST["after-headers"])
    run(box, consumer, until=START + 25_000)
    if ended is not None:
        box.end_fault(ended)
    run(box, consumer, until=START + MINUTE)
    assert charted(box).bands == [Band(start=0, end=end, what="fault lost-ack", kind="fault")]


def test_a_line_has_no_more_points_than_a_screen_and_keeps_its_peaks() -> None:
    journal = many_attempts(POINTS_MAX)
    shown = chart(journal, 1, START, journal[-1].at)
    assert len(shown.pending) <= POINTS_MAX + 1
    assert pending_max(shown) == 1
    assert shown.pending[-1][1] == 0


def test_a_page_shows_as_much_of_each_exchange_as_it_has_room_for() -> None:
    box = exporter()
    activated(box)
    happen(box, 30)
    run(box, Consumer(Responded(200, (("x", "v" * 5_000),), b"b" * 4_096, 9_000)))
    counts = []
    for detail in DETAILS:
        shown = attempts(box.journal.entries, frozenset(), START, 10, detail)
        answer = shown.outcomes[0]
        counts.append((len(shown.events), len(answer.body), sum(len(value) for _, value in answer.headers)))
    assert counts == [(30, 4_096, 4_097), (10, 401, 401), (2, 101, 101), (0, 0 + 1, 0)]


def test_what_failed_and_is_evidence_has_room_before_the_rest() -> None:
    box = exporter()
    activated(box)
    happen(box, 500)
    run(box, Consumer(lambda number: OK if number != 3 else Responded(500)))
    entries = box.journal.entries
    positions = [position for position, entry in enumerate(entries) if isinstance(entry, Attempted)]
    shown = attempts(entries, frozenset([positions[-1]]), START, 2, Detail(events=1, text=10))
    assert [row.position for row in shown.rows] == [positions[2], positions[-1]]
    assert shown.left_out == len(positions) - 2


def test_each_attempt_went_to_where_its_webhook_led_then() -> None:
    box = exporter()
    activated(box, url="http://one/")
    happen(box)
    run(box)
    box.update(7, 1, target_url="http://two/")
    happen(box)
    run(box)
    shown = attempts(box.journal.entries, frozenset(), START, 10, DETAILS[0])
    assert [shown.targets[row.target] for row in shown.rows] == [("http://one/", "none"), ("http://two/", "none")]
