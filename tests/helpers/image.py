"""What the image contains, without Docker: the commands of the Dockerfile's first stage, carried out in a folder.

    PYTHONPATH=tests python tests/helpers/image.py            # list the packages of the tree, with versions and sizes

The packages are those of the Python that runs this, which may be another one than the image's.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from archives import tracked_files

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
BUILD_STAGE, FINAL_STAGE = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]


class Package(NamedTuple):
    """A package of the tree, as it is installed."""

    name: str
    version: str
    size: int
    """Size of its files in bytes, with what is compiled."""


def listed(name: str) -> list[str]:
    """Return the last instruction of that name, which has the form of a list."""
    [*_, text] = re.findall(rf"^{name} .*?(\[.*\])$", DOCKERFILE, re.MULTILINE)
    return list(json.loads(text))


def pairs(name: str, stage: str) -> dict[str, str]:
    """Return the variables that instructions of that name (`ARG`, `ENV`) set in a stage."""
    lines = re.findall(rf"^{name} (.*)$", stage, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def copy_context(folder: Path) -> None:
    """Copy the tracked files that `.dockerignore` leaves to the image."""
    wanted = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"]
    for name in tracked_files():
        if any(fnmatch.fnmatch(name, pattern) or name.startswith(f"{pattern}/") for pattern in wanted):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def build(folder: Path) -> Path:
    """Carry out the first stage in the folder, and return the tree that it leaves to the second."""
    copy_context(folder / "source")
    variables = {**pairs("ARG", BUILD_STAGE), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in re.findall(r"^RUN (.*)$", BUILD_STAGE, re.MULTILINE):
        subprocess.run(
            ["sh", "-ec", re.sub(r"(?<![\w/])/(?=mockcampaign|source)", f"{folder}/", command)],
            cwd=folder / "source",
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
        )
    return folder / "mockcampaign"


def packages(tree: Path) -> Iterator[Package]:
    """Return the packages of a tree."""
    [site] = tree.glob("lib/python*/site-packages")
    for found in importlib.metadata.distributions(path=[str(site)]):
        files = [Path(str(file.locate())) for file in found.files or ()]
        yield Package(found.name, found.version, sum(file.stat().st_size for file in files if file.is_file()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        installed = sorted(packages(build(Path(name))), key=lambda package: -package.size)
    for package in installed:
        print(f"{package.size / 1e6:7.2f} MB  {package.name} {package.version}")
    print(f"{sum(package.size for package in installed) / 1e6:7.2f} MB  {len(installed)} packages")
