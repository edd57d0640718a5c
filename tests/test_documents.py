"""Pages for contributors name only what exists, and benchmarks import only what exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from places import DOCUMENTATION, ROOT

PAGES = (
    ".ci/run",
    *DOCUMENTATION,
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "tests/README.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_links_of_a_page_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"(?<![\w/.-])(?:mockcampaign|tests|scenarios|fixtures|\.ci)/[\w/.-]*\w", text)
    linked = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert named or linked
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [link for link in linked if not _leads_somewhere(page, link)] == []


def _leads_somewhere(page: str, link: str) -> bool:
    """Return whether the link leads to a file, and its anchor to a heading there."""
    file, _, anchor = link.partition("#")
    path = (ROOT / page).parent / file if file else ROOT / page
    return path.exists() and (not anchor or anchor in _anchors(path.read_text()))


def _anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page.removeprefix("docs/") for page in DOCUMENTATION if page.startswith("docs/") and "README" not in page]
    rules = (ROOT / "docs" / "rules" / "README.md").read_text()
    indexed = {*re.findall(r"\]\(([^)]+)\)", index), *(f"rules/{one}" for one in re.findall(r"\]\(([^)]+)\)", rules))}
    assert [page for page in pages if page not in indexed] == []
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_readme_links_the_pages_for_contributors(page: str) -> None:
    assert f"({page})" in (ROOT / "README.md").read_text()


def test_the_architecture_page_has_every_room() -> None:
    rooms = {path.name for path in (ROOT / "mockcampaign").iterdir() if (path / "__init__.py").exists()}
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert {room for room in rooms if f"mockcampaign/{room}" not in text} == set()


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted((ROOT / "tests").glob("benchmarks/[a-z]*.py")), ids=lambda path: path.stem)
def test_benchmarks_import_only_what_exists(script: Path) -> None:
    folders = [str(script.parent), str(ROOT / "tests" / "helpers")]
    code = f"import sys; sys.path[:0] = {folders!r}; import {script.stem}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
