"""Folders of the repository, for tests in whatever folder."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
FIXTURES = ROOT / "fixtures"
SCENARIOS = ROOT / "scenarios"

DOCUMENTATION = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
"""The pages for users, relative to the root."""


def documentation() -> str:
    """Return the text of all pages for users."""
    return "\n".join((ROOT / page).read_text(encoding="utf-8") for page in DOCUMENTATION)
