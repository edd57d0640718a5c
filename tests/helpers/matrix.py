"""Check every bug and every correct consumer over loopback with many seeds, and write down what came of it.

    export PYTHONPATH=tests
    python tests/helpers/matrix.py --print                            # print the table of tests/matrix/rows.tsv
    python tests/helpers/matrix.py --write                            # run 20 seeds, at rest and then under load
    python tests/helpers/matrix.py --write --only rest --minutes 30   # run as much of one half as thirty minutes allow
    python tests/helpers/matrix.py --write --minutes 0                # write the table of what has been run so far

Each bug is checked by the rule that has to find it (`culprits.py`), each correct consumer by all rules. Under load,
another process keeps a core busy meanwhile. All consumers are checked with the first seed, then all with the next one.
Every check is a line in a file outside the repository, so a later call continues where the last one stopped; without
that file, everything starts anew. Exit status 1: a bug was missed or a correct consumer accused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, get_args

from consumers.started import missing
from culprits import BETWEEN, FOUND
from judged import BUGS, CORRECT, Judged, checked_over_loopback, few, judged, settings
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.text import counted
from places import TESTS

LINES = TESTS / "matrix" / "rows.tsv"
"""The table: a line for each consumer."""
ROWS = Path(tempfile.gettempdir()) / "mockcampaign-matrix.jsonl"

Half = Literal["rest", "load"]
HALVES: dict[Half, str] = {"rest": "at rest", "load": "under load"}

BUDGET = 600_000
"""Time limit of one check, in milliseconds: long, since a busy machine must not decide the verdict."""


def one(name: str, seed: int) -> Judged:
    """Run one check, in a process of its own."""
    logging.disable(logging.CRITICAL)  # the consumers' logs are of no interest here
    began = time.monotonic()
    rules = (FOUND[name], *BETWEEN.get(FOUND[name], ())) if name in BUGS else ()
    chosen = settings(seed, rules=rules, budget=BUDGET, **few(name, 20 if name in BUGS else 5))
    result = checked_over_loopback(name, chosen)
    return judged(name, seed, result, round((time.monotonic() - began) * 1_000))


@contextlib.contextmanager
def load(wanted: bool) -> Iterator[None]:
    """Keep a core busy in another process if that is wanted."""
    if not wanted:
        yield
        return
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def checks(todo: Iterable[tuple[str, int]], jobs: int, until: float) -> Iterator[Judged]:
    """Run the checks, so many at a time, and yield each result when it is there. None starts after `until`."""
    left = (check for check in todo if time.monotonic() < until)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Judged]] = set()
        while True:
            running |= {pool.submit(one, *check) for check in islice(left, jobs - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


# The checks that were run so far


Row = dict[str, Any]
"""The fields of a `Judged`, with its half, commit, end, and load average of the machine."""


def read_rows(path: Path) -> list[Row]:
    """Return all rows of a file; of a check that was run twice, the later one."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return list({(row["half"], row["name"], row["seed"]): row for row in rows}.values())


def commit() -> str:
    """Return the commit of both what is checked and what checks."""
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=TESTS, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def is_wrong(row: Row) -> bool:
    """Return whether a bug was missed by its rule, or a correct consumer failed a rule that could be examined."""
    if row["name"] in FOUND:
        return FOUND[row["name"]] not in (*row["violated"], *row["hazards"])
    return bool(row["violated"] or row["hazards"] or row["inconclusive"])


# The table


class Line(NamedTuple):
    """What came of all checks of one consumer: how many bugs were caught, or how many correct consumers accused."""

    consumer: str
    rule: str
    at_rest: str
    under_load: str
    could_not_tell: str
    hazards: str
    seconds: str


def summary(rows: list[Row]) -> tuple[list[str], list[Line]]:
    """Return a sentence about each half, and a line for each consumer: the bugs, then the correct ones."""
    cells: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[row["name"]][row["half"]].append(row)
    lines = []
    for name in (name for name in [*BUGS, *CORRECT] if name in cells):
        halves = [cells[name][half] for half in HALVES]
        if name in BUGS:
            rest, load = [f"{sum(not is_wrong(row) for row in half)}/{len(half)}" for half in halves]
            lines.append(Line(name, FOUND[name], rest, load, "-", "-", "-"))
        else:
            every = [row for half in halves for row in half]
            rest, load = [f"{sum(bool(row['violated']) for row in half)}/{len(half)}" for half in halves]
            seconds = sorted(row["milliseconds"] for row in every)[len(every) // 2] / 1_000
            inconclusive, hazards = _counted(every, "inconclusive"), _counted(every, "hazards")
            lines.append(Line(name, "-", rest, load, inconclusive, hazards, f"{seconds:.0f}"))
    return [_ran(half, rows) for half in HALVES], lines


def write_lines(ran: list[str], lines: list[Line], path: Path = LINES) -> None:
    """Write the table to a file, as text with tabs."""
    text = [*(f"# {sentence}" for sentence in ran), "\t".join(Line._fields), *("\t".join(line) for line in lines)]
    path.write_text("\n".join(text) + "\n")


def read_lines(path: Path = LINES) -> tuple[list[str], list[Line]]:
    """Return what `write_lines` has written."""
    text = path.read_text().splitlines()
    ran = [line.removeprefix("# ") for line in text if line.startswith("# ")]
    return ran, [Line(*line.split("\t")) for line in text[len(ran) + 1 :]]


def tables(ran: list[str], lines: list[Line]) -> str:
    """Return the table as Markdown: what was run, the bugs, and the correct consumers."""
    bugs = [line for line in lines if line.rule != "-"]
    correct = [line for line in lines if line.rule == "-"]
    text = [*(f"- {sentence}" for sentence in ran), ""]
    text += ["| bug | its rule | caught at rest | caught under load |", "|---|---|---|---|"]
    text += [f"| {' | '.join(line[:4])} |" for line in bugs]
    text += ["", f"Correct consumers, checked by all {len(CATALOGUE)} rules with five examples:", ""]
    text += ["| correct consumer | accused at rest | accused under load | could not tell | hazards | seconds |"]
    text += ["|---|---|---|---|---|---|"]
    text += [f"| {' | '.join([line.consumer, *line[2:]])} |" for line in correct]
    return "\n".join(text)


def _ran(half: Half, rows: list[Row]) -> str:
    part = [row for row in rows if row["half"] == half]
    if not part:
        return f"{HALVES[half]}: not run"
    ended = sorted(row["ended"] for row in part)
    commits = list(dict.fromkeys(row["commit"] for row in sorted(part, key=lambda row: row["ended"])))
    wrong = sum(is_wrong(row) for row in part)
    seeds = len({row["seed"] for row in part})
    loads = [row["load_average"] for row in part if "load_average" in row]
    busy = f" on {os.cpu_count()} cores with a load average of {median(loads):.1f}" if loads else ""
    return (
        f"{HALVES[half]}: {counted(len(part), 'check')} with up to {counted(seeds, 'seed')}, "
        f"from {ended[0]} to {ended[-1]}{busy}, at {', '.join(commits)}; {wrong} went wrong"
    )


def _counted(rows: list[Row], outcome: str) -> str:
    """Return the rules with that outcome, and how often each has it."""
    times: dict[str, int] = defaultdict(int)
    for row in rows:
        for rule in row[outcome]:
            times[rule] += 1
    return ", ".join(f"{rule} ({count})" for rule, count in sorted(times.items())) or "none"


def told(row: Row) -> str:
    """Return a row as a line of text."""
    rules = [*row["violated"], *(f"~{rule}" for rule in row["hazards"]), *(f"?{rule}" for rule in row["inconclusive"])]
    wrong = is_wrong(row)
    said = ["WRONG" if wrong else "     ", HALVES[row["half"]], row["name"], str(row["seed"])]
    return " ".join([*said, f"{row['milliseconds']} ms", *rules, *(row["said"] if wrong else ())])


# The command


def named(text: str, known: Iterable[str]) -> list[str]:
    """Return the names that were chosen, by default all."""
    if text == "all":
        return list(known)
    chosen = [name for name in text.split(",") if name]
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    return chosen


def run(half: Half, names: list[str], seeds: int, jobs: int, until: float, path: Path) -> None:
    """Run the checks of a half that are not in the file yet, while there is time."""
    there = {(row["name"], row["seed"]) for row in read_rows(path) if row["half"] == half}
    every = ((name, seed) for seed in range(1, seeds + 1) for name in names)
    at = commit()
    with load(half == "load"), path.open("a") as file:
        for found in checks((check for check in every if check not in there), jobs, until):
            ended = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
            busy = round(os.getloadavg()[0], 1)
            row = {"half": half, "commit": at, "ended": ended, "load_average": busy, **asdict(found)}
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(told(row), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds (default: 20)")
    parser.add_argument("--jobs", type=int, default=2, help="number of checks at a time (default: 2)")
    parser.add_argument("--bugs", default="all", help="names of bugs, separated by commas (default: all)")
    parser.add_argument("--correct", default="all", help="names of correct consumers, separated by commas")
    parser.add_argument("--only", choices=get_args(Half), help="run only this half")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no check after that time")
    parser.add_argument("--rows", type=Path, default=ROWS, help=f"file with a line for each check (default: {ROWS})")
    parser.add_argument("--write", action="store_true", help="write the table to tests/matrix/rows.tsv")
    parser.add_argument("--print", action="store_true", help="print that table, and run nothing")
    given = parser.parse_args()
    if given.print:
        print(tables(*read_lines()))
        return 0
    bugs, correct = named(given.bugs, BUGS), named(given.correct, CORRECT)
    for name in [name for name in correct if name != "sample" and missing(name)]:
        print(f"without {name}: {missing(name)}")
        correct.remove(name)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the load ends as well
    until = time.monotonic() + given.minutes * 60
    with contextlib.suppress(KeyboardInterrupt):  # the file has what was run
        for half in HALVES if given.only is None else (given.only,):
            run(half, [*correct, *bugs], given.seeds, given.jobs, until, given.rows)
    rows = read_rows(given.rows)
    if given.write:
        write_lines(*summary(rows))
    else:
        print(tables(*summary(rows)))
    wrong = [row for row in rows if is_wrong(row)]
    for row in wrong:
        print(told(row))
    print(f"{len(rows)} checks in {given.rows}, {len(wrong)} of them wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
