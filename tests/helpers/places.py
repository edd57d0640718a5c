"""Folders of the repository, for tests in whatever folder."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
FIXTURES = ROOT / "fixtures"
SCENARIOS = ROOT / "scenarios"
