"""The journal as lines that a person reads: every kind of entry has its own, or is left out on purpose."""

from __future__ import annotations

import msgspec

from builders import START, activated, exporter, happen, run
from mockcampaign.engine.journal import Requested, Verified
from mockcampaign.model import EventType, NoAnswer, Responded
from mockcampaign.report.timeline import timeline


def test_what_is_sent_outside_the_delivery_rules_has_lines_too() -> None:
    box = exporter()
    activated(box)
    activated(box, EventType.CLICK)
    sample = (msgspec.Raw(b"{}"),) * 2
    box.journal.append(Verified(at=START, webhook_id=1, events=sample, outcome=Responded(200)))
    silent = NoAnswer("connect", "connection refused")
    box.journal.append(Verified(at=START, webhook_id=2, events=sample[:1], outcome=silent))
    box.journal.append(Requested(at=START, method="GET", what="no body", body_bytes=0, outcome=Responded(405)))
    lines = list(timeline(box.journal.entries, {1: "opens"}))[4:]
    assert [(line.who, line.what, line.came_to, line.accepted) for line in lines] == [
        ("opens", "verify with 2 sample events", "answered 200", True),
        ("webhook 2", "verify with 1 sample event", "connection refused", False),
        ("", "GET: no body", "answered 405", None),
    ]


def test_an_outage_that_is_mended_says_for_whom() -> None:
    box = exporter()
    activated(box)
    box.declare_outage("refused", START + 60_000)
    happen(box)
    run(box, until=START + 10_000)
    box.mend((1,))
    run(box, until=START + 20_000)
    box.mend()
    lines = [(line.when, line.who, line.what) for line in timeline(box.journal.entries, {1: "opens"})]
    assert ("+10s", "opens", "outage mended") in lines
    assert lines[-1] == ("+20s", "", "outage mended")


def test_equal_neighbours_are_one_line() -> None:
    box = exporter()
    activated(box)
    happen(box, 250)
    run(box)
    lines = [line.what for line in timeline(box.journal.entries, {})]
    assert lines[2:] == ["250 open events", "2 lists of 100", "list of 50"]
