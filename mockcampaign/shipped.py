"""The scenarios and fixtures that come with the package."""

from __future__ import annotations

from pathlib import Path


def scenarios_folder() -> Path:
    """Inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "shipped" / "scenarios"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "scenarios"
