"""Pages for contributors name only what exists, and benchmarks import only what exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT

PAGES = (".ci/run", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md")


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"(?<![\w/.-])(?:mockcampaign|tests|scenarios|fixtures|\.ci)/[\w/.-]*\w", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [link for link in linked if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_readme_links_the_pages_for_contributors(page: str) -> None:
    assert f"({page})" in (ROOT / "README.md").read_text()


def test_the_architecture_page_has_every_room() -> None:
    rooms = {path.name for path in (ROOT / "mockcampaign").iterdir() if (path / "__init__.py").exists()}
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert {room for room in rooms if f"mockcampaign/{room}" not in text} == set()


@pytest.mark.parametrize("script", sorted((ROOT / "tests").glob("benchmarks/[a-z]*.py")), ids=lambda path: path.stem)
def test_benchmarks_import_only_what_exists(script: Path) -> None:
    folders = [str(script.parent), str(ROOT / "tests" / "helpers")]
    code = f"import sys; sys.path[:0] = {folders!r}; import {script.stem}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
