"""Fixtures that several test modules share."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from pytest_httpserver import HTTPServer

from endpoints import AUTHORITY, Run
from places import TESTS

Inner = Callable[..., pytest.RunResult]

# Tests start hundreds of processes: each would compile the package anew where bytecode may not be kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell lets its background jobs ignore Ctrl-C, and they would let every process that a test interrupts ignore it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# However slow a machine is, no example fails for the time it took.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Each of several processes goes through whole modules, so that what their tests share is made once, and whoever
    has nothing left takes from the others."""
    if config.getoption("numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than there are cores: many tests wait for a process, a socket or a disk. `None` leaves it to xdist."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (usable or 1) + 1


def pytest_collection_finish() -> None:
    """Leave what has been imported and collected out of garbage collections: they take half a second each for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def httpserver(make_httpserver: HTTPServer) -> HTTPServer:
    """The worker's HTTP server, once it has served what an earlier test left on its way: it serves one at a time."""
    make_httpserver.clear()
    make_httpserver.expect_request("/begin").respond_with_data("")
    requests.get(make_httpserver.url_for("/begin"), timeout=60)
    make_httpserver.clear()
    return make_httpserver


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In whatever order the rest is, what takes longest begins first: at the end it would leave other cores idle."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test's coroutine on a fresh event loop of either kind."""
    factory = None if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop

    def run_on_fresh_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main)

    return run_on_fresh_loop


@pytest.fixture(scope="session")
def imported_for_good() -> None:
    """What an inner run imports it forgets, and libraries in C do not bear to be imported twice."""
    for name in ("lifecycle", "scenario_files"):
        importlib.import_module(f"mockcampaign.pytest_plugin.{name}")


@pytest.fixture
def inner(imported_for_good: None, pytester: pytest.Pytester) -> Inner:
    """Runs tests in a pytest of its own, whose fixtures are those of `plugin_apps`."""
    pytester.makeconftest((TESTS / "helpers" / "plugin_apps.py").read_text())

    def run_inner(
        source: str, *arguments: str, asyncio_mode: str = "", plugins: tuple[str, ...] = ()
    ) -> pytest.RunResult:
        pytester.makepyfile(test_it=source)
        mode = []
        if asyncio_mode:
            mode = [f"-oasyncio_mode={asyncio_mode}", "-oasyncio_default_fixture_loop_scope=function"]
        # Other plugins take long to load anew.
        wanted = {"mockcampaign", "anyio", "hypothesispytest", *plugins, *(["asyncio"] if asyncio_mode else [])}
        without = [f"-pno:{plugin.name}" for plugin in entry_points(group="pytest11") if plugin.name not in wanted]
        return pytester.runpytest_inprocess(*mode, *without, "-W", "error", *arguments)

    return run_inner


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path
