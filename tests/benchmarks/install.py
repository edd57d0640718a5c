"""What an installed mockcampaign costs a project that does not use it: `python tests/benchmarks/install.py`.

Two environments are made: pytest alone, and pytest with mockcampaign without extras. A third shows what the extra `all`
adds. Three trivial tests run in the first two in turns, by processor time of the whole process, after one run that
compiles everything.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PAIRS = 25
RATIO_MAX = 1.05
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


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_three.py").write_text(TESTS, encoding="utf-8")
        alone = made(folder / "alone", "pytest")
        ours = made(folder / "ours", "pytest", str(ROOT))
        made(folder / "all", "pytest", f"{ROOT}[all]")
        for python in (alone, ours):
            processor_time(python, folder)
        pairs = [(processor_time(ours, folder), processor_time(alone, folder)) for _ in range(PAIRS)]
        ratios = [one / other for one, other in pairs]
        ratio = statistics.median(ratios)
        print(
            f"three tests: {statistics.median(one for one, _ in pairs) * 1_000:.0f} ms of processor with mockcampaign "
            f"installed, {statistics.median(other for _, other in pairs) * 1_000:.0f} ms without; median ratio "
            f"{ratio:.3f} ({min(ratios):.2f} to {max(ratios):.2f} in {PAIRS} pairs), bound {RATIO_MAX}: "
            f"{'ok' if ratio <= RATIO_MAX else 'OVER'}"
        )
        packages, megabytes = contents(folder / "alone")
        for environment in ("ours", "all"):
            number, size = contents(folder / environment)
            label = "without extras" if environment == "ours" else "with all extras"
            print(f"mockcampaign {label}: {number - packages} packages, {size - megabytes:.0f} MB beside pytest's")


if __name__ == "__main__":
    main()
