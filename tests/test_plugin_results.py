"""The results of a whole pytest run, as every other door has them."""

from __future__ import annotations

import msgspec
import pytest
from conftest import Inner

from mockcampaign.report.results import RunResult

SOURCE = """
    import pytest

    @pytest.mark.parametrize("status", [200, 204])
    def test_a_campaign(campaign, app, status):
        app.status = status
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.advance("9s")

    def test_none():
        pass
    """
SCENARIO = """
name: As a file
consumer: {url: http://127.0.0.1:1/, fixture: app}
webhooks: {opens: {type: open}}
steps:
  - activate: opens
  - emit: {type: open, count: 7}
  - run: until-idle
"""


@pytest.mark.parametrize("processes", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_one_report_of_all_campaigns(inner: Inner, pytester: pytest.Pytester, processes: int) -> None:
    (pytester.path / "t.scenario.yaml").write_text(SCENARIO)
    files = ("--mockcampaign-html=out/report.html", "--mockcampaign-report-json=out/report.json")
    xdist = ["-n", str(processes)] if processes else []
    result = inner(SOURCE, *files, *xdist, plugins=("xdist",) if processes else ())
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["mockcampaign: html report: out/report.html"])
    report = msgspec.json.decode((pytester.path / "out" / "report.json").read_bytes(), type=RunResult)
    assert {scenario.name: scenario.compliant for scenario in report.scenarios} == {
        "As a file": True,
        "test_it.py::test_a_campaign[200]": True,
        "test_it.py::test_a_campaign[204]": False,
    }
    assert report.deliveries.delivered == 10
    assert b"test_a_campaign[204]" in (pytester.path / "out" / "report.html").read_bytes()


def test_a_run_without_campaigns_says_so(inner: Inner) -> None:
    inner("def test_none(): pass", "--mockcampaign-html=report.html").stdout.fnmatch_lines(
        ["mockcampaign: no test has used a campaign, so nothing was written"]
    )
