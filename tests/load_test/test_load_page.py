"""The page about a load: what its plots show."""

from __future__ import annotations

import pytest

from mockcampaign.load_test.latencies import Latencies
from mockcampaign.load_test.live_sender import Balance
from mockcampaign.load_test.load_page import load_page
from mockcampaign.load_test.load_result import LoadSample, StepResult, load_result

NOTHING = Latencies().percentiles()


@pytest.mark.parametrize(("together", "is_cut"), [(300, False), (4_900, True)])
def test_the_plot_of_rates_says_what_it_does_not_show(together: int, is_cut: bool) -> None:
    step = StepResult(
        events_per_second=100,
        milliseconds=50_000,
        webhooks=1,
        balance=Balance(created=5_000, accepted=together, discarded=0, pending=5_000 - together),
        batches=50,
        late=0,
        lateness=NOTHING,
        responses=NOTHING,
        deliveries=NOTHING,
        outcomes={},
        samples=[LoadSample(49_000, 4_900, 0, 4_900), LoadSample(50_000, 5_000, together, 5_000 - together)],
        recoveries=[],
        pending_at_end=0,
        drained_after=0,
        interrupted=False,
        verdict="compliant",
        reason="keeps up",
    )
    page = load_page(load_result("http://127.0.0.1/", 1, {}, [step])).decode()
    said = (
        "accepted. The plot ends at 300, which is 3 times the rate of the load; the highest value is 4,900</figcaption>"
    )
    assert (said in page) == is_cut
    assert ("The plot ends at" in page) == is_cut
