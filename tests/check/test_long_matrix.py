"""`matrix.py` counts the checks that it has run, and writes the table."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import matrix
from culprits import FOUND
from judged import Judged
from matrix import LINES, Line, checks, is_wrong, read_lines, read_rows, run, summary, tables, write_lines
from places import TESTS


def row(name: str, seed: int = 1, half: str = "rest", **found: Any) -> dict[str, Any]:
    nothing = {
        "violated": [],
        "hazards": [],
        "inconclusive": [],
        "not_exercised": [],
        "said": [],
        "milliseconds": 1_000,
    }
    ran = {"half": half, "name": name, "seed": seed, "commit": "c0ffee", "ended": "2026-01-01 00:00"}
    return ran | nothing | {"milliseconds": 1_000} | found


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (row("responds-201", violated=["responds-200"]), False),
        (row("slow-first-full-batch", hazards=["responds-in-time"]), False),
        (row("responds-201"), True),
        (row("responds-201", violated=["accepts-every-batch-size"]), True),
        (row("sample"), False),
        (row("sample", hazards=["responds-in-time"]), True),
        (row("sample", violated=["responds-200"]), True),
        (row("sample", inconclusive=["responds-200"]), True),
    ],
)
def test_a_bug_is_found_by_its_rule_and_a_correct_consumer_by_none(seen: dict[str, Any], wrong: bool) -> None:
    assert is_wrong(seen) is wrong


def test_tables_contain_the_numbers_of_seeds() -> None:
    rows = [row("responds-201", seed, violated=["responds-200"]) for seed in (1, 2)]
    rows += [
        row("responds-201", 3),
        row("sample", 1),
        row("sample", 1, "load", hazards=["accepts-whatever-campaign-sends"]),
    ]
    text = tables(*summary(rows))
    assert "| responds-201 | responds-200 | 2/3 | 0/0 |" in text
    assert "| sample | 0/1 | 0/1 | none | accepts-whatever-campaign-sends (1) | 1 |" in text
    assert (
        "- at rest: 4 checks with up to 3 seeds, from 2026-01-01 00:00 to 2026-01-01 00:00, at c0ffee; 1 went" in text
    )
    assert "- under load: 1 check with up to 1 seed, " in text
    assert "- under load: not run" in tables(*summary(rows[:1]))


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = summary([row("responds-201", violated=["responds-200"]), row("sample", half="load")])
    write_lines(*written, tmp_path / "rows.tsv")
    assert read_lines(tmp_path / "rows.tsv") == written


def test_the_shipped_table_has_every_bug_once_under_its_present_rule() -> None:
    ran, lines = read_lines()
    assert LINES.read_text().splitlines()[len(ran)].split("\t") == list(Line._fields)
    assert {line.consumer: line.rule for line in lines if line.rule != "-"} == FOUND
    assert len({line.consumer for line in lines}) == len(lines)


@pytest.mark.slow
def test_the_command_of_the_readme_prints_the_table() -> None:
    command = next(line for line in (TESTS / "README.md").read_text().splitlines() if "matrix.py --print" in line)
    python = command.partition("#")[0].replace(" python ", f" {shlex.quote(sys.executable)} ")
    done = subprocess.run(["sh", "-c", python], cwd=TESTS.parent, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip("\n") == tables(*read_lines())


def test_a_check_in_the_file_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    asked: list[tuple[str, int]] = []

    def found(todo: Any, jobs: int, until: float) -> Any:
        for name, seed in todo:
            asked.append((name, seed))
            yield Judged(name, seed, ("responds-200",), (), (), (), (), 1)

    monkeypatch.setattr(matrix, "checks", found)
    run("rest", ["responds-201", "responds-202"], 1, 1, 0, path)
    run("rest", ["responds-201", "responds-202"], 2, 1, 0, path)
    assert asked == [("responds-201", 1), ("responds-202", 1), ("responds-201", 2), ("responds-202", 2)]
    assert len(read_rows(path)) == 4


def test_the_later_of_two_rows_counts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [row("responds-201"), row("responds-201", violated=["responds-200"]), row("responds-201", half="load")]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert read_rows(path) == rows[1:]
    assert read_rows(tmp_path / "none.jsonl") == []


def test_no_check_begins_when_time_is_up() -> None:
    assert list(checks([("responds-201", 1)], 1, time.monotonic())) == []
