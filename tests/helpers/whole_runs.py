"""Whole pytest runs, each in its own process, in which no test may leave anything behind."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from importlib.metadata import entry_points
from pathlib import Path

from places import ROOT, TESTS

HANGING = 300
"""Wall seconds after which a run hangs. It takes 5 s of processor time, and ten times as long on a busy machine."""


def whole_run(folder: Path, source: str, *arguments: str, plugins: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run pytest with only our plugin, `leftovers` and those in `plugins`, and return its status and output."""
    (folder / "conftest.py").write_text((TESTS / "helpers" / "plugin_apps.py").read_text())
    (folder / "test_it.py").write_text(source)
    others = {plugin.name for plugin in entry_points(group="pytest11")} - {"mockcampaign", *plugins}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "leftovers",
            "-W",
            "error",
            *(f"-pno:{name}" for name in others),
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS / "helpers"), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=HANGING,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def with_pytest(folder: Path, version: str) -> tuple[Path, dict[str, str]]:
    """Return a Python with another pytest, and the environment to run it in. All other packages are those of this
    process."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    # Packages installed there take precedence.
    [packages] = folder.glob("**/site-packages")
    paths = [path for path in sys.path if path and Path(path).is_dir() and "site-packages" in path]
    (packages / "borrowed.pth").write_text("\n".join([*paths, *site.getsitepackages()]))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-warn-conflicts", version]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(ROOT), str(TESTS), str(TESTS / "helpers")])
    return python, {**os.environ, "PYTHONPATH": path, "CI": ""}


WARMING_UP = """
from conftest import App
from mockcampaign.serving import serve_in_thread

with serve_in_thread(App()):
    pass  # libuv keeps two descriptors from its first loop on
"""

DELIVERING = (
    WARMING_UP
    + """
import pytest
from mockcampaign import Policy

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

@pytest.mark.mockcampaign(policy=Policy())
def test_url(campaign, app):
    with serve_in_thread(app) as url:
        deliver(campaign, url)
        campaign.emit("open")
        with campaign.fault("lost-ack"):
            campaign.advance("30s")
"""
)
