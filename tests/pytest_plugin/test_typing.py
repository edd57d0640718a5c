"""The plugin's public names, as type checkers see them in a user's tests, and the worked examples."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT, TESTS

RIGHT, WRONG = "typing/sample_plugin_tests.py", "typing/wrong_plugin_tests.py"
MISTAKES = {number for number, line in enumerate((TESTS / WRONG).read_text().splitlines(), 1) if "  # no " in line}

EXAMPLES = sorted(
    path.parent
    for path in (TESTS / "examples").glob("*/test_*.py")
    # Django comes without types.
    if path.parent.name not in ("django_app", "node_server")
)
"""The worked examples: applications with types, and tests without any, as most users write them."""

pytestmark = pytest.mark.slow


def found(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_mypy(tmp_path: Path) -> None:
    options = ["--strict", "--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls"]
    options += ["--config-file=", "--hide-error-context", f"--cache-dir={tmp_path}"]
    files = [str(file) for folder in EXAMPLES for file in folder.glob("*.py")]
    printed = found(["mypy", *options, RIGHT, WRONG, *files], TESTS, MYPYPATH=os.pathsep.join(map(str, EXAMPLES)))
    lines = [line for line in printed.splitlines() if ": error: " in line]
    assert [line for line in lines if not line.startswith(WRONG)] == []
    assert {int(re.findall(r":(\d+):", line)[0]) for line in lines} == MISTAKES, printed


def test_pyright(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    for folder in (TESTS / "typing", *EXAMPLES):
        shutil.copytree(folder, tmp_path / folder.name)
    # Each folder by itself, because pytest imports from it.
    roots = [{"root": folder.name, "extraPaths": [os.path.relpath(ROOT, tmp_path)]} for folder in tmp_path.iterdir()]
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"executionEnvironments": roots}))
    printed = found(["pyright", "--outputjson", "--pythonpath", sys.executable], tmp_path)
    assert printed.lstrip().startswith("{"), printed
    result = json.loads(printed)
    errors = [one for one in result["generalDiagnostics"] if one["severity"] == "error"]
    assert [one for one in errors if not one["file"].endswith(Path(WRONG).name)] == []
    assert {one["range"]["start"]["line"] + 1 for one in errors} == MISTAKES, errors
    assert result["summary"]["filesAnalyzed"] >= 2 + 2 * len(EXAMPLES)
