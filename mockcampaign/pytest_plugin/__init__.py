"""The pytest plugin: the fixtures `campaign`, `campaign_server` and `campaign_check`, and scenario files as tests.

Every pytest run of everybody who has mockcampaign installed imports this module, so it imports nothing but pytest. All
else is imported with the first fixture or scenario file that is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockcampaign.double.control.campaign_clock import CampaignClock as CampaignClock
    from mockcampaign.double.control.deliveries import Deliveries as Deliveries
    from mockcampaign.double.control.deliveries import Delivery as Delivery
    from mockcampaign.double.control.deliveries import Events as Events
    from mockcampaign.double.in_process import CampaignFixture as CampaignFixture
    from mockcampaign.pytest_plugin.check_fixture import CampaignCheck as CampaignCheck
    from mockcampaign.pytest_plugin.histories_fixture import CampaignHistories
    from mockcampaign.pytest_plugin.server_fixture import CampaignServer as CampaignServer
    from mockcampaign.pytest_plugin.server_fixture import CampaignServerFactory as CampaignServerFactory
    from mockcampaign.pytest_plugin.server_fixture import LiveServer

__all__ = [
    "CampaignCheck",
    "CampaignClock",
    "CampaignFixture",
    "CampaignServer",
    "CampaignServerFactory",
    "Deliveries",
    "Delivery",
    "Events",
]

_HOMES = {
    "CampaignCheck": "pytest_plugin.check_fixture",
    "CampaignClock": "double.control.campaign_clock",
    "CampaignFixture": "double.in_process",
    "CampaignServer": "pytest_plugin.server_fixture",
    "CampaignServerFactory": "pytest_plugin.server_fixture",
    "Deliveries": "double.control.deliveries",
    "Delivery": "double.control.deliveries",
    "Events": "double.control.deliveries",
}

MARKER = (
    "mockcampaign(allow=[], seed=None, start=None, policy=None, shape=None): settings of this test's campaign: the "
    "rules that the consumer may violate, the seed of the events, the start of virtual time, the sender's "
    "mockcampaign.Policy, and a file of captured events, or a Shape, that says what events look like"
)


REPORTS = {
    "report-json": "Write the complete result to this file as JSON.",
    "junit": "Write JUnit XML to this file.",
    "html": "Write an HTML page with plots and every attempt to this file.",
    "markdown": "Write a summary in Markdown to this file.",
    "sarif": "Write violations as SARIF 2.1.0, for code scanning, to this file.",
}
"""Options and help of `mockcampaign.report.formats.FORMATS`, which would take longer to import than all else here."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mockcampaign.{_HOMES[name]}"), name)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mockcampaign", "mockcampaign: a test double of Campaign's webhook exporter")
    group.addoption(
        "--mockcampaign-seed",
        metavar="SEED",
        help="Seed of the events: a number, 'random', or 'test' to derive it from each test's name.",
    )
    group.addoption(
        "--mockcampaign-run-timeout",
        metavar="DURATION",
        help="Limit of wall time for one advance() or run(), such as 60s.",
    )
    for option, said in REPORTS.items():
        group.addoption(f"--mockcampaign-{option}", metavar="FILE", help=said)
    group.addoption(
        "--mockcampaign-baseline",
        metavar="FILE",
        help="Accept the violations in this file, which `mockcampaign baseline write` wrote, and no others.",
    )
    group.addoption(
        "--mockcampaign-full-journal", action="store_true", help="Include every attempt in the JSON report."
    )
    parser.addini("mockcampaign_seed", "default for --mockcampaign-seed", default="test")
    parser.addini("mockcampaign_run_timeout", "default for --mockcampaign-run-timeout", default="60s")

    parser.addini(
        "mockcampaign_server_scope", "scope of the server behind campaign_server: session or module", default="session"
    )
    parser.addini(
        "mockcampaign_consumer",
        "fixture that returns the consumer of scenario files (URL, server, ASGI or WSGI application)",
        default="",
    )
    parser.addini(
        "mockcampaign_scenarios", "whether to collect *.scenario.yaml files as tests", type="bool", default=True
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if (baseline := config.getoption("--mockcampaign-baseline")) is not None:
        from mockcampaign.pytest_plugin.campaign_settings import load_baseline

        load_baseline(config, baseline)
    named = {option: config.getoption(f"--mockcampaign-{option}") for option in REPORTS}
    if any(named.values()):
        from mockcampaign.pytest_plugin.results import collect_results
        from mockcampaign.report.formats import FORMATS

        files = {report: Path(path) for report in FORMATS if (path := named[report.option])}
        collect_results(config, files, full_journal=config.getoption("--mockcampaign-full-journal"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(".scenario.yaml") or not parent.config.getini("mockcampaign_scenarios"):
        return None
    from mockcampaign.pytest_plugin.scenario_files import ScenarioFile

    return ScenarioFile.from_parent(parent, path=file_path)


@contextlib.contextmanager
def _naming_extras() -> Iterator[None]:
    """Let the test fail with one line if the fixture's packages are not installed."""
    from mockcampaign.extras import MissingExtraError, naming_extras

    missing = ""
    try:
        with naming_extras():
            yield
    except MissingExtraError as error:
        missing = str(error)
    if missing:  # outside of the handler, so that pytest does not show the error twice
        pytest.fail(missing, pytrace=False)


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[CampaignFixture]:
    """A test double of Campaign that sends events to your consumer, in virtual time.

    opens = campaign.webhook("open", target=app, path="/hook"); campaign.emit(opens, count=250); campaign.run()
    """
    from mockcampaign.pytest_plugin.lifecycle import campaign_for_test

    with campaign_for_test(request) as campaign_of_test:
        yield campaign_of_test


def _server_scope(fixture_name: str, config: pytest.Config) -> Any:
    scope = config.getini("mockcampaign_server_scope")
    if scope not in ("session", "module"):
        raise pytest.UsageError(f"mockcampaign_server_scope = {scope}, allowed: session or module")
    return scope


@pytest.fixture(scope=_server_scope)
def _mockcampaign_server() -> Iterator[LiveServer]:
    with _naming_extras():
        from mockcampaign.pytest_plugin.server_fixture import LiveServer

    with LiveServer().running() as live:
        yield live


@pytest.fixture
def campaign_server(request: pytest.FixtureRequest) -> Iterator[CampaignServer]:
    """A test double of Campaign's REST API on a real port, for code that creates its webhooks itself.

    Point the code at campaign_server.url; campaign_server.emit("open", count=250); campaign_server.run()
    """
    live = request.getfixturevalue("_mockcampaign_server")
    from mockcampaign.pytest_plugin.campaign_settings import settings_of
    from mockcampaign.pytest_plugin.lifecycle import verdict_at_teardown
    from mockcampaign.pytest_plugin.server_fixture import CampaignServer

    with verdict_at_teardown(request.node, CampaignServer(settings_of(request.node), live)) as server_of_test:
        yield server_of_test


@pytest.fixture(scope="session")
def campaign_server_factory(request: pytest.FixtureRequest) -> CampaignServerFactory:
    """Start servers that several tests share: one for a session, a module or a class.

    with campaign_server_factory() as server: yield server
    """
    with _naming_extras():
        from mockcampaign.pytest_plugin.server_fixture import CampaignServerFactory

    return CampaignServerFactory(request.config)


@pytest.fixture
def campaign_check(request: pytest.FixtureRequest) -> Iterator[CampaignCheck]:
    """Check your consumer against all of Campaign's rules.

    report = campaign_check(app, path="/hook", probe=lambda: app.processed)
    """
    with _naming_extras():
        # The check needs Hypothesis as soon as it runs; the fixture says so before anything is sent.
        import_module("mockcampaign.check.shrink")
    with _check_of(request) as check_of_test:
        yield check_of_test


@contextlib.contextmanager
def _check_of(request: pytest.FixtureRequest) -> Iterator[CampaignCheck]:
    from mockcampaign.pytest_plugin.check_fixture import CampaignCheck
    from mockcampaign.pytest_plugin.hypothesis_examples import renew_for_each_example

    with contextlib.closing(CampaignCheck(request)) as check_of_test:
        renew_for_each_example(request.node, check_of_test)
        yield check_of_test


@pytest.fixture
def campaign_histories(request: pytest.FixtureRequest) -> Iterator[CampaignHistories]:
    """Play random histories of events, faults and outages on your consumer, and reduce the first that fails.

    report = campaign_histories(app, "/hook", probe=lambda: app.processed, count=500)
    """
    from mockcampaign.pytest_plugin.histories_fixture import CampaignHistories

    if "campaign_check" in request.fixturenames:
        # An application is started once, whichever of the two fixtures calls it first.
        yield CampaignHistories(request.getfixturevalue("campaign_check"))
        return
    with _check_of(request) as check_of_test:
        yield CampaignHistories(check_of_test)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    named = {"campaign", "campaign_server", "campaign_check", "campaign_histories"}
    if named.intersection(getattr(item, "fixturenames", ())) and hasattr(getattr(item, "obj", None), "hypothesis"):
        from mockcampaign.pytest_plugin.hypothesis_examples import fresh_for_each_example

        with fresh_for_each_example(item):
            return (yield)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    import sys

    # No error is ours before our errors are imported.
    if call.excinfo is not None and "mockcampaign.errors" in sys.modules and not item.config.getoption("fulltrace"):
        from mockcampaign.pytest_plugin.shown_frames import shown_at_the_test

        call.excinfo = shown_at_the_test(call.excinfo)
    report = yield
    if {"campaign", "campaign_server"} & set(getattr(item, "fixturenames", ())):
        from mockcampaign.pytest_plugin.lifecycle import add_report_sections

        add_report_sections(item, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(
    op: str, left: object, right: object
) -> Generator[None, list[list[str] | None], list[list[str] | None]]:
    import sys

    deliveries = sys.modules.get("mockcampaign.double.control.deliveries")
    compared = [one for one in (left, right) if deliveries is not None and isinstance(one, deliveries.Events)]
    if op != "==" or not compared or not isinstance(left, list) or not isinstance(right, list):
        return (yield)
    from mockcampaign.double.control.differences import explain_difference

    explanation = explain_difference(left, right)
    for one in compared:
        one.is_explained = True
    try:
        return [explanation, *(yield)]
    finally:
        for one in compared:
            one.is_explained = False
