"""Run benchmarks: `python -m tests.benchmarks [NAME…] [--brief] [--json FILE] [--write]`.

Each module beside this one is a benchmark that yields rows (`harness.py`): a measurement, a yardstick that ran in turns
with it, the median ratio of at least five rounds, and their spread. `--write` writes their sections of RESULTS.md, and
leaves the others. `--brief`, the default in CI, takes fewer rounds, enough to judge the floors. Benchmarks that take
minutes run only if they are named. Exit status 1: a ratio is below its floor.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]

from harness import Row, Skipped, measured  # noqa: E402

RESULTS = HERE / "RESULTS.md"
NAMES = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("__main__", "harness"))
LONG = frozenset({"bugs", "load", "peers"})
"""Benchmarks that run only if they are named: they take minutes, or need what an ordinary machine does not have."""

VERSIONS = ("httptools", "hypothesis", "msgspec", "pytest", "starlette", "uvicorn")


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    told = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if line.startswith("model name")]
    git = shutil.which("git")
    asked = (git or "", "-C", str(HERE), "rev-parse", "--short", "HEAD")
    commit = subprocess.run(asked, capture_output=True, text=True).stdout if git else ""
    return {
        "processor": f"{len(models)} x {models[0]}" if models else platform.processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in VERSIONS},
        "commit": commit.strip(),
        "date": time.strftime("%Y-%m-%d"),
    }


def rows_of(names: Iterable[str], brief: bool) -> Iterator[tuple[str, Row | Skipped]]:
    """Run benchmarks, each in a process of its own, whose memory is no other's."""
    for name in names:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            began = time.monotonic()
            for row in pool.submit(measured, name, brief).result():
                yield name, row
            print(f"{name:<10} took {time.monotonic() - began:.0f} s", flush=True)


def sections(rows: list[tuple[str, Row | Skipped]]) -> dict[str, str]:
    """Return the sections of RESULTS.md, by benchmark."""
    told = machine()
    when = f"Measured on {told['date']}, at commit {told['commit'] or 'unknown'}."
    written: dict[str, list[str]] = {}
    for name, row in rows:
        lines = written.get(name)
        if lines is None:
            title = (importlib.import_module(name).__doc__ or "").splitlines()[0]
            lines = written[name] = [f"## {name}", "", title, when, ""]
            lines += ["| | measured | beside it | ratio | aim | |", "| --- | --- | --- | --- | --- | --- |"]
        match row:
            case Skipped():
                lines.append(f"| {row.what} | skipped: {row.why} | | | | |")
            case Row():
                cells = (row.what, row.measured, row.yardstick, row.spread, row.aimed, row.verdict or "")
                lines.append(f"| {' | '.join(cells)} |")
    return {name: "\n".join(lines) + "\n" for name, lines in written.items()}


def page(known: str, rows: list[tuple[str, Row | Skipped]]) -> str:
    """Return RESULTS.md, with new sections for these rows and the `known` ones for all other benchmarks."""
    _, *earlier = known.split("\n## ")
    parts = {section.partition("\n")[0]: f"## {section.rstrip()}\n" for section in earlier}
    parts = {name: part for name, part in (parts | sections(rows)).items() if name in NAMES}
    lines = [
        "# Results",
        "",
        "Written by `python -m tests.benchmarks --write`. Each ratio is a median; its spread is in brackets. An aim is",
        "what a ratio should reach, a floor what a change must not go below.",
        "",
        ", ".join(f"{name} {value}" for name, value in machine().items() if name not in ("commit", "date")) + ".",
        "",
    ]
    return "\n".join([*lines, *(parts[name] for name in sorted(parts))])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"benchmarks (default: all but {', '.join(sorted(LONG))}): {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--brief",
        action=argparse.BooleanOptionalAction,
        default=bool(os.environ.get("CI")),
        help="fewer rounds: enough to judge the floors, in half the time (default: if the variable CI is set)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file as well")
    parser.add_argument("--write", action="store_true", help="write these sections of RESULTS.md")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}, allowed: {', '.join(NAMES)}")
    if given.brief and given.write:
        parser.error("--brief with --write, allowed: --no-brief; what is written is measured in full")
    rows = list(rows_of(given.names or [name for name in NAMES if name not in LONG], given.brief))
    if given.json:
        told = [
            {"benchmark": name, "ratio": row.ratio, "floor": row.floor, "verdict": row.verdict}
            | msgspec.to_builtins(row)
            for name, row in rows
            if isinstance(row, Row)
        ]
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine(), "rows": told})))
    if given.write:
        known = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(page(known, rows), encoding="utf-8")
    below = [row.what for _, row in rows if isinstance(row, Row) and row.verdict == "BELOW ITS FLOOR"]
    for what in below:
        print(f"below its floor: {what}", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
