"""The plugin under the oldest pytest that it supports: its own tests, run there."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import venv
from importlib.metadata import requires
from pathlib import Path

import pytest
from whole_runs import DELIVERING

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
TESTED = ["campaign", "failures", "async", "quiescence", "scenarios", "server", "check"]


def oldest() -> str:
    """As `pyproject.toml` has it: a major version, or major and minor."""
    [found] = {found for line in requires("mockcampaign") or [] for found in re.findall(r"^pytest>=([0-9.]+)", line)}
    return found if "." in found else f"{found}.0"


def test_the_plugins_tests_pass_under_the_oldest_pytest(tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    # Everything else comes from here; what is installed there goes before.
    [packages] = folder.glob("**/site-packages")
    paths = [path for path in sys.path if path and Path(path).is_dir() and "site-packages" in path]
    (packages / "borrowed.pth").write_text("\n".join([*paths, *site.getsitepackages()]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CI": ""}
    version = f"pytest=={oldest()}.*"
    install = [python, "-m", "pip", "install", "-q", "--no-warn-conflicts", version]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [str(ROOT / "tests" / f"test_plugin_{name}.py") for name in TESTED]
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
    # Under newer versions, pytest-forked cannot run even an empty test; and it leaves files of its own open.
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "plugin_apps.py").read_text())
    (tmp_path / "test_forked.py").write_text(DELIVERING)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "--forked", "-p", "no:asyncio", *without, "test_forked.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "6 passed" in done.stdout, done.stdout
