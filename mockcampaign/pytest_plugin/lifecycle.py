"""A test's campaign from setup to teardown: its start, the verdict at its end, and the report of a failing test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from mockcampaign.double.control.campaign_control import CampaignControl
from mockcampaign.double.control.violations import text_of
from mockcampaign.double.in_process import CampaignFixture
from mockcampaign.judging.verdict import ScenarioResult
from mockcampaign.pytest_plugin.campaign_settings import settings_of
from mockcampaign.pytest_plugin.failure_report import report_section, result_of, with_failure
from mockcampaign.pytest_plugin.hypothesis_examples import RENEWABLE, renew_for_each_example
from mockcampaign.pytest_plugin.results import add_results, result_files

CAMPAIGNS = pytest.StashKey[list[CampaignControl]]()
RESULTS = pytest.StashKey[list[tuple[CampaignControl, ScenarioResult]]]()
NOT_PASSED = pytest.StashKey[list[pytest.TestReport]]()

Control = TypeVar("Control", bound=CampaignControl)


@contextmanager
def campaign_for_test(request: pytest.FixtureRequest) -> Iterator[CampaignFixture]:
    """Provide a test with its campaign."""
    campaign = CampaignFixture(settings_of(request.node))
    _leave_loop_after(request.node, campaign)
    with verdict_at_teardown(request.node, campaign):
        yield campaign


@contextmanager
def verdict_at_teardown(item: pytest.Item, campaign: Control) -> Iterator[Control]:
    """Close the campaign after the test, and fail the test for a violation that it has not asked about."""
    item.stash.setdefault(CAMPAIGNS, []).append(campaign)
    renew_for_each_example(item, campaign)
    try:
        yield campaign
    finally:
        failed = bool(item.stash.get(NOT_PASSED, []))
        try:
            if result_files(item.config) is not None:
                result = result_of(campaign, item.nodeid, passed=not failed)
                item.stash.setdefault(RESULTS, []).append((campaign, result))
            campaign.close()
        except Exception:
            campaign.close()
            if not failed:
                raise
    if not failed and (found := campaign.violations()):
        ids = ", ".join(repr(violation.id) for violation in found)
        hint = f"(if the test intends this, mark it with @pytest.mark.mockcampaign(allow=[{ids}]))"
        pytest.fail(f"the consumer has violated Campaign's rules\n{text_of(found)}\n{hint}", pytrace=False)
    if not failed and (nothing := campaign.nothing_delivered()):
        pytest.fail(nothing, pytrace=False)


def add_report_sections(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add the delivery timeline to a failing test's report, and keep the result of a test that is over."""
    campaigns = item.stash.setdefault(CAMPAIGNS, [])
    results = item.stash.setdefault(RESULTS, [])
    not_passed = item.stash.setdefault(NOT_PASSED, [])
    if not report.passed:
        not_passed.append(report)
    if report.failed:
        whole = item.config.get_verbosity() > 0
        for campaign in campaigns:
            try:
                shown = report_section(campaign, report, whole=whole)
            except Exception as error:
                shown = f"the timeline cannot be shown: {error!r}"  # the test's own failure matters more
            # First what most likely is the reason.
            said = filter(None, (campaign.forgotten_await, shown))
            report.sections.append(("mockcampaign", "\n\n".join(said)))
    if report.when == "teardown":
        for campaign, result in results:
            for failed in [one for one in not_passed if one.failed]:
                result = with_failure(result, failed, campaign)
            add_results(item.config, result)
        for kept in (campaigns, results, not_passed, item.stash.get(RENEWABLE, [])):
            kept.clear()  # the test may run again


def _leave_loop_after(item: Any, campaign: CampaignFixture) -> None:
    """Let an async test close, in its own loop, what the campaign has opened there."""
    test = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(test):
        return

    @functools.wraps(test)
    async def test_and_leave(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            return await test(*args, **kwargs)
        finally:
            await campaign.leave_loop()

    item.obj = test_and_leave
