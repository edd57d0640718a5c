"""Benchmarks judge ratios by their aims and floors, and write what they measured."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest

from places import ROOT, TESTS

PLANTED = """\
'''Planted.'''
from harness import Row, Skipped, in_turns, is_brief

def measure():
    ours, theirs = in_turns(lambda: 1.0, lambda: 2.0, brief=4)
    rounds = f"{len(ours)} and {len(theirs)}, {is_brief()}"
    yield Row(what="speed", measured="1", yardstick="2", ratios=(0.2, RATIO, 0.9), at_least=0.8, room=2.0)
    yield Row(what="rounds", measured=rounds, yardstick="2", ratios=(1.0,))
    yield Skipped("other", "no tool")
"""


def harness() -> ModuleType:
    specification = importlib.util.spec_from_file_location("harness", TESTS / "benchmarks" / "harness.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("aim", "ratios", "verdict"),
    [
        ({"at_least": 0.8}, (0.8,), "ok"),
        ({"at_least": 0.8}, (0.79,), "short of its aim"),
        ({"at_least": 0.8}, (0.4,), "short of its aim"),
        ({"at_least": 0.8}, (0.39,), "BELOW ITS FLOOR"),
        ({"at_most": 3.0}, (3.0,), "ok"),
        ({"at_most": 3.0}, (6.0,), "short of its aim"),
        ({"at_most": 3.0}, (6.1,), "BELOW ITS FLOOR"),
        ({"at_most": 3.0, "room": 1.1}, (3.31,), "BELOW ITS FLOOR"),
        ({"at_most": 3.0}, (1.0, 9.0, 2.0), "ok"),
        ({}, (1.0,), None),
    ],
)
def test_the_median_ratio_is_judged(aim: dict[str, float], ratios: tuple[float, ...], verdict: str | None) -> None:
    row = harness().Row(what="w", measured="m", yardstick="y", ratios=ratios, **aim)
    assert row.verdict == verdict


def run(
    folder: Path, ratio: float, *arguments: str, files: Mapping[str, str] = MappingProxyType({}), **variables: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the command in a copy that has one benchmark."""
    copy = folder / "tests" / "benchmarks"
    copy.mkdir(parents=True)
    for name in ("__main__.py", "harness.py"):
        (copy / name).write_bytes((TESTS / "benchmarks" / name).read_bytes())
    (copy / "planted.py").write_text(PLANTED.replace("RATIO", str(ratio)))
    for name, text in files.items():
        (copy / name).write_text(text)
    command = [sys.executable, "-m", "tests.benchmarks", "--json", "rows.json", *arguments]
    done = subprocess.run(command, cwd=folder, env={"PATH": "", **variables}, capture_output=True, text=True)
    rows = folder / "rows.json"
    return done, json.loads(rows.read_bytes()) if rows.exists() else {}


def test_a_ratio_below_its_floor_ends_with_status_1_after_its_section_is_written(tmp_path: Path) -> None:
    known = "# Results\n\n## gone\n\nold\n\n## peers\n\nkept\n\n## planted\n\nold\n"
    files = {"RESULTS.md": known, "peers.py": "raise AssertionError('it runs only if it is named')"}
    done, written = run(tmp_path, 0.3, "--write", files=files)
    assert done.returncode == 1
    assert done.stderr == "below its floor: speed\n"
    row, rounds = written["rows"]
    assert (row["benchmark"], row["ratio"], row["floor"], row["verdict"]) == ("planted", 0.3, 0.4, "BELOW ITS FLOOR")
    assert rounds["measured"] == "5 and 5, False"
    assert "Python" in written["machine"]
    page = (tmp_path / "tests" / "benchmarks" / "RESULTS.md").read_text()
    assert "| speed | 1 | 2 | 0.3 (0.2 to 0.9) | at least 0.8, floor 0.4 | BELOW ITS FLOOR |" in page
    assert "| other | skipped: no tool |" in page
    assert "\n## peers\n\nkept\n\n## planted\n\nPlanted.\n" in page
    assert "old" not in page


def test_a_ratio_that_is_only_short_of_its_aim_ends_well(tmp_path: Path) -> None:
    done, written = run(tmp_path, 0.7)
    assert (done.returncode, done.stderr) == (0, "")
    assert written["rows"][0]["verdict"] == "short of its aim"
    for line in done.stdout.splitlines()[:2]:
        assert re.search(r"; took \d+\.\d s, \d+\.\d s busy$", line)


def test_a_brief_run_has_fewer_rounds_the_same_floors_and_writes_no_results(tmp_path: Path) -> None:
    done, written = run(tmp_path / "brief", 0.3, "--brief")
    assert (done.returncode, done.stderr) == (1, "below its floor: speed\n")
    assert written["rows"][1]["measured"] == "4 and 4, True"
    done, written = run(tmp_path / "ci", 0.3, CI="1")
    assert (done.returncode, written["rows"][1]["measured"]) == (1, "4 and 4, True")
    done, _ = run(tmp_path / "written", 0.7, "--brief", "--write")
    assert done.returncode == 2
    assert done.stderr.endswith("--brief with --write, allowed: --no-brief; what is written is measured in full\n")


def test_the_ci_ends_with_the_benchmarks_whose_status_is_its_own() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in lines
    assert lines[-1] == ".venv/bin/python -m tests.benchmarks"
    assert any(line.startswith("export CI=1") for line in lines)


def test_an_unknown_benchmark_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    done, _ = run(tmp_path, 0.7, "speeed")
    assert done.returncode == 2
    assert done.stderr.endswith("no benchmark 'speeed', allowed: planted\n")


def test_the_page_of_results_is_about_all_benchmarks() -> None:
    names = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("[a-z]*.py")} - {"harness"}
    written = (ROOT / "tests" / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert {line.removeprefix("## ") for line in written.splitlines() if line.startswith("## ")} == names
