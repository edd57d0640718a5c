"""What a release consists of: the same bytes wherever it is built, with everything in it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from archives import Built, both, build, copy_sources, names_in, tracked_files, unpacked
from mockcampaign import __version__
from places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed(module: str) -> None:
    """Skip the test if a tool of the development dependencies is missing; in CI that is an error."""
    if importlib.util.find_spec(module) is None:
        assert not os.environ.get("CI"), f"no {module}"
        pytest.skip(f"no {module}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    needed("hatchling")
    folder = tmp_path_factory.mktemp("built")
    return both(copy_sources(folder / "source"), folder / "dist")


def test_the_version_is_the_same_everywhere() -> None:
    assert PROJECT["version"] == __version__
    newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest == __version__


def test_the_recipe_attests_in_a_job_that_cannot_publish() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    [recipe] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert recipe["permissions"] == {}
    actions = {
        name: [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
        for name, job in recipe["jobs"].items()
    }
    assert ("actions/attest-build-provenance" in actions["build"], "environment" in recipe["jobs"]["build"]) == (
        True,
        False,
    )
    assert actions["publish"] == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    pinned = re.findall(r"uses: \S+@(\S+)", page)
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for commit in pinned)


@pytest.mark.slow
def test_another_build_has_the_same_bytes(built: Built, tmp_path: Path) -> None:
    source = copy_sources(tmp_path / "elsewhere" / "source")
    (source / "mockcampaign" / "__pycache__").mkdir()
    (source / "mockcampaign" / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"stale")
    for path in source.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    again = both(source, tmp_path / "dist")
    assert [one.name for one in again] == [one.name for one in built]
    assert [one.read_bytes() for one in again] == [one.read_bytes() for one in built]


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel_and_its_tests_run(built: Built, tmp_path: Path) -> None:
    root = unpacked(built.sdist, tmp_path / "unpacked")
    [wheel] = build(root, tmp_path / "dist", "wheel")
    assert wheel.read_bytes() == built.wheel.read_bytes()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engine/test_outbox.py"]
    done = subprocess.run(
        [*command, "tests/test_release.py"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_archives_have_everything(built: Built) -> None:
    tracked = set(tracked_files())
    assert tracked - names_in(built.sdist) - {".gitignore"} == set()
    assert names_in(built.sdist) - tracked <= {"PKG-INFO", ".gitignore"}
    wheel = names_in(built.wheel)
    package = {name for name in tracked if name.startswith("mockcampaign/")}
    folders = ("scenarios/", "fixtures/", "docs/rules/")
    shipped = {f"mockcampaign/shipped/{name.removeprefix('docs/')}" for name in tracked if name.startswith(folders)}
    assert "mockcampaign/py.typed" in package
    of_distribution = {name for name in wheel if ".dist-info/" in name}
    assert wheel - of_distribution == package | shipped
    assert {name.partition("/")[2] for name in of_distribution} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


@pytest.mark.slow
def test_the_index_would_accept_them(built: Built) -> None:
    needed("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
