"""Hooks of MkDocs: pages that live elsewhere in the repository, links to them, and the navigation of the rules' pages.

The Markdown in `docs` is written to be read on GitHub. Here it becomes a site without a change to any page.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))  # MkDocs loads this file by its path

from mockcampaign.check.rules import CATALOGUE, FAMILIES
from site_links import with_places, with_tabs
from site_reference import with_generated

ROOT = Path(__file__).parent.parent

ELSEWHERE = {
    "ARCHITECTURE.md": "explanation/architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "explanation/contributing.md",
    "README.md": "overview.md",
    "SECURITY.md": "reference/security.md",
    "fixtures/report.png": "assets/report.png",
    "scenarios/README.md": "reference/scenario-language.md",
    "tests/README.md": "explanation/tests.md",
    "tests/benchmarks/RESULTS.md": "explanation/benchmark-results.md",
    "website/iframe-worker.js": "assets/iframe-worker.js",
    "website/site.css": "assets/site.css",
}
"""Places on the site of files that are not in `docs`."""

_SOURCES = {place: source for source, place in ELSEWHERE.items()}
_WAY_BACK = re.compile(r"\n\[All pages\]\([^)]+\)\n*\Z")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of rules to the navigation, by family."""
    families: list[dict[str, list[str]]] = []
    for family in FAMILIES:
        pages = [f"rules/{rule.id}.md" for rule in CATALOGUE if rule.family == family]
        families.append({family.capitalize(): [page for page in pages if (ROOT / "docs" / page).exists()]})
    index = ["rules/README.md"] if (ROOT / "docs/rules/README.md").exists() else []
    rules = [*index, *(family for family in families if [*family.values()] != [[]])]
    if rules:
        assert config.nav is not None
        config.nav.insert(-1, {"Rules": rules})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that are not in `docs`."""
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Add what is generated, and let links lead to the places that their targets have on the site.

    The way back is left out, since the navigation replaces it.
    """
    place = page.file.src_uri
    written = with_places(_WAY_BACK.sub("\n", markdown), _SOURCES.get(place, f"docs/{place}"), ELSEWHERE)
    return with_tabs(written) if place.startswith("rules/") else with_generated(written)
