"""What an installed mockcampaign costs a project that does not use it.

Two environments are made: pytest alone, and pytest with mockcampaign without extras. A third shows what the extra `all`
adds. Three trivial tests run in the first two in turns, by processor time of the whole process, after one run that
compiles everything.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import Row, in_turns, is_brief, ratios

PAIRS = 15
RATIO_MAX = 1.05
PACKAGES_MAX, MEGABYTES_MAX = 12, 32
"""Half of what the package once brought."""
ROOT = Path(__file__).parents[2]

TESTS = """
def test_one(): pass
def test_two(): pass
def test_three(): pass
"""


def made(folder: Path, *packages: str) -> Path:
    """Return the Python of a new environment with the packages."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    return python


def contents(folder: Path) -> tuple[int, float]:
    """Return the number of packages, without pip and setuptools, and their size in megabytes."""
    [packages] = (folder / "lib").glob("python*/site-packages")
    ours = [path for path in packages.iterdir() if not path.name.startswith(("pip", "setuptools", "pkg_resources"))]
    number = sum(path.name.endswith(".dist-info") for path in ours)
    files = [file for path in ours for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return number, sum(file.stat().st_size for file in files) / 1e6


def processor_time(python: Path, folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_three.py"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_three.py").write_text(TESTS, encoding="utf-8")
        alone = made(folder / "alone", "pytest")
        ours = made(folder / "ours", "pytest", str(ROOT))
        if not is_brief():
            made(folder / "all", "pytest", f"{ROOT}[all]")
        for python in (alone, ours):
            processor_time(python, folder)
        taken, without = in_turns(
            lambda: processor_time(ours, folder), lambda: processor_time(alone, folder), rounds=PAIRS, brief=7
        )
        yield Row(
            what="three tests with it installed",
            measured=f"{min(taken) * 1_000:.0f} ms of processor",
            yardstick=f"pytest alone: {min(without) * 1_000:.0f} ms",
            ratios=ratios(taken, without),
            at_most=RATIO_MAX,
            room=1.1,
        )
        packages, megabytes = contents(folder / "alone")
        everything, size_of_everything = (0, 0.0) if is_brief() else contents(folder / "all")
        number, size = contents(folder / "ours")
        yield Row(
            what="packages without extras",
            measured=f"{number - packages} beside pytest's",
            yardstick=f"{PACKAGES_MAX}" + ("" if is_brief() else f"; {everything - packages} with all extras"),
            ratios=((number - packages) / PACKAGES_MAX,),
            at_most=1.0,
            room=1.0,
        )
        yield Row(
            what="size without extras",
            measured=f"{size - megabytes:.0f} MB beside pytest's",
            yardstick=f"{MEGABYTES_MAX} MB"
            + ("" if is_brief() else f"; {size_of_everything - megabytes:.0f} MB with all extras"),
            ratios=((size - megabytes) / MEGABYTES_MAX,),
            at_most=1.0,
            room=1.0,
        )
