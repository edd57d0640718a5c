"""The plugin in whole pytest runs of their own: what loading it costs, and how it gets on with other plugins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

HERE = Path(__file__).parent

LEFTOVERS = """
    import gc, threading, warnings
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        threads, descriptors = set(threading.enumerate()), open_descriptors()
        result = yield
        gc.collect()
        assert set(threading.enumerate()) <= threads
        assert open_descriptors() <= descriptors
        return result

    def pytest_unconfigure():
        others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        print("THREADS AT THE END:", others)

    def open_descriptors():
        if not PROC:
            return set()
        found = set()
        for number in os.listdir("/proc/self/fd"):
            try:
                found.add((number, os.readlink(f"/proc/self/fd/{number}")))
            except OSError:
                pass  # that of the listing itself
        return found
"""


def whole_run(folder: Path, source: str, *arguments: str, plugins: tuple[str, ...] = ()) -> tuple[int, str]:
    """Status and output of a pytest run with no plugins but ours and those named."""
    conftest = (HERE / "plugin_apps.py").read_text()
    conftest += f"\n\nimport os\nPROC = {Path('/proc/self/fd').exists()}\n" + LEFTOVERS.replace("\n    ", "\n")
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(source)
    others = {plugin.name for plugin in entry_points(group="pytest11")} - {"mockcampaign", *plugins}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", *(f"-pno:{name}" for name in others), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_unused_it_imports_nothing(tmp_path: Path) -> None:
    status, printed = whole_run(
        tmp_path,
        "def test_it():\n"
        "    import sys\n"
        "    heavy = {'hypothesis', 'starlette', 'uvicorn', 'pydantic', 'httptools', 'msgspec', 'yaml', 'jmespath'}\n"
        "    assert 'mockcampaign.pytest_plugin' in sys.modules\n"
        "    assert not heavy & set(sys.modules)\n"
        "    ours = sorted(name for name in sys.modules if name.startswith('mockcampaign'))\n"
        "    assert ours == ['mockcampaign', 'mockcampaign.pytest_plugin']\n",
    )
    assert status == 0, printed


WARMING_UP = """
from conftest import App
from mockcampaign.serving import served

with served(App()):
    pass  # libuv keeps two descriptors from its first loop on
"""

DELIVERING = (
    WARMING_UP
    + """
import pytest

def deliver(campaign, target):
    campaign.emit(campaign.webhook("open", target=target), 250)
    campaign.run()

@pytest.mark.parametrize("number", range(4))
def test_passes(campaign, app, number):
    deliver(campaign, app)
    assert app.processed() == campaign.delivered

def test_wsgi(campaign, wsgi_app):
    deliver(campaign, wsgi_app)
    assert wsgi_app.processed() == campaign.delivered

def test_url(campaign, app):
    with served(app) as url:
        deliver(campaign, url)
        campaign.emit("open")
        with campaign.fault("lost-ack"):
            campaign.advance("30s")
"""
)

FAILING = """
def test_fails(campaign, app):
    deliver(campaign, app)
    assert False, "on purpose"

def test_skips(campaign, app):
    deliver(campaign, app)
    pytest.skip("on purpose")

def test_fails_over_sockets(campaign, app):
    with served(app) as url:
        deliver(campaign, url)
        assert False, "on purpose"
"""


def test_nothing_is_left_of_passing_failing_and_skipped_tests(tmp_path: Path) -> None:
    status, printed = whole_run(tmp_path, DELIVERING + FAILING)
    assert status == 1, printed
    assert "2 failed, 6 passed, 1 skipped" in printed, printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "plugins", "arguments"),
    [
        ("xdist", ("xdist",), ("-n", "2")),
        ("pytest_randomly", ("randomly",), ()),
    ],
)
def test_in_company(tmp_path: Path, module: str, plugins: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    pytest.importorskip(module)
    names = {plugin.name for plugin in entry_points(group="pytest11") if plugin.value.startswith(module)}
    status, printed = whole_run(tmp_path, DELIVERING, *arguments, plugins=tuple(names))
    assert status == 0, printed
    assert "6 passed" in printed


HANGING = (
    WARMING_UP
    + """
import asyncio, time
import pytest

def test_asgi(campaign, app):
    app.before_answer = asyncio.Event().wait
    campaign.emit(campaign.webhook("open", target=app))
    campaign.run()

def test_wsgi(campaign):
    def consumer(environ, start_response):
        time.sleep(60)
    campaign.emit(campaign.webhook("open", target=consumer))
    campaign.run()

def test_url(campaign, app):
    app.before_answer = asyncio.Event().wait
    with served(app) as url:
        campaign.emit(campaign.webhook("open", target=url))
        campaign.run()

def test_the_next_one(campaign, app):
    campaign.emit(campaign.webhook("open", target=app))
    campaign.run()
    assert len(app.events) == 1
"""
)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pytest-timeout interrupts tests by a signal")
def test_timed_out_tests_leave_nothing_and_show_how_far_they_got(tmp_path: Path) -> None:
    pytest.importorskip("pytest_timeout")
    status, printed = whole_run(tmp_path, HANGING, "--timeout=0.5", "-otimeout_func_only=true", plugins=("timeout",))
    assert status == 1, printed
    assert "3 failed, 1 passed" in printed, printed
    assert printed.count("1 open event") >= 3


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the interrupt is sent as a signal")
def test_an_interrupted_run_ends_at_once(tmp_path: Path) -> None:
    interrupting = HANGING.replace("    campaign.run()\n", "    interrupt_soon()\n    campaign.run()\n", 1)
    interrupting += (
        "\ndef interrupt_soon():\n"
        "    import os, signal, threading\n"
        f"    threading.Timer(0.3, os.kill, (os.getpid(), {int(signal.SIGINT)})).start()\n"
    )
    status, printed = whole_run(tmp_path, interrupting)
    assert status == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in printed
    assert "Traceback" not in printed.partition("KeyboardInterrupt")[2]
    assert "never retrieved" not in printed
    assert "was destroyed" not in printed
    assert "THREADS AT THE END: []" in printed
