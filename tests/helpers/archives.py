"""Wheel and sdist, built as a release builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from places import ROOT

EPOCH = "1700000000"
"""The moment of the commit that is built, as far as the archives say one."""

_UNTRACKED = {".venv", "__pycache__", ".git", "build", "dist", "node_modules", ".hypothesis"}


class Built(NamedTuple):
    """The two files of a release."""

    wheel: Path
    sdist: Path


def tracked_files(root: Path = ROOT) -> list[str]:
    """Return the files that Git tracks, relative to the root; in an unpacked sdist, all files of the root."""
    if (root / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
        return [name for name in listed.stdout.split("\0") if name and (root / name).exists()]
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    caches = (".mypy_cache", ".pytest_cache", ".ruff_cache")
    return sorted(one.as_posix() for one in found if _UNTRACKED.isdisjoint(one.parts) and one.parts[0] not in caches)


def copy_sources(folder: Path) -> Path:
    """Copy the tracked files to the folder, and return it."""
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(source: Path, target: Path, *kinds: str) -> list[Path]:
    """Build the archives of a folder of sources, and return them by name."""
    arguments = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *(f"-t{kind}" for kind in kinds)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    done = subprocess.run(arguments, cwd=source, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(target.iterdir())


def both(source: Path, target: Path) -> Built:
    """Build wheel and sdist."""
    wheel, sdist = build(source, target)
    return Built(wheel, sdist)


def unpacked(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist, and return its root."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


def names_in(archive: Path) -> set[str]:
    """Return the names of the files in a wheel, or in an sdist without its root."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}
