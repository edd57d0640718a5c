from __future__ import annotations

import pytest

from mockcampaign.engine.journal import OutageDeclared, OutageEnded
from mockcampaign.engine.outages import Outages
from mockcampaign.faults import DnsFailure, Refused


@pytest.mark.parametrize(("now", "met"), [(9, False), (10, True), (19, True), (20, False)])
def test_an_outage_lasts_from_its_declaration_to_just_before_its_end(now: int, met: bool) -> None:
    outages = Outages()
    declared = outages.declare("refused", 10, 20, ())
    assert declared == OutageDeclared(at=10, until=20, kind="refused", webhook_ids=())
    assert outages.current(1, now) == (declared if met else None)
    assert outages.faults(1, now) == ((Refused(),) if met else ())


def test_an_outage_concerns_the_webhooks_that_it_names() -> None:
    outages = Outages()
    outages.declare("refused", 0, 20, (1, 2))
    assert [bool(outages.faults(webhook_id, 5)) for webhook_id in (1, 2, 3)] == [True, True, False]


def test_the_latest_of_several_outages_decides() -> None:
    outages = Outages()
    outages.declare("refused", 0, 20, ())
    outages.declare("dns-failure", 0, 10, (1,))
    assert [outages.faults(1, now) for now in (5, 15)] == [(DnsFailure(),), (Refused(),)]
    assert outages.faults(2, 5) == (Refused(),)


@pytest.mark.parametrize(("ended", "still"), [((), []), ((1,), [2]), ((1, 2), [])])
def test_outages_end_for_the_named_webhooks_or_for_all(ended: tuple[int, ...], still: list[int]) -> None:
    outages = Outages()
    outages.declare("refused", 0, 20, ())
    assert outages.end(5, ended) == OutageEnded(at=5, webhook_ids=ended)
    assert [webhook_id for webhook_id in (1, 2) if outages.current(webhook_id, 6)] == still


def test_outages_that_are_over_are_forgotten() -> None:
    outages = Outages()
    for begin in range(100):
        outages.declare("refused", begin, begin + 1, ())
    assert len(outages.declared) == 1
