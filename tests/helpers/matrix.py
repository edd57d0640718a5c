"""The judge judged at length: every bug and every correct consumer over loopback, with many seeds.

    python tests/helpers/matrix.py --write                            # 20 seeds, at rest and then under load
    python tests/helpers/matrix.py --write --only rest --minutes 30   # so much of one half as thirty minutes allow
    python tests/helpers/matrix.py --write --minutes 0                # only the tables, of what has been run so far

Each bug is examined by the rule that has to find it (`culprits.py`), each correct consumer by the whole catalogue.
Under load means that another process keeps a core busy meanwhile. All consumers come once with the first seed, then all
with the next one. Every check is a line of a file outside the repository, so that a later call goes on where one has
ended; without that file, everything begins anew. Status 1 says that a bug was missed or a correct consumer accused.
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
from typing import Any, Literal, get_args

from consumers.started import missing
from culprits import BETWEEN, FOUND
from judged import BUGS, CORRECT, Judged, checked_over_loopback, few, judged, settings
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.text import counted
from places import TESTS

README = TESTS / "README.md"
BEGIN, END = "<!-- matrix begins -->", "<!-- matrix ends -->"
ROWS = Path(tempfile.gettempdir()) / "mockcampaign-matrix.jsonl"

Half = Literal["rest", "load"]
HALVES: dict[Half, str] = {"rest": "at rest", "load": "under load"}

BUDGET = 600_000
"""Milliseconds for one check: on a busy machine it takes long, and that is no verdict."""


def one(name: str, seed: int) -> Judged:
    """One check, in a process of its own."""
    logging.disable(logging.CRITICAL)  # what the consumers have to say is of no interest here
    began = time.monotonic()
    rules = (FOUND[name], *BETWEEN.get(FOUND[name], ())) if name in BUGS else ()
    chosen = settings(seed, rules=rules, budget=BUDGET, **few(name, 20 if name in BUGS else 5))
    result = checked_over_loopback(name, chosen)
    return judged(name, seed, result, round((time.monotonic() - began) * 1_000))


@contextlib.contextmanager
def load(wanted: bool) -> Iterator[None]:
    """Another process that keeps a core busy."""
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
    """All of them, as they are done, so many at a time. None is begun later than `until`."""
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


# What was run so far


Row = dict[str, Any]
"""What is in a `Judged`, with its half, the commit it was run with, and when it ended at what load of the machine."""


def read_rows(path: Path) -> list[Row]:
    """All there are. Of a check that is there twice, the later one."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return list({(row["half"], row["name"], row["seed"]): row for row in rows}.values())


def commit() -> str:
    """What is judged and what judges."""
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=README.parent, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"


def is_wrong(row: Row) -> bool:
    """Whether a bug was missed by its rule, or a correct consumer did not pass every rule that could be examined."""
    if row["name"] in FOUND:
        return FOUND[row["name"]] not in (*row["violated"], *row["hazards"])
    return bool(row["violated"] or row["hazards"] or row["untold"])


# Tables


def tables(rows: list[Row]) -> str:
    """What was run, the bugs, and the correct consumers."""
    cells: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[row["name"]][row["half"]].append(row)
    bugs = [name for name in BUGS if name in cells]
    correct = [name for name in CORRECT if name in cells]
    lines = [*(_ran(half, rows) for half in HALVES), ""]
    lines += ["| bug | its rule | caught at rest | caught under load |", "|---|---|---|---|"]
    for name in bugs:
        caught = [f"{sum(not is_wrong(row) for row in part)}/{len(part)}" for part in _halves(cells[name])]
        lines.append(f"| {name} | {FOUND[name]} | {' | '.join(caught)} |")
    lines += ["", f"Correct consumers, by the whole catalogue of {len(CATALOGUE)} rules with five examples:", ""]
    lines += ["| correct consumer | accused at rest | accused under load | could not tell | hazards | seconds |"]
    lines += ["|---|---|---|---|---|---|"]
    for name in correct:
        every = [row for part in _halves(cells[name]) for row in part]
        accused = [f"{sum(bool(row['violated']) for row in part)}/{len(part)}" for part in _halves(cells[name])]
        named = [_counted(every, "untold"), _counted(every, "hazards")]
        seconds = sorted(row["milliseconds"] for row in every)[len(every) // 2] / 1_000
        lines.append(f"| {name} | {' | '.join([*accused, *named])} | {seconds:.0f} |")
    return "\n".join(lines)


def _halves(cells: dict[str, list[Row]]) -> list[list[Row]]:
    return [cells[half] for half in HALVES]


def _ran(half: Half, rows: list[Row]) -> str:
    part = [row for row in rows if row["half"] == half]
    if not part:
        return f"- {HALVES[half]}: not run"
    ended = sorted(row["ended"] for row in part)
    commits = list(dict.fromkeys(row["commit"] for row in sorted(part, key=lambda row: row["ended"])))
    wrong = sum(is_wrong(row) for row in part)
    seeds = len({row["seed"] for row in part})
    loads = [row["load_average"] for row in part if "load_average" in row]
    busy = f" on {os.cpu_count()} cores with a load average of {median(loads):.1f}" if loads else ""
    return (
        f"- {HALVES[half]}: {counted(len(part), 'check')} with up to {counted(seeds, 'seed')}, "
        f"from {ended[0]} to {ended[-1]}{busy}, at {', '.join(commits)}; {wrong} went wrong"
    )


def _counted(rows: list[Row], outcome: str) -> str:
    """The rules with that outcome, and how often."""
    times: dict[str, int] = defaultdict(int)
    for row in rows:
        for rule in row[outcome]:
            times[rule] += 1
    return ", ".join(f"{rule} ({count})" for rule, count in sorted(times.items())) or "none"


def write(table: str) -> None:
    """Put the tables between their marks."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def told(row: Row) -> str:
    """One line."""
    rules = [*row["violated"], *(f"~{rule}" for rule in row["hazards"]), *(f"?{rule}" for rule in row["untold"])]
    wrong = is_wrong(row)
    said = ["WRONG" if wrong else "     ", HALVES[row["half"]], row["name"], str(row["seed"])]
    return " ".join([*said, f"{row['milliseconds']} ms", *rules, *(row["said"] if wrong else ())])


# The command


def named(text: str, known: Iterable[str]) -> list[str]:
    """Those of them that were chosen; all of them without a choice."""
    if text == "all":
        return list(known)
    chosen = [name for name in text.split(",") if name]
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    return chosen


def run(half: Half, names: list[str], seeds: int, jobs: int, until: float, path: Path) -> None:
    """What is not in the file of that half, as long as there is time."""
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
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2, help="how many checks at a time (default: 2)")
    parser.add_argument("--bugs", default="all", help="names with commas between; none is the empty text")
    parser.add_argument("--correct", default="all")
    parser.add_argument("--only", choices=get_args(Half), help="this half alone")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no check later than that")
    parser.add_argument("--rows", type=Path, default=ROWS, help=f"where each check is a line (default: {ROWS})")
    parser.add_argument("--write", action="store_true", help="the tables into tests/README.md")
    given = parser.parse_args()
    bugs, correct = named(given.bugs, BUGS), named(given.correct, CORRECT)
    for name in [name for name in correct if name != "sample" and missing(name)]:
        print(f"without {name}: {missing(name)}")
        correct.remove(name)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the load ends with it
    until = time.monotonic() + given.minutes * 60
    with contextlib.suppress(KeyboardInterrupt):  # what has been run is in the file
        for half in HALVES if given.only is None else (given.only,):
            run(half, [*correct, *bugs], given.seeds, given.jobs, until, given.rows)
    rows = read_rows(given.rows)
    table = tables(rows)
    if given.write:
        write(table)
    else:
        print(table)
    wrong = [row for row in rows if is_wrong(row)]
    for row in wrong:
        print(told(row))
    print(f"{len(rows)} checks in {given.rows}, {len(wrong)} of them wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
