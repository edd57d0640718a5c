"""Lint as a test: one module writes each machine, and the campaign is the only way to the exporter."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mockcampaign
from mockcampaign.engine.outbox import Outbox

ROOT = Path(mockcampaign.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.rglob("*.py"))}


def attributes(source: str) -> Iterator[ast.Attribute]:
    """Attributes of any object but `self`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            yield node


def written(source: str) -> set[str]:
    """Attributes of any object but `self` that are assigned, augmented or deleted, also by `setattr`."""
    return {node.attr for node in attributes(source) if not isinstance(node.ctx, ast.Load)} | {
        argument.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "delattr", "setattr__"))
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def test_callers_reach_the_exporter_through_the_campaign_only() -> None:
    found = {
        name: ast.unparse(node)
        for name, source in SOURCES.items()
        if not name.startswith("engine/") and "exporter" in source
        for node in attributes(source)
        if node.attr in ("exporter", "_exporter")
    }
    assert not found


def test_only_the_outbox_changes_its_machine() -> None:
    private = {slot for slot in Outbox.__slots__ if slot.startswith("_")}
    for name, source in SOURCES.items():
        if name == "engine/outbox.py" or not any(slot in source for slot in (*private, ".webhook_id = ")):
            continue
        assert not set(Outbox.__slots__) & written(source), name
        read = [ast.unparse(node) for node in attributes(source) if node.attr in private]
        assert not [use for use in read if "box" in use], name


def test_a_write_from_outside_is_seen() -> None:
    for source in ("outbox._held = True", "box._held += 1", "del box._held", "setattr(box, '_held', 1)"):
        assert written(source) == {"_held"}
    assert written("self._held = outbox._held") == set()
