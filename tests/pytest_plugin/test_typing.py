"""The plugin's public names, as type checkers see them in a user's tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from places import TESTS

FOLDER = TESTS / "typing"
RIGHT, WRONG = FOLDER / "sample_plugin_tests.py", FOLDER / "wrong_plugin_tests.py"
MISTAKES = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if "  # no " in line}

pytestmark = pytest.mark.slow


def found(command: list[str]) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_mypy(tmp_path: Path) -> None:
    printed = found(
        [
            "mypy",
            "--config-file=",
            "--strict",
            "--hide-error-context",
            f"--cache-dir={tmp_path}",
            RIGHT.name,
            WRONG.name,
        ]
    )
    lines = [line for line in printed.splitlines() if ": error: " in line]
    assert [line for line in lines if not line.startswith(WRONG.name)] == []
    assert {int(re.findall(r":(\d+):", line)[0]) for line in lines} == MISTAKES, printed


def test_pyright() -> None:
    pytest.importorskip("pyright")
    printed = found(["pyright", "--outputjson", "--pythonpath", sys.executable, RIGHT.name, WRONG.name])
    assert printed.lstrip().startswith("{"), printed
    diagnostics = json.loads(printed)["generalDiagnostics"]
    errors = [one for one in diagnostics if one["severity"] == "error"]
    assert [one for one in errors if not one["file"].endswith(WRONG.name)] == []
    assert {one["range"]["start"]["line"] + 1 for one in errors} == MISTAKES, errors
