"""Whole pytest runs, each in a process of its own, in which nothing may be left of any test."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

HERE = Path(__file__).parent


def whole_run(folder: Path, source: str, *arguments: str, plugins: tuple[str, ...] = ()) -> tuple[int, str]:
    """Status and output of a pytest run with no plugins but ours, `leftovers` and those named."""
    (folder / "conftest.py").write_text((HERE / "plugin_apps.py").read_text())
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
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


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
