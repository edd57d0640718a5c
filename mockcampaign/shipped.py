"""Files that come with the package besides its code."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def scenarios_folder() -> Path:
    """Inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / "shipped" / "scenarios"
    return inside if inside.is_dir() else _PACKAGE.parent / "scenarios"


def rule_pages_folder() -> Path:
    """The pages of the rules: inside the installed package, or in the documentation of a checkout."""
    inside = _PACKAGE / "shipped" / "rules"
    return inside if inside.is_dir() else _PACKAGE.parent / "docs" / "rules"


def assets_folder() -> Path:
    """Other people's work that pages are made of, each in a folder with its licence."""
    return _PACKAGE / "assets"
