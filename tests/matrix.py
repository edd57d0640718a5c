"""The whole matrix of the compliance check: every bug and every correct consumer over loopback, with many seeds.

    python tests/matrix.py                  # 20 seeds, at rest and under load; hours
    python tests/matrix.py --seeds 1        # once
    python tests/matrix.py --write          # and the tables into tests/README.md

With the first seed, the whole catalogue examines each bug. With the others, the rules that found it then have to find
it again; what they miss is examined by all. Correct consumers are examined by all rules with every seed. Then all once
more while another process keeps a core busy. Status 1 says that a bug was missed or a correct consumer accused.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from consumers.started import missing
from judged import BUGS, CORRECT, Judged, checked_over_loopback, judged, settings

from mockcampaign.compliance.catalogue import CATALOGUE

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- matrix begins -->", "<!-- matrix ends -->"
FIRST_SEED = 1


def one(name: str, seed: int, rules: tuple[str, ...] = ()) -> Judged:
    """One check, in a process of its own."""
    logging.disable(logging.CRITICAL)  # what the consumers have to say is of no interest here
    began = time.monotonic()
    result = checked_over_loopback(name, settings(seed, rules=rules, budget=120_000 if name in BUGS else 600_000))
    return judged(name, seed, result, round((time.monotonic() - began) * 1_000))


def again(found: Judged, seed: int) -> Judged:
    """The same bug with another seed, first by the rules that found it, if any did."""
    if not found.caught:
        return one(found.name, seed)
    repeated = one(found.name, seed, (*found.violated, *found.hazards))
    return repeated if repeated.caught else one(found.name, seed)


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


def passes(names: list[str], bugs: list[str], seeds: int, jobs: int) -> Iterator[Judged]:
    """All of them, as they are done."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawning) as pool:
        todo = {pool.submit(one, name, FIRST_SEED): name for name in bugs}
        later = [pool.submit(one, name, FIRST_SEED + number) for number in range(seeds) for name in names]
        for done in as_completed(todo):
            found = done.result()
            yield found
            later += [
                pool.submit(again, found, FIRST_SEED + number)
                if found.caught
                else pool.submit(one, found.name, FIRST_SEED + number)
                for number in range(1, seeds)
            ]
        for done in as_completed(later):
            yield done.result()


def tables(rows: dict[str, list[Judged]]) -> str:
    """The tables for people. `rows` by the name of the pass."""
    by_name: dict[str, dict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for kind, found in rows.items():
        for row in found:
            by_name[row.name][kind].append(row)
    kinds = list(rows)
    lines = [
        f"| bug | found by | {' | '.join(f'caught {kind}' for kind in kinds)} |",
        "|---|---|" + "---|" * len(kinds),
    ]
    culprits: dict[str, list[str]] = defaultdict(list)
    for bug in [name for name in BUGS if name in by_name]:
        first = min((row for found in by_name[bug].values() for row in found), key=lambda row: row.seed)
        if len(first.violated) <= 1:
            for rule in first.violated or first.hazards:
                culprits[rule].append(bug)
        cells = [f"{sum(row.caught for row in by_name[bug][kind])}/{len(by_name[bug][kind])}" for kind in kinds]
        shown = [*first.violated, *(f"{rule} (hazard)" for rule in first.hazards)]
        lines.append(f"| {bug} | {', '.join(shown) or 'nothing'} | {' | '.join(cells)} |")
    lines += ["", "| rule | violated, and no other must-rule, by |", "|---|---|"]
    lines += [f"| {rule.id} | {', '.join(culprits[rule.id]) or 'none'} |" for rule in CATALOGUE]
    lines += ["", f"| correct consumer | {' | '.join(f'violations {kind}' for kind in kinds)} | hazards | seconds |"]
    lines += ["|---|" + "---|" * (len(kinds) + 2)]
    for name in [name for name in CORRECT if name in by_name]:
        cells = []
        every = [row for found in by_name[name].values() for row in found]
        for kind in kinds:
            found = by_name[name][kind]
            wrong = sorted({rule for row in found for rule in (*row.violated, *(f"{one}?" for one in row.untold))})
            cells.append(f"{sum(bool(row.violated) for row in found)}/{len(found)} {' '.join(wrong)}".strip())
        hazards = sorted({rule for row in every for rule in row.hazards})
        seconds = sorted(row.milliseconds for row in every)[len(every) // 2] / 1_000
        lines.append(f"| {name} | {' | '.join(cells)} | {', '.join(hazards) or 'none'} | {seconds:.1f} |")
    return "\n".join(lines)


def tell(kind: str, row: Judged) -> None:
    """One line for what is wrong, and for everything's first seed."""
    wrong = not row.caught if row.name in BUGS else row.violated or row.untold
    if wrong or row.seed == FIRST_SEED:
        rules = [*row.violated, *(f"~{rule}" for rule in row.hazards), *(f"?{rule}" for rule in row.untold)]
        seconds = f"{row.milliseconds / 1_000:.1f} s"
        print("WRONG" if wrong else "     ", kind, row.name, row.seed, seconds, *rules, flush=True)


def write(table: str) -> None:
    """Put the tables between their marks."""
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def named(text: str, known: Iterable[str]) -> list[str]:
    """Those of them that were chosen; all of them without a choice."""
    if text == "all":
        return list(known)
    chosen = [name for name in text.split(",") if name]
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}")
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bugs", default="all", help="names with commas between; none is the empty text")
    parser.add_argument("--correct", default="all")
    parser.add_argument("--load", choices=["without", "with", "both"], default="both")
    parser.add_argument("--write", action="store_true", help="the tables into tests/README.md")
    parser.add_argument("--rows", type=Path, help="every check as a JSON line into this file")
    given = parser.parse_args()
    bugs, correct = named(given.bugs, BUGS), named(given.correct, CORRECT)
    for name in [name for name in correct if name != "sample" and missing(name)]:
        print(f"without {name}: {missing(name)}")
        correct.remove(name)
    rows: dict[str, list[Judged]] = {}
    kinds = {"without": ["at rest"], "with": ["under load"], "both": ["at rest", "under load"]}[given.load]
    for kind in kinds:
        rows[kind] = []
        with load(kind == "under load"):
            for row in passes(correct, bugs, given.seeds, given.jobs):
                rows[kind].append(row)
                if given.rows:
                    with given.rows.open("a") as file:
                        file.write(json.dumps({"kind": kind, **asdict(row)}) + "\n")
                tell(kind, row)
    table = tables(rows)
    print(table)
    if given.write:
        write(table)
    every = [row for found in rows.values() for row in found]
    missed = [row for row in every if row.name in BUGS and not row.caught]
    accused = [row for row in every if row.name in CORRECT and row.violated]
    print(f"\n{len(every)} checks, {len(missed)} bugs missed, {len(accused)} correct consumers accused")
    return 1 if missed or accused else 0


if __name__ == "__main__":
    sys.exit(main())
