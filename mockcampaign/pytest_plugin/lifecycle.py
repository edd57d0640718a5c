"""A test's campaign from setup to teardown: what it is made with, how it ends, and what a failing test shows of it."""

from __future__ import annotations

import functools
import inspect
import secrets
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import pytest

from mockcampaign.durations import parse_duration, parse_moment
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.judging.verdict import ScenarioResult
from mockcampaign.policy import DEFAULT_START, Policy
from mockcampaign.pytest_plugin.campaign_fixture import CampaignFixture
from mockcampaign.pytest_plugin.control import CampaignControl, Settings
from mockcampaign.pytest_plugin.failure_report import result_of, section, with_failure
from mockcampaign.pytest_plugin.results import add_results, result_files
from mockcampaign.pytest_plugin.verdict import NOTHING_DELIVERED
from mockcampaign.text import unknown


class Renewed(Protocol):
    """A fixture that each example of a Hypothesis test finds as if it were the only one."""

    def example(self) -> AbstractContextManager[None]: ...

    async def leave_loop(self) -> None: ...


CAMPAIGNS = pytest.StashKey[list[CampaignControl]]()
RESULTS = pytest.StashKey[list[tuple[CampaignControl, ScenarioResult]]]()
RENEWED = pytest.StashKey[list[Renewed]]()
NOT_PASSED = pytest.StashKey[list[pytest.TestReport]]()
RANDOM_SEED = pytest.StashKey[int]()

Control = TypeVar("Control", bound=CampaignControl)

SEED_MAX = 2**63 - 1

FIXTURES = ("campaign", "campaign_server", "campaign_check")


@contextmanager
def lent(request: pytest.FixtureRequest) -> Iterator[CampaignFixture]:
    """The campaign of a test."""
    campaign = CampaignFixture(settings_of(request.node))
    _leave_loop_after(request.node, campaign)
    with judged(request.node, campaign):
        yield campaign


@contextmanager
def judged(item: pytest.Item, campaign: Control) -> Iterator[Control]:
    """Close the campaign after the test. A violation that the test has not asked about fails it in the end."""
    item.stash.setdefault(CAMPAIGNS, []).append(campaign)
    renew(item, campaign)
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
        lines = [line for violation in found for line in violation.lines()]
        ids = ", ".join(repr(violation.id) for violation in found)
        hint = f"(a test that means it says @pytest.mark.mockcampaign(allow=[{ids}]))"
        pytest.fail("\n".join(["the consumer has violated Campaign's rules", *lines, hint]), pytrace=False)
    if not failed and (nothing := campaign.nothing_delivered()):
        pytest.fail(nothing, pytrace=False)


def reported(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add the delivery timeline to a failing test's report, and keep what came of a test that is over."""
    campaigns = item.stash.setdefault(CAMPAIGNS, [])
    results = item.stash.setdefault(RESULTS, [])
    not_passed = item.stash.setdefault(NOT_PASSED, [])
    if not report.passed:
        not_passed.append(report)
    if report.failed:
        whole = item.config.get_verbosity() > 0
        for campaign in campaigns:
            try:
                shown = section(campaign, report, whole=whole)
            except Exception as error:
                shown = f"no timeline can be shown: {error!r}"  # the test's own failure is worth more
            report.sections.append(("mockcampaign", shown))
    if report.when == "teardown":
        for campaign, result in results:
            for failed in [one for one in not_passed if one.failed]:
                result = with_failure(result, failed, campaign)
            add_results(item.config, result)
        for kept in (campaigns, results, not_passed, item.stash.get(RENEWED, [])):
            kept.clear()  # the test may be run again


def renew(item: pytest.Item, fixture: Renewed) -> None:
    """Let each example of a Hypothesis test begin with the fixture as new."""
    item.stash.setdefault(RENEWED, []).append(fixture)


@contextmanager
def fresh_for_each_example(item: pytest.Item) -> Iterator[None]:
    """Let each example of a Hypothesis test begin with fresh fixtures of ours, which Hypothesis cannot know it does."""
    ours = item.stash.get(RENEWED, [])
    function: Any = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    handle = function.hypothesis
    inner = handle.inner_test
    handle.inner_test = _in_example(inner, ours)
    before = _suppress_fixture_check(item, function)
    try:
        yield
    finally:
        handle.inner_test = inner
        if before is not None:
            function._hypothesis_internal_use_settings = before


def settings_of(item: pytest.Item) -> Settings:
    """From the command line, the ini file and the test's markers, of which the closest one counts."""
    marked: dict[str, Any] = {}
    allow: set[str] = set()
    for marker in reversed(list(item.iter_markers("mockcampaign"))):
        if marker.args or not marker.kwargs.keys() <= {"allow", "seed", "start", "policy"}:
            raise pytest.UsageError(
                f"{item.nodeid}: @pytest.mark.mockcampaign({', '.join((*map(repr, marker.args), *marker.kwargs))}), "
                "allowed: allow=[rule ids], seed=number, start=moment, policy=mockcampaign.Policy(…)"
            )
        marked |= marker.kwargs
        allow |= set(marker.kwargs.get("allow", ()))
    try:
        check_allowed(allow)
    except InvalidInputError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    policy = marked.get("policy", Policy())
    if not isinstance(policy, Policy):
        raise pytest.UsageError(f"{item.nodeid}: policy: {policy!r}, allowed: mockcampaign.Policy(…)")
    return Settings(
        seed=chosen_seed(item, marked.get("seed")),
        start=_start(item, marked.get("start")),
        policy=policy,
        run_timeout=_run_timeout(item.config),
        allow=frozenset(allow),
    )


def check_allowed(rule_ids: Collection[str]) -> None:
    """Raises `InvalidInputError` for an id that is no rule's."""
    known = [*(rule.id for rule in JOURNAL_RULES), NOTHING_DELIVERED]
    if set(rule_ids) <= set(known):
        return
    # Imported late: it brings Hypothesis.
    from mockcampaign.check.rules import CATALOGUE

    known = list(dict.fromkeys([*known, *(rule.id for rule in CATALOGUE)]))
    for rule_id in rule_ids:
        if rule_id not in known:
            raise InvalidInputError(f"allow: {unknown('rule', str(rule_id), known)}")


def chosen_seed(item: pytest.Item, marked: int | None) -> int:
    """From the command line, else what the test says, else as the ini file says."""
    config = item.config
    option = config.getoption("--mockcampaign-seed")
    chosen = str(option if option is not None else config.getini("mockcampaign_seed") if marked is None else marked)
    if chosen == "test":
        return zlib.crc32(item.nodeid.encode())
    if chosen == "random":
        base = config.stash.setdefault(RANDOM_SEED, secrets.randbits(31))
        return zlib.crc32(f"{base} {item.nodeid}".encode())
    if not chosen.isdecimal() or int(chosen) > SEED_MAX:
        raise pytest.UsageError(f"mockcampaign seed {chosen!r}, allowed: 0 to {SEED_MAX}, 'random' or 'test'")
    return int(chosen)


def _start(item: pytest.Item, marked: str | datetime | None) -> int:
    if marked is None:
        return DEFAULT_START
    try:
        return parse_moment(marked if isinstance(marked, str) else marked.isoformat())
    except InvalidInputError as error:
        raise pytest.UsageError(f"{item.nodeid}: start: {error}") from None


def _run_timeout(config: pytest.Config) -> int:
    option = config.getoption("--mockcampaign-run-timeout")
    try:
        return parse_duration(config.getini("mockcampaign_run_timeout") if option is None else option)
    except InvalidInputError as error:
        raise pytest.UsageError(f"mockcampaign run timeout: {error}") from None


def _leave_loop_after(item: Any, campaign: CampaignFixture) -> None:
    """Let an async test close, in its own loop, what the campaign has opened there."""
    test = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(test):
        return

    @functools.wraps(test)
    async def and_leave(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            return await test(*args, **kwargs)
        finally:
            await campaign.leave_loop()

    item.obj = and_leave


@contextmanager
def _example(ours: Sequence[Renewed]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in ours:
            stack.enter_context(one.example())
        yield


def _in_example(inner: Any, ours: Sequence[Renewed]) -> Any:
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def example(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with _example(ours):
                try:
                    return await inner(*args, **kwargs)
                finally:
                    for one in ours:
                        await one.leave_loop()

        return example

    @functools.wraps(inner)
    def example_without_loop(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with _example(ours):
            return inner(*args, **kwargs)

    return example_without_loop


def _suppress_fixture_check(item: Any, function: Any) -> Any:
    """Hypothesis objects to function-scoped fixtures, since they are not fresh for each example; ours are.

    Where the test uses another one, Hypothesis keeps its say. Gives back the settings to put back.
    """
    from hypothesis import HealthCheck, settings

    # Not those of `item._fixtureinfo`, among which parameters are that `parametrize` gives.
    asked_for = item if pytest.version_tuple >= (8, 1) else item.nodeid
    for name in inspect.signature(item.function).parameters:
        definitions = item.session._fixturemanager.getfixturedefs(name, asked_for) or ()
        ours = name in FIXTURES and len(definitions) == 1  # and nobody's who overrides it
        if definitions and definitions[-1].scope == "function" and not ours:
            return None
    before = getattr(function, "_hypothesis_internal_use_settings", settings.default)
    assert before is not None
    function._hypothesis_internal_use_settings = settings(
        parent=before, suppress_health_check={HealthCheck.function_scoped_fixture, *before.suppress_health_check}
    )
    return before
