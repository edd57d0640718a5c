"""The reports of a whole pytest run, in the formats of the command line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from conftest import Inner
from mockcampaign.judging.verdict import RunResult
from mockcampaign.pytest_plugin import REPORTS
from mockcampaign.report.formats import FORMATS

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
    result.stdout.fnmatch_lines(["mockcampaign: HTML report: out/report.html"])
    report = msgspec.json.decode((pytester.path / "out" / "report.json").read_bytes(), type=RunResult)
    assert {scenario.name: scenario.compliant for scenario in report.scenarios} == {
        "As a file": True,
        "test_it.py::test_a_campaign[200]": True,
        "test_it.py::test_a_campaign[204]": False,
    }
    assert report.deliveries.delivered == 10
    assert b"test_a_campaign[204]" in (pytester.path / "out" / "report.html").read_bytes()


def test_every_format_of_the_table_is_an_option_that_writes_its_file(inner: Inner, pytester: pytest.Pytester) -> None:
    result = inner(SOURCE, *(f"--mockcampaign-{report.option}=out/{report.option}" for report in FORMATS))
    result.assert_outcomes(passed=3, errors=1)
    for report in FORMATS:
        result.stdout.fnmatch_lines([f"mockcampaign: {report.name} report: out/{report.option}"])
        assert "204 (1 attempt)" in pytester.path.joinpath("out", report.option).read_text()


def test_the_result_of_a_failed_test_is_not_compliant(inner: Inner, pytester: pytest.Pytester) -> None:
    inner(
        """
        import pytest

        @pytest.fixture
        def sent(campaign, app):
            campaign.emit(campaign.webhook("open", target=app), 350)
            campaign.run()

        @pytest.fixture
        def broken(sent):
            raise OSError("no database")

        @pytest.fixture
        def broken_afterwards(sent):
            yield
            raise OSError("still locked")

        def test_failed(sent, campaign):
            assert len(campaign.delivered) == 250

        def test_setup(broken):
            pass

        def test_teardown(broken_afterwards):
            pass

        def test_skipped(sent):
            pytest.skip("not today")
        """,
        "--mockcampaign-report-json=report.json",
    ).assert_outcomes(failed=1, passed=1, errors=2, skipped=1)
    report = msgspec.json.decode((pytester.path / "report.json").read_bytes(), type=RunResult)
    assert not report.compliant
    assert {
        scenario.name.partition("::")[2]: (scenario.verdict, [finding.actual for finding in scenario.expectations])
        for scenario in report.scenarios
    } == {
        "test_failed": ("violated", ["AssertionError: assert 350 == 250"]),
        "test_setup": ("violated", ["OSError: no database"]),
        "test_teardown": ("violated", ["OSError: still locked"]),
        "test_skipped": ("compliant", []),
    }


@pytest.mark.slow
def test_violations_a_test_allows_or_asks_about_are_known_in_every_format(
    inner: Inner, pytester: pytest.Pytester
) -> None:
    result = inner(
        """
        import pytest
        from mockcampaign.samples.consumer import consumer_app

        @pytest.fixture
        def violated(campaign, app):
            app.status = 204
            campaign.emit(campaign.webhook("open", target=app))
            campaign.advance("9s")

        @pytest.mark.mockcampaign(allow=["responds-200"])
        def test_allowed(violated):
            pass

        def test_allowed_later(violated, campaign):
            campaign.assert_compliant(allow=["responds-200"])

        def test_asked(violated, campaign):
            with pytest.raises(AssertionError, match="responds-200"):
                campaign.assert_compliant()

        @pytest.mark.mockcampaign(allow=["responds-200"])
        def test_allowed_but_failed(violated):
            assert False

        def test_asked_but_failed(violated, campaign):
            campaign.assert_compliant()

        def test_asked_before(violated, campaign, app):
            with pytest.raises(AssertionError, match="responds-200"):
                campaign.assert_compliant()
            app.status = 302
            campaign.advance("20s")

        def test_check(campaign_check):
            campaign_check(consumer_app("responds-204"), "/hook", rules=["responds-200"], allow=["responds-200"])
        """,
        "--mockcampaign-report-json=report.json",
        "--mockcampaign-html=report.html",
    )
    result.assert_outcomes(failed=2, passed=5, errors=1)
    assert (
        "known Responds 200, and no other status, to a batch it accepts" in result.stdout.str()
    )  # of the one that failed otherwise
    report = msgspec.json.decode((pytester.path / "report.json").read_bytes(), type=RunResult)
    assert {
        scenario.name.partition("::")[2] or scenario.name: (
            scenario.verdict,
            *((finding.outcome, finding.known) for finding in scenario.rules if finding.id == "responds-200"),
        )
        for scenario in report.scenarios
    } == {
        "test_allowed": ("compliant", ("fail", True)),
        "test_allowed_later": ("compliant", ("fail", True)),
        "test_asked": ("compliant", ("fail", True)),
        "test_allowed_but_failed": ("violated", ("fail", True)),
        "test_asked_but_failed": ("violated", ("fail", False)),
        "test_asked_before": ("violated", ("fail", False)),
        "responds-200": ("compliant", ("fail", True)),
    }
    assert not report.compliant


def test_a_run_in_which_all_violations_are_allowed_is_compliant(inner: Inner, pytester: pytest.Pytester) -> None:
    inner(
        SOURCE.replace("    @pytest", "    @pytest.mark.mockcampaign(allow=['responds-200'])\n    @pytest", 1),
        "--mockcampaign-report-json=report.json",
        "--mockcampaign-html=report.html",
    ).assert_outcomes(passed=3)
    report = msgspec.json.decode((pytester.path / "report.json").read_bytes(), type=RunResult)
    assert (report.compliant, [finding.known for finding in report.rules]) == (True, [True, False, False])
    page = " ".join((pytester.path / "report.html").read_text().split())
    assert '<header class="top compliant">' in page
    assert '<td class="outcome known">' in page
    assert '<td class="outcome fail">' not in page


def test_a_run_without_campaigns_says_so(inner: Inner) -> None:
    inner("def test_none(): pass", "--mockcampaign-html=report.html").stdout.fnmatch_lines(
        ["mockcampaign: no test has used a campaign, so nothing was written"]
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_report_that_cannot_be_written_fails_no_test(inner: Inner) -> None:
    source = "def test_it(campaign, app): campaign.emit(campaign.webhook('open', target=app)); campaign.run()"
    result = inner(source, "--mockcampaign-junit=/dev/full")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["mockcampaign: JUnit report: /dev/full: cannot be written: No space left on device"])


def test_the_plugin_has_an_option_for_each_format() -> None:
    assert {report.option: report.help for report in FORMATS} == REPORTS


BASELINE = """
format = 1
[[accepted]]
scenario = "test_it.py::test_a_campaign"
rule = "responds-200"
identity = "204"
[[accepted]]
scenario = "As a file"
rule = "opens.attempts"
identity = "9"
[[accepted]]
scenario = "responds-200"
rule = "responds-200"
identity = "204 to batch"
"""


@pytest.mark.slow
def test_a_baseline_accepts_violations_of_campaigns_scenarios_and_checks(
    inner: Inner, pytester: pytest.Pytester
) -> None:
    (pytester.path / "accepted.toml").write_text(BASELINE)
    (pytester.path / "t.scenario.yaml").write_text(f"{SCENARIO}  - expect: {{opens: {{attempts: 9}}}}\n")
    inner(
        """
        from mockcampaign.samples.consumer import consumer_app

        def test_a_campaign(campaign, app):
            app.status = 204
            campaign.emit(campaign.webhook("open", target=app))
            campaign.advance("9s")

        def test_another(campaign, app):
            app.status = 204
            campaign.emit(campaign.webhook("open", target=app))
            campaign.advance("9s")

        def test_check(campaign_check):
            campaign_check(consumer_app("responds-204"), "/hook", rules=["responds-200"])
        """,
        "--mockcampaign-baseline=accepted.toml",
    ).assert_outcomes(passed=4, errors=1)


def test_a_baseline_that_is_none_ends_the_run_before_its_first_test(inner: Inner) -> None:
    result = inner("def test_it(): pass", "--mockcampaign-baseline=none.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --mockcampaign-baseline none.toml: cannot be read: No such file or directory"])
