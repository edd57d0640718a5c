"""The plugin's own tests under the oldest pytest that it supports."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import requires
from pathlib import Path

import pytest

from places import ROOT, TESTS
from whole_runs import with_pytest

pytestmark = [pytest.mark.slow, pytest.mark.longest]

TESTED = ["campaign", "failures", "async", "idle", "scenarios", "server", "check"]


def oldest() -> str:
    """Return the oldest version of pytest in `pyproject.toml`: a major version, or major and minor."""
    [found] = {found for line in requires("mockcampaign") or [] for found in re.findall(r"^pytest>=([0-9.]+)", line)}
    return found if "." in found else f"{found}.0"


def test_the_plugins_tests_pass_under_the_oldest_pytest(tmp_path: Path) -> None:
    python, environment = with_pytest(tmp_path / "venv", f"pytest=={oldest()}.*")
    files = [str(TESTS / "pytest_plugin" / f"test_{name}.py") for name in TESTED]
    # These want a newer pytest, or have nothing to do with it and take long to load.
    without = [f"-pno:{name}" for name in ("schemathesis", "faker", "randomly", "xdist", "playwright")]
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *without, *files, "-m", "not slow"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d+ passed", done.stdout)
