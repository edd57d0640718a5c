"""The page about a load: what its plots show."""

from __future__ import annotations

from pathlib import Path

import pytest

from browsers import browser, clean_page, violations
from mockcampaign.load_test.latencies import Latencies, Percentiles
from mockcampaign.load_test.live_sender import Balance
from mockcampaign.load_test.load_page import load_page
from mockcampaign.load_test.load_result import LoadSample, StepResult, load_result

NOTHING = Latencies().percentiles()


def step_with(together: int, latencies: Percentiles = NOTHING) -> StepResult:
    """Return a load of 50 s whose events are accepted only at its end, so many of them."""
    return StepResult(
        events_per_second=100,
        milliseconds=50_000,
        webhooks=1,
        balance=Balance(created=5_000, accepted=together, discarded=0, pending=5_000 - together),
        batches=50,
        late=0,
        lateness=NOTHING,
        responses=latencies,
        deliveries=latencies,
        outcomes={},
        samples=[LoadSample(49_000, 4_900, 0, 4_900), LoadSample(50_000, 5_000, together, 5_000 - together)],
        recoveries=[],
        pending_at_end=0,
        drained_after=0,
        interrupted=False,
        verdict="compliant",
        reason="keeps up",
    )


@pytest.mark.parametrize(("together", "is_cut"), [(300, False), (4_900, True)])
def test_the_plot_of_rates_says_what_it_does_not_show(together: int, is_cut: bool) -> None:
    step = step_with(together)
    page = load_page(load_result("http://127.0.0.1/", 1, {}, [step])).decode()
    said = (
        "accepted. The plot ends at 300, which is 3 times the rate of the load; the highest value is 4,900</figcaption>"
    )
    assert (said in page) == is_cut
    assert ("The plot ends at" in page) == is_cut


@pytest.mark.slow
def test_it_fits_every_window_and_is_accessible(tmp_path: Path) -> None:
    latencies = Latencies()
    for microseconds in range(100, 20_000, 100):
        latencies.record(microseconds)
    steps = [step_with(4_900, latencies.percentiles()), step_with(4_900)]
    file = tmp_path / "load.html"
    file.write_bytes(load_page(load_result("http://127.0.0.1/hook/of/a/consumer", 1, {"mockcampaign": "1"}, steps)))
    with browser() as running, clean_page(running, file.as_uri()) as page:
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        # A plot without anything in it is left out.
        assert page.locator("figure canvas").count() == page.locator("figure").count() == 5
        for width in (390, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            # Plots follow the window a moment later.
            page.wait_for_function("width => document.documentElement.scrollWidth === width", arg=width)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert violations(page) == [], (width, scheme)
