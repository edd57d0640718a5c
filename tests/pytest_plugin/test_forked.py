"""The plugin in tests that pytest-forked runs in forked processes, and in forks that a test makes itself."""

from __future__ import annotations

import os
import subprocess
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from lasting_tests import ENDS, WITHOUT_A_LOOP
from mockcampaign.errors import MisuseError
from mockcampaign.pytest_plugin import CampaignServer
from places import TESTS
from plugin_apps import app as app
from whole_runs import DELIVERING, with_pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are for POSIX")

NEWEST = "pytest<9.2"
"""Since pytest 9.2, a report contains a `NodeId`, which pytest-forked 1.7.5 cannot marshal, so every test crashes."""

FILTERS = "\n".join(
    [
        "error",
        # pytest-forked opens these in each child and closes them never.
        "ignore:unclosed file <_io.TextIOWrapper name='.*/std(out|err)':ResourceWarning",
    ]
)


@pytest.mark.slow
def test_forked_tests_leave_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pytest_forked")
    python, environment = with_pytest(tmp_path / "venv", NEWEST)
    (tmp_path / "conftest.py").write_text((TESTS / "helpers" / "plugin_apps.py").read_text())
    (tmp_path / "test_it.py").write_text(DELIVERING + ENDS + WITHOUT_A_LOOP)
    others = {plugin.name for plugin in entry_points(group="pytest11")} - {
        "mockcampaign",
        "pytest_forked",
        "hypothesispytest",
    }
    done = subprocess.run(
        [python, "-m", "pytest", "--forked", "-p", "leftovers", "-o", f"filterwarnings={FILTERS}"]
        + [f"-pno:{name}" for name in others],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "12 failed, 19 passed, 12 skipped, 12 xfailed" in done.stdout, done.stdout + done.stderr
    assert "LEFT AT THE END: []" in done.stdout


def test_a_fork_is_told_in_which_process_the_server_runs(campaign_server: CampaignServer) -> None:
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that the process has threads, from 3.12 on
        child = os.fork()
    if child == 0:
        try:
            campaign_server.emit("open")
        except MisuseError as error:
            os.write(sending, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(receiving, 1_000).decode()
    os.close(receiving)
    os.close(sending)
    assert said == (
        f"campaign_server runs in process {os.getpid()}, and this is a fork of it: call the fixture there; "
        f"over HTTP, {campaign_server.url} works here too"
    )
