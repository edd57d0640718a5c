"""Lint as a test: one module writes each machine, and the campaign is the only way to the exporter."""

from __future__ import annotations

import ast
from pathlib import Path

import mockcampaign

ROOT = Path(mockcampaign.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def reaching_for(names: set[str], module: ast.Module) -> list[str]:
    """Uses of these attributes of any object but `self`."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in names and not of_self(node)
    ]


def test_callers_reach_the_exporter_through_the_campaign_only() -> None:
    found = {
        name: uses
        for name, module in MODULES.items()
        if not name.startswith("engine/") and (uses := reaching_for({"exporter", "_exporter"}, module))
    }
    assert not found
